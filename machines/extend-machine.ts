// Machine files that extend another one: a board with a device more is a few lines. The files' YAML is put together before anything is
// read from it, so that all checks see one board, and every mistake keeps the place and the file in which it stands.

import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import { createFieldReader, type FieldReader } from "./yaml-fields.ts";

/** Text of the machine of that name, as a file at `from` means it; null: there is none. */
export type OpenMachine = (name: string, from: string) => { readonly text: string; readonly file: string } | null;

/** How a value of the extending file meets that of the other one; what is not here takes its place. */
const MERGED: Readonly<Record<string, "entries" | "items">> = {
  devices: "entries",
  constants: "entries",
  qemu: "entries",
  // Of `qemu`.
  arguments: "items",
  properties: "entries",
};

const keyOf = ({ key }: Pair): string | null => (isScalar(key) && typeof key.value === "string" ? key.value : null);

/** A key without value: what the other file has of that name is left out. */
const isEmpty = (node: unknown): boolean => node === null || (isScalar(node) && (node.value === null || node.value === ""));

function mergeValues(key: string, own: unknown, other: unknown): void {
  const how = MERGED[key];
  if (how === "entries" && isMap(own) && isMap(other)) mergeEntries(own, other);
  if (how === "items" && isSeq(own) && isSeq(other)) own.items.unshift(...other.items);
}

/** Entries of `other` come first, so that a board keeps the order that it had. */
function mergeEntries(own: YAMLMap, other: YAMLMap): void {
  const rest = new Map(own.items.map((pair) => [keyOf(pair), pair]));
  const items: Pair[] = [];
  for (const pair of other.items) {
    const key = keyOf(pair);
    const mine = rest.get(key);
    if (mine === undefined || key === null) {
      items.push(pair);
      continue;
    }
    rest.delete(key);
    if (isEmpty(mine.value)) continue;
    mergeValues(key, mine.value, pair.value);
    items.push(mine);
  }
  own.items = [...items, ...own.items.filter((pair) => rest.get(keyOf(pair)) === pair)];
}

/** Of a file and of what it extends; `suggest` helps whoever misspells a name. */
export function openMachine(
  text: string,
  file: string,
  open: OpenMachine | undefined,
  suggest: (name: string) => string,
  seen: readonly string[] = [],
): FieldReader {
  const reader = createFieldReader(text, file);
  const { root, errors, complain } = reader;
  const extended = isMap(root) ? root.items.find((pair) => keyOf(pair) === "extends") : undefined;
  if (errors.length > 0 || !isMap(root) || extended === undefined) return reader;
  const node = (extended.value ?? extended.key) as Node;
  const name = reader.readScalar(node, "extends");
  if (name === null) return reader;
  // They would be those of the other machine, of which this is another one.
  for (const key of ["machine", "summary"]) if (!root.items.some((pair) => keyOf(pair) === key)) complain(root, `machine: "${key}" is missing`);
  const other = open?.(name, file) ?? null;
  if (other === null) complain(node, `extends: there is no machine "${name}"${suggest(name)}`);
  else if ([...seen, file].includes(other.file)) complain(node, `extends: "${name}" extends this file`);
  if (other === null || errors.length > 0) return reader;
  const base = openMachine(other.text, other.file, open, suggest, [...seen, file]);
  reader.inherit(base);
  if (isMap(base.root)) mergeEntries(root, base.root);
  return reader;
}

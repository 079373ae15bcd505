// Typed reading of YAML mappings with every mistake placed: unknown, missing and misspelt keys, values of the wrong form. The layer
// between the `yaml` package and `parse-machine.ts`, which says what the fields mean. Scalars are read as source text
// (the failsafe schema), so that numbers of 64 bits stay exact.

import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Node, type Scalar } from "yaml";
import { nearestName } from "../grammar/nearest-name.ts";

/** A mistake in a machine file; line and column from 1. */
export interface MachineFileError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function formatMachineError(error: MachineFileError): string {
  return `${error.file}:${error.line}:${error.column}: ${error.message}`;
}

const INTEGER = /^(?:0x[0-9a-f]+(?:_[0-9a-f]+)*|[0-9]+(?:_[0-9]+)*)(KiB|MiB|GiB)?$/i;
const UNITS: Readonly<Record<string, bigint>> = { kib: 1n << 10n, mib: 1n << 20n, gib: 1n << 30n };

/** An integer literal of a machine file, or null: decimal or 0x, `_` between digits, KiB, MiB or GiB after it. */
export function parseInteger(text: string): bigint | null {
  const match = INTEGER.exec(text);
  if (match === null) return null;
  const unit = match[1];
  const digits = (unit === undefined ? text : text.slice(0, -unit.length)).replaceAll("_", "");
  return BigInt(digits) * (unit === undefined ? 1n : (UNITS[unit.toLowerCase()] ?? 1n));
}

/** `; did you mean "x"?` or nothing. */
export function suggest(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

export type Field = { readonly key: Scalar; readonly value: Node | null };
export type Fields = ReadonlyMap<string, Field>;

/** Reads fail by complaining and giving null (or nothing); a field that is absent gives null silently, since `readFields` said so. */
export interface FieldReader {
  /** Complaints so far; after creation those of the YAML parser. */
  readonly errors: MachineFileError[];
  readonly root: Node | null;
  readonly complain: (node: Node | null, message: string) => void;
  /** Where a node stands. */
  readonly placeOf: (node: Node | null) => Omit<MachineFileError, "message">;
  /** What is no node of this file is one of that other file; its complaints so far are complaints here. */
  readonly inherit: (other: FieldReader) => void;
  /** The keys of a mapping; unknown and missing ones are complained of. Null if it is no mapping. */
  readonly readFields: (node: Node | null, what: string, required: readonly string[], optional: readonly string[]) => Fields | null;
  readonly readText: (field: Field | undefined, what: string) => string | null;
  readonly readScalar: (node: Node | null, what: string) => string | null;
  /** `expected` completes "is not ..". */
  readonly readMatching: (field: Field | undefined, what: string, pattern: RegExp, expected: string) => string | null;
  readonly readBig: (field: Field | undefined, what: string, min: bigint, max: bigint) => bigint | null;
  readonly readNumber: (field: Field | undefined, what: string, min: number, max: number) => number | null;
  /** The items of a list; none if the field is absent. */
  readonly readItems: (field: Field | undefined, what: string) => readonly Node[];
  /** The items of a list, or the one value that stands alone. */
  readonly readOneOrMore: (field: Field | undefined) => readonly Node[];
}

export function createFieldReader(text: string, file: string): FieldReader {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, keepSourceTokens: false });
  const errors: MachineFileError[] = [];

  let inherited: { readonly other: FieldReader; readonly own: WeakSet<object> } | null = null;

  function placeAt(offset: number): Omit<MachineFileError, "message"> {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
  function complainAt(offset: number, message: string): void {
    errors.push({ ...placeAt(offset), message });
  }
  function placeOf(node: Node | null): Omit<MachineFileError, "message"> {
    if (inherited !== null && node !== null && !inherited.own.has(node)) return inherited.other.placeOf(node);
    return placeAt(node?.range?.[0] ?? 0);
  }
  function complain(node: Node | null, message: string): void {
    errors.push({ ...placeOf(node), message });
  }
  function inherit(other: FieldReader): void {
    const own = new WeakSet<object>();
    visit(document, (_key, node) => {
      if (typeof node === "object" && node !== null) own.add(node);
    });
    inherited = { other, own };
    errors.push(...other.errors);
  }

  for (const error of document.errors) complainAt(error.pos[0], error.message.split(" at line ")[0]?.split("\n")[0] ?? error.message);
  function readFields(node: Node | null, what: string, required: readonly string[], optional: readonly string[]): Fields | null {
    if (!isMap(node)) {
      complain(node, `${what}: expected a mapping`);
      return null;
    }
    const known = [...required, ...optional];
    const fields = new Map<string, Field>();
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== "string") {
        complain(node, `${what}: keys must be plain names`);
        continue;
      }
      if (!known.includes(key.value)) complain(key, `${what}: unknown key "${key.value}"${suggest(key.value, known)}`);
      fields.set(key.value, { key, value: value as Node | null });
    }
    for (const name of required) if (!fields.has(name)) complain(node, `${what}: "${name}" is missing`);
    return fields;
  }

  function readText(field: Field | undefined, what: string): string | null {
    if (field === undefined) return null;
    return readScalar(field.value ?? field.key, what);
  }

  function readScalar(node: Node | null, what: string): string | null {
    if (isScalar(node) && typeof node.value === "string" && node.value !== "") return node.value;
    complain(node, `${what}: expected a value`);
    return null;
  }

  function readMatching(field: Field | undefined, what: string, pattern: RegExp, expected: string): string | null {
    const value = readText(field, what);
    if (value === null || pattern.test(value)) return value;
    complain(field?.value ?? null, `${what}: "${value}" is not ${expected}`);
    return null;
  }

  function readBig(field: Field | undefined, what: string, min: bigint, max: bigint): bigint | null {
    const value = readText(field, what);
    if (value === null) return null;
    const number = parseInteger(value);
    if (number !== null && number >= min && number <= max) return number;
    complain(field?.value ?? null, number === null ? `${what}: "${value}" is not a number` : `${what}: ${value} is out of range, expected ${min}..${max}`);
    return null;
  }

  function readNumber(field: Field | undefined, what: string, min: number, max: number): number | null {
    const value = readBig(field, what, BigInt(min), BigInt(max));
    return value === null ? null : Number(value);
  }

  function readItems(field: Field | undefined, what: string): readonly Node[] {
    if (field === undefined) return [];
    if (isSeq(field.value)) return field.value.items as Node[];
    complain(field.value ?? field.key, `${what}: expected a list`);
    return [];
  }

  function readOneOrMore(field: Field | undefined): readonly Node[] {
    if (field === undefined) return [];
    return isSeq(field.value) ? (field.value.items as Node[]) : [field.value ?? field.key];
  }

  return {
    errors,
    root: document.contents as Node | null,
    complain,
    placeOf,
    inherit,
    readFields,
    readText,
    readScalar,
    readMatching,
    readBig,
    readNumber,
    readItems,
    readOneOrMore,
  };
}

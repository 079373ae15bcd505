// `engines:` of guestspec.yaml: VMMs that the `command` engine starts, read with every mistake at its line and column. What the keys mean
// is docs/engines.md; what becomes of an entry is runtime/engines/command. Loaded when a run names such an engine, when something is
// compiled, and by those who list.

import { existsSync } from "node:fs";
import { isMap, isScalar, type Node } from "yaml";
import { NATIVE_TARGET_NAMES } from "../compiler/targets/names.ts";
import { ENGINES } from "../machines/description.ts";
import { listMachines } from "../machines/load-machine.ts";
import { createFieldReader, formatMachineError, suggest, type Field, type FieldReader } from "../machines/yaml-fields.ts";
import { COMMAND_IMAGES, PLACEHOLDERS, placeholdersIn, type CommandConfig } from "../runtime/engines/command/command-config.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { machinePath } from "./load-specs.ts";
import { PROJECT_FILE } from "./places.ts";
import { readText } from "./read-text.ts";
import { parseDuration } from "./options.ts";

const REQUIRED = ["target", "machine", "image", "command"] as const;
const OPTIONAL = ["cpus", "without", "environment", "files", "console", "exit", "timeout", "packages"] as const;

/** Names that mean something else already. */
const TAKEN: readonly string[] = [...ENGINES, "auto", "all"];
const NAME = /^[a-z][a-z0-9_-]*$/;
const WORD = /^[a-z][a-z0-9_]*$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MOST_CPUS = 8;
const DEFAULT_TIMEOUT = "60s";
const HIGHEST_STATUS = 255;

interface Entry {
  readonly key: Node & { readonly value: unknown };
  readonly name: string;
  readonly value: Node | null;
}

function readEntries(reader: FieldReader, node: Node | null, what: string): readonly Entry[] {
  if (!isMap(node)) {
    reader.complain(node, `${what}: expected a mapping`);
    return [];
  }
  return node.items.flatMap(({ key, value }): Entry[] => {
    if (isScalar(key) && typeof key.value === "string") return [{ key, name: key.value, value: value as Node | null }];
    reader.complain(node, `${what}: keys must be plain names`);
    return [];
  });
}

/** A mapping of names to texts. */
function readTexts(reader: FieldReader, field: Field | undefined, what: string, pattern: RegExp, form: string): Readonly<Record<string, string>> {
  if (field === undefined) return {};
  const texts: [string, string][] = [];
  for (const { key, name, value } of readEntries(reader, field.value, what)) {
    if (!pattern.test(name)) reader.complain(key, `${what}: "${name}" is not ${form}`);
    const text = reader.readScalar(value ?? key, `${what}.${name}`);
    if (text !== null) texts.push([name, text]);
  }
  return Object.fromEntries(texts);
}

function readList(reader: FieldReader, field: Field | undefined, what: string): readonly string[] {
  return reader.readItems(field, what).flatMap((node) => reader.readScalar(node, what) ?? []);
}

function readOneOf<Word extends string>(reader: FieldReader, field: Field | undefined, what: string, words: readonly Word[]): Word | null {
  const text = reader.readText(field, what);
  const found = words.find((word) => word === text) ?? null;
  if (text !== null && found === null) reader.complain(field?.value ?? null, `${what}: "${text}" is not ${words.join(", ")}${suggest(text, words)}`);
  return found;
}

function checkPlaceholders(reader: FieldReader, node: Node | null, what: string, known: readonly string[]): void {
  if (isScalar(node) && typeof node.value === "string") {
    for (const { word } of placeholdersIn(node.value)) {
      if (!known.includes(word)) reader.complain(node, `${what}: there is nothing to put for {${word}}${suggest(word, known)}`);
    }
  } else if (isMap(node)) for (const { value } of node.items) checkPlaceholders(reader, value as Node | null, what, known);
  else if (node !== null && "items" in node) for (const item of node.items as Node[]) checkPlaceholders(reader, item, what, known);
}

/** `stdout`, or a mapping with `file`. Undefined: neither. */
function readConsole(reader: FieldReader, field: Field | undefined, what: string): string | null | undefined {
  if (field === undefined || (isScalar(field.value) && field.value.value === "stdout")) return null;
  if (isMap(field.value)) return reader.readText(reader.readFields(field.value, what, ["file"], [])?.get("file"), `${what}.file`) ?? undefined;
  reader.complain(field.value ?? field.key, `${what}: expected stdout, or a mapping like { file: "{dir}/com1.txt" }`);
  return undefined;
}

function readExit(reader: FieldReader, field: Field | undefined, what: string): CommandConfig["exit"] | undefined {
  if (field === undefined) return null;
  const fields = reader.readFields(field.value, what, ["from"], ["good", "failed"]);
  const from = reader.readMatching(fields?.get("from"), `${what}.from`, /^(?:console|status)$/, "console or status");
  if (from === "console") return null;
  if (from === null) return undefined;
  for (const name of ["good", "failed"])
    if (fields?.has(name) === false) reader.complain(field.value, `${what}: "${name}" is missing, the status that the process ends with then`);
  const good = reader.readNumber(fields?.get("good"), `${what}.good`, 0, HIGHEST_STATUS);
  const failed = reader.readNumber(fields?.get("failed"), `${what}.failed`, 0, HIGHEST_STATUS);
  return good === null || failed === null ? undefined : { good, failed };
}

function readTimeout(reader: FieldReader, field: Field | undefined, what: string): number | null {
  const text = field === undefined ? DEFAULT_TIMEOUT : reader.readText(field, what);
  const ns = text === null ? null : parseDuration(text);
  if (text !== null && ns === null) reader.complain(field?.value ?? null, `${what}: "${text}" is not a duration like 60s`);
  return ns === null ? null : ns / 1e6;
}

function readEngine(reader: FieldReader, { key, name, value }: Entry): CommandConfig | null {
  const what = `engines.${name}`;
  const before = reader.errors.length;
  if (!NAME.test(name)) reader.complain(key, `engines: "${name}" is not a name like bochs or cloud-hypervisor`);
  if (TAKEN.includes(name)) reader.complain(key, `engines: "${name}" is an engine of guestspec's own`);
  const fields = reader.readFields(value ?? key, what, REQUIRED, OPTIONAL);
  if (fields === null) return null;
  const target = readOneOf(reader, fields.get("target"), `${what}.target`, NATIVE_TARGET_NAMES);
  const machine = reader.readText(fields.get("machine"), `${what}.machine`);
  if (machine !== null && !existsSync(machinePath(machine)))
    reader.complain(fields.get("machine")?.value ?? null, `${what}.machine: there is no machine "${machine}"${suggest(machine, listMachines())}`);
  const image = readOneOf(reader, fields.get("image"), `${what}.image`, COMMAND_IMAGES);
  const files = readTexts(reader, fields.get("files"), `${what}.files`, WORD, "a word like config");
  const known = [...PLACEHOLDERS, ...Object.keys(files)];
  for (const word of Object.keys(files))
    if ((PLACEHOLDERS as readonly string[]).includes(word))
      reader.complain(fields.get("files")?.value ?? null, `${what}.files: {${word}} means something already`);
  for (const place of ["command", "environment", "files", "console"]) checkPlaceholders(reader, fields.get(place)?.value ?? null, `${what}.${place}`, known);
  const [binary, ...args] = readList(reader, fields.get("command"), `${what}.command`);
  if (binary === undefined && fields.has("command"))
    reader.complain(fields.get("command")?.value ?? null, `${what}.command: expected a program and its arguments`);
  const consoleFile = readConsole(reader, fields.get("console"), `${what}.console`);
  const exit = readExit(reader, fields.get("exit"), `${what}.exit`);
  const timeoutMs = readTimeout(reader, fields.get("timeout"), `${what}.timeout`);
  const cpus = fields.has("cpus") ? reader.readNumber(fields.get("cpus"), `${what}.cpus`, 1, MOST_CPUS) : 1;
  const without = readList(reader, fields.get("without"), `${what}.without`);
  const environment = readTexts(reader, fields.get("environment"), `${what}.environment`, VARIABLE, "a variable's name");
  const packages = readList(reader, fields.get("packages"), `${what}.packages`);
  if (reader.errors.length > before || target === null || machine === null || image === null || binary === undefined) return null;
  if (consoleFile === undefined || exit === undefined || timeoutMs === null || cpus === null) return null;
  return { name, target, machine, image, cpus, without, command: [binary, ...args], environment, files, consoleFile, exit, timeoutMs, packages };
}

/** Throws a CommandError that tells every mistake at its place. Other keys of the file are read by project-file.ts. */
export function parseEngines(text: string): readonly CommandConfig[] {
  const reader = createFieldReader(text, PROJECT_FILE);
  const { root } = reader;
  const field = isMap(root) ? root.items.find(({ key }) => isScalar(key) && key.value === "engines") : undefined;
  const engines = field === undefined ? [] : readEntries(reader, field.value as Node | null, "engines").map((entry) => readEngine(reader, entry));
  if (reader.errors.length > 0) throw new CommandError(EXIT.compile, reader.errors.map(formatMachineError).join("\n"));
  return engines.filter((engine) => engine !== null);
}

/** Those of the project in the working directory. */
export function readEngines(): readonly CommandConfig[] {
  const text = readText(PROJECT_FILE);
  return text === null ? [] : parseEngines(text);
}

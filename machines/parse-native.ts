// The part of a machine file that says how the board exists outside of the embedded machine: QEMU's command line, how images start,
// what exit statuses mean. Same manner as `parse-machine.ts`, which calls it: every mistake at its place, null for what could not
// be read. The three sections belong together, because an image that cannot start or end is no use to an engine.

import { isMap, isScalar, type Node } from "yaml";
import {
  IMAGE_KINDS,
  PRIVILEGES,
  type BootDescription,
  type ExitDescription,
  type GuestConstant,
  type MachineDescription,
  type QemuDescription,
} from "./description.ts";
import { suggest, type Field, type FieldReader, type Fields } from "./yaml-fields.ts";

export type NativeSections = Pick<MachineDescription, "constants" | "library" | "qemu" | "boot" | "exit">;

/** Keys of the top level that are read here. */
export const NATIVE_KEYS = ["constants", "library", "qemu", "boot", "exit"] as const;

const CONSTANT = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?$/;
const FOLDER = /^[a-z][a-z0-9_-]*$/;
const BINARY = /^[a-z0-9_]+$/;
const PAGE = 4096n;
const HIGHEST_STATUS = 255;

/** The words of a command line: a list of texts. */
export function readArguments(reader: FieldReader, field: Field | undefined, what: string): readonly string[] {
  return reader
    .readItems(field, what)
    .map((node) => reader.readScalar(node, what))
    .filter((word) => word !== null);
}

function readEntries(
  reader: FieldReader,
  field: Field | undefined,
  what: string,
): readonly { readonly key: string; readonly node: Node; readonly value: Node }[] {
  if (field === undefined) return [];
  if (!isMap(field.value)) {
    reader.complain(field.value ?? field.key, `${what}: expected a mapping`);
    return [];
  }
  const entries = [];
  for (const { key, value } of field.value.items) {
    if (isScalar(key) && typeof key.value === "string") entries.push({ key: key.value, node: key, value: (value ?? key) as Node });
    else reader.complain(field.value, `${what}: keys must be plain names`);
  }
  return entries;
}

function readConstants(reader: FieldReader, field: Field | undefined): readonly GuestConstant[] {
  const constants: GuestConstant[] = [];
  for (const { key, node, value } of readEntries(reader, field, "constants")) {
    if (!CONSTANT.test(key)) reader.complain(node, `constants: "${key}" is not a constant's name like supervisor or timer.irq`);
    const number = reader.readBig({ key: node as Field["key"], value }, `constants.${key}`, 0n, (1n << 64n) - 1n);
    if (number !== null) constants.push({ name: key, value: number });
  }
  return constants;
}

function readQemu(reader: FieldReader, field: Field): QemuDescription | null {
  const fields = reader.readFields(field.value, "qemu", ["binary", "machine", "cpu"], ["properties", "firmware", "arguments"]);
  if (fields === null) return null;
  const binary = reader.readMatching(fields.get("binary"), "qemu.binary", BINARY, "the end of a program's name qemu-system-..");
  const machine = reader.readText(fields.get("machine"), "qemu.machine");
  const cpu = reader.readText(fields.get("cpu"), "qemu.cpu");
  const firmware = reader.readText(fields.get("firmware"), "qemu.firmware");
  const properties: Record<string, string> = {};
  for (const { key, value } of readEntries(reader, fields.get("properties"), "qemu.properties")) {
    const text = reader.readScalar(value, `qemu.properties.${key}`);
    if (text !== null) properties[key] = text;
  }
  const words = readArguments(reader, fields.get("arguments"), "qemu.arguments");
  return binary === null || machine === null || cpu === null ? null : { binary, machine, properties, cpu, firmware, arguments: words };
}

function readChoice<T extends string>(reader: FieldReader, field: Field | undefined, what: string, choices: readonly T[]): T | null {
  const value = reader.readText(field, what);
  if (value === null) return null;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) reader.complain(field?.value ?? null, `${what}: "${value}" is not one of ${choices.join(", ")}${suggest(value, choices)}`);
  return choice ?? null;
}

function readBoot(reader: FieldReader, field: Field): BootDescription | null {
  const fields = reader.readFields(field.value, "boot", ["base", "image", "privilege"], []);
  if (fields === null) return null;
  const base = reader.readBig(fields.get("base"), "boot.base", 0n, (1n << 64n) - 1n);
  if (base !== null && base % PAGE !== 0n) reader.complain(fields.get("base")?.value ?? null, "boot.base: not a multiple of 4 KiB");
  const image = readChoice(reader, fields.get("image"), "boot.image", IMAGE_KINDS);
  const privilege = readChoice(reader, fields.get("privilege"), "boot.privilege", PRIVILEGES);
  return base === null || image === null || privilege === null ? null : { base, image, privilege };
}

function readExit(reader: FieldReader, field: Field): ExitDescription | null {
  const fields = reader.readFields(field.value, "exit", ["good", "failed", "crashed"], []);
  if (fields === null) return null;
  const status = (name: string): number | null => reader.readNumber(fields.get(name), `exit.${name}`, 0, HIGHEST_STATUS);
  const good = status("good");
  const failed = status("failed");
  const crashed = status("crashed");
  if (good === null || failed === null || crashed === null) return null;
  if (new Set([good, failed, crashed]).size < 3) reader.complain(field.value, "exit: the three statuses must differ");
  return { good, failed, crashed };
}

export function readNative(reader: FieldReader, top: Fields): NativeSections {
  const sections = { qemu: top.get("qemu"), boot: top.get("boot"), exit: top.get("exit") };
  const given = Object.entries(sections).filter(([, field]) => field !== undefined);
  const missing = Object.keys(sections).filter((key) => !top.has(key));
  const first = given[0]?.[1];
  if (first !== undefined && missing.length > 0) {
    reader.complain(first.key, `${given.map(([key]) => key).join(" and ")} without ${missing.join(" and ")}: a board for native images has all three`);
  }
  const library = reader
    .readItems(top.get("library"), "library")
    .map((node) => reader.readMatching({ key: node as Field["key"], value: node }, "library", FOLDER, "a folder of lib/"))
    .filter((folder) => folder !== null);
  return {
    constants: readConstants(reader, top.get("constants")),
    library,
    qemu: sections.qemu === undefined ? null : readQemu(reader, sections.qemu),
    boot: sections.boot === undefined ? null : readBoot(reader, sections.boot),
    exit: sections.exit === undefined ? null : readExit(reader, sections.exit),
  };
}

// Values of a guest as people read them: integers in the width of their type, members and register fields by name, memory by its
// layout. The guest sends numbers and bytes only; the manifest's `ValueType` says what they are. Used by the failure report.

import type { ValueType } from "../../compiler/images/manifest.ts";
import { errorName, MOST_ERROR } from "../../grammar/error-numbers.ts";
import { hexBytes } from "../../isa/hex.ts";

/** What a guest sent for one operand: a number, or (part of) its memory. */
export type SlotValue = { readonly kind: "number"; readonly value: bigint } | { readonly kind: "memory"; readonly length: number; readonly bytes: Uint8Array };

/** What memory contents mean beyond their type. */
export interface MemoryLayout {
  readonly addressBytes: 4 | 8;
  readonly endian: "little" | "big";
}

const SHOWN_ELEMENTS = 8;
const SHOWN_TEXT = 60;

/** `0x0000_0002`: all digits of the width, in groups of four. */
export function formatHex(value: bigint, bits: number): string {
  const digits = BigInt.asUintN(bits, value)
    .toString(16)
    .padStart(Math.ceil(bits / 4), "0");
  return `0x${groupDigits(digits)}`;
}

/** `0x10_0004`: as many digits as it takes. For addresses. */
export function formatAddress(value: bigint): string {
  return `0x${groupDigits(BigInt.asUintN(64, value).toString(16))}`;
}

function groupDigits(digits: string): string {
  return digits.length <= 4 ? digits : digits.replace(/(?<=.)(?=(?:.{4})+$)/g, "_");
}

/** `12.3 us`. Guest time is a count of nanoseconds. */
export function formatDuration(ns: number | bigint): string {
  const value = Number(ns);
  for (const [unit, size] of [
    ["s", 1e9],
    ["ms", 1e6],
    ["us", 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${Number((value / size).toFixed(3))} ${unit}`;
  }
  return `${value} ns`;
}

/** Decimal beside hexadecimal where it says more than the digits do. */
function decimalOf(value: bigint, bits: number, signed: boolean): string {
  const number = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const isTelling = signed ? bits <= 32 || (number > -1_000_000_000n && number < 1_000_000_000n) : number < 1_000_000n;
  return isTelling ? ` (${number})` : "";
}

/** `0x60 { thre, temt, dlen: 3 }`: flags that are set by name, wider fields that are not zero with their value. */
function formatRegister(value: bigint, type: ValueType & { kind: "register" }): string {
  const fields = type.fields.flatMap(({ name, high, low }) => {
    const width = high - low + 1;
    const field = BigInt.asUintN(width, BigInt.asUintN(type.bits, value) >> BigInt(low));
    if (field === 0n) return [];
    return width === 1 ? [name] : [`${name}: ${field < 10n ? field : `0x${field.toString(16)}`}`];
  });
  const hex = formatHex(value, type.bits);
  if (type.fields.length === 0) return hex;
  return fields.length === 0 ? `${hex} { }` : `${hex} { ${fields.join(", ")} }`;
}

function formatEnum(value: bigint, type: ValueType & { kind: "enum" }): string {
  const bits = BigInt.asUintN(type.bits, value);
  const member = type.members.find(([, text]) => BigInt.asUintN(type.bits, BigInt(text)) === bits);
  const hex = formatHex(value, type.bits);
  return member === undefined ? `${hex} (no member of ${type.name})` : `${member[0]} (${hex})`;
}

/** Text in quotes, control characters as the language writes them. */
export function quoteText(text: string): string {
  const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\" };
  const escaped = text.replace(/["\\\p{Cc}]/gu, (char) => named[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${escaped}"`;
}

function formatString(bytes: Uint8Array, length: number): string {
  const text = new TextDecoder().decode(bytes);
  const shown = text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}` : text;
  const left = length - new TextEncoder().encode(shown).length;
  return `${quoteText(shown)}${left > 0 ? ` .. ${left} more bytes` : ""}`;
}

function formatBytes(bytes: Uint8Array, length: number): string {
  const shown = bytes.subarray(0, 2 * SHOWN_ELEMENTS);
  const digits = hexBytes(shown).join("");
  const left = length - shown.length;
  return `hex"${digits}"${left > 0 ? ` .. ${left} more bytes` : ""}`;
}

/** Bytes that a value of the type takes in memory; null: not known without the layout's address size. */
export function sizeOf(type: ValueType, layout: MemoryLayout): number {
  switch (type.kind) {
    case "int":
    case "enum":
    case "pointer":
    case "register":
      return type.bits / 8;
    case "bool":
      return 1;
    case "duration":
      return 8;
    case "str":
    case "bytes":
      return 2 * layout.addressBytes;
    case "array":
      return type.length === null ? 2 * layout.addressBytes : type.length * type.stride;
    case "struct":
      return type.size;
  }
}

export function readInteger(bytes: Uint8Array, layout: MemoryLayout): bigint {
  let value = 0n;
  for (let index = 0; index < bytes.length; index++) {
    const at = layout.endian === "little" ? bytes.length - 1 - index : index;
    value = (value << 8n) | BigInt(bytes[at] ?? 0);
  }
  return value;
}

type ScalarValueType = Exclude<ValueType, { readonly kind: "str" | "bytes" | "array" | "struct" }>;

/** True for types whose value is one number. */
export function isScalar(type: ValueType): type is ScalarValueType {
  return type.kind !== "str" && type.kind !== "bytes" && type.kind !== "array" && type.kind !== "struct";
}

/** `-ENOENT (0xffff_fffe)`. */
function formatError(value: bigint, bits: number): string {
  const number = Number(BigInt.asIntN(bits, -value));
  const name = number > 0 && number <= MOST_ERROR ? (errorName(number) ?? "no error of Linux") : null;
  return name === null ? `${formatHex(value, bits)} (no error)` : `-${name} (${formatHex(value, bits)})`;
}

function formatNumber(value: bigint, type: ValueType): string {
  switch (type.kind) {
    case "int":
      if (type.errors === true) return formatError(value, type.bits);
      return `${formatHex(value, type.bits)}${decimalOf(value, type.bits, type.signed)}`;
    case "bool":
      return value === 0n ? "false" : value === 1n ? "true" : `${formatHex(value, 8)} (neither true nor false)`;
    case "enum":
      return formatEnum(value, type);
    case "pointer":
      return value === 0n ? "null" : formatHex(value, type.bits);
    case "duration":
      return formatDuration(BigInt.asIntN(64, value));
    case "register":
      return formatRegister(value, type);
    case "str":
    case "bytes":
    case "array":
    case "struct":
      return formatHex(value, 64);
  }
}

/** What a text or list inside a value holds, by its path; null where it was not sent. */
export type ContentsAt = (path: string) => SlotValue | null;

const NO_CONTENTS: ContentsAt = () => null;

/** A value inside a struct or array. Slices there are an address and a length: what they point to was not sent. */
function formatInMemory(bytes: Uint8Array, type: ValueType, layout: MemoryLayout, contentsAt = NO_CONTENTS, path = ""): string {
  const size = sizeOf(type, layout);
  if (bytes.length < size) return "..";
  const own = bytes.subarray(0, size);
  if (isScalar(type)) return formatNumber(readInteger(own, layout), type);
  if (type.kind === "struct" || (type.kind === "array" && type.length !== null)) return formatMemory(own, size, type, layout, contentsAt, path);
  const contents = contentsAt(path);
  if (contents !== null) return formatValue(contents, type, layout);
  const address = readInteger(own.subarray(0, layout.addressBytes), layout);
  const length = readInteger(own.subarray(layout.addressBytes), layout);
  return `${length} ${type.kind === "array" ? "elements" : "bytes"} at ${formatHex(address, layout.addressBytes * 8)}`;
}

/** The elements of an array of which `length` bytes exist and `bytes` were sent. */
function formatElements(bytes: Uint8Array, length: number, type: ValueType & { kind: "array" }, layout: MemoryLayout): string {
  const count = type.stride === 0 ? 0 : Math.floor(length / type.stride);
  const shown = Math.min(count, SHOWN_ELEMENTS, Math.floor(bytes.length / Math.max(1, type.stride)));
  const parts = Array.from({ length: shown }, (_, index) => formatInMemory(bytes.subarray(index * type.stride), type.element, layout));
  if (count > shown) parts.push(`.. ${count - shown} more`);
  return `[${parts.join(", ")}]`;
}

export function formatMemory(bytes: Uint8Array, length: number, type: ValueType, layout: MemoryLayout, contentsAt = NO_CONTENTS, path = ""): string {
  if (isScalar(type)) return formatInMemory(bytes, type, layout);
  switch (type.kind) {
    case "str":
      return formatString(bytes, length);
    case "bytes":
      return formatBytes(bytes, length);
    case "array":
      return isByte(type.element) && type.stride === 1 ? formatBytes(bytes, length) : formatElements(bytes, length, type, layout);
    case "struct": {
      const fields = type.fields.map(
        ({ name, offset, type: field }) => `${name}: ${formatInMemory(bytes.subarray(offset), field, layout, contentsAt, `${path}.${name}`)}`,
      );
      return fields.length === 0 ? `${type.name} { }` : `${type.name} { ${fields.join(", ")} }`;
    }
  }
}

export function isByte(type: ValueType): boolean {
  return type.kind === "int" && type.bits === 8 && !type.signed;
}

export function formatValue(value: SlotValue, type: ValueType, layout: MemoryLayout, contentsAt = NO_CONTENTS): string {
  return value.kind === "number" ? formatNumber(value.value, type) : formatMemory(value.bytes, value.length, type, layout, contentsAt);
}

/** The value in a message: without a decimal that repeats the digits. */
export function formatBrief(value: SlotValue, type: ValueType, layout: MemoryLayout, contentsAt = NO_CONTENTS): string {
  if (value.kind === "number" && type.kind === "int" && type.errors === undefined && !(type.signed && BigInt.asIntN(type.bits, value.value) < 0n)) {
    return formatHex(value.value, type.bits);
  }
  return formatValue(value, type, layout, contentsAt);
}

/** The type as the language writes it. */
export function formatType(type: ValueType): string {
  switch (type.kind) {
    case "int":
      return `${type.signed ? "i" : "u"}${type.bits}`;
    case "bool":
    case "str":
    case "duration":
      return type.kind;
    case "pointer":
      return "pointer";
    case "bytes":
      return "[]u8";
    case "array":
      return `[${type.length ?? ""}]${formatType(type.element)}`;
    case "enum":
    case "struct":
    case "register":
      return type.name;
  }
}

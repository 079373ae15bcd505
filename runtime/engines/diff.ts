// What is different between two values that should be equal, by their type: an xor line for wide integers, marked hexdumps for bytes,
// the first differing character for text, only the differing fields and elements of structs and arrays. Lines for the failure report.

import type { ValueType } from "../../compiler/images/manifest.ts";
import { hexBytes } from "../../isa/hex.ts";
import { diffBytes } from "./hexdump.ts";
import { hintForBytes, hintForNumbers } from "./hints.ts";
import { formatHex, formatMemory, isByte, isScalar, quoteText, readInteger, sizeOf, type ContentsAt, type MemoryLayout, type SlotValue } from "./values.ts";

export interface Difference {
  readonly details: readonly string[];
  readonly hints: readonly string[];
}

const NOTHING: Difference = { details: [], hints: [] };
const SHOWN_PARTS = 6;
const SHOWN_BYTES = 16;

function diffNumbers(expected: bigint, got: bigint, type: ValueType): Difference {
  if (type.kind !== "int" && type.kind !== "register" && type.kind !== "pointer") return NOTHING;
  const { bits } = type;
  const hint = hintForNumbers(expected, got, bits);
  const xor = BigInt.asUintN(bits, expected ^ got);
  // Of small numbers one sees the difference.
  const isWide = bits >= 32 && (BigInt.asUintN(bits, expected) | BigInt.asUintN(bits, got)) > 0xffffn;
  return { details: isWide ? [`xor = ${formatHex(xor, bits)}`] : [], hints: hint === null ? [] : [hint] };
}

/** Both texts with a caret below the first difference; long ones from shortly before it. */
function diffText(expected: string, got: string): string[] {
  let at = 0;
  while (at < expected.length && at < got.length && expected[at] === got[at]) at++;
  const start = at > 50 ? at - 30 : 0;
  const show = (text: string): string => `${start > 0 ? ".." : ""}${quoteText(text.slice(start, start + 60))}${text.length > start + 60 ? ".." : ""}`;
  const before = (start > 0 ? 2 : 0) + quoteText(expected.slice(start, at)).length - 1;
  return [`expected ${show(expected)}`, `     got ${show(got)}`, `${" ".repeat(9 + before)}^`];
}

interface Part {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** What texts and lists inside the two values hold. */
export interface Contents {
  readonly expected: ContentsAt;
  readonly got: ContentsAt;
}

const NO_CONTENTS: Contents = { expected: () => null, got: () => null };

/** Of a long list of bytes what is around the first that differs. */
function differingBytes(expected: Uint8Array, got: Uint8Array, path: string): Part {
  const from = expected.findIndex((byte, at) => byte !== got[at]) & ~(SHOWN_BYTES - 1);
  const to = Math.min(from + SHOWN_BYTES, expected.length);
  const show = (bytes: Uint8Array): string => `hex"${hexBytes(bytes.subarray(from, to)).join("")}"`;
  return { path: `${path}[${from}..${to}]`, expected: show(expected), got: show(got) };
}

/** Leaves of a struct or array that differ, with their path. */
function differingParts(expected: Uint8Array, got: Uint8Array, type: ValueType, layout: MemoryLayout, path: string, contents = NO_CONTENTS): Part[] {
  const size = sizeOf(type, layout);
  const a = expected.subarray(0, size);
  const b = got.subarray(0, size);
  if (a.length === b.length && a.every((byte, at) => byte === b[at])) return [];
  if (type.kind === "struct") {
    return type.fields.flatMap(({ name, offset, type: field }) =>
      differingParts(expected.subarray(offset), got.subarray(offset), field, layout, `${path}.${name}`, contents),
    );
  }
  if (type.kind === "array" && type.length !== null && !(isByte(type.element) && type.length > SHOWN_BYTES)) {
    return Array.from({ length: type.length }, (_, index) => index).flatMap((index) =>
      differingParts(expected.subarray(index * type.stride), got.subarray(index * type.stride), type.element, layout, `${path}[${index}]`),
    );
  }
  if (a.length < size || b.length < size) return [];
  if (type.kind === "array" && isByte(type.element)) return [differingBytes(a, b, path)];
  if (!isScalar(type) && !(type.kind === "array" && type.length !== null)) {
    const [x, y] = [contents.expected(path), contents.got(path)];
    // Two addresses say nothing about what is there.
    if (x?.kind !== "memory" || y?.kind !== "memory") return [];
    if (x.length === y.length && x.bytes.every((byte, at) => byte === y.bytes[at])) return [];
    return [{ path, expected: formatMemory(x.bytes, x.length, type, layout), got: formatMemory(y.bytes, y.length, type, layout) }];
  }
  return [{ path, expected: formatMemory(a, size, type, layout), got: formatMemory(b, size, type, layout) }];
}

function showParts(parts: readonly Part[]): string[] {
  const width = Math.min(24, Math.max(0, ...parts.map(({ path }) => path.length)));
  const lines = parts.slice(0, SHOWN_PARTS).map(({ path, expected, got }) => `${path.padEnd(width)}  expected ${expected}, got ${got}`);
  if (parts.length > SHOWN_PARTS) lines.push(`.. ${parts.length - SHOWN_PARTS} more differ`);
  return lines;
}

type Memory = SlotValue & { readonly kind: "memory" };

function diffElements(expected: Memory, got: Memory, type: ValueType & { kind: "array" }, layout: MemoryLayout): Difference {
  const stride = Math.max(1, type.stride);
  const lines: string[] = [];
  if (expected.length !== got.length) lines.push(`length: expected ${expected.length / stride} elements, got ${got.length / stride}`);
  const count = Math.floor(Math.min(expected.bytes.length, got.bytes.length) / stride);
  const whole: ValueType = { ...type, length: count };
  lines.push(...showParts(differingParts(expected.bytes, got.bytes, whole, layout, "")));
  if (count * stride < Math.min(expected.length, got.length)) lines.push(`only the first ${count} elements were compared here`);
  return { details: lines, hints: [] };
}

export function diffValues(expected: SlotValue, got: SlotValue, type: ValueType, layout: MemoryLayout, contents = NO_CONTENTS): Difference {
  if (expected.kind === "number" && got.kind === "number") return diffNumbers(expected.value, got.value, type);
  if (expected.kind !== "memory" || got.kind !== "memory") return NOTHING;
  if (isScalar(type)) {
    return diffNumbers(readInteger(expected.bytes, layout), readInteger(got.bytes, layout), type);
  }
  const isWhole = expected.bytes.length === expected.length && got.bytes.length === got.length;
  const hint = isWhole ? hintForBytes(expected.bytes, got.bytes) : null;
  const hints = hint === null ? [] : [hint];
  switch (type.kind) {
    case "str":
      return { details: diffText(new TextDecoder().decode(expected.bytes), new TextDecoder().decode(got.bytes)), hints };
    case "bytes":
      return { details: diffBytes(expected, got), hints };
    case "array":
      if (isByte(type.element)) return { details: diffBytes(expected, got), hints };
      return diffElements(expected, got, type, layout);
    case "struct":
      return { details: showParts(differingParts(expected.bytes, got.bytes, type, layout, "", contents)), hints: [] };
  }
}

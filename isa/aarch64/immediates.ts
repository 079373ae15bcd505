// Immediates whose text is another number than their field: the constants of MOV, and the eight bits of FMOV. Logical immediates
// have a file of their own. The assembler reads with these, the disassembler writes.
// Source: DDI 0487 (I.a), C6.2, MOV (wide immediate) and MOV (inverted wide immediate); C2.2.3 (floating-point immediates).

import type { OperandKind } from "./formats.ts";
import { movedByOne } from "./move-constant.ts";

export type WideKind = Extract<OperandKind, "movz32" | "movz64" | "movn32" | "movn64">;

export const isWideKind = (kind: OperandKind): kind is WideKind => /^mov[zn]\d\d$/.test(kind);

const widthOf = (kind: WideKind): 32 | 64 => (kind.endsWith("32") ? 32 : 64);

/** Of a field as the kinds of formats.ts have it: the halfword, and which one it is. */
export function wideConstant(kind: WideKind, field: number): bigint {
  const value = BigInt(field & 0xffff) << BigInt(16 * (field >> 16));
  return kind.startsWith("movz") ? value : BigInt.asUintN(widthOf(kind), ~value);
}

/** Undefined: not with a single instruction of this kind. */
export function findWideField(kind: WideKind, value: bigint): number | undefined {
  const width = widthOf(kind);
  if (value >= 1n << BigInt(width) || value < -(1n << BigInt(width - 1))) return undefined;
  const move = movedByOne(BigInt.asUintN(width, value), width);
  return move === undefined || !kind.startsWith(move.by) ? undefined : move.imm | ((move.shift / 16) << 16);
}

/** Sign, three bits of exponent of which the first is inverted, four of fraction. */
function float8Value(field: number): number {
  const exponent = ((((field >> 6) & 1) ^ 1) << 2) + ((field >> 4) & 3) - 3;
  const size = (1 + (field & 15) / 16) * 2 ** exponent;
  return (field & 0x80) === 0 ? size : -size;
}

const float8Fields = new Map(Array.from({ length: 256 }, (_, field) => [float8Value(field), field]));

export function findFloat8(value: number): number | undefined {
  return float8Fields.get(value);
}

/** All of them have few decimal digits, so this is exact. */
export function writeFloat8(field: number): string {
  const value = float8Value(field);
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

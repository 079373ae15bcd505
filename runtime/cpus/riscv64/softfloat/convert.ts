// Conversions: between the two formats, and between numbers and integers of 32 and 64 bits. Integers too large are the nearest one that
// there is, with the invalid flag alone (Volume I, table 11.4); NaN counts as the largest.

import { exactly, INEXACT, infinity, INVALID, invalid, unpack, zero, type FloatFormat, type FloatResult, type RoundingMode } from "./format.ts";
import { round, roundToUnit } from "./round.ts";

export interface IntegerFormat {
  readonly width: 32 | 64;
  readonly isSigned: boolean;
}

export const INT32: IntegerFormat = { width: 32, isSigned: true };
export const UINT32: IntegerFormat = { width: 32, isSigned: false };
export const INT64: IntegerFormat = { width: 64, isSigned: true };
export const UINT64: IntegerFormat = { width: 64, isSigned: false };

export function convertFormat(from: FloatFormat, to: FloatFormat, mode: RoundingMode, bits: bigint): FloatResult {
  const value = unpack(from, bits);
  switch (value.kind) {
    case "nan":
      return value.isSignaling ? invalid(to) : exactly(to.canonicalNan);
    case "infinity":
      return exactly(infinity(to, value.isNegative));
    case "finite":
      return value.significand === 0n ? exactly(zero(to, value.isNegative)) : round(to, mode, value);
  }
}

/** The low bits of a register as an integer of the format; zero is +0. */
export function fromInteger(format: FloatFormat, integer: IntegerFormat, mode: RoundingMode, register: bigint): FloatResult {
  const value = integer.isSigned ? BigInt.asIntN(integer.width, register) : BigInt.asUintN(integer.width, register);
  return round(format, mode, { isNegative: value < 0n, significand: value < 0n ? -value : value, exponent: 0 });
}

/** The contents of a 64-bit register: results of 32 bits are sign-extended, unsigned ones too. */
function toRegister(integer: IntegerFormat, value: bigint): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(integer.width, value));
}

export function toInteger(format: FloatFormat, integer: IntegerFormat, mode: RoundingMode, bits: bigint): FloatResult {
  const most = (1n << BigInt(integer.width - (integer.isSigned ? 1 : 0))) - 1n;
  const least = integer.isSigned ? -most - 1n : 0n;
  const value = unpack(format, bits);
  if (value.kind === "nan") return { bits: toRegister(integer, most), flags: INVALID };
  if (value.kind === "infinity") return { bits: toRegister(integer, value.isNegative ? least : most), flags: INVALID };
  const { units, isExact } = roundToUnit(value, 0, mode);
  const whole = value.isNegative ? -units : units;
  if (whole < least || whole > most) return { bits: toRegister(integer, whole < least ? least : most), flags: INVALID };
  return { bits: toRegister(integer, whole), flags: isExact ? 0 : INEXACT };
}

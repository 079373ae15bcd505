// Addition, multiplication, division, square root and the fused multiply-add, exact by BigInt and then rounded once. Every case that
// IEEE 754 treats apart (NaNs, infinities, zeros) stands before the computation; results that are NaN are canonical (Volume I, 11.3).

import {
  DIVIDE_BY_ZERO,
  exactly,
  infinity,
  INVALID,
  invalid,
  RDN,
  unpack,
  zero,
  type Finite,
  type FloatFormat,
  type FloatResult,
  type RoundingMode,
  type Unpacked,
} from "./format.ts";
import { bitLength, round } from "./round.ts";

/** The NaN that an operand brings, with the flag of a signaling one; undefined if none is NaN. */
function findNan(format: FloatFormat, ...operands: readonly Unpacked[]): FloatResult | undefined {
  let found: FloatResult | undefined;
  for (const operand of operands) {
    if (operand.kind !== "nan") continue;
    if (operand.isSignaling) return invalid(format);
    found = exactly(format.canonicalNan);
  }
  return found;
}

/** Sums that cancel are +0, but -0 when rounding down; zeros of one sign keep it (IEEE 754, 6.3). */
function sum(format: FloatFormat, mode: RoundingMode, a: Finite, b: Finite): FloatResult {
  const exponent = Math.min(a.exponent, b.exponent);
  const wide = (value: Finite): bigint => {
    const magnitude = value.significand << BigInt(value.exponent - exponent);
    return value.isNegative ? -magnitude : magnitude;
  };
  const total = wide(a) + wide(b);
  if (total === 0n) {
    const areBothZero = a.significand === 0n && b.significand === 0n;
    return exactly(zero(format, areBothZero && a.isNegative === b.isNegative ? a.isNegative : mode === RDN));
  }
  return round(format, mode, { isNegative: total < 0n, significand: total < 0n ? -total : total, exponent });
}

export function add(format: FloatFormat, mode: RoundingMode, aBits: bigint, bBits: bigint): FloatResult {
  const a = unpack(format, aBits);
  const b = unpack(format, bBits);
  if (a.kind === "nan" || b.kind === "nan") return findNan(format, a, b) ?? invalid(format);
  if (a.kind === "infinity") return b.kind === "infinity" && a.isNegative !== b.isNegative ? invalid(format) : exactly(aBits);
  return b.kind === "infinity" ? exactly(bBits) : sum(format, mode, a, b);
}

/** The sign of a NaN does not matter: it comes out canonical, and signaling or not as before. */
export function subtract(format: FloatFormat, mode: RoundingMode, a: bigint, b: bigint): FloatResult {
  return add(format, mode, a, b ^ format.signBit);
}

export function multiply(format: FloatFormat, mode: RoundingMode, aBits: bigint, bBits: bigint): FloatResult {
  const a = unpack(format, aBits);
  const b = unpack(format, bBits);
  if (a.kind === "nan" || b.kind === "nan") return findNan(format, a, b) ?? invalid(format);
  const isNegative = a.isNegative !== b.isNegative;
  if (a.kind === "infinity" || b.kind === "infinity") return isZero(a) || isZero(b) ? invalid(format) : exactly(infinity(format, isNegative));
  return round(format, mode, { isNegative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent });
}

const isZero = (value: Unpacked): boolean => value.kind === "finite" && value.significand === 0n;

export function divide(format: FloatFormat, mode: RoundingMode, aBits: bigint, bBits: bigint): FloatResult {
  const a = unpack(format, aBits);
  const b = unpack(format, bBits);
  if (a.kind === "nan" || b.kind === "nan") return findNan(format, a, b) ?? invalid(format);
  const isNegative = a.isNegative !== b.isNegative;
  if (a.kind === "infinity") return b.kind === "infinity" ? invalid(format) : exactly(infinity(format, isNegative));
  if (b.kind === "infinity") return exactly(zero(format, isNegative));
  if (b.significand === 0n) {
    return a.significand === 0n ? invalid(format) : { bits: infinity(format, isNegative), flags: DIVIDE_BY_ZERO };
  }
  // Two bits more than the format holds, however short the dividend is.
  const shift = Math.max(0, format.fractionBits + 3 + bitLength(b.significand) - bitLength(a.significand));
  const dividend = a.significand << BigInt(shift);
  const significand = dividend / b.significand;
  const isSticky = significand * b.significand !== dividend;
  return round(format, mode, { isNegative, significand, exponent: a.exponent - b.exponent - shift, isSticky });
}

/** Floor of the square root, by Newton's iteration from above. */
function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function sqrt(format: FloatFormat, mode: RoundingMode, bits: bigint): FloatResult {
  const a = unpack(format, bits);
  if (a.kind === "nan") return findNan(format, a) ?? invalid(format);
  if (a.kind === "finite" && a.significand === 0n) return exactly(bits);
  if (a.isNegative) return invalid(format);
  if (a.kind === "infinity") return exactly(bits);
  // A root has half the bits of its square; the exponent must be even to be halved.
  const least = Math.max(0, 2 * (format.fractionBits + 3) - bitLength(a.significand));
  const shift = least + (Math.abs(a.exponent - least) & 1);
  const square = a.significand << BigInt(shift);
  const significand = squareRoot(square);
  return round(format, mode, { isNegative: false, significand, exponent: (a.exponent - shift) / 2, isSticky: significand * significand !== square });
}

/** `a * b + c`, rounded once. Infinity times zero is invalid also where `c` is a quiet NaN (Volume I, 11.6). */
export function multiplyAdd(format: FloatFormat, mode: RoundingMode, aBits: bigint, bBits: bigint, cBits: bigint): FloatResult {
  const a = unpack(format, aBits);
  const b = unpack(format, bBits);
  const c = unpack(format, cBits);
  const isZeroTimesInfinity = (a.kind === "infinity" && isZero(b)) || (b.kind === "infinity" && isZero(a));
  if (a.kind === "nan" || b.kind === "nan" || c.kind === "nan") {
    const { bits, flags } = findNan(format, a, b, c) ?? invalid(format);
    return { bits, flags: isZeroTimesInfinity ? flags | INVALID : flags };
  }
  if (isZeroTimesInfinity) return invalid(format);
  const isNegative = a.isNegative !== b.isNegative;
  if (a.kind === "infinity" || b.kind === "infinity") {
    return c.kind === "infinity" && c.isNegative !== isNegative ? invalid(format) : exactly(infinity(format, isNegative));
  }
  if (c.kind === "infinity") return exactly(cBits);
  return sum(format, mode, { kind: "finite", isNegative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent }, c);
}

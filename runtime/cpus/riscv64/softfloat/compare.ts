// What looks at numbers without computing: minimum, maximum, comparisons, sign injection and classification. Magnitudes are compared as
// integers, which is what the encoding of IEEE 754 is made for. Nothing here rounds, so nothing takes a rounding mode.

import { exactly, INVALID, isNan, isSignalingNan, type FloatFormat, type FloatResult } from "./format.ts";

/** Order among numbers as integers: -0 before +0. */
function orderKey(format: FloatFormat, bits: bigint): bigint {
  return (bits & format.signBit) === 0n ? bits : ~(bits ^ format.signBit);
}

/** The number of the two if one is a NaN (IEEE 754-2019 minimumNumber, Volume I, 11.6); `wantsLess` for the minimum. */
function chooseNumber(format: FloatFormat, a: bigint, b: bigint, wantsLess: boolean): FloatResult {
  const flags = isSignalingNan(format, a) || isSignalingNan(format, b) ? INVALID : 0;
  if (isNan(format, a)) return { bits: isNan(format, b) ? format.canonicalNan : b, flags };
  if (isNan(format, b)) return { bits: a, flags };
  const isLess = orderKey(format, a) < orderKey(format, b);
  return { bits: isLess === wantsLess ? a : b, flags };
}

export const minimum = (format: FloatFormat, a: bigint, b: bigint): FloatResult => chooseNumber(format, a, b, true);
export const maximum = (format: FloatFormat, a: bigint, b: bigint): FloatResult => chooseNumber(format, a, b, false);

const areBothZero = (format: FloatFormat, a: bigint, b: bigint): boolean => ((a | b) & ~format.signBit) === 0n;

const toTruth = (isTrue: boolean): FloatResult => exactly(isTrue ? 1n : 0n);

/** A quiet comparison: only signaling NaNs are invalid. */
export function isEqual(format: FloatFormat, a: bigint, b: bigint): FloatResult {
  if (isNan(format, a) || isNan(format, b)) return { bits: 0n, flags: isSignalingNan(format, a) || isSignalingNan(format, b) ? INVALID : 0 };
  return toTruth(a === b || areBothZero(format, a, b));
}

/** A signaling comparison, as `isLessOrEqual`: every NaN is invalid. */
export function isLess(format: FloatFormat, a: bigint, b: bigint): FloatResult {
  if (isNan(format, a) || isNan(format, b)) return { bits: 0n, flags: INVALID };
  return toTruth(orderKey(format, a) < orderKey(format, b) && !areBothZero(format, a, b));
}

export function isLessOrEqual(format: FloatFormat, a: bigint, b: bigint): FloatResult {
  if (isNan(format, a) || isNan(format, b)) return { bits: 0n, flags: INVALID };
  return toTruth(orderKey(format, a) <= orderKey(format, b) || areBothZero(format, a, b));
}

const withSign = (format: FloatFormat, bits: bigint, sign: bigint): FloatResult => exactly((bits & ~format.signBit) | (sign & format.signBit));

export const injectSign = (format: FloatFormat, a: bigint, b: bigint): FloatResult => withSign(format, a, b);
export const injectNegatedSign = (format: FloatFormat, a: bigint, b: bigint): FloatResult => withSign(format, a, ~b);
export const injectXoredSign = (format: FloatFormat, a: bigint, b: bigint): FloatResult => withSign(format, a, a ^ b);

/** One bit of ten, from negative infinity to quiet NaN (Volume I, table 11.5). */
export function classify(format: FloatFormat, bits: bigint): FloatResult {
  if (isNan(format, bits)) return exactly(isSignalingNan(format, bits) ? 1n << 8n : 1n << 9n);
  const magnitude = bits & ~format.signBit;
  const size = magnitude === format.infinity ? 3 : magnitude > format.fractionMask ? 2 : magnitude !== 0n ? 1 : 0;
  return exactly(1n << BigInt((bits & format.signBit) !== 0n ? 3 - size : 4 + size));
}

// The one place where the soft float loses information: an exact value becomes the nearest number of a format in one of the five
// rounding modes, and the flags of that loss are decided. Tininess is judged after rounding, as RISC-V wants it (Volume I, 11.2).

import {
  exactly,
  INEXACT,
  infinity,
  OVERFLOW,
  RDN,
  RMM,
  RNE,
  RTZ,
  RUP,
  UNDERFLOW,
  zero,
  type FloatFormat,
  type FloatResult,
  type RoundingMode,
} from "./format.ts";

/** An exact value; `isSticky` if a little more than the significand says, less than its last bit. */
export interface Exact {
  readonly isNegative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly isSticky?: boolean;
}

export function bitLength(value: bigint): number {
  let rest = value;
  let length = 0;
  while (rest > 0xffff_ffffn) {
    rest >>= 32n;
    length += 32;
  }
  return length + 32 - Math.clz32(Number(rest));
}

/** Whether to take the next larger magnitude, by what is cut off: compared with half (-1, 0, 1), and nothing of it zero. */
function roundsUp(mode: RoundingMode, isNegative: boolean, isOdd: boolean, toHalf: number): boolean {
  switch (mode) {
    case RNE:
      return toHalf > 0 || (toHalf === 0 && isOdd);
    case RTZ:
      return false;
    case RDN:
      return isNegative;
    case RUP:
      return !isNegative;
    case RMM:
      return toHalf >= 0;
  }
}

/** The value in whole units of 2^unit. */
export function roundToUnit(value: Exact, unit: number, mode: RoundingMode): { readonly units: bigint; readonly isExact: boolean } {
  const { isNegative, exponent } = value;
  const isSticky = value.isSticky === true;
  // Room for two bits below the unit, so that a sticky rest is never half of it.
  const spare = Math.max(0, 2 - (unit - exponent));
  const significand = value.significand << BigInt(spare);
  const cut = BigInt(unit - exponent + spare);
  const units = significand >> cut;
  const rest = significand - (units << cut);
  if (rest === 0n && !isSticky) return { units, isExact: true };
  const half = 1n << (cut - 1n);
  const toHalf = rest < half ? -1 : rest > half || isSticky ? 1 : 0;
  return { units: roundsUp(mode, isNegative, (units & 1n) !== 0n, toHalf) ? units + 1n : units, isExact: false };
}

/** The format's number for a value; a significand of zero gives the zero of its sign. */
export function round(format: FloatFormat, mode: RoundingMode, value: Exact): FloatResult {
  const { isNegative, significand, exponent } = value;
  if (significand === 0n) return exactly(zero(format, isNegative));
  const precision = format.fractionBits + 1;
  /** Of the last bit, were there no least exponent. */
  const unbounded = exponent + bitLength(significand) - precision;
  const unit = Math.max(unbounded, format.leastExponent);
  const { units, isExact } = roundToUnit(value, unit, mode);
  // Units that reach 2^precision carry into the exponent's field by themselves, as do those of subnormal numbers that become normal.
  const magnitude = (BigInt(unit - format.leastExponent) << BigInt(format.fractionBits)) + units;
  if (magnitude >= format.infinity) {
    const isTowardsZero = mode === RTZ || mode === (isNegative ? RUP : RDN);
    return { bits: zero(format, isNegative) | (isTowardsZero ? format.infinity - 1n : infinity(format, false)), flags: OVERFLOW | INEXACT };
  }
  const bits = zero(format, isNegative) | magnitude;
  if (isExact) return exactly(bits);
  return { bits, flags: isTiny(format, mode, value, unbounded) ? UNDERFLOW | INEXACT : INEXACT };
}

/** Below the least normal number, also after rounding as if exponents had no end. */
function isTiny(format: FloatFormat, mode: RoundingMode, value: Exact, unbounded: number): boolean {
  if (unbounded >= format.leastExponent) return false;
  if (unbounded < format.leastExponent - 1) return true;
  return roundToUnit(value, unbounded, mode).units < (format.fractionMask + 1n) << 1n;
}

// What a binary floating-point format is, and what its bits mean: the bottom of the soft float. All arithmetic is written once over
// this record; binary32 and binary64 are two values of it. Bits are unsigned bigints, and a finite number is sign, whole significand
// and power of two, so that every operation is exact until `round.ts` rounds it, once.

export interface FloatFormat {
  readonly width: number;
  readonly fractionBits: number;
  readonly bias: number;
  /** Of the fraction's last bit in the smallest numbers, which is where all subnormal ones have it. */
  readonly leastExponent: number;
  readonly signBit: bigint;
  readonly fractionMask: bigint;
  /** Positive infinity: the exponent's bits, all set. */
  readonly infinity: bigint;
  readonly canonicalNan: bigint;
}

function defineFormat(exponentBits: number, fractionBits: number): FloatFormat {
  const bias = 2 ** (exponentBits - 1) - 1;
  const infinity = ((1n << BigInt(exponentBits)) - 1n) << BigInt(fractionBits);
  return {
    width: 1 + exponentBits + fractionBits,
    fractionBits,
    bias,
    leastExponent: 1 - bias - fractionBits,
    signBit: 1n << BigInt(exponentBits + fractionBits),
    fractionMask: (1n << BigInt(fractionBits)) - 1n,
    infinity,
    // Volume I, 11.3: positive, quiet, and no other bit of the significand.
    canonicalNan: infinity | (1n << BigInt(fractionBits - 1)),
  };
}

export const BINARY32 = defineFormat(8, 23);
export const BINARY64 = defineFormat(11, 52);

/** Bits of `fflags` (Volume I, table 11.2). */
export const INEXACT = 1;
export const UNDERFLOW = 2;
export const OVERFLOW = 4;
export const DIVIDE_BY_ZERO = 8;
export const INVALID = 16;

/** As `frm` numbers them (Volume I, table 11.1). */
export const RNE = 0;
export const RTZ = 1;
export const RDN = 2;
export const RUP = 3;
export const RMM = 4;
export type RoundingMode = typeof RNE | typeof RTZ | typeof RDN | typeof RUP | typeof RMM;

export interface FloatResult {
  readonly bits: bigint;
  readonly flags: number;
}

/** `significand * 2^exponent`; the significand is zero for zeros only, and need not be normalized. */
export interface Finite {
  readonly kind: "finite";
  readonly isNegative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

export type Unpacked = Finite | { readonly kind: "infinity"; readonly isNegative: boolean } | { readonly kind: "nan"; readonly isSignaling: boolean };

export function unpack(format: FloatFormat, bits: bigint): Unpacked {
  const isNegative = (bits & format.signBit) !== 0n;
  const fraction = bits & format.fractionMask;
  const biased = Number((bits & format.infinity) >> BigInt(format.fractionBits));
  if ((bits & format.infinity) === format.infinity) {
    if (fraction === 0n) return { kind: "infinity", isNegative };
    return { kind: "nan", isSignaling: fraction >> BigInt(format.fractionBits - 1) === 0n };
  }
  if (biased === 0) return { kind: "finite", isNegative, significand: fraction, exponent: format.leastExponent };
  return { kind: "finite", isNegative, significand: fraction | (format.fractionMask + 1n), exponent: format.leastExponent + biased - 1 };
}

export function isNan(format: FloatFormat, bits: bigint): boolean {
  return (bits & ~format.signBit) > format.infinity;
}

export function isSignalingNan(format: FloatFormat, bits: bigint): boolean {
  return isNan(format, bits) && (bits & (1n << BigInt(format.fractionBits - 1))) === 0n;
}

export const zero = (format: FloatFormat, isNegative: boolean): bigint => (isNegative ? format.signBit : 0n);

export const infinity = (format: FloatFormat, isNegative: boolean): bigint => zero(format, isNegative) | format.infinity;

export const invalid = (format: FloatFormat): FloatResult => ({ bits: format.canonicalNan, flags: INVALID });

export const exactly = (bits: bigint): FloatResult => ({ bits, flags: 0 });

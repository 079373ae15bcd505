// The fast path: the host's doubles compute what BigInt would, an order of magnitude sooner, where result and flags are certain to be the
// same. The host rounds to nearest even, so other modes may use a result only if it is exact. Whether it is exact is told by the error of
// an operation, which is itself a double as long as nothing overflows or is subnormal (Dekker 1971; Knuth, TAOCP 4.2.2; Muller et al.,
// Handbook of Floating-Point Arithmetic, chapter 4): operands outside a safe range, NaNs and infinities are left to the exact path.

import { RDN, RMM, RNE, RTZ, RUP, type RoundingMode } from "./format.ts";

/** What the host can say; `undefined` where the exact path has to. */
export type HostResult = { readonly value: number; readonly isExact: boolean } | undefined;

/** Products of two, and the errors of these, are normal for magnitudes between 2^-450 and 2^450. */
const LEAST = 2 ** -450;
const MOST = 2 ** 450;

/** Also false for NaN. */
function isSafe(value: number): boolean {
  const magnitude = Math.abs(value);
  return magnitude >= LEAST && magnitude <= MOST;
}

/** `a + b - sum`, exactly (TwoSum). */
function sumError(a: number, b: number, sum: number): number {
  const seen = sum - a;
  return a - (sum - seen) + (b - seen);
}

const SPLITTER = 2 ** 27 + 1;

/** `a * b - product`, exactly (Dekker's product on Veltkamp's halves). */
function productError(a: number, b: number, product: number): number {
  const wideA = SPLITTER * a;
  const highA = wideA - (wideA - a);
  const lowA = a - highA;
  const wideB = SPLITTER * b;
  const highB = wideB - (wideB - b);
  const lowB = b - highB;
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

const cell = new Float64Array(1);
const words = new Uint32Array(cell.buffer);
/** Of the word with a double's last bit, whatever the host's byte order. */
const LOW_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;

/** The sum rounded to odd: never onto an even neighbour, so that a later rounding cannot mistake it for a tie (Boldo and Melquiond 2008). */
function addToOdd(a: number, b: number): { readonly value: number; readonly isExact: boolean } {
  const value = a + b;
  const error = sumError(a, b, value);
  if (error === 0) return { value, isExact: true };
  cell[0] = value;
  if ((words[LOW_WORD]! & 1) === 0) {
    // The neighbour on the side of the error; as integers, magnitudes grow upwards.
    const isAway = error > 0 === value > 0;
    const low = words[LOW_WORD]!;
    if (isAway) words[LOW_WORD] = low | 1;
    else {
      words[LOW_WORD] = low - 1;
      if (low === 0) words[1 - LOW_WORD] = words[1 - LOW_WORD]! - 1;
    }
  }
  return { value: cell[0], isExact: false };
}

/** Of finite numbers sums are exact where they are subnormal, so that only overflow is to be kept out. */
export function addDoubles(a: number, b: number): HostResult {
  const value = a + b;
  if (!(Math.abs(a) < 2 ** 1021 && Math.abs(b) < 2 ** 1021)) return undefined;
  return { value, isExact: sumError(a, b, value) === 0 };
}

export const subtractDoubles = (a: number, b: number): HostResult => addDoubles(a, -b);

export function multiplyDoubles(a: number, b: number): HostResult {
  if (!isSafe(a) || !isSafe(b)) return undefined;
  const value = a * b;
  return { value, isExact: productError(a, b, value) === 0 };
}

/** A quotient is exact if its product with the divisor is the dividend, without an error. */
export function divideDoubles(a: number, b: number): HostResult {
  const value = a / b;
  if (!isSafe(a) || !isSafe(b) || !isSafe(value)) return undefined;
  const product = value * b;
  return { value, isExact: product === a && productError(value, b, product) === 0 };
}

export function sqrtDouble(a: number): HostResult {
  if (!isSafe(a) || a < 0) return undefined;
  // IEEE 754's instruction on every host that V8 generates code for.
  const value = Math.sqrt(a);
  const product = value * value;
  return { value, isExact: product === a && productError(value, value, product) === 0 };
}

/** Every intermediate value is a multiple of 2^-1006 and below 2^902: nothing is subnormal, nothing overflows. */
export function multiplyAddDoubles(a: number, b: number, c: number): HostResult {
  if (!isSafe(a) || !isSafe(b) || !(c === 0 || isSafe(c))) return undefined;
  const product = a * b;
  const lowProduct = productError(a, b, product);
  const lowSum = c + lowProduct;
  const highSum = product + lowSum;
  const rest = addToOdd(sumError(c, lowProduct, lowSum), sumError(product, lowSum, highSum));
  const value = highSum + rest.value;
  return { value, isExact: rest.isExact && sumError(highSum, rest.value, value) === 0 };
}

/** The least normal binary32 twice: above it no result is tiny, whatever rounding does. */
const SAFE_SINGLE = 2 ** -125;

/** A double, which is exact or rounded so that rounding it again is harmless, as binary32. */
function toSingle(double: number, isExact: boolean): HostResult {
  const value = Math.fround(double);
  if (isExact && value === double) return Number.isFinite(value) ? { value, isExact: true } : undefined;
  return Math.abs(value) >= SAFE_SINGLE && Math.abs(value) < Infinity ? { value, isExact: false } : undefined;
}

// Doubles hold more than 2 * 24 + 1 bits, so that rounding the result of one operation on singles twice equals rounding it once
// (Figueroa 1995); products of singles are exact in them.

export function addSingles(a: number, b: number): HostResult {
  const sum = a + b;
  return toSingle(sum, sumError(a, b, sum) === 0);
}

export const subtractSingles = (a: number, b: number): HostResult => addSingles(a, -b);

export const multiplySingles = (a: number, b: number): HostResult => toSingle(a * b, true);

export function divideSingles(a: number, b: number): HostResult {
  const value = Math.fround(a / b);
  return toSingle(a / b, value * b === a && b !== 0);
}

export function sqrtSingle(a: number): HostResult {
  const root = Math.sqrt(a);
  return toSingle(root, root * root === a && Math.fround(root) === root);
}

export function multiplyAddSingles(a: number, b: number, c: number): HostResult {
  const product = a * b;
  // Rounding to odd goes through NaNs and infinities unharmed, but not a zero's sign in other modes than the host's.
  const { value, isExact } = addToOdd(product, c);
  return toSingle(value, isExact);
}

export const singleOfDouble = (a: number): HostResult => toSingle(a, true);

/** An integer of the host's as a number: `Number` rounds to nearest even. */
export function fromWhole(value: bigint): HostResult {
  const double = Number(value);
  return { value: double, isExact: BigInt(double) === value };
}

/** Halves are doubles as long as their floor is below 2^52. */
function roundHalves(value: number, mode: typeof RNE | typeof RMM): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return (mode === RNE ? floor % 2 === 0 : value < 0) ? floor : floor + 1;
}

function roundWhole(value: number, mode: RoundingMode): number {
  switch (mode) {
    case RTZ:
      return Math.trunc(value);
    case RDN:
      return Math.floor(value);
    case RUP:
      return Math.ceil(value);
    case RNE:
    case RMM:
      return roundHalves(value, mode);
  }
}

/** The whole number, in any mode, where it has less than 31 bits; integers of all formats hold it unless it is negative. */
export function toWhole(value: number, mode: RoundingMode): HostResult {
  if (!(Math.abs(value) < 2 ** 30)) return undefined;
  const whole = roundWhole(value, mode);
  return { value: whole, isExact: whole === value };
}

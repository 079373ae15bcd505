// Guesses at why two values differ, from a small table of mistakes that low-level code makes again and again. A hint is a question
// to the reader, so each row must be rare by accident: patterns that many unrelated pairs of values fit do not belong here.

export interface NumberPair {
  readonly expected: bigint;
  readonly got: bigint;
  readonly bits: 8 | 16 | 32 | 64;
}

function lowBits(value: bigint, bits: number): bigint {
  return BigInt.asUintN(bits, value);
}

function signExtended(value: bigint, from: number, to: number): bigint {
  return BigInt.asUintN(to, BigInt.asIntN(from, value));
}

function swapBytes(value: bigint, bits: number): bigint {
  let rest = lowBits(value, bits);
  let result = 0n;
  for (let at = 0; at < bits; at += 8) {
    result = (result << 8n) | (rest & 0xffn);
    rest >>= 8n;
  }
  return result;
}

function popcount(value: bigint): number {
  let count = 0;
  for (let rest = value; rest > 0n; rest >>= 1n) if ((rest & 1n) === 1n) count++;
  return count;
}

const PAGE = 4096n;
/** What `release` leaves behind (lib/heap.gspec). */
const POISON = 0x6b;
const POISON_HINT = "every byte is 0x6b, which is what memory holds after its `release`";

/** Rows are tried in order; the first that fits is the hint. Values come as unsigned numbers of the width. */
const NUMBER_HINTS: readonly ((pair: NumberPair) => string | null)[] = [
  ({ got, bits }) => (bits >= 16 && got === lowBits(0x6b6b_6b6b_6b6b_6b6bn, bits) ? POISON_HINT : null),
  ({ expected, got, bits }) => {
    if (bits !== 64 || expected >> 32n === 0n || got !== lowBits(expected, 32)) return null;
    return "the upper half is zero: was a 32-bit operation used for a 64-bit value?";
  },
  ({ expected, got, bits }) => {
    for (const from of [8, 16, 32]) {
      if (from >= bits) break;
      const isNegative = ((expected >> BigInt(from - 1)) & 1n) === 1n;
      if (isNegative && expected === lowBits(expected, from) && got === signExtended(expected, from, bits)) {
        return `sign-extended from ${from} bits: should the value be zero-extended?`;
      }
      if (isNegative && got === lowBits(got, from) && expected === signExtended(got, from, bits)) {
        return `zero-extended from ${from} bits: should the value be sign-extended?`;
      }
    }
    return null;
  },
  ({ expected, got, bits }) => {
    if (bits === 8 || got !== swapBytes(expected, bits) || popcount(expected) === 0) return null;
    return "the bytes are in reverse order: is the byte order right?";
  },
  ({ expected, got, bits }) => {
    if (bits < 32 || expected < PAGE) return null;
    if (got === expected + PAGE || got === expected - PAGE) return "off by exactly one page (4 KiB)";
    return null;
  },
  ({ expected, got, bits }) => {
    if (popcount(expected) < 2 || got !== lowBits(~expected, bits)) return null;
    return "every bit is inverted: active-low, or a complement too many?";
  },
  ({ expected, got, bits }) => {
    if (bits < 32 || expected < 0x100n) return null;
    for (const count of [8n, 16n]) {
      if (got === lowBits(expected << count, bits) || (got !== 0n && got === expected >> count)) {
        return `shifted by ${count} bits: is the offset or lane right?`;
      }
    }
    return null;
  },
  ({ expected, got, bits }) => {
    const difference = expected ^ got;
    // Small numbers, and neighbours, differ in one bit all the time.
    if (difference === 1n || bits < 16 || popcount(difference) !== 1 || popcount(expected) < 3 || expected < 0x20n) return null;
    const bit = difference.toString(2).length - 1;
    return `only bit ${bit} differs: ${(got >> BigInt(bit)) & 1n ? "set, but should be clear" : "clear, but should be set"}`;
  },
  ({ expected, got, bits }) => (bits >= 16 && got === lowBits(-1n, bits) && expected !== got ? "all ones: does anything answer at this address?" : null),
];

/** The hint for a pair of numbers that should have been equal. */
export function hintForNumbers(expected: bigint, got: bigint, bits: 8 | 16 | 32 | 64): string | null {
  const pair = { expected: lowBits(expected, bits), got: lowBits(got, bits), bits };
  for (const find of NUMBER_HINTS) {
    const hint = find(pair);
    if (hint !== null) return hint;
  }
  return null;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** The bytes in words of `size` with the order inside each reversed. */
function swapWords(bytes: Uint8Array, size: number): Uint8Array {
  return Uint8Array.from(bytes, (_, at) => bytes[at - (at % size) + size - 1 - (at % size)] ?? 0);
}

export function hintForBytes(expected: Uint8Array, got: Uint8Array): string | null {
  if (got.length >= 2 && got.every((byte) => byte === POISON)) return POISON_HINT;
  if (got.length > 0 && expected.some((byte) => byte !== 0) && got.every((byte) => byte === 0)) {
    return "all zero: was the memory ever written?";
  }
  if (expected.length !== got.length) {
    const [short, long] = expected.length < got.length ? [expected, got] : [got, expected];
    if (short.length > 0 && equal(long.subarray(0, short.length), short) && long.subarray(short.length).every((byte) => byte === 0)) {
      return "equal but for zero bytes at the end: is a terminator or padding counted?";
    }
    return null;
  }
  for (const size of [2, 4, 8]) {
    if (expected.length % size === 0 && expected.length > 0 && equal(swapWords(expected, size), got)) {
      return `the bytes of every ${size * 8}-bit word are in reverse order: is the byte order right?`;
    }
  }
  if (expected.length >= 4 && equal(expected.toReversed(), got)) return "the bytes are in reverse order";
  if (expected.length >= 4 && equal(expected.subarray(1), got.subarray(0, -1))) return "one byte early: is the start off by one?";
  if (expected.length >= 4 && equal(expected.subarray(0, -1), got.subarray(1))) return "one byte late: is the start off by one?";
  return null;
}

// Immediates of AND, ORR, EOR and ANDS: a run of ones in an element of 2, 4, .. 64 bits, rotated, and the element repeated over the
// register. The field of an instruction holds N, immr and imms, 13 bits together; here it is one number.
// Source: DDI 0487 (I.a), C3.4.2 and the pseudocode of DecodeBitMasks (J1.1).

export type RegisterWidth = 32 | 64;

const onesOf = (count: number): bigint => (1n << BigInt(count)) - 1n;

const bitLength = (value: bigint): number => value.toString(2).length;

/** Ones next to each other and nothing else. */
const isRun = (value: bigint): boolean => {
  const filled = value | (value - 1n);
  return (filled & (filled + 1n)) === 0n;
};

/** The field for a value, or undefined: no logical instruction of this width can have it. */
export function encodeLogicalImmediate(value: bigint, width: RegisterWidth): number | undefined {
  const whole = onesOf(width);
  // A 32-bit value may come sign-extended.
  const wanted = value < 0n ? BigInt.asUintN(width, value) : value;
  if (wanted > whole || wanted === 0n || wanted === whole) return undefined;
  let size: number = width;
  let element = wanted;
  while (size > 2) {
    const half = size / 2;
    const low = element & onesOf(half);
    if (element >> BigInt(half) !== low) break;
    size = half;
    element = low;
  }
  // Either the ones or the zeros are a run that does not wrap around.
  let run = element;
  const areOnes = isRun(run);
  if (!areOnes) {
    run = ~element & onesOf(size);
    if (!isRun(run)) return undefined;
  }
  const at = bitLength(run & -run) - 1;
  const length = bitLength(run) - at;
  const ones = areOnes ? length : size - length;
  const start = areOnes ? at : (at + length) % size;
  const rotation = (size - start) % size;
  const isN = size === 64 ? 1 : 0;
  return (isN << 12) | (rotation << 6) | ((-(2 * size) & 0x3f) | (ones - 1));
}

/** The value of a field, or undefined where it is reserved for this width. */
export function decodeLogicalImmediate(field: number, width: RegisterWidth): bigint | undefined {
  const isN = field >> 12 === 1;
  const immr = (field >> 6) & 0x3f;
  const imms = field & 0x3f;
  // The element's size is the highest bit of N:NOT(imms).
  const size = isN ? 64 : 2 ** (31 - Math.clz32(~imms & 0x3f));
  if (size < 2 || size > width) return undefined;
  const ones = (imms & (size - 1)) + 1;
  if (ones === size) return undefined;
  const rotation = BigInt(immr & (size - 1));
  const run = onesOf(ones);
  const rotated = rotation === 0n ? run : ((run >> rotation) | (run << (BigInt(size) - rotation))) & onesOf(size);
  let value = rotated;
  for (let filled = size; filled < width; filled *= 2) value |= value << BigInt(filled);
  return value;
}

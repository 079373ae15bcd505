// What the arithmetic and comparing instructions do, once for values of up to 32 bits (JavaScript numbers) and once for 64 bits
// (BigInt). Narrow registers hold i8 and i16 zero-extended and i32 as a signed number; every result is brought to that form by `& mask`.
// Wide registers live in a BigUint64Array, whose stores reduce modulo 2^64. Each entry is a function literal of its own, so that the
// host's compiler sees one operation per call site.

import { HIGH, LOW, type Cpu, type Operation } from "./interpreter-cpu.ts";

export interface NarrowOperands {
  /** Word offsets of the registers in the frame. */
  readonly d: number;
  readonly a: number;
  readonly b: number;
  readonly bits: number;
  /** The value bits, as a signed number. */
  readonly mask: number;
  /** Shifting left by it brings the sign to bit 31. */
  readonly shift: number;
  readonly next: number;
  /** Raises divide_error. */
  readonly divideError: Operation;
}

export interface WideOperands {
  /** Slots of the registers in the frame; `d32` is the word offset of a narrow result (comparisons). */
  readonly d: number;
  readonly d32: number;
  readonly a: number;
  readonly b: number;
  readonly next: number;
  readonly divideError: Operation;
}

const read = (cpu: Cpu, word: number): number => cpu.narrow[cpu.base32 + word]!;
const write = (cpu: Cpu, word: number, value: number): void => {
  cpu.narrow[cpu.base32 + word] = value;
};
const readWide = (cpu: Cpu, slot: number): bigint => cpu.wide[cpu.base + slot]!;
const writeWide = (cpu: Cpu, slot: number, value: bigint): void => {
  cpu.wide[cpu.base + slot] = value;
};

function countOnes(value: number): number {
  let x = value - ((value >>> 1) & 0x5555_5555);
  x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function trailingZeros32(value: number): number {
  return value === 0 ? 32 : 31 - Math.clz32(value & -value);
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

export const NARROW: Readonly<Record<string, (operands: NarrowOperands) => Operation>> = {
  add:
    ({ d, a, b, mask, next }) =>
    (cpu) => (write(cpu, d, (read(cpu, a) + read(cpu, b)) & mask), next),
  sub:
    ({ d, a, b, mask, next }) =>
    (cpu) => (write(cpu, d, (read(cpu, a) - read(cpu, b)) & mask), next),
  mul:
    ({ d, a, b, mask, next }) =>
    (cpu) => (write(cpu, d, Math.imul(read(cpu, a), read(cpu, b)) & mask), next),
  and:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) & read(cpu, b)), next),
  or:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) | read(cpu, b)), next),
  xor:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) ^ read(cpu, b)), next),
  shl:
    ({ d, a, b, bits, mask, next }) =>
    (cpu) => (write(cpu, d, (read(cpu, a) << (read(cpu, b) & (bits - 1))) & mask), next),
  shr_s:
    ({ d, a, b, bits, mask, shift, next }) =>
    (cpu) => (write(cpu, d, (((read(cpu, a) << shift) >> shift) >> (read(cpu, b) & (bits - 1))) & mask), next),
  shr_u:
    ({ d, a, b, bits, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) >>> (read(cpu, b) & (bits - 1))), next),
  rotl:
    ({ d, a, b, bits, mask, next }) =>
    (cpu) => {
      const value = read(cpu, a);
      const count = read(cpu, b) & (bits - 1);
      write(cpu, d, ((value << count) | (value >>> (bits - count))) & mask);
      return next;
    },
  rotr:
    ({ d, a, b, bits, mask, next }) =>
    (cpu) => {
      const value = read(cpu, a);
      const count = read(cpu, b) & (bits - 1);
      write(cpu, d, ((value >>> count) | (value << (bits - count))) & mask);
      return next;
    },
  mulh_u:
    ({ d, a, b, bits, mask, next }) =>
    (cpu) => {
      const product = BigInt(read(cpu, a) >>> 0) * BigInt(read(cpu, b) >>> 0);
      write(cpu, d, Number(product >> BigInt(bits)) & mask);
      return next;
    },
  mulh_s:
    ({ d, a, b, bits, mask, shift, next }) =>
    (cpu) => {
      const product = BigInt((read(cpu, a) << shift) >> shift) * BigInt((read(cpu, b) << shift) >> shift);
      write(cpu, d, Number(product >> BigInt(bits)) & mask);
      return next;
    },
  div_s:
    ({ d, a, b, mask, shift, next, divideError }) =>
    (cpu) => {
      const divisor = (read(cpu, b) << shift) >> shift;
      if (divisor === 0) return divideError(cpu);
      write(cpu, d, (((read(cpu, a) << shift) >> shift) / divisor) & mask);
      return next;
    },
  div_u:
    ({ d, a, b, mask, next, divideError }) =>
    (cpu) => {
      const divisor = read(cpu, b) >>> 0;
      if (divisor === 0) return divideError(cpu);
      write(cpu, d, ((read(cpu, a) >>> 0) / divisor) & mask);
      return next;
    },
  rem_s:
    ({ d, a, b, mask, shift, next, divideError }) =>
    (cpu) => {
      const divisor = (read(cpu, b) << shift) >> shift;
      if (divisor === 0) return divideError(cpu);
      write(cpu, d, (((read(cpu, a) << shift) >> shift) % divisor) & mask);
      return next;
    },
  rem_u:
    ({ d, a, b, mask, next, divideError }) =>
    (cpu) => {
      const divisor = read(cpu, b) >>> 0;
      if (divisor === 0) return divideError(cpu);
      write(cpu, d, ((read(cpu, a) >>> 0) % divisor) & mask);
      return next;
    },
  copy:
    ({ d, a, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a)), next),
  not:
    ({ d, a, mask, next }) =>
    (cpu) => (write(cpu, d, ~read(cpu, a) & mask), next),
  neg:
    ({ d, a, mask, next }) =>
    (cpu) => (write(cpu, d, -read(cpu, a) & mask), next),
  clz:
    ({ d, a, shift, next }) =>
    (cpu) => (write(cpu, d, Math.clz32(read(cpu, a)) - shift), next),
  ctz:
    ({ d, a, bits, next }) =>
    (cpu) => (write(cpu, d, Math.min(trailingZeros32(read(cpu, a)), bits)), next),
  popcnt:
    ({ d, a, next }) =>
    (cpu) => (write(cpu, d, countOnes(read(cpu, a))), next),
  bswap:
    ({ d, a, shift, next }) =>
    (cpu) => (write(cpu, d, shift === 0 ? swap32(read(cpu, a)) : swap32(read(cpu, a)) >>> shift), next),
  eq:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) === read(cpu, b) ? 1 : 0), next),
  ne:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) !== read(cpu, b) ? 1 : 0), next),
  lt_s:
    ({ d, a, b, shift, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) << shift < read(cpu, b) << shift ? 1 : 0), next),
  le_s:
    ({ d, a, b, shift, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) << shift <= read(cpu, b) << shift ? 1 : 0), next),
  lt_u:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) >>> 0 < read(cpu, b) >>> 0 ? 1 : 0), next),
  le_u:
    ({ d, a, b, next }) =>
    (cpu) => (write(cpu, d, read(cpu, a) >>> 0 <= read(cpu, b) >>> 0 ? 1 : 0), next),
};

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const lowWord = (cpu: Cpu, slot: number): number => cpu.narrow[cpu.base32 + 2 * slot + LOW]!;
const highWord = (cpu: Cpu, slot: number): number => cpu.narrow[cpu.base32 + 2 * slot + HIGH]!;
const writeWords = (cpu: Cpu, slot: number, high: number, low: number): void => {
  cpu.narrow[cpu.base32 + 2 * slot + HIGH] = high;
  cpu.narrow[cpu.base32 + 2 * slot + LOW] = low;
};

export const WIDE: Readonly<Record<string, (operands: WideOperands) => Operation>> = {
  add:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, BigInt.asUintN(64, readWide(cpu, a) + readWide(cpu, b))), next),
  sub:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, BigInt.asUintN(64, readWide(cpu, a) - readWide(cpu, b))), next),
  mul:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, BigInt.asUintN(64, readWide(cpu, a) * readWide(cpu, b))), next),
  and:
    ({ d, a, b, next }) =>
    (cpu) => (writeWords(cpu, d, highWord(cpu, a) & highWord(cpu, b), lowWord(cpu, a) & lowWord(cpu, b)), next),
  or:
    ({ d, a, b, next }) =>
    (cpu) => (writeWords(cpu, d, highWord(cpu, a) | highWord(cpu, b), lowWord(cpu, a) | lowWord(cpu, b)), next),
  xor:
    ({ d, a, b, next }) =>
    (cpu) => (writeWords(cpu, d, highWord(cpu, a) ^ highWord(cpu, b), lowWord(cpu, a) ^ lowWord(cpu, b)), next),
  shl:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, BigInt.asUintN(64, readWide(cpu, a) << (readWide(cpu, b) & 63n))), next),
  shr_s:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, signed(readWide(cpu, a)) >> (readWide(cpu, b) & 63n)), next),
  shr_u:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, readWide(cpu, a) >> (readWide(cpu, b) & 63n)), next),
  rotl:
    ({ d, a, b, next }) =>
    (cpu) => {
      const value = readWide(cpu, a);
      const count = readWide(cpu, b) & 63n;
      writeWide(cpu, d, (value << count) | (value >> (64n - count)));
      return next;
    },
  rotr:
    ({ d, a, b, next }) =>
    (cpu) => {
      const value = readWide(cpu, a);
      const count = readWide(cpu, b) & 63n;
      writeWide(cpu, d, (value >> count) | (value << (64n - count)));
      return next;
    },
  mulh_u:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, (readWide(cpu, a) * readWide(cpu, b)) >> 64n), next),
  mulh_s:
    ({ d, a, b, next }) =>
    (cpu) => (writeWide(cpu, d, (signed(readWide(cpu, a)) * signed(readWide(cpu, b))) >> 64n), next),
  div_s:
    ({ d, a, b, next, divideError }) =>
    (cpu) => {
      const divisor = signed(readWide(cpu, b));
      if (divisor === 0n) return divideError(cpu);
      writeWide(cpu, d, signed(readWide(cpu, a)) / divisor);
      return next;
    },
  div_u:
    ({ d, a, b, next, divideError }) =>
    (cpu) => {
      const divisor = readWide(cpu, b);
      if (divisor === 0n) return divideError(cpu);
      writeWide(cpu, d, readWide(cpu, a) / divisor);
      return next;
    },
  rem_s:
    ({ d, a, b, next, divideError }) =>
    (cpu) => {
      const divisor = signed(readWide(cpu, b));
      if (divisor === 0n) return divideError(cpu);
      writeWide(cpu, d, signed(readWide(cpu, a)) % divisor);
      return next;
    },
  rem_u:
    ({ d, a, b, next, divideError }) =>
    (cpu) => {
      const divisor = readWide(cpu, b);
      if (divisor === 0n) return divideError(cpu);
      writeWide(cpu, d, readWide(cpu, a) % divisor);
      return next;
    },
  copy:
    ({ d, a, next }) =>
    (cpu) => (writeWords(cpu, d, highWord(cpu, a), lowWord(cpu, a)), next),
  not:
    ({ d, a, next }) =>
    (cpu) => (writeWords(cpu, d, ~highWord(cpu, a), ~lowWord(cpu, a)), next),
  neg:
    ({ d, a, next }) =>
    (cpu) => (writeWide(cpu, d, BigInt.asUintN(64, -readWide(cpu, a))), next),
  clz:
    ({ d, a, next }) =>
    (cpu) => {
      const high = highWord(cpu, a);
      writeWords(cpu, d, 0, high === 0 ? 32 + Math.clz32(lowWord(cpu, a)) : Math.clz32(high));
      return next;
    },
  ctz:
    ({ d, a, next }) =>
    (cpu) => {
      const low = lowWord(cpu, a);
      writeWords(cpu, d, 0, low === 0 ? 32 + trailingZeros32(highWord(cpu, a)) : trailingZeros32(low));
      return next;
    },
  popcnt:
    ({ d, a, next }) =>
    (cpu) => (writeWords(cpu, d, 0, countOnes(highWord(cpu, a)) + countOnes(lowWord(cpu, a))), next),
  bswap:
    ({ d, a, next }) =>
    (cpu) => (writeWords(cpu, d, swap32(lowWord(cpu, a)), swap32(highWord(cpu, a))), next),
  eq:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, lowWord(cpu, a) === lowWord(cpu, b) && highWord(cpu, a) === highWord(cpu, b) ? 1 : 0), next),
  ne:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, lowWord(cpu, a) === lowWord(cpu, b) && highWord(cpu, a) === highWord(cpu, b) ? 0 : 1), next),
  lt_s:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, signed(readWide(cpu, a)) < signed(readWide(cpu, b)) ? 1 : 0), next),
  le_s:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, signed(readWide(cpu, a)) <= signed(readWide(cpu, b)) ? 1 : 0), next),
  lt_u:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, readWide(cpu, a) < readWide(cpu, b) ? 1 : 0), next),
  le_u:
    ({ d32, a, b, next }) =>
    (cpu) => (write(cpu, d32, readWide(cpu, a) <= readWide(cpu, b) ? 1 : 0), next),
};

// Constants in registers: which halfwords MOVZ or MOVN and MOVK have to write, and when ORR with a logical immediate is shorter.
// Back ends call `moveConstant` for every constant and address they load. Aliases of MOV ask `movedByOne`.
// Source: DDI 0487 (I.a), C6.2, MOVZ, MOVN, MOVK, MOV (bitmask immediate).

import { encode } from "./encode.ts";
import { encodeLogicalImmediate } from "./logical-immediate.ts";
import type { RegisterWidth } from "./logical-immediate.ts";
import { REGISTER_31 } from "./registers.ts";

const halfwordsOf = (value: bigint, width: RegisterWidth): readonly number[] =>
  Array.from({ length: width / 16 }, (_, index) => Number((value >> BigInt(16 * index)) & 0xffffn));

export interface WideMove {
  readonly by: "movz" | "movn";
  readonly imm: number;
  readonly shift: number;
}

/** The single MOVZ, or else MOVN, that makes a value. */
export function movedByOne(value: bigint, width: RegisterWidth): WideMove | undefined {
  const halfwords = halfwordsOf(value, width);
  for (const [by, rest] of [
    ["movz", 0],
    ["movn", 0xffff],
  ] as const) {
    const others = halfwords.filter((halfword) => halfword !== rest);
    if (others.length > 1) continue;
    const at = Math.max(
      0,
      halfwords.findIndex((halfword) => halfword !== rest),
    );
    return { by, imm: (halfwords[at] ?? 0) ^ rest, shift: 16 * at };
  }
  return undefined;
}

/** MOVZ or MOVN for the first halfword that is not `rest`, MOVK for the others. */
function moveHalfwords(rd: number, halfwords: readonly number[], rest: 0 | 0xffff, width: "w" | "x"): readonly number[] {
  const written = [...halfwords.entries()].filter(([, halfword]) => halfword !== rest);
  const [[at, first] = [0, rest], ...others] = written;
  const start = rest === 0 ? encode(`movz-${width}`, { rd, imm: first, shift: 16 * at }) : encode(`movn-${width}`, { rd, imm: first ^ rest, shift: 16 * at });
  return [start, ...others.map(([index, imm]) => encode(`movk-${width}`, { rd, imm, shift: 16 * index }))];
}

function orImmediate(rd: number, value: bigint): number | undefined {
  const bitmask = encodeLogicalImmediate(value, 64);
  return bitmask === undefined ? undefined : encode("orr-imm-x", { rd, rn: REGISTER_31, bitmask });
}

/** The words that put a 64-bit value into a register, as few as MOVZ, MOVN, MOVK and one ORR can do with. */
export function moveConstant(rd: number, value: bigint): readonly number[] {
  const wanted = BigInt.asUintN(64, value);
  const halfwords = halfwordsOf(wanted, 64);
  const candidates = [moveHalfwords(rd, halfwords, 0, "x"), moveHalfwords(rd, halfwords, 0xffff, "x")];
  // A write of a W register clears the upper half.
  if (wanted >> 32n === 0n) candidates.push(moveHalfwords(rd, halfwords.slice(0, 2), 0xffff, "w"));
  const [best = []] = candidates.toSorted((a, b) => a.length - b.length);
  // ORR writes register 31 as the stack pointer, not as zero.
  if (best.length === 1 || rd === REGISTER_31) return best;
  const single = orImmediate(rd, wanted) ?? orImmediate32(rd, wanted);
  if (single !== undefined) return [single];
  return best.length > 2 ? (moveByPattern(rd, wanted, halfwords) ?? best) : best;
}

function orImmediate32(rd: number, value: bigint): number | undefined {
  if (value >> 32n !== 0n) return undefined;
  const bitmask = encodeLogicalImmediate(value, 32);
  return bitmask === undefined ? undefined : encode("orr-imm-w", { rd, rn: REGISTER_31, bitmask });
}

/** A pattern that differs from the value in one halfword, and a MOVK of that one. */
function moveByPattern(rd: number, value: bigint, halfwords: readonly number[]): readonly number[] | undefined {
  for (const [index, imm] of halfwords.entries()) {
    for (const other of new Set([0, 0xffff, ...halfwords])) {
      if (other === imm) continue;
      const shift = BigInt(16 * index);
      const pattern = orImmediate(rd, (value & ~(0xffffn << shift)) | (BigInt(other) << shift));
      if (pattern !== undefined) return [pattern, encode("movk-x", { rd, imm, shift: 16 * index })];
    }
  }
  return undefined;
}

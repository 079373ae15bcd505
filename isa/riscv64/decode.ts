// Decoder: a word to its row of the table and its operands. The disassembler and the emulated CPU share it; it is exact, so
// that reserved encodings come back as undefined and the CPU can raise an illegal-instruction exception for them.

import { byWidth, type RegisterWidth } from "./by-width.ts";
import type { Operand } from "./formats.ts";
import { instructionsOf } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";

export interface DecodedInstruction {
  readonly instruction: Instruction;
  /** Registers by number, immediates sign-extended as the table says. */
  readonly operands: ReadonlyMap<string, number>;
}

/** Rows by the bits that every row has fixed: the major opcode, or quadrant and funct3 of a compressed one. */
export const rowKey = (word: number): number => ((word & 3) === 3 ? word & 0x7f : 0x80 | ((word >> 11) & 0x1c) | (word & 3));

const countBits = (mask: number): number => {
  let count = 0;
  for (let rest = mask; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
};

/** Which of the rows that match a word it means: the first in this order. */
export const byMostFixedBits = (rows: readonly Instruction[]): readonly Instruction[] => rows.toSorted((a, b) => countBits(b.mask) - countBits(a.mask));

const groups = byWidth((width): ReadonlyMap<number, readonly Instruction[]> => Map.groupBy(instructionsOf(width), ({ match }) => rowKey(match)));
const sortedGroups = byWidth((): Map<number, readonly Instruction[]> => new Map());

/** Rows that a word may be, those with the most fixed bits first. */
function candidatesOf(key: number, width: RegisterWidth): readonly Instruction[] {
  const sorted = sortedGroups(width);
  let rows = sorted.get(key);
  if (rows === undefined) {
    rows = byMostFixedBits(groups(width).get(key) ?? []);
    sorted.set(key, rows);
  }
  return rows;
}

/** Length in bytes of the instruction that starts with this halfword; 4 also for the reserved longer ones. */
export function instructionLength(halfword: number): 2 | 4 {
  return (halfword & 3) === 3 ? 4 : 2;
}

/** Takes 32 bits; the upper half of a compressed instruction does not matter. Undefined: the encoding is reserved or unknown. */
export function decode(bits: number, width: RegisterWidth = 64): DecodedInstruction | undefined {
  const values: number[] = [];
  const instruction = findRow(bits, width, values);
  return instruction && { instruction, operands: new Map(instruction.operands.map(([name], index) => [name, values[index] ?? 0])) };
}

/** The word's row; `values` becomes what its operands are, in their order. For those who decode so much that a map of them is too much. */
export function findRow(bits: number, width: RegisterWidth, values: number[]): Instruction | undefined {
  const word = instructionLength(bits) === 2 ? bits & 0xffff : bits >>> 0;
  for (const instruction of candidatesOf(rowKey(word), width)) {
    if ((word & instruction.mask) >>> 0 === instruction.match && unpackOperands(instruction, word, values)) return instruction;
  }
  return undefined;
}

function unpackOperands({ operands }: Instruction, word: number, values: number[]): boolean {
  values.length = 0;
  for (const [, operand] of operands) {
    const value = unpackOperand(operand, word);
    // Whatever its bits hold fits an operand, but for the values that the format leaves out.
    if (operand.without?.includes(value) === true) return false;
    values.push(value);
  }
  return true;
}

function unpackOperand(operand: Operand, word: number): number {
  let value = 0;
  let top = 0;
  for (const [at, width, from] of operand.bits) {
    value |= ((word >>> at) & ((1 << width) - 1)) << from;
    top = Math.max(top, from + width);
  }
  switch (operand.kind) {
    case "x8":
    case "f8":
      return value + 8;
    case "signed":
    case "target":
      return (value << (32 - top)) >> (32 - top);
    case "upper":
      return ((value << (32 - top)) >> (32 - top)) & 0xfffff;
    case "x":
    case "f":
    case "unsigned":
    case "csr":
    case "rounding":
    case "fence":
    case "order":
    case "ignored":
      return value;
  }
}

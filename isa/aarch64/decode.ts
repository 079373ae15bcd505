// Decoder: a word to its row of the table and its operands. It is exact: what the table's features do not define comes back as
// undefined, as does what they reserve. The disassembler reads it; an emulated CPU would.

import { checkOperand } from "./encode.ts";
import type { Operands } from "./encode.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import type { Instruction, Operand } from "./instructions.ts";

export interface DecodedInstruction {
  readonly instruction: Instruction;
  /** Registers by number, immediates as the table says; a `bitmask` is the field, see logical-immediate.ts. */
  readonly operands: Operands;
}

const countBits = (mask: number): number => {
  let count = 0;
  for (let rest = mask; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
};

/** Rows by the top eight bits; one that does not fix them all is in several. Rows with more fixed bits come first. */
const candidates: readonly Instruction[][] = Array.from({ length: 256 }, () => []);
for (const row of INSTRUCTIONS.toSorted((a, b) => countBits(b.mask) - countBits(a.mask))) {
  for (const [key, rows] of candidates.entries()) if (((key ^ (row.match >>> 24)) & (row.mask >>> 24)) === 0) rows.push(row);
}

export function decode(word: number): DecodedInstruction | undefined {
  for (const instruction of candidates[word >>> 24] ?? []) {
    if ((word & instruction.mask) >>> 0 !== instruction.match) continue;
    const operands = unpackOperands(instruction, word);
    if (operands !== undefined) return { instruction, operands };
  }
  return undefined;
}

function unpackOperands(instruction: Instruction, word: number): Operands | undefined {
  const operands = new Map<string, number>();
  for (const [name, operand] of instruction.operands) {
    const value = unpackOperand(operand, word);
    if (checkOperand(operand, value) !== undefined) return undefined;
    operands.set(name, value);
  }
  return operands;
}

function unpackOperand({ kind, bits, least }: Operand, word: number): number {
  let value = 0;
  let top = 0;
  for (const [at, width, from] of bits) {
    value |= ((word >>> at) & (2 ** width - 1)) << from;
    top = Math.max(top, from + width);
  }
  if (kind === "by12") return 12 * value;
  return least < 0 ? (value << (32 - top)) >> (32 - top) : value;
}

// Encoder: the name of a table row and its operands to a word, checked against the table. The machine-code back end calls `encode`
// for every instruction it emits; the assembler uses the parts, so that it can point at the operand that is wrong.
// A wrong operand is a RangeError here: the compiler must not produce one.

import { bitmaskWidth, namedKind } from "./formats.ts";
import { findInstruction, isRegisterKind } from "./instructions.ts";
import type { Instruction, InstructionName, Operand, OperandsOf } from "./instructions.ts";
import { decodeLogicalImmediate } from "./logical-immediate.ts";
import { findRegister, findSystemRegister, registerName, writeSystemRegister } from "./registers.ts";

/** What is wrong with a value, to stand behind the operand's name: "is 4096, must be 0..4095". */
export function checkOperand(operand: Operand, value: number | bigint): string | undefined {
  const { kind, least, most, step, without } = operand;
  if (typeof value === "number" && !Number.isInteger(value)) return `is ${value}, must be an integer`;
  if (value < least || value > most) {
    if (kind === "target") return `is ${value} bytes away, can be ${least}..${most}`;
    if (kind === "page") return `is ${value} pages away, can be ${least}..${most}`;
    return `is ${value}, must be ${least}..${most}`;
  }
  const small = Number(value);
  if (small % step !== 0) return `is ${value}, must be a multiple of ${step}`;
  if (without.length > 0 && without.includes(small)) return `must not be ${showValue(operand, small)}`;
  return checkMeaning(operand, small);
}

function checkMeaning({ kind }: Operand, value: number): string | undefined {
  const width = bitmaskWidth(kind);
  if (width !== undefined) return decodeLogicalImmediate(value, width) === undefined ? `is ${value}, which is reserved` : undefined;
  const named = namedKind(kind);
  return named === undefined || named.isOpen || named.names.has(value) ? undefined : `is ${value}, which stands for nothing`;
}

function showValue({ kind }: Operand, value: number): string {
  if (isRegisterKind(kind)) return registerName(kind, value);
  if (kind === "system") return writeSystemRegister(value);
  return namedKind(kind)?.names.get(value) ?? String(value);
}

/** The number that a name stands for in an operand of this kind. */
export function findOperandValue({ kind }: Pick<Operand, "kind">, name: string): number | undefined {
  if (isRegisterKind(kind)) return findRegister(kind, name);
  if (kind === "system") return findSystemRegister(name);
  return namedKind(kind)?.numbers.get(name.toLowerCase());
}

/** Values by operand. */
export type Operands = ReadonlyMap<string, number>;

/** Puts operands that have been checked into the instruction's fixed bits. */
export function packOperands(row: Instruction, values: Operands): number {
  let word = row.match;
  for (const [name, operand] of row.operands) word |= packOperand(operand, values.get(name) ?? operand.implied ?? 0);
  return word >>> 0;
}

/** The instruction bits of one operand. */
export function packOperand({ kind, bits }: Operand, value: number): number {
  const field = kind === "by12" ? value / 12 : value;
  let word = 0;
  for (const [at, width, from] of bits) word |= ((field >> from) & (2 ** width - 1)) << at;
  return word;
}

/**
 * Registers are numbers, a `bitmask` is what `encodeLogicalImmediate` gives, a `target` is the distance in bytes.
 * @throws {RangeError} when an operand is out of range, misaligned, not allowed or missing.
 */
export function encode<N extends InstructionName>(name: N, operands: OperandsOf<N>): number {
  const given: Readonly<Record<string, number | string | undefined>> = operands;
  const row = findInstruction(name);
  if (row === undefined) throw new RangeError(`no instruction ${name}`);
  let word = row.match;
  for (const [key, operand] of row.operands) {
    const raw = given[key] ?? operand.implied;
    if (raw === undefined) throw new RangeError(`${name}: ${key} is missing`);
    const value = typeof raw === "string" ? findOperandValue(operand, raw) : raw;
    if (value === undefined) throw new RangeError(`${name}: ${key} cannot be "${raw}"`);
    const problem = checkOperand(operand, value);
    if (problem !== undefined) throw new RangeError(`${name}: ${key} ${problem}`);
    word |= packOperand(operand, value);
  }
  return word >>> 0;
}

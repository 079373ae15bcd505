// Encoder: an instruction's name and operands to its number, checked against the table. The machine-code back end calls
// `encode` for every instruction it emits; the assembler uses the parts, so that it can point at the operand that is wrong.
// A wrong operand is a RangeError here: the compiler must not produce one.

import { FENCE_LETTERS, MEMORY_ORDERS, ROUNDING_MODES } from "./formats.ts";
import type { Operand } from "./formats.ts";
import { findInstruction } from "./instructions.ts";
import type { RegisterWidth } from "./by-width.ts";
import type { Instruction, Mnemonic, OperandsOf } from "./instructions.ts";
import { F_REGISTERS, findCsr, findFRegister, findXRegister, X_REGISTERS } from "./registers.ts";

export interface ValueRange {
  readonly least: number;
  readonly most: number;
  /** Every value is a multiple of this. */
  readonly step: number;
}

const ranges = new WeakMap<Operand, ValueRange>();

/** The values that fit an operand's bits; `without` and the gap of a narrow `upper` are not looked at. */
export function rangeOf(operand: Operand): ValueRange {
  const known = ranges.get(operand);
  if (known !== undefined) return known;
  const range = computeRange(operand);
  ranges.set(operand, range);
  return range;
}

function computeRange(operand: Operand): ValueRange {
  const top = Math.max(...operand.bits.map(([, width, from]) => from + width));
  const step = 1 << Math.min(...operand.bits.map(([, , from]) => from));
  switch (operand.kind) {
    case "x8":
    case "f8":
      return { least: 8, most: 15, step: 1 };
    case "signed":
    case "target":
      return { least: -(2 ** (top - 1)), most: 2 ** (top - 1) - step, step };
    case "upper":
      return { least: 0, most: 0xfffff, step: 1 };
    case "x":
    case "f":
    case "unsigned":
    case "csr":
    case "rounding":
    case "fence":
    case "order":
    case "ignored":
      return { least: 0, most: 2 ** top - step, step };
  }
}

/** Half the values of an `upper` field: it holds 0..half-1 and the last `half` values of 20 bits. */
function halfOfUpper(operand: Operand): number {
  return 2 ** (operand.bits.reduce((sum, [, width]) => sum + width, 0) - 1);
}

/** What is wrong with a value, to stand behind the operand's name: "is 4096, must be -2048..2047". */
export function checkOperand(operand: Operand, value: number | bigint): string | undefined {
  const { least, most, step } = rangeOf(operand);
  if (typeof value === "number" && !Number.isInteger(value)) return `is ${value}, must be an integer`;
  if (value < least || value > most) {
    const shown = showValue(operand, value);
    if (operand.kind === "target") return `is ${shown} bytes away, can be ${least}..${most}`;
    if (operand.kind === "upper") return `is ${shown}, must be ${showUpperRange(operand)}`;
    if (operand.kind !== "x8" && operand.kind !== "f8") return `is ${shown}, must be ${least}..${most}`;
    const allowed = `${showValue(operand, least)}..${showValue(operand, most)}`;
    return `is ${shown}, must be ${allowed} (a compressed instruction has three bits for it)`;
  }
  const small = Number(value);
  if (small % step !== 0) return `is ${showValue(operand, value)}, must be a multiple of ${step}`;
  if (operand.kind === "upper") {
    const half = halfOfUpper(operand);
    if (small >= half && small < 0x100000 - half) return `is ${showValue(operand, value)}, must be ${showUpperRange(operand)}`;
  }
  if (operand.without?.includes(small) === true) return `must not be ${showValue(operand, value)}`;
  return undefined;
}

function showUpperRange(operand: Operand): string {
  const half = halfOfUpper(operand);
  return half < 0x80000 ? `0x0..0x${(half - 1).toString(16)} or 0x${(0x100000 - half).toString(16)}..0xfffff` : "0x0..0xfffff";
}

function showValue(operand: Operand, value: number | bigint): string {
  const index = Number(value);
  if (operand.kind === "x" || operand.kind === "x8") return X_REGISTERS[index]?.abiName ?? `x${value}`;
  if (operand.kind === "f" || operand.kind === "f8") return F_REGISTERS[index]?.abiName ?? `f${value}`;
  if (operand.kind === "csr" || operand.kind === "upper") {
    return value < 0 ? String(value) : `0x${value.toString(16)}`;
  }
  return String(value);
}

/** The number that a name stands for in an operand of this kind. */
export function findOperandValue(operand: Operand, name: string, width: RegisterWidth = 64): number | undefined {
  switch (operand.kind) {
    case "x":
    case "x8":
      return findXRegister(name);
    case "f":
    case "f8":
      return findFRegister(name);
    case "csr":
      return findCsr(name, width);
    case "rounding":
      return orUndefined(ROUNDING_MODES.findIndex((mode) => mode === name));
    case "order":
      return orUndefined(MEMORY_ORDERS.findIndex((order) => order === name));
    case "fence":
      return parseFenceSet(name);
    case "signed":
    case "unsigned":
    case "upper":
    case "target":
    case "ignored":
      return undefined;
  }
}

const orUndefined = (index: number): number | undefined => (index < 0 ? undefined : index);

/** Letters in the order i, o, r, w, each at most once; `0` is the empty set. */
function parseFenceSet(name: string): number | undefined {
  if (name === "0") return 0;
  if (name === "" || !/^i?o?r?w?$/.test(name)) return undefined;
  return FENCE_LETTERS.reduce((set, letter, index) => (name.includes(letter) ? set | (8 >> index) : set), 0);
}

/** Puts operands that have been checked into the instruction's fixed bits. */
export function packOperands(row: Instruction, values: ReadonlyMap<string, number>): number {
  let word = row.match;
  for (const [name, operand] of row.operands) word |= packOperand(operand, values.get(name) ?? operand.implied ?? 0);
  return word >>> 0;
}

const NO_BITS = [0, 0, 0] as const;

/** The instruction bits of one operand. */
export function packOperand(operand: Operand, value: number): number {
  let word = 0;
  const { bits } = operand;
  for (let index = 0; index < bits.length; index++) {
    const [at, width, from] = bits[index] ?? NO_BITS;
    word |= ((value >> from) & ((1 << width) - 1)) << at;
  }
  return word >>> 0;
}

/** @throws {RangeError} when an operand is out of range, misaligned, not allowed or missing. */
export function encode<M extends Mnemonic>(mnemonic: M, operands: OperandsOf<M>, width: RegisterWidth = 64): number {
  const given: Readonly<Record<string, number | string | undefined>> = operands;
  const row = findInstruction(mnemonic, width);
  if (row === undefined) throw new RangeError(`no instruction ${mnemonic}`);
  const values = new Map<string, number>();
  for (const [name, operand] of row.operands) {
    const raw = given[name] ?? operand.implied;
    if (raw === undefined) throw new RangeError(`${mnemonic}: ${name} is missing`);
    const value = typeof raw === "string" ? findOperandValue(operand, raw, width) : raw;
    if (value === undefined) throw new RangeError(`${mnemonic}: ${name} cannot be "${raw}"`);
    const problem = checkOperand(operand, value);
    if (problem !== undefined) throw new RangeError(`${mnemonic}: ${name} ${problem}`);
    values.set(name, value);
  }
  return packOperands(row, values);
}

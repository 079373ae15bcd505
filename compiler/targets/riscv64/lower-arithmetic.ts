// Arithmetic of the bytecode on RV64: every width with exact wrap-around, shift and division rules. 32-bit operations use the `w`
// instructions, whose results are canonical; 8 and 16 bits are computed in 64 and cut. Only RV64IMC is used, which every
// RV64 application processor has; bit counts are loops of the entry assembly, called with t2 as the link register.

import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Emission } from "../../native/emission.ts";
import type { ComputeItem, Virtual } from "../../native/items.ts";
import { bitsOf, constantOf } from "../../native/operands.ts";
import { compress, put } from "./compress.ts";
import { enc } from "./encoding.ts";
import { NO_VALUE, trapHere } from "./lower-traps.ts";
import { finish, isImmediate, loadValue, normalise, read, resultRegister, signed, T0, T1, T2, T3, unsigned, ZERO } from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;
type Register3 = (rd: number, rs1: number, rs2: number) => number;
type Immediate = (rd: number, rs1: number, imm: number) => number;

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

interface Forms {
  readonly wide: Register3;
  readonly word: Register3;
  readonly wideImmediate?: Immediate;
  readonly wordImmediate?: Immediate;
}

/** Operations whose low bits depend on low bits only. */
function wrapping({ wide, word, wideImmediate, wordImmediate }: Forms, isCommutative: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const isWord = bitsOf(type) === 32;
    const rd = resultRegister(e, dst(item));
    let [left, right] = [src(item, 0), src(item, 1)];
    if (isCommutative && constantOf(e, left) !== null) [left, right] = [right, left];
    const constant = constantOf(e, right);
    const immediate = isWord ? wordImmediate : wideImmediate;
    if (constant !== null && immediate !== undefined && isImmediate(constant)) put(e, immediate(rd, read(e, left, T0), Number(constant)));
    else put(e, (isWord ? word : wide)(rd, read(e, left, T0), read(e, right, T1)));
    if (bitsOf(type) < 32) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/** Canonical operands give a canonical result. */
function bitwise(operation: Register3, immediate: Immediate): Lower {
  return (e, item) => {
    const rd = resultRegister(e, dst(item));
    let [left, right] = [src(item, 0), src(item, 1)];
    if (constantOf(e, left) !== null) [left, right] = [right, left];
    const constant = constantOf(e, right);
    if (constant !== null && isImmediate(constant)) put(e, immediate(rd, read(e, left, T0), Number(constant)));
    else put(e, operation(rd, read(e, left, T0), read(e, right, T1)));
    finish(e, dst(item), rd);
  };
}

const subtract: Lower = (e, item) => {
  const type = typeOf(item);
  const constant = constantOf(e, src(item, 1));
  const rd = resultRegister(e, dst(item));
  const isWord = bitsOf(type) === 32;
  if (constant !== null && isImmediate(-constant)) put(e, (isWord ? enc.addiw : enc.addi)(rd, read(e, src(item, 0), T0), Number(-constant)));
  else put(e, (isWord ? enc.subw : enc.sub)(rd, read(e, src(item, 0), T0), read(e, src(item, 1), T1)));
  if (bitsOf(type) < 32) normalise(e, rd, type);
  finish(e, dst(item), rd);
};

/** The count modulo the width, as the shift instructions of 32 and 64 bits take it themselves. */
function count(e: Emission, item: ComputeItem, bits: number, scratch: number): number | bigint {
  const constant = constantOf(e, src(item, 1));
  if (constant !== null) return BigInt.asUintN(Math.log2(bits), constant);
  const register = read(e, src(item, 1), scratch);
  if (bits >= 32) return register;
  put(e, enc.andi(scratch, register, bits - 1));
  return scratch;
}

interface ShiftForms {
  readonly wide: Register3;
  readonly word: Register3;
  readonly wideImmediate: Immediate;
  readonly wordImmediate: Immediate;
  readonly isArithmetic: boolean;
}

function shift({ wide, word, wideImmediate, wordImmediate, isArithmetic }: ShiftForms): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const rd = resultRegister(e, dst(item));
    const amount = count(e, item, bits, T1);
    const value = read(e, src(item, 0), T0);
    const operand = isArithmetic ? signed(e, value, type, T0) : value;
    if (typeof amount === "bigint") put(e, (bits === 32 ? wordImmediate : wideImmediate)(rd, operand, Number(amount)));
    else put(e, (bits === 32 ? word : wide)(rd, operand, amount));
    if (bits < 32) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/** `x rotated` as two shifts; the opposite count is the negative one, modulo the width. */
function rotate(isLeft: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const rd = resultRegister(e, dst(item));
    const [towards, back] =
      bits === 32 ? [isLeft ? enc.sllw : enc.srlw, isLeft ? enc.srlw : enc.sllw] : [isLeft ? enc.sll : enc.srl, isLeft ? enc.srl : enc.sll];
    const value = read(e, src(item, 0), T0);
    const amount = read(e, src(item, 1), T1);
    if (bits >= 32) {
      put(e, enc.sub(T3, ZERO, amount));
      put(e, towards(T2, value, amount));
      put(e, back(T3, value, T3));
    } else {
      put(e, enc.andi(T2, amount, bits - 1));
      put(e, enc.sub(T3, ZERO, T2));
      put(e, enc.andi(T3, T3, bits - 1));
      put(e, towards(T2, value, T2));
      put(e, back(T3, value, T3));
    }
    put(e, enc.or(rd, T2, T3));
    if (bits < 32) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

interface DivideForms {
  readonly wide: Register3;
  readonly word: Register3;
  readonly isSigned: boolean;
}

/**
 * A division by zero is defined on RISC-V and a trap here. The overflow minimum / -1 wraps as wanted (Volume I, 7.2); in 8 and 16 bits
 * the quotient does not overflow in 64 and wraps when it is cut.
 */
function divide({ wide, word, isSigned }: DivideForms): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const rd = resultRegister(e, dst(item));
    const constant = constantOf(e, src(item, 1));
    const left = read(e, src(item, 0), T0);
    const right = read(e, src(item, 1), T1);
    if (constant === null || constant === 0n) {
      const zero = e.cold(() => trapHere(e, { class: TRAP_CLASSES.indexOf("divide_error"), ...NO_VALUE }));
      branchOnZero(e, right, zero);
    }
    const operand = isSigned ? signed(e, left, type, T0) : left;
    const divisor = isSigned ? signed(e, right, type, T1) : right;
    put(e, (bitsOf(type) === 32 ? word : wide)(rd, operand, divisor));
    if (bitsOf(type) < 32) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/** A branch to a cold end, which may be far away. */
export function branchOnZero(e: Emission, register: number, label: number): void {
  const { number, isLong } = e.branch();
  if (isLong) {
    e.word(enc.bne(register, ZERO) | enc.distance(8));
    e.refer(label, "jal", number);
    e.word(enc.jal(ZERO));
    return;
  }
  e.refer(label, "branch", number);
  put(e, enc.beq(register, ZERO));
}

export function branchOnNotZero(e: Emission, register: number, label: number): void {
  const { number, isLong } = e.branch();
  if (isLong) {
    e.word(enc.beq(register, ZERO) | enc.distance(8));
    e.refer(label, "jal", number);
    e.word(enc.jal(ZERO));
    return;
  }
  e.refer(label, "branch", number);
  put(e, enc.bne(register, ZERO));
}

function multiplyHigh(isSigned: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const rd = resultRegister(e, dst(item));
    const left = read(e, src(item, 0), T0);
    const right = read(e, src(item, 1), T1);
    if (bits === 64) put(e, (isSigned ? enc.mulh : enc.mulhu)(rd, left, right));
    else {
      const extend = isSigned ? signed : unsigned;
      put(e, enc.mul(rd, extend(e, left, type, T0), extend(e, right, type, T1)));
      put(e, (isSigned ? enc.srai : enc.srli)(rd, rd, bits));
      normalise(e, rd, type);
    }
    finish(e, dst(item), rd);
  };
}

const negate: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  put(e, (bitsOf(type) === 32 ? enc.subw : enc.sub)(rd, ZERO, read(e, src(item, 0), T0)));
  if (bitsOf(type) < 32) normalise(e, rd, type);
  finish(e, dst(item), rd);
};

const complement: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  put(e, enc.xori(rd, read(e, src(item, 0), T0), -1));
  if (bitsOf(type) < 32) normalise(e, rd, type);
  finish(e, dst(item), rd);
};

/**
 * Bit operations of the entry assembly: argument and result in t0, t1 and t3 lost, t2 is the link. They work on 64 bits; `adjust`
 * makes a narrower question one of those.
 */
function called(label: string, adjust: (e: Emission, type: ScalarType) => void, correct: (e: Emission, type: ScalarType) => void): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const value = read(e, src(item, 0), T0);
    if (value !== T0) put(e, enc.addi(T0, value, 0));
    adjust(e, type);
    e.relocate("jal", { kind: "label", name: label });
    e.word(enc.jal(T2));
    correct(e, type);
    finish(e, dst(item), T0);
  };
}

const toUnsigned = (e: Emission, type: ScalarType): void => void unsigned(e, T0, type, T0);

/** A bit above the width stops the count there. */
const stopAbove = (e: Emission, type: ScalarType): void => {
  const bits = bitsOf(type);
  if (bits === 64) return;
  loadValue(e, T1, 1n << BigInt(bits));
  put(e, enc.or(T0, T0, T1));
};

const dropUpper = (e: Emission, type: ScalarType): void => {
  const bits = bitsOf(type);
  if (bits < 64) put(e, enc.addi(T0, T0, bits - 64));
};

/** Reversed in 64 bits, the wanted bytes are the upper ones. */
const takeUpper = (e: Emission, type: ScalarType): void => {
  const bits = bitsOf(type);
  if (bits < 64) put(e, (bits === 32 ? enc.srai : enc.srli)(T0, T0, 64 - bits));
};

const nothing = (): void => undefined;

/** Comparison with a canonical result of 0 or 1. */
function compare(op: "eq" | "ne" | "lt" | "le", isSigned: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const rd = resultRegister(e, dst(item));
    const constant = constantOf(e, src(item, 1));
    if (op === "eq" || op === "ne") {
      const left = read(e, src(item, 0), T0);
      if (constant === 0n) put(e, op === "eq" ? enc.sltiu(rd, left, 1) : enc.sltu(rd, ZERO, left));
      else {
        if (constant !== null && isImmediate(-constant)) put(e, enc.addi(T0, left, Number(-constant)));
        else put(e, enc.sub(T0, left, read(e, src(item, 1), T1)));
        put(e, op === "eq" ? enc.sltiu(rd, T0, 1) : enc.sltu(rd, ZERO, T0));
      }
      finish(e, dst(item), rd);
      return;
    }
    const [left, right] = orderedOperands(e, src(item, 0), src(item, 1), type, isSigned);
    const less = isSigned ? enc.slt : enc.sltu;
    if (op === "lt") put(e, less(rd, left, right));
    else {
      put(e, less(rd, right, left));
      put(e, enc.xori(rd, rd, 1));
    }
    finish(e, dst(item), rd);
  };
}

/** Two operands in registers so that a 64-bit comparison orders them. */
export function orderedOperands(e: Emission, left: Virtual, right: Virtual, type: ScalarType, isSigned: boolean): readonly [number, number] {
  const first = read(e, left, T0);
  const second = read(e, right, T1);
  if (!isSigned) return [first, second];
  return [signed(e, first, type, T0), signed(e, second, type, T1)];
}

const select: Lower = (e, item) => {
  const condition = read(e, src(item, 0), T0);
  const yes = read(e, src(item, 1), T1);
  const no = read(e, src(item, 2), T2);
  const rd = resultRegister(e, dst(item));
  // Their lengths are counted.
  const [first, second] = [enc.addi(rd, yes, 0), enc.addi(rd, no, 0)];
  const lengthOf = (word: number): number => (compress(word) === null ? 4 : 2);
  if (rd === yes) {
    e.word(enc.bne(condition, ZERO) | enc.distance(4 + lengthOf(second)));
    put(e, second);
  } else if (rd === no) {
    e.word(enc.beq(condition, ZERO) | enc.distance(4 + lengthOf(first)));
    put(e, first);
  } else {
    e.word(enc.beq(condition, ZERO) | enc.distance(8 + lengthOf(first)));
    put(e, first);
    e.word(enc.beq(ZERO, ZERO) | enc.distance(4 + lengthOf(second)));
    put(e, second);
  }
  finish(e, dst(item), rd);
};

/** Zero-extension, and sign-extension of what is narrower than 32 bits, change the canonical form; the rest only moves. */
const zeroExtend: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  const value = read(e, src(item, 0), T0);
  const isGrown = bitsOf(item.to ?? "i64") === 64 && bitsOf(typeOf(item)) === 32;
  const result = isGrown ? unsigned(e, value, "i32", rd) : value;
  if (result !== rd) put(e, enc.addi(rd, result, 0));
  finish(e, dst(item), rd);
};

const signExtend: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  const value = read(e, src(item, 0), T0);
  const result = signed(e, value, typeOf(item), rd);
  if (result !== rd) put(e, enc.addi(rd, result, 0));
  if (bitsOf(item.to ?? "i64") === 16) normalise(e, rd, "i16");
  finish(e, dst(item), rd);
};

const truncate: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  const to = item.to ?? "i64";
  const value = read(e, src(item, 0), T0);
  if (bitsOf(to) === bitsOf(typeOf(item))) put(e, enc.addi(rd, value, 0));
  else if (bitsOf(to) === 8) put(e, enc.andi(rd, value, 0xff));
  else if (bitsOf(to) === 16) {
    put(e, enc.slli(rd, value, 48));
    put(e, enc.srli(rd, rd, 48));
  } else put(e, enc.addiw(rd, value, 0));
  finish(e, dst(item), rd);
};

export const ARITHMETIC: Readonly<Record<string, Lower>> = {
  add: wrapping({ wide: enc.add, word: enc.addw, wideImmediate: enc.addi, wordImmediate: enc.addiw }, true),
  sub: subtract,
  mul: wrapping({ wide: enc.mul, word: enc.mulw }, true),
  div_s: divide({ wide: enc.div, word: enc.divw, isSigned: true }),
  div_u: divide({ wide: enc.divu, word: enc.divuw, isSigned: false }),
  rem_s: divide({ wide: enc.rem, word: enc.remw, isSigned: true }),
  rem_u: divide({ wide: enc.remu, word: enc.remuw, isSigned: false }),
  and: bitwise(enc.and, enc.andi),
  or: bitwise(enc.or, enc.ori),
  xor: bitwise(enc.xor, enc.xori),
  shl: shift({ wide: enc.sll, word: enc.sllw, wideImmediate: enc.slli, wordImmediate: enc.slliw, isArithmetic: false }),
  shr_u: shift({ wide: enc.srl, word: enc.srlw, wideImmediate: enc.srli, wordImmediate: enc.srliw, isArithmetic: false }),
  shr_s: shift({ wide: enc.sra, word: enc.sraw, wideImmediate: enc.srai, wordImmediate: enc.sraiw, isArithmetic: true }),
  rotl: rotate(true),
  rotr: rotate(false),
  not: complement,
  neg: negate,
  clz: called("guest_clz", toUnsigned, dropUpper),
  ctz: called("guest_ctz", stopAbove, nothing),
  popcnt: called("guest_popcnt", toUnsigned, nothing),
  bswap: called("guest_bswap", nothing, takeUpper),
  mulh_u: multiplyHigh(false),
  mulh_s: multiplyHigh(true),
  eq: compare("eq", false),
  ne: compare("ne", false),
  lt_s: compare("lt", true),
  lt_u: compare("lt", false),
  le_s: compare("le", true),
  le_u: compare("le", false),
  select,
  zext: zeroExtend,
  sext: signExtend,
  trunc: truncate,
};

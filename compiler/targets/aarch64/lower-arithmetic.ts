// Arithmetic of the bytecode on A64: every width with exact wrap-around, shift and division rules. Up to 32 bits are computed in W
// registers, which leave the upper half zero; 8 and 16 bits are cut after what may have spilled over. Only instructions of Armv8.0 are
// used, so that images run on any CPU; the population count is a function of the entry assembly, with x15 as its link.

import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Emission } from "../../native/emission.ts";
import type { ComputeItem, Comparison, CompareOp, Label, Virtual } from "../../native/items.ts";
import { bitsOf, constantOf } from "../../native/operands.ts";
import { CONDITION, enc, EXTEND, type Immediate, type ThreeRegisters } from "./encoding.ts";
import { trapHere } from "./lower-traps.ts";
import {
  finish,
  isImmediate,
  loadValue,
  logicalImmediate,
  moveRegister,
  normalise,
  read,
  readReal,
  resultRegister,
  signed,
  T0,
  T1,
  T2,
  widthOf,
  ZERO,
} from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;

interface Both<T> {
  readonly w: T;
  readonly x: T;
}

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

/** The negative of a constant in its type. */
const negated = (value: bigint, type: ScalarType): bigint => BigInt.asUintN(bitsOf(type), -value);

/** Sum and difference: low bits depend on low bits only. */
function additive(isSum: boolean): Lower {
  const [operation, immediate, opposite] = isSum ? [enc.add, enc.addImm, enc.subImm] : [enc.sub, enc.subImm, enc.addImm];
  return (e, item) => {
    const type = typeOf(item);
    const width = widthOf(type);
    const rd = resultRegister(e, dst(item));
    let [left, right] = [src(item, 0), src(item, 1)];
    if (isSum && constantOf(e, left) !== null) [left, right] = [right, left];
    const constant = constantOf(e, right);
    if (constant !== null && isImmediate(constant)) e.word(immediate[width](rd, readReal(e, left, T0), Number(constant)));
    else if (constant !== null && isImmediate(negated(constant, type))) e.word(opposite[width](rd, readReal(e, left, T0), Number(negated(constant, type))));
    else e.word(operation[width](rd, read(e, left, T0), read(e, right, T1)));
    normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/** The shift that is as good as a multiplication by a constant, if there is one. */
function shiftFor(constant: bigint | null): number | null {
  if (constant === null || constant === 0n || (constant & (constant - 1n)) !== 0n) return null;
  return constant.toString(2).length - 1;
}

/** A shift to the left within a type, whose bits above are not taken along. */
function leftBy(type: ScalarType, rd: number, value: number, by: number): number {
  const bits = bitsOf(type);
  return enc.ubfm[widthOf(type)](rd, value, -by & (bits === 64 ? 63 : 31), bits - 1 - by);
}

const multiply: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  const shift = shiftFor(constantOf(e, src(item, 1)));
  if (shift !== null) e.word(leftBy(type, rd, read(e, src(item, 0), T0), shift));
  else {
    e.word(enc.madd[widthOf(type)](rd, read(e, src(item, 0), T0), read(e, src(item, 1), T1), ZERO));
    normalise(e, rd, type);
  }
  finish(e, dst(item), rd);
};

/** Canonical operands give a canonical result. */
function bitwise(operation: Both<ThreeRegisters>, immediate: Both<Immediate>): Lower {
  return (e, item) => {
    const width = widthOf(typeOf(item));
    const rd = resultRegister(e, dst(item));
    let [left, right] = [src(item, 0), src(item, 1)];
    if (constantOf(e, left) !== null) [left, right] = [right, left];
    const constant = constantOf(e, right);
    const field = constant === null ? null : logicalImmediate(constant, width);
    if (field !== null) e.word(immediate[width](rd, read(e, left, T0), field));
    else e.word(operation[width](rd, read(e, left, T0), read(e, right, T1)));
    finish(e, dst(item), rd);
  };
}

/** The count modulo the width, as the shift instructions of 32 and 64 bits take it themselves. */
function count(e: Emission, item: ComputeItem, bits: number): number | bigint {
  const constant = constantOf(e, src(item, 1));
  if (constant !== null) return constant & BigInt(bits - 1);
  const register = read(e, src(item, 1), T1);
  if (bits >= 32) return register;
  e.word(enc.ubfm.w(T1, register, 0, bits === 8 ? 2 : 3));
  return T1;
}

const shiftLeft: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const rd = resultRegister(e, dst(item));
  const amount = count(e, item, bits);
  const value = read(e, src(item, 0), T0);
  if (typeof amount === "bigint") e.word(leftBy(type, rd, value, Number(amount)));
  else {
    e.word(enc.lslv[widthOf(type)](rd, value, amount));
    normalise(e, rd, type);
  }
  finish(e, dst(item), rd);
};

const shiftRight: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const width = widthOf(type);
  const rd = resultRegister(e, dst(item));
  const amount = count(e, item, bits);
  const value = read(e, src(item, 0), T0);
  if (typeof amount === "bigint") e.word(enc.ubfm[width](rd, value, Number(amount), bits - 1));
  else e.word(enc.lsrv[width](rd, value, amount));
  finish(e, dst(item), rd);
};

const shiftRightSigned: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const width = widthOf(type);
  const rd = resultRegister(e, dst(item));
  const amount = count(e, item, bits);
  const value = read(e, src(item, 0), T0);
  if (typeof amount === "bigint") e.word(enc.sbfm[width](rd, value, Number(amount), bits - 1));
  else e.word(enc.asrv[width](rd, signed(e, value, type, T0), amount));
  normalise(e, rd, type);
  finish(e, dst(item), rd);
};

/** ROR at 32 and 64 bits, to the left by the negative count; narrower values are doubled up first, so that ROR of 32 bits does it. */
function rotate(isLeft: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const width = widthOf(type);
    const rd = resultRegister(e, dst(item));
    let value = read(e, src(item, 0), T0);
    if (bits < 32) {
      moveRegister(e, T2, value);
      e.word(enc.bfm.w(T2, T2, 32 - bits, bits - 1));
      if (bits === 8) e.word(enc.bfm.w(T2, T2, 16, 15));
      value = T2;
    }
    const constant = constantOf(e, src(item, 1));
    if (constant !== null) {
      const size = bits === 64 ? 64 : 32;
      const by = Number(constant & BigInt(bits - 1));
      e.word(enc.extr[width](rd, value, value, 0) | ((isLeft ? -by & (size - 1) : by) << 10));
    } else {
      let amount = read(e, src(item, 1), T1);
      if (isLeft) {
        e.word(enc.sub.w(T1, ZERO, amount));
        amount = T1;
      }
      e.word(enc.rorv[width](rd, value, amount));
    }
    normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/**
 * A division by zero gives 0 in A64 and is a trap here. The overflow minimum / -1 wraps as wanted (C6.2, SDIV); in 8 and 16 bits the
 * quotient does not overflow in 32 and wraps when it is cut.
 */
function divide(isSigned: boolean, isRemainder: boolean): Lower {
  const operation = isSigned ? enc.sdiv : enc.udiv;
  return (e, item) => {
    const type = typeOf(item);
    const width = widthOf(type);
    const rd = resultRegister(e, dst(item));
    const constant = constantOf(e, src(item, 1));
    const left = read(e, src(item, 0), T0);
    const right = read(e, src(item, 1), T1);
    if (constant === null || constant === 0n) {
      const zero = e.cold(() => trapHere(e, { class: TRAP_CLASSES.indexOf("divide_error"), access: 0, width: 0 }));
      if (right === ZERO) jump(e, zero);
      else branchZero(e, right, type, true, zero);
    }
    const dividend = isSigned ? signed(e, left, type, T0) : left;
    const divisor = isSigned ? signed(e, right, type, T1) : right;
    if (isRemainder) {
      e.word(operation[width](T2, dividend, divisor));
      e.word(enc.msub[width](rd, T2, divisor, dividend));
    } else e.word(operation[width](rd, dividend, divisor));
    if (isSigned) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

function multiplyHigh(isSigned: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const rd = resultRegister(e, dst(item));
    const left = read(e, src(item, 0), T0);
    const right = read(e, src(item, 1), T1);
    if (bits === 64) e.word((isSigned ? enc.smulh : enc.umulh)(rd, left, right));
    else {
      const first = isSigned ? signed(e, left, type, T0) : left;
      const second = isSigned ? signed(e, right, type, T1) : right;
      e.word((isSigned ? enc.smaddl : enc.umaddl)(rd, first, second, ZERO));
      e.word(enc.ubfm.x(rd, rd, bits, 2 * bits - 1));
    }
    finish(e, dst(item), rd);
  };
}

const negate: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  e.word(enc.sub[widthOf(type)](rd, ZERO, read(e, src(item, 0), T0)));
  normalise(e, rd, type);
  finish(e, dst(item), rd);
};

const complement: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  e.word(enc.orn[widthOf(type)](rd, ZERO, read(e, src(item, 0), T0)));
  normalise(e, rd, type);
  finish(e, dst(item), rd);
};

const leadingZeros: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const rd = resultRegister(e, dst(item));
  e.word(enc.clz[widthOf(type)](rd, read(e, src(item, 0), T0)));
  if (bits < 32) e.word(enc.subImm.w(rd, rd, 32 - bits));
  finish(e, dst(item), rd);
};

/** A bit above the width stops the count there. */
const trailingZeros: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const width = widthOf(type);
  const rd = resultRegister(e, dst(item));
  let value = read(e, src(item, 0), T0);
  if (bits < 32) {
    const stop = logicalImmediate(1n << BigInt(bits), "w");
    if (stop === null) throw new Error("a single bit is a logical immediate");
    e.word(enc.orrImm.w(T0, value, stop));
    value = T0;
  }
  e.word(enc.rbit[width](rd, value));
  e.word(enc.clz[width](rd, rd));
  finish(e, dst(item), rd);
};

const RETURN_BEHIND = 8;

/** `guest_popcnt`: argument and result in x16; x17 is lost, x15 is the link, so that a leaf keeps its return address. */
const populationCount: Lower = (e, item) => {
  moveRegister(e, T0, read(e, src(item, 0), T0));
  e.word(enc.adr(T2) | enc.adrDistance(RETURN_BEHIND));
  e.relocate("branch26", { kind: "label", name: "guest_popcnt" });
  e.word(enc.b);
  finish(e, dst(item), T0);
};

const swapBytes: Lower = (e, item) => {
  const type = typeOf(item);
  const rd = resultRegister(e, dst(item));
  const value = read(e, src(item, 0), T0);
  if (bitsOf(type) === 8) moveRegister(e, rd, value);
  else if (bitsOf(type) === 16) e.word(enc.rev16(rd, value));
  else e.word(enc.rev[widthOf(type)](rd, value));
  finish(e, dst(item), rd);
};

const CONDITIONS: Readonly<Record<CompareOp, number>> = {
  eq: CONDITION.eq,
  ne: CONDITION.ne,
  lt_s: CONDITION.lt,
  lt_u: CONDITION.lo,
  le_s: CONDITION.le,
  le_u: CONDITION.ls,
  gt_s: CONDITION.gt,
  gt_u: CONDITION.hi,
  ge_s: CONDITION.ge,
  ge_u: CONDITION.hs,
};

const SIGNED: ReadonlySet<CompareOp> = new Set(["lt_s", "le_s", "gt_s", "ge_s"]);

/** The same comparison from the other side. */
const SWAPPED: Readonly<Record<CompareOp, CompareOp>> = {
  eq: "eq",
  ne: "ne",
  lt_s: "gt_s",
  lt_u: "gt_u",
  le_s: "ge_s",
  le_u: "ge_u",
  gt_s: "lt_s",
  gt_u: "lt_u",
  ge_s: "le_s",
  ge_u: "le_u",
};

/** Constants can be immediates on the right only. */
function withConstantRight(e: Emission, comparison: Comparison): Comparison {
  const { op, type, left, right } = comparison;
  if (constantOf(e, left) === null || constantOf(e, right) !== null) return comparison;
  return { op: SWAPPED[op], type, left: right, right: left };
}

/** Compares two operands; conditions then are of their whole registers. */
function setFlags(e: Emission, { op, type, left, right }: Comparison): void {
  const bits = bitsOf(type);
  const width = widthOf(type);
  const isNarrow = bits < 32 && SIGNED.has(op);
  let first = read(e, left, T0);
  if (isNarrow) first = signed(e, first, type, T0);
  const constant = constantOf(e, right);
  if (constant !== null) {
    const value = isNarrow ? BigInt.asIntN(bits, constant) : constant;
    const opposite = isNarrow ? -value : negated(value, bits === 64 ? "i64" : "i32");
    // Of a comparison with 31 as its first register an immediate would be compared with the stack pointer.
    if (first === ZERO) loadValue(e, (first = T0), 0n);
    if (isImmediate(value)) {
      e.word(enc.subsImm[width](ZERO, first, Number(value)));
      return;
    }
    // Adding the negative sets the flags as subtracting does, but for values of 0 and minimum, which are not among these.
    if (isImmediate(opposite)) {
      e.word(enc.addsImm[width](ZERO, first, Number(opposite)));
      return;
    }
    loadValue(e, T1, isNarrow ? BigInt.asUintN(32, value) : value);
    e.word(enc.subs[width](ZERO, first, T1));
    return;
  }
  const second = read(e, right, T1);
  if (isNarrow) e.word(enc.subsExt(ZERO, first === ZERO ? (loadValue(e, T0, 0n), T0) : first, second, bits === 8 ? EXTEND.sxtb : EXTEND.sxth));
  else e.word(enc.subs[width](ZERO, first, second));
}

/** Comparison with a canonical result of 0 or 1. */
function compare(op: CompareOp): Lower {
  return (e, item) => {
    const comparison = withConstantRight(e, { op, type: typeOf(item), left: src(item, 0), right: src(item, 1) });
    setFlags(e, comparison);
    const rd = resultRegister(e, dst(item));
    e.word(enc.csinc.w(rd, ZERO, ZERO, CONDITIONS[comparison.op] ^ 1));
    finish(e, dst(item), rd);
  };
}

/** A branch on a condition, which may lead far away. */
export function branchOn(e: Emission, condition: number, label: Label): void {
  const { number, isLong } = e.branch();
  if (isLong) {
    e.word(enc.bCond(condition ^ 1) | enc.shortDistance(8));
    e.refer(label, "branch26", number);
    e.word(enc.b);
    return;
  }
  e.refer(label, "branch19", number);
  e.word(enc.bCond(condition));
}

export function branchZero(e: Emission, register: number, type: ScalarType, isZero: boolean, label: Label): void {
  const width = widthOf(type);
  const { number, isLong } = e.branch();
  if (isLong) {
    e.word((isZero ? enc.cbnz : enc.cbz)[width](register) | enc.shortDistance(8));
    e.refer(label, "branch26", number);
    e.word(enc.b);
    return;
  }
  e.refer(label, "branch19", number);
  e.word((isZero ? enc.cbz : enc.cbnz)[width](register));
}

export function jump(e: Emission, label: Label): void {
  e.refer(label, "branch26");
  e.word(enc.b);
}

export function branchCompare(e: Emission, written: Comparison, label: Label): void {
  const comparison = withConstantRight(e, written);
  const { op, type, left, right } = comparison;
  if ((op === "eq" || op === "ne") && constantOf(e, right) === 0n) {
    branchZero(e, read(e, left, T0), type, op === "eq", label);
    return;
  }
  setFlags(e, comparison);
  branchOn(e, CONDITIONS[op], label);
}

const select: Lower = (e, item) => {
  const condition = read(e, src(item, 0), T0);
  const yes = read(e, src(item, 1), T1);
  const no = read(e, src(item, 2), T2);
  const rd = resultRegister(e, dst(item));
  e.word(enc.subs.w(ZERO, condition, ZERO));
  e.word(enc.csel[widthOf(typeOf(item))](rd, yes, no, CONDITION.ne));
  finish(e, dst(item), rd);
};

/** Values are zero-extended already. */
const zeroExtend: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  moveRegister(e, rd, read(e, src(item, 0), rd));
  finish(e, dst(item), rd);
};

const signExtend: Lower = (e, item) => {
  const from = bitsOf(typeOf(item));
  const to = bitsOf(item.to ?? "i64");
  const rd = resultRegister(e, dst(item));
  const value = read(e, src(item, 0), T0);
  if (from === to) moveRegister(e, rd, value);
  else e.word(enc.sbfm[to === 64 ? "x" : "w"](rd, value, 0, from - 1));
  if (from !== to) normalise(e, rd, item.to ?? "i64");
  finish(e, dst(item), rd);
};

const truncate: Lower = (e, item) => {
  const to = bitsOf(item.to ?? "i64");
  const rd = resultRegister(e, dst(item));
  const value = read(e, src(item, 0), T0);
  if (to === bitsOf(typeOf(item))) moveRegister(e, rd, value);
  else if (to === 32) e.word(enc.orr.w(rd, ZERO, value));
  else e.word(enc.ubfm.w(rd, value, 0, to - 1));
  finish(e, dst(item), rd);
};

export const ARITHMETIC: Readonly<Record<string, Lower>> = {
  add: additive(true),
  sub: additive(false),
  mul: multiply,
  div_s: divide(true, false),
  div_u: divide(false, false),
  rem_s: divide(true, true),
  rem_u: divide(false, true),
  and: bitwise(enc.and, enc.andImm),
  or: bitwise(enc.orr, enc.orrImm),
  xor: bitwise(enc.eor, enc.eorImm),
  shl: shiftLeft,
  shr_u: shiftRight,
  shr_s: shiftRightSigned,
  rotl: rotate(true),
  rotr: rotate(false),
  not: complement,
  neg: negate,
  clz: leadingZeros,
  ctz: trailingZeros,
  popcnt: populationCount,
  bswap: swapBytes,
  mulh_u: multiplyHigh(false),
  mulh_s: multiplyHigh(true),
  eq: compare("eq"),
  ne: compare("ne"),
  lt_s: compare("lt_s"),
  lt_u: compare("lt_u"),
  le_s: compare("le_s"),
  le_u: compare("le_u"),
  select,
  zext: zeroExtend,
  sext: signExtend,
  trunc: truncate,
};

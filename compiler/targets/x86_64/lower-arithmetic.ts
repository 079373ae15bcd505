// Arithmetic of the bytecode on x86-64: every width with exact wrap-around, shift and division rules. 8 and 16 bits are computed in 32
// and cut, but for comparisons and rotations, which the processor has at every width. Only what every x86-64 processor has is used,
// so bit counts are made of older instructions. Sections are those of the Intel SDM, volume 2.

import type { ScalarType } from "../../../isa/bytecode/module.ts";
import type { Emission } from "../../native/emission.ts";
import type { CompareOp, Comparison, ComputeItem, Virtual } from "../../native/items.ts";
import { bitsOf, constantOf } from "../../native/operands.ts";
import {
  bswap,
  call,
  conditionNumber,
  isByteSized,
  jump,
  jumpIf,
  moveIf,
  OPCODES,
  setCondition,
  signToDx,
  withMemory,
  withMemoryOnly,
  withOne,
  withRegister,
  type AluForms,
  type Memory,
  type Opcode,
  type Width,
} from "./encoding.ts";
import {
  apply,
  applyToMemory,
  bring,
  clear,
  finish,
  loadValue,
  moveRegister,
  normalise,
  operand,
  RAX,
  RCX,
  RDX,
  read,
  resultRegister,
  signExtend,
  stackSlot,
  type Operand,
} from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;
type ByWidth = Readonly<Record<32 | 64, Opcode>>;

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

/** The width that a type is computed in. */
const widthOf = (type: ScalarType): 32 | 64 => (bitsOf(type) === 64 ? 64 : 32);

const isRegister = (value: Operand, register: number): boolean => value.kind === "register" && value.register === register;

/** Whether an operand's value is in this register. */
function livesIn(e: Emission, value: Virtual, register: number): boolean {
  const at = e.location(value);
  return at.kind === "register" && at.register === register;
}

/** Operands of an operation that may be exchanged, in the better order: constants last, and the one that the result replaces first. */
function ordered(e: Emission, item: ComputeItem, rd: number): readonly [Virtual, Virtual] {
  const [left, right] = [src(item, 0), src(item, 1)];
  const isBetter = constantOf(e, left) !== null || (livesIn(e, right, rd) && !livesIn(e, left, rd));
  return isBetter && constantOf(e, right) === null ? [right, left] : [left, right];
}

/** Two-address arithmetic. Low bits of the result depend on low bits only. */
function binary(op: AluForms, isCommutative: boolean, isCanonical: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const width = widthOf(type);
    const result = resultRegister(e, dst(item));
    const [left, right] = isCommutative ? ordered(e, item, result) : [src(item, 0), src(item, 1)];
    const [to, from] = [e.location(dst(item)), e.location(left)];
    const second = operand(e, right, width, RCX);
    if (to.kind === "slot" && from.kind === "slot" && to.offset === from.offset && second.kind !== "memory" && (isCanonical || bitsOf(type) >= 32)) {
      // A slot holds eight bytes, of which an operation of 32 bits keeps the upper four zero.
      applyToMemory(e, op, width, stackSlot(to.offset), second);
      return;
    }
    const isInTheWay = isRegister(second, result) && !livesIn(e, left, result);
    const rd = isInTheWay ? RAX : result;
    bring(e, rd, e.location(left));
    if (second.kind === "immediate" && (second.value === 1 || second.value === -1) && (op === OPCODES.add || op === OPCODES.sub)) {
      withOne(e, (op === OPCODES.add) === (second.value === 1) ? OPCODES.inc[width] : OPCODES.dec[width], rd);
    } else apply(e, op, width, rd, second);
    if (isCanonical) e.tellFlags(rd);
    else normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

const addInPlace = binary(OPCODES.add, true, false);

/** `lea` adds into a third register. */
const add: Lower = (e, item) => {
  const type = typeOf(item);
  const width = widthOf(type);
  const rd = resultRegister(e, dst(item));
  const [left, right] = ordered(e, item, rd);
  const first = e.location(left);
  if (first.kind === "register" && first.register !== rd) {
    const second = operand(e, right, width, RCX);
    let at: Memory | null = null;
    if (second.kind === "immediate") at = { kind: "base", base: first.register, offset: second.value };
    else if (second.kind === "register" && second.register !== rd) at = { kind: "sum", base: first.register, index: second.register };
    if (at !== null) {
      withMemory(e, OPCODES.lea[width], rd, at);
      normalise(e, rd, type);
      finish(e, dst(item), rd);
      return;
    }
  }
  addInPlace(e, item);
};

const multiply: Lower = (e, item) => {
  const type = typeOf(item);
  const width = widthOf(type);
  const result = resultRegister(e, dst(item));
  const [left, right] = ordered(e, item, result);
  const second = operand(e, right, width, RCX);
  if (second.kind === "immediate") {
    const shifts = Math.log2(second.value);
    if (Number.isInteger(shifts)) {
      bring(e, result, e.location(left));
      if (shifts > 0) {
        withOne(e, OPCODES.shl.byImmediate[width], result);
        e.byte(shifts);
      }
      normalise(e, result, type);
      finish(e, dst(item), result);
      return;
    }
    const isShort = isByteSized(second.value);
    const op = (isShort ? OPCODES.imulShort : OPCODES.imulLong)[width];
    const first = e.location(left);
    if (first.kind === "slot") withMemory(e, op, result, stackSlot(first.offset), isShort ? 1 : 4);
    else withRegister(e, op, result, read(e, left, RAX));
    if (isShort) e.byte(second.value & 0xff);
    else e.word(second.value);
    normalise(e, result, type);
    finish(e, dst(item), result);
    return;
  }
  const rd = isRegister(second, result) && !livesIn(e, left, result) ? RAX : result;
  bring(e, rd, e.location(left));
  if (second.kind === "register") withRegister(e, OPCODES.imul[width], rd, second.register);
  else withMemory(e, OPCODES.imul[width], rd, second.at);
  normalise(e, rd, type);
  finish(e, dst(item), rd);
};

/** One operand that is changed in place. */
function unary(op: Readonly<Record<32 | 64, Opcode>>): Lower {
  return (e, item) => {
    const rd = resultRegister(e, dst(item));
    bring(e, rd, e.location(src(item, 0)));
    withOne(e, op[widthOf(typeOf(item))], rd);
    normalise(e, rd, typeOf(item));
    finish(e, dst(item), rd);
  };
}

type Shift = typeof OPCODES.shl;

/** The processor takes a count modulo 32 or 64 (4.3, SAL/SAR/SHL/SHR), and of rotations modulo the width, which divides that. */
function shift(op: Shift, kind: "logical" | "arithmetic" | "rotation"): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const width = kind === "rotation" ? bits : widthOf(type);
    const rd = resultRegister(e, dst(item));
    const constant = constantOf(e, src(item, 1));
    if (constant === null) {
      bring(e, RCX, e.location(src(item, 1)));
      if (bits < 32 && kind !== "rotation") apply(e, OPCODES.and, 32, RCX, { kind: "immediate", value: bits - 1 });
    }
    if (kind === "arithmetic" && bits < 32) signExtend(e, rd, read(e, src(item, 0), RAX), type, 32);
    else bring(e, rd, e.location(src(item, 0)));
    if (constant === null) withOne(e, op.byCl[width], rd);
    else {
      const count = Number(BigInt.asUintN(Math.log2(bits), constant));
      if (count === 1) withOne(e, op.byOne[width], rd);
      else if (count !== 0) {
        withOne(e, op.byImmediate[width], rd);
        e.byte(count);
      }
    }
    // Rotations of 8 and 16 bits leave the rest of the register alone; a logical shift to the right brings in zeros only.
    if (kind !== "rotation" && !(op === OPCODES.shr)) normalise(e, rd, type);
    finish(e, dst(item), rd);
  };
}

/**
 * A division by zero is the processor's own exception. So is minimum / -1, which wraps here: in up to 32 bits the quotient is
 * computed where it fits, in 64 the divisor -1 goes another way.
 */
function divide(isSigned: boolean, wantsRemainder: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const constant = constantOf(e, src(item, 1));
    const overflows = isSigned && bits >= 32 && (constant === null || constant === canonicalMinusOne(bits));
    const width = overflows || bits === 64 ? 64 : 32;
    const result = wantsRemainder ? RDX : RAX;
    let done: number | null = null;
    if (isSigned) {
      signExtend(e, RCX, read(e, src(item, 1), RCX), type, width);
      signExtend(e, RAX, read(e, src(item, 0), RAX), type, width);
      if (bits === 64 && overflows) {
        const back = (done = e.label());
        const minusOne = e.cold(() => {
          if (wantsRemainder) clear(e, RDX);
          else withOne(e, OPCODES.neg[64], RAX);
          jump(e, back);
        });
        apply(e, OPCODES.cmp, 64, RCX, { kind: "immediate", value: -1 });
        jumpIf(e, conditionNumber("e"), minusOne);
      }
      signToDx(e, width);
      withOne(e, OPCODES.idiv[width], RCX);
    } else {
      const divisor = e.location(src(item, 1));
      const isInPlace = divisor.kind === "slot" || divisor.kind === "register";
      if (!isInPlace) bring(e, RCX, divisor);
      bring(e, RAX, e.location(src(item, 0)));
      clear(e, RDX);
      if (divisor.kind === "slot") withMemoryOnly(e, OPCODES.div[width], stackSlot(divisor.offset));
      else withOne(e, OPCODES.div[width], divisor.kind === "register" ? divisor.register : RCX);
    }
    if (done !== null) e.bind(done);
    if (isSigned) {
      normalise(e, result, type);
      // Computed in 64 bits, an i32 is still to be cut.
      if (bits === 32 && width === 64) withRegister(e, OPCODES.mov.load[32], result, result);
    }
    finish(e, dst(item), result);
  };
}

const canonicalMinusOne = (bits: number): bigint => (bits === 64 ? -1n : (1n << BigInt(bits)) - 1n);

function multiplyHigh(isSigned: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    if (bits === 64) {
      const right = read(e, src(item, 1), RCX);
      bring(e, RAX, e.location(src(item, 0)));
      withOne(e, (isSigned ? OPCODES.imulWide : OPCODES.mulWide)[64], right);
      finish(e, dst(item), RDX);
      return;
    }
    const width = bits === 32 ? 64 : 32;
    const [left, right] = [read(e, src(item, 0), RAX), read(e, src(item, 1), RCX)];
    if (isSigned) {
      signExtend(e, RAX, left, type, width);
      signExtend(e, RCX, right, type, width);
    } else {
      moveRegister(e, RAX, left);
      moveRegister(e, RCX, right);
    }
    withRegister(e, OPCODES.imul[width], RAX, RCX);
    withOne(e, (isSigned ? OPCODES.sar : OPCODES.shr).byImmediate[width], RAX);
    e.byte(bits);
    if (isSigned) {
      normalise(e, RAX, type);
      if (bits === 32) withRegister(e, OPCODES.mov.load[32], RAX, RAX);
    }
    finish(e, dst(item), RAX);
  };
}

/** `bsr` and `bsf` say by the zero flag that there was no bit (3.2, BSF, BSR). */
function scan(op: ByWidth, isLeading: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const bits = bitsOf(type);
    const width = widthOf(type);
    const value = read(e, src(item, 0), RAX);
    loadValue(e, RCX, BigInt(isLeading ? 2 * bits - 1 : bits));
    withRegister(e, op[width], RAX, value);
    moveIf(e, conditionNumber("e"), 32, RAX, RCX);
    // The number of the highest bit turned into what is above it: bits - 1 - n, and for none (2 * bits - 1) the width.
    if (isLeading) apply(e, OPCODES.xor, 32, RAX, { kind: "immediate", value: bits - 1 });
    finish(e, dst(item), RAX);
  };
}

/** The entry assembly counts: argument and result in rax, rcx and rdx lost. */
const populationCount: Lower = (e, item) => {
  bring(e, RAX, e.location(src(item, 0)));
  call(e, { label: "guest_popcnt" });
  finish(e, dst(item), RAX);
};

const swapBytes: Lower = (e, item) => {
  const bits = bitsOf(typeOf(item));
  const rd = resultRegister(e, dst(item));
  bring(e, rd, e.location(src(item, 0)));
  if (bits === 16) {
    withOne(e, OPCODES.rol.byImmediate[16], rd);
    e.byte(8);
  } else if (bits >= 32) bswap(e, bits === 64 ? 64 : 32, rd);
  finish(e, dst(item), rd);
};

const CONDITION_OF: Readonly<Record<CompareOp, number>> = {
  eq: conditionNumber("e"),
  ne: conditionNumber("ne"),
  lt_s: conditionNumber("l"),
  le_s: conditionNumber("le"),
  gt_s: conditionNumber("g"),
  ge_s: conditionNumber("ge"),
  lt_u: conditionNumber("b"),
  le_u: conditionNumber("be"),
  gt_u: conditionNumber("a"),
  ge_u: conditionNumber("ae"),
};

/** The same comparison with its operands exchanged. */
const MIRRORED: Readonly<Record<CompareOp, CompareOp>> = {
  eq: "eq",
  ne: "ne",
  lt_s: "gt_s",
  le_s: "ge_s",
  gt_s: "lt_s",
  ge_s: "le_s",
  lt_u: "gt_u",
  le_u: "ge_u",
  gt_u: "lt_u",
  ge_u: "le_u",
};

/** Sets the flags and tells the condition code under which the comparison holds. */
export function compareValues(e: Emission, { op, type, left, right }: Comparison): number {
  // An immediate can only be the second operand.
  if (constantOf(e, left) !== null && constantOf(e, right) === null) {
    setFlags(e, type, op.endsWith("_s"), right, left);
    return CONDITION_OF[MIRRORED[op]];
  }
  setFlags(e, type, op.endsWith("_s"), left, right);
  return CONDITION_OF[op];
}

/**
 * Narrow values are kept zero-extended, so that 32 bits compare as 8 or 16 do unless signs matter: those want no prefixes. An
 * immediate of 8 bits is longer in 32 from 128 on.
 */
function widthToCompare(e: Emission, type: ScalarType, isSigned: boolean, right: Virtual): Width {
  const bits = bitsOf(type);
  if (bits >= 32 || isSigned) return bits;
  const constant = constantOf(e, right);
  return constant === null || (constant >= 0n && constant < 128n) ? 32 : bits;
}

/** By left - right. */
function setFlags(e: Emission, type: ScalarType, isSigned: boolean, left: Virtual, right: Virtual): void {
  const width = widthToCompare(e, type, isSigned, right);
  const second = operand(e, right, width, RCX);
  const first = e.location(left);
  if (first.kind === "slot" && second.kind !== "memory") {
    applyToMemory(e, OPCODES.cmp, width, stackSlot(first.offset), second);
    return;
  }
  const register = read(e, left, RAX);
  // Against 0 a test sets the same flags.
  if (second.kind === "immediate" && second.value === 0) testRegister(e, register, width, isSigned);
  else apply(e, OPCODES.cmp, width, register, second);
}

/** Logical operations have set the flags of their results as a test does, but for the sign of a value that has become wider since. */
function testRegister(e: Emission, register: number, width: Width, isSigned: boolean): void {
  if (isSigned || !e.hasFlags(register)) withRegister(e, OPCODES.test[width], register, register);
}

function compare(op: CompareOp): Lower {
  return (e, item) => {
    setCondition(e, compareValues(e, { op, type: typeOf(item), left: src(item, 0), right: src(item, 1) }), RAX);
    const rd = resultRegister(e, dst(item));
    withRegister(e, OPCODES.movzx8, rd, RAX);
    finish(e, dst(item), rd);
  };
}

/** Zero flag: the condition is false. */
export function testCondition(e: Emission, condition: ReturnType<Emission["location"]>): void {
  if (condition.kind === "slot") {
    applyToMemory(e, OPCODES.cmp, 8, stackSlot(condition.offset), { kind: "immediate", value: 0 });
    return;
  }
  let register = RAX;
  if (condition.kind === "register") register = condition.register;
  else bring(e, RAX, condition);
  testRegister(e, register, 32, false);
}

const select: Lower = (e, item) => {
  const width = widthOf(typeOf(item));
  const yes = e.location(src(item, 1));
  const result = resultRegister(e, dst(item));
  let chosen: number | Memory = RCX;
  if (yes.kind === "register") chosen = yes.register;
  else if (yes.kind === "slot") chosen = stackSlot(yes.offset);
  else bring(e, RCX, yes);
  testCondition(e, e.location(src(item, 0)));
  // From here on the flags are wanted. The result may be where the second operand is.
  const rd = chosen === result ? RDX : result;
  bring(e, rd, e.location(src(item, 2)), true);
  moveIf(e, conditionNumber("ne"), width, rd, chosen);
  finish(e, dst(item), rd);
};

const zeroExtend: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  bring(e, rd, e.location(src(item, 0)));
  finish(e, dst(item), rd);
};

const extendSign: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  const to = item.to ?? "i64";
  signExtend(e, rd, read(e, src(item, 0), RAX), typeOf(item), widthOf(to));
  if (bitsOf(to) === 16) normalise(e, rd, "i16");
  if (bitsOf(to) === 8) normalise(e, rd, "i8");
  finish(e, dst(item), rd);
};

const truncate: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  const to = item.to ?? "i64";
  if (bitsOf(to) === bitsOf(typeOf(item))) {
    bring(e, rd, e.location(src(item, 0)));
    finish(e, dst(item), rd);
    return;
  }
  const op = bitsOf(to) === 8 ? OPCODES.movzx8 : bitsOf(to) === 16 ? OPCODES.movzx16 : OPCODES.mov.load[32];
  const from = e.location(src(item, 0));
  if (from.kind === "slot") withMemory(e, op, rd, stackSlot(from.offset));
  else withRegister(e, op, rd, read(e, src(item, 0), RAX));
  finish(e, dst(item), rd);
};

export const ARITHMETIC: Readonly<Record<string, Lower>> = {
  add,
  sub: binary(OPCODES.sub, false, false),
  mul: multiply,
  div_s: divide(true, false),
  div_u: divide(false, false),
  rem_s: divide(true, true),
  rem_u: divide(false, true),
  and: binary(OPCODES.and, true, true),
  or: binary(OPCODES.or, true, true),
  xor: binary(OPCODES.xor, true, true),
  shl: shift(OPCODES.shl, "logical"),
  shr_u: shift(OPCODES.shr, "logical"),
  shr_s: shift(OPCODES.sar, "arithmetic"),
  rotl: shift(OPCODES.rol, "rotation"),
  rotr: shift(OPCODES.ror, "rotation"),
  not: unary(OPCODES.not),
  neg: unary(OPCODES.neg),
  clz: scan(OPCODES.bsr, true),
  ctz: scan(OPCODES.bsf, false),
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
  sext: extendSign,
  trunc: truncate,
};

// Values and arithmetic of guest bytecode as wasm: one row an instruction. Registers of 8 and 16 bits live zero-extended in i32
// locals, so narrow operations mask their result and signed ones extend their operands first; shift counts are reduced to the
// width because wasm reduces them to 32. Divisions test for zero before (a wasm trap could not be a guest trap).

import { codeAddress } from "../../../isa/bytecode/module.ts";
import type { Instruction, ScalarType } from "../../../isa/bytecode/module.ts";
import { I32, I64, OP, VOID } from "../wasm/encoder.ts";
import { SP_LOCAL, close, getRegister, localOf, openElse, openIf, raiseTrap, setRegister } from "./translate-context.ts";
import type { Bits, FunctionWriter } from "./translate-context.ts";
import { divisorMayBe } from "./translate-facts.ts";

export type Emit = (f: FunctionWriter, instruction: Instruction) => void;

export function bitsOf(f: FunctionWriter, type: ScalarType | undefined): Bits {
  if (type === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: type missing`);
  return f.context.bits[type];
}

/** Immediate number n as a plain number. */
export function numberImmediate(f: FunctionWriter, instruction: Instruction, n: number): number {
  const value = instruction.imm[n];
  if (value === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: immediate missing`);
  return Number(value);
}

/** Pushes a constant of `bits` bits, given as any integer that has them as its low bits; numbers are safe integers. */
export function pushConstant(f: FunctionWriter, bits: Bits, value: number | bigint): void {
  if (bits === 64) f.w.i64Const(value);
  else f.w.i32Const(narrowBits(bits, value));
}

function narrowBits(bits: 8 | 16 | 32, value: number | bigint): number {
  // ToInt32 takes the low 32 bits of any safe integer.
  const low = typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value | 0;
  return bits === 32 ? low : low & (bits === 8 ? 0xff : 0xffff);
}

function mask(f: FunctionWriter, bits: Bits): void {
  if (bits >= 32) return;
  f.w.withConst(bits === 8 ? 0xff : 0xffff, OP.i32_and);
}

function signExtend(f: FunctionWriter, bits: Bits): void {
  if (bits === 8) f.w.byte(OP.i32_extend8_s);
  else if (bits === 16) f.w.byte(OP.i32_extend16_s);
}

/** Byte-reverses the value on the stack, using the temporaries. */
export function swapBytes(f: FunctionWriter, bits: Bits): void {
  const w = f.w;
  if (bits === 8) return;
  if (bits === 64) {
    for (const [shift, ones] of [
      [8, 0x00ff_00ff_00ff_00ffn],
      [16, 0x0000_ffff_0000_ffffn],
    ] as const) {
      w.localTee(f.temp64);
      w.i64Const(shift);
      w.byte(OP.i64_shr_u);
      w.i64Const(ones);
      w.byte(OP.i64_and);
      w.localGet(f.temp64);
      w.i64Const(ones);
      w.byte(OP.i64_and);
      w.i64Const(shift);
      w.byte(OP.i64_shl);
      w.byte(OP.i64_or);
    }
    w.i64Const(32);
    w.byte(OP.i64_rotl);
    return;
  }
  w.localTee(f.temp32b);
  if (bits === 16) {
    w.i32Const(8);
    w.byte(OP.i32_shr_u);
    w.localGet(f.temp32b);
    w.i32Const(8);
    w.byte(OP.i32_shl);
    w.byte(OP.i32_or);
    mask(f, 16);
    return;
  }
  w.i32Const(0xff00_ff00);
  w.byte(OP.i32_and);
  w.i32Const(8);
  w.byte(OP.i32_rotl);
  w.localGet(f.temp32b);
  w.i32Const(0x00ff_00ff);
  w.byte(OP.i32_and);
  w.i32Const(8);
  w.byte(OP.i32_rotr);
  w.byte(OP.i32_or);
}

/** Operations that are one wasm instruction on unsigned operands, then masked. */
function wrapping(op32: number, op64: number): Emit {
  return (f, i) => {
    const bits = bitsOf(f, i.type);
    f.w.withLocals(localOf(f, i.src[0]), localOf(f, i.src[1]), bits === 64 ? op64 : op32);
    mask(f, bits);
    setRegister(f, i.dst[0]);
  };
}

/** Results of and, or, xor and of unsigned quotients never outgrow their operands. */
function closed(op32: number, op64: number): Emit {
  return (f, i) => {
    f.w.withLocals(localOf(f, i.src[0]), localOf(f, i.src[1]), bitsOf(f, i.type) === 64 ? op64 : op32);
    setRegister(f, i.dst[0]);
  };
}

function compare(op32: number, op64: number, signed: boolean): Emit {
  return (f, i) => {
    const bits = bitsOf(f, i.type);
    getRegister(f, i.src[0]);
    if (signed) signExtend(f, bits);
    getRegister(f, i.src[1]);
    if (signed) signExtend(f, bits);
    f.w.byte(bits === 64 ? op64 : op32);
    setRegister(f, i.dst[0]);
  };
}

function pushCount(f: FunctionWriter, bits: Bits, register: number | undefined): void {
  getRegister(f, register);
  if (bits >= 32) return;
  f.w.i32Const(bits - 1);
  f.w.byte(OP.i32_and);
}

function shift(op32: number, op64: number, signed: boolean): Emit {
  return (f, i) => {
    const bits = bitsOf(f, i.type);
    getRegister(f, i.src[0]);
    if (signed) signExtend(f, bits);
    pushCount(f, bits, i.src[1]);
    f.w.byte(bits === 64 ? op64 : op32);
    mask(f, bits);
    setRegister(f, i.dst[0]);
  };
}

function rotate(op32: number, op64: number, left: boolean): Emit {
  return (f, i) => {
    const bits = bitsOf(f, i.type);
    const w = f.w;
    if (bits >= 32) {
      getRegister(f, i.src[0]);
      getRegister(f, i.src[1]);
      w.byte(bits === 64 ? op64 : op32);
      setRegister(f, i.dst[0]);
      return;
    }
    getRegister(f, i.src[0]);
    pushCount(f, bits, i.src[1]);
    w.byte(left ? OP.i32_shl : OP.i32_shr_u);
    getRegister(f, i.src[0]);
    w.i32Const(0);
    getRegister(f, i.src[1]);
    w.byte(OP.i32_sub);
    w.i32Const(bits - 1);
    w.byte(OP.i32_and);
    w.byte(left ? OP.i32_shr_u : OP.i32_shl);
    w.byte(OP.i32_or);
    mask(f, bits);
    setRegister(f, i.dst[0]);
  };
}

/** Traps divide_error when the divisor is 0. */
function testDivisor(f: FunctionWriter, i: Instruction, bits: Bits): void {
  if (i.type !== undefined && !divisorMayBe(f, i.src[1], i.type, 0)) return;
  f.w.withLocal(localOf(f, i.src[1]), bits === 64 ? OP.i64_eqz : OP.i32_eqz);
  openIf(f, VOID, false);
  raiseTrap(f, "divide_error");
  close(f);
}

function divideUnsigned(op32: number, op64: number): Emit {
  const divide = closed(op32, op64);
  return (f, i) => {
    testDivisor(f, i, bitsOf(f, i.type));
    divide(f, i);
  };
}

const divideSigned: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  const w = f.w;
  testDivisor(f, i, bits);
  // minimum / -1 traps in wasm; narrow operands cannot reach it.
  const negate = bits >= 32 && i.type !== undefined && divisorMayBe(f, i.src[1], i.type, -1);
  if (negate) {
    getRegister(f, i.src[1]);
    pushConstant(f, bits, -1);
    w.byte(bits === 64 ? OP.i64_eq : OP.i32_eq);
    openIf(f, bits === 64 ? I64 : I32, false);
    pushConstant(f, bits, 0);
    getRegister(f, i.src[0]);
    w.byte(bits === 64 ? OP.i64_sub : OP.i32_sub);
    openElse(f);
  }
  getRegister(f, i.src[0]);
  signExtend(f, bits);
  getRegister(f, i.src[1]);
  signExtend(f, bits);
  w.byte(bits === 64 ? OP.i64_div_s : OP.i32_div_s);
  if (negate) close(f);
  mask(f, bits);
  setRegister(f, i.dst[0]);
};

const remainderSigned: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  testDivisor(f, i, bits);
  getRegister(f, i.src[0]);
  signExtend(f, bits);
  getRegister(f, i.src[1]);
  signExtend(f, bits);
  f.w.byte(bits === 64 ? OP.i64_rem_s : OP.i32_rem_s);
  mask(f, bits);
  setRegister(f, i.dst[0]);
};

function multiplyHigh(signed: boolean): Emit {
  return (f, i) => {
    const bits = bitsOf(f, i.type);
    const w = f.w;
    for (const register of [i.src[0], i.src[1]]) {
      getRegister(f, register);
      if (signed) signExtend(f, bits);
      if (bits === 32) w.byte(signed ? OP.i64_extend_i32_s : OP.i64_extend_i32_u);
    }
    if (bits === 64) {
      w.call(f.context.support(signed ? "mulh_s64" : "mulh_u64"));
    } else if (bits === 32) {
      w.byte(OP.i64_mul);
      w.i64Const(32);
      w.byte(OP.i64_shr_u);
      w.byte(OP.i32_wrap_i64);
    } else {
      w.byte(OP.i32_mul);
      w.i32Const(bits);
      w.byte(OP.i32_shr_u);
      mask(f, bits);
    }
    setRegister(f, i.dst[0]);
  };
}

const not: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  getRegister(f, i.src[0]);
  pushConstant(f, bits, -1);
  f.w.byte(bits === 64 ? OP.i64_xor : OP.i32_xor);
  setRegister(f, i.dst[0]);
};

const negate: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  pushConstant(f, bits, 0);
  getRegister(f, i.src[0]);
  f.w.byte(bits === 64 ? OP.i64_sub : OP.i32_sub);
  mask(f, bits);
  setRegister(f, i.dst[0]);
};

const countLeadingZeros: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  getRegister(f, i.src[0]);
  f.w.byte(bits === 64 ? OP.i64_clz : OP.i32_clz);
  if (bits < 32) {
    f.w.i32Const(32 - bits);
    f.w.byte(OP.i32_sub);
  }
  setRegister(f, i.dst[0]);
};

const countTrailingZeros: Emit = (f, i) => {
  const bits = bitsOf(f, i.type);
  getRegister(f, i.src[0]);
  if (bits < 32) {
    // A one behind the top bit stops the count at the width.
    f.w.i32Const(1 << bits);
    f.w.byte(OP.i32_or);
  }
  f.w.byte(bits === 64 ? OP.i64_ctz : OP.i32_ctz);
  setRegister(f, i.dst[0]);
};

const countOnes: Emit = (f, i) => {
  getRegister(f, i.src[0]);
  f.w.byte(bitsOf(f, i.type) === 64 ? OP.i64_popcnt : OP.i32_popcnt);
  setRegister(f, i.dst[0]);
};

const reverseBytes: Emit = (f, i) => {
  getRegister(f, i.src[0]);
  swapBytes(f, bitsOf(f, i.type));
  setRegister(f, i.dst[0]);
};

const constant: Emit = (f, i) => {
  const value = i.imm[0] ?? 0;
  pushConstant(f, bitsOf(f, i.type), value);
  setRegister(f, i.dst[0]);
};

const copy: Emit = (f, i) => {
  getRegister(f, i.src[0]);
  setRegister(f, i.dst[0]);
};

const select: Emit = (f, i) => {
  getRegister(f, i.src[1]);
  getRegister(f, i.src[2]);
  getRegister(f, i.src[0]);
  f.w.byte(OP.select);
  setRegister(f, i.dst[0]);
};

const zeroExtend: Emit = (f, i) => {
  getRegister(f, i.src[0]);
  if (bitsOf(f, i.type) < 64 && bitsOf(f, i.to) === 64) f.w.byte(OP.i64_extend_i32_u);
  setRegister(f, i.dst[0]);
};

const signExtendTo: Emit = (f, i) => {
  const from = bitsOf(f, i.type);
  const to = bitsOf(f, i.to);
  getRegister(f, i.src[0]);
  if (from !== to) signExtend(f, from);
  if (from < 64 && to === 64) f.w.byte(OP.i64_extend_i32_s);
  else if (from !== to) mask(f, to);
  setRegister(f, i.dst[0]);
};

const truncate: Emit = (f, i) => {
  const from = bitsOf(f, i.type);
  const to = bitsOf(f, i.to);
  getRegister(f, i.src[0]);
  if (from === 64 && to < 64) f.w.byte(OP.i32_wrap_i64);
  if (to < from) mask(f, to);
  setRegister(f, i.dst[0]);
};

const symbolAddress: Emit = (f, i) => {
  const symbol = f.context.options.symbolAddress[numberImmediate(f, i, 0)];
  if (symbol === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: the symbol has no address`);
  pushConstant(f, f.context.bits.addr, Number(symbol) + numberImmediate(f, i, 1));
  setRegister(f, i.dst[0]);
};

const frameAddress: Emit = (f, i) => {
  const w = f.w;
  const offset = numberImmediate(f, i, 0);
  const { ramBase } = f.context;
  if (f.context.wideAddress) {
    w.withLocal(SP_LOCAL, OP.i64_extend_i32_u);
    w.i64Const(ramBase + offset - f.below);
    w.byte(OP.i64_add);
  } else {
    w.localGet(SP_LOCAL);
    w.withConst(ramBase + offset - f.below, OP.i32_add);
  }
  setRegister(f, i.dst[0]);
};

const functionAddress: Emit = (f, i) => {
  pushConstant(f, f.context.bits.addr, codeAddress(numberImmediate(f, i, 0), 0));
  setRegister(f, i.dst[0]);
};

export const ARITHMETIC: { readonly [op: string]: Emit } = {
  const: constant,
  copy,
  select,
  zext: zeroExtend,
  sext: signExtendTo,
  trunc: truncate,
  symbol_addr: symbolAddress,
  frame_addr: frameAddress,
  func_addr: functionAddress,
  add: wrapping(OP.i32_add, OP.i64_add),
  sub: wrapping(OP.i32_sub, OP.i64_sub),
  mul: wrapping(OP.i32_mul, OP.i64_mul),
  div_s: divideSigned,
  div_u: divideUnsigned(OP.i32_div_u, OP.i64_div_u),
  rem_s: remainderSigned,
  rem_u: divideUnsigned(OP.i32_rem_u, OP.i64_rem_u),
  and: closed(OP.i32_and, OP.i64_and),
  or: closed(OP.i32_or, OP.i64_or),
  xor: closed(OP.i32_xor, OP.i64_xor),
  shl: shift(OP.i32_shl, OP.i64_shl, false),
  shr_s: shift(OP.i32_shr_s, OP.i64_shr_s, true),
  shr_u: shift(OP.i32_shr_u, OP.i64_shr_u, false),
  rotl: rotate(OP.i32_rotl, OP.i64_rotl, true),
  rotr: rotate(OP.i32_rotr, OP.i64_rotr, false),
  not,
  neg: negate,
  clz: countLeadingZeros,
  ctz: countTrailingZeros,
  popcnt: countOnes,
  bswap: reverseBytes,
  mulh_u: multiplyHigh(false),
  mulh_s: multiplyHigh(true),
  eq: compare(OP.i32_eq, OP.i64_eq, false),
  ne: compare(OP.i32_ne, OP.i64_ne, false),
  lt_s: compare(OP.i32_lt_s, OP.i64_lt_s, true),
  lt_u: compare(OP.i32_lt_u, OP.i64_lt_u, false),
  le_s: compare(OP.i32_le_s, OP.i64_le_s, true),
  le_u: compare(OP.i32_le_u, OP.i64_le_u, false),
};

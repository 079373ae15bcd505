// Operands and results of A64 code: bringing a value into a register, addresses into base and offset, and results back to where they
// live. A value narrower than a register is kept zero-extended, which is what writing a W register does (docs/native.md, 3).

import { encodeLogicalImmediate, type RegisterWidth } from "../../../isa/aarch64/logical-immediate.ts";
import { moveConstant } from "../../../isa/aarch64/move-constant.ts";
import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { COMPACT_SIZE } from "../../native/abi.ts";
import type { Emission, Reference } from "../../native/emission.ts";
import type { Virtual } from "../../native/items.ts";
import { alignmentOf, bitsOf } from "../../native/operands.ts";
import type { Location } from "../../native/location.ts";
import { enc, EXTEND } from "./encoding.ts";

export const ZERO = 31;
export const SP = 31;
export const LR = 30;
/** The CPU block. */
export const CPU = 18;
export const FUEL_REGISTER = 28;
export const T0 = 16;
export const T1 = 17;
export const T2 = 15;
/** Further scratch registers; only within one instruction's code. */
export const T3 = 14;
export const T4 = 13;

export function canonical(value: bigint, type: ScalarType): bigint {
  return BigInt.asUintN(bitsOf(type), value);
}

/** `w` or `x`: which registers compute a type. */
export function widthOf(type: ScalarType): "w" | "x" {
  return bitsOf(type) === 64 ? "x" : "w";
}

/** Immediates of additions and comparisons: twelve bits; the other form, shifted by twelve, is for stack frames only. */
export function isImmediate(value: number | bigint): boolean {
  return value >= 0 && value <= 4095;
}

const logicalImmediates = { w: new Map<bigint, number | null>(), x: new Map<bigint, number | null>() };

/** The field of a logical immediate, or null. */
export function logicalImmediate(value: bigint, width: "w" | "x"): number | null {
  const known = logicalImmediates[width].get(value);
  if (known !== undefined) return known;
  const bits: RegisterWidth = width === "w" ? 32 : 64;
  const field = encodeLogicalImmediate(BigInt.asUintN(bits, value), bits) ?? null;
  logicalImmediates[width].set(value, field);
  return field;
}

const LOW_BITS = [0, 1, 2, 3].map((count) => (count === 0 ? 0 : (logicalImmediate((1n << BigInt(count)) - 1n, "x") ?? 0)));

/** The field for a mask of the low 1, 2 or 3 bits. */
export function lowBits(count: number): number {
  return LOW_BITS[count] ?? 0;
}

/** Words that load a constant, for register 0. */
const constants = new Map<bigint, readonly number[]>();

export function loadValue(e: Emission, register: number, value: bigint): void {
  if (value >= 0n && value <= 0xffffn) {
    e.word(enc.movz.w(register, Number(value), 0));
    return;
  }
  let words = constants.get(value);
  if (words === undefined) constants.set(value, (words = moveConstant(0, value)));
  for (const word of words) e.word(word | register);
}

export function moveRegister(e: Emission, to: number, from: number): void {
  if (to !== from) e.word(enc.orr.x(to, ZERO, from));
}

const SHIFTED = 1 << 12;

/** register = base + offset; either may be the stack pointer. `scratch` is for large offsets, and neither of the two. */
export function addOffset(e: Emission, register: number, base: number, offset: number, scratch = T2): void {
  const size = Math.abs(offset);
  const operation = offset < 0 ? enc.subImm.x : enc.addImm.x;
  if (size < 1 << 12) {
    if (size !== 0 || register !== base) e.word(operation(register, base, size));
    return;
  }
  if (size < 1 << 24) {
    e.word(operation(register, base, SHIFTED | (size >> 12)));
    if ((size & 0xfff) !== 0) e.word(operation(register, register, size & 0xfff));
    return;
  }
  loadValue(e, scratch, BigInt(size));
  e.word((offset < 0 ? enc.subExt64 : enc.addExt64)(register, base, scratch, EXTEND.uxtx));
}

const LARGEST_STACK_OFFSET = 4095 * 8;

/** Loads or stores 8 bytes of the stack, however far. */
export function loadStack(e: Emission, register: number, offset: number): void {
  if (offset <= LARGEST_STACK_OFFSET) {
    e.word(enc.loadScaled[64](register, SP, offset >> 3));
    return;
  }
  addOffset(e, register, SP, offset, register);
  e.word(enc.loadScaled[64](register, register, 0));
}

/** Beyond what an instruction reaches are only results for the caller and what prologues store: t2 is free there. */
export function storeStack(e: Emission, register: number, offset: number): void {
  if (offset <= LARGEST_STACK_OFFSET) {
    e.word(enc.storeScaled[64](register, SP, offset >> 3));
    return;
  }
  addOffset(e, T2, SP, offset, T2);
  e.word(enc.storeScaled[64](register, T2, 0));
}

type Placed = Location & { kind: "symbol" | "function" };

/**
 * ADR reaches 1 MiB, which is all that is read only in a compact image: its address takes one instruction. Variables may be anywhere; in
 * a pack they are far from the code.
 */
function isInReach(e: Emission, to: Placed): boolean {
  if (!e.isCompact) return false;
  if (to.kind === "function") return true;
  return e.module.symbols[to.symbol]?.writable === false && to.offset >= 0 && to.offset < COMPACT_SIZE;
}

const referenceTo = (to: Placed): Reference => (to.kind === "symbol" ? { kind: "symbol", symbol: to.symbol } : { kind: "function", function: to.function });

const addendOf = (to: Placed): number => (to.kind === "symbol" ? to.offset : 0);

export function loadAddress(e: Emission, register: number, to: Placed): void {
  if (isInReach(e, to)) {
    e.relocate("adr21", referenceTo(to), addendOf(to));
    e.word(enc.adr(register));
    return;
  }
  loadPage(e, register, to);
  e.relocate("low12", referenceTo(to), addendOf(to));
  e.word(enc.addImm.x(register, register, 0));
}

/** The address without its low 12 bits. */
function loadPage(e: Emission, register: number, to: Placed): void {
  e.relocate("page21", referenceTo(to), addendOf(to));
  e.word(enc.adrp(register));
}

/** Puts a value into this register. */
export function bring(e: Emission, register: number, from: Location): void {
  switch (from.kind) {
    case "register":
      moveRegister(e, register, from.register);
      return;
    case "slot":
      loadStack(e, register, from.offset);
      return;
    case "constant":
      loadValue(e, register, from.value);
      return;
    case "frame":
      addOffset(e, register, SP, from.offset, register);
      return;
    case "symbol":
    case "function":
      loadAddress(e, register, from);
  }
}

/** The register of an operand: its own, the zero register, or the given one when it has none. */
export function read(e: Emission, register: Virtual, scratch: number): number {
  const from = e.location(register);
  if (from.kind === "register") return from.register;
  if (from.kind === "constant") {
    if (from.value === 0n) return ZERO;
    loadValue(e, scratch, from.value);
    return scratch;
  }
  bring(e, scratch, from);
  return scratch;
}

/** The same for instructions to which 31 is the stack pointer. */
export function readReal(e: Emission, register: Virtual, scratch: number): number {
  const found = read(e, register, scratch);
  if (found !== ZERO) return found;
  loadValue(e, scratch, 0n);
  return scratch;
}

/** Where a result is to be computed: its register, or one that `finish` stores. */
export function resultRegister(e: Emission, register: Virtual, scratch = T0): number {
  const to = e.location(register);
  return to.kind === "register" ? to.register : scratch;
}

export function finish(e: Emission, register: Virtual, from: number): void {
  const to = e.location(register);
  if (to.kind === "slot") storeStack(e, from, to.offset);
  else if (to.kind === "register") moveRegister(e, to.register, from);
}

/** Cuts a register that a W instruction wrote to the width of a type. */
export function normalise(e: Emission, register: number, type: ScalarType): void {
  const bits = bitsOf(type);
  if (bits < 32) e.word(enc.ubfm.w(register, register, 0, bits - 1));
}

/** The value of a narrow register sign-extended to 32 bits, in `scratch`; i32 and i64 are as their instructions want them. */
export function signed(e: Emission, register: number, type: ScalarType, scratch: number): number {
  const bits = bitsOf(type);
  if (bits >= 32) return register;
  e.word(enc.sbfm.w(scratch, register, 0, bits - 1));
  return scratch;
}

export interface Address {
  readonly base: number;
  readonly offset: number;
  /** The greatest power of two that is known to divide the address. */
  readonly alignment: number;
  /** The access adds the low 12 bits of this address: the base holds only its page. */
  readonly low12?: Placed;
}

/** Whether a load or store of this many bytes reaches an offset. */
function reaches(offset: number, width: number): boolean {
  return (offset >= 0 && offset % width === 0 && offset / width <= 4095) || (offset >= -256 && offset <= 255);
}

/**
 * An address operand plus an offset as a base register and an offset that an access of this width takes; `scratch` if it must be made.
 * With `isDirect` the access may also add the low bits of a variable's address itself.
 */
export function address(e: Emission, register: Virtual, offset: number, width: number, scratch: number, isDirect = false): Address {
  const from = e.location(register);
  switch (from.kind) {
    case "frame": {
      const at = from.offset + offset;
      const alignment = Math.min(16, alignmentOf(at));
      if (reaches(at, width)) return { base: SP, offset: at, alignment };
      addOffset(e, scratch, SP, at, scratch);
      return { base: scratch, offset: 0, alignment };
    }
    case "symbol": {
      const at = { ...from, offset: from.offset + offset };
      const align = e.module.symbols[from.symbol]?.align ?? 1;
      const alignment = Math.min(align, alignmentOf(at.offset));
      if (isDirect && alignment >= width && !isInReach(e, at)) {
        loadPage(e, scratch, at);
        return { base: scratch, offset: 0, alignment, low12: at };
      }
      loadAddress(e, scratch, at);
      return { base: scratch, offset: 0, alignment };
    }
    case "constant": {
      const value = BigInt.asUintN(64, from.value + BigInt(offset));
      const alignment = alignmentOf(Number(value & 0xfffn));
      // A device's registers share their page: what is below goes into the access.
      const low = Number(value & 0xfffn);
      const high = value - BigInt(low);
      if (high > 0xffffn && reaches(low, width)) {
        loadValue(e, scratch, high);
        return { base: scratch, offset: low, alignment };
      }
      loadValue(e, scratch, value);
      return { base: scratch, offset: 0, alignment };
    }
    case "register":
    case "slot":
    case "function": {
      const base = readReal(e, register, scratch);
      if (reaches(offset, width)) return { base, offset, alignment: 1 };
      addOffset(e, scratch, base, offset, scratch === base ? T2 : scratch);
      return { base: scratch, offset: 0, alignment: 1 };
    }
  }
}

type Width = 8 | 16 | 32 | 64;

const LOW12 = { 8: "low12", 16: "low12x2", 32: "low12x4", 64: "low12x8" } as const;

/** A load or store at an address that `address` made. */
export function access(e: Emission, isLoad: boolean, bits: Width, register: number, { base, offset, low12 }: Address): void {
  const width = bits / 8;
  if (low12 !== undefined) e.relocate(LOW12[bits], referenceTo(low12), addendOf(low12));
  const isScaled = offset >= 0 && offset % width === 0;
  if (isScaled) e.word((isLoad ? enc.loadScaled : enc.storeScaled)[bits](register, base, offset / width));
  else e.word((isLoad ? enc.loadUnscaled : enc.storeUnscaled)[bits](register, base, offset));
}

// Operands and results of RV64 code: bringing a value into a register, addresses into base and offset, and results back to where they
// live. A value narrower than a register is kept zero-extended, an i32 sign-extended (docs/native.md, 3).

import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { loadConstant } from "../../../isa/riscv64/pseudo.ts";
import type { Emission } from "../../native/emission.ts";
import type { Virtual } from "../../native/items.ts";
import { alignmentOf, bitsOf } from "../../native/operands.ts";
import type { Location } from "../../native/location.ts";
import { put } from "./compress.ts";
import { enc } from "./encoding.ts";

export const ZERO = 0;
export const RA = 1;
export const SP = 2;
/** Fuel. */
export const GP = 3;
/** The CPU block. */
export const TP = 4;
export const T0 = 5;
export const T1 = 6;
export const T2 = 7;
/** A fourth scratch register; only within one instruction's code. */
export const T3 = 28;

export function isImmediate(value: number | bigint): boolean {
  return value >= -2048 && value <= 2047;
}

/** As registers hold it. */
export function canonical(value: bigint, type: ScalarType): bigint {
  const bits = bitsOf(type);
  return bits === 32 || bits === 64 ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

export function loadValue(e: Emission, register: number, value: bigint): void {
  for (const word of loadConstant(register, value)) put(e, word);
}

/** register = base + offset. */
export function addOffset(e: Emission, register: number, base: number, offset: number): void {
  if (isImmediate(offset)) {
    if (offset !== 0 || register !== base) put(e, enc.addi(register, base, offset));
    return;
  }
  const scratch = register === base ? T3 : register;
  loadValue(e, scratch, BigInt(offset));
  put(e, enc.add(register, base, scratch));
}

/** Loads or stores 8 bytes of the stack, however far. */
export function loadStack(e: Emission, register: number, offset: number): void {
  if (isImmediate(offset)) {
    put(e, enc.ld(register, SP, offset));
    return;
  }
  addOffset(e, register, SP, offset);
  put(e, enc.ld(register, register, 0));
}

export function storeStack(e: Emission, register: number, offset: number): void {
  if (isImmediate(offset)) {
    put(e, enc.sd(register, SP, offset));
    return;
  }
  addOffset(e, T3, SP, offset);
  put(e, enc.sd(register, T3, 0));
}

export function loadAddress(e: Emission, register: number, to: Location & { kind: "symbol" | "function" }): void {
  if (to.kind === "symbol") e.relocate("auipc_pair", { kind: "symbol", symbol: to.symbol }, to.offset);
  else e.relocate("auipc_pair", { kind: "function", function: to.function });
  e.word(enc.auipc(register));
  put(e, enc.addi(register, register, 0));
}

/** Puts a value into this register. */
export function bring(e: Emission, register: number, from: Location): void {
  switch (from.kind) {
    case "register":
      if (from.register !== register) put(e, enc.addi(register, from.register, 0));
      return;
    case "slot":
      loadStack(e, register, from.offset);
      return;
    case "constant":
      loadValue(e, register, from.value);
      return;
    case "frame":
      addOffset(e, register, SP, from.offset);
      return;
    case "symbol":
    case "function":
      loadAddress(e, register, from);
  }
}

/** The register of an operand: its own, or the given one when it has none. */
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

/** The register that a result is computed in; `finish` takes it to where it lives. */
export function resultRegister(e: Emission, register: Virtual, scratch = T0): number {
  const to = e.location(register);
  return to.kind === "register" ? to.register : scratch;
}

export function finish(e: Emission, register: Virtual, from: number): void {
  const to = e.location(register);
  if (to.kind === "slot") storeStack(e, from, to.offset);
  else if (to.kind === "register" && to.register !== from) put(e, enc.addi(to.register, from, 0));
}

/** Makes the low bits of a register the canonical value of a type. */
export function normalise(e: Emission, register: number, type: ScalarType): void {
  switch (bitsOf(type)) {
    case 8:
      put(e, enc.andi(register, register, 0xff));
      return;
    case 16:
      put(e, enc.slli(register, register, 48));
      put(e, enc.srli(register, register, 48));
      return;
    case 32:
      put(e, enc.addiw(register, register, 0));
      return;
    case 64:
  }
}

/** The value of a narrow register sign-extended, in `scratch`; i32 and wider are so already. */
export function signed(e: Emission, register: number, type: ScalarType, scratch: number): number {
  const bits = bitsOf(type);
  if (bits >= 32) return register;
  put(e, enc.slli(scratch, register, 64 - bits));
  put(e, enc.srai(scratch, scratch, 64 - bits));
  return scratch;
}

/** The value of an i32 zero-extended, in `scratch`; the others are so already. */
export function unsigned(e: Emission, register: number, type: ScalarType, scratch: number): number {
  if (bitsOf(type) !== 32) return register;
  put(e, enc.slli(scratch, register, 32));
  put(e, enc.srli(scratch, scratch, 32));
  return scratch;
}

export interface Address {
  readonly base: number;
  readonly offset: number;
  /** The greatest power of two that is known to divide the address. */
  readonly alignment: number;
}

/** An address operand plus an offset as base register and 12-bit offset; `scratch` is used when it has to be computed. */
export function address(e: Emission, register: Virtual, offset: number, scratch: number): Address {
  const from = e.location(register);
  switch (from.kind) {
    case "frame": {
      const at = from.offset + offset;
      if (isImmediate(at)) return { base: SP, offset: at, alignment: Math.min(16, alignmentOf(at)) };
      addOffset(e, scratch, SP, at);
      return { base: scratch, offset: 0, alignment: Math.min(16, alignmentOf(at)) };
    }
    case "symbol": {
      const at = from.offset + offset;
      loadAddress(e, scratch, { ...from, offset: at });
      const align = e.module.symbols[from.symbol]?.align ?? 1;
      return { base: scratch, offset: 0, alignment: Math.min(align, alignmentOf(at)) };
    }
    case "constant": {
      const value = BigInt.asIntN(64, from.value + BigInt(offset));
      const low = BigInt.asIntN(12, value);
      const alignment = alignmentOf(Number(BigInt.asUintN(12, value)));
      if (value === low) return { base: ZERO, offset: Number(low), alignment };
      // One lui where the upper part alone can be loaded.
      loadValue(e, scratch, value - low);
      return { base: scratch, offset: Number(low), alignment };
    }
    case "register":
    case "slot":
    case "function": {
      const base = read(e, register, scratch);
      if (isImmediate(offset)) return { base, offset, alignment: 1 };
      addOffset(e, scratch, base, offset);
      return { base: scratch, offset: 0, alignment: 1 };
    }
  }
}

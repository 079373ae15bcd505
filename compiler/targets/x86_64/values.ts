// Operands and results of x86-64 code: bringing a value into a register or using it where it is, addresses as memory operands, and
// results back to where they live. A value narrower than a register is kept zero-extended (docs/native.md, 3), which is what 32-bit
// operations leave anyway.

import type { ScalarType } from "../../../isa/bytecode/module.ts";
import type { Emission } from "../../native/emission.ts";
import type { Virtual } from "../../native/items.ts";
import { alignmentOf, bitsOf } from "../../native/operands.ts";
import type { Location } from "../../native/location.ts";
import {
  beginMove32,
  immediate,
  isByteSized,
  moveAbsolute,
  OPCODES,
  withMemory,
  withMemoryOnly,
  withOne,
  withRegister,
  type AluForms,
  type Memory,
  type Width,
} from "./encoding.ts";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RSP = 4;
export const RBP = 5;
/** Only within one instruction's code, and for the moves around calls. */
export const R11 = 11;
/** Fuel. */
export const R15 = 15;

const INT32_MIN = -0x8000_0000n;
const INT32_MAX = 0x7fff_ffffn;
const UINT32_MAX = 0xffff_ffffn;

/** As registers hold it. */
export function canonical(value: bigint, type: ScalarType): bigint {
  const bits = bitsOf(type);
  return bits === 64 ? BigInt.asIntN(64, value) : BigInt.asUintN(bits, value);
}

/** 32 bits are shorter to move for registers below 8, and clear the rest. */
export function moveRegister(e: Emission, to: number, from: number, isNarrow = false): void {
  if (to !== from) withRegister(e, OPCODES.mov.load[isNarrow ? 32 : 64], to, from);
}

export function clear(e: Emission, register: number): void {
  withRegister(e, OPCODES.xor.toRegister[32], register, register);
}

/** `keepsFlags`: zero is not made by the shorter exclusive or. */
export function loadValue(e: Emission, register: number, value: bigint, keepsFlags = false): void {
  const signed = BigInt.asIntN(64, value);
  if (signed === 0n && !keepsFlags) clear(e, register);
  else if (signed >= 0n && signed <= UINT32_MAX) {
    beginMove32(e, register);
    e.word(Number(signed));
  } else if (signed >= INT32_MIN && signed < 0n) {
    withOne(e, OPCODES.mov.immediate[64], register);
    e.word(Number(signed));
  } else moveAbsolute(e, register, signed);
}

export const stackSlot = (offset: number): Memory => ({ kind: "base", base: RSP, offset });

export function loadStack(e: Emission, register: number, offset: number): void {
  withMemory(e, OPCODES.mov.load[64], register, stackSlot(offset));
}

export function storeStack(e: Emission, register: number, offset: number): void {
  withMemory(e, OPCODES.mov.store[64], register, stackSlot(offset));
}

/** Images are linked below 2 GiB, so an address is an immediate of 32 bits. */
export function loadAddress(e: Emission, register: number, to: Location & { kind: "symbol" | "function" }): void {
  beginMove32(e, register);
  if (to.kind === "symbol") e.relocate("absolute32", { kind: "symbol", symbol: to.symbol }, to.offset);
  else e.relocate("absolute32", { kind: "function", function: to.function });
  e.word(0);
}

/** The address of an operand in memory. */
export function addressOf(e: Emission, register: number, at: Memory): void {
  if (at.kind === "base" && at.offset === 0) moveRegister(e, register, at.base);
  else withMemory(e, OPCODES.lea[64], register, at);
}

/** Puts a value into this register. */
export function bring(e: Emission, register: number, from: Location, keepsFlags = false): void {
  switch (from.kind) {
    case "register":
      moveRegister(e, register, from.register, from.isNarrow);
      return;
    case "slot":
      loadStack(e, register, from.offset);
      return;
    case "constant":
      loadValue(e, register, from.value, keepsFlags);
      return;
    case "frame":
      addressOf(e, register, stackSlot(from.offset));
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
  bring(e, scratch, from);
  return scratch;
}

/** What an instruction takes as its second operand. */
export type Operand =
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "memory"; readonly at: Memory }
  /** 32 bits, sign-extended where the operation is wider. */
  | { readonly kind: "immediate"; readonly value: number };

/** An operand of an operation of this width; `scratch` takes what has to be made first. */
export function operand(e: Emission, register: Virtual, width: Width, scratch: number): Operand {
  const from = e.location(register);
  switch (from.kind) {
    case "register":
      return from;
    case "slot":
      return { kind: "memory", at: stackSlot(from.offset) };
    case "constant":
      if (width < 64 || (from.value >= INT32_MIN && from.value <= INT32_MAX)) return { kind: "immediate", value: Number(BigInt.asIntN(width, from.value)) };
      break;
    case "frame":
    case "symbol":
    case "function":
  }
  bring(e, scratch, from);
  return { kind: "register", register: scratch };
}

/** `register op= operand`. */
export function apply(e: Emission, op: AluForms, width: Width, register: number, second: Operand): void {
  switch (second.kind) {
    case "register":
      withRegister(e, op.toRegister[width], register, second.register);
      return;
    case "memory":
      withMemory(e, op.toRegister[width], register, second.at);
      return;
    case "immediate":
      if (width > 8 && isByteSized(second.value)) {
        withOne(e, op.short[width], register);
        e.byte(second.value & 0xff);
      } else {
        withOne(e, op.long[width], register);
        immediate(e, width, second.value);
      }
  }
}

/** `memory op= operand`, which is no memory. */
export function applyToMemory(e: Emission, op: AluForms, width: Width, at: Memory, second: Operand): void {
  if (second.kind === "memory") throw new Error("no instruction has two operands in memory");
  if (second.kind === "register") withMemory(e, op.toMemory[width], second.register, at);
  else if (width > 8 && isByteSized(second.value)) {
    withMemoryOnly(e, op.short[width], at, 1);
    e.byte(second.value & 0xff);
  } else {
    withMemoryOnly(e, op.long[width], at, Math.min(width, 32) / 8);
    immediate(e, width, second.value);
  }
}

/** The register that a result is computed in; `finish` takes it to where it lives. */
export function resultRegister(e: Emission, register: Virtual, scratch = RAX): number {
  const to = e.location(register);
  return to.kind === "register" ? to.register : scratch;
}

export function finish(e: Emission, register: Virtual, from: number): void {
  const to = e.location(register);
  if (to.kind === "slot") storeStack(e, from, to.offset);
  else if (to.kind === "register") moveRegister(e, to.register, from, to.isNarrow);
}

/** Makes the low bits of a register the canonical value of a type. What computed an i32 has done so. */
export function normalise(e: Emission, register: number, type: ScalarType): void {
  const bits = bitsOf(type);
  if (bits === 8) withRegister(e, OPCODES.movzx8, register, register);
  else if (bits === 16) withRegister(e, OPCODES.movzx16, register, register);
}

/** The value of a narrow register sign-extended to 32 or 64 bits, in `to`. */
export function signExtend(e: Emission, to: number, from: number, type: ScalarType, width: 32 | 64): void {
  const bits = bitsOf(type);
  if (bits === 8) withRegister(e, OPCODES.movsx8[width], to, from);
  else if (bits === 16) withRegister(e, OPCODES.movsx16[width], to, from);
  else if (bits === 32 && width === 64) withRegister(e, OPCODES.movsxd, to, from);
  else moveRegister(e, to, from);
}

export interface Address {
  readonly at: Memory;
  /** The greatest power of two that is known to divide the address. */
  readonly alignment: number;
}

/** An address operand plus an offset as a memory operand; `scratch` is used when it has to be computed. */
export function address(e: Emission, register: Virtual, offset: number, scratch: number): Address {
  const from = e.location(register);
  switch (from.kind) {
    case "frame": {
      const at = from.offset + offset;
      return { at: stackSlot(at), alignment: Math.min(16, alignmentOf(at)) };
    }
    case "symbol": {
      const at = from.offset + offset;
      const align = e.module.symbols[from.symbol]?.align ?? 1;
      return { at: { kind: "symbol", symbol: from.symbol, offset: at }, alignment: Math.min(align, alignmentOf(at)) };
    }
    case "constant": {
      const value = BigInt.asIntN(64, from.value + BigInt(offset));
      const alignment = alignmentOf(Number(BigInt.asUintN(12, value)));
      if (value >= INT32_MIN && value <= INT32_MAX) return { at: { kind: "absolute", address: Number(value) }, alignment };
      loadValue(e, scratch, value);
      return { at: { kind: "base", base: scratch, offset: 0 }, alignment };
    }
    case "register":
    case "slot":
    case "function":
      return { at: { kind: "base", base: read(e, register, scratch), offset }, alignment: 1 };
  }
}

// Values in the guest's memory: loaded and stored part by part, copied, filled, and indexed within bounds. Addresses are registers
// here; which value has which address is the business of places.ts.

import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { ScalarType } from "../../isa/bytecode/module.ts";
import { one } from "../short-lists.ts";
import { isAggregate, registersOf, sizeOf, type Type } from "../types.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";

/** Offsets of the parts of a value in memory: one per register. */
function partsOf(type: Type, addressBytes: number): readonly { readonly type: ScalarType; readonly offset: number }[] {
  return registersOf(type).map((scalar, i) => ({ type: scalar, offset: i * addressBytes }));
}

export function loadFrom(b: FunctionBuilder, type: Type, base: number, offset: number, shared = false): Value {
  if (isAggregate(type)) return [offsetAddress(b, base, offset)];
  return partsOf(type, b.module.layout.addressBytes).map((part) => {
    const dst = b.temp(part.type);
    if (shared) b.emit("atomic_load", { type: part.type, dst: one(dst), src: [offsetAddress(b, base, offset + part.offset)] });
    else b.emit("load", { type: part.type, dst: one(dst), src: one(base), imm: one(offset + part.offset) });
    return dst;
  });
}

export function storeTo(b: FunctionBuilder, type: Type, base: number, offset: number, value: Value, shared = false): void {
  if (isAggregate(type)) {
    copyMemory(b, offsetAddress(b, base, offset), value[0] ?? 0, sizeOf(type, b.module.layout).size);
    return;
  }
  partsOf(type, b.module.layout.addressBytes).forEach((part, i) => {
    const from = value[i] ?? 0;
    if (shared) b.emit("atomic_store", { type: part.type, src: [offsetAddress(b, base, offset + part.offset), from] });
    else b.emit("store", { type: part.type, src: [base, from], imm: one(offset + part.offset) });
  });
}

export function offsetAddress(b: FunctionBuilder, base: number, offset: number): number {
  return offset === 0 ? base : b.binary("add", "addr", base, b.constant("addr", BigInt(offset)));
}

export function copyMemory(b: FunctionBuilder, to: number, from: number, size: number): void {
  if (size > 0) b.emit("mem_copy", { src: [to, from, b.constant("addr", BigInt(size))] });
}

export function fillZero(b: FunctionBuilder, to: number, size: number): void {
  if (size > 0) b.emit("mem_fill", { src: [to, b.constant("i8", 0n), b.constant("addr", BigInt(size))] });
}

export function scaled(b: FunctionBuilder, index: number, size: number): number {
  return size === 1 ? index : b.binary("mul", "addr", index, b.constant("addr", BigInt(size)));
}

const BOUNDS = TRAP_CLASSES.indexOf("bounds");

/** Traps `bounds` unless index < length (or <= length). */
export function checkBounds(b: FunctionBuilder, index: number, length: number, inclusive: boolean): void {
  const beyond = inclusive ? b.binary("lt_u", "addr", length, index) : b.binary("le_u", "addr", length, index);
  b.open("if", beyond);
  b.emit("trap", { src: [b.convert(index, "addr", "i64", false)], imm: [BOUNDS] });
  b.close();
}

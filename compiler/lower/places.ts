// Where values live, and how they are read and written there: registers, memory of the guest, or registers of a device. Device
// registers are accessed once, as wide as declared, in the space their block names; a field of one is read whole and cut out.

import { noteRegister } from "./coverage-notes.ts";
import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { ScalarType } from "../../isa/bytecode/module.ts";
import { evaluateInteger } from "../check/constants.ts";
import { isPlace, type FunctionBody, type HExpr, type Local } from "../hir.ts";
import { bitsOf, isAggregate, registersOf, scalarOf, sizeOf, type Type } from "../types.ts";
import { one } from "../short-lists.ts";
import { lowerExpr } from "./expressions.ts";
import type { FunctionBuilder, Place, Value } from "./function-builder.ts";

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

// ---- Locals ----

/** Gives a local its place when its declaration is reached. */
export function declareLocal(b: FunctionBuilder, local: Local): void {
  if (local.inMemory || isAggregate(local.type)) {
    if (b.module.frameOffsets.has(local)) return;
    const shape = sizeOf(local.type, b.module.layout);
    b.module.frameOffsets.set(local, b.frame(shape.size, Math.max(shape.align, 1)));
  } else if (!b.locals.has(local)) {
    b.locals.set(
      local,
      registersOf(local.type).map((type) => b.keep(type)),
    );
  }
}

export function placeOfLocal(b: FunctionBuilder, local: Local): Place {
  const registers = b.locals.get(local);
  if (registers !== undefined) return { kind: "registers", registers };
  const reference = b.references.get(local);
  if (reference !== undefined) return { kind: "memory", base: reference, offset: 0, shared: false };
  const offset = b.module.frameOffsets.get(local);
  if (offset === undefined) throw new Error(`local ${local.name} has no place in ${b.body?.name ?? "?"}`);
  if (local.owner === b.body) return { kind: "memory", base: b.frameAddress(0), offset, shared: local.shared };
  return { kind: "memory", base: frameOf(b, local.owner), offset, shared: local.shared };
}

/** The frame of a body around this closure: its environment, or the one that lies in that frame, and so on out. */
function frameOf(b: FunctionBuilder, owner: FunctionBody): number {
  let frame = b.environment;
  let body = b.body?.parent ?? null;
  while (frame !== null && body !== null && body !== owner) {
    const slot = b.module.environmentSlots.get(body);
    if (slot === undefined) throw new Error(`${body.name} keeps no environment`);
    const outer = b.temp("addr");
    b.emit("load", { type: "addr", dst: [outer], src: [frame], imm: [slot] });
    frame = outer;
    body = body.parent;
  }
  if (frame === null || body === null) throw new Error(`${b.body?.name ?? "?"} cannot reach the frame of ${owner.name}`);
  return frame;
}

// ---- Places in general ----

export function isRegister(place: HExpr): place is HExpr & { readonly kind: "register" | "register-field" } {
  return place.kind === "register" || place.kind === "register-field";
}

export function lowerPlace(b: FunctionBuilder, place: HExpr): Place {
  if (!isPlace(place) || isRegister(place) || place.kind === "system-register") {
    const value = lowerExpr(b, place);
    if (isAggregate(place.type)) return { kind: "memory", base: value[0] ?? 0, offset: 0, shared: false };
    return { kind: "registers", registers: value };
  }
  switch (place.kind) {
    case "local":
      return placeOfLocal(b, place.local);
    case "global":
      return { kind: "memory", base: b.symbolAddress(b.module.symbolOf(place.global)), offset: 0, shared: place.global.shared };
    case "deref":
      return { kind: "memory", base: lowerExpr(b, place.pointer)[0] ?? 0, offset: 0, shared: false };
    case "field": {
      const object = lowerPlaceOrTemporary(b, place.object);
      return { ...object, offset: object.offset + place.field.offset };
    }
    case "index":
      return lowerIndex(b, place);
  }
}

function lowerPlaceOrTemporary(b: FunctionBuilder, object: HExpr): Place & { kind: "memory" } {
  const place = lowerPlace(b, object);
  if (place.kind === "memory") return place;
  throw new Error(`an aggregate of type ${object.type.kind} lies in registers`);
}

function lowerIndex(b: FunctionBuilder, place: HExpr & { kind: "index" }): Place {
  const { object } = place;
  const element = sizeOf(place.type, b.module.layout).size;
  let base: number;
  let offset = 0;
  let length: number;
  const known = evaluateInteger(place.index, b.module.layout);
  let shared = false;
  if (object.type.kind === "array") {
    const array = lowerPlaceOrTemporary(b, object);
    ({ base, offset, shared } = array);
    if (known !== null) return { kind: "memory", base, offset: offset + Number(known) * element, shared };
    length = b.constant("addr", BigInt(object.type.length));
  } else {
    const [pointer, count] = lowerExpr(b, object);
    base = pointer ?? 0;
    length = count ?? 0;
  }
  const index = lowerExpr(b, place.index)[0] ?? 0;
  b.span = place.index.span;
  checkBounds(b, index, length, false);
  return { kind: "memory", base: b.binary("add", "addr", base, scaled(b, index, element)), offset, shared };
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

export function readPlace(b: FunctionBuilder, type: Type, place: Place): Value {
  return place.kind === "registers" ? place.registers : loadFrom(b, type, place.base, place.offset, place.shared);
}

export function writePlace(b: FunctionBuilder, type: Type, place: Place, value: Value): void {
  if (place.kind === "memory") {
    storeTo(b, type, place.base, place.offset, value, place.shared);
    return;
  }
  registersOf(type).forEach((scalar, i) => b.copy(scalar, place.registers[i] ?? 0, value[i] ?? 0));
}

// ---- Device registers ----

type RegisterExpr = HExpr & { readonly kind: "register" | "register-field" };

export interface RegisterAddress {
  readonly address: number;
  readonly space: { readonly known: number } | { readonly register: number };
  readonly type: ScalarType;
}

/** The space of a block when the compiler can tell it. */
function spaceOf(b: FunctionBuilder, block: HExpr): number | null {
  if (block.kind === "regs-at") {
    const space = evaluateInteger(block.space, b.module.layout);
    return space === null ? null : Number(space);
  }
  return block.kind === "local" && !block.local.mutable ? (b.module.knownSpaces.get(block.local) ?? null) : null;
}

export function noteSpace(b: FunctionBuilder, local: Local, value: HExpr): void {
  const space = local.type.kind === "regs" && !local.mutable ? spaceOf(b, value) : null;
  if (space !== null) b.module.knownSpaces.set(local, space);
}

export function lowerRegisterAddress(b: FunctionBuilder, expr: RegisterExpr): RegisterAddress {
  const { notes } = b.module;
  if (notes !== null) noteRegister(notes, expr);
  const [base, space] = lowerExpr(b, expr.block);
  const known = spaceOf(b, expr.block);
  let address = base ?? 0;
  const { size } = sizeOf(expr.register.type, b.module.layout);
  if (expr.index !== null) {
    const index = lowerExpr(b, expr.index)[0] ?? 0;
    b.span = expr.span;
    checkBounds(b, index, b.constant("addr", BigInt(expr.register.count ?? 0)), false);
    address = b.binary("add", "addr", address, scaled(b, index, size));
  }
  return {
    address: offsetAddress(b, address, expr.register.offset),
    space: known === null ? { register: space ?? 0 } : { known },
    type: scalarOf(expr.register.type),
  };
}

function inSpace(b: FunctionBuilder, at: RegisterAddress, memory: () => void, ports: () => void): void {
  if ("known" in at.space) {
    if (at.space.known === 0) memory();
    else ports();
    return;
  }
  const isPort = b.binary("ne", "i32", at.space.register, b.constant("i32", 0n));
  b.open("if", isPort);
  ports();
  b.otherwise();
  memory();
  b.close();
}

export function readRegister(b: FunctionBuilder, at: RegisterAddress): number {
  const dst = b.temp(at.type);
  inSpace(
    b,
    at,
    () => b.emit("load_volatile", { type: at.type, dst: one(dst), src: one(at.address), imm: one(0) }),
    () => portAccess(b, at, (port) => b.emit("port_in", { type: at.type, dst: one(dst), src: [port] })),
  );
  return dst;
}

export function writeRegister(b: FunctionBuilder, at: RegisterAddress, value: number): void {
  inSpace(
    b,
    at,
    () => b.emit("store_volatile", { type: at.type, src: [at.address, value], imm: [0] }),
    () => portAccess(b, at, (port) => b.emit("port_out", { type: at.type, src: [port, value] })),
  );
}

const ILLEGAL_INSTRUCTION = TRAP_CLASSES.indexOf("illegal_instruction");

/** No machine has an instruction for a 64-bit port: a block with such registers, put into port space at run time, traps. */
function portAccess(b: FunctionBuilder, at: RegisterAddress, access: (port: number) => void): void {
  if (at.type === "i64" || at.type === "addr") b.emit("trap", { src: [b.convert(at.address, "addr", "i64", false)], imm: [ILLEGAL_INSTRUCTION] });
  else access(b.convert(at.address, "addr", "i16", false));
}

/** Bits `high..low` of a register's value, moved down. */
export function extractField(b: FunctionBuilder, type: ScalarType, value: number, field: { readonly high: number; readonly low: number }): number {
  const shifted = field.low === 0 ? value : b.binary("shr_u", type, value, b.constant(type, BigInt(field.low)));
  return b.binary("and", type, shifted, b.constant(type, (1n << BigInt(field.high - field.low + 1)) - 1n));
}

const actsOnOnes = (field: { readonly access: string }): boolean => field.access === "w1c" || field.access === "w1s";

/** Writes one field: the others keep their value, or get zeros where writing ones has an effect. `read`: the register, if it has been read. */
export function writeField(b: FunctionBuilder, expr: HExpr & { kind: "register-field" }, at: RegisterAddress, value: number, read: number | null = null): void {
  const { field, register } = expr;
  const bits = bitsOf(register.type, b.module.layout);
  const bitsIn = ({ high, low }: { readonly high: number; readonly low: number }): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
  const ones = bitsIn(field);
  const shifted = b.binary("shl", at.type, value, b.constant(at.type, BigInt(field.low)));
  const placed = b.binary("and", at.type, shifted, b.constant(at.type, ones));
  const acts = actsOnOnes(field) || register.access === "wo" || field.access === "wo";
  if (acts) {
    writeRegister(b, at, placed);
    return;
  }
  const kept = register.fields.reduce((mask, other) => (actsOnOnes(other) ? mask & ~bitsIn(other) : mask), ~ones);
  const mask = BigInt.asUintN(bits, kept);
  const others = b.binary("and", at.type, read ?? readRegister(b, at), b.constant(at.type, mask));
  writeRegister(b, at, b.binary("or", at.type, others, placed));
}

// Where values live: registers of the function, memory of the guest (guest-memory.ts), or registers of a device (device-registers.ts).
// To find a place is to lower expressions, and an expression reads places: this file and expressions.ts are one subject in two.

import { evaluateInteger } from "../check/constants.ts";
import { isPlace, type FunctionBody, type HExpr, type Local } from "../hir.ts";
import { isAggregate, registersOf, scalarOf, sizeOf, type Type } from "../types.ts";
import { noteRegister } from "./coverage-notes.ts";
import type { RegisterAddress } from "./device-registers.ts";
import { lowerExpr } from "./expressions.ts";
import type { FunctionBuilder, Place, Value } from "./function-builder.ts";
import { checkBounds, loadFrom, offsetAddress, scaled, storeTo } from "./guest-memory.ts";

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

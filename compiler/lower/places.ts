// Where values live: registers of the function, or memory of the guest (guest-memory.ts). Here are the places of locals, also those of bodies
// around a closure, and what is done with a place once it is known; to find that of an expression is to lower expressions (expressions.ts).

import { evaluateInteger } from "../check/constants.ts";
import type { FunctionBody, HExpr, Local } from "../hir.ts";
import { isAggregate, registersOf, sizeOf, type Type } from "../types.ts";
import type { FunctionBuilder, Place, Value } from "./function-builder.ts";
import { loadFrom, storeTo } from "./guest-memory.ts";

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

export type RegisterExpr = HExpr & { readonly kind: "register" | "register-field" };

export function isRegister(place: HExpr): place is RegisterExpr {
  return place.kind === "register" || place.kind === "register-field";
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

/** The space of a block when the compiler can tell it. */
export function spaceOf(b: FunctionBuilder, block: HExpr): number | null {
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

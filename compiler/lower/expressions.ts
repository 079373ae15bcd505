// Expressions to instructions. Scalars end in one register, slices and register blocks in two, aggregates at an address. What
// the checks want to show of an expression on failure is kept on the way, in `Capture`, so that every operand is evaluated once.

import type { ScalarType } from "../../isa/bytecode/module.ts";
import { evaluate, evaluateInteger } from "../check/constants.ts";
import { isPlace, mapOperands, type HExpr } from "../hir.ts";
import { elementOf, isAggregate, registersOf, scalarOf, sizeOf, type Type } from "../types.ts";
import { arithmetic, isSigned } from "./arithmetic.ts";
import { compareValues, isErrorNumber, isInList, isInRange, isNear } from "./comparisons.ts";
import { lowerConstant } from "./constants.ts";
import { noteRegister } from "./coverage-notes.ts";
import { extractField, readRegister, type RegisterAddress } from "./device-registers.ts";
import type { FunctionBuilder, Place, Value } from "./function-builder.ts";
import { checkBounds, copyMemory, fillZero, offsetAddress, scaled, storeTo } from "./guest-memory.ts";
import { emitIntrinsic } from "./intrinsics.ts";
import { isRegister, placeOfLocal, readPlace, spaceOf, type RegisterExpr } from "./places.ts";
import { readSystemRegister } from "./system-registers.ts";

/** Values of expressions that a failing check reports, and whole registers behind the fields that were read. */
export interface Capture {
  readonly values: Map<HExpr, Value>;
  readonly registers: Map<HExpr, number>;
}

export function lowerExpr(b: FunctionBuilder, expr: HExpr, capture?: Capture): Value {
  const value = lowerUnspanned(b, expr, capture);
  capture?.values.set(expr, value);
  return value;
}

/** A one-register value. */
export function lowerScalar(b: FunctionBuilder, expr: HExpr, capture?: Capture): number {
  const [register] = lowerExpr(b, expr, capture);
  if (register === undefined) throw new Error(`${expr.kind} of type ${expr.type.kind} gives no register`);
  return register;
}

/** Code that changes variables, or calls what may: no expression assigns but these. */
function mayWrite(expr: HExpr): boolean {
  if (expr.kind === "call" || expr.kind === "call-method" || expr.kind === "call-indirect") return true;
  if (expr.kind === "intrinsic" && expr.name.startsWith("atomic.")) return true;
  let found = false;
  mapOperands(expr, (operand) => {
    found ||= mayWrite(operand);
    return operand;
  });
  return found;
}

/** The value that an expression has now, whatever `later` does to the place from which it comes: an aggregate is otherwise an address. */
export function lowerHeld(b: FunctionBuilder, expr: HExpr, later: HExpr, capture?: Capture): Value {
  const value = lowerExpr(b, expr, capture);
  if (!isAggregate(expr.type) || !(isPlace(expr) || expr.kind === "if") || !mayWrite(later)) return value;
  const copy = [copyToFrame(b, expr.type, value[0] ?? 0)];
  capture?.values.set(expr, copy);
  return copy;
}

function copyToFrame(b: FunctionBuilder, type: Type, from: number): number {
  const { size, align } = sizeOf(type, b.module.layout);
  const copy = b.frameAddress(b.frame(size, align));
  copyMemory(b, copy, from, size);
  return copy;
}

function lowerUnspanned(b: FunctionBuilder, expr: HExpr, capture?: Capture): Value {
  b.span = expr.span;
  switch (expr.kind) {
    case "const":
      return lowerConstant(b, expr.type, expr.value);
    case "local":
    case "global":
    case "deref":
    case "field":
    case "index":
      return readPlace(b, expr.type, lowerPlace(b, expr));
    case "register":
    case "register-field": {
      const at = lowerRegisterAddress(b, expr);
      b.span = expr.span;
      const whole = readRegister(b, at);
      capture?.registers.set(expr, whole);
      return [expr.kind === "register" ? whole : extractField(b, at.type, whole, expr.field)];
    }
    case "system-register":
      return [readSystemRegister(b, expr)];
    case "function":
      return [b.functionAddress(b.module.functionOfDeclared(expr.function))];
    case "unary": {
      const operand = lowerScalar(b, expr.operand, capture);
      if (expr.op === "not") return [b.isZero(operand)];
      return [b.unary(expr.op === "-" ? "neg" : "not", scalarOf(expr.type), operand)];
    }
    case "arithmetic": {
      const left = lowerScalar(b, expr.left);
      const right = lowerScalar(b, expr.right);
      b.span = expr.span;
      return [arithmetic(b, expr.op, expr.type, left, right)];
    }
    case "compare": {
      const left = lowerHeld(b, expr.left, expr.right, capture);
      const right = lowerExpr(b, expr.right, capture);
      b.span = expr.span;
      return [compareValues(b, expr.op, expr.left.type, left, right)];
    }
    case "logic": {
      const result = b.temp("i8");
      b.copy("i8", result, lowerScalar(b, expr.left, capture));
      const isOpen = expr.op === "and" ? result : b.isZero(result);
      b.decide(expr.op, expr.right.span);
      b.open("if", isOpen);
      b.copy("i8", result, lowerScalar(b, expr.right, capture));
      b.close();
      return [result];
    }
    case "in-range": {
      const value = lowerScalar(b, expr.value, capture);
      const start = lowerScalar(b, expr.start, capture);
      const end = lowerScalar(b, expr.end, capture);
      const inside = isInRange(b, expr.value.type, value, { start, end, inclusive: expr.inclusive });
      return [expr.negated ? b.isZero(inside) : inside];
    }
    case "in-list": {
      const value = lowerHeld(b, expr.value, expr.list, capture);
      const [list = 0, length = 0] = lowerExpr(b, expr.list, capture);
      const found = isInList(b, expr.value.type, value, list, length);
      return [expr.negated ? b.isZero(found) : found];
    }
    case "matches": {
      const sides = [expr.left, expr.right].flatMap((side) => lowerExpr(b, side, capture));
      b.span = expr.span;
      return b.callRuntime("text.matches", sides, ["i8"]);
    }
    case "near": {
      const [value = 0, center = 0, tolerance = 0] = [expr.left, expr.right, expr.tolerance].map((part) => lowerScalar(b, part, capture));
      b.span = expr.span;
      return [isNear(b, expr.left.type, value, center, tolerance)];
    }
    case "is-error": {
      const value = lowerScalar(b, expr.value, capture);
      b.span = expr.span;
      const isOne = isErrorNumber(b, expr.value.type, value, expr.number);
      return [expr.negated ? b.isZero(isOne) : isOne];
    }
    case "convert":
      return lowerConvert(b, expr);
    case "array-to-slice": {
      const constant = evaluate(expr, b.module.layout);
      if (constant !== null && expr.type.kind === "slice") return lowerConstant(b, expr.type, constant);
      const { pointer, length } = lowerSequence(b, expr.operand);
      return [pointer, length];
    }
    case "call":
    case "call-indirect":
    case "call-method":
      return lowerCall(b, expr);
    case "to-interface":
      return [lowerScalar(b, expr.operand), b.symbolAddress(b.module.symbolOf(expr.table))];
    case "intrinsic": {
      const src = expr.args.map((arg) => lowerScalar(b, arg));
      b.span = expr.span;
      return emitIntrinsic(b, expr, src);
    }
    case "length": {
      if (expr.object.type.kind === "array") return [b.constant("addr", BigInt(expr.object.type.length))];
      return [lowerExpr(b, expr.object)[1] ?? 0];
    }
    case "slice-pointer":
      return [lowerExpr(b, expr.object)[0] ?? 0];
    case "slice-of":
      return lowerSliceOf(b, expr);
    case "address-of": {
      const place = lowerPlace(b, expr.place);
      if (place.kind !== "memory") throw new Error("the address of a register was taken");
      return [offsetAddress(b, place.base, place.offset)];
    }
    case "array":
    case "array-fill":
    case "struct": {
      const shape = sizeOf(expr.type, b.module.layout);
      const constant = evaluate(expr, b.module.layout);
      if (constant !== null) return lowerConstant(b, expr.type, constant);
      const address = b.frameAddress(b.frame(shape.size, shape.align));
      lowerInto(b, expr, address, 0);
      return [address];
    }
    case "regs-at":
      return [lowerScalar(b, expr.address), lowerScalar(b, expr.space)];
    case "if": {
      const types = registersOf(expr.type);
      const result = types.map((type) => b.temp(type));
      const move = (branch: HExpr): void => lowerExpr(b, branch).forEach((register, i) => b.copy(types[i] ?? "addr", result[i] ?? 0, register));
      const condition = lowerScalar(b, expr.condition);
      b.decide("if", expr.condition.span);
      b.open("if", condition);
      move(expr.consequent);
      b.otherwise();
      move(expr.otherwise);
      b.close();
      return result;
    }
    case "error":
      throw new Error("an expression that did not check was lowered");
  }
}

// ---- Places ----

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

// ---- Conversions ----

function lowerConvert(b: FunctionBuilder, expr: HExpr & { kind: "convert" }): Value {
  const { operand, type } = expr;
  const value = lowerExpr(b, operand);
  if (type.kind === "slice") return value;
  b.span = expr.span;
  return [b.convert(value[0] ?? 0, scalarOf(operand.type), scalarOf(type), isSigned(operand.type))];
}

/** Where the elements of an array, slice or string lie, and how many there are. */
export function lowerSequence(b: FunctionBuilder, expr: HExpr): { readonly pointer: number; readonly length: number; readonly element: Type } {
  const element = elementOf(expr.type);
  if (element === null) throw new Error(`a ${expr.type.kind} has no elements`);
  if (expr.type.kind !== "array") {
    const [pointer, length] = lowerExpr(b, expr);
    return { pointer: pointer ?? 0, length: length ?? 0, element };
  }
  const place = lowerPlace(b, expr);
  if (place.kind !== "memory") throw new Error("an array lies in registers");
  return { pointer: offsetAddress(b, place.base, place.offset), length: b.constant("addr", BigInt(expr.type.length)), element };
}

function lowerSliceOf(b: FunctionBuilder, expr: HExpr & { kind: "slice-of" }): Value {
  const { pointer, length, element } = lowerSequence(b, expr.object);
  const start = expr.start === null ? b.constant("addr", 0n) : lowerScalar(b, expr.start);
  const end = expr.end === null ? length : lowerScalar(b, expr.end);
  b.span = expr.span;
  checkBounds(b, end, length, true);
  checkBounds(b, start, end, true);
  return [b.binary("add", "addr", pointer, scaled(b, start, sizeOf(element, b.module.layout).size)), b.binary("sub", "addr", end, start)];
}

// ---- Aggregates ----

/** Writes the value of an expression to memory, without a temporary in between. */
export function lowerInto(b: FunctionBuilder, expr: HExpr, base: number, offset: number): void {
  const { layout } = b.module;
  if (expr.kind === "array" && expr.type.kind === "array") {
    const { size } = sizeOf(expr.type.element, layout);
    expr.elements.forEach((item, i) => lowerInto(b, item, base, offset + i * size));
  } else if (expr.kind === "array-fill" && expr.type.kind === "array") {
    const { size } = sizeOf(expr.type.element, layout);
    const to = offsetAddress(b, base, offset);
    if (size === 1 && !isAggregate(expr.element.type)) {
      b.emit("mem_fill", { src: [to, lowerScalar(b, expr.element), b.constant("addr", BigInt(expr.type.length))] });
    } else {
      lowerFill(b, expr.element, to, size, expr.type.length);
    }
  } else if (expr.kind === "struct" && expr.type.kind === "struct") {
    if (expr.fields.length < expr.type.fields.length) fillZero(b, offsetAddress(b, base, offset), expr.type.size);
    for (const { field, value } of expr.fields) lowerInto(b, value, base, offset + field.offset);
  } else {
    storeTo(b, expr.type, base, offset, lowerExpr(b, expr));
  }
}

function lowerFill(b: FunctionBuilder, element: HExpr, to: number, size: number, count: number): void {
  const value = lowerExpr(b, element);
  const at = b.temp("addr");
  b.copy("addr", at, to);
  const end = b.binary("add", "addr", to, b.constant("addr", BigInt(size * count)));
  const done = b.open("block");
  const again = b.open("loop");
  b.branchIf(b.binary("le_u", "addr", end, at), done);
  storeTo(b, element.type, at, 0, value);
  b.copy("addr", at, b.binary("add", "addr", at, b.constant("addr", BigInt(size))));
  b.branch(again);
  b.close();
  b.close();
}

// ---- Calls ----

/** Arguments as registers. A variable that is an aggregate is copied: the callee owns what it gets. */
function lowerArguments(b: FunctionBuilder, args: readonly HExpr[]): readonly number[] {
  return args.flatMap((arg) => {
    const value = lowerExpr(b, arg);
    if (!isAggregate(arg.type) || arg.kind === "call" || arg.kind === "const") return value;
    return [copyToFrame(b, arg.type, value[0] ?? 0)];
  });
}

/** A method's code, out of the table of the struct that the interface has at this moment. */
function lowerMethod(b: FunctionBuilder, expr: HExpr & { kind: "call-method" }): { readonly callee: number; readonly self: readonly number[] } {
  const [self, table] = lowerExpr(b, expr.object);
  const callee = b.temp("addr");
  b.span = expr.span;
  b.emit("load", { type: "addr", dst: [callee], src: [table ?? 0], imm: [expr.slot * b.module.layout.addressBytes] });
  return { callee, self: [self ?? 0] };
}

function lowerCall(b: FunctionBuilder, expr: HExpr & { kind: "call" | "call-indirect" | "call-method" }): Value {
  const method = expr.kind === "call-method" ? lowerMethod(b, expr) : null;
  const callee = method !== null ? method.callee : expr.kind === "call-indirect" ? lowerScalar(b, expr.callee) : null;
  const args = [...(method?.self ?? []), ...lowerArguments(b, expr.args)];
  let result: number | null = null;
  if (isAggregate(expr.type)) {
    const shape = sizeOf(expr.type, b.module.layout);
    result = b.frameAddress(b.frame(shape.size, shape.align));
  }
  const all = result === null ? args : [result, ...args];
  const results = result === null ? registersOf(expr.type) : [];
  b.span = expr.span;
  if (expr.kind === "call") {
    const values = b.call(b.module.functionOfDeclared(expr.function), results, all);
    return result === null ? values : [result];
  }
  const params: ScalarType[] = [
    ...(result === null ? [] : (["addr"] as const)),
    ...(method === null ? [] : (["addr"] as const)),
    ...expr.args.flatMap((arg) => registersOf(arg.type)),
  ];
  const dst = results.map((type) => b.temp(type));
  b.emit("call_indirect", { dst, src: [callee ?? 0, ...all], imm: [b.module.signature({ params, results })] });
  return result === null ? dst : [result];
}

// Expressions to instructions. Scalars end in one register, slices and register blocks in two, aggregates at an address. What
// the checks want to show of an expression on failure is kept on the way, in `Capture`, so that every operand is evaluated once.

import type { CompareOp } from "../../grammar/ast.ts";
import { MOST_ERROR } from "../../grammar/error-numbers.ts";
import type { ScalarType } from "../../isa/bytecode/module.ts";
import { asInteger, evaluate } from "../check/constants.ts";
import { findIntrinsic } from "../check/intrinsics.ts";
import type { ConstValue, HExpr } from "../hir.ts";
import { BUILTIN_TYPES, elementOf, isAggregate, registersOf, scalarOf, sizeOf, type Type } from "../types.ts";
import { arithmetic, isSigned } from "./arithmetic.ts";
import { sliceContents } from "./data.ts";
import { extractField, readRegister } from "./device-registers.ts";
import { lowerEquality } from "./equality.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { checkBounds, copyMemory, fillZero, loadFrom, offsetAddress, scaled, storeTo } from "./guest-memory.ts";
import { lowerAlloc, lowerRelease } from "./heap.ts";
import { lowerPlace, lowerRegisterAddress, readPlace } from "./places.ts";
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
    case "compare":
      return [lowerCompare(b, expr, capture)];
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
      const type = scalarOf(expr.value.type);
      const suffix = isSigned(expr.value.type) ? "s" : "u";
      const above = b.binary(`le_${suffix}`, type, start, value);
      const below = b.binary(expr.inclusive ? `le_${suffix}` : `lt_${suffix}`, type, value, end);
      const inside = b.binary("and", "i8", above, below);
      return [expr.negated ? b.isZero(inside) : inside];
    }
    case "in-list":
      return [lowerInList(b, expr, capture)];
    case "matches": {
      const sides = [expr.left, expr.right].flatMap((side) => lowerExpr(b, side, capture));
      b.span = expr.span;
      return b.callRuntime("text.matches", sides, ["i8"]);
    }
    case "near":
      return [lowerNear(b, expr, capture)];
    case "is-error":
      return [lowerIsError(b, expr, capture)];
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
    case "intrinsic":
      return lowerIntrinsic(b, expr);
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

// ---- Constants ----

function lowerConstant(b: FunctionBuilder, type: Type, value: ConstValue): Value {
  if (type.kind === "str" || type.kind === "slice") {
    const { symbol, length } = sliceContents(b.module, type, value);
    return [symbol === null ? b.constant("addr", 0n) : b.symbolAddress(symbol), b.constant("addr", BigInt(length))];
  }
  if (isAggregate(type)) return [b.symbolAddress(b.module.dataSymbol("const.value", type, value))];
  if (type.kind === "interface" || type.kind === "regs") return registersOf(type).map((scalar) => b.constant(scalar, 0n));
  if (type.kind === "fn" && value.kind === "function") return [b.functionAddress(b.module.functionOfDeclared(value.function))];
  return [b.constant(scalarOf(type), asInteger(value) ?? 0n)];
}

// ---- Arithmetic ----

function lowerCompare(b: FunctionBuilder, expr: HExpr & { kind: "compare" }, capture?: Capture): number {
  const left = lowerExpr(b, expr.left, capture);
  const right = lowerExpr(b, expr.right, capture);
  b.span = expr.span;
  return compareValues(b, expr.op, expr.left.type, left, right);
}

function compareValues(b: FunctionBuilder, op: CompareOp, type: Type, left: Value, right: Value): number {
  if (op === "==" || op === "!=") {
    const equal = lowerEquality(b, type, left, right);
    return op === "==" ? equal : b.opposite(equal);
  }
  const suffix = isSigned(type) ? "s" : "u";
  const [x, y] = op === "<" || op === "<=" ? [left[0], right[0]] : [right[0], left[0]];
  return b.binary(`${op === "<" || op === ">" ? "lt" : "le"}_${suffix}`, scalarOf(type), x ?? 0, y ?? 0);
}

/** The distance is what subtraction gives from the larger to the smaller, as an unsigned number of the width. */
function lowerNear(b: FunctionBuilder, expr: HExpr & { kind: "near" }, capture?: Capture): number {
  const [value, center, tolerance] = [expr.left, expr.right, expr.tolerance].map((part) => lowerScalar(b, part, capture));
  b.span = expr.span;
  const type = scalarOf(expr.left.type);
  const [x, y] = [value ?? 0, center ?? 0];
  const isAbove = compareValues(b, ">=", expr.left.type, [x], [y]);
  const distance = b.temp(type);
  b.emit("select", { type, dst: [distance], src: [isAbove, b.binary("sub", type, x, y), b.binary("sub", type, y, x)] });
  return b.binary("le_u", type, distance, tolerance ?? 0);
}

function lowerIsError(b: FunctionBuilder, expr: HExpr & { kind: "is-error" }, capture?: Capture): number {
  const value = lowerScalar(b, expr.value, capture);
  b.span = expr.span;
  const wide = b.convert(value, scalarOf(expr.value.type), "i64", true);
  const isOne =
    expr.number === null
      ? b.binary("lt_u", "i64", b.binary("add", "i64", wide, b.constant("i64", BigInt(MOST_ERROR))), b.constant("i64", BigInt(MOST_ERROR)))
      : b.binary("eq", "i64", wide, b.constant("i64", -expr.number));
  return expr.negated ? b.isZero(isOne) : isOne;
}

function lowerInList(b: FunctionBuilder, expr: HExpr & { kind: "in-list" }, capture?: Capture): number {
  const value = lowerExpr(b, expr.value, capture);
  const [list, length] = lowerExpr(b, expr.list, capture);
  const { type } = expr.value;
  const { size } = sizeOf(type, b.module.layout);
  const found = b.temp("i8");
  b.emit("const", { type: "i8", dst: [found], imm: [0n] });
  b.countedLoop(length ?? 0, (index, done) => {
    const element = loadFrom(b, type, b.binary("add", "addr", list ?? 0, scaled(b, index, size)), 0);
    b.copy("i8", found, lowerEquality(b, type, value, element));
    b.branchIf(found, done);
  });
  return expr.negated ? b.isZero(found) : found;
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
    const shape = sizeOf(arg.type, b.module.layout);
    const copy = b.frameAddress(b.frame(shape.size, shape.align));
    copyMemory(b, copy, value[0] ?? 0, shape.size);
    return [copy];
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

function lowerIntrinsic(b: FunctionBuilder, expr: HExpr & { kind: "intrinsic" }): Value {
  const src = expr.args.map((arg) => lowerScalar(b, arg));
  b.span = expr.span;
  if (expr.name === "heap.acquire") return lowerAlloc(b, expr.span, src);
  // Of a slice, where it lies.
  if (expr.name === "heap.release") return lowerRelease(b, expr.span, src[0] ?? 0);
  const mulh = /^bits\.(mulh_[su])$/.exec(expr.name);
  const row = findIntrinsic(mulh === null ? expr.name : "bits.mulh");
  if (row === undefined) throw new Error(`no intrinsic ${expr.name}`);
  const op = mulh?.[1] ?? row.op;
  const generic = expr.args
    .map((arg) => arg.type)
    .map((type) => (type.kind === "pointer" ? type.target : type))
    .find((type) => type.kind === "int");
  const at = row.at === undefined ? (row.params.some((param) => param.includes("T")) ? generic : undefined) : BUILTIN_TYPES.get(row.at);
  const dst = registersOf(expr.type).map((type) => b.temp(type));
  const imm = row.imm ?? (op === "load_volatile" || op === "store_volatile" ? [0] : []);
  b.emit(op, { ...(at === undefined ? {} : { type: scalarOf(at) }), dst, src, imm });
  return dst;
}

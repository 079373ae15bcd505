// Calls: functions, methods, function values, the intrinsic namespaces and the few built-in functions that take types. What is called
// decides how arguments are checked; where it is wrong already, the arguments are checked all the same, for mistakes of their own.

import type { Expr, Name } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import type { HExpr } from "../hir.ts";
import {
  BUILTIN_TYPES,
  COMPTIME_INT,
  ERROR,
  integerRange,
  sameType,
  showType,
  sizeOf,
  USIZE,
  VOID,
  type InterfaceType,
  type IntType,
  type Type,
} from "../types.ts";
import { checkIndexValue } from "./access.ts";
import { intValue } from "./constants.ts";
import { counted, errorExpr, fail, suggest, type Context } from "./context.ts";
import { coerce, defaultType, quote } from "./convert.ts";
import { findIntrinsic, INTRINSICS, type IntrinsicRow } from "./intrinsics.ts";
import { isIntrinsicNamespace, moduleNamed, typeNamed } from "./named.ts";
import { resolveSignature } from "./on-demand.ts";
import { completeType } from "./resolve-types.ts";
import { lookUp, visibleTypes, type FnEntry } from "./scope.ts";
import { hasField, methodOf, namesIn } from "./structs.ts";
import { checkExpr } from "./values.ts";

type Call = Expr & { kind: "call" };

const BUILTINS: ReadonlyMap<string, (context: Context, call: Call) => HExpr> = new Map([
  ["sizeof", checkSizeof],
  ["edges", checkEdges],
  ["alloc", checkAlloc],
  ["release", checkRelease],
]);

export const BUILTIN_FUNCTIONS: readonly string[] = [...BUILTINS.keys(), "print"];

export function checkCall(context: Context, expr: Call): HExpr {
  const { callee, span } = expr;
  if (callee.kind === "name") {
    const symbol = lookUp(context.scope, callee.name);
    if (symbol === undefined) {
      const builtin = BUILTINS.get(callee.name);
      if (builtin !== undefined) return builtin(context, expr);
      if (callee.name === "print") {
        fail(context, span, "E0525", "`print` gives no value", { label: "a statement, not a value", help: "write `print(..)` on a line of its own" });
        return errorExpr(span);
      }
    }
    if (symbol?.kind === "fn") return callFunction(context, symbol, null, expr);
  }
  if (callee.kind === "member") {
    if (isIntrinsicNamespace(context, callee.object)) return callIntrinsic(context, `${callee.object.name}.${callee.name.text}`, expr);
    const module = moduleNamed(context, callee.object);
    if (module !== null) {
      const symbol = module.names.get(callee.name.text);
      if (symbol?.kind === "fn") return callFunction(context, symbol, null, expr);
    } else if (typeNamed(context, callee.object) === null) {
      const object = checkExpr(context, callee.object);
      if (object.type.kind === "error") return checkArgsAnyway(context, expr);
      if (object.type.kind === "interface") return callInterface(context, object, object.type, callee.name, expr);
      const method = findMethod(context, object.type, callee.name.text);
      if (method !== null) return callFunction(context, method, object, expr);
      if (hasNoMember(context, object.type, callee.name)) return checkArgsAnyway(context, expr);
    }
  }
  const target = checkExpr(context, callee);
  if (target.type.kind === "error") return checkArgsAnyway(context, expr);
  if (target.type.kind !== "fn") {
    fail(context, callee.span, "E0503", `${quote(target.type)} cannot be called`, { label: "not a function" });
    return checkArgsAnyway(context, expr);
  }
  const args = checkArgs(context, expr, "this function", target.type.params, []);
  if (target.kind === "function") return { kind: "call", function: target.function, args, type: target.type.result, span };
  return { kind: "call-indirect", callee: target, args, type: target.type.result, span };
}

/** The callee is wrong already; its arguments may be wrong too, and are worth telling in the same run. */
function checkArgsAnyway(context: Context, expr: Call): HExpr {
  for (const arg of expr.args) if (typeNamed(context, arg) === null) checkExpr(context, arg);
  return errorExpr(expr.span);
}

/** `declared` gives the places of the callee's name and of its parameters, where they are known. */
function checkArgs(context: Context, call: Call, name: string, params: readonly Type[], declared: readonly Span[]): readonly HExpr[] {
  const { args, span } = call;
  const [callee, ...places] = declared;
  const wrongCount = args.length !== params.length;
  if (wrongCount) {
    fail(context, span, "E0504", `${name} takes ${counted(params.length, "argument")}, found ${args.length}`, {
      label:
        args.length < params.length
          ? `${counted(params.length - args.length, "argument")} missing`
          : `${counted(args.length - params.length, "argument")} too many`,
      related: callee === undefined ? [] : [{ span: callee, text: "declared here" }],
    });
  }
  for (const arg of args.slice(params.length)) checkExpr(context, arg);
  return params.map((param, i) => {
    const arg = args[i];
    if (arg === undefined) return errorExpr(span, param);
    const value = checkExpr(context, arg, param);
    // With an argument left out or added, types that do not fit only repeat that.
    if (wrongCount) return errorExpr(arg.span, param);
    const place = places[i];
    return coerce(context, value, param, place === undefined ? {} : { related: [{ span: place, text: "the parameter" }] });
  });
}

function callFunction(context: Context, entry: FnEntry, self: HExpr | null, expr: Call): HExpr {
  // What it calls may check.
  context.inferred.checks = true;
  context.reach?.functions.add(entry);
  resolveSignature(context, entry);
  const { type } = entry.function;
  const params = self === null ? type.params : type.params.slice(1);
  const written = self === null ? entry.item.params : entry.item.params.slice(1);
  const args = checkArgs(context, expr, `\`${entry.item.name.text}\``, params, [entry.item.name.span, ...written.map((param) => param.name.span)]);
  const all = self === null ? args : [selfArgument(self, type.params[0]), ...args];
  return { kind: "call", function: entry.function, args: all, type: type.result, span: expr.span };
}

/** `x.method()`: the address of a struct, or the pointer itself. A method may be called on a result, which lives as long as the statement. */
function selfArgument(object: HExpr, wanted: Type | undefined): HExpr {
  const self = addressOf(object);
  // A method of the base: the same address.
  return wanted === undefined || sameType(self.type, wanted) ? self : { kind: "convert", operand: self, type: wanted, span: object.span };
}

function addressOf(object: HExpr): HExpr {
  if (object.type.kind === "pointer") return object;
  if (object.kind === "local") object.local.inMemory = true;
  return { kind: "address-of", place: object, type: { kind: "pointer", target: object.type }, span: object.span };
}

function callInterface(context: Context, object: HExpr, type: InterfaceType, name: Name, expr: Call): HExpr {
  const slot = type.methods.findIndex((method) => method.name === name.text);
  const method = type.methods[slot];
  if (method === undefined) {
    fail(context, name.span, "E0407", `interface \`${type.name}\` has no method \`${name.text}\``, {
      related: [{ span: type.declared, text: "declared here" }],
      help: suggest(
        name.text,
        type.methods.map((candidate) => candidate.name),
      ),
    });
    return checkArgsAnyway(context, expr);
  }
  // What implements it may check.
  context.inferred.checks = true;
  const args = checkArgs(context, expr, `\`${name.text}\``, method.params, [method.declared, ...method.places]);
  return { kind: "call-method", object, slot, args, type: method.result, span: expr.span };
}

function findMethod(context: Context, type: Type, name: string): FnEntry | null {
  const struct = type.kind === "pointer" ? type.target : type;
  if (struct.kind !== "struct") return null;
  completeType(context, struct);
  if (hasField(struct, name)) return null;
  return methodOf(struct, name) ?? null;
}

/** Reports a call of what a struct has neither as a method nor as a field. */
function hasNoMember(context: Context, type: Type, name: Name): boolean {
  const struct = type.kind === "pointer" ? type.target : type;
  if (struct.kind !== "struct" || hasField(struct, name.text)) return false;
  const methods = namesIn(struct, "methods");
  fail(context, name.span, "E0407", `${struct.table === undefined ? `\`${struct.name}\`` : `a row of \`${struct.table}\``} has no method \`${name.text}\``, {
    related: [{ span: struct.declared, text: "declared here" }],
    help: suggest(name.text, methods),
  });
  return true;
}

// ---- Intrinsics ----

function callIntrinsic(context: Context, name: string, expr: Call): HExpr {
  const row = findIntrinsic(name);
  const { span } = expr;
  if (row === undefined) {
    fail(context, expr.callee.span, "E0401", `there is no function \`${name}\``, {
      help: suggest(
        name,
        INTRINSICS.map((candidate) => candidate.name),
      ),
    });
    return checkArgsAnyway(context, expr);
  }
  if (expr.args.length !== row.params.length) {
    fail(context, span, "E0504", `\`${name}\` takes ${counted(row.params.length, "argument")}, found ${expr.args.length}`, {
      label: `its arguments are (${row.params.join(", ")})`,
    });
    return checkArgsAnyway(context, expr);
  }
  let generic: IntType | null = null;
  const args = expr.args.map((arg, i) => {
    const param = row.params[i] ?? "void";
    const [checked, type] = intrinsicArgument(context, arg, param, generic);
    if (type !== null) generic = type;
    return checked;
  });
  const result = intrinsicType(row.result, generic);
  return { kind: "intrinsic", name: intrinsicOf(row, generic), args, type: result, span };
}

/** `bits.mulh` is two instructions, by signedness. */
function intrinsicOf(row: IntrinsicRow, generic: IntType | null): string {
  return row.op === "mulh" && generic !== null ? `bits.mulh_${generic.signed ? "s" : "u"}` : row.name;
}

function intrinsicArgument(context: Context, arg: Expr, param: string, generic: IntType | null): readonly [HExpr, IntType | null] {
  if (param === "fn") return [coerce(context, checkExpr(context, arg), { kind: "fn", params: [USIZE], result: VOID }), null];
  if (param === "*T") {
    const pointer = checkExpr(context, arg);
    if (pointer.type.kind === "pointer" && pointer.type.target.kind === "int") return [pointer, pointer.type.target];
    if (pointer.type.kind !== "error") {
      const help = pointer.type.kind === "int" ? "take its address with `&`" : undefined;
      fail(context, arg.span, "E0501", `expected a pointer to an integer, found ${quote(pointer.type)}`, { label: `this is ${quote(pointer.type)}`, help });
    }
    return [errorExpr(arg.span), null];
  }
  if (param === "T") {
    const value = generic === null ? defaultType(context, checkExpr(context, arg)) : coerce(context, checkExpr(context, arg, generic), generic);
    if (value.type.kind === "int") return [value, value.type];
    if (value.type.kind !== "error")
      fail(context, arg.span, "E0501", `expected an integer, found ${quote(value.type)}`, { label: `this is ${quote(value.type)}` });
    return [errorExpr(arg.span), null];
  }
  const type = BUILTIN_TYPES.get(param) ?? ERROR;
  return [coerce(context, checkExpr(context, arg, type), type), null];
}

function intrinsicType(name: string, generic: IntType | null): Type {
  if (name === "T") return generic ?? ERROR;
  if (name === "void") return VOID;
  return BUILTIN_TYPES.get(name) ?? ERROR;
}

// ---- Built-in functions over types ----

function typeArgument(context: Context, call: Call, name: string, count = 1): Type | null {
  const [arg] = call.args;
  if (arg === undefined || (call.args.length !== 1 && count === 1)) {
    fail(context, call.span, "E0504", `\`${name}\` takes one type, found ${counted(call.args.length, "argument")}`, { help: `for example \`${name}(u32)\`` });
    return null;
  }
  const type = typeNamed(context, arg);
  if (type === null) {
    const help = arg.kind === "name" ? suggest(arg.name, visibleTypes(context.scope)) : undefined;
    fail(context, arg.span, "E0405", `\`${name}\` takes a type`, { label: "not a type", help: help ?? `for example \`${name}(u32)\`` });
  }
  return type;
}

function checkSizeof(context: Context, call: Call): HExpr {
  const type = typeArgument(context, call, "sizeof");
  if (type === null) return errorExpr(call.span);
  return { kind: "const", value: intValue(BigInt(sizeOf(type, context.target.layout).size)), type: COMPTIME_INT, span: call.span };
}

/** The values at which arithmetic of a width goes wrong: both ends, around zero, around the sign bit, alternating bits. */
function checkEdges(context: Context, call: Call): HExpr {
  const type = typeArgument(context, call, "edges");
  if (type === null) return errorExpr(call.span);
  if (type.kind !== "int") {
    const at = call.args[0]?.span ?? call.span;
    fail(context, at, "E0501", `\`edges\` takes an integer type, found ${quote(type)}`, { label: "has no edges" });
    return errorExpr(call.span);
  }
  const { min, max } = integerRange(type, context.target.layout);
  const alternating = max & 0x5555_5555_5555_5555n;
  const values = type.signed ? [min, min + 1n, -1n, 0n, 1n, alternating, max - 1n, max] : [0n, 1n, alternating, max >> 1n, (max >> 1n) + 1n, max - 1n, max];
  return {
    kind: "const",
    value: { kind: "list", items: values.map(intValue) },
    type: { kind: "array", length: values.length, element: type },
    span: call.span,
  };
}

/** `alloc(T)` gives *T, `alloc([]T, n)` gives []T; released with the test. Zeroed. */
function checkAlloc(context: Context, call: Call): HExpr {
  const type = typeArgument(context, call, "alloc", 2);
  if (type === null) return errorExpr(call.span);
  const { span } = call;
  const usize = (value: number): HExpr => ({ kind: "const", value: intValue(BigInt(value)), type: USIZE, span });
  if (type.kind === "slice") {
    const [, countExpr] = call.args;
    if (countExpr === undefined || call.args.length !== 2) {
      fail(context, span, "E0504", "`alloc` of a slice takes its type and the number of elements", { help: "for example `alloc([]u8, 16)`" });
      return errorExpr(span, type);
    }
    completeType(context, type.element);
    const shape = sizeOf(type.element, context.target.layout);
    const count = checkIndexValue(context, countExpr);
    return { kind: "intrinsic", name: "heap.acquire", args: [usize(shape.size), usize(shape.align), count], type, span };
  }
  const pointer: Type = { kind: "pointer", target: type };
  if (call.args.length !== 1) {
    fail(context, span, "E0504", "`alloc` of one value takes its type only", { help: `several values are a slice: \`alloc([]${showType(type)}, n)\`` });
    return errorExpr(span, pointer);
  }
  const shape = sizeOf(type, context.target.layout);
  return { kind: "intrinsic", name: "heap.acquire", args: [usize(shape.size), usize(shape.align)], type: pointer, span };
}

/** `release(p)`: what `alloc` gave is not used any more. */
function checkRelease(context: Context, call: Call): HExpr {
  const [arg] = call.args;
  const { span } = call;
  if (arg === undefined || call.args.length !== 1) {
    fail(context, span, "E0504", `\`release\` takes what \`alloc\` gave, found ${counted(call.args.length, "argument")}`);
    return errorExpr(span, VOID);
  }
  // A double release is a failure: what looks like a cleanup is a check.
  context.inferred.checks = true;
  const memory = checkExpr(context, arg);
  const { kind } = memory.type;
  if (kind !== "pointer" && kind !== "slice") {
    if (kind !== "error")
      fail(context, arg.span, "E0501", `\`release\` takes a pointer or a slice, found ${quote(memory.type)}`, { label: `this is ${quote(memory.type)}` });
    return errorExpr(span, VOID);
  }
  return { kind: "intrinsic", name: "heap.release", args: [memory], type: VOID, span };
}

// Reaching into values: elements, slices, and register blocks laid over addresses. Bounds that are known when compiling are checked
// here; the others are checked by the guest, where a wrong one is a trap.

import type { Expr } from "../../grammar/ast.ts";
import type { HExpr } from "../hir.ts";
import { elementOf, sameType, STR, U32, USIZE, type Type } from "../types.ts";
import { evaluateInteger, intValue } from "./constants.ts";
import { errorExpr, fail, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, quote, showBig } from "./convert.ts";
import { typeNamed } from "./named.ts";
import { isLost, lookUp, visibleTypes } from "./scope.ts";
import { checkExpr, checkOperand } from "./values.ts";

/** An index or length: any integer type, made usize. */
export function checkIndexValue(context: Context, expr: Expr): HExpr {
  const index = checkExpr(context, expr, USIZE);
  if (index.type.kind === "int" && index.type.bits !== "address") return { kind: "convert", operand: index, type: USIZE, span: index.span };
  return coerce(context, index, USIZE);
}

/** The array that a pointer points to. */
function throughPointer(object: HExpr): HExpr {
  const { type, span } = object;
  return type.kind === "pointer" && type.target.kind === "array" ? { kind: "deref", pointer: object, type: type.target, span } : object;
}

export function checkIndex(context: Context, expr: Expr & { kind: "index" }): HExpr {
  const { span } = expr;
  let object = checkOperand(context, expr.object);
  if (object.kind === "register" && object.register.count !== null && object.index === null) {
    const index = checkIndexValue(context, expr.index);
    const at = evaluateInteger(index, context.target.layout);
    if (at !== null && at >= BigInt(object.register.count)) {
      fail(context, index.span, "E0519", `index ${showBig(at)} is beyond the ${object.register.count} registers of \`${object.register.name}\``, {
        related: [{ span: object.register.declared, text: "declared here" }],
      });
    }
    return { ...object, index, span };
  }
  object = throughPointer(object);
  const index = checkIndexValue(context, expr.index);
  if (object.kind === "error" || index.kind === "error" || object.type.kind === "error") return errorExpr(span);
  const element = elementOf(object.type);
  if (element === null) {
    fail(context, object.span, "E0506", `${quote(object.type)} has no elements to index`, { label: `this is ${quote(object.type)}` });
    return errorExpr(span);
  }
  const at = evaluateInteger(index, context.target.layout);
  if (at !== null && object.type.kind === "array" && at >= BigInt(object.type.length)) {
    const { length } = object.type;
    fail(context, index.span, "E0519", `index ${showBig(at)} is beyond the ${length} elements of ${quote(object.type)}`, {
      label: length === 0 ? "there are none" : `the last one is ${length - 1}`,
    });
    return errorExpr(span, element);
  }
  if (element.kind === "comptime-int") object = defaultType(context, object);
  return { kind: "index", object, index, type: elementOf(object.type) ?? element, span };
}

export function checkSlice(context: Context, expr: Expr & { kind: "slice" }): HExpr {
  const object = throughPointer(defaultType(context, checkExpr(context, expr.object)));
  const start = expr.start === null ? null : checkIndexValue(context, expr.start);
  const end = expr.end === null ? null : checkIndexValue(context, expr.end);
  if (object.kind === "error" || object.type.kind === "error") return errorExpr(expr.span);
  if (object.type.kind === "str") return { kind: "slice-of", object, start, end, type: STR, span: expr.span };
  if (object.type.kind !== "array" && object.type.kind !== "slice") {
    fail(context, object.span, "E0506", `${quote(object.type)} cannot be sliced`, {
      label: `this is ${quote(object.type)}`,
      help: object.type.kind === "int" ? "bits are cut out by `x >> 4 & 0xf`; those of a register have names" : "arrays, slices and strings can",
    });
    return errorExpr(expr.span);
  }
  if (!isSliceInside(context, object.type, start, end)) return errorExpr(expr.span, { kind: "slice", element: object.type.element });
  return { kind: "slice-of", object, start, end, type: { kind: "slice", element: object.type.element }, span: expr.span };
}

export function checkRegsAt(context: Context, expr: Expr & { kind: "regs-at" }): HExpr {
  const type = typeNamed(context, expr.block);
  if (type === null || type.kind !== "regs") {
    if (expr.block.kind !== "name" || !isLost(context.scope, expr.block.name)) failNoBlock(context, expr.block, type);
    checkExpr(context, expr.address, USIZE);
    return errorExpr(expr.span);
  }
  const { span } = expr;
  const constant = (value: bigint): HExpr => ({ kind: "const", value: intValue(value), type: U32, span });
  let address = checkExpr(context, expr.address, USIZE);
  let space = constant(expr.space === "ports" ? 1n : 0n);
  if (address.type.kind === "struct") {
    // A BAR knows its own space: any struct with `base: usize` and `space` (0 memory, 1 ports).
    const base = address.type.fields.find((field) => field.name === "base");
    const where = address.type.fields.find((field) => field.name === "space");
    if (base !== undefined && where !== undefined && sameType(base.type, USIZE) && where.type.kind === "int" && where.type.bits === 32) {
      space = { kind: "field", object: address, field: where, type: where.type, span };
      address = { kind: "field", object: address, field: base, type: base.type, span };
    }
  } else if (address.type.kind === "int" && address.type.bits !== "address") {
    address = cast(context, address, USIZE, address.span);
  }
  return { kind: "regs-at", address: coerce(context, address, USIZE), space, type, span };
}

/** Reports bounds that are known when compiling and cannot be right. */
function isSliceInside(context: Context, type: Type, start: HExpr | null, end: HExpr | null): boolean {
  const known = (bound: HExpr | null): bigint | null => (bound === null ? null : evaluateInteger(bound, context.target.layout));
  const length = type.kind === "array" ? BigInt(type.length) : null;
  const [low, high] = [known(start), known(end)];
  const limit = high ?? length;
  const beyond = [end, start].filter((bound) => bound !== null).find((bound) => length !== null && (known(bound) ?? 0n) > length);
  if (beyond !== undefined) {
    fail(context, beyond.span, "E0519", `index ${showBig(known(beyond) ?? 0n)} is beyond the ${length ?? 0n} elements of ${quote(type)}`, {
      label: `at most ${length ?? 0n}`,
    });
    return false;
  }
  if (low === null || limit === null || low <= limit || start === null) return true;
  fail(context, start.span, "E0519", `the slice begins at ${showBig(low)}, after its end ${showBig(limit)}`, {
    label: "beyond the end",
    related: end === null ? [] : [{ span: end.span, text: "the end" }],
  });
  return false;
}

function failNoBlock(context: Context, block: Expr, type: Type | null): void {
  const near = block.kind === "name" && type === null ? suggest(block.name, visibleTypes(context.scope)) : undefined;
  const isUnknown = type === null && block.kind === "name" && lookUp(context.scope, block.name) === undefined;
  const message = isUnknown ? `there is no register block \`${block.name}\`` : "expected the name of a register block";
  fail(context, block.span, "E0405", message, {
    label: isUnknown ? "" : type === null ? "this is a value" : `this is ${quote(type)}`,
    help: near ?? "declare one with `regs NAME { .. }`",
  });
}

// How a checked expression meets the type that its place wants: literals adapt and must fit, arrays become slices, and nothing
// else changes silently. Casts (`as`) live here too, so that all conversions of the language stand in one file.

import type { Span } from "../../grammar/source.ts";
import type { HExpr } from "../hir.ts";
import { U64, I64, bitsOf, integerRange, isAggregate, sameType, showType, type IntType, type Type } from "../types.ts";
import { asInteger, evaluate, intValue, type ConstValue } from "./constants.ts";
import { errorExpr, fail, type Context, type Extra } from "./context.ts";

/** The expression as `type`, or an error. */
export function coerce(context: Context, expr: HExpr, type: Type, extra: Extra = {}): HExpr {
  const from = expr.type;
  if (from.kind === "error" || type.kind === "error") return errorExpr(expr.span, type);
  if (sameType(from, type)) return expr;
  if (from.kind === "comptime-int") return adaptLiteral(context, expr, type, extra);
  if (type.kind === "slice" && from.kind === "array" && sameType(from.element, type.element)) {
    return { kind: "array-to-slice", operand: expr, type, span: expr.span };
  }
  if (type.kind === "slice" && from.kind === "str" && type.element.kind === "int" && type.element.name === "u8") {
    return { kind: "convert", operand: expr, type, span: expr.span };
  }
  if (isComptimeArray(from) && (type.kind === "array" || type.kind === "slice")) return adaptArray(context, expr, type, extra);
  const related = extra.related ?? [];
  fail(context, expr.span, "E0501", `expected ${quote(type)}, found ${quote(from)}`, {
    ...extra,
    label: extra.label ?? `this is ${quote(from)}`,
    related,
    help: extra.help ?? castHelp(from, type),
  });
  return errorExpr(expr.span, type);
}

export function quote(type: Type): string {
  return type.kind === "void" || type.kind === "comptime-int" ? showType(type) : `\`${showType(type)}\``;
}

function castHelp(from: Type, to: Type): string | undefined {
  return canCast(from, to) ? `widths never mix silently: write \`as ${showType(to)}\`` : undefined;
}

function isComptimeArray(type: Type): boolean {
  return type.kind === "array" && (type.element.kind === "comptime-int" || isComptimeArray(type.element));
}

/** Elements of an array literal whose integers had no type yet. */
function adaptArray(context: Context, expr: HExpr, type: Type, extra: Extra): HExpr {
  if (type.kind !== "array" && type.kind !== "slice") return errorExpr(expr.span, type);
  const from = expr.type.kind === "array" ? expr.type : null;
  const array: Type = { kind: "array", length: from?.length ?? 0, element: type.element };
  let adapted: HExpr;
  if (expr.kind === "array") {
    adapted = { ...expr, elements: expr.elements.map((element) => coerce(context, element, type.element, extra)), type: array };
  } else if (expr.kind === "array-fill") {
    adapted = { ...expr, element: coerce(context, expr.element, type.element, extra), type: array };
  } else {
    const value = evaluate(expr, context.target.layout);
    if (value?.kind !== "list") return errorExpr(expr.span, type);
    for (const item of value.items) checkFits(context, item, type.element, expr.span);
    adapted = { kind: "const", value, type: array, span: expr.span };
  }
  return coerce(context, adapted, type, extra);
}

function adaptLiteral(context: Context, expr: HExpr, type: Type, extra: Extra): HExpr {
  const target = type.kind === "int" ? type : null;
  if (target === null) {
    fail(context, expr.span, "E0501", `expected ${quote(type)}, found ${quote(expr.type)}`, {
      ...extra,
      label: extra.label ?? `this is an ${showType(expr.type)}`,
      help: extra.help ?? (type.kind === "enum" ? `name a member: \`${type.name}.${[...type.members.keys()][0] ?? "…"}\`` : undefined),
    });
    return errorExpr(expr.span, type);
  }
  const value = evaluate(expr, context.target.layout);
  const integer = asInteger(value);
  if (integer === null || value === null) {
    // A conditional between literals: each branch adapts.
    if (expr.kind === "if") {
      return { ...expr, then: coerce(context, expr.then, type, extra), otherwise: coerce(context, expr.otherwise, type, extra), type };
    }
    fail(context, expr.span, "E0516", "this constant expression divides by zero or shifts too far");
    return errorExpr(expr.span, type);
  }
  checkFits(context, value, type, expr.span);
  return { kind: "const", value: intValue(integer), type, span: expr.span };
}

function checkFits(context: Context, value: ConstValue, type: Type, span: Span): void {
  const integer = asInteger(value);
  if (type.kind !== "int" || integer === null) return;
  const range = integerRange(type, context.target.layout);
  if (integer >= range.min && integer <= range.max) return;
  fail(context, span, "E0502", `${showBig(integer)} does not fit \`${type.name}\``, {
    label: `\`${type.name}\` holds ${showBig(range.min)} to ${showBig(range.max)}`,
  });
}

export function showBig(value: bigint): string {
  const magnitude = value < 0n ? -value : value;
  return magnitude < 65536n ? String(value) : `${value < 0n ? "-" : ""}0x${magnitude.toString(16)}`;
}

/** The type that a literal takes when nothing tells: u64, or i64 when it is negative. */
export function defaultType(context: Context, expr: HExpr): HExpr {
  if (expr.type.kind === "comptime-int") {
    const value = asInteger(evaluate(expr, context.target.layout));
    return coerce(context, expr, value !== null && value < 0n ? I64 : U64);
  }
  if (isComptimeArray(expr.type) && expr.type.kind === "array") {
    return coerce(context, expr, { kind: "array", length: expr.type.length, element: defaultElement(context, expr) });
  }
  return expr;
}

function defaultElement(context: Context, expr: HExpr): Type {
  const value = evaluate(expr, context.target.layout);
  const items = value?.kind === "list" ? value.items : [];
  return items.some((item) => (asInteger(item) ?? 0n) < 0n) ? I64 : U64;
}

function isScalar(type: Type): boolean {
  return type.kind === "int" || type.kind === "enum" || type.kind === "bool" || type.kind === "pointer" || type.kind === "fn";
}

/** Casts: between integers, enums and their integers, bool to integer, usize to and from pointers and functions, regs to usize. */
export function canCast(from: Type, to: Type): boolean {
  if (sameType(from, to)) return true;
  const isAddress = (type: Type): boolean => type.kind === "int" && type.bits === "address";
  if (to.kind === "int") {
    if (from.kind === "int" || from.kind === "comptime-int" || from.kind === "bool" || from.kind === "enum") return true;
    return isAddress(to) && (from.kind === "pointer" || from.kind === "fn" || from.kind === "regs");
  }
  if (to.kind === "enum") return from.kind === "int" || from.kind === "comptime-int";
  if (to.kind === "pointer" || to.kind === "fn") {
    return isAddress(from) || from.kind === "comptime-int" || (to.kind === "pointer" && from.kind === "pointer");
  }
  if (to.kind === "slice") return from.kind === "array" || from.kind === "str";
  return false;
}

export function cast(context: Context, operand: HExpr, type: Type, span: Span): HExpr {
  const from = operand.type;
  if (from.kind === "error" || type.kind === "error") return errorExpr(span, type);
  if (sameType(from, type)) return operand;
  if (!canCast(from, type)) {
    fail(context, span, "E0514", `${quote(from)} cannot be converted to ${quote(type)}`, {
      help: isAggregate(from) || isScalar(type) ? undefined : "take an address with `&` and convert that",
    });
    return errorExpr(span, type);
  }
  if (type.kind === "slice") return coerce(context, operand, type);
  if (from.kind === "comptime-int") {
    const value = asInteger(evaluate(operand, context.target.layout));
    if (value === null) return errorExpr(span, type);
    const integer = integerBehind(type, context);
    const bits = bitsOf(integer, context.target.layout);
    const wrapped = integer.signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    return { kind: "const", value: intValue(wrapped), type, span };
  }
  return { kind: "convert", operand, type, span };
}

function integerBehind(type: Type, context: Context): IntType {
  if (type.kind === "int") return type;
  if (type.kind === "enum") return type.base;
  return { kind: "int", name: "usize", signed: false, bits: context.target.layout.addressBytes === 8 ? 64 : 32 };
}

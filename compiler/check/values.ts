// Asking for the value of an expression, in the ways in which places want one: any value, one of a type, a condition, a constant, a
// length. What the expression's kind makes of it is the business of the rules above (expressions.ts), which the context carries: so
// types, constants and declarations can ask for values, and stand below the expressions that name them.

import type { Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import type { ConstValue, HExpr } from "../hir.ts";
import { BOOL, integerRange, type Register, type Type } from "../types.ts";
import { asInteger, evaluate, intValue } from "./constants.ts";
import { errorExpr, fail, nested, type Context } from "./context.ts";
import { coerce, defaultType, quote, showBig } from "./convert.ts";

/** An expression whose value is used. */
export function checkExpr(context: Context, expr: Expr, expected: Type | null = null): HExpr {
  const checked = checkOperand(context, expr, expected);
  requireReadable(context, checked);
  if (checked.type.kind !== "void") return checked;
  const called = checked.kind === "call" ? checked.function : null;
  fail(context, checked.span, "E0525", called === null ? "this call gives no value" : `\`${called.name}\` gives no value`, {
    label: "a value is needed here",
    related: called === null ? [] : [{ span: called.span, text: "declared without a result" }],
  });
  return errorExpr(checked.span);
}

/** A write-only register has no value to use. */
export function requireReadable(context: Context, expr: HExpr): void {
  if (expr.kind !== "register" && expr.kind !== "register-field") return;
  const access = expr.kind === "register-field" ? expr.field.access : expr.register.access;
  if (access === "wo") {
    const [name, declared] =
      expr.kind === "register-field" ? [`${expr.register.name}.${expr.field.name}`, expr.field.declared] : [expr.register.name, expr.register.declared];
    fail(context, expr.span, "E0518", `\`${name}\` is write-only`, { related: [{ span: declared, text: "declared `wo` here" }] });
  } else if (expr.register.count !== null && expr.index === null) {
    failUnindexed(context, expr.span, expr.register);
  }
}

/** An expression that may be a place: assigned, or reached into, without being read as a whole. */
export function checkOperand(context: Context, expr: Expr, expected: Type | null = null): HExpr {
  return nested(context, expr.span, null, () => context.rules.expression(context, expr, expected)) ?? errorExpr(expr.span);
}

/** An expression used as a value of this type. */
export function checkAs(context: Context, expr: Expr, type: Type): HExpr {
  return coerce(context, checkExpr(context, expr, type), type);
}

/** An expression whose own type decides; literals take their default type. */
export function checkValue(context: Context, expr: Expr): HExpr {
  return defaultType(context, checkExpr(context, expr));
}

export function checkCondition(context: Context, expr: Expr): HExpr {
  const condition = checkExpr(context, expr, BOOL);
  if (condition.type.kind === "bool" || condition.type.kind === "error") return condition;
  fail(context, expr.span, "E0511", `a condition is a \`bool\`, found ${quote(condition.type)}`, {
    label: `this is ${quote(condition.type)}`,
    help: condition.type.kind === "int" || condition.type.kind === "comptime-int" ? "compare it: `!= 0`" : undefined,
  });
  return errorExpr(expr.span, BOOL);
}

/** A constant expression; reports when it is none. */
export function checkConstant(
  context: Context,
  expr: Expr,
  expected: Type | null,
  what = "this",
  help?: string,
): { readonly value: ConstValue; readonly type: Type; readonly expr: HExpr } | null {
  if (expr.kind === "int" && expected?.kind === "int") {
    const { min, max } = integerRange(expected, context.target.layout);
    if (expr.value >= min && expr.value <= max) {
      // What the rest would come to, without the rest: tables have many such cells.
      const known = intValue(expr.value);
      return { value: known, type: expected, expr: { kind: "const", value: known, type: expected, span: expr.span } };
    }
  }
  const checked = expected === null ? checkExpr(context, expr) : checkAs(context, expr, expected);
  if (checked.type.kind === "error" || checked.kind === "error") return null;
  const value = evaluate(checked, context.target.layout);
  if (value === null) {
    fail(context, expr.span, "E0507", `${what} must be known when compiling`, { label: "depends on the running guest", help });
    return null;
  }
  return { value, type: checked.type, expr: checked };
}

/** A constant integer; reports when it is none. */
export function checkInteger(context: Context, expr: Expr, what: string, help?: string): bigint | null {
  const constant = checkConstant(context, expr, null, what, help);
  if (constant === null) return null;
  const value = asInteger(constant.value);
  if (value !== null && (constant.type.kind === "int" || constant.type.kind === "comptime-int")) return value;
  fail(context, expr.span, "E0501", `${what} is an integer, found ${quote(constant.type)}`, { label: `this is ${quote(constant.type)}` });
  return null;
}

export function checkLength(context: Context, expr: Expr): number | null {
  const value = checkInteger(context, expr, "an array length", "memory of any length is a slice: `alloc([]u8, n)`");
  if (value === null) return null;
  if (value < 0n || value > 0x1000_0000n) {
    fail(context, expr.span, "E0502", `${showBig(value)} is no array length`, { label: "an array has 0 to 0x10000000 elements" });
    return null;
  }
  return Number(value);
}

/** An array of registers is no value: one of them is. */
export function failUnindexed(context: Context, span: Span, register: Register): void {
  fail(context, span, "E0506", `\`${register.name}\` is an array of ${register.count ?? 0} registers`, {
    label: "no single register",
    related: [{ span: register.declared, text: "declared here" }],
    help: `pick one: \`${register.name}[0]\``,
  });
}

// Places: what can be assigned to or have its address taken. A place's root decides whether it may change: a `let`, a parameter
// or a temporary may not; whatever lies behind a pointer, a slice or a register block may.

import type { Expr } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { isPlace, type HExpr, type HPlace, type Local } from "../hir.ts";
import { showType } from "../types.ts";
import { fail, type Context } from "./context.ts";
import { isWritable } from "./system-registers.ts";
import { checkOperand, failUnindexed } from "./values.ts";

/** Checks a place that is assigned or whose address is taken; null when it is none (reported). */
export function checkPlace(context: Context, expr: Expr, use: "assign" | "address"): HPlace | null {
  const place = checkOperand(context, expr);
  if (place.kind === "error") return null;
  if (!isPlace(place)) {
    fail(context, expr.span, "E0510", use === "assign" ? "this cannot be assigned to" : "this has no address", {
      label: place.kind === "const" && expr.kind === "name" ? "a constant, not a variable" : "a value, not a variable",
      help:
        use === "address" ? "bind it with `let` first" : expr.kind === "slice" ? "elements are copied one by one: `for i, x in from { to[i] = x }`" : undefined,
    });
    return null;
  }
  if (use === "address") {
    markInMemory(place);
    return place;
  }
  return isAssignable(context, place) ? place : null;
}

/** A local whose address escapes lives in its frame. */
function markInMemory(place: HExpr): void {
  if (place.kind === "local") place.local.inMemory = true;
  else if (place.kind === "field") markInMemory(place.object);
  else if (place.kind === "index" && place.object.type.kind === "array") markInMemory(place.object);
}

function isAssignable(context: Context, place: HPlace): boolean {
  switch (place.kind) {
    case "local":
      if (place.local.mutable) return true;
      failFixed(context, place.span, place.local);
      return false;
    case "global":
    case "deref":
      return true;
    case "system-register":
      return isWritable(context, place);
    case "field":
      return rootAssignable(context, place.object);
    case "index":
      if (place.object.type.kind === "slice") return true;
      if (place.object.type.kind === "str") {
        fail(context, place.span, "E0509", "the bytes of a `str` cannot be changed", { help: "copy them into a `[N]u8`" });
        return false;
      }
      return rootAssignable(context, place.object);
    case "register":
    case "register-field": {
      const { register } = place;
      if (register.count !== null && place.index === null) {
        failUnindexed(context, place.span, register);
        return false;
      }
      const access = place.kind === "register-field" ? place.field.access : register.access;
      if (access !== "ro") return true;
      const name = place.kind === "register-field" ? `${register.name}.${place.field.name}` : register.name;
      fail(context, place.span, "E0518", `\`${name}\` is read-only`, {
        related: [{ span: place.kind === "register-field" ? place.field.declared : register.declared, text: "declared `ro` here" }],
        help: `to test that the write is ignored, go below the declaration: \`poke.${showType(register.type)}(address, value)\``,
      });
      return false;
    }
  }
}

/** A `let`, a parameter or a loop's variable is given another value. */
function failFixed(context: Context, span: Span, local: Local): void {
  const { source, start } = local.span;
  const isLet = /\blet\s+$/.test(source.text.slice(Math.max(0, start - 16), start));
  const isFunction = textOf(local.owner.span) === local.owner.name;
  const what = isLet ? "" : !local.owner.params.includes(local) ? "loop variable " : isFunction ? "parameter " : "row variable ";
  fail(context, span, "E0509", `${what}\`${local.name}\` cannot be assigned${isLet ? " again" : ""}`, {
    related: [{ span: local.span, text: isLet ? "declared with `let` here" : "declared here" }],
    help: isLet ? "declare it with `var` to change it" : "copy it into a `var` to change it",
    fix: isLet ? { span: { source, start: source.text.lastIndexOf("let", start), end: start }, text: "var " } : undefined,
  });
}

function rootAssignable(context: Context, object: HExpr): boolean {
  if (isPlace(object)) return isAssignable(context, object);
  fail(context, object.span, "E0510", "this is a temporary value; a change to it would be lost", { help: "bind it with `var` first" });
  return false;
}

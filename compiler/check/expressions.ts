// Expressions: AST to typed HIR. `expected` is what the place around wants, where it is known; it only steers literals and array
// literals: the place itself calls `coerce`, so that every mismatch is reported once, where it can name both sides.

import { literalText, type Expr } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { HExpr } from "../hir.ts";
import { BOOL, COMPTIME_INT, DURATION, STR, U8, type Type } from "../types.ts";
import { checkIndex, checkRegsAt, checkSlice } from "./access.ts";
import { checkCall } from "./calls.ts";
import { intValue } from "./constants.ts";
import { errorExpr, fail, suggest, type Context } from "./context.ts";
import { cast, coerce, convertPointer, quote } from "./convert.ts";
import { checkMember } from "./members.ts";
import { checkBinary, checkIsError, checkUnary } from "./operators.ts";
import { completeType, resolveSized, resolveType } from "./resolve-types.ts";
import { checkName } from "./symbol-values.ts";
import { checkCondition, checkExpr, checkLength } from "./values.ts";

export function checkExpressionKind(context: Context, expr: Expr, expected: Type | null): HExpr {
  const { span } = expr;
  switch (expr.kind) {
    case "int":
      return { kind: "const", value: intValue(expr.value), type: COMPTIME_INT, span };
    case "duration":
      return { kind: "const", value: intValue(expr.nanoseconds), type: DURATION, span };
    case "bool":
      return { kind: "const", value: intValue(expr.value ? 1n : 0n), type: BOOL, span };
    case "bytes":
      return { kind: "const", value: { kind: "bytes", bytes: expr.value }, type: { kind: "array", length: expr.value.length, element: U8 }, span };
    case "string":
      return checkString(context, expr);
    case "name":
      return checkName(context, expr.name, span);
    case "unary":
      return checkUnary(context, expr, expected);
    case "binary":
      return checkBinary(context, expr, expected);
    case "call":
      return checkCall(context, expr);
    case "member":
      return checkMember(context, expr);
    case "deref": {
      const pointer = checkExpr(context, expr.pointer);
      if (pointer.type.kind === "error") return errorExpr(span);
      if (pointer.type.kind !== "pointer") {
        fail(context, pointer.span, "E0506", `\`.*\` needs a pointer, found ${quote(pointer.type)}`, { label: `this is ${quote(pointer.type)}` });
        return errorExpr(span);
      }
      completeType(context, pointer.type.target);
      return { kind: "deref", pointer, type: pointer.type.target, span };
    }
    case "index":
      return checkIndex(context, expr);
    case "slice":
      return checkSlice(context, expr);
    case "cast": {
      const type = resolveType(context, expr.type);
      return cast(context, checkExpr(context, expr.operand, type), type, span);
    }
    case "is-error":
      return checkIsError(context, expr);
    case "regs-at":
      return checkRegsAt(context, expr);
    case "array":
      return checkArray(context, expr, expected);
    case "array-fill": {
      const count = checkLength(context, expr.count);
      const wanted = expected?.kind === "array" || expected?.kind === "slice" ? expected.element : null;
      let element = checkExpr(context, expr.element, wanted);
      if (wanted !== null) element = coerce(context, element, wanted);
      if (count === null || element.type.kind === "error") return errorExpr(span);
      return { kind: "array-fill", element, type: { kind: "array", length: count, element: element.type }, span };
    }
    case "struct-literal":
      return checkStructLiteral(context, expr);
    case "if-expr": {
      const condition = checkCondition(context, expr.condition);
      // Pointers to two structs meet in the interface or base that is wanted.
      const branch = (part: Expr, wanted: Type | null): HExpr => {
        const value = checkExpr(context, part, wanted);
        return (expected === null ? null : convertPointer(context, value, expected)) ?? value;
      };
      const consequent = branch(expr.consequent, expected);
      const otherwise = branch(expr.otherwise, expected ?? consequent.type);
      if ([consequent, otherwise].some(({ kind, type }) => kind === "error" || type.kind === "error")) return errorExpr(span);
      if (consequent.type.kind === "comptime-int" && otherwise.type.kind !== "comptime-int") {
        return { kind: "if", condition, consequent: coerce(context, consequent, otherwise.type), otherwise, type: otherwise.type, span };
      }
      const unified = coerce(context, otherwise, consequent.type, {
        related: [{ span: consequent.span, text: `the other branch is ${quote(consequent.type)}` }],
      });
      return { kind: "if", condition, consequent, otherwise: unified, type: consequent.type, span };
    }
    case "range":
      fail(context, span, "E0506", "a range is not a value", { help: "ranges stand after `in`, in slices, in `match` and in `for`" });
      return errorExpr(span);
    case "type-value":
      // `*p` reads as the type of a pointer to `p`.
      fail(context, span, "E0506", "a type is not a value", {
        help:
          expr.type.kind === "pointer-type"
            ? `what a pointer points to is \`${textOf(expr.type.target.span)}.*\``
            : "use `.max`, `.min`, `.bits` or `.size` of it",
      });
      return errorExpr(span);
  }
}

function checkString(context: Context, expr: Expr & { kind: "string" }): HExpr {
  const hole = expr.parts.find((part) => part.kind === "hole");
  if (hole !== undefined) {
    fail(context, hole.span, "E0523", "text with holes can stand only where text is printed", {
      help: "in names, messages, `info`, `skip`, `fail` and `print(..)`",
    });
    return errorExpr(expr.span, STR);
  }
  return { kind: "const", value: { kind: "bytes", bytes: new TextEncoder().encode(literalText(expr)) }, type: STR, span: expr.span };
}

function checkArray(context: Context, expr: Expr & { kind: "array" }, expected: Type | null): HExpr {
  const { span } = expr;
  const wanted = expected?.kind === "array" || expected?.kind === "slice" ? expected.element : null;
  let elements = expr.elements.map((element) => checkExpr(context, element, wanted));
  const element = wanted ?? elements.find((item) => item.type.kind !== "comptime-int" && item.type.kind !== "error")?.type ?? COMPTIME_INT;
  if (elements.some((item) => item.type.kind === "error")) return errorExpr(span);
  if (element.kind !== "comptime-int") elements = elements.map((item) => coerce(context, item, element));
  if (elements.some((item) => item.kind === "error")) return errorExpr(span);
  return { kind: "array", elements, type: { kind: "array", length: elements.length, element }, span };
}

function checkStructLiteral(context: Context, expr: Expr & { kind: "struct-literal" }): HExpr {
  const { span } = expr;
  const nameSpan = expr.type.name.span;
  const type = resolveSized(context, { kind: "named-type", module: expr.type.module, name: expr.type.name, span: nameSpan });
  if (type.kind === "error") return errorExpr(span);
  if (type.kind !== "struct") {
    fail(context, nameSpan, "E0405", `expected a struct, found ${quote(type)}`, { label: `not a struct` });
    return errorExpr(span);
  }
  const seen = new Map<string, Span>();
  const fields = expr.fields.flatMap((given) => {
    const field = type.fields.find((candidate) => candidate.name === given.name.text);
    if (field === undefined) {
      fail(context, given.name.span, "E0407", `\`${type.name}\` has no field \`${given.name.text}\``, {
        related: [{ span: type.declared, text: "declared here" }],
        help: suggest(
          given.name.text,
          type.fields.map((f) => f.name),
        ),
      });
      checkExpr(context, given.value);
      return [];
    }
    const before = seen.get(field.name);
    if (before !== undefined)
      fail(context, given.name.span, "E0409", `field \`${field.name}\` is given twice`, { related: [{ span: before, text: "first given here" }] });
    seen.set(field.name, given.name.span);
    return [
      { field, value: coerce(context, checkExpr(context, given.value, field.type), field.type, { related: [{ span: field.declared, text: "the field" }] }) },
    ];
  });
  return { kind: "struct", fields, type, span };
}

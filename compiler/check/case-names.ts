// Names of cases: a test's name with the values of its row filled in, in the same formats that messages use in the guest. A hole is
// checked like any expression; the row's variables are then replaced by its values and the rest must be constant.

import type { Expr, StringLiteral } from "../../grammar/ast.ts";
import { hexBytes } from "../../isa/hex.ts";
import { mapOperands, type ConstValue, type HExpr, type HSource } from "../hir.ts";
import { bitsOf, type Type } from "../types.ts";
import { asInteger, evaluate } from "./constants.ts";
import { fail, type Context } from "./context.ts";
import { showBig } from "./convert.ts";
import { innerScope } from "./scope.ts";
import { checkValue } from "./values.ts";

interface Binding {
  readonly source: HSource;
  readonly value: ConstValue;
}

/** The name of one case; null when a hole is wrong or not constant in the row, which is then reported. */
export function renderCaseName(context: Context, name: StringLiteral, bindings: readonly Binding[]): string | null {
  const pieces = name.parts.map((part): string | null => {
    if (part.kind === "text") return part.text;
    const value = directValue(part.expr, bindings) ?? computedValue(context, part.expr, bindings);
    return value === null ? null : showValue(context, value.type, value.value, part.format);
  });
  return pieces.includes(null) ? null : pieces.join("");
}

/** The common holes, `{x}` and `{row.x}`, without checking an expression for each case. */
function directValue(expr: Expr, bindings: readonly Binding[]): { readonly type: Type; readonly value: ConstValue } | null {
  const name = expr.kind === "name" ? expr.name : expr.kind === "member" && expr.object.kind === "name" ? expr.object.name : null;
  if (name === null) return null;
  for (const { source, value } of bindings) {
    const at = source.locals.findIndex((local) => local.name === name);
    const local = source.locals[at];
    if (local === undefined) continue;
    const unpacked = source.element.kind === "struct" && local.type !== source.element;
    const whole = unpacked && value.kind === "struct" ? (value.fields[at] ?? value) : value;
    if (expr.kind === "name") return { type: local.type, value: whole };
    if (local.type.kind !== "struct" || whole.kind !== "struct" || expr.kind !== "member") return null;
    const field = local.type.fields.findIndex((candidate) => candidate.name === expr.name.text);
    const type = local.type.fields[field]?.type;
    const fieldValue = whole.fields[field];
    return type === undefined || fieldValue === undefined ? null : { type, value: fieldValue };
  }
  return null;
}

function computedValue(context: Context, expr: Expr, bindings: readonly Binding[]): { readonly type: Type; readonly value: ConstValue } | null {
  const scope = innerScope(context.scope);
  const values = new Map<unknown, ConstValue>();
  for (const { source, value } of bindings) {
    source.locals.forEach((local, i) => {
      scope.names.set(local.name, { kind: "local", local });
      const unpacked = source.element.kind === "struct" && local.type !== source.element;
      values.set(local, unpacked && value.kind === "struct" ? (value.fields[i] ?? value) : value);
    });
  }
  const checked = checkValue({ ...context, scope }, expr);
  const value = evaluate(substitute(checked, values), context.target.layout);
  if (value !== null) return { type: checked.type, value };
  if (checked.kind !== "error" && checked.type.kind !== "error") {
    fail(context, expr.span, "E0507", "a name must be known when compiling", {
      label: "depends on the running guest",
      help: "names are made of the row's values and constants",
    });
  }
  return null;
}

/** Row variables replaced by their values, in the expressions that names are made of. */
function substitute(expr: HExpr, values: ReadonlyMap<unknown, ConstValue>): HExpr {
  if (expr.kind === "local") {
    const value = values.get(expr.local);
    return value === undefined ? expr : { kind: "const", value, type: expr.type, span: expr.span };
  }
  return mapOperands(expr, (operand) => substitute(operand, values));
}

/** A value as a name shows it: strings as they are, wide integers in hexadecimal, bytes as hex digits. */
export function showValue(context: Context, type: Type, value: ConstValue, format: string | null): string {
  const integer = asInteger(value);
  if (type.kind === "bool") return integer === 0n ? "false" : "true";
  if (type.kind === "enum" && format === null) {
    for (const [name, member] of type.members) if (member === integer) return name;
  }
  if (value.kind === "bytes") {
    if (type.kind === "str") return new TextDecoder().decode(value.bytes);
    return hexBytes(value.bytes).join("");
  }
  if (integer !== null) {
    const bits = type.kind === "int" ? bitsOf(type, context.target.layout) : 64;
    if (format === "x") return `0x${BigInt.asUintN(bits, integer).toString(16)}`;
    if (format === "b") return `0b${BigInt.asUintN(bits, integer).toString(2)}`;
    if (format === "d") return String(integer);
    return showBig(integer);
  }
  if (value.kind === "list") {
    const element = type.kind === "array" || type.kind === "slice" ? type.element : type;
    return `[${value.items.map((item) => showValue(context, element, item, format)).join(", ")}]`;
  }
  if (value.kind === "struct" && type.kind === "struct") {
    return `{ ${type.fields.map((field, i) => `${field.name}: ${showValue(context, field.type, value.fields[i] ?? { kind: "zero" }, format)}`).join(", ")} }`;
  }
  return "?";
}

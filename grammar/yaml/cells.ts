// One cell of a YAML table -> an expression. A `str` column takes the scalar's text as it is; any other column takes code, read by the DSL's
// own literal rule, so that 64-bit values stay exact and every spelling of the language (`0b11`, `1_000`, `i32.max`, `hex".."`) works.

import { isScalar, isSeq } from "yaml";
import { literalText, type Expr, type StringLiteral, type TypeExpr } from "../ast.ts";
import { type CodeRange, parseExpression, parseLiteral } from "../parser.ts";
import type { Span } from "../source.ts";
import { codeOf, complain, contentRange, firstLineOf, kindOf, spanOf, textOfScalar, type YamlContext, type YamlNode } from "./yaml-nodes.ts";

export interface Column {
  readonly name: string;
  readonly nameSpan: Span;
  /** Null when it did not parse: cells are then not read. */
  readonly type: TypeExpr | null;
}

export function isText(type: TypeExpr): boolean {
  return type.kind === "named-type" && type.module === null && type.name.text === "str";
}

export function textLiteral(text: string, span: Span): StringLiteral {
  return { kind: "string", parts: text === "" ? [] : [{ kind: "text", text, span }], span };
}

/** Null when the cell is wrong, which has been reported. */
export function readCell(context: YamlContext, node: YamlNode, column: Column): Expr | null {
  if (column.type === null) return null;
  if (isSeq(node) && node.flow === true && !isText(column.type)) {
    // A flow list is spelt as the language's array.
    const { start, end } = spanOf(context, node);
    return parseExpression(context.source, { start, end, reading: `column \`${column.name}\`` }, context.report);
  }
  if (!isScalar(node)) {
    complain(context, "E0304", `a cell of column \`${column.name}\` is a scalar`, firstLineOf(context, node), `${kindOf(node)} instead`);
    return null;
  }
  if (isText(column.type)) return textLiteral(textOfScalar(node), { source: context.source, ...contentRange(context, node) });
  if (textOfScalar(node).trim() === "") {
    complain(context, "E0307", `column \`${column.name}\` has no value here`, spanOf(context, node), "empty cell");
    return null;
  }
  return readCode(context, codeOf(context, node, `column \`${column.name}\``));
}

export function readCode(context: YamlContext, range: CodeRange): Expr | null {
  const literal = range.cooked === undefined ? parseLiteral(context.source, range.start, range.end) : null;
  return literal ?? parseExpression(context.source, range, context.report);
}

/** What makes two cells the same value, for `exclude` and for names: the literal's value, else the code as written. */
export function keyOf(expr: Expr): string {
  if (expr.kind === "int" || expr.kind === "bool") return String(expr.value);
  if (expr.kind === "duration") return `${expr.nanoseconds}ns`;
  if (expr.kind === "bytes") return `hex ${Buffer.from(expr.value).toString("hex")}`;
  if (expr.kind === "string") return JSON.stringify(literalText(expr));
  if (expr.kind === "unary") return `${expr.op}${keyOf(expr.operand)}`;
  if (expr.kind === "array") return `[${expr.elements.map(keyOf).join(",")}]`;
  return expr.span.source.text.slice(expr.span.start, expr.span.end);
}

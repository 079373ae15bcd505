// `for`: over a range, or over what has elements. The type of a counter comes from the ends of its range, both of which may be literals; where
// nothing of it can be known, the names are still declared and the body is checked, so that one mistake is told once.

import type { Stmt } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { createLocal, type Guess, type HExpr, type HStmt, type Local } from "../hir.ts";
import { elementOf, ERROR, USIZE, type Type } from "../types.ts";
import { bodyOf, checkBlock } from "./blocks.ts";
import { errorExpr, fail, type Context } from "./context.ts";
import { coerce, defaultType, guessFromList, quote, settleLiterals } from "./convert.ts";
import { innerScope } from "./scope.ts";
import { checkExpr } from "./values.ts";

export function checkFor(context: Context, statement: Stmt & { kind: "for" }): readonly HStmt[] {
  const { span } = statement;
  const scope = innerScope(context.scope);
  const inner: Context = { ...context, scope, inLoop: true };
  const declareLoop = (name: string, type: Type, at: Span, guessedFrom?: Guess): Local => {
    const local = createLocal(bodyOf(context), name, type, at, { guessedFrom });
    local.used = true;
    scope.names.set(name, { kind: "local", local });
    return local;
  };
  if (statement.source.kind === "range") {
    const { start, end, inclusive } = statement.source;
    let low: HExpr = start === null ? errorExpr(span) : checkExpr(context, start);
    let high: HExpr = end === null ? errorExpr(span) : checkExpr(context, end, low.type);
    const wrong = [low, high].find(({ type }) => type.kind !== "int" && type.kind !== "comptime-int" && type.kind !== "error");
    if (wrong !== undefined)
      fail(context, wrong.span, "E0520", `a range holds integers, found ${quote(wrong.type)}`, { label: `this is ${quote(wrong.type)}` });
    if (statement.index !== null)
      fail(context, statement.index.span, "E0520", "a range has no index", {
        label: "counts what the range counts",
        help: `write \`for ${statement.name.text} in ${textOf(statement.source.span)}\``,
      });
    if (wrong !== undefined || statement.index !== null || low.type.kind === "error" || high.type.kind === "error") {
      if (statement.index !== null) declareLoop(statement.index.text, ERROR, statement.index.span);
      declareLoop(statement.name.text, ERROR, statement.name.span);
      checkBlock(inner, statement.body);
      return [];
    }
    const isUntyped = low.type.kind === "comptime-int" && high.type.kind === "comptime-int";
    [low, high] = settleLiterals(context, [low, high] as const);
    if (low.type.kind === "comptime-int") low = high.type.kind === "comptime-int" ? defaultType(context, low) : coerce(context, low, high.type);
    high = coerce(context, high, low.type, { related: [{ span: low.span, text: `the range begins with ${quote(low.type)}` }] });
    const local = declareLoop(statement.name.text, low.type, statement.name.span, isUntyped ? { kind: "range", span: low.span } : undefined);
    return [{ kind: "for-range", local, start: low, end: high, inclusive, body: checkBlock(inner, statement.body), span }];
  }
  const source = defaultType(context, checkExpr(context, statement.source));
  const element = elementOf(source.type);
  if (element === null) {
    if (source.type.kind !== "error") {
      fail(context, statement.source.span, "E0520", `${quote(source.type)} cannot be looped over`, {
        label: `this is ${quote(source.type)}`,
        help: source.type.kind === "int" ? "count with a range: `0..n`" : "ranges, arrays, slices, strings and tables can",
      });
    }
    if (statement.index !== null) declareLoop(statement.index.text, USIZE, statement.index.span);
    declareLoop(statement.name.text, ERROR, statement.name.span);
    checkBlock(inner, statement.body);
    return [];
  }
  const index = statement.index === null ? null : declareLoop(statement.index.text, USIZE, statement.index.span);
  const local = declareLoop(statement.name.text, element, statement.name.span, guessFromList(statement.source));
  return [{ kind: "for-each", local, index, source, body: checkBlock(inner, statement.body), span }];
}

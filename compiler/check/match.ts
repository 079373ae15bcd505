// `match`: arms of integers, ranges and members of enums that are known when compiling. No value may have two arms, and none may be
// without one unless there is an `else`.

import type { Expr, Stmt } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { HStmt, MatchRange } from "../hir.ts";
import type { Type } from "../types.ts";
import { checkBlock } from "./blocks.ts";
import { asInteger } from "./constants.ts";
import { fail, listNames, type Context } from "./context.ts";
import { quote } from "./convert.ts";
import { checkConstant, checkValue } from "./values.ts";

export function checkMatch(context: Context, statement: Stmt & { kind: "match" }): HStmt {
  const value = checkValue(context, statement.value);
  const { type } = value;
  const matchable = type.kind === "int" || type.kind === "enum";
  if (!matchable && type.kind !== "error") {
    fail(context, statement.value.span, "E0521", `\`match\` needs an integer or an enum, found ${quote(type)}`, {
      label: `this is ${quote(type)}`,
      help: "compare with `if` and `else if`",
    });
  }
  const head: Span = { source: statement.span.source, start: statement.span.start, end: statement.value.span.end };
  const seen: { readonly low: bigint; readonly high: bigint; readonly span: Span }[] = [];
  const arms = statement.arms.map((arm) => {
    const ranges = (matchable ? arm.patterns : []).flatMap((pattern): MatchRange[] => {
      const range = matchRange(context, pattern, type);
      if (range === null) return [];
      const before = seen.find((other) => other.low <= range.high && range.low <= other.high);
      if (before !== undefined)
        fail(context, pattern.span, "E0521", `\`${textOf(pattern.span)}\` has an arm already`, {
          label: "never reached",
          related: [{ span: before.span, text: "the first one" }],
        });
      seen.push({ ...range, span: pattern.span });
      return [range];
    });
    return { ranges, body: checkBlock(context, arm.body) };
  });
  const isOpen = statement.otherwise === null && statement.broken !== true;
  if (isOpen && type.kind === "enum") {
    const missing = [...type.members].filter(([, member]) => !seen.some((range) => range.low <= member && member <= range.high));
    // Arms that did not check may be the missing ones.
    const whole = arms.every((arm, i) => arm.ranges.length === statement.arms[i]?.patterns.length);
    if (missing.length > 0 && whole) {
      fail(context, head, "E0521", `\`match\` leaves out ${listNames(missing.map(([name]) => `${type.name}.${name}`))}`, {
        related: [{ span: type.declared, text: "declared here" }],
        help: "add the missing arms, or an `else`",
      });
    }
  } else if (isOpen && type.kind === "int") {
    fail(context, head, "E0521", `\`match\` over \`${type.name}\` needs an \`else\``, { help: "integers have more values than arms: add `else { .. }`" });
  }
  return { kind: "match", value, arms, otherwise: statement.otherwise === null ? null : checkBlock(context, statement.otherwise) };
}

function matchRange(context: Context, pattern: Expr, type: Type): MatchRange | null {
  const bound = (expr: Expr | null): bigint | null => {
    if (expr === null) return null;
    const constant = checkConstant(context, expr, type.kind === "error" ? null : type, "an arm of `match`", "compare with `if`");
    return constant === null ? null : asInteger(constant.value);
  };
  if (pattern.kind === "range") {
    const low = bound(pattern.start);
    const high = bound(pattern.end);
    if (low === null || high === null) return null;
    const last = pattern.inclusive ? high : high - 1n;
    if (last < low) {
      fail(context, pattern.span, "E0521", `the range \`${textOf(pattern.span)}\` is empty`, {
        label: "holds no value",
        help: low === high ? "`..=` includes the end" : "the smaller end comes first",
      });
      return null;
    }
    return { low, high: last };
  }
  const value = bound(pattern);
  return value === null ? null : { low: value, high: value };
}

// Statements that check: conditions with or without time to become true, traps and lines of the log that a block is to give. What of a
// condition is shown when it fails is not decided here: lowering keeps the operands (compiler/lower/checks.ts), so that each is evaluated once.

import type { Expr, Stmt } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { createLocal, type HExpr, type HStmt, type Local, type TrapFieldName } from "../hir.ts";
import { STR, U32, U64, USIZE } from "../types.ts";
import { bodyOf, checkClosure, declareLocal } from "./blocks.ts";
import { intValue } from "./constants.ts";
import { errorExpr, fail, libraryModule, listNames, suggest, type Context } from "./context.ts";
import { cast, coerce } from "./convert.ts";
import { completeType } from "./resolve-types.ts";
import { textOrNull } from "./texts.ts";
import { checkTrapName } from "./traps.ts";
import { checkAs, checkCondition, checkExpr } from "./values.ts";

/** `expect`, `assert`, and `wait until`, which ends the test as `assert` does. */
export function checkExpectation(context: Context, statement: Stmt & { kind: "check" | "wait-until" }): HStmt {
  const { span } = statement;
  const waits = statement.kind === "wait-until";
  const condition = checkCondition(context, statement.condition);
  const within = checkWithin(context, statement.within);
  const message = textOrNull(context, statement.message);
  const word = statement.kind === "check" ? statement.word : "assert";
  return { kind: "check", word, condition, within, waits, message, span, conditionSpan: statement.condition.span };
}

/** A time limit in nanoseconds. A bare number there is one whose unit was forgotten. */
function checkWithin(context: Context, within: Expr | null): HExpr | null {
  if (within === null) return null;
  const time = checkExpr(context, within, U64);
  if (time.type.kind === "comptime-int" && !time.type.duration && time.kind !== "error") {
    fail(context, within.span, "E0501", "expected a duration, found an integer", {
      label: "has no unit",
      help: `write \`${textOf(within.span)}ms\` or another unit: \`ns\`, \`us\`, \`s\``,
    });
    return errorExpr(within.span, U64);
  }
  return coerce(context, time, U64);
}

const ACCESS_WORDS: ReadonlyMap<string, bigint> = new Map([
  ["read", 1n],
  ["write", 2n],
  ["execute", 3n],
]);

const TRAP_FIELD_NAMES: readonly TrapFieldName[] = ["address", "access", "width", "value", "pc"];

export function checkExpectTrap(context: Context, statement: Stmt & { kind: "expect-trap" }): readonly HStmt[] {
  const { span } = statement;
  const seen = new Map<string, Span>();
  const fields = statement.fields.flatMap((field): { field: TrapFieldName; value: HExpr }[] => {
    const known = TRAP_FIELD_NAMES.find((name) => name === field.name.text);
    if (known === undefined) {
      fail(context, field.name.span, "E0407", `a trap has no \`${field.name.text}\``, {
        help: suggest(field.name.text, TRAP_FIELD_NAMES) ?? `it has ${listNames(TRAP_FIELD_NAMES)}`,
      });
      return [];
    }
    const before = seen.get(known);
    if (before !== undefined) fail(context, field.name.span, "E0409", `\`${known}\` is given twice`, { related: [{ span: before, text: "first given here" }] });
    seen.set(known, field.name.span);
    const word = field.value.kind === "name" ? ACCESS_WORDS.get(field.value.name) : undefined;
    if (known === "access") {
      if (word === undefined) {
        fail(
          context,
          field.value.span,
          "E0404",
          `an access is ${listNames(ACCESS_WORDS.keys()).replace(" and ", " or ")}, found \`${textOf(field.value.span)}\``,
          {
            help: field.value.kind === "name" ? suggest(field.value.name, ACCESS_WORDS.keys()) : undefined,
          },
        );
      }
      return [{ field: known, value: { kind: "const", value: intValue(word ?? 0n), type: U64, span: field.value.span } }];
    }
    const value = checkExpr(context, field.value, known === "address" || known === "pc" ? USIZE : U64);
    return [{ field: known, value: value.type.kind === "comptime-int" ? coerce(context, value, U64) : cast(context, value, U64, field.value.span) }];
  });
  const body = checkClosure(context, "trap", statement.body);
  const trapType = libraryModule(context, "trap")?.names.get("Trap");
  let binding: Local | null = null;
  if (statement.binding !== null && trapType?.kind === "type") {
    completeType(context, trapType.type);
    binding = createLocal(bodyOf(context), statement.binding.text, trapType.type, statement.binding.span);
    binding.inMemory = true;
    declareLocal(context, binding);
  }
  const source = statement.span.source.text.slice(statement.span.start + statement.word.length, statement.body.span.start).trim();
  return [
    {
      kind: "expect-trap",
      word: statement.word,
      negated: statement.negated,
      trap: statement.trap === null ? null : checkTrapName(context, statement.trap),
      expectedText: source,
      fields,
      binding,
      body,
      message: textOrNull(context, statement.message),
      span,
    },
  ];
}

export function checkExpectLog(context: Context, { word, negated, pattern, binding: name, body, message, span }: Stmt & { kind: "expect-log" }): HStmt {
  const checked = checkAs(context, pattern, STR);
  const closure = checkClosure(context, "log", body);
  const binding = name === null ? null : createLocal(bodyOf(context), name.text, U32, name.span);
  if (binding !== null) declareLocal(context, binding);
  return { kind: "expect-log", word, negated, pattern: checked, binding, body: closure, message: textOrNull(context, message), span };
}

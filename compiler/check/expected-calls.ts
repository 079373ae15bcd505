// Answers and expectations for calls: `stub f returns 1, 2` and `expect call f(1) returns 2`. Both put themselves before whatever stands for
// the function (stubs.ts), take the calls that they mean, and pass the others on. An expectation counts its calls, and is checked when
// the block around it ends. Their state lies in the test's heap, so they stand in functions and fixtures too.

import type { AnswerStmt, ExpectCallStmt, Expr } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { createBody, type Answer, type FunctionBody, type HExpr, type HStmt, type Text } from "../hir.ts";
import { makeStruct, USIZE, VOID, type StructType, type Type } from "../types.ts";
import { intValue } from "./constants.ts";
import { counted, fail, libraryModule, suggest, type Context } from "./context.ts";
import { coerce } from "./convert.ts";
import { functionNamed, moduleNamed, typeNamed } from "./named.ts";
import { resolveSignature } from "./on-demand.ts";
import { completeType } from "./resolve-types.ts";
import type { FnEntry } from "./scope.ts";
import { hasField, methodOf, namesIn } from "./structs.ts";
import { pointOf } from "./stub-points.ts";
import { stubbedFunction } from "./stubs.ts";
import { checkAs, checkExpr, checkOperand } from "./values.ts";

/** The words that every answer's state begins with. */
export const ANSWER_WORDS = ["self", "saved_function", "saved_environment", "count", "first", "last", "next", "min", "max"] as const;

interface Callee {
  readonly entry: FnEntry;
  readonly self: HExpr | null;
}

/** `f`, `module.f`, `Struct.method`; or `value.method`, which means the calls on that value. */
function calleeOf(context: Context, target: Expr): Callee | null {
  if (
    functionNamed(context, target) === null &&
    target.kind === "member" &&
    moduleNamed(context, target.object) === null &&
    typeNamed(context, target.object) === null
  ) {
    const object = checkOperand(context, target.object);
    if (object.type.kind === "error") return null;
    const struct = object.type.kind === "pointer" ? object.type.target : object.type;
    if (struct.kind === "struct") completeType(context, struct);
    const entry = struct.kind === "struct" ? methodOf(struct, target.name.text) : undefined;
    if (entry !== undefined) {
      resolveSignature(context, entry);
      context.reach?.functions.add(entry);
      const [selfType] = entry.function.type.params;
      return { entry, self: addressOf(object, selfType) };
    }
    if (struct.kind === "struct" && !hasField(struct, target.name.text)) {
      fail(context, target.name.span, "E0407", `\`${struct.name}\` has no method \`${target.name.text}\``, {
        related: [{ span: struct.declared, text: "declared here" }],
        help: suggest(target.name.text, namesIn(struct, "methods")),
      });
      return null;
    }
    if (object.type.kind === "interface") {
      fail(context, target.span, "E0550", `\`${textOf(target.span)}\` is no function of the program`, {
        label: "a method of an interface",
        help: "name the fake or struct that stands behind it",
      });
      return null;
    }
  }
  const entry = stubbedFunction(context, target);
  return entry === null ? null : { entry, self: null };
}

function addressOf(object: HExpr, wanted: Type | undefined): HExpr {
  const { span } = object;
  if (object.kind === "local" && object.type.kind !== "pointer") object.local.inMemory = true;
  const address: HExpr = object.type.kind === "pointer" ? object : { kind: "address-of", place: object, type: { kind: "pointer", target: object.type }, span };
  return wanted === undefined ? address : { kind: "convert", operand: address, type: wanted, span };
}

interface Given {
  readonly target: Expr;
  /** Null: any arguments. */
  readonly args: readonly Expr[] | null;
  readonly answers: readonly Expr[];
  readonly times: Answer["times"];
  readonly span: Span;
}

function makeAnswer(context: Context, parent: FunctionBody, given: Given): Answer | null {
  const callee = calleeOf(context, given.target);
  if (callee === null) {
    for (const expr of [...(given.args ?? []), ...given.answers]) if (!isAny(expr)) checkExpr(context, expr);
    return null;
  }
  const { entry, self } = callee;
  const { params, result } = entry.function.type;
  const before = self === null ? 0 : 1;
  const wanted = params.slice(before);
  const matches: (HExpr | null)[] = params.map(() => null);
  if (given.args !== null) {
    if (given.args.length !== wanted.length) {
      fail(context, given.span, "E0504", `\`${entry.item.name.text}\` takes ${counted(wanted.length, "argument")}, found ${given.args.length}`, {
        label: "`_` stands for any value",
        related: [{ span: entry.item.name.span, text: "declared here" }],
      });
    }
    given.args.forEach((arg, i) => {
      const type = wanted[i];
      if (isAny(arg)) return;
      if (type === undefined) checkExpr(context, arg);
      else if (type.kind === "regs") {
        fail(context, arg.span, "E0506", "register blocks cannot be compared", { label: "an argument that is a register block", help: "write `_` for it" });
      } else matches[before + i] = checkAs(context, arg, type);
    });
  }
  const answers = given.answers.flatMap((answer) => {
    if (result.kind !== "void") return [checkAs(context, answer, result)];
    fail(context, answer.span, "E0513", `\`${entry.item.name.text}\` returns nothing, found a value after \`returns\``, {
      label: "nobody gets this",
      related: [{ span: entry.item.name.span, text: "declared without a result" }],
    });
    return [];
  });
  const point = pointOf(context, entry, given.span);
  const { reach } = context;
  libraryModule(context, "call_log");
  reach?.stubs.add(entry.function);
  // Its calls are what a failure shows.
  if (given.times !== null) reach?.logs.set(entry.function, reach.logs.get(entry.function) ?? given.span);
  const text = textOf(given.target.span);
  return {
    point,
    self,
    matches,
    answers,
    times: given.times,
    state: stateOf(context, entry.function.name, given.span, matches, answers),
    body: createBody(`${parent.name}.answer ${text}`, given.span, null, result),
    text: textOf(given.span),
    span: given.span,
  };
}

const isAny = (expr: Expr): boolean => expr.kind === "name" && expr.name === "_";

function stateOf(context: Context, name: string, span: Span, matches: readonly (HExpr | null)[], answers: readonly HExpr[]): StructType {
  const fields = [
    ...ANSWER_WORDS.map((word) => ({ name: word, type: USIZE as Type })),
    ...matches.flatMap((match, i) => (match === null ? [] : [{ name: `argument ${i}`, type: match.type }])),
    ...(answers[0] === undefined ? [] : [{ name: "answers", type: { kind: "array", length: answers.length, element: answers[0].type } as const }]),
  ].map((field) => ({ ...field, declared: span }));
  return makeStruct(`answer of ${name}`, span, fields, context.target.layout);
}

export function checkAnswer(context: Context, parent: FunctionBody, { target, answers, span }: AnswerStmt): readonly HStmt[] {
  const answer = makeAnswer(context, parent, { target, args: null, answers, times: null, span });
  return answer === null ? [] : [{ kind: "answer", answer, span }];
}

function timesOf(context: Context, times: Expr | null, isNegated: boolean, span: Span): NonNullable<Answer["times"]> {
  const number = (value: bigint): HExpr => ({ kind: "const", value: intValue(value), type: USIZE, span });
  if (isNegated || times === null) return { min: number(isNegated ? 0n : 1n), max: number(isNegated ? 0n : 1n) };
  if (times.kind !== "range") {
    const exact = coerce(context, checkExpr(context, times, USIZE), USIZE);
    return { min: exact, max: exact };
  }
  const end = (expr: Expr | null, otherwise: HExpr): HExpr => (expr === null ? otherwise : checkAs(context, expr, USIZE));
  const min = end(times.start, number(0n));
  const max = end(times.end, number(0n));
  if (times.inclusive) return { min, max };
  return { min, max: { kind: "arithmetic", op: "-", left: max, right: number(1n), type: USIZE, span } };
}

export function checkExpectedCalls(context: Context, parent: FunctionBody, statement: ExpectCallStmt, message: Text | null): readonly HStmt[] {
  const { span, word, negated } = statement;
  const [, second] = statement.calls;
  const surplus = second?.span ?? statement.calls.map(({ returns, times }) => (returns ?? times)?.span).find((at) => at !== undefined);
  if (negated && surplus !== undefined) {
    fail(context, surplus, "E0555", "`no call` says that none comes: it takes no `returns`, `times` or `then`", { label: "of no call" });
  }
  const calls = statement.calls.flatMap((call) => {
    const { callee, returns } = call;
    const target = callee.kind === "call" ? callee.callee : callee;
    const answer = makeAnswer(context, parent, {
      target,
      args: callee.kind === "call" ? callee.args : null,
      answers: returns === null ? [] : [returns],
      times: timesOf(context, call.times, negated, call.span),
      span: call.span,
    });
    return answer ?? [];
  });
  if (calls.length < statement.calls.length) return [];
  return [{ kind: "expect-call", word, calls, message, check: createBody(`${parent.name}.calls`, span, null, VOID), span }];
}

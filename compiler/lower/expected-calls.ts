// Answers and expectations as code. Each execution of a statement makes its state in the test's heap and puts it into the function's slot,
// as the environment of a function that is made for the statement: it takes the calls that are meant and passes the others on to what
// stood in the slot before. The check at the block's end is another one, which gets the states.

import type { BytecodeFunction, ScalarType } from "../../isa/bytecode/module.ts";
import { ANSWER_WORDS } from "../check/expected-calls.ts";
import type { Answer, HExpr, HStmt } from "../hir.ts";
import { isAggregate, registersOf, sizeOf, type Type } from "../types.ts";
import { countCheck, finishFailure } from "./checks.ts";
import { lowerEquality } from "./equality.ts";
import { lowerExpr, lowerInto, lowerScalar } from "./expressions.ts";
import { FunctionBuilder, type Value } from "./function-builder.ts";
import { copyMemory, fillZero, loadFrom, scaled, storeTo } from "./guest-memory.ts";
import type { ModuleBuilder } from "./module-builder.ts";
import { oneLine, siteAt } from "./sites.ts";
import { CODE, ENVIRONMENT, loadWord, slotOf, splitArguments, storeWord } from "./stubs.ts";
import { putText, putValue } from "./text.ts";

type Word = (typeof ANSWER_WORDS)[number];

const wordOf = (name: Word): number => ANSWER_WORDS.indexOf(name);
const read = (b: FunctionBuilder, state: number, name: Word): number => loadWord(b, state, wordOf(name));
const write = (b: FunctionBuilder, state: number, name: Word, value: number): void => storeWord(b, state, wordOf(name), value);

/** Where the state has a part of its own. */
function offsetOf({ state }: Answer, name: string): number {
  return state.fields.find((field) => field.name === name)?.offset ?? 0;
}

/** The statement: what it says of arguments and results is worked out now. The result is the state's address. */
export function lowerAnswer(b: FunctionBuilder, answer: Answer): number {
  const { point, self, matches, answers, times, span } = answer;
  const state = b.keep("addr");
  b.span = span;
  const size = b.constant("addr", BigInt(answer.state.size));
  b.copy("addr", state, b.callRuntime("heap.allocate", [size, b.constant("addr", 16n)], ["addr"])[0] ?? 0);
  if (self !== null) write(b, state, "self", lowerScalar(b, self));
  if (times !== null) {
    write(b, state, "min", lowerScalar(b, times.min));
    write(b, state, "max", lowerScalar(b, times.max));
  }
  const keep = (expr: HExpr, offset: number): void => {
    if (expr.type.kind !== "slice") return lowerInto(b, expr, state, offset);
    const [start = 0, length = 0] = lowerExpr(b, expr);
    const kept = b.callRuntime("call_log.keep", [start, scaled(b, length, sizeOf(expr.type.element, b.module.layout).size)], ["addr"]);
    storeTo(b, expr.type, state, offset, [kept[0] ?? 0, length]);
  };
  matches.forEach((match, i) => {
    if (match !== null) b.statement(() => keep(match, offsetOf(answer, `argument ${i}`)));
  });
  answers.forEach((value, i) => b.statement(() => keep(value, offsetOf(answer, "answers") + i * sizeOf(value.type, b.module.layout).size)));
  b.span = span;
  const slot = slotOf(b, point);
  write(b, state, "saved_function", loadWord(b, slot, CODE));
  write(b, state, "saved_environment", loadWord(b, slot, ENVIRONMENT));
  storeWord(b, slot, ENVIRONMENT, state);
  storeWord(b, slot, CODE, b.functionAddress(b.module.functionMade(answer.body, () => lowerAnswering(b.module, answer))));
  return state;
}

/** Takes what a stub takes: its environment, which is the state, and the function's parameters. */
function lowerAnswering(module: ModuleBuilder, answer: Answer): BytecodeFunction {
  const { point, body, span } = answer;
  const { function: fn } = point;
  const { result } = fn.type;
  const returnsAggregate = isAggregate(result);
  const rest: ScalarType[] = [...(returnsAggregate ? (["addr"] as const) : []), ...fn.type.params.flatMap((type) => registersOf(type))];
  const results = returnsAggregate ? [] : registersOf(result);
  const b = new FunctionBuilder(module, body.name, { params: ["addr", ...rest], results }, null, span);
  const given = rest.map((_, i) => i + 1);
  const args = splitArguments(fn.type.params, returnsAggregate ? given.slice(1) : given);
  const give = (from: number, offset: number): void => {
    if (returnsAggregate)
      copyMemory(b, given[0] ?? 0, offset === 0 ? from : b.binary("add", "addr", from, b.constant("addr", BigInt(offset))), sizeOf(result, module.layout).size);
    b.emit("return", { src: returnsAggregate || results.length === 0 ? [] : loadFrom(b, result, from, offset) });
  };
  const matched = lowerMatch(b, answer, args);
  b.open("if", matched);
  const count = read(b, 0, "count");
  write(b, 0, "count", b.binary("add", "addr", count, b.constant("addr", 1n)));
  const [now = 0] = b.callRuntime("call_log.next", [], ["addr"]);
  b.open("if", b.binary("eq", "addr", count, b.constant("addr", 0n)));
  write(b, 0, "first", now);
  b.close();
  write(b, 0, "last", now);
  if (answer.answers.length === 1) give(0, offsetOf(answer, "answers"));
  else if (answer.answers.length > 1) lowerNextAnswer(b, answer, give);
  b.close();
  const code = read(b, 0, "saved_function");
  b.open("if", b.binary("ne", "addr", code, b.constant("addr", 0n)));
  const dst = results.map((type) => b.temp(type));
  b.emit("call_indirect", {
    dst,
    src: [code, read(b, 0, "saved_environment"), ...given],
    imm: [module.signature({ params: ["addr", ...rest], results })],
  });
  b.emit("return", { src: dst });
  b.close();
  if (fn.body?.isUnanswered === true && answer.times !== null) {
    // An expected call of what a fake leaves out needs no answer.
    b.open("if", matched);
    if (returnsAggregate) fillZero(b, given[0] ?? 0, sizeOf(result, module.layout).size);
    b.emit("return", { src: results.map((type) => b.constant(type, 0n)) });
    b.close();
  }
  b.emit("return", { src: b.call(module.functionOfDeclared({ ...fn, realOf: fn }), results, given) });
  return b.finish();
}

/** Whether a call is one of those that are meant. */
function lowerMatch(b: FunctionBuilder, answer: Answer, args: readonly Value[]): number {
  const matched = b.keep("i8");
  const first = answer.self === null ? b.constant("i8", 1n) : b.binary("eq", "addr", args[0]?.[0] ?? 0, read(b, 0, "self"));
  b.copy("i8", matched, first);
  answer.matches.forEach((match, i) => {
    if (match === null) return;
    b.statement(() => {
      b.open("if", matched);
      b.copy("i8", matched, lowerEquality(b, match.type, args[i] ?? [], loadFrom(b, match.type, 0, offsetOf(answer, `argument ${i}`))));
      b.close();
    });
  });
  return matched;
}

/** Several answers are for one call each; a call for which none is left fails the test and gets the last one. */
function lowerNextAnswer(b: FunctionBuilder, answer: Answer, give: (from: number, offset: number) => void): void {
  const { answers, point, span } = answer;
  const type: Type = point.function.type.result;
  const next = b.keep("addr");
  b.copy("addr", next, read(b, 0, "next"));
  b.open("if", b.binary("eq", "addr", next, b.constant("addr", BigInt(answers.length))));
  b.statement(() => {
    countCheck(b);
    b.callRuntime("report.failed", [b.constant("i32", BigInt(b.module.addSite(siteAt(b, "fail", span))))]);
    b.callRuntime("report.begin_message", []);
    putText(b, `\`${point.function.name}\` was called once more than there are answers: ${answers.length}`);
    b.callRuntime("report.end_message", []);
    b.callRuntime("report.end_failed", []);
  });
  b.copy("addr", next, b.constant("addr", BigInt(answers.length - 1)));
  b.close();
  write(b, 0, "next", b.binary("add", "addr", next, b.constant("addr", 1n)));
  give(b.binary("add", "addr", 0, scaled(b, next, sizeOf(type, b.module.layout).size)), offsetOf(answer, "answers"));
}

// ---- The check ----

/** Puts the expectations into their slots; on every usual way out of the block they are checked. */
export function lowerExpectedCalls(b: FunctionBuilder, statement: HStmt & { kind: "expect-call" }): void {
  const states = statement.calls.map((answer) => lowerAnswer(b, answer));
  const check = b.module.functionMade(statement.check, () => lowerCheckOfCalls(b.module, statement));
  b.cleanups.push({ kind: "call", function: check, args: states });
}

function lowerCheckOfCalls(module: ModuleBuilder, statement: HStmt & { kind: "expect-call" }): BytecodeFunction {
  const { calls, check, span } = statement;
  const b = new FunctionBuilder(module, check.name, { params: calls.map(() => "addr"), results: [] }, null, span);
  calls.forEach((answer, state) => {
    b.span = answer.span;
    countCheck(b);
    b.statement(() => {
      const count = read(b, state, "count");
      const wrong = b.binary("or", "i8", b.binary("lt_u", "addr", count, read(b, state, "min")), b.binary("lt_u", "addr", read(b, state, "max"), count));
      b.open("if", wrong);
      lowerWrongCalls(b, statement, answer, state);
      b.close();
    });
    if (state > 0) b.statement(() => lowerOrder(b, statement, answer, state));
  });
  b.emit("return");
  return b.finish();
}

function describeTimes({ times, text }: Answer): string {
  const call = oneLine(text);
  const isPlain = !/\btimes\b/.test(call);
  if (times?.max.kind === "const" && times.max.value.kind === "int" && times.max.value.value === 0n) return `no call ${call}`;
  return `call ${call}${isPlain ? " once" : ""}`;
}

/** The failure: how often it came, and what calls there were. */
function lowerWrongCalls(b: FunctionBuilder, statement: HStmt & { kind: "expect-call" }, answer: Answer, state: number): void {
  const site = b.module.addSite({ ...siteAt(b, statement.word, answer.span), text: describeTimes(answer) });
  b.callRuntime("report.failed", [b.constant("i32", BigInt(site))]);
  finishFailure(b, statement, () => {
    const count = read(b, state, "count");
    b.open("if", b.binary("eq", "addr", count, b.constant("addr", 0n)));
    putText(b, "it did not come");
    b.otherwise();
    putText(b, "it came ");
    b.callRuntime("format.put_unsigned", [b.convert(count, "addr", "i64", false)]);
    b.open("if", b.binary("eq", "addr", count, b.constant("addr", 1n)));
    putText(b, " time");
    b.otherwise();
    putText(b, " times");
    b.close();
    b.close();
    lowerCallList(b, answer, state);
  });
}

/** At most so many calls are listed. */
const MAX_LISTED = 16n;

function lowerCallList(b: FunctionBuilder, { point, self }: Answer, state: number): void {
  const { record, log, function: fn } = point;
  const base = b.symbolAddress(b.module.symbolOf(log));
  const records = loadWord(b, base, 0);
  const count = loadWord(b, base, 1);
  putText(b, `; calls of \`${fn.name}\`:`);
  const listed = b.keep("addr");
  b.emit("const", { type: "addr", dst: [listed], imm: [0n] });
  b.countedLoop(count, (index, done) => {
    const at = b.binary("add", "addr", records, scaled(b, index, record.size));
    const skip = b.open("block");
    const [, ...params] = record.fields;
    const [first] = params;
    if (self !== null && first !== undefined) {
      b.branchIf(b.binary("ne", "addr", loadFrom(b, first.type, at, first.offset)[0] ?? 0, read(b, state, "self")), skip);
    }
    b.open("if", b.binary("eq", "addr", listed, b.constant("addr", MAX_LISTED)));
    putText(b, " and more");
    b.branch(done);
    b.close();
    b.copy("addr", listed, b.binary("add", "addr", listed, b.constant("addr", 1n)));
    putText(b, " (");
    (self === null ? params : params.slice(1)).forEach(({ type, offset }, i) => {
      if (i > 0) putText(b, ", ");
      b.statement(() => putValue(b, type, loadFrom(b, type, at, offset), null));
    });
    putText(b, ")");
    b.close();
  });
  b.open("if", b.binary("eq", "addr", listed, b.constant("addr", 0n)));
  putText(b, " none");
  b.close();
}

/** `a() then b()`: the first call of the second comes after the last one of the first. Calls that did not come have been told. */
function lowerOrder(b: FunctionBuilder, statement: HStmt & { kind: "expect-call" }, answer: Answer, state: number): void {
  const before = statement.calls[state - 1];
  if (before === undefined) return;
  const came = (at: number): number => b.binary("ne", "addr", read(b, at, "count"), b.constant("addr", 0n));
  const isEarly = b.binary("lt_u", "addr", read(b, state, "first"), read(b, state - 1, "last"));
  b.open("if", b.binary("and", "i8", isEarly, b.binary("and", "i8", came(state), came(state - 1))));
  const site = b.module.addSite({ ...siteAt(b, statement.word, answer.span), text: `call ${oneLine(answer.text)} after ${oneLine(before.text)}` });
  b.callRuntime("report.failed", [b.constant("i32", BigInt(site))]);
  finishFailure(b, statement, () => putText(b, "it came before"));
  b.close();
}

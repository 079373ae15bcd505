// Checks: `expect` and its kin, decomposed so that a failure shows what each side was. The guest sends numbers only: the site, and
// the operands' bits; the manifest's site says what they are. A passing check costs its condition and one counter.

import { textOf } from "../../grammar/source.ts";
import type { HExpr, HStmt, Text } from "../hir.ts";
import type { SiteOperand, ValueType } from "../images/manifest.ts";
import { bitsOf, isAggregate, registersOf, scalarOf, sizeOf, valueTypeOf, type Type } from "../types.ts";
import { lowerExpr, lowerScalar, type Capture } from "./expressions.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { loadFrom } from "./guest-memory.ts";
import { declareLocal, placeOfLocal, writePlace } from "./places.ts";
import { oneLine, siteAt } from "./sites.ts";
import { lowerText, putText } from "./text.ts";

interface Operand {
  readonly expr: HExpr;
  readonly value: Value;
  readonly type: Type;
  readonly shown: ValueType;
  readonly text: string;
  readonly part?: NonNullable<SiteOperand["part"]>;
}

/** Parts of a condition whose values tell why it failed. */
function operandsOf(condition: HExpr): readonly HExpr[] {
  if (condition.kind === "compare") return [condition.left, condition.right];
  if (condition.kind === "in-range") return [condition.value, condition.start, condition.end];
  if (condition.kind === "in-list" || condition.kind === "is-error") return [condition.value];
  if (condition.kind === "matches") return [condition.left, condition.right];
  if (condition.kind === "near") return [condition.left, condition.right, condition.tolerance];
  if (condition.kind === "logic" && condition.op === "or") return [...operandsOf(condition.left), ...operandsOf(condition.right)];
  if (condition.kind === "unary" && condition.op === "not") return operandsOf(condition.operand);
  return [condition];
}

/** Variables and row fields inside the operands: what a reader would ask for next. */
function variablesIn(expr: HExpr, found: Map<string, HExpr>): void {
  if (expr.kind === "local" || (expr.kind === "field" && rootIsVariable(expr))) {
    const isScalar = registersOf(expr.type).length === 1 && !isAggregate(expr.type) && expr.type.kind !== "fn";
    if (isScalar || expr.type.kind === "str") found.set(textOf(expr.span), expr);
  } else if (expr.kind === "index") {
    variablesIn(expr.index, found);
  } else if (expr.kind === "in-range" || expr.kind === "in-list") {
    variablesIn(expr.value, found);
  } else if ("left" in expr) {
    variablesIn(expr.left, found);
    variablesIn(expr.right, found);
  } else if ("operand" in expr) {
    variablesIn(expr.operand, found);
  } else if ("args" in expr) {
    for (const arg of expr.args) variablesIn(arg, found);
  }
}

function rootIsVariable(expr: HExpr): boolean {
  return expr.kind === "field" ? rootIsVariable(expr.object) : expr.kind === "local";
}

const MAX_VARIABLES = 6;

/** `a and b` is two checks in order: the first that fails is the one to tell of. */
function conjuncts(condition: HExpr): readonly HExpr[] {
  return condition.kind === "logic" && condition.op === "and" ? [...conjuncts(condition.left), ...conjuncts(condition.right)] : [condition];
}

export function lowerCheck(b: FunctionBuilder, statement: HStmt & { kind: "check" }): void {
  b.span = statement.span;
  countCheck(b);
  const { within } = statement;
  const wait = within !== null || statement.waits ? lowerWait(b, within) : null;
  for (const condition of wait !== null ? [statement.condition] : conjuncts(statement.condition)) {
    b.statement(() => {
      const capture: Capture = { values: new Map(), registers: new Map() };
      const passed = wait !== null ? lowerPolling(b, condition, wait, capture) : lowerScalar(b, condition, capture);
      b.span = condition.span;
      b.open("if", b.opposite(passed));
      lowerFailure(b, statement, condition, capture);
      b.close();
    });
  }
}

export function countCheck(b: FunctionBuilder): void {
  b.callRuntime("report.count_check", []);
}

/** Registers with guest times: when the waiting began, and when it ends. */
interface Wait {
  readonly start: number;
  readonly end: number;
}

function lowerWait(b: FunctionBuilder, within: HExpr | null): Wait {
  const start = b.keep("i64");
  const end = b.keep("i64");
  b.emit("time", { dst: [start] });
  b.copy("i64", end, within === null ? b.constant("i64", NEVER) : b.binary("add", "i64", start, lowerScalar(b, within)));
  return { start, end };
}

const NEVER = (1n << 64n) - 1n;

/** Who waits looks less and less often, and is late by no more than this part of the waiting: a 1024th, as in `join` of lib/cpu. */
const LATENESS_BITS = 10n;

/**
 * The time between two looks: a microsecond at first, as `relax` takes, then longer the longer it has taken. This is no function of the
 * library, so that a time limit that is reached here is told of the test's own line.
 */
function lowerPause(b: FunctionBuilder, now: number, { start, end }: Wait): void {
  const pause = b.binary("shr_u", "i64", b.binary("sub", "i64", now, start), b.constant("i64", LATENESS_BITS));
  b.open("if", b.binary("lt_u", "i64", pause, b.constant("i64", 1000n)));
  b.emit("relax");
  b.otherwise();
  const next = b.binary("add", "i64", now, pause);
  const until = b.temp("i64");
  b.emit("select", { type: "i64", dst: [until], src: [b.binary("lt_u", "i64", next, end), next, end] });
  b.emit("doze", { src: [until] });
  b.close();
}

/** Tries the condition until it holds or guest time passes the end; the result is whether it held at last. */
function lowerPolling(b: FunctionBuilder, condition: HExpr, wait: Wait, capture: Capture): number {
  const passed = b.temp("i8");
  const done = b.open("block");
  const again = b.open("loop");
  b.copy("i8", passed, lowerScalar(b, condition, capture));
  b.branchIf(passed, done);
  const now = b.temp("i64");
  b.emit("time", { dst: [now] });
  b.branchIf(b.binary("le_u", "i64", wait.end, now), done);
  lowerPause(b, now, wait);
  b.branch(again);
  b.close();
  b.close();
  return passed;
}

function lowerFailure(b: FunctionBuilder, statement: HStmt & { kind: "check" }, condition: HExpr, capture: Capture): void {
  const operands = failureOperands(b, condition, capture);
  const place = siteAt(b, statement.waits ? "wait" : statement.word, condition.span);
  const site = b.module.addSite({
    ...place,
    text: statement.within === null ? place.text : `${place.text} within ${oneLine(textOf(statement.within.span))}`,
    operator: operatorOf(condition),
    operands: operands.map(siteOperand),
  });
  b.callRuntime("report.failed", [b.constant("i32", BigInt(site))]);
  operands.forEach((operand, slot) => reportOperand(b, operand, slot));
  finishFailure(b, statement);
}

function operatorOf(condition: HExpr): string | null {
  const { kind } = condition;
  if (kind === "compare") return condition.op;
  if (kind === "in-range" || kind === "in-list") return condition.negated ? "not in" : "in";
  return kind === "matches" || kind === "near" || kind === "is-error" ? kind : null;
}

/** `more` prints what the message goes on with. */
export function finishFailure(
  b: FunctionBuilder,
  statement: { readonly message: Text | null; readonly word: "expect" | "assert" },
  more: (() => void) | null = null,
): void {
  if (statement.message !== null || more !== null) {
    b.callRuntime("report.begin_message", []);
    if (statement.message !== null) lowerText(b, statement.message);
    if (statement.message !== null && more !== null) putText(b, "; ");
    more?.();
    b.callRuntime("report.end_message", []);
  }
  b.callRuntime("report.end_failed", []);
  if (statement.word === "assert") b.callRuntime("runtime.abort_test", []);
}

function failureOperands(b: FunctionBuilder, condition: HExpr, capture: Capture): readonly Operand[] {
  const shown = new Map<string, Operand>();
  for (const expr of operandsOf(condition)) {
    const value = capture.values.get(expr);
    const text = oneLine(textOf(expr.span));
    if (value !== undefined && !shown.has(text)) shown.set(text, { expr, value, type: expr.type, shown: shownInCheck(b, expr, condition), text });
    const whole = capture.registers.get(expr);
    if (whole !== undefined && expr.kind === "register-field") {
      const registerText = oneLine(textOf(expr.span)).replace(/\.[^.]*$/, "");
      shown.set(registerText, { expr, value: [whole], type: expr.register.type, shown: registerType(b, expr), text: registerText });
    }
  }
  [...shown.values()].forEach((operand, of) => {
    for (const { path, type, offset } of contentsOf(operand.type).slice(0, MAX_CONTENTS)) {
      const text = `${operand.text}${path}`;
      const value = loadFrom(b, type, operand.value[0] ?? 0, offset);
      if (!shown.has(text)) shown.set(text, { expr: operand.expr, value, type, shown: valueTypeOf(type, b.module.layout), text, part: { of, path } });
    }
  });
  const variables = new Map<string, HExpr>();
  for (const expr of operandsOf(condition)) variablesIn(expr, variables);
  let added = 0;
  for (const [text, expr] of variables) {
    const name = oneLine(text);
    if (shown.has(name) || added === MAX_VARIABLES) continue;
    shown.set(name, { expr, value: lowerExpr(b, expr), type: expr.type, shown: shownType(b, expr), text: name });
    added++;
  }
  return [...shown.values()];
}

const MAX_CONTENTS = 4;

/** Texts and lists in a struct: its bytes hold their addresses only. */
function contentsOf(type: Type): readonly { readonly path: string; readonly type: Type; readonly offset: number }[] {
  if (type.kind !== "struct") return [];
  return type.fields.flatMap((field) => {
    if (field.type.kind === "str" || field.type.kind === "slice") return [{ path: `.${field.name}`, type: field.type, offset: field.offset }];
    return contentsOf(field.type).map((inner) => ({ ...inner, path: `.${field.name}${inner.path}`, offset: field.offset + inner.offset }));
  });
}

/** `10ms`: what is compared with it is a time. */
const DURATION_LITERAL = /^[0-9][0-9_]*(ns|us|ms|s)$/;

/** The value of an error check by the error's name; what stands beside a duration as a duration. */
function shownInCheck(b: FunctionBuilder, expr: HExpr, condition: HExpr): ValueType {
  const shown = shownType(b, expr);
  if (condition.kind === "is-error" && (shown.kind === "int" || shown.kind === "pointer")) return { kind: "int", signed: true, bits: shown.bits, errors: true };
  const isTime = shown.kind === "int" && shown.bits === 64 && operandsOf(condition).some((operand) => DURATION_LITERAL.test(textOf(operand.span)));
  return isTime ? { kind: "duration" } : shown;
}

function shownType(b: FunctionBuilder, expr: HExpr): ValueType {
  if (expr.kind === "register") return registerType(b, expr);
  if (expr.kind === "system-register") return { kind: "register", name: expr.name, bits: 64, fields: [] };
  return valueTypeOf(expr.type, b.module.layout);
}

function registerType(b: FunctionBuilder, expr: HExpr & { kind: "register" | "register-field" }): ValueType {
  const { register } = expr;
  return {
    kind: "register",
    name: register.name,
    bits: bitsOf(register.type, b.module.layout),
    fields: register.fields.map((field) => ({ name: field.name, high: field.high, low: field.low })),
  };
}

/** The whole text is one literal: its value is on the page already. */
const LITERAL = /^(-?[0-9][0-9a-zA-Z_]*|'.*'|(hex)?"[^"]*"|\[.*\]|true|false)$/;

function siteOperand(operand: Operand): SiteOperand {
  const { span } = operand.expr;
  const literal = operand.expr.kind === "const" && LITERAL.test(operand.text);
  const part = operand.part === undefined ? {} : { part: operand.part };
  return { text: operand.text, type: operand.shown, start: span.start, end: span.end, literal, ...part };
}

function reportOperand(b: FunctionBuilder, operand: Operand, slot: number): void {
  const number = b.constant("i32", BigInt(slot));
  const { type, value } = operand;
  if (type.kind === "str" || type.kind === "slice") {
    const size = type.kind === "slice" ? sizeOf(type.element, b.module.layout).size : 1;
    const bytes = size === 1 ? (value[1] ?? 0) : b.binary("mul", "addr", value[1] ?? 0, b.constant("addr", BigInt(size)));
    b.callRuntime("report.bytes", [number, value[0] ?? 0, bytes]);
  } else if (isAggregate(type)) {
    b.callRuntime("report.bytes", [number, value[0] ?? 0, b.constant("addr", BigInt(sizeOf(type, b.module.layout).size))]);
  } else if (value.length > 0) {
    const scalar = type.kind === "regs" ? "addr" : scalarOf(type);
    b.callRuntime("report.value", [number, b.convert(value[0] ?? 0, scalar, "i64", false)]);
  }
}

// ---- Words ----

export function lowerWord(b: FunctionBuilder, statement: HStmt & { kind: "word" }): void {
  b.span = statement.span;
  const site = b.constant("i32", BigInt(b.module.addSite(siteAt(b, statement.word, statement.span))));
  if (statement.word === "fail") {
    countCheck(b);
    b.callRuntime("report.failed", [site]);
  } else {
    b.callRuntime(statement.word === "skip" ? "report.skipped" : "report.info", [site]);
  }
  b.callRuntime("report.begin_message", []);
  lowerText(b, statement.message);
  b.callRuntime("report.end_message", []);
  b.callRuntime("report.end_failed", []);
  if (statement.word === "skip") b.callRuntime("runtime.skip_test", []);
}

// ---- Traps ----

const TRAP_FIELD_INDEX = { pc: 1, address: 2, access: 3, width: 4, value: 5 } as const;
const TRAP_CLASS_FIELD = 0;

/** A field of the trap that ended the guard: the runtime keeps it, for cleanups may have trapped since. */
function trapField(b: FunctionBuilder, field: number): number {
  return b.callRuntime("trap.field", [b.constant("i32", BigInt(field))], ["i64"])[0] ?? 0;
}

/** The first field holds the class in bits 7:0 and the target's own number plus one above. */
function isTrap(b: FunctionBuilder, { kind, number }: NonNullable<(HStmt & { kind: "expect-trap" })["trap"]>): number {
  const field = trapField(b, TRAP_CLASS_FIELD);
  if (kind === "class") return b.binary("eq", "i64", b.binary("and", "i64", field, b.constant("i64", 0xffn)), b.constant("i64", BigInt(number)));
  return b.binary("eq", "i64", b.binary("shr_u", "i64", field, b.constant("i64", 8n)), b.constant("i64", BigInt(number + 1)));
}

export function lowerExpectTrap(b: FunctionBuilder, statement: HStmt & { kind: "expect-trap" }): void {
  b.span = statement.span;
  countCheck(b);
  const wanted = statement.fields.map(({ field, value }) => ({ field, value, register: lowerScalar(b, value) }));
  b.span = statement.span;
  const [status] = b.callRuntime("runtime.catch_trap", [b.closureAddress(statement.body), b.frameAddress(0)], ["i32"]);
  const trapped = b.binary("ne", "i32", status ?? 0, b.constant("i32", 0n));
  let passed = trapped;
  if (statement.negated) {
    passed = b.isZero(trapped);
  } else {
    if (statement.trap !== null) passed = b.binary("and", "i8", passed, isTrap(b, statement.trap));
    for (const { field, register } of wanted) passed = b.binary("and", "i8", passed, b.binary("eq", "i64", trapField(b, TRAP_FIELD_INDEX[field]), register));
  }
  if (statement.binding !== null) {
    declareLocal(b, statement.binding);
    const place = placeOfLocal(b, statement.binding);
    const shape = sizeOf(statement.binding.type, b.module.layout);
    const result = b.frameAddress(b.frame(shape.size, shape.align));
    b.callRuntime("trap.last", [result]);
    writePlace(b, statement.binding.type, place, [result]);
  }
  b.open("if", b.opposite(passed));
  const site = b.module.addSite({
    ...siteAt(b, "expect-trap", statement.span),
    text: oneLine(statement.expectedText),
    expectedTrap: oneLine(statement.expectedText),
    operands: wanted.map(({ field, value }) => ({
      text: field,
      type: { kind: "int", signed: false, bits: 64 },
      start: value.span.start,
      end: value.span.end,
      literal: false,
    })),
  });
  b.callRuntime("report.failed", [b.constant("i32", BigInt(site))]);
  wanted.forEach(({ register }, slot) => b.callRuntime("report.value", [b.constant("i32", BigInt(slot)), register]));
  b.callRuntime("report.came", [trapped]);
  finishFailure(b, statement);
  b.close();
}

// ---- The console ----

/** The block runs where it stands, as a function: whatever ends it, the library stops to watch. */
export function lowerExpectLog(b: FunctionBuilder, statement: HStmt & { kind: "expect-log" }): void {
  b.span = statement.span;
  countCheck(b);
  const pattern = lowerExpr(b, statement.pattern);
  b.span = statement.span;
  const [hits = 0] = b.callRuntime("runtime.watch_console", [b.closureAddress(statement.body), b.frameAddress(0), ...pattern], ["i32"]);
  if (statement.binding !== null) {
    declareLocal(b, statement.binding);
    writePlace(b, statement.binding.type, placeOfLocal(b, statement.binding), [hits]);
  }
  const none = b.isZero(b.binary("ne", "i32", hits, b.constant("i32", 0n)));
  b.open("if", statement.negated ? b.isZero(none) : none);
  const text = oneLine(`${statement.negated ? "no " : ""}log ${textOf(statement.pattern.span)}`);
  const operand = (name: string, type: ValueType): SiteOperand => ({
    text: name,
    type,
    start: statement.span.start,
    end: statement.span.start,
    literal: false,
  });
  const operands = [operand("lines that matched", { kind: "int", signed: false, bits: 32 }), operand("the last line", { kind: "str" })];
  const site = b.module.addSite({ ...siteAt(b, "expect-log", statement.span), text, operands });
  b.callRuntime("report.failed", [b.constant("i32", BigInt(site))]);
  b.callRuntime("report.value", [b.constant("i32", 0n), b.convert(hits, "i32", "i64", false)]);
  b.callRuntime("report.bytes", [b.constant("i32", 1n), ...b.callRuntime("console_watch.told_line", [], ["addr", "addr"])]);
  finishFailure(b, statement);
  b.close();
}

/** The message is worked out once: it goes to the console, and from there into the report unless a watcher takes it. */
export function lowerWarning(b: FunctionBuilder, statement: HStmt & { kind: "word" }): void {
  b.span = statement.span;
  b.callRuntime("console.lock", []);
  b.callRuntime("console_watch.begin_warning", []);
  lowerText(b, statement.message);
  const [isExpected = 0] = b.callRuntime("console_watch.end_warning", [], ["i8"]);
  b.callRuntime("console.unlock", []);
  b.open("if", b.opposite(isExpected));
  b.callRuntime("report.warned", [b.constant("i32", BigInt(b.module.addSite(siteAt(b, "warn", statement.span))))]);
  b.callRuntime("report.begin_message", []);
  b.callRuntime("console_watch.put_warning", []);
  b.callRuntime("report.end_message", []);
  b.callRuntime("report.end_failed", []);
  b.close();
}

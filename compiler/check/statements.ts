// Statements: bodies, blocks and everything in them. Blocks that run elsewhere than where they stand (handlers, cpu blocks, trap
// bodies, deferred blocks) become closures: bodies of their own that reach the variables around them through memory.

import type { Block, CpuStmt, Expr, Stmt, StringLiteral } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { FunctionBody, Guess, HBlock, HExpr, HStmt, Local, Text, TrapFieldName } from "../hir.ts";
import { checkAsm } from "./asm.ts";
import { BOOL, ERROR, STR, U32, U64, USIZE, VOID, elementOf, showType, type Type } from "../types.ts";
import { evaluateInteger, intValue } from "./constants.ts";
import { type Context, counted, errorExpr, fail, failTwice, libraryModule, listNames, nested, suggest } from "./context.ts";
import { cast, coerce, defaultType, guessOf, quote, settleLiterals } from "./convert.ts";
import { checkTargetName, createBody, createLocal } from "./declarations.ts";
import { checkAs, checkCondition, checkExpr, checkOperand, checkValue, requireReadable } from "./expressions.ts";
import { jumps, leaves } from "./leaving.ts";
import { checkMatch } from "./match.ts";
import { checkPlace } from "./places.ts";
import { addNeed, failAbsent } from "./reach.ts";
import { completeType, resolveSized } from "./resolve-types.ts";
import { checkAnswer, checkExpectedCalls } from "./expected-calls.ts";
import { checkStub } from "./stubs.ts";
import { checkTrapName } from "./traps.ts";
import { innerScope, isLost, lookUp, visibleNames } from "./scope.ts";

/** Checks a function's block into its body. Parameters are in scope; a result must be returned on every path. */
export function checkBody(context: Context, body: FunctionBody, block: Block): void {
  const scope = innerScope(context.scope);
  for (const param of body.params) scope.names.set(param.name, { kind: "local", local: param });
  body.block = checkBlock({ ...context, scope, body, inLoop: false }, block);
  // A `return` may be among the statements that did not parse.
  if (body.result.kind !== "void" && body.result.kind !== "error" && block.broken !== true && !leaves(body.block)) {
    const { source, end } = block.span;
    fail(context, body.span, "E0512", `\`${body.name}\` does not return ${quote(body.result)} on every path`, {
      related: [{ span: { source, start: end - 1, end }, text: "the end is reached without `return`" }],
    });
  }
}

export function checkBlock(context: Context, block: Block): HBlock {
  const inner: Context = { ...context, scope: innerScope(context.scope, block.broken === true ? block.span : null), cleanups: { any: false } };
  const statements: HStmt[] = [];
  for (let i = 0; i < block.statements.length; i++) {
    const statement = block.statements[i];
    if (statement === undefined) continue;
    if (statement.kind === "cpu") {
      const group: CpuStmt[] = [statement];
      for (let next = block.statements[i + 1]; next?.kind === "cpu"; next = block.statements[i + 1]) {
        group.push(next);
        i++;
      }
      statements.push(checkCpus(inner, group));
    } else {
      statements.push(...checkStatement(inner, statement));
      const next = block.statements[i + 1];
      if (next !== undefined && jumps(statement)) {
        fail(context, next.span, "W0402", "this is never reached", { label: "behind a jump", related: [{ span: statement.span, text: "always leaves" }] });
      }
    }
  }
  for (const symbol of inner.scope.names.values()) {
    if (symbol.kind === "local" && !symbol.local.used && !symbol.local.name.startsWith("_")) {
      fail(context, symbol.local.span, "W0401", `\`${symbol.local.name}\` is never used`, { help: "remove it, or begin its name with `_`" });
    }
  }
  return { statements, hasCleanups: inner.cleanups.any };
}

function declareLocal(context: Context, local: Local): void {
  const before = context.scope.names.get(local.name);
  if (before?.kind === "local") {
    failTwice(context, local.span, `\`${local.name}\``, before.local.span, "in this block");
  }
  context.scope.names.set(local.name, { kind: "local", local });
}

function bodyOf(context: Context): FunctionBody {
  if (context.body === null) throw new Error("a statement outside of a body");
  return context.body;
}

/** A block that runs on its own: another CPU, a handler, under a guard, or later. */
function checkClosure(context: Context, name: string, block: Block): FunctionBody {
  const parent = bodyOf(context);
  const body = createBody(`${parent.name}.${name}`, block.span, parent, VOID);
  body.block = checkBlock({ ...context, body, inLoop: false }, block);
  return body;
}

function checkStatement(context: Context, statement: Stmt): readonly HStmt[] {
  return nested(context, statement.span, [], () => checkKind(context, statement));
}

function checkKind(context: Context, statement: Stmt): readonly HStmt[] {
  const { span } = statement;
  switch (statement.kind) {
    case "block":
      return [{ kind: "block", block: checkBlock(context, statement) }];
    case "let": {
      const declared = statement.type === null ? null : resolveSized(context, statement.type);
      const found = statement.value === null ? null : declared === null ? checkExpr(context, statement.value) : checkAs(context, statement.value, declared);
      const value = found === null ? null : defaultType(context, found);
      const type = declared ?? value?.type ?? ERROR;
      const local = createLocal(bodyOf(context), statement.name.text, type, statement.name.span, {
        mutable: statement.mutable,
        shared: statement.shared,
        guessedFrom: found?.type.kind === "comptime-int" && !found.type.duration ? { kind: "value", span: found.span } : undefined,
      });
      declareLocal(context, local);
      return [{ kind: "let", local, value, span }];
    }
    case "assign":
      return checkAssign(context, statement);
    case "expr-stmt":
      return checkExpressionStatement(context, statement.expr);
    case "if": {
      const condition = checkCondition(context, statement.condition);
      const consequent = checkBlock(context, statement.consequent);
      const { otherwise } = statement;
      if (otherwise === null) return [{ kind: "if", condition, consequent, otherwise: null }];
      if (otherwise.kind === "block") return [{ kind: "if", condition, consequent, otherwise: checkBlock(context, otherwise) }];
      return [{ kind: "if", condition, consequent, otherwise: { statements: checkStatement(context, otherwise), hasCleanups: false } }];
    }
    case "while":
      return [{ kind: "while", condition: checkCondition(context, statement.condition), body: checkBlock({ ...context, inLoop: true }, statement.body), span }];
    case "for":
      return checkFor(context, statement);
    case "match":
      return [checkMatch(context, statement)];
    case "return":
      return checkReturn(context, statement);
    case "break":
    case "continue":
      if (!context.inLoop) {
        fail(context, span, "E0526", `\`${statement.kind}\` outside of a loop`, {
          label: "no loop around this",
          help: bodyOf(context).parent === null ? undefined : "a handler, `cpu` or `user` block, trap body or deferred block cannot leave a loop around it",
        });
      }
      return [{ kind: statement.kind, span }];
    case "defer":
      context.cleanups.any = true;
      return [{ kind: "defer", body: checkClosure(context, "defer", statement.body), span }];
    case "stub":
      return checkStub(context, bodyOf(context), statement);
    case "answer":
      return checkAnswer(context, bodyOf(context), statement);
    case "expect-call":
      context.inferred.checks = true;
      return checkExpectedCalls(context, bodyOf(context), statement, textOrNull(context, statement.message));
    case "user":
      return [checkUser(context, statement.body, span)];
    case "check": {
      context.inferred.checks = true;
      const condition = checkCondition(context, statement.condition);
      const within = checkWithin(context, statement.within);
      return [
        {
          kind: "check",
          word: statement.word,
          condition,
          within,
          waits: false,
          message: textOrNull(context, statement.message),
          span,
          conditionSpan: statement.condition.span,
        },
      ];
    }
    case "wait-until": {
      context.inferred.checks = true;
      const condition = checkCondition(context, statement.condition);
      const within = checkWithin(context, statement.within);
      return [
        {
          kind: "check",
          word: "assert",
          condition,
          within,
          waits: true,
          message: textOrNull(context, statement.message),
          span,
          conditionSpan: statement.condition.span,
        },
      ];
    }
    case "expect-trap":
      context.inferred.checks = true;
      return checkExpectTrap(context, statement);
    case "expect-log":
      context.inferred.checks = true;
      return [checkExpectLog(context, statement)];
    case "word":
      if (statement.word === "fail") context.inferred.checks = true;
      return [{ kind: "word", word: statement.word, message: checkText(context, statement.message), span }];
    case "skip": {
      const word: HStmt = { kind: "word", word: "skip", message: checkText(context, statement.message), span };
      if (statement.condition === null) {
        // The test says itself that it checks nothing, and why.
        context.inferred.checks = true;
        return [word];
      }
      const condition = checkCondition(context, statement.condition);
      const tested: HExpr = statement.unless ? { kind: "unary", op: "not", operand: condition, type: BOOL, span: condition.span } : condition;
      return [{ kind: "if", condition: tested, consequent: { statements: [word], hasCleanups: false }, otherwise: null }];
    }
    case "on-irq": {
      context.cleanups.any = true;
      return [{ kind: "on-irq", source: checkIrqSource(context, statement.irq), body: checkClosure(context, "irq", statement.body), span }];
    }
    case "cpu":
      return [checkCpus(context, [statement])];
    case "when-target": {
      for (const target of statement.targets) checkTargetName(context, target.text, target.span);
      const here = statement.targets.some((target) => target.text === context.target.name);
      const chosen = here ? statement.consequent : statement.otherwise;
      return chosen === null ? [] : [{ kind: "block", block: checkBlock(context, chosen) }];
    }
    case "asm":
      return checkAsm(context, statement);
  }
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

function checkAssign(context: Context, statement: Stmt & { kind: "assign" }): readonly HStmt[] {
  const target = checkPlace(context, statement.target, "assign");
  const value = checkExpr(context, statement.value, target?.type ?? null);
  if (target === null) return [];
  const { span } = statement;
  if (statement.op === null) return [{ kind: "assign", target, value: coerce(context, value, target.type, guessOf(target, value.type) ?? {}), span }];
  if (target.type.kind !== "int") {
    if (target.type.kind !== "error")
      fail(context, target.span, "E0506", `\`${statement.op}=\` needs an integer, found ${quote(target.type)}`, { label: `this is ${quote(target.type)}` });
    return [];
  }
  requireReadable(context, target);
  const shift = statement.op === "<<" || statement.op === ">>";
  const amount =
    shift && value.type.kind === "int" ? cast(context, value, target.type, value.span) : coerce(context, value, target.type, guessOf(target, value.type) ?? {});
  return [{ kind: "update", target, op: statement.op, value: amount, span }];
}

function checkExpressionStatement(context: Context, expr: Expr): readonly HStmt[] {
  if (expr.kind === "call" && expr.callee.kind === "name" && expr.callee.name === "print" && lookUp(context.scope, "print") === undefined) {
    const [text] = expr.args;
    if (text === undefined || expr.args.length !== 1) {
      fail(context, expr.span, "E0504", `\`print\` takes one text, found ${counted(expr.args.length, "argument")}`, {
        help: 'values go into the text: `print("a = {a}")`',
      });
      return [];
    }
    if (text.kind === "string") return [{ kind: "print", text: checkText(context, text), span: expr.span }];
    const value = checkValue(context, text);
    return [{ kind: "print", text: { parts: [{ kind: "value", expr: value, format: null }], span: text.span }, span: expr.span }];
  }
  const checked = checkOperand(context, expr);
  requireReadable(context, checked);
  const useful =
    checked.kind === "call" ||
    checked.kind === "call-indirect" ||
    checked.kind === "call-method" ||
    checked.kind === "intrinsic" ||
    checked.kind === "error" ||
    checked.kind === "register" ||
    checked.kind === "system-register" ||
    checked.kind === "register-field";
  if (!useful && checked.type.kind !== "error") {
    const isEquality = checked.kind === "compare" && checked.op === "==";
    const isCheck = checked.type.kind === "bool";
    fail(context, expr.span, "E0525", "this value is not used", {
      label: "nothing is done with it",
      help: isEquality
        ? "write `expect` before it to check it, or `=` to assign"
        : isCheck
          ? "write `expect` before it to check it"
          : checked.type.kind === "fn"
            ? "call it: `(..)` after its name"
            : "remove it, or bind it with `let`",
    });
  }
  return [{ kind: "expr", expr: checked, span: expr.span }];
}

function checkFor(context: Context, statement: Stmt & { kind: "for" }): readonly HStmt[] {
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
  const local = declareLoop(statement.name.text, element, statement.name.span);
  return [{ kind: "for-each", local, index, source, body: checkBlock(inner, statement.body), span }];
}

function checkReturn(context: Context, statement: Stmt & { kind: "return" }): readonly HStmt[] {
  const body = bodyOf(context);
  const { span } = statement;
  if (body.parent !== null && body.isStub !== true) {
    fail(
      context,
      { source: span.source, start: span.start, end: span.start + "return".length },
      "E0527",
      "`return` cannot leave a handler, `cpu` or `user` block, trap body or deferred block",
      { help: "set a variable and test it after the block" },
    );
    if (statement.value !== null) checkExpr(context, statement.value);
    return [];
  }
  if (body.result.kind === "void") {
    if (statement.value !== null) {
      const value = checkOperand(context, statement.value);
      const named = textOf(body.span) === body.name;
      if (value.type.kind !== "void") {
        fail(context, statement.value.span, "E0513", `\`${body.name}\` returns nothing, found a value after \`return\``, {
          related: named ? [{ span: body.span, text: "declared without a result" }] : [],
          help: named
            ? `declare what it returns: \`-> ${value.type.kind === "error" || value.type.kind === "comptime-int" ? "u32" : showType(value.type)}\``
            : undefined,
        });
      }
    }
    return [{ kind: "return", value: null, span }];
  }
  if (statement.value === null) {
    fail(context, span, "E0513", `expected ${quote(body.result)} after \`return\`, found nothing`, {
      related: textOf(body.span) === body.name ? [{ span: body.span, text: `returns ${quote(body.result)}` }] : [],
      notes: ["the value of `return` begins on the same line"],
    });
    return [{ kind: "return", value: errorExpr(span, body.result), span }];
  }
  const related = textOf(body.span) === body.name ? [{ span: body.span, text: `returns ${quote(body.result)}` }] : [];
  return [{ kind: "return", value: coerce(context, checkExpr(context, statement.value, body.result), body.result, { related }), span }];
}

const ACCESS_WORDS: ReadonlyMap<string, bigint> = new Map([
  ["read", 1n],
  ["write", 2n],
  ["execute", 3n],
]);
const TRAP_FIELD_NAMES: readonly TrapFieldName[] = ["address", "access", "width", "value", "pc"];

function checkExpectTrap(context: Context, statement: Stmt & { kind: "expect-trap" }): readonly HStmt[] {
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

function checkExpectLog(context: Context, { word, negated, pattern, binding: name, body, message, span }: Stmt & { kind: "expect-log" }): HStmt {
  const checked = checkAs(context, pattern, STR);
  const closure = checkClosure(context, "log", body);
  const binding = name === null ? null : createLocal(bodyOf(context), name.text, U32, name.span);
  if (binding !== null) declareLocal(context, binding);
  return { kind: "expect-log", word, negated, pattern: checked, binding, body: closure, message: textOrNull(context, message), span };
}

/** 0 is the inter-processor interrupt, 1 the timer; lines of the interrupt controller count from EXTERNAL_IRQ. */
const EXTERNAL_IRQ = 0x1000n;
const LOCAL_IRQS: ReadonlyMap<string, bigint> = new Map([
  ["ipi", 0n],
  ["timer", 1n],
]);

function checkIrqSource(context: Context, expr: Expr): HExpr {
  const local = expr.kind === "name" ? LOCAL_IRQS.get(expr.name) : undefined;
  if (local !== undefined) return { kind: "const", value: intValue(local), type: U32, span: expr.span };
  if (expr.kind === "name" && lookUp(context.scope, expr.name) === undefined) {
    if (!isLost(context.scope, expr.name)) {
      fail(context, expr.span, "E0401", `there is no interrupt \`${expr.name}\``, {
        label: "unknown name",
        help:
          suggest(expr.name, [...LOCAL_IRQS.keys(), ...visibleNames(context.scope)]) ??
          "an interrupt is `timer`, `ipi`, or the number of a line: `machine.uart0.irq`",
      });
    }
    return errorExpr(expr.span, U32);
  }
  const line = coerce(context, checkExpr(context, expr, U32), U32);
  const base: HExpr = { kind: "const", value: intValue(EXTERNAL_IRQ), type: U32, span: expr.span };
  return { kind: "arithmetic", op: "+", left: line, right: base, type: U32, span: expr.span };
}

function checkUser(context: Context, block: Block, span: Span): HStmt {
  addNeed(context, { name: "user_mode", args: [], span: { source: span.source, start: span.start, end: span.start + "user".length } });
  const run = libraryModule(context, "user")?.names.get("run");
  if (run?.kind === "fn") context.reach?.functions.add(run);
  else failAbsent(context, span, "E0602", `there is no user mode on target \`${context.target.name}\``, { label: "its library has no `user.run`" });
  return { kind: "user", run: run?.kind === "fn" ? run.function : null, body: checkClosure(context, "user", block), span };
}

function checkCpus(context: Context, group: readonly CpuStmt[]): HStmt {
  const seen = new Map<bigint, Span>();
  const blocks = group.map((statement) => {
    const cpu = checkAs(context, statement.cpu, U32);
    const number = evaluateInteger(cpu, context.target.layout);
    if (number !== null) {
      context.inferred.cpus = Math.max(context.inferred.cpus, Number(number) + 1);
      const before = seen.get(number);
      if (before !== undefined) {
        fail(context, statement.cpu.span, "E0409", `cpu ${number} has two blocks that run at the same time`, {
          related: [{ span: before, text: "the first one" }],
          help: "a statement between the blocks makes them run one after the other",
        });
      }
      seen.set(number, statement.cpu.span);
    }
    return { cpu, body: checkClosure(context, `cpu${number ?? ""}`, statement.body) };
  });
  return { kind: "cpus", blocks, span: group[0]?.span ?? context.scope.module.file.span };
}

// ---- Text ----

function textOrNull(context: Context, text: StringLiteral | null): Text | null {
  return text === null ? null : checkText(context, text);
}

function checkText(context: Context, text: StringLiteral): Text {
  const parts = text.parts.flatMap((part): Text["parts"] => {
    if (part.kind === "text") return [part];
    const value = checkValue(context, part.expr);
    if (value.type.kind === "regs")
      fail(context, part.span, "E0523", `a register block cannot be printed, found ${quote(value.type)}`, { help: "print its registers one by one" });
    else if (part.format === "b" && value.type.kind !== "int" && value.type.kind !== "error") {
      fail(context, part.span, "E0523", `\`:b\` prints integers, found ${quote(value.type)}`, { label: `this is ${quote(value.type)}` });
    }
    return [{ kind: "value", expr: value, format: part.format }];
  });
  return { parts, span: text.span };
}

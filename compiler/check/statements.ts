// Statements: bodies, blocks and everything in them. Blocks that run elsewhere than where they stand (handlers, cpu blocks, trap
// bodies, deferred blocks) become closures: bodies of their own that reach the variables around them through memory.

import type { Block, Expr, Stmt } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { createLocal, type HExpr, type HStmt } from "../hir.ts";
import { BOOL, ERROR, showType, U32 } from "../types.ts";
import { checkAsm } from "./asm.ts";
import { bodyOf, checkBlock, checkClosure, checkCpus, checkStatement, declareLocal } from "./blocks.ts";
import { checkExpectLog, checkExpectation, checkExpectTrap } from "./checks.ts";
import { intValue } from "./constants.ts";
import { counted, errorExpr, fail, libraryModule, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, guessOf, quote } from "./convert.ts";
import { checkTargetName } from "./elsewhere.ts";
import { checkAnswer, checkExpectedCalls } from "./expected-calls.ts";
import { checkFor } from "./loops.ts";
import { checkMatch } from "./match.ts";
import { checkPlace } from "./places.ts";
import { addNeed, failAbsent } from "./reach.ts";
import { resolveSized } from "./resolve-types.ts";
import { isLost, lookUp, visibleNames } from "./scope.ts";
import { checkStub } from "./stubs.ts";
import { checkText, textOrNull } from "./texts.ts";
import { checkAs, checkCondition, checkExpr, checkOperand, checkValue, requireReadable } from "./values.ts";

export function checkStatementKind(context: Context, statement: Stmt): readonly HStmt[] {
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
    case "check":
    case "wait-until":
      context.inferred.checks = true;
      return [checkExpectation(context, statement)];
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

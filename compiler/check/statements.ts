// Statements: bodies, blocks and everything in them. Blocks that run elsewhere than where they stand (handlers, cpu blocks, trap
// bodies, deferred blocks) become closures: bodies of their own that reach the variables around them through memory.

import type { Block, CpuStmt, Expr, Stmt, StringLiteral } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { FunctionBody, HBlock, HExpr, HStmt, Local, MatchRange, Text, TrapFieldName } from "../hir.ts";
import { BOOL, ERROR, U32, U64, USIZE, VOID, showType, type Type } from "../types.ts";
import { asInteger, evaluate, intValue } from "./constants.ts";
import { errorExpr, fail, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, quote, showBig } from "./convert.ts";
import { checkTargetName, createBody, createLocal } from "./declarations.ts";
import { checkAs, checkCondition, checkConstant, checkExpr, checkValue, requireReadable } from "./expressions.ts";
import { findIntrinsic } from "./intrinsics.ts";
import { checkPlace } from "./places.ts";
import { resolveSized } from "./resolve-types.ts";
import { innerScope, lookUp, moduleScope } from "./scope.ts";

/** Checks a function's block into its body. Parameters are in scope; a result must be returned on every path. */
export function checkBody(context: Context, body: FunctionBody, block: Block): void {
  const scope = innerScope(context.scope);
  for (const param of body.params) scope.names.set(param.name, { kind: "local", local: param });
  body.block = checkBlock({ ...context, scope, body, inLoop: false }, block);
  if (body.result.kind !== "void" && body.result.kind !== "error" && !leaves(body.block)) {
    fail(context, body.span, "E0512", `not every path returns ${quote(body.result)}`, { help: "end the function with `return`" });
  }
}

export function checkBlock(context: Context, block: Block): HBlock {
  const inner: Context = { ...context, scope: innerScope(context.scope), cleanups: { any: false } };
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
    fail(context, local.span, "E0409", `\`${local.name}\` is declared twice in this block`, { related: [{ span: before.local.span, text: "first declared here" }] });
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
  const { span } = statement;
  switch (statement.kind) {
    case "block":
      return [{ kind: "block", block: checkBlock(context, statement) }];
    case "let": {
      const declared = statement.type === null ? null : resolveSized(context, statement.type);
      const value = statement.value === null ? null : declared === null ? checkValue(context, statement.value) : checkAs(context, statement.value, declared);
      const type = declared ?? value?.type ?? ERROR;
      if (declared === null && value === null) fail(context, span, "E0515", `\`${statement.name.text}\` needs a type or a value`);
      const local = createLocal(bodyOf(context), statement.name.text, type, statement.name.span, { mutable: statement.mutable, shared: statement.shared });
      declareLocal(context, local);
      return [{ kind: "let", local, value, span }];
    }
    case "assign":
      return checkAssign(context, statement);
    case "expr-stmt":
      return checkExpressionStatement(context, statement.expr);
    case "if": {
      const condition = checkCondition(context, statement.condition);
      const then = checkBlock(context, statement.then);
      const { otherwise } = statement;
      if (otherwise === null) return [{ kind: "if", condition, then, otherwise: null }];
      if (otherwise.kind === "block") return [{ kind: "if", condition, then, otherwise: checkBlock(context, otherwise) }];
      return [{ kind: "if", condition, then, otherwise: { statements: checkStatement(context, otherwise), hasCleanups: false } }];
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
        fail(context, span, "E0526", `\`${statement.kind}\` stands in no loop`, {
          help: bodyOf(context).parent === null ? undefined : "a handler, cpu block or trap body cannot leave a loop around it",
        });
      }
      return [{ kind: statement.kind, span }];
    case "defer":
      context.cleanups.any = true;
      return [{ kind: "defer", body: checkClosure(context, "defer", statement.body), span }];
    case "check": {
      context.inferred.checks = true;
      const condition = checkCondition(context, statement.condition);
      const within = statement.within === null ? null : checkAs(context, statement.within, U64);
      return [{ kind: "check", word: statement.word, condition, within, waits: false, message: textOrNull(context, statement.message), span, conditionSpan: statement.condition.span }];
    }
    case "wait-until": {
      context.inferred.checks = true;
      const condition = checkCondition(context, statement.condition);
      const within = statement.within === null ? null : checkAs(context, statement.within, U64);
      return [{ kind: "check", word: "assert", condition, within, waits: true, message: textOrNull(context, statement.message), span, conditionSpan: statement.condition.span }];
    }
    case "expect-trap":
      context.inferred.checks = true;
      return checkExpectTrap(context, statement);
    case "word":
      if (statement.word === "fail") context.inferred.checks = true;
      return [{ kind: "word", word: statement.word, message: checkText(context, statement.message), span }];
    case "skip": {
      const word: HStmt = { kind: "word", word: "skip", message: checkText(context, statement.message), span };
      if (statement.condition === null) return [word];
      const condition = checkCondition(context, statement.condition);
      const tested: HExpr = statement.unless ? { kind: "unary", op: "not", operand: condition, type: BOOL, span: condition.span } : condition;
      return [{ kind: "if", condition: tested, then: { statements: [word], hasCleanups: false }, otherwise: null }];
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
      const chosen = here ? statement.then : statement.otherwise;
      return chosen === null ? [] : [{ kind: "block", block: checkBlock(context, chosen) }];
    }
    case "asm":
      checkTargetName(context, statement.target.text, statement.target.span);
      fail(context, statement.target.span, "E0603", `\`asm ${statement.target.text}\` cannot be assembled for target \`${context.target.name}\``, {
        help: `put it into \`when target ${statement.target.text} { .. }\``,
      });
      return [];
  }
}

function checkAssign(context: Context, statement: Stmt & { kind: "assign" }): readonly HStmt[] {
  const target = checkPlace(context, statement.target, "assign");
  const value = checkExpr(context, statement.value, target?.type ?? null);
  if (target === null) return [];
  const { span } = statement;
  if (statement.op === null) return [{ kind: "assign", target, value: coerce(context, value, target.type), span }];
  if (target.type.kind !== "int") {
    if (target.type.kind !== "error") fail(context, span, "E0506", `\`${statement.op}=\` needs an integer, found ${quote(target.type)}`);
    return [];
  }
  requireReadable(context, target);
  const shift = statement.op === "<<" || statement.op === ">>";
  const amount = shift && value.type.kind === "int" ? cast(context, value, target.type, value.span) : coerce(context, value, target.type);
  return [{ kind: "update", target, op: statement.op as (HStmt & { kind: "update" })["op"], value: amount, span }];
}

function checkExpressionStatement(context: Context, expr: Expr): readonly HStmt[] {
  if (expr.kind === "call" && expr.callee.kind === "name" && expr.callee.name === "print" && lookUp(context.scope, "print") === undefined) {
    const [text] = expr.args;
    if (text === undefined || expr.args.length !== 1) {
      fail(context, expr.span, "E0504", "`print` takes one text");
      return [];
    }
    if (text.kind === "string") return [{ kind: "print", text: checkText(context, text), span: expr.span }];
    const value = checkValue(context, text);
    return [{ kind: "print", text: { parts: [{ kind: "value", expr: value, format: null }], span: text.span }, span: expr.span }];
  }
  const checked = checkExpr(context, expr);
  const useful = checked.kind === "call" || checked.kind === "call-indirect" || checked.kind === "intrinsic" || checked.kind === "error" || checked.kind === "register" || checked.kind === "register-field";
  if (!useful && checked.type.kind !== "error") {
    fail(context, expr.span, "E0525", "this value is not used", {
      help: checked.kind === "compare" ? "did you mean `expect`, or `=`?" : "remove it, or bind it with `let`",
    });
  }
  return [{ kind: "expr", expr: checked, span: expr.span }];
}

function checkFor(context: Context, statement: Stmt & { kind: "for" }): readonly HStmt[] {
  const { span } = statement;
  const scope = innerScope(context.scope);
  const inner: Context = { ...context, scope, inLoop: true };
  const declareLoop = (name: string, type: Type, at: Span): Local => {
    const local = createLocal(bodyOf(context), name, type, at);
    local.used = true;
    scope.names.set(name, { kind: "local", local });
    return local;
  };
  if (statement.source.kind === "range") {
    const { start, end, inclusive } = statement.source;
    if (start === null || end === null) {
      fail(context, statement.source.span, "E0520", "a loop needs both ends of its range");
      return [];
    }
    let low = checkExpr(context, start);
    let high = checkExpr(context, end, low.type);
    if (low.type.kind === "comptime-int") low = high.type.kind === "comptime-int" ? defaultType(context, low) : coerce(context, low, high.type);
    high = coerce(context, high, low.type);
    if (low.type.kind !== "int") {
      if (low.type.kind !== "error") fail(context, statement.source.span, "E0520", `a range holds integers, found ${quote(low.type)}`);
      return [];
    }
    const local = declareLoop(statement.name.text, low.type, statement.name.span);
    return [{ kind: "for-range", local, start: low, end: high, inclusive, body: checkBlock(inner, statement.body), span }];
  }
  const source = defaultType(context, checkExpr(context, statement.source));
  if (source.type.kind === "error") return [];
  const element = source.type.kind === "array" || source.type.kind === "slice" ? source.type.element : source.type.kind === "str" ? ({ kind: "int", name: "u8", signed: false, bits: 8 } as const) : null;
  if (element === null) {
    fail(context, statement.source.span, "E0520", `${quote(source.type)} cannot be looped over`, { help: "ranges, arrays, slices, strings and tables can" });
    return [];
  }
  const index = statement.index === null ? null : declareLoop(statement.index.text, USIZE, statement.index.span);
  const local = declareLoop(statement.name.text, element, statement.name.span);
  return [{ kind: "for-each", local, index, source, body: checkBlock(inner, statement.body), span }];
}

function checkMatch(context: Context, statement: Stmt & { kind: "match" }): HStmt {
  const value = checkValue(context, statement.value);
  const { type } = value;
  if (type.kind !== "int" && type.kind !== "enum" && type.kind !== "error") {
    fail(context, statement.value.span, "E0521", `\`match\` needs an integer or an enum, found ${quote(type)}`);
  }
  const seen: { readonly low: bigint; readonly high: bigint; readonly span: Span }[] = [];
  const arms = statement.arms.map((arm) => {
    const ranges = arm.patterns.flatMap((pattern): MatchRange[] => {
      const range = matchRange(context, pattern, type);
      if (range === null) return [];
      const before = seen.find((other) => other.low <= range.high && range.low <= other.high);
      if (before !== undefined) fail(context, pattern.span, "E0521", "this value has an arm already", { related: [{ span: before.span, text: "here" }] });
      seen.push({ ...range, span: pattern.span });
      return [range];
    });
    return { ranges, body: checkBlock(context, arm.body) };
  });
  if (statement.otherwise === null && type.kind === "enum") {
    const missing = [...type.members].filter(([, member]) => !seen.some((range) => range.low <= member && member <= range.high));
    if (missing.length > 0) {
      fail(context, statement.span, "E0521", `\`match\` leaves out ${missing.map(([name]) => `\`${type.name}.${name}\``).join(", ")}`, { help: "add the arms, or an `else`" });
    }
  } else if (statement.otherwise === null && type.kind === "int") {
    fail(context, statement.span, "E0521", `\`match\` over \`${type.name}\` needs an \`else\``);
  }
  return { kind: "match", value, arms, otherwise: statement.otherwise === null ? null : checkBlock(context, statement.otherwise) };
}

function matchRange(context: Context, pattern: Expr, type: Type): MatchRange | null {
  const bound = (expr: Expr | null): bigint | null => {
    if (expr === null) return null;
    const constant = checkConstant(context, expr, type.kind === "error" ? null : type);
    return constant === null ? null : asInteger(constant.value);
  };
  if (pattern.kind === "range") {
    const low = bound(pattern.start);
    const high = bound(pattern.end);
    if (low === null || high === null) return null;
    const last = pattern.inclusive ? high : high - 1n;
    if (last < low) {
      fail(context, pattern.span, "E0521", `the range ${showBig(low)}..${showBig(high)} is empty`);
      return null;
    }
    return { low, high: last };
  }
  const value = bound(pattern);
  return value === null ? null : { low: value, high: value };
}

function checkReturn(context: Context, statement: Stmt & { kind: "return" }): readonly HStmt[] {
  const body = bodyOf(context);
  const { span } = statement;
  if (body.parent !== null) {
    fail(context, span, "E0527", "`return` cannot leave a handler, cpu block, trap body or deferred block", { help: "set a variable and test it after the block" });
    return [];
  }
  if (body.result.kind === "void") {
    if (statement.value !== null) fail(context, statement.value.span, "E0513", `\`${body.name}\` returns nothing`);
    return [{ kind: "return", value: null, span }];
  }
  if (statement.value === null) {
    fail(context, span, "E0513", `expected a value of type ${quote(body.result)} on this line`, { help: "the operand of `return` stands on its own line" });
    return [];
  }
  return [{ kind: "return", value: checkAs(context, statement.value, body.result), span }];
}

const ACCESS_WORDS: ReadonlyMap<string, bigint> = new Map([["read", 1n], ["write", 2n], ["execute", 3n]]);
const TRAP_FIELD_NAMES: readonly TrapFieldName[] = ["address", "access", "width", "value", "pc"];

function checkExpectTrap(context: Context, statement: Stmt & { kind: "expect-trap" }): readonly HStmt[] {
  const { span } = statement;
  let trapClass: number | null = null;
  if (statement.trap !== null) {
    const { module, name } = statement.trap;
    const full = module === null ? name.text : `${module.text}.${name.text}`;
    const index = TRAP_CLASSES.findIndex((known) => known === full);
    if (index > 0) trapClass = index;
    else fail(context, name.span, "E0404", `there is no trap class \`${full}\` on target \`${context.target.name}\``, { help: suggest(full, TRAP_CLASSES.slice(1)) });
  }
  const fields = statement.fields.flatMap((field): { field: TrapFieldName; value: HExpr }[] => {
    const known = TRAP_FIELD_NAMES.find((name) => name === field.name.text);
    if (known === undefined) {
      fail(context, field.name.span, "E0407", `a trap has no \`${field.name.text}\``, { help: suggest(field.name.text, TRAP_FIELD_NAMES) ?? `it has ${TRAP_FIELD_NAMES.join(", ")}` });
      return [];
    }
    const word = field.value.kind === "name" ? ACCESS_WORDS.get(field.value.name) : undefined;
    if (known === "access") {
      if (word === undefined) fail(context, field.value.span, "E0404", "an access is `read`, `write` or `execute`");
      return [{ field: known, value: { kind: "const", value: intValue(word ?? 0n), type: U64, span: field.value.span } }];
    }
    const value = checkExpr(context, field.value, known === "address" || known === "pc" ? USIZE : U64);
    return [{ field: known, value: value.type.kind === "comptime-int" ? coerce(context, value, U64) : cast(context, value, U64, field.value.span) }];
  });
  const body = checkClosure(context, "trap", statement.body);
  const trapModule = context.modules.lib("trap");
  const trapType = trapModule?.names.get("Trap");
  let binding: Local | null = null;
  if (statement.binding !== null && trapType?.kind === "type") {
    resolveSized({ ...context, scope: moduleScope(trapModule ?? context.scope.module) }, { kind: "named-type", module: null, name: { text: "Trap", span }, span });
    binding = createLocal(bodyOf(context), statement.binding.text, trapType.type, statement.binding.span);
    binding.inMemory = true;
    declareLocal(context, binding);
  }
  const source = statement.span.source.text.slice(statement.span.start, statement.body.span.start).trim();
  return [{ kind: "expect-trap", word: statement.word, negated: statement.negated, trapClass, expectedText: source, fields, binding, body, message: textOrNull(context, statement.message), span }];
}

/** 0 is the inter-processor interrupt, 1 the timer; lines of the interrupt controller count from EXTERNAL_IRQ. */
const EXTERNAL_IRQ = 0x1000n;
const LOCAL_IRQS: ReadonlyMap<string, bigint> = new Map([["ipi", 0n], ["timer", 1n]]);

function checkIrqSource(context: Context, expr: Expr): HExpr {
  const local = expr.kind === "name" ? LOCAL_IRQS.get(expr.name) : undefined;
  if (local !== undefined) return { kind: "const", value: intValue(local), type: U32, span: expr.span };
  if (expr.kind === "name" && lookUp(context.scope, expr.name) === undefined) {
    fail(context, expr.span, "E0401", `there is no interrupt \`${expr.name}\``, { help: suggest(expr.name, LOCAL_IRQS.keys()) ?? "`timer`, `ipi`, or the number of a line: `machine.uart0.irq`" });
    return errorExpr(expr.span, U32);
  }
  const line = coerce(context, checkExpr(context, expr, U32), U32);
  const base: HExpr = { kind: "const", value: intValue(EXTERNAL_IRQ), type: U32, span: expr.span };
  return { kind: "arithmetic", op: "+", left: line, right: base, type: U32, span: expr.span };
}

function checkCpus(context: Context, group: readonly CpuStmt[]): HStmt {
  const seen = new Map<bigint, Span>();
  const blocks = group.map((statement) => {
    const cpu = checkAs(context, statement.cpu, U32);
    const number = asInteger(evaluate(cpu, context.target.layout));
    if (number !== null) {
      context.inferred.cpus = Math.max(context.inferred.cpus, Number(number) + 1);
      const before = seen.get(number);
      if (before !== undefined) fail(context, statement.cpu.span, "E0409", `cpu ${number} has a block here already`, { related: [{ span: before, text: "first here" }] });
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

const FORMATS: ReadonlySet<string> = new Set(["x", "d", "b", "s"]);

export function checkText(context: Context, text: StringLiteral): Text {
  const parts = text.parts.flatMap((part): Text["parts"] => {
    if (part.kind === "text") return [part];
    if (part.format !== null && !FORMATS.has(part.format)) fail(context, part.span, "E0523", `there is no format \`:${part.format}\``, { help: "`:x` hexadecimal, `:d` decimal, `:b` binary, `:s` text" });
    const value = checkValue(context, part.expr);
    if (value.type.kind === "regs" || value.type.kind === "void") fail(context, part.span, "E0523", `${quote(value.type)} cannot be printed`);
    if (part.format === "b" && value.type.kind !== "int") fail(context, part.span, "E0523", `\`:b\` prints integers, found \`${showType(value.type)}\``);
    return [{ kind: "value", expr: value, format: part.format }];
  });
  return { parts, span: text.span };
}

// ---- Paths ----

/** Control never reaches the end of the block. */
function leaves(block: HBlock): boolean {
  return block.statements.some(statementLeaves);
}

function statementLeaves(statement: HStmt): boolean {
  switch (statement.kind) {
    case "return":
      return true;
    case "block":
      return leaves(statement.block);
    case "if":
      return statement.otherwise !== null && leaves(statement.then) && leaves(statement.otherwise);
    case "match":
      return statement.arms.every((arm) => leaves(arm.body)) && (statement.otherwise === null || leaves(statement.otherwise));
    case "while":
      return statement.condition.kind === "const" && asInteger(statement.condition.value) === 1n && !breaks(statement.body);
    case "word":
      return statement.word === "skip";
    case "expr":
      return statement.expr.kind === "intrinsic" && findIntrinsic(statement.expr.name)?.ends === true;
    case "let":
    case "assign":
    case "update":
    case "for-range":
    case "for-each":
    case "break":
    case "continue":
    case "defer":
    case "check":
    case "expect-trap":
    case "print":
    case "on-irq":
    case "cpus":
      return false;
  }
}

function breaks(block: HBlock): boolean {
  return block.statements.some((statement) => {
    if (statement.kind === "break") return true;
    if (statement.kind === "block") return breaks(statement.block);
    if (statement.kind === "if") return breaks(statement.then) || (statement.otherwise !== null && breaks(statement.otherwise));
    if (statement.kind === "match") return statement.arms.some((arm) => breaks(arm.body)) || (statement.otherwise !== null && breaks(statement.otherwise));
    return false;
  });
}


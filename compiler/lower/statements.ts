// Statements to structured control flow. A block that pushed cleanups (deferred blocks, interrupt handlers) pops them at its end
// and on every way out of it; an abort or trap leaves that to the guest's runtime, which keeps the same list.

import type { Span } from "../../grammar/source.ts";
import { asInteger, evaluateInteger } from "../check/constants.ts";
import type { HBlock, HExpr, HPlace, HStmt, MatchRange } from "../hir.ts";
import { isAggregate, registersOf, scalarOf, sizeOf } from "../types.ts";
import { arithmetic, isSigned } from "./arithmetic.ts";
import { lowerAsm } from "./asm.ts";
import { lowerCheck, lowerExpectLog, lowerExpectTrap, lowerWarning, lowerWord } from "./checks.ts";
import { extractField, readRegister, writeField, writeRegister } from "./device-registers.ts";
import { lowerAnswer, lowerExpectedCalls } from "./expected-calls.ts";
import { lowerExpr, lowerHeld, lowerInto, lowerPlace, lowerRegisterAddress, lowerScalar, lowerSequence } from "./expressions.ts";
import type { FunctionBuilder } from "./function-builder.ts";
import { fillZero, loadFrom } from "./guest-memory.ts";
import { declareLocal, isRegister, noteSpace, placeOfLocal, readPlace, writePlace } from "./places.ts";
import { lowerStub } from "./stubs.ts";
import { readSystemRegister, system, writeSystemRegister, type SystemRegister } from "./system-registers.ts";
import { lowerText } from "./text.ts";

export function lowerBlock(b: FunctionBuilder, block: HBlock): void {
  const outer = b.cleanups.length;
  for (const statement of block.statements) b.statement(() => lowerStatement(b, statement));
  popCleanups(b, outer);
  b.cleanups.length = outer;
}

/** Runs the cleanups pushed since there were `keep` of them, the newest first. They stay noted: other paths pop them too. */
function popCleanups(b: FunctionBuilder, keep: number): void {
  for (let i = b.cleanups.length - 1; i >= keep; i--) {
    const cleanup = b.cleanups[i];
    if (cleanup === undefined) continue;
    if (cleanup.kind === "node") b.callRuntime("runtime.pop_cleanup", [b.frameAddress(cleanup.offset)]);
    else b.call(cleanup.function, [], cleanup.args);
  }
}

function lowerStatement(b: FunctionBuilder, statement: HStmt): void {
  switch (statement.kind) {
    case "block":
      lowerBlock(b, statement.block);
      return;
    case "let":
      lowerLet(b, statement);
      return;
    case "assign":
      b.span = statement.span;
      lowerAssign(b, statement.target, statement.value);
      return;
    case "update":
      b.span = statement.span;
      lowerUpdate(b, statement);
      return;
    case "expr":
      lowerExpr(b, statement.expr);
      return;
    case "if": {
      const condition = lowerScalar(b, statement.condition);
      b.decide("if", statement.condition.span);
      b.open("if", condition);
      lowerBlock(b, statement.consequent);
      if (statement.otherwise !== null) {
        b.otherwise();
        lowerBlock(b, statement.otherwise);
      }
      b.close();
      return;
    }
    case "while": {
      const done = b.open("block");
      const again = b.open("loop");
      b.statement(() => {
        const condition = evaluateInteger(statement.condition, b.module.layout);
        if (condition === null) {
          const isDone = b.opposite(lowerScalar(b, statement.condition));
          b.decide("while", statement.condition.span);
          b.branchIf(isDone, done);
        }
        if (condition === 0n) b.branch(done);
      });
      b.loops.push({ breakTo: done, continueTo: again, cleanups: b.cleanups.length });
      lowerBlock(b, statement.body);
      b.loops.pop();
      b.span = statement.span;
      b.branch(again);
      b.close();
      b.close();
      return;
    }
    case "for-range":
      lowerForRange(b, statement);
      return;
    case "for-each":
      lowerForEach(b, statement);
      return;
    case "match":
      lowerMatch(b, statement);
      return;
    case "return":
      lowerReturn(b, statement.value);
      return;
    case "break":
    case "continue": {
      const loop = b.loops[b.loops.length - 1];
      if (loop === undefined) throw new Error(`${statement.kind} outside of a loop`);
      popCleanups(b, loop.cleanups);
      b.branch(statement.kind === "break" ? loop.breakTo : loop.continueTo);
      return;
    }
    case "defer":
      b.span = statement.span;
      pushCleanup(b, b.closureAddress(statement.body), b.frameAddress(0));
      return;
    case "stub":
      lowerStub(b, statement);
      return;
    case "answer":
      b.span = statement.span;
      lowerAnswer(b, statement.answer);
      return;
    case "expect-call":
      lowerExpectedCalls(b, statement);
      return;
    case "user":
      b.span = statement.span;
      if (statement.run === null) throw new Error("a user block is reached where there is no user mode");
      b.call(b.module.functionOfDeclared(statement.run), [], [b.closureAddress(statement.body), b.frameAddress(0)]);
      return;
    case "check":
      lowerCheck(b, statement);
      return;
    case "expect-trap":
      lowerExpectTrap(b, statement);
      return;
    case "expect-log":
      lowerExpectLog(b, statement);
      return;
    case "word":
      if (statement.word === "warn") lowerWarning(b, statement);
      else lowerWord(b, statement);
      return;
    case "print":
      b.span = statement.span;
      b.callRuntime("console.lock", []);
      lowerText(b, statement.text);
      b.callRuntime("console.unlock", []);
      return;
    case "on-irq":
      lowerOnIrq(b, statement);
      return;
    case "asm":
      lowerAsm(b, statement);
      return;
    case "cpus":
      lowerCpus(b, statement);
      return;
  }
}

// ---- Variables ----

function lowerLet(b: FunctionBuilder, statement: HStmt & { kind: "let" }): void {
  const { local, value } = statement;
  // The value may name an outer variable of the same name: it is read before the new one has its place.
  const early = value !== null && !isAggregate(local.type) ? lowerExpr(b, value) : null;
  declareLocal(b, local);
  if (value !== null) noteSpace(b, local, value);
  const place = placeOfLocal(b, local);
  b.span = statement.span;
  if (early !== null) writePlace(b, local.type, place, early);
  else if (place.kind === "memory") {
    if (value !== null) lowerInto(b, value, place.base, place.offset);
    else fillZero(b, b.binary("add", "addr", place.base, b.constant("addr", BigInt(place.offset))), sizeOf(local.type, b.module.layout).size);
  } else {
    registersOf(local.type).forEach((type, i) => b.emit("const", { type, dst: [place.registers[i] ?? 0], imm: [0n] }));
  }
}

function lowerAssign(b: FunctionBuilder, target: HPlace, value: HExpr): void {
  if (isRegister(target)) {
    const register = lowerScalar(b, value);
    const at = lowerRegisterAddress(b, target);
    b.span = target.span;
    if (target.kind === "register-field") writeField(b, target, at, register);
    else writeRegister(b, at, register);
    return;
  }
  if (target.kind === "system-register") {
    const register = lowerScalar(b, value);
    b.span = target.span;
    writeSystemRegister(b, target, register);
    return;
  }
  const computed = lowerHeld(b, value, target);
  const place = lowerPlace(b, target);
  b.span = target.span;
  writePlace(b, target.type, place, computed);
}

function lowerUpdate(b: FunctionBuilder, statement: HStmt & { kind: "update" }): void {
  const { target, op } = statement;
  const { type } = target;
  if (isRegister(target)) {
    const value = lowerScalar(b, statement.value);
    const at = lowerRegisterAddress(b, target);
    b.span = statement.span;
    const whole = readRegister(b, at);
    const before = target.kind === "register-field" ? extractField(b, at.type, whole, target.field) : whole;
    const after = arithmetic(b, op, type, before, value);
    if (target.kind === "register-field") writeField(b, target, at, after, whole);
    else writeRegister(b, at, after);
    return;
  }
  if (target.kind === "system-register") {
    updateSystemRegister(b, statement, target);
    return;
  }
  const value = lowerScalar(b, statement.value);
  const place = lowerPlace(b, target);
  b.span = statement.span;
  const [before] = readPlace(b, type, place);
  b.span = statement.span;
  writePlace(b, type, place, [arithmetic(b, op, type, before ?? 0, value)]);
}

// ---- Loops ----

/** One round of a `for`: the body, out of which `continue` leads to `step`. */
function lowerRound(b: FunctionBuilder, { body, span }: { readonly body: HBlock; readonly span: Span }, done: number, step: () => void): void {
  const next = b.open("block");
  b.loops.push({ breakTo: done, continueTo: next, cleanups: b.cleanups.length });
  lowerBlock(b, body);
  b.loops.pop();
  b.close();
  b.span = span;
  b.statement(step);
}

function lowerForRange(b: FunctionBuilder, statement: HStmt & { kind: "for-range" }): void {
  const { local } = statement;
  const type = scalarOf(local.type);
  const suffix = isSigned(local.type) ? "s" : "u";
  const counter = b.keep(type);
  const end = b.keep(type);
  b.copy(type, counter, lowerScalar(b, statement.start));
  b.copy(type, end, lowerScalar(b, statement.end));
  declareLocal(b, local);
  b.span = statement.span;
  const done = b.open("block");
  const again = b.open("loop");
  b.statement(() => {
    const isDone = b.binary(statement.inclusive ? `lt_${suffix}` : `le_${suffix}`, type, end, counter);
    b.decide("for", statement.span);
    b.branchIf(isDone, done);
    writePlace(b, local.type, placeOfLocal(b, local), [counter]);
  });
  lowerRound(b, statement, done, () => {
    // The last value of an inclusive range may be the type's largest: test before it would wrap.
    if (statement.inclusive) b.branchIf(b.binary("eq", type, counter, end), done);
    b.copy(type, counter, b.binary("add", type, counter, b.constant(type, 1n)));
    b.branch(again);
  });
  b.close();
  b.close();
}

function lowerForEach(b: FunctionBuilder, statement: HStmt & { kind: "for-each" }): void {
  const { local, source, index } = statement;
  const { size } = sizeOf(local.type, b.module.layout);
  const at = b.keep("addr");
  const counter = b.keep("addr");
  const count = b.keep("addr");
  const { pointer, length } = lowerSequence(b, source);
  b.copy("addr", at, pointer);
  b.copy("addr", count, length);
  b.emit("const", { type: "addr", dst: [counter], imm: [0n] });
  declareLocal(b, local);
  if (index !== null) declareLocal(b, index);
  b.span = statement.span;
  const done = b.open("block");
  const again = b.open("loop");
  b.statement(() => {
    const isDone = b.binary("le_u", "addr", count, counter);
    b.decide("for", statement.span);
    b.branchIf(isDone, done);
    writePlace(b, local.type, placeOfLocal(b, local), loadFrom(b, local.type, at, 0));
    if (index !== null) writePlace(b, index.type, placeOfLocal(b, index), [counter]);
  });
  lowerRound(b, statement, done, () => {
    b.copy("addr", counter, b.binary("add", "addr", counter, b.constant("addr", 1n)));
    b.copy("addr", at, b.binary("add", "addr", at, b.constant("addr", BigInt(size))));
    b.branch(again);
  });
  b.close();
  b.close();
}

/**
 * A table is for so many single values and more, with no more holes than values: where machine code compares with each of its entries, it must
 * not take more than the arms would.
 */
const TABLE_VALUES = 4;
const MAX_TABLE = 256n;

/** The values from the smallest in an arm to the largest, if a table of them pays; the end is not among them. */
function tableOf(arms: readonly { readonly ranges: readonly MatchRange[] }[]): { readonly start: bigint; readonly end: bigint } | null {
  const ranges = arms.flatMap((arm) => arm.ranges);
  const [first] = ranges;
  if (first === undefined || ranges.length < TABLE_VALUES) return null;
  const start = ranges.reduce((low, range) => (range.low < low ? range.low : low), first.low);
  const last = ranges.reduce((high, range) => (range.high > high ? range.high : high), first.high);
  const entries = last - start + 1n;
  return entries <= BigInt(ranges.length) * 2n && entries <= MAX_TABLE ? { start, end: last + 1n } : null;
}

function lowerMatch(b: FunctionBuilder, statement: HStmt & { kind: "match" }): void {
  const { type } = statement.value;
  const scalar = scalarOf(type);
  const value = lowerScalar(b, statement.value);
  const done = b.open("block");
  const table = tableOf(statement.arms);
  if (table === null) {
    for (const arm of statement.arms) {
      b.open("if", lowerMatches(b, type, value, arm.ranges));
      lowerBlock(b, arm.body);
      b.branch(done);
      b.close();
    }
    if (statement.otherwise !== null) lowerBlock(b, statement.otherwise);
    b.close();
    return;
  }
  // An arm stands behind the end of its block: the table leads there.
  const otherwise = b.open("block");
  const blocks = statement.arms.map(() => b.open("block")).reverse();
  const entries = Array.from({ length: Number(table.end - table.start) }, (_, n) => {
    const at = table.start + BigInt(n);
    const arm = statement.arms.findIndex(({ ranges }) => ranges.some(({ low, high }) => low <= at && at <= high));
    return blocks[arm] ?? otherwise;
  });
  const offset = table.start === 0n ? value : b.binary("sub", scalar, value, b.constant(scalar, table.start));
  // What does not fit into 32 bits is beyond the table too.
  if (scalar === "i64" || scalar === "addr") b.branchIf(b.binary("le_u", scalar, b.constant(scalar, table.end - table.start), offset), otherwise);
  b.branchTable(b.convert(offset, scalar, "i32", false), entries, otherwise);
  for (const arm of statement.arms) {
    b.close();
    lowerBlock(b, arm.body);
    b.branch(done);
  }
  b.close();
  if (statement.otherwise !== null) lowerBlock(b, statement.otherwise);
  b.close();
}

/** Whether a value is in one of the ranges. */
function lowerMatches(b: FunctionBuilder, type: HExpr["type"], value: number, ranges: readonly MatchRange[]): number {
  const scalar = scalarOf(type);
  const suffix = isSigned(type) ? "s" : "u";
  const matches = ranges.map((range) => {
    const low = b.constant(scalar, range.low);
    if (range.low === range.high) return b.binary("eq", scalar, value, low);
    return b.binary("and", "i8", b.binary(`le_${suffix}`, scalar, low, value), b.binary(`le_${suffix}`, scalar, value, b.constant(scalar, range.high)));
  });
  return matches.reduce((chosen, each) => b.binary("or", "i8", chosen, each));
}

function lowerReturn(b: FunctionBuilder, value: HExpr | null): void {
  if (value === null) {
    popCleanups(b, 0);
    b.emit("return");
    return;
  }
  if (b.resultAddress !== null) {
    lowerInto(b, value, b.resultAddress, 0);
    popCleanups(b, 0);
    b.emit("return");
    return;
  }
  const registers = lowerExpr(b, value);
  popCleanups(b, 0);
  b.span = value.span;
  b.emit("return", { src: registers });
}

// ---- Blocks that run elsewhere ----

/** A node of the runtime's cleanup list: next, function, argument. */
function pushCleanup(b: FunctionBuilder, fn: number, argument: number): void {
  const word = b.module.layout.addressBytes;
  const node = b.frame(3 * word, word);
  b.callRuntime("runtime.push_cleanup", [b.frameAddress(node), fn, argument]);
  b.cleanups.push({ kind: "node", offset: node });
}

function lowerOnIrq(b: FunctionBuilder, statement: HStmt & { kind: "on-irq" }): void {
  const source = lowerScalar(b, statement.source);
  b.span = statement.span;
  const irqNode = b.module.runtime("irq.attach").type.params[0];
  const shape = irqNode?.kind === "pointer" ? sizeOf(irqNode.target, b.module.layout) : { size: 0, align: 1 };
  const node = b.frameAddress(b.frame(shape.size, shape.align));
  b.callRuntime("irq.attach", [node, source, b.closureAddress(statement.body), b.frameAddress(0)]);
  pushCleanup(b, b.functionAddress(b.module.functionOfDeclared(b.module.runtime("irq.detach"))), node);
}

function lowerCpus(b: FunctionBuilder, statement: HStmt & { kind: "cpus" }): void {
  for (const block of statement.blocks) {
    const cpu = lowerScalar(b, block.cpu);
    b.span = statement.span;
    b.callRuntime("cpu.launch", [cpu, b.closureAddress(block.body), b.frameAddress(0)]);
  }
  b.callRuntime("cpu.join", []);
}

/** Sets a variable to its first value, as code: fixture variables before every test. */
export function lowerInitial(b: FunctionBuilder, symbol: number, size: number, initial: number | null): void {
  const to = b.symbolAddress(symbol);
  if (initial === null) fillZero(b, to, size);
  else if (size > 0) b.emit("mem_copy", { src: [to, b.symbolAddress(initial), b.constant("addr", BigInt(size))] });
}

function updateSystemRegister(b: FunctionBuilder, statement: HStmt & { kind: "update" }, place: SystemRegister): void {
  const { op, value } = statement;
  const { set, clear } = place.registers.operations;
  b.span = statement.span;
  if (op === "|" && set !== undefined) {
    const mask = lowerScalar(b, value);
    b.span = statement.span;
    system(b, place, set(place.number), { src: mask });
  } else if (op === "&" && clear !== undefined) {
    const mask = lowerComplement(b, value);
    b.span = statement.span;
    system(b, place, clear(place.number), { src: mask });
  } else {
    const operand = lowerScalar(b, value);
    const after = arithmetic(b, op, place.type, readSystemRegister(b, place), operand);
    b.span = statement.span;
    writeSystemRegister(b, place, after);
  }
}

/** The bits that `&= value` clears. */
function lowerComplement(b: FunctionBuilder, value: HExpr): number {
  if (value.kind === "unary" && value.op === "~") return lowerScalar(b, value.operand);
  const known = value.kind === "const" ? asInteger(value.value) : null;
  return known === null ? b.unary("not", "i64", lowerScalar(b, value)) : b.constant("i64", BigInt.asUintN(64, ~known));
}

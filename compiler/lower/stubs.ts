// Stubs as code. In the image of a suite that stubs a function, that function's number is a short one which looks into the slot: a
// stub's code and environment, or nothing, and then the function itself is called. What a test's body stubs is taken back before the
// teardown; the slot keeps for that what stood before the body. Images of other suites have none of this.

import type { BytecodeFunction, ScalarType } from "../../isa/bytecode/module.ts";
import type { CallLog, FunctionBody, HFunction, HStmt, HSuite, StubPoint } from "../hir.ts";
import { isAggregate, registersOf, sizeOf, type StructType, type Type } from "../types.ts";
import { FunctionBuilder, type Value } from "./function-builder.ts";
import { scaled, storeTo } from "./guest-memory.ts";
import type { ModuleBuilder } from "./module-builder.ts";
import { placeOfLocal, readPlace } from "./places.ts";

/** The words of a slot. */
export const CODE = 0;
export const ENVIRONMENT = 1;
const IS_SAVED = 2;
const SAVED_CODE = 3;
const SAVED_ENVIRONMENT = 4;

export function loadWord(b: FunctionBuilder, base: number, word: number): number {
  const dst = b.temp("addr");
  b.emit("load", { type: "addr", dst: [dst], src: [base], imm: [word * b.module.layout.addressBytes] });
  return dst;
}

export function storeWord(b: FunctionBuilder, base: number, word: number, value: number): void {
  b.emit("store", { type: "addr", src: [base, value], imm: [word * b.module.layout.addressBytes] });
}

export const slotOf = (b: FunctionBuilder, { slot }: StubPoint): number => b.symbolAddress(b.module.symbolOf(slot));

/** `stub fn f(..) {..}`: the code comes last, as another CPU may look at any time. */
export function lowerStub(b: FunctionBuilder, { point, body, span }: HStmt & { kind: "stub" }): void {
  b.span = span;
  const slot = slotOf(b, point);
  storeWord(b, slot, ENVIRONMENT, b.frameAddress(0));
  storeWord(b, slot, CODE, b.closureAddress(body));
}

/** Puts the choices in the place of the functions that the suite stubs. */
export function stubFunctions(module: ModuleBuilder, suite: HSuite): void {
  for (const fn of suite.stubs) {
    const { body, stub } = fn;
    if (body === null || stub === undefined) throw new Error(`${fn.name} cannot be stubbed`);
    module.addStub(body, (real) => lowerChoice(module, fn, stub, real, suite.logged.has(fn)));
  }
}

function lowerChoice(module: ModuleBuilder, fn: HFunction, stub: StubPoint, real: number, isLogged: boolean): BytecodeFunction {
  const returnsAggregate = isAggregate(fn.type.result);
  const params: ScalarType[] = [...(returnsAggregate ? (["addr"] as const) : []), ...fn.type.params.flatMap((type) => registersOf(type))];
  const results = returnsAggregate ? [] : registersOf(fn.type.result);
  const b = new FunctionBuilder(module, `${fn.name}: stub or itself`, { params, results }, null, fn.span);
  const given = params.map((_, register) => register);
  const args = splitArguments(fn.type.params, returnsAggregate ? given.slice(1) : given);
  const fakeLog = fn.body?.log;
  if (fakeLog !== undefined) b.statement(() => lowerFakeCall(b, fakeLog, args));
  const slot = slotOf(b, stub);
  const code = loadWord(b, slot, CODE);
  b.open("if", b.binary("ne", "addr", code, b.constant("addr", 0n)));
  if (isLogged) b.statement(() => lowerRecord(b, b.symbolAddress(module.symbolOf(stub.log)), stub.record, args));
  const dst = results.map((type) => b.temp(type));
  b.emit("call_indirect", { dst, src: [code, loadWord(b, slot, ENVIRONMENT), ...given], imm: [module.signature({ params: ["addr", ...params], results })] });
  b.emit("return", { src: dst });
  b.close();
  b.emit("return", { src: b.call(real, results, given) });
  return b.finish();
}

/** Adds to a log: its address, and the arguments, by their types, as they are now. What a slice refers to may have changed when somebody looks. */
function lowerRecord(b: FunctionBuilder, log: number, record: StructType, args: readonly Value[]): void {
  const { layout } = b.module;
  const [at = 0] = b.callRuntime("call_log.append", [log, b.constant("addr", BigInt(record.size))], ["addr"]);
  record.fields.slice(1).forEach(({ type, offset }, i) => {
    const value = args[i] ?? [];
    const [start = 0, length = 0] = value;
    const kept =
      type.kind === "slice" ? [b.callRuntime("call_log.keep", [start, scaled(b, length, sizeOf(type.element, layout).size)], ["addr"])[0] ?? 0, length] : value;
    storeTo(b, type, at, offset, kept);
  });
}

/** The registers of each argument. */
export function splitArguments(types: readonly Type[], registers: readonly number[]): readonly Value[] {
  let next = 0;
  return types.map((type) => registersOf(type).map(() => registers[next++] ?? 0));
}

/** A fake's method begins with a line in the log of all calls and one in its own. */
export function lowerCallLog(b: FunctionBuilder, body: FunctionBody): void {
  const { log, params } = body;
  // Stubbed, the choice in its place has logged the call already.
  if (log === undefined || b.module.isStubbed(body)) return;
  b.statement(() =>
    lowerFakeCall(
      b,
      log,
      params.map((local) => readPlace(b, local.type, placeOfLocal(b, local))),
    ),
  );
}

function lowerFakeCall(b: FunctionBuilder, log: CallLog, [self, ...args]: readonly Value[]): void {
  const at = (offset: number): number => b.binary("add", "addr", self?.[0] ?? 0, b.constant("addr", BigInt(offset)));
  const name = b.module.bytesSymbol(new TextEncoder().encode(log.method));
  lowerRecord(b, at(log.allOffset), log.allRecord, [[b.symbolAddress(name), b.constant("addr", BigInt(log.method.length))]]);
  lowerRecord(b, at(log.offset), log.record, args);
}

function forSlots(b: FunctionBuilder, suite: HSuite, emit: (slot: number) => void): void {
  for (const { stub } of suite.stubs) if (stub !== undefined) b.statement(() => emit(slotOf(b, stub)));
}

/** Before a test's body. */
export function keepStubs(b: FunctionBuilder, suite: HSuite): void {
  forSlots(b, suite, (slot) => {
    storeWord(b, slot, SAVED_CODE, loadWord(b, slot, CODE));
    storeWord(b, slot, SAVED_ENVIRONMENT, loadWord(b, slot, ENVIRONMENT));
    storeWord(b, slot, IS_SAVED, b.constant("addr", 1n));
  });
}

/** After it, however it ended. When the set-up failed it has not run, and what the set-up has stubbed stays. */
export function endStubs(b: FunctionBuilder, suite: HSuite): void {
  forSlots(b, suite, (slot) => {
    b.open("if", b.binary("ne", "addr", loadWord(b, slot, IS_SAVED), b.constant("addr", 0n)));
    storeWord(b, slot, CODE, loadWord(b, slot, SAVED_CODE));
    storeWord(b, slot, ENVIRONMENT, loadWord(b, slot, SAVED_ENVIRONMENT));
    storeWord(b, slot, IS_SAVED, b.constant("addr", 0n));
    b.close();
  });
}

/** Before everything: the sequence of logged calls begins anew. */
export function resetSequence(b: FunctionBuilder, suite: HSuite): void {
  if (suite.hasLogs) b.statement(() => b.callRuntime("call_log.reset", []));
}

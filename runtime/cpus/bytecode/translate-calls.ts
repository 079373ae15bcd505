// Calls: as calls of wasm functions, by a table, or with the callee's body in the place of the call (translate-inlining.ts decides). Each checks the stack
// first, as the bytecode wants it, and counts itself. What is known of arguments and results goes along, but for places in frames: each function
// has one of its own.

import type { BytecodeFunction, Instruction } from "../../../isa/bytecode/module.ts";
import { numberImmediate } from "./translate-arithmetic.ts";
import type { Emit } from "./translate-arithmetic.ts";
import { LIMIT_GLOBAL, close, getRegister, instructionPc, localOf, openIf, pushFuel, pushSp, raiseTrap, setRegister, valueType } from "./translate-context.ts";
import type { FunctionWriter, ReturnPoint } from "./translate-context.ts";
import { forgetRegister, formOf, learn, rangeOf } from "./translate-facts.ts";
import type { Range } from "./translate-facts.ts";
import type { InlinedCall } from "./translate-inlining.ts";
import { takeResults } from "./translate-cpu.ts";
import { openRegion } from "./translate-regions.ts";
import { createWriter, pollAtEntry } from "./translate-writer.ts";
import { I64, OP, VOID } from "../wasm/encoder.ts";
import { callBytes } from "./wasm-state.ts";

/** Pushes whether the stack has not this many bytes left. The limit never changes while a wasm function is active. */
function pushOverflow(f: FunctionWriter, bytes: number): void {
  const { w } = f;
  if (f.room !== null) {
    w.localGet(f.room);
    w.withConst(f.below + bytes, OP.i32_lt_s);
    return;
  }
  pushSp(f);
  w.op(OP.global_get, LIMIT_GLOBAL);
  w.i32Const(bytes);
  w.byte(OP.i32_add);
  w.byte(OP.i32_lt_u);
}

/** A call, in place where the plan says so; `translateBody` writes the callee then. */
export const callWith =
  (translateBody: (f: FunctionWriter) => void): Emit =>
  (f, i) => {
    const w = f.w;
    const callee = numberImmediate(f, i, 0);
    const target = f.context.module.functions[callee];
    if (target === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no function ${callee}`);
    pushOverflow(f, callBytes(target.frameSize));
    openIf(f, VOID, false);
    raiseTrap(f, "stack_overflow");
    close(f);
    f.pending += 1;
    const inlined = f.inlined.get(f.at);
    if (inlined !== undefined) {
      callInPlace(f, i, target, inlined, translateBody);
      return;
    }
    pushSp(f);
    pushFuel(f);
    for (const register of i.src) getRegister(f, register);
    w.call(f.context.firstFunction + callee);
    takeResults(f, i);
  };

/** A range as another function knows it: it has a frame of its own. */
export function outside(range: Range | undefined): Range | undefined {
  return range?.base === "frame" ? undefined : range;
}

/** Executes the callee's body here, on registers of its own. The stack has been checked, the call been counted. */
function callInPlace(
  f: FunctionWriter,
  i: Instruction,
  fn: BytecodeFunction,
  { callee, firstLocal, zeroed, calls }: InlinedCall,
  translateBody: (f: FunctionWriter) => void,
): void {
  const { w } = f;
  const returns: ReturnPoint = {
    caller: f,
    results: i.dst.map((register) => localOf(f, register)),
    level: openRegion(f, OP.block),
    pending: f.pending,
    branched: false,
    returned: false,
    ranges: [],
  };
  const g = createWriter({ ...f, fn, index: callee, firstRegister: firstLocal, below: f.below + callBytes(fn.frameSize), inlined: calls, returns });
  i.src.forEach((register, n) => {
    getRegister(f, register);
    setRegister(g, n);
    learn(g, n, { range: outside(rangeOf(f, register)), form: formOf(f, register) });
  });
  for (const register of zeroed) {
    if (valueType(f.context, fn.registers[register] ?? "i32") === I64) w.i64Const(0);
    else w.i32Const(0);
    setRegister(g, register);
  }
  pollAtEntry(g);
  translateBody(g);
  while (g.depth > returns.level) {
    f.loops.state = undefined;
    close(g);
  }
  close(f);
  f.pending = returns.branched ? returns.pending : g.pending;
  if (!returns.returned) {
    w.byte(OP.unreachable);
    f.dead = true;
  }
  i.dst.forEach((register, n) => {
    forgetRegister(f, register);
    learn(f, register, { range: outside(returns.ranges[n]) });
  });
}

export const callIndirect: Emit = (f, i) => {
  const w = f.w;
  const signature = f.context.signatures.ofEntry[numberImmediate(f, i, 0)];
  if (signature === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no such signature`);
  pushSp(f);
  pushFuel(f);
  getRegister(f, i.src[0]);
  w.i32Const(instructionPc(f));
  w.i32Const(signature);
  w.call(f.context.support("target"));
  w.localSet(f.temp32);
  f.pending += 1;
  pushSp(f);
  pushFuel(f);
  for (const register of i.src.slice(1)) getRegister(f, register);
  w.localGet(f.temp32);
  w.byte(OP.call_indirect);
  w.u32(f.context.typeOf(signature));
  w.u32(0);
  takeResults(f, i);
};

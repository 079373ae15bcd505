// What guest code asks of its CPU: guards, traps, interrupts, waiting, time, other CPUs. Most of it is the executor's business and a call of one
// of its imports, by a support function where 64-bit values or the fuel go along.

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Instruction } from "../../../isa/bytecode/module.ts";
import { numberImmediate } from "./translate-arithmetic.ts";
import type { Emit } from "./translate-arithmetic.ts";
import { getRegister, instructionPc, pushFuel, pushSp, setRegister, takeFuel, trapNumber } from "./translate-context.ts";
import type { FunctionWriter } from "./translate-context.ts";
import { OP } from "../wasm/encoder.ts";
import { importIndex } from "./wasm-state.ts";
import type { ImportName } from "./wasm-state.ts";

/** Takes what a call of a function or of its support left on the stack: results, and the fuel, in which all before is counted. */
export function takeResults(f: FunctionWriter, i: Instruction): void {
  f.pending = 0;
  takeFuel(f);
  for (let n = i.dst.length - 1; n >= 0; n--) setRegister(f, i.dst[n]);
}

/** Support functions that take `sp, fuel, operands, pc` and return their results and the fuel, own cost included. */
function callSupport(name: string): Emit {
  return (f, i) => {
    f.pending += 1;
    pushSp(f);
    pushFuel(f);
    for (const register of i.src) getRegister(f, register);
    f.w.i32Const(instructionPc(f));
    f.w.call(f.context.support(name));
    takeResults(f, i);
  };
}

const unwind: Emit = (f, i) => {
  pushSp(f);
  pushFuel(f);
  getRegister(f, i.src[0]);
  f.w.i32Const(instructionPc(f));
  f.w.call(f.context.support("unwind"));
  f.w.byte(OP.unreachable);
  f.dead = true;
};

const trap: Emit = (f, i) => {
  const number = numberImmediate(f, i, 0);
  if (TRAP_CLASSES[number] === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no such trap class`);
  pushSp(f);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(number);
  getRegister(f, i.src[0]);
  f.w.call(f.context.support("trap_value"));
  f.w.byte(OP.unreachable);
  f.dead = true;
};

function illegalInstruction(f: FunctionWriter, value: number): void {
  pushSp(f);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(trapNumber("illegal_instruction"));
  f.w.i64Const(value);
  f.w.call(f.context.support("trap_value"));
  f.w.byte(OP.unreachable);
  f.dead = true;
}

/** No target's own instructions run here; the number is the trap's value. */
const system: Emit = (f, i) => illegalInstruction(f, numberImmediate(f, i, 1));
const assembly: Emit = (f) => illegalInstruction(f, 0);

/** CPU instructions that neither look at the time nor change when the next poll is due. */
function callImport(name: ImportName): Emit {
  return (f, i) => {
    for (const register of i.src) getRegister(f, register);
    f.w.call(importIndex(name));
    setRegister(f, i.dst[0]);
  };
}

const interruptMask: Emit = (f, i) => {
  pushFuel(f);
  getRegister(f, i.src[0]);
  f.w.call(f.context.support("irq_mask"));
  takeFuel(f);
  setRegister(f, i.dst[0]);
};

const time: Emit = (f, i) => {
  pushFuel(f);
  f.w.call(f.context.support("time"));
  setRegister(f, i.dst[0]);
};

const trapInformation: Emit = (f, i) => {
  f.w.i32Const(numberImmediate(f, i, 0));
  f.w.call(f.context.support("trap_info"));
  setRegister(f, i.dst[0]);
};

function constantResult(value: (f: FunctionWriter) => number): Emit {
  return (f, i) => {
    f.w.i32Const(value(f));
    setRegister(f, i.dst[0]);
  };
}

/** Instructions that leave for the executor's JavaScript, with the exact count. */
export const CONTROL: { readonly [op: string]: Emit } = {
  guard: callSupport("guard"),
  unwind,
  trap,
  irq_enable: callSupport("irq_enable"),
  wait: callSupport("wait"),
  relax: callSupport("relax"),
  doze: callSupport("doze"),
  sys: system,
  asm: assembly,
};

export const CPU: { readonly [op: string]: Emit } = {
  fence: () => undefined,
  cpu_id: constantResult(() => 0),
  cpu_count: constantResult((f) => f.context.options.cpuCount),
  // The function and its argument matter only to a machine that has the CPU, and such a machine is not translated.
  cpu_start: (f, i) => {
    getRegister(f, i.src[0]);
    f.w.call(importIndex("cpu_start"));
    setRegister(f, i.dst[0]);
  },
  cpu_state: callImport("cpu_state"),
  irq_disable: callImport("irq_disable"),
  irq_pending: callImport("irq_pending"),
  irq_mask: interruptMask,
  time,
  trap_info: trapInformation,
};

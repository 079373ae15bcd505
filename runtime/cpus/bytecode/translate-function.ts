// One guest function as one wasm function: structure, calls, traps, CPU instructions and the fuel that all of them account for.
// A loop becomes four nested regions, so that the call at its poll point stands in an outer loop that is entered only when there is
// something to do: V8 then keeps the inner loop free of calls and of the spills that they cause.
//
//   block exit / loop again / block poll / loop body ... end / br exit / end / <call poll> / br again / end / end

import type { Instruction } from "../../../isa/bytecode/module.ts";
import { codeAddress } from "../../../isa/bytecode/module.ts";
import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import { ARITHMETIC, numberImmediate } from "./translate-arithmetic.ts";
import type { Emit } from "./translate-arithmetic.ts";
import {
  FUEL_LOCAL,
  LIMIT_GLOBAL,
  SP_LOCAL,
  close,
  getRegister,
  instructionPc,
  openElse,
  openIf,
  pushFuel,
  raiseTrap,
  setRegister,
  spendFuel,
  takeFuel,
  trapNumber,
  valueType,
} from "./translate-context.ts";
import type { FunctionWriter, Label, TranslationContext } from "./translate-context.ts";
import { assume, decided, deduce, factOf, forgetSince, forgetWritten, learn } from "./translate-facts.ts";
import { MEMORY } from "./translate-memory.ts";
import { I32, I64, OP, VOID, writeLocals } from "../wasm/encoder.ts";
import type { BranchHint, ByteWriter } from "../wasm/encoder.ts";
import { callBytes, importIndex } from "./wasm-state.ts";
import type { ImportName } from "./wasm-state.ts";

function openRegion(f: FunctionWriter, op: typeof OP.block | typeof OP.loop): number {
  f.w.byte(op);
  f.w.byte(VOID);
  f.depth += 1;
  return f.depth;
}

function pushLabel(f: FunctionWriter, label: Pick<Label, "kind" | "level"> & Partial<Label>): void {
  f.labels.push({
    pollLevel: 0,
    exitLevel: 0,
    pending: f.pending,
    at: f.at,
    learnt: f.learnt.length,
    condition: undefined,
    decided: undefined,
    branched: false,
    hasElse: false,
    ...label,
  });
}

function branchTo(f: FunctionWriter, level: number): void {
  f.w.op(OP.br, f.depth - level);
}

function labelAt(f: FunctionWriter, depth: number): Label {
  const label = f.labels[f.labels.length - 1 - depth];
  if (label === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no label at depth ${depth}`);
  return label;
}

/** Everything a branch does once it is taken. Its own cost is in `pending`. */
function leaveTo(f: FunctionWriter, label: Label): void {
  label.branched = true;
  if (label.kind !== "loop") {
    spendFuel(f, label.pending);
    branchTo(f, label.level);
    return;
  }
  const w = f.w;
  w.localGet(FUEL_LOCAL);
  w.withConst(f.pending, OP.i32_sub);
  w.localTee(FUEL_LOCAL);
  w.withConst(0, OP.i32_ge_s);
  f.hints.push({ offset: w.length - f.bodyStart, likely: true });
  w.op(OP.br_if, f.depth - label.level);
  branchTo(f, label.pollLevel);
}

const block: Emit = (f) => {
  // A loop spends what is pending before it starts; doing so here keeps the branches out of it from adding it back.
  if (f.fn.body[f.at + 1]?.op === "loop") {
    spendFuel(f, 0);
    f.pending = 0;
  }
  pushLabel(f, { kind: "block", level: openRegion(f, OP.block) });
};

const loop: Emit = (f) => {
  spendFuel(f, 0);
  f.pending = 0;
  if (f.branchedLoops[f.at] !== 1) {
    pushLabel(f, { kind: "block", level: openRegion(f, OP.block) });
    return;
  }
  forgetWritten(f, f.at);
  const exitLevel = openRegion(f, OP.block);
  openRegion(f, OP.loop);
  const pollLevel = openRegion(f, OP.block);
  pushLabel(f, { kind: "loop", level: openRegion(f, OP.loop), pollLevel, exitLevel });
};

const conditional: Emit = (f, i) => {
  f.pending += 1;
  const known = decided(f, i.src[0]);
  const condition = factOf(f, i.src[0])?.comparison;
  if (known === undefined) {
    getRegister(f, i.src[0]);
    openIf(f, VOID);
    pushLabel(f, { kind: "if", level: f.depth, condition });
    assume(f, condition, true);
    return;
  }
  // One part is never run: the other one is a block.
  pushLabel(f, { kind: "if", level: openRegion(f, OP.block), decided: known });
  f.dead = !known;
};

const otherwise: Emit = (f) => {
  const label = labelAt(f, 0);
  label.hasElse = true;
  if (!f.dead) spendFuel(f, label.pending);
  if (label.decided === undefined) openElse(f);
  f.pending = label.pending;
  f.dead = label.decided === true;
  forgetSince(f, label.learnt);
  assume(f, label.condition, false);
};

const end: Emit = (f) => {
  const label = f.labels.pop();
  if (label === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: end without a region`);
  if (label.kind === "loop") {
    close(f);
    if (!f.dead) branchTo(f, label.exitLevel);
    else f.w.byte(OP.unreachable);
    close(f);
    f.w.localGet(SP_LOCAL);
    f.w.localGet(FUEL_LOCAL);
    f.w.i32Const(codeAddress(f.index, label.at));
    f.w.call(f.context.support("poll"));
    f.w.localSet(FUEL_LOCAL);
    // The loop called `again` is one level inside `exit`.
    branchTo(f, label.exitLevel + 1);
    close(f);
    close(f);
    // Nothing branches behind a loop: what is pending goes on, and so does the lack of a path.
    if (f.dead) f.w.byte(OP.unreachable);
    forgetSince(f, label.learnt);
    return;
  }
  if (!f.dead) spendFuel(f, label.pending);
  close(f);
  f.pending = label.pending;
  forgetSince(f, label.learnt);
  // Behind a then-part that never gets to its end, the condition does not hold.
  if (f.dead && !label.hasElse && !label.branched) assume(f, label.condition, false);
  f.dead = false;
};

const branch: Emit = (f, i) => {
  f.pending += 1;
  leaveTo(f, labelAt(f, numberImmediate(f, i, 0)));
  f.dead = true;
};

const branchIf: Emit = (f, i) => {
  f.pending += 1;
  const label = labelAt(f, numberImmediate(f, i, 0));
  const known = decided(f, i.src[0]);
  if (known === undefined) {
    getRegister(f, i.src[0]);
    if (label.kind !== "loop" && label.pending === f.pending) {
      label.branched = true;
      f.w.op(OP.br_if, f.depth - label.level);
    } else {
      openIf(f, VOID);
      leaveTo(f, label);
      close(f);
    }
    assume(f, factOf(f, i.src[0])?.comparison, false);
  } else if (known) {
    leaveTo(f, label);
    f.dead = true;
  }
};

const branchTable: Emit = (f, i) => {
  f.pending += 1;
  const w = f.w;
  const depths = i.imm.map(Number);
  const targets = [...new Set(depths)];
  const labels = targets.map((depth) => labelAt(f, depth));
  // One landing block per target, in which its fuel is settled and its poll made.
  for (let n = 0; n < targets.length; n++) openRegion(f, OP.block);
  getRegister(f, i.src[0]);
  w.byte(OP.br_table);
  w.u32(depths.length - 1);
  for (const depth of depths) w.u32(targets.indexOf(depth));
  for (const label of labels) {
    close(f);
    leaveTo(f, label);
  }
  f.dead = true;
};

const leave: Emit = (f, i) => {
  f.pending += 1;
  for (const register of i.src) getRegister(f, register);
  pushFuel(f);
  f.w.byte(OP.return);
  f.dead = true;
};

function takeResults(f: FunctionWriter, i: Instruction): void {
  f.pending = 0;
  takeFuel(f);
  for (let n = i.dst.length - 1; n >= 0; n--) setRegister(f, i.dst[n]);
}

const call: Emit = (f, i) => {
  const w = f.w;
  const callee = numberImmediate(f, i, 0);
  const target = f.context.module.functions[callee];
  if (target === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no function ${callee}`);
  w.localGet(SP_LOCAL);
  w.op(OP.global_get, LIMIT_GLOBAL);
  w.i32Const(callBytes(target.frameSize));
  w.byte(OP.i32_add);
  w.byte(OP.i32_lt_u);
  openIf(f, VOID, false);
  raiseTrap(f, "stack_overflow");
  close(f);
  f.pending += 1;
  w.localGet(SP_LOCAL);
  pushFuel(f);
  for (const register of i.src) getRegister(f, register);
  w.call(f.context.firstFunction + callee);
  takeResults(f, i);
};

const callIndirect: Emit = (f, i) => {
  const w = f.w;
  const signature = f.context.signatures.ofEntry[numberImmediate(f, i, 0)];
  if (signature === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no such signature`);
  w.localGet(SP_LOCAL);
  pushFuel(f);
  getRegister(f, i.src[0]);
  w.i32Const(instructionPc(f));
  w.i32Const(signature);
  w.call(f.context.support("target"));
  w.localSet(f.temp32);
  f.pending += 1;
  w.localGet(SP_LOCAL);
  pushFuel(f);
  for (const register of i.src.slice(1)) getRegister(f, register);
  w.localGet(f.temp32);
  w.byte(OP.call_indirect);
  w.u32(f.context.typeOf(signature));
  w.u32(0);
  takeResults(f, i);
};

/** Support functions that take `sp, fuel, operands, pc` and return their results and the fuel, own cost included. */
function callSupport(name: string): Emit {
  return (f, i) => {
    f.pending += 1;
    f.w.localGet(SP_LOCAL);
    pushFuel(f);
    for (const register of i.src) getRegister(f, register);
    f.w.i32Const(instructionPc(f));
    f.w.call(f.context.support(name));
    takeResults(f, i);
  };
}

const unwind: Emit = (f, i) => {
  f.w.localGet(SP_LOCAL);
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
  f.w.localGet(SP_LOCAL);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(number);
  getRegister(f, i.src[0]);
  f.w.call(f.context.support("trap_value"));
  f.w.byte(OP.unreachable);
  f.dead = true;
};

function illegalInstruction(f: FunctionWriter, value: number): void {
  f.w.localGet(SP_LOCAL);
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

/** Instructions that keep their own count; all others are counted once after they have been written. */
const STRUCTURE: { readonly [op: string]: Emit } = {
  block,
  loop,
  if: conditional,
  else: otherwise,
  end,
  br: branch,
  br_if: branchIf,
  br_table: branchTable,
  return: leave,
  call,
  call_indirect: callIndirect,
  guard: callSupport("guard"),
  unwind,
  trap,
  irq_enable: callSupport("irq_enable"),
  wait: callSupport("wait"),
  relax: callSupport("relax"),
  sys: system,
  asm: assembly,
};

const CPU: { readonly [op: string]: Emit } = {
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

const structure = new Map(Object.entries(STRUCTURE));
const counted = new Map(Object.entries({ ...ARITHMETIC, ...MEMORY, ...CPU }));

/** Every instruction that the translation knows; the conformance test compares it with the instruction table. */
export const TRANSLATED_INSTRUCTIONS: readonly string[] = [...structure.keys(), ...counted.keys()];

/** Finds the loops that some branch goes to. */
function survey(f: FunctionWriter): void {
  const open: number[] = [];
  const { body } = f.fn;
  for (let at = 0; at < body.length; at++) {
    const instruction = body[at];
    if (instruction === undefined) continue;
    switch (instruction.op) {
      case "block":
      case "loop":
      case "if":
        open.push(at);
        break;
      case "end":
        open.pop();
        break;
      case "br":
      case "br_if":
      case "br_table":
        for (const depth of instruction.imm) {
          const target = open[open.length - 1 - Number(depth)];
          if (target !== undefined && body[target]?.op === "loop") f.branchedLoops[target] = 1;
        }
        break;
    }
  }
}

function translateInstruction(f: FunctionWriter, instruction: Instruction): void {
  const { op } = instruction;
  if (f.dead) {
    // Only the region's own end or else can bring a path back.
    if (op === "block" || op === "loop" || op === "if") f.skipped += 1;
    else if (op === "end" && f.skipped > 0) f.skipped -= 1;
    else if ((op === "end" || op === "else") && f.skipped === 0) structure.get(op)?.(f, instruction);
    return;
  }
  const structural = structure.get(op);
  if (structural !== undefined) {
    structural(f, instruction);
    return;
  }
  const emit = counted.get(op);
  if (emit === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no translation of ${op}`);
  const fact = deduce(f, instruction);
  emit(f, instruction);
  learn(f, instruction.dst[0], fact);
  f.pending += 1;
}

/** Writes the body of guest function `index`, size included; tells what V8 should know of it. */
export function translateFunction(
  context: TranslationContext,
  w: ByteWriter,
  index: number,
): { readonly hints: readonly BranchHint[]; readonly hasLoops: boolean } {
  const fn = context.module.functions[index];
  if (fn === undefined) throw new Error(`no function ${index}`);
  const { registers, signature, body } = fn;
  const firstTemporary = registers.length + 2;
  const f: FunctionWriter = {
    context,
    w,
    fn,
    index,
    bodyStart: w.openSize(),
    hints: [],
    at: 0,
    pending: 0,
    depth: 0,
    labels: [],
    dead: false,
    skipped: 0,
    branchedLoops: new Uint8Array(body.length),
    facts: [],
    versions: [],
    learnt: [],
    temp32: firstTemporary,
    temp32b: firstTemporary + 1,
    temp64: firstTemporary + 2,
  };
  survey(f);
  writeLocals(w, [...registers.slice(signature.params.length).map((type) => valueType(context, type)), I32, I32, I64]);

  w.localGet(SP_LOCAL);
  w.i32Const(callBytes(fn.frameSize));
  w.byte(OP.i32_sub);
  w.localSet(SP_LOCAL);
  w.localGet(FUEL_LOCAL);
  w.i32Const(0);
  w.byte(OP.i32_lt_s);
  openIf(f, VOID, false);
  w.localGet(SP_LOCAL);
  w.localGet(FUEL_LOCAL);
  w.i32Const(codeAddress(index, 0));
  w.call(context.support("poll"));
  w.localSet(FUEL_LOCAL);
  close(f);

  for (let at = 0; at < body.length; at++) {
    const instruction = body[at];
    if (instruction === undefined) continue;
    f.at = at;
    translateInstruction(f, instruction);
  }
  if (!f.dead && signature.results.length === 0) pushFuel(f);
  else w.byte(OP.unreachable);
  w.byte(OP.end);
  w.closeSize(f.bodyStart);
  return { hints: f.hints, hasLoops: f.branchedLoops.includes(1) };
}

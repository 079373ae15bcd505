// The instructions of one guest function, in order: its structure as regions of wasm, everything else by the tables of arithmetic, memory and CPU, and
// the fuel that all account for. Where a path is worth code of its own (translate-paths.ts) the writer follows it to its end and comes back.
// A loop becomes four nested regions, so that the call at its poll point stands in an outer loop that is entered only when there is
// something to do: V8 then keeps the inner loop free of calls and of the spills that they cause.
//
//   block exit / loop again / block poll / loop body ... end / br exit / end / <call poll> / br again / end / end

import { codeAddress } from "../../../isa/bytecode/module.ts";
import type { Instruction } from "../../../isa/bytecode/module.ts";
import { ARITHMETIC, numberImmediate } from "./translate-arithmetic.ts";
import type { Emit } from "./translate-arithmetic.ts";
import { callIndirect, callWith, outside } from "./translate-calls.ts";
import { FUEL_LOCAL, close, getRegister, localOf, openElse, openIf, pushFuel, pushSp, spendFuel } from "./translate-context.ts";
import type { FunctionWriter, Label, ReturnPoint } from "./translate-context.ts";
import {
  assume,
  decided,
  deduce,
  distanceOf,
  exactly,
  factOf,
  forgetRegister,
  forgetSince,
  forgetWritten,
  formOf,
  learn,
  learnPairs,
  rangeOf,
  startsOf,
  stepOf,
  union,
} from "./translate-facts.ts";
import { closeLoop, isMachine, noteDispatch, noteTable, openLoop, writePointers, writeSteps } from "./translate-loops.ts";
import { CONTROL, CPU } from "./translate-cpu.ts";
import { MEMORY } from "./translate-memory.ts";
import { branchTo, labelAt, leaveTo, openRegion, pushLabel, spendPending, writeAside } from "./translate-regions.ts";
import { dispatchOf, endOfRegion, followsPaths, landingOf, takePath, takeRound } from "./translate-paths.ts";
import { writeRounds } from "./translate-rounds.ts";
import { OP, VOID } from "../wasm/encoder.ts";

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
  const opened = openLoop(f.loops, f.at, startsOf(f));
  for (const pair of opened.pairs) f.distances.set(pair, distanceOf(f, pair));
  forgetWritten(f, f.at);
  writePointers(f.w, opened);
  learnPairs(f, opened);
  const exitLevel = openRegion(f, OP.block);
  openRegion(f, OP.loop);
  writeRounds(f, opened, translateInstruction);
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
  if (!f.dead && label.decided === undefined && followsPaths(f)) followPath(f, endOfRegion(f, f.at + 1) + 1);
  label.isDeadBefore = f.dead;
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
    closeLoop(f.loops);
    close(f);
    if (!f.dead) branchTo(f, label.exitLevel);
    else f.w.byte(OP.unreachable);
    close(f);
    pushSp(f);
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
  if (label.kind === "if" && label.decided === undefined && !label.hasElse && !f.dead && followsPaths(f)) {
    f.labels.push(label);
    followPath(f, f.at + 1);
    f.labels.pop();
  }
  // Where other paths end here too, all that is left is what they agree on.
  const isOnly = !label.branched && !f.dead && (label.kind === "block" || label.isDeadBefore);
  if (!isOnly) {
    if (!f.dead) spendFuel(f, label.pending);
    f.pending = label.pending;
    forgetSince(f, label.learnt);
  }
  closeStates(f, label);
  close(f);
  if (f.loops.dispatch?.ahead.delete(label) === true && label.branched) openState(f, label);
  // Behind a then-part that never gets to its end, the condition does not hold.
  if (f.dead && !label.hasElse && !label.branched) assume(f, label.condition, false);
  f.dead &&= !label.branched && (label.kind === "block" || (label.hasElse && label.isDeadBefore));
};

const branch: Emit = (f, i) => {
  f.pending += 1;
  const depth = numberImmediate(f, i, 0);
  const label = labelAt(f, depth);
  if (label.kind === "loop") {
    if (label.at === f.loops.open?.at && takeRound(f)) startRoundAlone(f, label);
    else leaveTo(f, label);
  } else if (!followsPaths(f)) leaveTo(f, label);
  else {
    let target = f.at;
    for (let n = 0; n <= depth; n++) target = endOfRegion(f, target + 1);
    const around = f.labels.slice(0, f.labels.length - 1 - depth);
    if (takePath(f, target + 1, around)) goOn(f, target + 1, around);
    else leaveTo(f, label);
  }
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
  f.dead = true;
  const { loops } = f;
  const isTable = loops.dispatch?.writer === f.inlined && loops.dispatch.at === f.at;
  const landing = loops.isEntering && isTable ? landingOf(f, exactly(f, i.src[0])) : undefined;
  if (landing !== undefined) {
    spendFuel(f, landing.pending);
    branchTo(f, landing.level);
    return;
  }
  const register = noteTable(loops, formOf(f, i.src[0]));
  if (register !== undefined && loops.isPlanned) {
    const all = depths.map((depth) => labelAt(f, depth));
    noteDispatch(loops, dispatchOf(f, register, all));
  }
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
};

/**
 * The code of a state follows. Paths of its own that come back to it branch here; they too have executed what stands between the loop's start
 * and the table, and all that is known here is from there.
 */
function openState(f: FunctionWriter, behind: Label): void {
  const { loops } = f;
  const around = f.labels.at(-1);
  if (loops.open === undefined || !isMachine(loops.open) || (around !== undefined && around.kind !== "block")) return;
  loops.state = { behind, landing: { level: openRegion(f, OP.loop), pending: behind.pending } };
  if (around !== undefined) around.states += 1;
}

/** Where a region ends, so do the states that were begun in it. */
function closeStates(f: FunctionWriter, label: Label): void {
  for (; label.states > 0; label.states--) {
    f.loops.state = undefined;
    close(f);
  }
}

/**
 * Branches to a loop's start on a path that leads to the state that it comes from, or to one whose code is still to come: what stands before the
 * table is written once more.
 */
function startRoundAlone(f: FunctionWriter, label: Label): void {
  const { loops } = f;
  label.branched = true;
  spendPending(f, OP.i32_lt_s, label.pollLevel);
  f.pending = 0;
  loops.isEntering = true;
  if (loops.open !== undefined) learnPairs(f, loops.open);
  goOn(f, label.at + 1, f.labels.slice(0, f.labels.indexOf(label) + 1));
  loops.isEntering = false;
}

const leave: Emit = (f, i) => {
  const { returns } = f;
  if (returns !== null && takePath(f, f.at, f.labels)) {
    returnAlone(f, i, returns);
    return;
  }
  f.pending += 1;
  f.dead = true;
  for (const register of i.src) getRegister(f, register);
  if (returns === null) {
    pushFuel(f);
    f.w.byte(OP.return);
    return;
  }
  for (let n = i.src.length - 1; n >= 0; n--) f.w.localSet(returns.results[n] ?? 0);
  i.src.forEach((register, n) => (returns.ranges[n] = returns.returned ? union(returns.ranges[n], rangeOf(f, register)) : rangeOf(f, register)));
  returns.returned = true;
  // The last instruction that is executed: the end follows.
  if (f.labels.length === 0 && !returns.branched) return;
  spendFuel(f, returns.pending);
  branchTo(f, returns.level);
  returns.branched = true;
};

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
  call: callWith(translateBody),
  call_indirect: callIndirect,
  ...CONTROL,
};

const structure = new Map(Object.entries(STRUCTURE));
const counted = new Map(Object.entries({ ...ARITHMETIC, ...MEMORY, ...CPU }));

/** Whether execution goes on at the next instruction, whatever it does. */
export const isStraight = ({ op }: Instruction): boolean => !structure.has(op);

/** Every instruction that the translation knows; the conformance test compares it with the instruction table. */
export const TRANSLATED_INSTRUCTIONS: readonly string[] = [...structure.keys(), ...counted.keys()];

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
  const [result] = instruction.dst;
  f.step = stepOf(f, result, fact);
  emit(f, instruction);
  if (f.step !== undefined) writeSteps(f.w, f.loops, localOf(f, result), f.step);
  f.step = undefined;
  learn(f, result, fact);
  f.pending += 1;
}

/** Writes what follows `from`, outside of the innermost region, on this path alone, if that is worth it; then no path leads on from here. */
function followPath(f: FunctionWriter, from: number): void {
  if (takePath(f, from, f.labels.slice(0, -1))) goOn(f, from, f.labels.slice(0, -1));
}

/** Translates a path from an instruction to where it leaves. The writer is then where it was, and no path leads on. */
function goOn(f: FunctionWriter, from: number, around: readonly Label[]): void {
  writeAside(f, () => {
    f.labels.splice(0, f.labels.length, ...around);
    writePath(f, from);
  });
  f.dead = true;
}

function writePath(f: FunctionWriter, from: number): void {
  const { body } = f.fn;
  f.skipped = 0;
  f.dead = false;
  let inside = 0;
  for (f.at = from; !f.dead || inside > 0; f.at++) {
    const instruction = body[f.at];
    if (instruction === undefined) throw new Error(`function ${f.fn.name}, instruction ${from}: a path without an end`);
    const { op } = instruction;
    if (inside === 0 && op === "end") {
      f.labels.pop();
      continue;
    }
    if (inside === 0 && op === "else") {
      f.labels.pop();
      f.at = endOfRegion(f, f.at + 1);
      continue;
    }
    if (op === "block" || op === "if") inside += 1;
    else if (op === "end") inside -= 1;
    if (op === "return" && inside === 0 && f.returns !== null) returnAlone(f, instruction, f.returns);
    else translateInstruction(f, instruction);
  }
}

/** Goes on behind the call that is executed in place, with what this path returns. */
function returnAlone(g: FunctionWriter, i: Instruction, { caller: f, results }: ReturnPoint): void {
  const call = f.fn.body[f.at];
  for (const register of i.src) getRegister(g, register);
  for (let n = i.src.length - 1; n >= 0; n--) g.w.localSet(results[n] ?? 0);
  writeAside(f, () => {
    call?.dst.forEach((register, n) => {
      forgetRegister(f, register);
      learn(f, register, { range: outside(rangeOf(g, i.src[n])) });
    });
    f.pending = g.pending + 1;
    f.depth = g.depth;
    writePath(f, f.at + 1);
  });
  g.dead = true;
}

export function translateBody(f: FunctionWriter): void {
  f.fn.body.forEach((instruction, at) => {
    f.at = at;
    translateInstruction(f, instruction);
  });
}

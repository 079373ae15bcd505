// Regions of bytecode as regions of wasm, and branches between them. Levels count wasm's nesting from the outside, so that a branch from
// anywhere finds its region: its depth is the difference. A branch arrives with the fuel that its region was opened with.

import { FUEL_LOCAL, spendFuel } from "./translate-context.ts";
import type { FunctionWriter, Label } from "./translate-context.ts";
import { forgetSince } from "./translate-facts.ts";
import { OP, VOID } from "../wasm/encoder.ts";

export function openRegion(f: FunctionWriter, op: typeof OP.block | typeof OP.loop): number {
  f.w.byte(op);
  f.w.byte(VOID);
  f.depth += 1;
  return f.depth;
}

export function pushLabel(f: FunctionWriter, label: Pick<Label, "kind" | "level"> & Partial<Label>): void {
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
    isDeadBefore: false,
    states: 0,
    ...label,
  });
}

/** Writes a path of its own, from wherever it starts: the writer is then where it was, and knows what it knew. */
export function writeAside(f: FunctionWriter, write: () => void): void {
  const { at, pending, skipped, depth, dead } = f;
  const { dispatch, state } = f.loops;
  const labels = [...f.labels];
  const learnt = f.learnt.length;
  write();
  forgetSince(f, learnt);
  f.labels.splice(0, f.labels.length, ...labels);
  f.at = at;
  f.pending = pending;
  f.skipped = skipped;
  f.depth = depth;
  f.dead = dead;
  f.loops.dispatch = dispatch;
  f.loops.state = state;
}

export function branchTo(f: FunctionWriter, level: number): void {
  f.w.op(OP.br, f.depth - level);
}

export function labelAt(f: FunctionWriter, depth: number): Label {
  const label = f.labels[f.labels.length - 1 - depth];
  if (label === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no label at depth ${depth}`);
  return label;
}

/** Everything a branch does once it is taken. Its own cost is in `pending`. */
export function leaveTo(f: FunctionWriter, label: Label): void {
  label.branched = true;
  if (label.kind !== "loop") {
    spendFuel(f, label.pending);
    branchTo(f, label.level);
    return;
  }
  spendPending(f, OP.i32_ge_s, label.level);
  branchTo(f, label.pollLevel);
}

/** Spends what is pending, and branches where fuel is left (`i32_ge_s`, which is likely) or where none is (`i32_lt_s`). */
export function spendPending(f: FunctionWriter, branchesIf: typeof OP.i32_ge_s | typeof OP.i32_lt_s, level: number): void {
  const { w } = f;
  w.localGet(FUEL_LOCAL);
  w.withConst(f.pending, OP.i32_sub);
  w.localTee(FUEL_LOCAL);
  w.withConst(0, branchesIf);
  f.hints.push({ offset: w.length - f.bodyStart, likely: branchesIf === OP.i32_ge_s });
  w.op(OP.br_if, f.depth - level);
}

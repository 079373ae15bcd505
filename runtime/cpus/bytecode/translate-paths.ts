// Paths of a state machine's loop, each translated alone. Where a loop branches by a table on a register that it writes, as a `match` on the
// state does, the parts of an `if` in it do not meet again: what follows the `if` is written in each part, up to the branch that starts the
// next round. On such a path the next state is often a constant, with it the address that counts it and the entry of the table; and what is
// counted is counted once. This file says which paths are short and straight enough.

import { isMachine } from "./translate-loops.ts";
import type { FunctionWriter, Label } from "./translate-context.ts";

/** Instructions of one path, and what all paths may add to a function. */
const LONGEST = 64;
const MOST = 3000;

/** The `end` of the region that the instruction is in, or opens. */
export function endOfRegion(f: FunctionWriter, from: number): number {
  const { body } = f.fn;
  let depth = 0;
  for (let at = from; at < body.length; at++) {
    const op = body[at]?.op;
    if (op === "block" || op === "loop" || op === "if") depth += 1;
    else if (op === "end") {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  throw new Error(`function ${f.fn.name}, instruction ${from}: in no region`);
}

/** Instructions on the way from here to where it leaves, out of these regions; undefined if it is no short one. */
function lengthOf(f: FunctionWriter, from: number, labels: readonly Label[]): number | undefined {
  const { body } = f.fn;
  let around = labels.length;
  let inside = 0;
  let length = 0;
  for (let at = from; at < body.length && length <= LONGEST; at++) {
    const instruction = body[at];
    if (instruction === undefined) return undefined;
    const leaves = inside === 0;
    switch (instruction.op) {
      case "loop":
        return undefined;
      case "block":
      case "if":
        inside += 1;
        break;
      case "else":
        if (!leaves) break;
        at = endOfRegion(f, at + 1);
        around -= 1;
        break;
      case "end":
        if (!leaves) inside -= 1;
        else {
          around -= 1;
          if (labels[around]?.kind === "loop") return undefined;
        }
        break;
      case "br":
      case "br_table":
      case "unwind":
      case "trap":
        if (leaves) return length + 1;
        break;
      case "return": {
        if (!leaves) break;
        if (f.returns === null) return length + 1;
        const { caller } = f.returns;
        const rest = lengthOf(caller, caller.at + 1, caller.labels);
        return rest === undefined ? undefined : length + rest + 1;
      }
      case "call": {
        const inlined = f.inlined.get(at);
        length += inlined === undefined ? 0 : (f.context.module.functions[inlined.callee]?.body.length ?? 0);
        break;
      }
    }
    length += 1;
  }
  return undefined;
}

/**
 * Behind which regions the code of single states stands, of those that a table branches to; the last of them is for all other values. None if
 * what stands between the loop's start and the table is too long to be written for each, or has loops.
 */
export function statesOf(f: FunctionWriter, labels: readonly Label[]): ReadonlyMap<Label, number> {
  const values = new Map<Label, number>();
  const { open } = f.loops;
  let root = f;
  let length = 0;
  for (; root.returns !== null; root = root.returns.caller) length += root.at;
  if (open === undefined || length + root.at - open.at > LONGEST) return values;
  if (root.fn.body.slice(open.at + 1, root.at).some(({ op }) => op === "loop")) return values;
  labels.forEach((label, value) => {
    if (labels.indexOf(label) === value && labels.lastIndexOf(label) === value && value < labels.length - 1) values.set(label, value);
  });
  return values;
}

/** Whether paths are written alone here at all: behind the table of a state machine, and once its loop is known. */
export function followsPaths({ loops }: FunctionWriter): boolean {
  return loops.isPlanned && loops.dispatch !== undefined && loops.open !== undefined && isMachine(loops.open);
}

/** Whether the path from here is to be written alone; if so, it is accounted for. */
export function takePath(f: FunctionWriter, from: number, labels: readonly Label[]): boolean {
  const { loops } = f;
  if (!followsPaths(f)) return false;
  const length = lengthOf(f, from, labels);
  if (length === undefined || length > LONGEST || loops.added + length > MOST) return false;
  loops.added += length;
  return true;
}

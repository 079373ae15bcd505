// Paths of a state machine's loop, each translated alone. Where a loop branches by a table on a register that it writes, as a `match` on the
// state does, the parts of an `if` in it do not meet again: what follows the `if` is written in each part, up to the branch that starts the
// next round. On such a path the next state is often a constant, with it the address that counts it and the entry of the table; and what is
// counted is counted once. This file says which paths are short and straight enough.

import type { FunctionWriter, Label } from "./translate-context.ts";
import { exactly } from "./translate-facts.ts";
import { isMachine } from "./translate-loops.ts";
import type { Dispatch, Landing } from "./translate-loops.ts";

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
 * Where a table branches to that a state machine's loop is about. Paths may start a round past it, unless what stands between the loop's start and
 * the table is too long to be written for each, has loops, or changes the state.
 */
export function dispatchOf(f: FunctionWriter, register: number, labels: readonly Label[]): Dispatch {
  const { open } = f.loops;
  let root = f;
  let cost = 0;
  for (; root.returns !== null; root = root.returns.caller) cost += root.at;
  cost += root.at - (open?.at ?? 0);
  const before = open === undefined || cost > LONGEST ? [] : root.fn.body.slice(open.at + 1, root.at);
  const state = register - root.firstRegister;
  const isShort = before.length > 0 && before.every(({ op, dst }) => op !== "loop" && !dst.includes(state));
  return { writer: f.inlined, at: f.at, register, landings: isShort ? labels : [], ahead: new Set(labels.filter(({ kind }) => kind !== "loop")), cost };
}

/** Where a path that starts a round with this state may branch to: the code is still to come, or is what it comes from. */
export function landingOf({ loops }: FunctionWriter, state: number | undefined): Landing | undefined {
  const { dispatch } = loops;
  if (dispatch === undefined || state === undefined) return undefined;
  const landing = dispatch.landings[Math.min(state >>> 0, dispatch.landings.length - 1)];
  if (landing === undefined) return undefined;
  if (landing === loops.state?.behind) return loops.state.landing;
  return dispatch.ahead.has(landing) ? landing : undefined;
}

/** Whether a path may start a round by itself with what it knows of the state; if so, it is accounted for. */
export function takeRound(f: FunctionWriter): boolean {
  const { loops } = f;
  const { dispatch } = loops;
  if (dispatch === undefined || loops.isEntering || loops.added + dispatch.cost > MOST) return false;
  if (landingOf(f, exactly(f, dispatch.register - f.firstRegister)) === undefined) return false;
  loops.added += dispatch.cost;
  return true;
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

// Where the writing of a guest function starts, as a wasm function of its own or in the place of a call: nothing is open, nothing is known, and
// the loops are those that some branch goes to. The first thing that is written is the poll of the entry.

import { codeAddress } from "../../../isa/bytecode/module.ts";
import { FUEL_LOCAL, close, openIf, pushFuel, pushSp, takeFuel } from "./translate-context.ts";
import type { FunctionWriter } from "./translate-context.ts";
import { OP, VOID } from "../wasm/encoder.ts";

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

/** A writer that stands at the start of a function. What is about the wasm function comes from the one around. */
export function createWriter(
  around: Pick<
    FunctionWriter,
    | "context"
    | "w"
    | "fn"
    | "index"
    | "firstRegister"
    | "below"
    | "room"
    | "inlined"
    | "returns"
    | "pending"
    | "bodyStart"
    | "hints"
    | "depth"
    | "temp32"
    | "temp32b"
    | "temp64"
    | "versions"
    | "loops"
  >,
): FunctionWriter {
  const f: FunctionWriter = {
    ...around,
    at: 0,
    labels: [],
    dead: false,
    skipped: 0,
    branchedLoops: new Uint8Array(around.fn.body.length),
    facts: [],
    learnt: [],
    step: undefined,
    distances: new Map(),
  };
  survey(f);
  return f;
}

/** The entry of a function is a poll point. */
export function pollAtEntry(f: FunctionWriter): void {
  const { w } = f;
  w.localGet(FUEL_LOCAL);
  w.i32Const(f.pending);
  w.byte(OP.i32_lt_s);
  openIf(f, VOID, false);
  pushSp(f);
  pushFuel(f);
  w.i32Const(codeAddress(f.index, 0));
  w.call(f.context.support("poll"));
  takeFuel(f);
  close(f);
}

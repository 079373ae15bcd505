// Where values would like to be, before registers are allocated: in the register that a call or a return wants them in, or where the value is
// that they are a copy of. A hint costs nothing if it cannot be followed, and saves a move if it can.

import type { BytecodeFunction, Module } from "../../isa/bytecode/module.ts";
import { signatureOf } from "./call-signatures.ts";
import type { Items, Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";
import type { RegisterFile } from "./target.ts";

/** By virtual register; good until the next call. */
export interface Hints {
  /** Machine registers. */
  readonly hints: Int32Array;
  /** Virtual registers. */
  readonly partners: Int32Array;
}

const NO_HINT = -1;

const hintTable = createSpareTable(NO_HINT);
const partnerTable = createSpareTable(NO_HINT);

/** Where a value would like to be: in the register that a call or the function's end wants it in, or where its copy is. */
export function findHints(fn: BytecodeFunction, module: Module, { items, types }: Items, registers: RegisterFile): Hints {
  const hints = hintTable(types.length);
  const partners = partnerTable(types.length);
  /** The first of what wants a value decides. */
  const hintAll = (values: readonly Virtual[], first: number, machines: readonly number[]): void => {
    for (let index = first; index < values.length; index++) {
      const register = values[index] ?? 0;
      if (hints[register] === NO_HINT) hints[register] = machines[index - first] ?? NO_HINT;
    }
  };
  hintAll([...fn.signature.params.keys()], 0, registers.arguments);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op") continue;
    const { op, src, dst } = item;
    if (op === "return") hintAll(src, 0, registers.results);
    else if (op === "call" || op === "call_indirect") {
      if (signatureOf(module, item) === null) continue;
      hintAll(src, op === "call" ? 0 : 1, registers.arguments);
      hintAll(dst, 0, registers.results);
    } else {
      const from = src[0];
      const to = dst[0];
      if (from === undefined || to === undefined) continue;
      if (op === "copy" || op === "zext" || op === "trunc") {
        partners[to] = from;
        if (partners[from] === NO_HINT) partners[from] = to;
        // Two-address instructions are shortest when the result takes the first operand's place.
      } else if (partners[to] === NO_HINT) partners[to] = from;
    }
  }
  return { hints, partners };
}

export const orNull = (hint: number | undefined): number | null => (hint === undefined || hint === NO_HINT ? null : hint);

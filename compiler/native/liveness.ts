// Where each virtual register holds a value that is still wanted: one interval of positions, from backward data flow over the basic
// blocks. Item i reads at position 2i and writes at 2i + 1, so that a result may take the place of an operand that ends there.
// Registers that live in one block only need no data flow, and they are nearly all.

import { findBlocks, registersRead, registersWritten, targetsOf } from "./item-flow.ts";
import type { Item, Items, Label, Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";
import { findCrossing, LIVE_IN, LIVE_OUT } from "./split-values.ts";

export interface Interval {
  readonly register: Virtual;
  start: number;
  end: number;
  /** Reads and writes, each ten times as much for every loop around it. */
  weight: number;
}

export interface Liveness {
  /** By virtual register; undefined: never used. */
  readonly intervals: readonly (Interval | undefined)[];
  /** Read before they are written on some path: they are zero at entry (docs/bytecode.md, 1). */
  readonly zeroAtEntry: readonly Virtual[];
}

const loopDepthTable = createSpareTable(0);

/** Depth of loops around each item: a loop lasts from its label to the last branch back to it. */
function loopDepths(items: readonly Item[]): Int32Array {
  let labels: Map<Label, number> | null = null;
  let ends: Map<Label, number> | null = null;
  const depths = loopDepthTable(items.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    // A branch back is behind its label.
    if (item.kind === "label" && item.isLoop) (labels ??= new Map()).set(item.label, index);
    else if (labels !== null && item.kind !== "op") for (const label of targetsOf(item)) if (labels.has(label)) (ends ??= new Map()).set(label, index);
  }
  if (labels === null || ends === null) return depths;
  for (const [label, end] of ends) {
    for (let i = labels.get(label) ?? end; i <= end; i++) depths[i] = Math.min(4, (depths[i] ?? 0) + 1);
  }
  return depths;
}

export function findLiveness({ items, types, params }: Pick<Items, "items" | "types" | "params">): Liveness {
  const blocks = findBlocks(items);
  const { registers, flags } = findCrossing(items, blocks, types.length);
  const intervals = new Array<Interval | undefined>(types.length).fill(undefined);
  const extend = (register: Virtual, position: number): Interval => {
    const known = intervals[register];
    if (known === undefined) return (intervals[register] = { register, start: position, end: position, weight: 0 });
    if (position < known.start) known.start = position;
    if (position > known.end) known.end = position;
    return known;
  };
  const width = registers.length;
  for (let b = 0; b < blocks.length; b++) {
    const { start = 0, end = 0 } = blocks[b] ?? {};
    for (let index = 0; index < width; index++) {
      const register = registers[index] ?? 0;
      const known = flags[b * width + index] ?? 0;
      if ((known & LIVE_IN) !== 0) extend(register, 2 * start);
      if ((known & LIVE_OUT) !== 0) extend(register, 2 * end);
    }
  }
  const depths = loopDepths(items);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    const cost = 10 ** (depths[index] ?? 0);
    const reads = registersRead(item);
    for (let each = 0; each < reads.length; each++) extend(reads[each] ?? 0, 2 * index).weight += cost;
    const writes = registersWritten(item);
    for (let each = 0; each < writes.length; each++) extend(writes[each] ?? 0, 2 * index + 1).weight += cost;
  }
  // Parameters are written by the caller, zeros by the prologue: both before item 0.
  for (let param = 0; param < params; param++) if (intervals[param] !== undefined) extend(param, -1);
  const zeroAtEntry = registers.filter((register, index) => register >= params && ((flags[index] ?? 0) & LIVE_IN) !== 0);
  for (const register of zeroAtEntry) extend(register, -1);
  return { intervals, zeroAtEntry };
}

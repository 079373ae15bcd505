// Where each virtual register holds a value that is still wanted: one interval of positions, from backward data flow over the basic
// blocks. Item i reads at position 2i and writes at 2i + 1, so that a result may take the place of an operand that ends there.
// Registers that live in one block only need no data flow, and they are nearly all.

import { findBlocks, registersRead, registersWritten, targetsOf, type Block } from "./item-flow.ts";
import type { Items, Label, Virtual } from "./items.ts";

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

interface LiveBlock extends Block {
  readonly reads: Set<Virtual>;
  readonly writes: Set<Virtual>;
  readonly liveIn: Set<Virtual>;
  readonly liveOut: Set<Virtual>;
}

function readBlocks({ items, isLocal }: Items): readonly LiveBlock[] {
  return findBlocks(items).map((block): LiveBlock => {
    const reads = new Set<Virtual>();
    const writes = new Set<Virtual>();
    for (let i = block.start; i < block.end; i++) {
      const item = items[i];
      if (item === undefined) continue;
      for (const register of registersRead(item)) if (isLocal[register] !== true && !writes.has(register)) reads.add(register);
      for (const register of registersWritten(item)) if (isLocal[register] !== true) writes.add(register);
    }
    return { ...block, reads, writes, liveIn: new Set(reads), liveOut: new Set() };
  });
}

function solve(blocks: readonly LiveBlock[]): void {
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let b = blocks.length - 1; b >= 0; b--) {
      const block = blocks[b];
      if (block === undefined) continue;
      for (const next of block.next) {
        for (const register of blocks[next]?.liveIn ?? []) {
          if (block.liveOut.has(register)) continue;
          block.liveOut.add(register);
          if (!block.writes.has(register)) block.liveIn.add(register);
          isChanged = true;
        }
      }
    }
  }
}

/** Depth of loops around each item: a loop lasts from its label to the last branch back to it. */
function loopDepths({ items }: Items): Uint8Array {
  const labels = new Map<Label, number>();
  const depths = new Uint8Array(items.length);
  items.forEach((item, index) => {
    if (item.kind === "label" && item.isLoop) labels.set(item.label, index);
  });
  const ends = new Map<Label, number>();
  items.forEach((item, index) => {
    for (const label of targetsOf(item)) if ((labels.get(label) ?? index) < index) ends.set(label, index);
  });
  for (const [label, end] of ends) {
    for (let i = labels.get(label) ?? end; i <= end; i++) depths[i] = Math.min(4, (depths[i] ?? 0) + 1);
  }
  return depths;
}

export function findLiveness(code: Items): Liveness {
  const { items, types, params } = code;
  const blocks = readBlocks(code);
  solve(blocks);
  const intervals: (Interval | undefined)[] = types.map(() => undefined);
  const extend = (register: Virtual, position: number): Interval => {
    const known = intervals[register];
    if (known === undefined) {
      const fresh = { register, start: position, end: position, weight: 0 };
      intervals[register] = fresh;
      return fresh;
    }
    if (position < known.start) known.start = position;
    if (position > known.end) known.end = position;
    return known;
  };
  for (const block of blocks) {
    for (const register of block.liveIn) extend(register, 2 * block.start);
    for (const register of block.liveOut) extend(register, 2 * block.end);
  }
  const depths = loopDepths(code);
  items.forEach((item, index) => {
    const cost = 10 ** (depths[index] ?? 0);
    for (const register of registersRead(item)) extend(register, 2 * index).weight += cost;
    for (const register of registersWritten(item)) extend(register, 2 * index + 1).weight += cost;
  });
  const atEntry = blocks[0]?.liveIn ?? new Set<Virtual>();
  // Parameters are written by the caller, zeros by the prologue: both before item 0.
  for (let param = 0; param < params; param++) if (intervals[param] !== undefined) extend(param, -1);
  const zeroAtEntry = [...atEntry].filter((register) => register >= params);
  for (const register of zeroAtEntry) extend(register, -1);
  return { intervals, zeroAtEntry };
}

// Bytecode takes its registers again and again: one is a constant here, a sum there, and a condition that two branches set elsewhere. The
// back end gives each virtual register one place for its whole life, so every value gets a virtual register of its own: one for each
// definition that only its block reads, and one for each web of definitions and reads that reach each other across blocks.

import type { ScalarType } from "../../isa/bytecode/module.ts";
import { findBlocks, registersRead, type Block } from "./item-flow.ts";
import { one } from "../short-lists.ts";
import type { Item, Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";

const NONE: readonly number[] = [];

/** Registers that some block reads before it writes them: only they hold a value from elsewhere. Good until the next call. */
export interface Crossing {
  readonly registers: readonly Virtual[];
  /** By register, -1: it is none of them. */
  readonly indexOf: Int32Array;
  /** By block times the number of registers, plus the register's index: the sum of what holds. */
  readonly flags: Uint8Array;
}

const IS_WRITTEN = 1;
export const LIVE_IN = 2;
export const LIVE_OUT = 4;

const indices = createSpareTable(-1);
const lastWrites = createSpareTable(0);
const readEnds = createSpareTable(0);
const chains = createSpareTable(-1);
/** Of all blocks one after the other, what each reads first; and what is still to be followed. They keep what they have grown to. */
const firstReads: Virtual[] = [];
const wanted: number[] = [];
let spare = new Uint8Array(4096);

function clearFlags(count: number): Uint8Array {
  if (count > spare.length) spare = new Uint8Array(2 * count);
  else spare.fill(0, 0, count);
  return spare;
}

export function findCrossing(items: readonly Item[], blocks: readonly Block[], count: number): Crossing {
  const registers: Virtual[] = [];
  const indexOf = indices(count);
  /** The block, from 1, that has written it last. */
  const writtenIn = lastWrites(count);
  let readCount = 0;
  /** Where each block's first reads end. */
  const ends = readEnds(blocks.length);
  for (let b = 0; b < blocks.length; b++) {
    const { start = 0, end = 0 } = blocks[b] ?? {};
    for (let i = start; i < end; i++) {
      const item = items[i];
      if (item === undefined) continue;
      const reads = registersRead(item);
      for (let each = 0; each < reads.length; each++) {
        const register = reads[each] ?? 0;
        if (writtenIn[register] === b + 1) continue;
        firstReads[readCount++] = register;
        if (indexOf[register] === -1) indexOf[register] = registers.push(register) - 1;
      }
      if (item.kind !== "op") continue;
      const { dst } = item;
      for (let each = 0; each < dst.length; each++) writtenIn[dst[each] ?? 0] = b + 1;
    }
    ends[b] = readCount;
  }
  const width = registers.length;
  const flags = clearFlags(blocks.length * width);
  if (width === 0) return { registers, indexOf, flags };
  // Each block's predecessors as a chain: where it begins, the block of each link, and the next link.
  const heads = chains(blocks.length);
  const sources: number[] = [];
  const links: number[] = [];
  for (let b = 0; b < blocks.length; b++) {
    const { start = 0, end = 0, next = NONE } = blocks[b] ?? {};
    for (let i = start; i < end; i++) {
      const item = items[i];
      if (item?.kind !== "op") continue;
      const { dst } = item;
      for (let each = 0; each < dst.length; each++) {
        const index = indexOf[dst[each] ?? 0] ?? -1;
        if (index >= 0) flags[b * width + index] = IS_WRITTEN;
      }
    }
    for (const other of next) {
      links.push(heads[other] ?? -1);
      heads[other] = sources.push(b) - 1;
    }
  }
  // From each read back to the definitions.
  let left = 0;
  for (let b = 0, i = 0; b < blocks.length; b++) {
    for (; i < (ends[b] ?? 0); i++) wanted[left++] = b * width + (indexOf[firstReads[i] ?? 0] ?? 0);
  }
  while (left > 0) {
    const at = wanted[--left] ?? 0;
    const known = flags[at] ?? 0;
    if ((known & LIVE_IN) !== 0) continue;
    flags[at] = known | LIVE_IN;
    const index = at % width;
    for (let link = heads[(at - index) / width] ?? -1; link >= 0; link = links[link] ?? -1) {
      const there = (sources[link] ?? 0) * width + index;
      const others = flags[there] ?? 0;
      flags[there] = others | LIVE_OUT;
      if ((others & IS_WRITTEN) === 0) wanted[left++] = there;
    }
  }
  return { registers, indexOf, flags };
}

const fellows = createSpareTable(0);

/** Values at the starts (even) and ends (odd) of blocks that are the same one, as a forest: each knows a fellow, the root itself. */
function joinWebs(blocks: readonly Block[], { registers, flags }: Crossing): (node: number) => number {
  const width = registers.length;
  const count = 2 * blocks.length * width;
  const fellow = fellows(count);
  for (let node = 0; node < count; node++) fellow[node] = node;
  const rootOf = (node: number): number => {
    let at = node;
    for (let up = fellow[at] ?? at; up !== at; up = fellow[at] ?? at) {
      fellow[at] = fellow[up] ?? up;
      at = up;
    }
    return at;
  };
  const join = (a: number, b: number): void => {
    fellow[rootOf(a)] = rootOf(b);
  };
  for (let b = 0; b < blocks.length; b++) {
    const { next = NONE } = blocks[b] ?? {};
    for (let index = 0; index < width; index++) {
      const here = b * width + index;
      if (flags[here] === (LIVE_IN | LIVE_OUT)) join(2 * here, 2 * here + 1);
      for (const other of next) if (((flags[other * width + index] ?? 0) & LIVE_IN) !== 0) join(2 * here + 1, 2 * (other * width + index));
    }
  }
  return rootOf;
}

const webNames = createSpareTable(-1);
const taken = createSpareTable(0);
const definitions = createSpareTable(0);
const currentNames = createSpareTable(0);
const namings = createSpareTable(0);

/**
 * Renames registers in `items`; `types` grows. The answer tells, for each virtual register, whether it is defined once and used in the block
 * of its definition only. Parameters keep their numbers, the first ones.
 */
export function splitValues(types: ScalarType[], items: Item[], params: number): { readonly isLocal: boolean[]; readonly blocks: readonly Block[] } {
  const count = types.length;
  const isLocal = new Array<boolean>(count).fill(false);
  const blocks = findBlocks(items);
  const crossing = findCrossing(items, blocks, count);
  const { registers, indexOf, flags } = crossing;
  const width = registers.length;
  const rootOf = joinWebs(blocks, crossing);
  const fresh = (register: Virtual, local: boolean): Virtual => {
    isLocal.push(local);
    return types.push(types[register] ?? "i64") - 1;
  };
  /** By root: the virtual register of the web. */
  const names = webNames(2 * blocks.length * width);
  const isTaken = taken(count);
  // A parameter's number is for what the caller gives.
  isTaken.fill(1, 0, params);
  for (let index = 0; index < width; index++) {
    const register = registers[index] ?? 0;
    if (register < params && ((flags[index] ?? 0) & LIVE_IN) !== 0) names[rootOf(2 * index)] = register;
  }
  const nameOf = (node: number, register: Virtual): Virtual => {
    const root = rootOf(node);
    let name = names[root] ?? -1;
    if (name < 0) {
      name = isTaken[register] === 1 ? fresh(register, false) : register;
      isTaken[register] = 1;
      names[root] = name;
    }
    return name;
  };

  /** By register: the item, from 1, that defines it last; what it is called, and in which block, from 1. */
  const definedBy = definitions(count);
  const current = currentNames(count);
  const namedIn = namings(count);
  let b = 0;
  let at = 0;
  const read = (register: Virtual): Virtual => {
    if (namedIn[register] === b + 1) return current[register] ?? register;
    const index = indexOf[register] ?? -1;
    return index < 0 ? register : nameOf(2 * (b * width + index), register);
  };
  const write = (register: Virtual): Virtual => {
    const index = indexOf[register] ?? -1;
    const isLeaving = index >= 0 && definedBy[register] === at + 1 && ((flags[b * width + index] ?? 0) & LIVE_OUT) !== 0;
    const name = isLeaving ? nameOf(2 * (b * width + index) + 1, register) : fresh(register, true);
    current[register] = name;
    namedIn[register] = b + 1;
    return name;
  };
  for (; b < blocks.length; b++) {
    const { start = 0, end = 0 } = blocks[b] ?? {};
    for (let i = start; i < end; i++) {
      const item = items[i];
      if (item?.kind !== "op") continue;
      const { dst } = item;
      for (let each = 0; each < dst.length; each++) definedBy[dst[each] ?? 0] = i + 1;
    }
    for (at = start; at < end; at++) {
      const item = items[at];
      if (item !== undefined) items[at] = renamed(item, read, write);
    }
  }
  return { isLocal, blocks };
}

function mapped(registers: readonly Virtual[], name: (register: Virtual) => Virtual): readonly Virtual[] {
  if (registers.length === 0) return NONE;
  return registers.length === 1 ? one(name(registers[0] ?? 0)) : registers.map(name);
}

function renamed(item: Item, read: (register: Virtual) => Virtual, write: (register: Virtual) => Virtual): Item {
  switch (item.kind) {
    case "op": {
      const { kind, op, type, to, imm, at } = item;
      const src = mapped(item.src, read);
      const dst = mapped(item.dst, write);
      return { kind, op, type, to, dst, src, imm, at };
    }
    case "branch":
      return { ...item, condition: read(item.condition) };
    case "table":
      return { ...item, index: read(item.index) };
    case "compare-branch":
      throw new Error("comparisons are fused after splitting");
    case "label":
    case "jump":
      return item;
  }
}

// Second step of translation: what the emitter has to know about registers and the budget at each place of a region's graph. Sets of
// registers are bits of a number. Invariants that the emitter relies on: a local that is live holds the register's value; a register that
// is dirty has its value in the local only, and its local is live wherever the region may be left.

import { leavesOf } from "../semantics/guarded.ts";
import type { Operation } from "../operations.ts";
import { successorsOf, type Block, type RegionGraph, type RegionInstruction } from "./graph.ts";

/** Bit n for register xn; x0 never. */
export type RegisterSet = number;

export interface BlockFlow {
  /** Registers that only locals know of when the block begins. */
  readonly dirtyIn: RegisterSet;
  readonly liveIn: RegisterSet;
  /** The budget must cover this many instructions before the block begins; 0: an earlier place has seen to it. */
  readonly checkpoint: number;
  readonly isLoopHead: boolean;
}

const bit = (register: number): RegisterSet => (register === 0 ? 0 : 1 << register);

export function registersRead({ rs1, rs2, operation }: RegionInstruction): RegisterSet {
  switch (operation.kind) {
    case "store":
      return bit(rs1) | (operation.meaning.isFloat === true ? 0 : bit(rs2));
    case "nothing":
    case "cold":
    case "undecoded":
    case "asked":
    case "page-end":
    case "breakpoint":
    case "region":
    case "device-load":
      return 0;
    case "guarded": {
      const leaves = leavesOf(operation.meaning);
      return (leaves.has("rs1") ? bit(rs1) : 0) | (leaves.has("rs2") ? bit(rs2) : 0);
    }
    case "compute":
    case "load":
    case "atomic":
    case "load-reserved":
    case "store-conditional":
    case "branch":
    case "jump":
    case "jump-register":
      return bit(rs1) | bit(rs2);
  }
}

export function registerWritten({ rd, operation }: RegionInstruction): RegisterSet {
  switch (operation.kind) {
    case "compute":
    case "atomic":
    case "load-reserved":
    case "store-conditional":
    case "jump":
    case "jump-register":
      return bit(rd);
    case "load":
      return operation.meaning.isFloat === true ? 0 : bit(rd);
    case "guarded":
      return operation.meaning.result?.file === "x" ? bit(rd) : 0;
    case "store":
    case "branch":
    case "nothing":
    case "cold":
    case "undecoded":
    case "asked":
    case "page-end":
    case "breakpoint":
    case "region":
    case "device-load":
      return 0;
  }
}

/** It may leave the region before it has done anything. */
export function mayExit({ operation }: RegionInstruction): boolean {
  return EXITS.has(operation.kind) || (operation.kind === "guarded" && operation.meaning.guard !== undefined);
}

const EXITS: ReadonlySet<Operation["kind"]> = new Set(["load", "store", "atomic", "load-reserved", "store-conditional"]);

function definitionsOf(block: Block): RegisterSet {
  let set = 0;
  for (const instruction of block.instructions) set |= registerWritten(instruction);
  return set;
}

/** A load or store that meets devices: behind it the region goes on as behind any other, but for the dirty registers, which are in their cells. */
export function isDeviceAccess({ kind, last }: { readonly kind: "cold"; readonly last: RegionInstruction }): boolean {
  const { operation, instruction } = last;
  if (kind !== "cold" || (operation.kind !== "load" && operation.kind !== "store") || operation.meaning.isFloat === true) return false;
  return operation.kind === "store" || instruction.rd !== 0;
}

/** Registers that the ending takes from locals itself, those that it saves apart. */
function endingReads({ ending }: Block): RegisterSet {
  if (ending.kind === "cold") return isDeviceAccess(ending) ? registersRead(ending.last) : NONE;
  return ending.kind === "branch" || ending.kind === "jump-register" || ending.kind === "call" || ending.kind === "transfer" ? registersRead(ending.last) : 0;
}

/** What is written to cells when the region is left or interrupted behind the block. */
const savesAll = ({ ending }: Block): boolean => ending.kind !== "jump" && ending.kind !== "branch";
const leaves = (block: Block): boolean => savesAll(block) || successorsOf(block.ending).some((edge) => edge.kind === "leave");
/** Behind it no register is dirty. */
const cleans = ({ ending }: Block): boolean => ending.kind === "call" || ending.kind === "cold";
/** What locals hold still holds behind it. */
function keeps({ ending }: Block): RegisterSet {
  if (ending.kind === "cold") return isDeviceAccess(ending) ? ALL & ~registerWritten(ending.last) : NONE;
  return ending.kind === "call" ? NONE : ALL;
}

/** A block as the iterations see it: everything about its instructions in a few sets. */
interface BlockFacts {
  readonly successors: readonly number[];
  readonly defined: RegisterSet;
  /** Registers that stay dirty behind it if they are before: all, or none. */
  readonly keepsDirty: RegisterSet;
  readonly length: number;
}

function factsOf(block: Block): BlockFacts {
  return {
    successors: successorsOf(block.ending).flatMap((edge) => (edge.kind === "block" ? [edge.block] : [])),
    defined: definitionsOf(block),
    keepsDirty: cleans(block) ? NONE : ALL,
    length: block.length,
  };
}

const ALL: RegisterSet = -1;
const NONE: RegisterSet = 0;

function findDirty(facts: readonly BlockFacts[]): Int32Array {
  const dirtyIn = new Int32Array(facts.length);
  for (let changed = true; changed;) {
    changed = false;
    facts.forEach(({ successors, defined, keepsDirty }, index) => {
      const out = ((dirtyIn[index] ?? 0) | defined) & keepsDirty;
      for (const next of successors) {
        const merged = (dirtyIn[next] ?? 0) | out;
        if (merged === dirtyIn[next]) continue;
        dirtyIn[next] = merged;
        changed = true;
      }
    });
  }
  return dirtyIn;
}

/** What is live before a block: `own`, and of what is live behind it that which `passes`. */
interface Liveness {
  readonly own: RegisterSet;
  readonly passes: RegisterSet;
}

function livenessOf(block: Block, dirtyIn: RegisterSet, isCheckpoint: boolean): Liveness {
  let own = endingReads(block) | (leaves(block) ? dirtyIn | definitionsOf(block) : NONE);
  let passes = keeps(block);
  for (let n = block.instructions.length - 1; n >= 0; n--) {
    const instruction = block.instructions[n];
    if (instruction === undefined) continue;
    const written = registerWritten(instruction);
    // Where the region may be left, what was dirty when the block began must be there; what the block defined, is.
    own = (own & ~written) | registersRead(instruction) | (mayExit(instruction) ? dirtyIn : NONE);
    passes &= ~written;
  }
  return { own: isCheckpoint ? own | dirtyIn : own, passes };
}

function findLive(facts: readonly BlockFacts[], liveness: readonly Liveness[]): Int32Array {
  const liveIn = new Int32Array(facts.length);
  for (let changed = true; changed;) {
    changed = false;
    for (let index = facts.length - 1; index >= 0; index--) {
      let out = NONE;
      for (const next of facts[index]?.successors ?? []) out |= liveIn[next] ?? 0;
      const { own = NONE, passes = NONE } = liveness[index] ?? {};
      const live = own | (out & passes);
      if (live === liveIn[index]) continue;
      liveIn[index] = live;
      changed = true;
    }
  }
  return liveIn;
}

/** The most instructions from each checkpoint to the next, along any path. */
function findLengths(facts: readonly BlockFacts[], checkpoints: ReadonlySet<number>): Int32Array {
  const lengths = new Int32Array(facts.length);
  // Edges between checkpoints go forward, so that every successor is known before its predecessors.
  for (let index = facts.length - 1; index >= 0; index--) {
    let longest = 0;
    for (const next of facts[index]?.successors ?? []) if (!checkpoints.has(next)) longest = Math.max(longest, lengths[next] ?? 0);
    lengths[index] = (facts[index]?.length ?? 0) + longest;
  }
  return lengths;
}

export function analyse({ blocks }: RegionGraph): readonly BlockFlow[] {
  const facts = blocks.map(factsOf);
  const heads = new Set<number>();
  const checkpoints = new Set([0]);
  facts.forEach(({ successors, keepsDirty }, index) => {
    for (const next of successors) {
      if (next <= index) heads.add(next);
      if (next <= index || keepsDirty === NONE) checkpoints.add(next);
    }
  });
  const dirtyIn = findDirty(facts);
  const liveness = blocks.map((block, index) => livenessOf(block, dirtyIn[index] ?? 0, checkpoints.has(index)));
  const liveIn = findLive(facts, liveness);
  const lengths = findLengths(facts, checkpoints);
  return blocks.map((_, index) => ({
    dirtyIn: dirtyIn[index] ?? 0,
    liveIn: liveIn[index] ?? 0,
    checkpoint: checkpoints.has(index) ? (lengths[index] ?? 0) : 0,
    isLoopHead: heads.has(index),
  }));
}

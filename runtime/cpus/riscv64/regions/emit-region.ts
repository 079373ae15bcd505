// Third step of translation, the function as a whole: structured control flow out of the dominator tree (Ramsey, "Beyond Relooper",
// 2022), the budget, calls, and the ways out. A region is a function (budget, depth, pc) -> (pc, budget). Where it leads to another one it
// calls that in its own place. Otherwise it returns: an even pc says "go on there"; with bit 0 set it says that the instruction there
// wants the interpreter, or that no caller may go on. A guest call is a call: when it comes back with the pc behind it, the caller goes
// on, otherwise it returns in turn, so that whatever a guest does with its stack unwinds to the dispatcher. All registers are in their
// cells at every such border.

import { I32, OP, VOID, ByteWriter, writeLocals } from "../../wasm/encoder.ts";
import { RAM, readCell, wrapAddress, writeCell, type MemoryLayout } from "../emit-memory.ts";
import { emitExpression } from "../emit-expression.ts";
import type { Mode } from "../hart.ts";
import { CELL, REGION_CACHE } from "../state.ts";
import {
  addressAt,
  BUDGET,
  createLender,
  createPlaces,
  DEPTH,
  emitInstruction,
  emitLeaf,
  emitLoad,
  emitMirroredLoad,
  emitSave,
  emitSum,
  emitTransfer,
  registerCell,
  type BareRam,
  type InstructionEmitter,
  type Places,
} from "./emit-instruction.ts";
import { groupAccesses, type AccessGroup } from "./access-groups.ts";
import { analyse, isMirrored, mayExit, registerWritten, type BlockFlow, type RegisterSet } from "./flow.ts";
import { LINKS, type Block, type Edge, type Ending, type RegionGraph, type RegionInstruction } from "./graph.ts";

/** Calls of the guest that may be nested on the host's stack; a region's frame takes a few hundred bytes of it. */
const NESTED_CALLS = 256;

/**
 * A region's second parameter: how many calls may still be nested, above two bits. `cut`: nobody below can go on when the region returns. So
 * it is at the bottom, and above it where the mode has changed since the call: those below hold on to addresses of the mode before.
 * `guessed`: the region was found by where its pc lies in the chain table, and has to see for itself whether it is meant.
 */
const STATE = { cut: 1, guessed: 2, nested: 4 } as const;
export const BOTTOM = NESTED_CALLS * STATE.nested + STATE.cut;

/** Function indexes and the type of regions in the module (region-module.ts). */
export const COLD_DOOR = 0;
export const SELF = 1;
export const REGION_TYPE = 0;
const TABLE = { regions: 0, chain: 1 } as const;
const GLOBAL = { sites: 0, index: 1 } as const;

export interface RegionOptions extends MemoryLayout {
  readonly pc: bigint;
  /** In which the code is executed. */
  readonly mode: Mode;
  readonly bareRam: BareRam | undefined;
  /** Whose function a call to this address may use without looking whether the address still leads there; or none. */
  readonly calleeOf: (pc: bigint) => "self" | number | undefined;
  /** Where a call to the environment or a return from a trap probably leads: nothing but time depends on it. */
  readonly likelyTarget: (instruction: RegionInstruction) => bigint;
  /** Number of the instruction among those that TypeScript executes. */
  readonly siteOf: (instruction: RegionInstruction) => number;
}

type Frame = { readonly kind: "exit"; readonly dirty: RegisterSet } | { readonly kind: "before" | "loop"; readonly block: number } | { readonly kind: "plain" };

interface RegionEmitter {
  readonly w: ByteWriter;
  readonly graph: RegionGraph;
  readonly flow: readonly BlockFlow[];
  readonly options: RegionOptions;
  readonly places: Places;
  /** What encloses the place that is written, the innermost last. */
  readonly frames: Frame[];
  readonly lender: ReturnType<typeof createLender>;
}

/** Distance, and instructions of the block that are not begun, which were taken from the budget already. */
const packExit = (at: number, refund: number): number => (at << 8) | refund;

function depthOf(frames: readonly Frame[], isWanted: (frame: Frame) => boolean): number {
  for (let depth = 0; depth < frames.length; depth++) {
    const frame = frames[frames.length - 1 - depth];
    if (frame !== undefined && isWanted(frame)) return depth;
  }
  throw new Error("a branch to a place that does not enclose it");
}

/** All sets with which exits happen, in one pass over the same places at which they are written. */
function exitSets({ blocks }: RegionGraph, flow: readonly BlockFlow[]): readonly RegisterSet[] {
  const sets = new Set<RegisterSet>();
  blocks.forEach((block, index) => {
    const { dirtyIn = 0, checkpoint = 0 } = flow[index] ?? {};
    let dirty = dirtyIn;
    if (checkpoint > 0) sets.add(dirty);
    for (const instruction of block.instructions) {
      if (mayExit(instruction)) sets.add(dirty);
      dirty |= registerWritten(instruction);
    }
    if (block.ending.kind === "exit" || block.ending.kind === "transfer") sets.add(dirty);
  });
  return [...sets];
}

/** Whether there are callers, but none that can go on: leaves 0 or 1 on the stack. */
export function emitIsCut(w: ByteWriter, depth: number): void {
  w.localGet(depth);
  w.withConst(STATE.cut, OP.i32_and);
  w.localGet(depth);
  w.withConst(STATE.guessed, OP.i32_or);
  w.withConst(BOTTOM | STATE.guessed, OP.i32_ne);
  w.byte(OP.i32_and);
}

/** To the caller, or the dispatcher, which finds the way on from the pc in `places.pc`. With bit 0 set no caller goes on. */
function emitReturn({ w, places }: RegionEmitter): void {
  w.localGet(places.pc);
  emitIsCut(w, DEPTH);
  w.byte(OP.i64_extend_i32_u);
  w.byte(OP.i64_or);
  w.localGet(BUDGET);
  w.byte(OP.return);
}

/**
 * On to the region at the pc in `places.pc`, or at one that is known, which takes this one's place: a guess by the pc alone, so that nothing
 * has to be loaded before the next region begins. Registers are in their cells.
 */
function emitChain({ w, places }: RegionEmitter, known?: bigint): void {
  w.localGet(BUDGET);
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_or);
  if (known === undefined) w.localGet(places.pc);
  else w.i64Const(known);
  emitGuess(w, places, known);
  w.op(OP.return_call_indirect, REGION_TYPE);
  w.byte(TABLE.chain);
}

/** As `emitChain`; where the pc is the likely one the way on hangs on nothing that has to be loaded, which more than halves the time that it takes. */
function emitLikelyChain(r: RegionEmitter, likely: bigint): void {
  const { w, places } = r;
  w.localGet(places.pc);
  w.i64Const(likely);
  w.byte(OP.i64_eq);
  w.byte(OP.if);
  w.byte(VOID);
  emitChain(r, likely);
  w.byte(OP.end);
  emitChain(r);
}

/** The place in the chain table of the pc in `places.pc`, or of one that is known. */
function emitGuess(w: ByteWriter, places: Places, known: bigint | undefined): void {
  if (known !== undefined) return w.i32Const(regionSlot(known));
  w.localGet(places.pc);
  w.byte(OP.i32_wrap_i64);
  w.localTee(places.at);
  w.withConst(1, OP.i32_shr_u);
  w.localGet(places.at);
  w.withConst(10, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst(REGION_CACHE.entries - 1, OP.i32_and);
}

/**
 * In front of everything: a region that was guessed sees whether it is of the pc that is wanted, and whether the cache has it at its place,
 * where an empty entry has no region's index; or goes where the cache says.
 */
function emitCheckGuess(r: RegionEmitter): void {
  const { w, places, options } = r;
  const slot = REGION_CACHE.start + regionSlot(options.pc) * REGION_CACHE.entryBytes;
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_and);
  w.byte(OP.if);
  w.byte(VOID);
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_xor);
  w.localSet(DEPTH);
  w.localGet(places.pc);
  w.i64Const(options.pc);
  w.byte(OP.i64_ne);
  w.localGet(places.tlb);
  w.memory(OP.i32_load, RAM, slot + REGION_CACHE.index);
  w.op(OP.global_get, GLOBAL.index);
  w.byte(OP.i32_ne);
  w.byte(OP.i32_or);
  w.byte(OP.if);
  w.byte(VOID);
  emitLookup(r);
  w.localGet(BUDGET);
  w.localGet(DEPTH);
  w.localGet(places.pc);
  w.localGet(places.at);
  w.op(OP.return_call_indirect, REGION_TYPE);
  w.byte(TABLE.regions);
  w.byte(OP.end);
  w.byte(OP.end);
}

/** Out of the region to a place that is known. */
function emitLeave(r: RegionEmitter, dirty: RegisterSet, at: number): void {
  emitSave(r.w, r.options, r.places, dirty);
  emitChain(r, addressAt(r.options, r.options.pc, at));
}

/** The common end of all exits with one set: the packed exit is on the stack. */
function emitExitEnd({ w, options, places }: RegionEmitter, dirty: RegisterSet): void {
  w.localSet(places.at);
  emitSave(w, options, places, dirty);
  w.localGet(places.at);
  w.withConst(8, OP.i32_shr_s);
  w.byte(OP.i64_extend_i32_s);
  w.i64Const(options.pc);
  w.byte(OP.i64_add);
  wrapAddress(w, options);
  w.i64Const(1);
  w.byte(OP.i64_or);
  w.localGet(BUDGET);
  w.localGet(places.at);
  w.withConst(0xff, OP.i32_and);
  w.byte(OP.i32_add);
  w.byte(OP.return);
}

function emitExitIf({ w, frames }: RegionEmitter, dirty: RegisterSet, packed: number, extraDepth: number, condition: () => void): void {
  w.i32Const(packed);
  condition();
  w.op(OP.br_if, extraDepth + depthOf(frames, (frame) => frame.kind === "exit" && frame.dirty === dirty));
  w.byte(OP.drop);
}

/** A block's place in the code is a label that encloses this one, or it follows right here. */
function isLabel(r: RegionEmitter, from: number, edge: Edge): boolean {
  return edge.kind === "block" && (edge.block <= from || r.graph.dominators.merges[edge.block] === true);
}

function labelDepth({ frames }: RegionEmitter, from: number, block: number): number {
  const kind = block <= from ? "loop" : "before";
  return depthOf(frames, (frame) => frame.kind === kind && frame.block === block);
}

function emitEdge(r: RegionEmitter, from: number, edge: Edge, dirty: RegisterSet): void {
  if (edge.kind === "leave") emitLeave(r, dirty, edge.at);
  else if (isLabel(r, from, edge)) r.w.op(OP.br, labelDepth(r, from, edge.block));
  else emitTree(r, edge.block);
}

function emitBranch(r: RegionEmitter, from: number, ending: Extract<Ending, { kind: "branch" }>, dirty: RegisterSet): void {
  const { w } = r;
  emitExpression(emitterOf(r, ending.last, dirty, 0), ending.taken);
  r.lender.giveBack();
  if (ending.target.kind === "block" && isLabel(r, from, ending.target)) {
    w.op(OP.br_if, labelDepth(r, from, ending.target.block));
    emitEdge(r, from, ending.next, dirty);
    return;
  }
  if (ending.next.kind === "block" && isLabel(r, from, ending.next)) {
    w.byte(OP.i32_eqz);
    w.op(OP.br_if, labelDepth(r, from, ending.next.block));
    emitEdge(r, from, ending.target, dirty);
    return;
  }
  w.byte(OP.if);
  w.byte(VOID);
  r.frames.push({ kind: "plain" });
  emitEdge(r, from, ending.target, dirty);
  r.frames.pop();
  w.byte(OP.end);
  emitEdge(r, from, ending.next, dirty);
}

function emitTarget(r: RegionEmitter, { instruction }: RegionInstruction): void {
  const { w, places, options } = r;
  emitSum(w, options, places, instruction.rs1, BigInt(instruction.imm));
  w.i64Const(-2);
  w.byte(OP.i64_and);
}

/** The dispatcher's cache: leaves the function that belongs to the pc in `places.pc` in `places.at`, or returns. */
function emitLookup(r: RegionEmitter): void {
  const { w, places } = r;
  emitRegionSlot(w, places.pc, places.tlb);
  w.localTee(places.slot);
  w.memory(OP.i64_load, RAM, REGION_CACHE.start + REGION_CACHE.tag);
  w.withLocal(places.pc, OP.i64_ne);
  w.byte(OP.if);
  w.byte(VOID);
  emitReturn(r);
  w.byte(OP.end);
  w.localGet(places.slot);
  w.memory(OP.i32_load, RAM, REGION_CACHE.start + REGION_CACHE.index);
  w.localSet(places.at);
}

/** Number of the pc's place in the cache of regions, and in the chain table. */
export function regionSlot(pc: bigint): number {
  const low = Number(pc & 0xffff_ffffn);
  return ((low >>> 1) ^ (low >>> 10)) & (REGION_CACHE.entries - 1);
}

/** Leaves the place in the cache of regions for the pc in `pc` on the stack. */
export function emitRegionSlot(w: ByteWriter, pc: number, tlb: number): void {
  w.localGet(pc);
  w.byte(OP.i32_wrap_i64);
  w.withConst(3, OP.i32_shl);
  w.localGet(pc);
  w.byte(OP.i32_wrap_i64);
  w.withConst(6, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst((REGION_CACHE.entries - 1) * REGION_CACHE.entryBytes, OP.i32_and);
  w.withLocal(tlb, OP.i32_add);
}

function emitCall(r: RegionEmitter, index: number, ending: Extract<Ending, { kind: "call" }>, dirty: RegisterSet): void {
  const { w, options, places } = r;
  const { last } = ending;
  const link = addressAt(options, options.pc, last.at + last.instruction.length);
  const known = ending.target === undefined ? undefined : addressAt(options, options.pc, ending.target);
  if (known === undefined) emitTarget(r, last);
  else w.i64Const(known);
  w.localSet(places.pc);
  emitSave(w, options, places, dirty);
  w.i32Const(0);
  // As a register holds it.
  w.i64Const(BigInt.asIntN(options.width, link));
  w.memory(OP.i64_store, RAM, registerCell(options, last.instruction.rd));
  w.localGet(DEPTH);
  w.withConst(STATE.nested, OP.i32_lt_u);
  w.byte(OP.if);
  w.byte(VOID);
  emitReturn(r);
  w.byte(OP.end);
  const callee = known === undefined ? undefined : options.calleeOf(known);
  w.localGet(BUDGET);
  // One call less, and a caller that waits.
  w.localGet(DEPTH);
  w.withConst(STATE.cut, OP.i32_or);
  w.withConst(STATE.nested + STATE.cut, OP.i32_sub);
  if (callee === undefined) w.withConst(STATE.guessed, OP.i32_or);
  w.localGet(places.pc);
  if (callee === "self") w.call(SELF);
  else {
    if (callee === undefined) emitGuess(w, places, known);
    else w.i32Const(callee);
    w.op(OP.call_indirect, REGION_TYPE);
    w.byte(callee === undefined ? TABLE.chain : TABLE.regions);
  }
  w.localSet(BUDGET);
  w.localTee(places.pc);
  w.i64Const(link);
  w.byte(OP.i64_ne);
  w.byte(OP.if);
  w.byte(VOID);
  emitReturn(r);
  w.byte(OP.end);
  emitReload(r, ending.next);
  emitEdge(r, index, ending.next, 0);
}

/** Locals are stale here. */
function emitReload(r: RegionEmitter, next: Edge): void {
  if (next.kind === "block") emitLoad(r.w, r.options, r.places, r.flow[next.block]?.liveIn ?? 0);
}

function emitCold(r: RegionEmitter, index: number, { last, next }: Extract<Ending, { kind: "cold" }>, dirty: RegisterSet): void {
  const { w, options, places } = r;
  const mirrored = isMirrored({ kind: "cold", last });
  emitSave(w, options, places, dirty);
  if (mirrored) {
    w.byte(OP.block); // done
    w.byte(VOID);
    w.byte(OP.block); // miss
    w.byte(VOID);
    emitMirroredLoad(emitterOf(r, last, dirty, 1), last, 0);
    emitSave(w, options, places, registerWritten(last));
    w.op(OP.br, 1);
    w.byte(OP.end);
  }
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.i64Const(addressAt(options, options.pc, last.at)));
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  w.op(OP.global_get, GLOBAL.sites);
  w.withConst(options.siteOf(last), OP.i32_add);
  w.call(COLD_DOOR);
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  readCell(w, options, OP.i64_load, CELL.pc);
  w.localSet(places.pc);
  w.byte(OP.i32_eqz);
  w.localGet(places.pc);
  w.i64Const(addressAt(options, options.pc, last.at + last.instruction.length));
  w.byte(OP.i64_ne);
  w.byte(OP.i32_or);
  w.byte(OP.if);
  w.byte(VOID);
  // It trapped, was interrupted, has to stop, or changed what code or addresses mean.
  w.localGet(places.pc);
  w.i64Const(1);
  w.byte(OP.i64_or);
  w.localGet(BUDGET);
  w.byte(OP.return);
  w.byte(OP.end);
  emitReload(r, next);
  if (mirrored) w.byte(OP.end);
  emitEdge(r, index, next, 0);
}

function emitEnding(r: RegionEmitter, index: number, block: Block, dirty: RegisterSet): void {
  const { w } = r;
  const { ending } = block;
  switch (ending.kind) {
    case "jump":
      return emitEdge(r, index, ending.target, dirty);
    case "branch":
      return emitBranch(r, index, ending, dirty);
    case "call":
      return emitCall(r, index, ending, dirty);
    case "cold":
      return emitCold(r, index, ending, dirty);
    case "jump-register":
      emitTarget(r, ending.last);
      w.localSet(r.places.pc);
      for (const { at, edge } of ending.targets) {
        w.localGet(r.places.pc);
        w.i64Const(r.options.pc + BigInt(at));
        w.byte(OP.i64_eq);
        w.op(OP.br_if, labelDepth(r, index, edge.block));
      }
      emitSave(w, r.options, r.places, dirty);
      if (LINKS.has(ending.last.instruction.rs1)) {
        w.localGet(DEPTH);
        w.withConst(STATE.cut, OP.i32_and);
        w.byte(OP.i32_eqz);
        w.byte(OP.if);
        w.byte(VOID);
        w.localGet(r.places.pc);
        w.localGet(BUDGET);
        w.byte(OP.return);
        w.byte(OP.end);
      }
      emitChain(r);
      return;
    case "transfer":
      emitTransfer(emitterOf(r, ending.last, dirty, 1), ending.meaning, r.options.mode);
      r.lender.giveBack();
      emitSave(w, r.options, r.places, dirty);
      w.localGet(DEPTH);
      w.withConst(STATE.cut, OP.i32_or);
      w.localSet(DEPTH);
      emitLikelyChain(r, r.options.likelyTarget(ending.last));
      return;
    case "exit":
      w.i32Const(packExit(ending.last.at, 1));
      w.op(
        OP.br,
        depthOf(r.frames, (frame) => frame.kind === "exit" && frame.dirty === dirty),
      );
      return;
  }
}

const NO_GROUPS: ReadonlyMap<RegionInstruction, AccessGroup> = new Map();

function emitterOf(
  r: RegionEmitter,
  instruction: RegionInstruction,
  dirty: RegisterSet,
  refund: number,
  groups: ReadonlyMap<RegionInstruction, AccessGroup> = NO_GROUPS,
): InstructionEmitter {
  const { w, places, options, lender } = r;
  return {
    groups,
    groupPlace: places.group,
    w,
    places,
    options,
    bareRam: options.bareRam,
    pc: options.pc,
    borrow: lender.borrow,
    leaf: (leaf, type) => emitLeaf(w, options, places, instruction, { pc: options.pc, refund }, leaf, type),
    exitIf: (condition, extraDepth) => emitExitIf(r, dirty, packExit(instruction.at, refund), extraDepth, condition),
  };
}

function emitBlock(r: RegionEmitter, index: number): void {
  const { w, graph, flow, lender } = r;
  const block = graph.blocks[index];
  const facts = flow[index];
  if (block === undefined || facts === undefined) throw new Error(`no block ${index}`);
  let dirty = facts.dirtyIn;
  if (facts.checkpoint > 0) {
    emitExitIf(r, dirty, packExit(block.at, 0), 0, () => {
      w.localGet(BUDGET);
      w.withConst(facts.checkpoint, OP.i32_lt_u);
    });
  }
  if (block.length > 0) {
    w.localGet(BUDGET);
    w.withConst(block.length, OP.i32_sub);
    w.localSet(BUDGET);
  }
  const groups = r.options.bareRam === undefined ? NO_GROUPS : groupAccesses(block.instructions);
  block.instructions.forEach((instruction, position) => {
    emitInstruction(emitterOf(r, instruction, dirty, block.length - position, groups), instruction);
    lender.giveBack();
    dirty |= registerWritten(instruction);
  });
  emitEnding(r, index, block, dirty);
}

/** The block with everything that it dominates. What several edges lead to, follows behind a label around the rest. */
function emitTree(r: RegionEmitter, index: number): void {
  const { w, graph, flow, frames } = r;
  const isLoop = flow[index]?.isLoopHead === true;
  if (isLoop) {
    w.byte(OP.loop);
    w.byte(VOID);
    frames.push({ kind: "loop", block: index });
  }
  const merges = (graph.dominators.children[index] ?? []).filter((child) => graph.dominators.merges[child] === true).sort((a, b) => b - a);
  for (const merge of merges) {
    w.byte(OP.block);
    w.byte(VOID);
    frames.push({ kind: "before", block: merge });
  }
  emitBlock(r, index);
  for (const merge of merges.reverse()) {
    frames.pop();
    w.byte(OP.end);
    emitTree(r, merge);
  }
  if (isLoop) {
    frames.pop();
    w.byte(OP.end);
    w.byte(OP.unreachable);
  }
}

/** Locals and code of the region's function. */
export function writeRegion(graph: RegionGraph, options: RegionOptions): Uint8Array {
  const flow = analyse(graph);
  const places = createPlaces(options.width);
  const w = new ByteWriter(0x1000);
  const r: RegionEmitter = { w, graph, flow, options, places, frames: [], lender: createLender(places) };
  const sets = exitSets(graph, flow);
  for (const dirty of sets) {
    w.byte(OP.block);
    w.byte(I32);
    r.frames.push({ kind: "exit", dirty });
  }
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(places.tlb);
  emitCheckGuess(r);
  emitLoad(w, options, places, flow[0]?.liveIn ?? 0);
  emitTree(r, 0);
  w.byte(OP.unreachable);
  for (const dirty of [...sets].reverse()) {
    r.frames.pop();
    w.byte(OP.end);
    emitExitEnd(r, dirty);
  }
  // Each set's end returns, so nothing comes here.
  w.byte(OP.unreachable);
  w.byte(OP.end);
  // An empty page cache has a tag that no address has: one with bits that the mask takes away.
  const body = new ByteWriter(w.length + 0x100);
  writeLocals(body, places.types());
  places.forEachTag((tag) => {
    body.i64Const(-1);
    body.localSet(tag);
  });
  body.append(w.view());
  return body.view();
}

// Third step of translation, the function as a whole: structured control flow out of the dominator tree (Ramsey, "Beyond Relooper",
// 2022), the budget, calls, and the ways out. A region is a function (budget, depth, pc) -> (pc, budget). Where it leads to another one it
// calls that in its own place. Otherwise it returns: an even pc says "go on there"; with bit 0 set it says that the instruction there
// wants the interpreter, or that no caller may go on. A guest call is a call: when it comes back with the pc behind it, the caller goes
// on, otherwise it returns in turn, so that whatever a guest does with its stack unwinds to the dispatcher. All registers are in their
// cells at every such border.

import { I32, OP, VOID, ByteWriter, writeLocals } from "../../wasm/encoder.ts";
import { emitModeSwitch, RAM, readCell, wrapAddress, writeCell, type MemoryLayout } from "../emit-memory.ts";
import { emitExpression } from "../emit-expression.ts";
import type { Mode } from "../hart.ts";
import { CELL } from "../state.ts";
import {
  addressAt,
  BUDGET,
  createLender,
  createPlaces,
  DEPTH,
  emitDeviceAddress,
  emitDeviceData,
  emitInstruction,
  emitLeaf,
  emitLoad,
  emitMirroredLoad,
  emitSave,
  emitSum,
  emitTakeLoaded,
  emitTransfer,
  registerCell,
  type BareRam,
  type InstructionEmitter,
  type Places,
} from "./emit-instruction.ts";
import {
  COLD_DOOR,
  DEVICE_DOOR,
  emitChain,
  emitCheckGuess,
  emitGuess,
  emitLikelyChain,
  emitReturn,
  emitTranslationCaches,
  GLOBAL,
  REGION_TYPE,
  SELF,
  STATE,
  TABLE,
} from "./emit-chain.ts";
import { emitCheckedTurns, emitLoopCheck, mayPlan } from "./emit-loop.ts";
import { groupAccesses, type AccessGroup } from "./access-groups.ts";
import { analyse, isDeviceAccess, mayExit, registerWritten, type BlockFlow, type RegisterSet } from "./flow.ts";
import { planLoops, withExits, type LoopPlan } from "./loop-plans.ts";
import { LINKS, type Block, type Edge, type Ending, type JumpTarget, type RegionGraph, type RegionInstruction } from "./graph.ts";

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

type Frame =
  | { readonly kind: "exit"; readonly dirty: RegisterSet }
  /** `again`: around the versions of a planned loop. */
  | { readonly kind: "before" | "loop" | "again"; readonly block: number }
  | { readonly kind: "plain" };

interface RegionEmitter {
  readonly w: ByteWriter;
  readonly graph: RegionGraph;
  readonly flow: readonly BlockFlow[];
  readonly options: RegionOptions;
  readonly places: Places;
  /** What encloses the place that is written, the innermost last. */
  readonly frames: Frame[];
  readonly lender: ReturnType<typeof createLender>;
  readonly plans: ReadonlyMap<number, LoopPlan>;
  /** The version of a planned loop that is being written. */
  version: LoopVersion | undefined;
}

interface LoopVersion {
  readonly plan: LoopPlan;
  /** The budget at which it is left. */
  readonly stop: number;
  readonly isChecked: boolean;
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

/** TypeScript executes the instruction: 1 on the stack if the region may go on. */
function emitDoor({ w, options }: RegionEmitter, last: RegionInstruction, site: number, door: () => void): void {
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.i64Const(addressAt(options, options.pc, last.at)));
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  w.op(OP.global_get, GLOBAL.sites);
  w.withConst(site, OP.i32_add);
  door();
}

/** Behind it; what is on the stack says whether the region is to be left: it trapped, was interrupted, has to stop, or changed what code or addresses mean. */
function emitLeaveIf({ w, options }: RegionEmitter): void {
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  w.byte(OP.if);
  w.byte(VOID);
  readCell(w, options, OP.i64_load, CELL.pc);
  w.i64Const(1);
  w.byte(OP.i64_or);
  w.localGet(BUDGET);
  w.byte(OP.return);
  w.byte(OP.end);
}

function emitCold(r: RegionEmitter, index: number, ending: Extract<Ending, { kind: "cold" }>, dirty: RegisterSet): void {
  const { w, options, places } = r;
  const { last, next } = ending;
  emitSave(w, options, places, dirty);
  if (isDeviceAccess(ending)) emitDeviceAccess(r, last, dirty);
  else {
    emitDoor(r, last, options.siteOf(last), () => w.call(COLD_DOOR));
    w.byte(OP.i32_eqz);
    readCell(w, options, OP.i64_load, CELL.pc);
    w.i64Const(addressAt(options, options.pc, last.at + last.instruction.length));
    w.byte(OP.i64_ne);
    w.byte(OP.i32_or);
    emitLeaveIf(r);
    emitReload(r, next);
  }
  emitEdge(r, index, next, 0);
}

/**
 * From the mirror, if it is a load; else by a call that gets what it needs as numbers; and if nothing is known of the page, by one that finds out.
 * A load or store goes to the next instruction or traps, so that the result says it all, and no register changes but rd.
 */
function emitDeviceAccess(r: RegionEmitter, last: RegionInstruction, dirty: RegisterSet): void {
  const { w, places, options } = r;
  const e = emitterOf(r, last, dirty, 1);
  const site = options.siteOf(last);
  const open = (): void => {
    w.byte(OP.block);
    w.byte(VOID);
  };
  open(); // done
  open(); // called
  open(); // unknown
  emitDeviceAddress(e, last, 0);
  if (last.operation.kind === "load") {
    open(); // not in the mirror
    emitMirroredLoad(e, last, 0);
    emitSave(w, options, places, registerWritten(last));
    w.op(OP.br, 3);
    w.byte(OP.end);
  }
  emitDoor(r, last, site, () => {
    w.localGet(places.address);
    w.byte(OP.i32_wrap_i64);
    emitDeviceData(e, last);
    w.call(DEVICE_DOOR);
  });
  w.localSet(places.at);
  w.op(OP.br, 1);
  w.byte(OP.end);
  emitDoor(r, last, site, () => w.call(COLD_DOOR));
  w.localSet(places.at);
  w.byte(OP.end);
  w.localGet(places.at);
  w.byte(OP.i32_eqz);
  emitLeaveIf(r);
  emitTakeLoaded(e, last);
  w.byte(OP.end);
}

/** To those places of the region that the pc in `places.pc` may be of. */
function emitTargets(r: RegionEmitter, index: number, targets: readonly JumpTarget[]): void {
  const { w, options, places } = r;
  for (const { at, edge } of targets) {
    w.localGet(places.pc);
    w.i64Const(addressAt(options, options.pc, at));
    w.byte(OP.i64_eq);
    w.op(OP.br_if, labelDepth(r, index, edge.block));
  }
}

/**
 * Where the mode stays and the region has what comes next, nothing else is to do: callers know of no more than they would of a jump. Otherwise they
 * are cut off, since they hold on to addresses of the mode before.
 */
function emitTransferEnd(r: RegionEmitter, index: number, ending: Extract<Ending, { kind: "transfer" }>, dirty: RegisterSet): void {
  const { w, options, places, lender } = r;
  const mode = emitTransfer(emitterOf(r, ending.last, dirty, 1), ending.meaning, options.mode);
  if (mode === undefined) emitTargets(r, index, ending.targets);
  else {
    if (ending.targets.length > 0) {
      w.localGet(mode);
      w.withConst(options.mode, OP.i32_eq);
      w.byte(OP.if);
      w.byte(VOID);
      r.frames.push({ kind: "plain" });
      emitTargets(r, index, ending.targets);
      r.frames.pop();
      w.byte(OP.end);
    }
    emitModeSwitch(w, options, { mode, tlb: places.tlb });
  }
  lender.giveBack();
  emitSave(w, options, places, dirty);
  w.localGet(DEPTH);
  w.withConst(STATE.cut, OP.i32_or);
  w.localSet(DEPTH);
  emitLikelyChain(r, options.likelyTarget(ending.last));
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
      emitTargets(r, index, ending.targets);
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
      return emitTransferEnd(r, index, ending, dirty);
    case "exit":
      w.i32Const(packExit(ending.last.at, 1));
      w.op(
        OP.br,
        depthOf(r.frames, (frame) => frame.kind === "exit" && frame.dirty === dirty),
      );
      return;
  }
}

const NO_STREAMS: LoopPlan["streamOf"] = new Map();
const NO_GROUPS: ReadonlyMap<RegionInstruction, AccessGroup> = new Map();

function emitterOf(
  r: RegionEmitter,
  instruction: RegionInstruction,
  dirty: RegisterSet,
  refund: number,
  groups: ReadonlyMap<RegionInstruction, AccessGroup> = NO_GROUPS,
): InstructionEmitter {
  const { w, places, options, lender, version } = r;
  return {
    streamOf: version?.isChecked === false ? version.plan.streamOf : NO_STREAMS,
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

function emitCheckpoint(r: RegionEmitter, { at }: Block, { dirtyIn, checkpoint }: BlockFlow): void {
  emitExitIf(r, dirtyIn, packExit(at, 0), 0, () => {
    r.w.localGet(BUDGET);
    r.w.withConst(checkpoint, OP.i32_lt_u);
  });
}

/** The head of a version: enough of the budget is left for the turn, and the turn is one of those for which the version was chosen. */
function emitVersionHead({ w, frames }: RegionEmitter, { plan, stop }: LoopVersion): void {
  w.localGet(BUDGET);
  w.withLocal(stop, OP.i32_lt_u);
  w.op(
    OP.br_if,
    depthOf(frames, (frame) => frame.kind === "again" && frame.block === plan.head),
  );
}

function emitBlock(r: RegionEmitter, index: number): void {
  const { w, graph, flow, lender } = r;
  const block = graph.blocks[index];
  const facts = flow[index];
  if (block === undefined || facts === undefined) throw new Error(`no block ${index}`);
  let dirty = facts.dirtyIn;
  if (r.version?.plan.head === index) emitVersionHead(r, r.version);
  else if (facts.checkpoint > 0) emitCheckpoint(r, block, facts);
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
  const { flow, plans } = r;
  const plan = plans.get(index);
  if (plan?.isInner === true) return emitLoop(r, "loop", index, () => emitPlannedLoop(r, plan));
  if (plan !== undefined) return emitPlannedLoop(r, plan);
  const children = childrenOf(r, index);
  if (flow[index]?.isLoopHead === true) emitLoop(r, "loop", index, () => emitBefore(r, children, () => emitBlock(r, index)));
  else emitBefore(r, children, () => emitBlock(r, index));
}

/** What it dominates, but for what follows the planned loop that is being written. */
function childrenOf({ graph, version }: RegionEmitter, index: number): readonly number[] {
  const children = graph.dominators.children[index] ?? [];
  return version === undefined ? children : children.filter((child) => version.plan.blocks.has(child));
}

function emitLoop({ w, frames }: RegionEmitter, kind: "loop" | "again", block: number, contents: () => void): void {
  w.byte(OP.loop);
  w.byte(VOID);
  frames.push({ kind, block });
  contents();
  frames.pop();
  w.byte(OP.end);
  w.byte(OP.unreachable);
}

/** The contents, and behind them those of the blocks that have labels, each behind its own. */
function emitBefore(r: RegionEmitter, blocks: readonly number[], contents: () => void): void {
  const { w, frames } = r;
  const labelled = blocks.filter((block) => r.graph.dominators.merges[block] === true).sort((a, b) => b - a);
  for (const block of labelled) {
    w.byte(OP.block);
    w.byte(VOID);
    frames.push({ kind: "before", block });
  }
  contents();
  for (const block of labelled.reverse()) {
    frames.pop();
    w.byte(OP.end);
    emitTree(r, block);
  }
}

/**
 * The loop in two versions, with checks and without, chosen again when the turns are used up for which one was chosen. What follows the loop
 * is written once, behind both.
 */
function emitPlannedLoop(r: RegionEmitter, plan: LoopPlan): void {
  const { w, graph, flow, frames, places, options } = r;
  const { head, exits } = plan;
  const block = graph.blocks[head];
  const facts = flow[head];
  if (block === undefined || facts === undefined) throw new Error(`no loop ${head}`);
  const stop = places.take(I32);
  const check = { w, options, places, ram: options.bareRam, plan, stop, checked: places.take(I32), checkpoint: facts.checkpoint };
  const emitVersion = (isChecked: boolean): void => {
    r.version = { plan, stop, isChecked };
    emitLoop(r, "loop", head, () => emitBefore(r, childrenOf(r, head), () => emitBlock(r, head)));
    r.version = undefined;
  };
  emitBefore(r, exits, () =>
    emitLoop(r, "again", head, () => {
      emitCheckpoint(r, block, facts);
      w.byte(OP.block);
      w.byte(VOID);
      frames.push({ kind: "plain" });
      emitLoopCheck(check);
      emitVersion(false);
      frames.pop();
      w.byte(OP.end);
      emitCheckedTurns(check);
      emitVersion(true);
    }),
  );
}

/** Locals and code of the region's function. */
export function writeRegion(original: RegionGraph, options: RegionOptions): Uint8Array {
  const flow = analyse(original);
  const plans = mayPlan(options.bareRam) ? planLoops(original, flow, options.bareRam === undefined) : new Map<number, LoopPlan>();
  const graph = withExits(original, plans);
  const places = createPlaces(options.width);
  const w = new ByteWriter(0x1000);
  const r: RegionEmitter = { w, graph, flow, options, places, frames: [], lender: createLender(places), plans, version: undefined };
  const sets = exitSets(graph, flow);
  for (const dirty of sets) {
    w.byte(OP.block);
    w.byte(I32);
    r.frames.push({ kind: "exit", dirty });
  }
  emitCheckGuess(r);
  if (options.bareRam === undefined) emitTranslationCaches(r);
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

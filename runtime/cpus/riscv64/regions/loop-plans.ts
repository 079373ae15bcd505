// Innermost loops that walk through memory: a base register that each turn moves by the same distance, or not at all. In front of such a
// loop it can be told how many turns stay within RAM (and, for stores, within pages to which code may store). For so many turns a second
// version of the loop is run that asks nothing (emit-loop.ts): it only counts. Without that, checks are half of a copy's instructions.

import { registerWritten, type BlockFlow } from "./flow.ts";
import { successorsOf, type Block, type RegionGraph, type RegionInstruction } from "./graph.ts";

/** All accesses of one kind by one base register. */
export interface Stream {
  readonly base: number;
  readonly isWrite: boolean;
  /** Offsets from the base register of the first byte and behind the last one. */
  readonly low: number;
  readonly high: number;
  /** How all of them are aligned if the lowest is; 1 where they need not be. */
  readonly width: number;
  readonly step: Step;
}

/** How far the base moves up in a turn, at most once. */
export type Step = { readonly kind: "none" } | { readonly kind: "constant"; readonly by: number } | { readonly kind: "register"; readonly register: number };

export interface LoopPlan {
  readonly head: number;
  readonly blocks: ReadonlySet<number>;
  /** Blocks behind it that only it leads to, or to what it dominates. */
  readonly exits: readonly number[];
  /** Other loops around it have the same head. */
  readonly isInner: boolean;
  readonly streams: readonly Stream[];
  readonly streamOf: ReadonlyMap<RegionInstruction, Stream>;
  /** Instructions of the shortest turn. */
  readonly leastTurn: number;
}

/** The loop is written twice. */
const MAX_INSTRUCTIONS = 48;
/** A page must not lie between the first and the last byte. */
const MAX_SPAN = 2048;
const MAX_STREAMS = 4;

/** Plans by the blocks that are heads of their loops. With pages reads have to be aligned too, so that none crosses from one to the next. */
export function planLoops(graph: RegionGraph, flow: readonly BlockFlow[], hasPages: boolean): ReadonlyMap<number, LoopPlan> {
  const plans = new Map<number, LoopPlan>();
  flow.forEach(({ isLoopHead }, head) => {
    if (!isLoopHead) return;
    const latches = (graph.dominators.predecessors[head] ?? []).filter((from) => from >= head);
    // All of it; or one of several loops that share the head, as those of a nest do in a region that begins at the head of the inner one.
    const bodies = [latches, ...latches.map((latch) => [latch])].map((some) => bodyOf(graph, head, some));
    for (const blocks of bodies) {
      if ([...blocks].some((block) => block !== head && flow[block]?.isLoopHead === true)) continue;
      const plan = planLoop(graph, head, blocks, hasPages);
      if (plan === undefined) continue;
      plans.set(head, { ...plan, isInner: latches.some((latch) => !blocks.has(latch)) });
      return;
    }
  });
  return plans;
}

/** What leads back to the head by these blocks without passing it. */
function bodyOf({ dominators: { predecessors } }: RegionGraph, head: number, latches: readonly number[]): ReadonlySet<number> {
  const body = new Set([head]);
  const open = [...latches];
  for (let block = open.pop(); block !== undefined; block = open.pop()) {
    if (body.has(block)) continue;
    body.add(block);
    open.push(...(predecessors[block] ?? []));
  }
  return body;
}

function planLoop(graph: RegionGraph, head: number, blocks: ReadonlySet<number>, hasPages: boolean): Omit<LoopPlan, "isInner"> | undefined {
  const body = [...blocks].sort((a, b) => a - b).flatMap((index) => graph.blocks[index] ?? []);
  if (body.some(({ ending }) => ending.kind !== "jump" && ending.kind !== "branch")) return undefined;
  const instructions = body.flatMap((block) => block.instructions);
  if (instructions.length > MAX_INSTRUCTIONS) return undefined;
  const streamOf = findStreams(instructions, hasPages);
  const streams = [...new Set(streamOf.values())];
  if (streams.length === 0 || streams.length > MAX_STREAMS) return undefined;
  const exits = [...blocks].flatMap((block) => graph.dominators.children[block] ?? []).filter((child) => !blocks.has(child));
  return { head, blocks, exits, streams, streamOf, leastTurn: leastTurn(graph.blocks, head, blocks) };
}

function findStreams(instructions: readonly RegionInstruction[], hasPages: boolean): ReadonlyMap<RegionInstruction, Stream> {
  const accesses = Map.groupBy(instructions.filter(isAccess), ({ rs1, operation }) => rs1 * 2 + (operation.kind === "store" ? 1 : 0));
  const streamOf = new Map<RegionInstruction, Stream>();
  for (const members of accesses.values()) {
    const stream = streamFor(members, instructions, hasPages);
    if (stream !== undefined) for (const member of members) streamOf.set(member, stream);
  }
  return streamOf;
}

const isAccess = ({ operation, rs1 }: RegionInstruction): boolean => (operation.kind === "load" || operation.kind === "store") && rs1 !== 0;

function widthOf({ operation }: RegionInstruction): number {
  if (operation.kind !== "load" && operation.kind !== "store") throw new Error("no access");
  return operation.meaning.width;
}

function streamFor(members: readonly RegionInstruction[], instructions: readonly RegionInstruction[], hasPages: boolean): Stream | undefined {
  const [first] = members;
  if (first === undefined) return undefined;
  const base = first.rs1;
  const isWrite = first.operation.kind === "store";
  const low = Math.min(...members.map(({ imm }) => imm));
  const high = Math.max(...members.map((member) => member.imm + widthOf(member)));
  const width = isWrite || hasPages ? Math.max(...members.map(widthOf)) : 1;
  const step = stepOf(base, instructions);
  if (step === undefined || high - low > MAX_SPAN) return undefined;
  if (width > 1 && members.some((member) => (member.imm - low) % widthOf(member) !== 0)) return undefined;
  if (step.kind === "constant" && step.by % width !== 0) return undefined;
  return { base, isWrite, low, high, width, step };
}

function stepOf(base: number, instructions: readonly RegionInstruction[]): Step | undefined {
  const definitions = instructions.filter((one) => registerWritten(one) === 1 << base);
  const [only] = definitions;
  if (only === undefined) return { kind: "none" };
  if (definitions.length > 1) return undefined;
  const { mnemonic } = only.instruction;
  if (mnemonic === "addi" && only.rs1 === base) return only.imm > 0 ? { kind: "constant", by: only.imm } : undefined;
  if (mnemonic !== "add" || (only.rs1 === base) === (only.rs2 === base)) return undefined;
  const register = only.rs1 === base ? only.rs2 : only.rs1;
  const isFixed = register !== 0 && instructions.every((one) => registerWritten(one) !== 1 << register);
  return isFixed ? { kind: "register", register } : undefined;
}

/** Blocks are in reverse postorder, and none of them but the first is a loop's head: every edge within leads forward. */
function leastTurn(all: readonly Block[], head: number, blocks: ReadonlySet<number>): number {
  const reached = new Map([[head, 0]]);
  let least = Infinity;
  for (const index of [...blocks].sort((a, b) => a - b)) {
    const block = all[index];
    if (block === undefined) continue;
    const behind = (reached.get(index) ?? Infinity) + block.length;
    for (const edge of successorsOf(block.ending)) {
      if (edge.kind === "leave") continue;
      if (edge.block === head) least = Math.min(least, behind);
      else reached.set(edge.block, Math.min(reached.get(edge.block) ?? Infinity, behind));
    }
  }
  return least;
}

/** What follows a planned loop has a label, whatever leads there: it is written behind the loop, not within it. */
export function withExits(graph: RegionGraph, plans: ReadonlyMap<number, LoopPlan>): RegionGraph {
  const labels = new Set([...plans.values()].flatMap(({ exits }) => exits));
  const { dominators } = graph;
  return { ...graph, dominators: { ...dominators, merges: dominators.merges.map((isMerge, block) => isMerge || labels.has(block)) } };
}

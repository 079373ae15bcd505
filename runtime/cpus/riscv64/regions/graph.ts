// First step of translation: the control flow of the code that is reached from one pc. A region is a guest function or what is left of
// one from a loop's head on: blocks of instructions with the edges between them. It knows no WebAssembly and no machine; code comes from
// a function. Calls end a block and go on behind it; those of the region's own entry are jumps, and returns may lead behind them: a guest's
// state is registers and memory, so that nothing is lost by it. So are calls to the environment whose handler runs in the same mode. An edge out of the region, or into the middle of a loop (which structured
// control flow cannot express), leaves: the dispatcher finds another region there, or the interpreter goes on.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { I32, I64 } from "../../wasm/encoder.ts";
import type { ExpandedInstruction } from "../../../../isa/riscv64/expand.ts";
import { encodeInstruction } from "../encode.ts";
import { MODE, type Mode } from "../hart.ts";
import { branchesOf, findOperation, type Operation } from "../operations.ts";
import { binary, constant, leaf, type Expression } from "../semantics/expressions.ts";
import type { Guarded } from "../semantics/guarded.ts";
import { specialiseGuarded } from "../semantics/specialise.ts";
import { dominatorsOf, type Dominators } from "./dominators.ts";

/** An instruction at its distance in bytes from the region's entry. */
export interface RegionInstruction {
  readonly at: number;
  readonly instruction: ExpandedInstruction;
  readonly bits: number;
  readonly operation: Operation;
  /** Operands as the operation takes them. */
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly imm: number;
}

/** Where control goes: a block of the region by its number, or out of it to a distance from the entry. */
export type Edge = { readonly kind: "block"; readonly block: number } | { readonly kind: "leave"; readonly at: number };

export type Ending =
  | { readonly kind: "jump"; readonly target: Edge }
  | { readonly kind: "branch"; readonly last: RegionInstruction; readonly taken: Expression; readonly target: Edge; readonly next: Edge }
  /** `target` is a distance; undefined: it comes from a register. */
  | { readonly kind: "call"; readonly last: RegionInstruction; readonly target: number | undefined; readonly next: Edge }
  /** `targets`: where it has led so far, as far as that is in the region, the most frequent first; of a return, what is behind calls of the entry. */
  | { readonly kind: "jump-register"; readonly last: RegionInstruction; readonly targets: readonly JumpTarget[] }
  /** Maybe to another mode: what addresses mean changes. `targets`: where it leads in the region if the mode stays. */
  | { readonly kind: "transfer"; readonly last: RegionInstruction; readonly meaning: Guarded; readonly targets: readonly JumpTarget[] }
  /** TypeScript executes the instruction, then the region goes on. */
  | { readonly kind: "cold"; readonly last: RegionInstruction; readonly next: Edge }
  /** The interpreter executes it; where it leads, nobody knows. */
  | { readonly kind: "exit"; readonly last: RegionInstruction };

/** A place to which a register may lead, by its distance from the region's entry. */
export interface JumpTarget {
  readonly at: number;
  readonly edge: Edge & { readonly kind: "block" };
}

export interface Block {
  readonly at: number;
  /** Without the one that the ending names. */
  readonly instructions: readonly RegionInstruction[];
  readonly ending: Ending;
  /** Instructions, that of the ending included. */
  readonly length: number;
  /** The distance behind its last byte. */
  readonly end: number;
}

/** Blocks in reverse postorder, the entry first. */
export interface RegionGraph {
  readonly blocks: readonly Block[];
  readonly dominators: Dominators;
}

export interface FetchedInstruction {
  readonly instruction: ExpandedInstruction;
  readonly bits: number;
}

export interface CodeSource {
  readonly width: RegisterWidth;
  /** Undefined: no instruction, or none that may be looked at. */
  readonly instructionAt: (at: number) => FetchedInstruction | undefined;
  /** In which the code is executed. */
  readonly mode: Mode;
  /** Where the jump to a register at this distance has led, as far as was seen: distances from the entry, the most frequent first. */
  readonly targetsOf: (at: number) => readonly number[];
  /** The access at this distance goes to a device, as far as was seen. */
  readonly isSlow: (at: number) => boolean;
  /** Where a trap or a return from one would lead, if it were executed now, and stayed in the mode. */
  readonly transferTarget: (mnemonic: Mnemonic) => number | undefined;
}

/** What is part of the region although it leads out of a function: calls of the region's entry; handlers of calls to the environment, to their return. */
interface Joins {
  readonly calls: boolean;
  readonly traps: boolean;
}

/** One after the other until one makes a graph of which every edge can be kept. */
const JOINS: readonly Joins[] = [
  { calls: true, traps: true },
  { calls: true, traps: false },
  { calls: false, traps: false },
];

interface Exploration extends CodeSource {
  readonly joins: Joins;
}

const COLD: Operation = { kind: "cold" };
const MAX_INSTRUCTIONS = 600;
/** Of calls of the entry, or to the environment: each return asks for one after the other. */
const MAX_LINKS = 8;
/** With a handler in it: a long one would be compiled once for each region that calls it. */
const MAX_WITH_HANDLER = 100;
/** An exit says in eight bits how many instructions of its block were not begun. */
const MAX_BLOCK = 200;

/** What TypeScript executes without ending the region. All others of its kind change mode, translation or the hart's state. */
const STAYS = /^(csr|f(?!ence))/;

const UPPER_SHIFT = 12;
const ECALL_BYTES = 4;

/** A jump by one of these is a return (Volume I, 2.5), which the caller's frame waits for if there is one. */
export const LINKS: ReadonlySet<number> = new Set([1, 5]);

interface Found extends RegionInstruction {
  readonly successors: readonly number[];
  readonly endsBlock: boolean;
  /** It calls the region's entry, and is executed as a link and a jump. */
  readonly isOwnCall?: true;
  /** A call to the environment whose handler is part of the region. */
  readonly isOwnTrap?: true;
}

const linkOf = ({ at, instruction }: RegionInstruction): number => at + instruction.length;

function isColdInstruction({ operation, instruction: { mnemonic }, at }: RegionInstruction, source: CodeSource): boolean {
  if (operation.kind === "cold") return STAYS.test(mnemonic);
  return (operation.kind === "load" || operation.kind === "store") && source.isSlow(at);
}

const specialised = new Map<Mode, WeakMap<Operation, Operation>>();

/** The operation as it is in this mode. */
function inMode(operation: Operation, mode: Mode): Operation {
  if (operation.kind !== "guarded") return operation;
  const known = specialised.get(mode) ?? new WeakMap<Operation, Operation>();
  specialised.set(mode, known);
  let found = known.get(operation);
  if (found === undefined) {
    found = { kind: "guarded", meaning: specialiseGuarded(operation.meaning, { mode: BigInt(mode) }) };
    known.set(operation, found);
  }
  return found;
}

/** What a call does besides jumping. */
function linking(length: number, width: RegisterWidth): Operation {
  const type = width === 64 ? I64 : I32;
  return { kind: "compute", value: binary(width === 64 ? "i64_add" : "i32_add", leaf("pc", type), constant(length, type)) };
}

const isReturn = ({ instruction: { mnemonic }, rd, rs1 }: RegionInstruction): boolean => mnemonic === "jalr" && rd === 0 && LINKS.has(rs1);

function find(at: number, source: Exploration): Found | undefined {
  const fetched = source.instructionAt(at);
  if (fetched === undefined) return undefined;
  const { instruction } = fetched;
  const { width } = source;
  const { mnemonic } = instruction;
  const { name, rd = 0, rs1 = 0, rs2 = 0, imm = 0 } = encodeInstruction(instruction, 0, width);
  const operation = inMode(findOperation(name, width) ?? COLD, source.mode);
  const found = { at, ...fetched, operation, rd, rs1, rs2, imm };
  const next = at + instruction.length;
  if (mnemonic === "jal") {
    const target = at + instruction.imm;
    if (target === 0 && LINKS.has(rd) && source.joins.calls)
      return { ...found, operation: linking(instruction.length, width), successors: [target], endsBlock: true, isOwnCall: true };
    return { ...found, successors: instruction.rd === 0 ? [target] : [next], endsBlock: true };
  }
  if (mnemonic === "jalr") return { ...found, successors: instruction.rd !== 0 ? [next] : LINKS.has(rs1) ? [] : source.targetsOf(at), endsBlock: true };
  if (branchesOf(width).has(mnemonic)) return { ...found, successors: [next, at + instruction.imm], endsBlock: true };
  if (isColdInstruction(found, source)) return { ...found, successors: [next], endsBlock: true };
  const leaves = operation.kind === "cold" || (operation.kind === "guarded" && operation.meaning.transfer !== undefined);
  if (leaves) {
    const handler = mnemonic === "ecall" && source.joins.traps ? source.transferTarget(mnemonic) : undefined;
    return handler === undefined ? { ...found, successors: [], endsBlock: true } : { ...found, successors: [handler], endsBlock: true, isOwnTrap: true };
  }
  return { ...found, successors: [next], endsBlock: false };
}

interface Explored {
  readonly found: ReadonlyMap<number, Found>;
  readonly leaders: Set<number>;
  /** Places behind calls of the entry, and behind those to the environment. */
  readonly links: readonly number[];
  readonly trapLinks: readonly number[];
  /** What was joined is not too much. */
  readonly isShort: boolean;
}

/** By which handlers return to where they were entered from, in a mode that has both. */
const RETURNS: ReadonlyMap<Mode, Mnemonic> = new Map([
  [MODE.machine, "mret"],
  [MODE.supervisor, "sret"],
]);

/** All instructions that are reached, nearest first, and where blocks begin. */
function explore(source: Exploration): Explored {
  const found = new Map<number, Found>();
  const links: number[] = [];
  const trapLinks: number[] = [];
  const leaders = new Set([0]);
  const queue = [0];
  const follow = (at: number): void => {
    leaders.add(at);
    queue.push(at);
  };
  const walk = (): void => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      let at = next;
      while (!found.has(at) && found.size < MAX_INSTRUCTIONS) {
        const instruction = find(at, source);
        if (instruction === undefined) break;
        found.set(at, instruction);
        if (instruction.endsBlock) {
          const { isOwnCall, isOwnTrap, successors } = instruction;
          if (isOwnCall === true) links.push(linkOf(instruction));
          if (isOwnTrap === true) trapLinks.push(linkOf(instruction));
          if (isOwnCall !== true) successors.forEach(follow);
          if (isOwnCall === true || isOwnTrap === true) follow(linkOf(instruction));
          break;
        }
        at += instruction.instruction.length;
        // Where an earlier walk went on.
        if (found.has(at)) leaders.add(at);
      }
    }
  };
  walk();
  const trapReturn = source.joins.traps ? RETURNS.get(source.mode) : undefined;
  const returnsFromTrap = (): number[] => [...found.values()].filter(({ instruction }) => instruction.mnemonic === trapReturn).map(({ at }) => at);
  // From a handler on: back to the call that it was entered for, which may lead to it again.
  if (trapReturn !== undefined && trapLinks.length === 0 && returnsFromTrap().length > 0) {
    const behind = source.transferTarget(trapReturn);
    if (behind !== undefined && source.instructionAt(behind - ECALL_BYTES)?.instruction.mnemonic === "ecall") follow(behind);
    walk();
  }
  const redirect = (at: number, successors: readonly number[]): void => {
    const instruction = found.get(at);
    if (instruction !== undefined) found.set(at, { ...instruction, successors });
  };
  if (links.length > 0) for (const [at, instruction] of found) if (isReturn(instruction)) redirect(at, links);
  const returns = trapLinks.length > 0 ? returnsFromTrap() : [];
  for (const at of returns) redirect(at, trapLinks);
  const isShort =
    links.length <= MAX_LINKS && (trapLinks.length === 0 || (trapLinks.length <= MAX_LINKS && returns.length > 0 && found.size <= MAX_WITH_HANDLER));
  return { found, leaders, links, trapLinks, isShort };
}

interface Draft {
  readonly at: number;
  readonly instructions: readonly RegionInstruction[];
  readonly last: Found;
  readonly successors: readonly number[];
}

function draftBlock(at: number, found: ReadonlyMap<number, Found>, leaders: Set<number>): Draft | undefined {
  const instructions: RegionInstruction[] = [];
  for (let position = at; ;) {
    const instruction = found.get(position);
    if (instruction === undefined) return undefined;
    const { successors } = instruction;
    if (instruction.isOwnCall === true) return { at, instructions: [...instructions, instruction], last: { ...instruction, endsBlock: false }, successors };
    if (instruction.endsBlock) return { at, instructions, last: instruction, successors };
    instructions.push(instruction);
    position += instruction.instruction.length;
    if (instructions.length === MAX_BLOCK) leaders.add(position);
    if (leaders.has(position) || !found.has(position)) return { at, instructions, last: instruction, successors: [position] };
  }
}

/** `auipc` and `jalr` as a pair lead to one place. */
function farTarget({ instruction }: RegionInstruction, before: RegionInstruction | undefined): number | undefined {
  if (before === undefined || before.instruction.mnemonic !== "auipc" || before.rd !== instruction.rs1) return undefined;
  return before.at + (before.instruction.imm << UPPER_SHIFT) + instruction.imm;
}

const targetAt = (at: number, edge: Edge): readonly JumpTarget[] => (edge.kind === "block" ? [{ at, edge }] : []);

function endingOf({ instructions, last, successors }: Draft, edge: (at: number) => Edge, source: CodeSource): Ending {
  const { instruction } = last;
  const [next = 0, target = 0] = successors;
  if (!last.endsBlock || (instruction.mnemonic === "jal" && instruction.rd === 0)) return { kind: "jump", target: edge(next) };
  if (instruction.mnemonic === "jal") return { kind: "call", last, target: last.at + instruction.imm, next: edge(linkOf(last)) };
  if (instruction.mnemonic === "jalr") {
    return instruction.rd === 0
      ? { kind: "jump-register", last, targets: successors.flatMap((at) => targetAt(at, edge(at))) }
      : { kind: "call", last, target: farTarget(last, instructions.at(-1)), next: edge(linkOf(last)) };
  }
  const taken = branchesOf(source.width).get(instruction.mnemonic);
  if (taken !== undefined) return { kind: "branch", last, taken, target: edge(target), next: edge(next) };
  if (last.operation.kind === "guarded")
    return { kind: "transfer", last, meaning: last.operation.meaning, targets: successors.flatMap((at) => targetAt(at, edge(at))) };
  return isColdInstruction(last, source) ? { kind: "cold", last, next: edge(next) } : { kind: "exit", last };
}

/** Reverse postorder of the blocks that are reached by the edges that `isEdge` lets pass. */
function orderBlocks(drafts: ReadonlyMap<number, Draft>, isEdge: (from: number, to: number) => boolean): number[] {
  const seen = new Set([0]);
  const order: number[] = [];
  const path: { readonly at: number; readonly rest: number[] }[] = [];
  const push = (at: number): void => {
    // Reversed, so that the code that falls through comes right behind.
    path.push({ at, rest: [...(drafts.get(at)?.successors ?? [])] });
  };
  push(0);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.rest.pop();
    if (next === undefined) {
      order.push(top.at);
      path.pop();
    } else if (drafts.has(next) && !seen.has(next) && isEdge(top.at, next)) {
      seen.add(next);
      push(next);
    }
  }
  return order.reverse();
}

/** Undefined if there is no instruction at the entry, or only one that the region could not execute itself. */
export function buildGraph(source: CodeSource): RegionGraph | undefined {
  let graph: ReturnType<typeof connect>;
  for (const joins of JOINS) {
    const explored = explore({ ...source, joins });
    graph = connect(source, explored);
    const isPlain = explored.links.length === 0 && explored.trapLinks.length === 0;
    // Loops around calls may get a second way in, behind a return: then these stay calls.
    if (isPlain || (explored.isShort && graph?.hasCuts === false)) break;
  }
  return graph;
}

/** `hasCuts`: there are edges that leave although they lead to a block. */
function connect(source: CodeSource, { found, leaders }: Explored): (RegionGraph & { readonly hasCuts: boolean }) | undefined {
  const drafts = new Map<number, Draft>();
  // A block that is too long makes a new leader behind it, which the iteration comes to as well.
  for (const at of leaders) {
    const draft = draftBlock(at, found, leaders);
    if (draft !== undefined) drafts.set(at, draft);
  }
  const first = drafts.get(0);
  if (first === undefined) return undefined;
  if (first.instructions.length === 0 && endingOf(first, () => ({ kind: "leave", at: 0 }), source).kind === "exit") return undefined;

  const cut = new Set<string>();
  const isEdge = (from: number, to: number): boolean => !cut.has(`${from},${to}`);
  for (;;) {
    const order = orderBlocks(drafts, isEdge);
    const numbers = new Map(order.map((at, index) => [at, index]));
    const successors = order.map((at) =>
      (drafts.get(at)?.successors ?? []).flatMap((to) => {
        const number = numbers.get(to);
        return number !== undefined && isEdge(at, to) ? [number] : [];
      }),
    );
    const dominators = dominatorsOf(successors);
    let isReducible = true;
    successors.forEach((list, from) => {
      for (const to of list) {
        if (to > from || dominators.dominates(to, from)) continue;
        cut.add(`${order[from]},${order[to]}`);
        isReducible = false;
      }
    });
    if (!isReducible) continue;
    const blocks = order.flatMap((at): Block[] => {
      const draft = drafts.get(at);
      if (draft === undefined) return [];
      const edge = (to: number): Edge => {
        const block = numbers.get(to);
        return block !== undefined && isEdge(at, to) ? { kind: "block", block } : { kind: "leave", at: to };
      };
      const ending = endingOf(draft, edge, source);
      return [{ at, instructions: draft.instructions, ending, length: draft.instructions.length + (draft.last.endsBlock ? 1 : 0), end: linkOf(draft.last) }];
    });
    // A jump through a register or a return from a trap takes one of several ways at one place, so that each of them has to be a label.
    const labels = new Set(
      blocks.flatMap(({ ending }) => (ending.kind === "jump-register" || ending.kind === "transfer" ? ending.targets.map(({ edge }) => edge.block) : [])),
    );
    return { hasCuts: cut.size > 0, blocks, dominators: { ...dominators, merges: dominators.merges.map((isMerge, block) => isMerge || labels.has(block)) } };
  }
}

export function successorsOf(ending: Ending): readonly Edge[] {
  switch (ending.kind) {
    case "jump":
      return [ending.target];
    case "branch":
      return [ending.target, ending.next];
    case "call":
    case "cold":
      return [ending.next];
    case "jump-register":
    case "transfer":
      return ending.targets.map(({ edge }) => edge);
    case "exit":
      return [];
  }
}

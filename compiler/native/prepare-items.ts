// The first step from bytecode to machine code, the same for every target: structured control becomes labels and branches, what
// cannot be reached is dropped, every value gets a register of its own (split-values.ts), and a comparison that only decides a branch
// becomes part of it. Nothing here knows a machine register.

import { INSTRUCTIONS, TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { BytecodeFunction, Instruction, ScalarType } from "../../isa/bytecode/module.ts";
import { coalesceCopies } from "./coalesce-copies.ts";
import { ENDS, registersRead, registersWritten } from "./item-flow.ts";
import type { CompareOp, Comparison, ComputeItem, Item, Items, Label, Region, Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";
import { splitValues } from "./split-values.ts";
import { threadJumps } from "./thread-jumps.ts";

/** The value of the `illegal_instruction` trap that an instruction is on this target, because it is another's; null: it is none. */
export type FindForeign = (instruction: Instruction) => bigint | null;

const ILLEGAL_INSTRUCTION = TRAP_CLASSES.indexOf("illegal_instruction");

/** Labels and branches for the structure; unreachable instructions left out. `types` are those of the registers, and grow. */
function flatten(fn: BytecodeFunction, types: ScalarType[], findForeign: FindForeign): { items: Item[]; labels: number } {
  const items: Item[] = [];
  const regions: Region[] = [];
  let labels = 0;
  let isReachable = true;
  /** Depth of regions opened in unreachable code. */
  let dead = 0;
  const region = (depth: number): Region => {
    const found = regions[regions.length - 1 - depth];
    if (found === undefined) throw new Error(`${fn.name}: depth ${depth} is outside of the function`);
    return found;
  };
  const branchTo = (depth: number): Label => {
    const target = region(depth);
    if (target.kind !== "loop") target.isTarget = true;
    return target.label;
  };
  for (const instruction of fn.body) {
    const { op, type, to, dst, src, imm, at } = instruction;
    if (!isReachable) {
      if (op === "block" || op === "loop" || op === "if") dead++;
      const isInside = dead > 0;
      if (op === "end" && dead > 0) dead--;
      // What closes a region that was opened in reachable code is looked at; nothing else is.
      if (isInside || (op !== "else" && op !== "end")) continue;
    }
    switch (op) {
      case "block":
        regions.push({ kind: "block", label: labels++, otherwise: null, isTarget: false });
        break;
      case "loop": {
        const label = labels++;
        regions.push({ kind: "loop", label, otherwise: null, isTarget: false });
        items.push({ kind: "label", label, isLoop: true, at });
        break;
      }
      case "if": {
        const otherwise = labels++;
        regions.push({ kind: "if", label: labels++, otherwise, isTarget: false });
        items.push({ kind: "branch", label: otherwise, condition: src[0] ?? 0, unless: true, at });
        break;
      }
      case "else": {
        const open = region(0);
        if (isReachable) {
          items.push({ kind: "jump", label: open.label, at });
          open.isTarget = true;
        }
        items.push({ kind: "label", label: open.otherwise ?? 0, isLoop: false, at });
        open.otherwise = null;
        isReachable = true;
        break;
      }
      case "end": {
        const open = regions.pop();
        if (open === undefined) throw new Error(`${fn.name}: an end without a region`);
        // Without an else-part the branch around the region leads here.
        if (open.otherwise !== null) {
          items.push({ kind: "label", label: open.otherwise, isLoop: false, at });
          isReachable = true;
        }
        if (open.kind !== "loop" && open.isTarget) {
          items.push({ kind: "label", label: open.label, isLoop: false, at });
          isReachable = true;
        }
        break;
      }
      case "br":
        items.push({ kind: "jump", label: branchTo(Number(imm[0])), at });
        isReachable = false;
        break;
      case "br_if":
        items.push({ kind: "branch", label: branchTo(Number(imm[0])), condition: src[0] ?? 0, unless: false, at });
        break;
      case "br_table":
        items.push({ kind: "table", index: src[0] ?? 0, labels: imm.map((depth) => branchTo(Number(depth))), at });
        isReachable = false;
        break;
      default: {
        const illegal = findForeign(instruction);
        if (illegal === null) {
          items.push({ kind: "op", op, type, to, dst, src, imm, at });
          if (ENDS.has(op)) isReachable = false;
          break;
        }
        const value = types.push("i64") - 1;
        items.push(
          { kind: "op", op: "const", type: "i64", to: undefined, dst: [value], src: [], imm: [illegal], at },
          { kind: "op", op: "trap", type: undefined, to: undefined, dst: [], src: [value], imm: [ILLEGAL_INSTRUCTION], at },
        );
        isReachable = false;
      }
    }
  }
  return { items, labels };
}

function countReads(item: Item, uses: Int32Array): void {
  const reads = registersRead(item);
  for (let each = 0; each < reads.length; each++) {
    const register = reads[each] ?? 0;
    uses[register] = (uses[register] ?? 0) + 1;
  }
}

const COMPARE_OPS: ReadonlySet<string> = new Set(["eq", "ne", "lt_s", "lt_u", "le_s", "le_u"]);

const INVERSE: Readonly<Record<CompareOp, CompareOp>> = {
  eq: "ne",
  ne: "eq",
  lt_s: "ge_s",
  lt_u: "ge_u",
  le_s: "gt_s",
  le_u: "gt_u",
  gt_s: "le_s",
  gt_u: "le_u",
  ge_s: "lt_s",
  ge_u: "lt_u",
};

function isCompare(op: string): op is CompareOp {
  return COMPARE_OPS.has(op);
}

const useCounts = createSpareTable(0);

const definitions = createSpareTable(-1);

const ownMemory = createSpareTable(0);

/** Comparisons whose only reader is a branch go into the branch; a `not` between them turns it around. */
function fuseComparisons(items: readonly Item[], types: readonly ScalarType[], isLocal: readonly boolean[]): Item[] {
  const uses = useCounts(types.length);
  const definition = definitions(types.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    countReads(item, uses);
    const writes = registersWritten(item);
    for (let each = 0; each < writes.length; each++) definition[writes[each] ?? 0] = index;
  }
  const dropped = new Set<number>();
  const definedBy = (register: Virtual): ComputeItem | null => {
    const item = isLocal[register] === true ? items[definition[register] ?? -1] : undefined;
    return item?.kind === "op" ? item : null;
  };
  const isZero = (register: Virtual): boolean => {
    const item = definedBy(register);
    return item !== null && item.op === "const" && item.imm[0] === 0n;
  };
  /** Operands keep their values up to the branch: they are single values of this block, or nothing between writes them. */
  const isUnchanged = (register: Virtual, from: number, to: number): boolean => {
    if (isLocal[register] === true) return true;
    for (let i = from + 1; i < to; i++) {
      const item = items[i];
      if (item !== undefined && registersWritten(item).includes(register)) return false;
    }
    return true;
  };
  const comparisonOf = (register: Virtual, branch: number): { comparison: Comparison; drop: number[] } | null => {
    const item = definedBy(register);
    if (item === null || uses[register] !== 1 || !isCompare(item.op)) return null;
    const left = item.src[0] ?? 0;
    const right = item.src[1] ?? 0;
    const index = definition[register] ?? -1;
    if (item.op === "eq" && item.type === "i8" && isZero(right)) {
      const inner = comparisonOf(left, branch);
      if (inner !== null) return { comparison: { ...inner.comparison, op: INVERSE[inner.comparison.op] }, drop: [...inner.drop, index] };
    }
    if (!isUnchanged(left, index, branch) || !isUnchanged(right, index, branch)) return null;
    return { comparison: { op: item.op, type: item.type ?? "i64", left, right }, drop: [index] };
  };
  const fused = [...items];
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "branch") continue;
    const found = comparisonOf(item.condition, index);
    if (found === null) continue;
    for (const each of found.drop) dropped.add(each);
    const { comparison } = found;
    fused[index] = {
      kind: "compare-branch",
      label: item.label,
      comparison: item.unless ? { ...comparison, op: INVERSE[comparison.op] } : comparison,
      at: item.at,
    };
  }
  return dropped.size === 0 ? fused : fused.filter((_item, index) => !dropped.has(index));
}

const OWN_MEMORY: ReadonlySet<string> = new Set(["symbol_addr", "frame_addr"]);

const UNTYPED: readonly string[] = ["symbol_addr", "frame_addr", "func_addr", "cpu_id"];

const EFFECTS: ReadonlySet<string> = new Set(["port_in", "load", "load_volatile", "atomic_load", "atomic_rmw", "atomic_cas"]);

/** Instructions without effect besides their result. */
const PURE: ReadonlySet<string> = new Set([
  ...UNTYPED,
  ...INSTRUCTIONS.filter(({ name, traps, types, dst }) => traps !== true && types !== undefined && dst.length === 1 && !EFFECTS.has(name)).map(
    ({ name }) => name,
  ),
]);

/** Leaves out what computes values that nobody reads; backwards, so that chains fall in one go. */
function dropUnused(items: readonly Item[], types: readonly ScalarType[], isLocal: readonly boolean[]): Item[] {
  const uses = useCounts(types.length);
  const isOwn = ownMemory(types.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    countReads(item, uses);
    if (item.kind !== "op" || !OWN_MEMORY.has(item.op)) continue;
    const result = item.dst[0] ?? 0;
    if (isLocal[result] === true) isOwn[result] = 1;
  }
  // A pointer and a length are read together, and often one of them is wanted. Memory of the image itself is there.
  const isOwnLoad = (item: ComputeItem): boolean => item.op === "load" && isOwn[item.src[0] ?? 0] === 1;
  const kept: Item[] = [];
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i];
    if (item === undefined) continue;
    if (item.kind === "op" && item.dst.length === 1) {
      const result = item.dst[0] ?? 0;
      if (isLocal[result] === true && uses[result] === 0 && (PURE.has(item.op) || isOwnLoad(item))) {
        const { src } = item;
        for (let each = 0; each < src.length; each++) {
          const register = src[each] ?? 0;
          uses[register] = (uses[register] ?? 1) - 1;
        }
        continue;
      }
    }
    kept.push(item);
  }
  return kept.reverse();
}

export function prepareItems(fn: BytecodeFunction, findForeign: FindForeign): Items {
  const types = [...fn.registers];
  const flat = flatten(fn, types, findForeign);
  const threaded = threadJumps(flat.items, types.length, flat.labels);
  const { items, labels } = threaded;
  const { isLocal, blocks } = splitValues(types, items, fn.signature.params.length);
  const fused = dropUnused(fuseComparisons(coalesceCopies(items, blocks, types, isLocal), types, isLocal), types, isLocal);
  return { items: fused, types, params: fn.signature.params.length, labels, isLocal };
}

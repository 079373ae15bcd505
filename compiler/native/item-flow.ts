// What an item reads and writes, and where control goes behind it: for all that looks at a function's items as a whole.

import { one } from "../short-lists.ts";
import type { Item, Label, Virtual } from "./items.ts";

/** Bytecode instructions with nothing behind them. */
export const ENDS: ReadonlySet<string> = new Set(["return", "unwind", "trap"]);

export function registersRead(item: Item): readonly Virtual[] {
  switch (item.kind) {
    case "op":
      return item.src;
    case "branch":
      return [item.condition];
    case "compare-branch":
      return [item.comparison.left, item.comparison.right];
    case "table":
      return [item.index];
    case "label":
    case "jump":
      return NONE;
  }
}

const NONE: readonly Virtual[] = [];

export function registersWritten(item: Item): readonly Virtual[] {
  return item.kind === "op" ? item.dst : NONE;
}

/** Whether control may go on with the item behind. */
export function fallsThrough(item: Item): boolean {
  return item.kind === "op" ? !ENDS.has(item.op) : item.kind !== "jump" && item.kind !== "table";
}

export function targetsOf(item: Item): readonly Label[] {
  switch (item.kind) {
    case "jump":
    case "branch":
    case "compare-branch":
      return [item.label];
    case "table":
      return item.labels;
    case "op":
    case "label":
      return NO_LABELS;
  }
}

const NO_LABELS: readonly Label[] = [];

export interface Block {
  /** Its first item, and the one behind its last. */
  readonly start: number;
  readonly end: number;
  /** Blocks that may follow. */
  readonly next: readonly number[];
}

/** `beside`: the block behind, -1 if the item does not go on there. Most blocks have one that follows, or two. */
function following(last: Item | undefined, beside: number, blockOfLabel: readonly number[], own: number): readonly number[] {
  if (last?.kind === "table") return last.labels.map((label) => blockOfLabel[label] ?? own);
  if (last?.kind !== "jump" && last?.kind !== "branch" && last?.kind !== "compare-branch") return beside < 0 ? NONE : one(beside);
  const target = blockOfLabel[last.label] ?? own;
  return beside < 0 ? one(target) : [target, beside];
}

/** The basic blocks, in order. */
export function findBlocks(items: readonly Item[]): readonly Block[] {
  const starts: number[] = [];
  const blockOfLabel: number[] = [];
  let isStart = true;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    if (isStart || item.kind === "label") starts.push(index);
    if (item.kind === "label") blockOfLabel[item.label] = starts.length - 1;
    isStart = item.kind !== "label" && item.kind !== "op";
  }
  starts.push(items.length);
  const blocks: Block[] = [];
  for (let b = 0; b + 1 < starts.length; b++) {
    const end = starts[b + 1] ?? 0;
    const last = items[end - 1];
    const beside = last !== undefined && fallsThrough(last) && b + 2 < starts.length ? b + 1 : -1;
    blocks.push({ start: starts[b] ?? 0, end, next: following(last, beside, blockOfLabel, b) });
  }
  return blocks;
}

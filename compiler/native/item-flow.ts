// What an item reads and writes, and where control goes behind it: for all that looks at a function's items as a whole.

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
      return [];
  }
}

export interface Block {
  /** Its first item, and the one behind its last. */
  readonly start: number;
  readonly end: number;
  /** Blocks that may follow. */
  readonly next: readonly number[];
}

/** The basic blocks, in order. */
export function findBlocks(items: readonly Item[]): readonly Block[] {
  const starts: number[] = [0];
  const blockOfLabel = new Map<Label, number>();
  items.forEach((item, index) => {
    const isStart = item.kind === "label" || (index > 0 && items[index - 1]?.kind !== "label" && items[index - 1]?.kind !== "op");
    if (isStart && starts.at(-1) !== index) starts.push(index);
    if (item.kind === "label") blockOfLabel.set(item.label, starts.length - 1);
  });
  if (starts.at(-1) !== items.length) starts.push(items.length);
  const count = starts.length - 1;
  return Array.from({ length: count }, (_, b): Block => {
    const end = starts[b + 1] ?? 0;
    const last = items[end - 1];
    const next = last === undefined ? [] : targetsOf(last).map((label) => blockOfLabel.get(label) ?? b);
    if ((last === undefined || fallsThrough(last)) && b + 1 < count) next.push(b + 1);
    return { start: starts[b] ?? 0, end, next };
  });
}

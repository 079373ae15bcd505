// Branches that lead to a branch on what they have just found out: `a and b` as the condition of an `if` computes a value with one branch
// and looks at it with the next. Whoever knows how the second one goes is sent there at once, and what is left of the value is a
// comparison that only decides one branch (items.ts). Before values are split, because these shortcuts are what takes them apart.

import { findBlocks, fallsThrough, targetsOf } from "./item-flow.ts";
import type { ComputeItem, Item, Label, Virtual } from "./items.ts";
import { findCrossing, LIVE_IN } from "./split-values.ts";

/** Registers that are known to be zero (true) or not (false). */
type Facts = Map<Virtual, boolean>;

/** How many items to look at, before a branch and behind its label. Nested conditions need three for each level. */
const REACH = 24;

/** Where a branch can go at once, and the registers that it leaves unwritten on the way. */
interface Shortcut {
  readonly position: number;
  readonly skipped: readonly Virtual[];
}

/** May be `x == 0`, which is how bytecode says `not x`. */
function isNot(item: ComputeItem): boolean {
  return item.op === "eq" && item.type === "i8";
}

function isZeroConstant(items: readonly Item[], before: number, register: Virtual): boolean {
  for (let i = before - 1; i >= Math.max(0, before - REACH); i--) {
    const item = items[i];
    if (item?.kind !== "op") return false;
    if (item.dst.includes(register)) return item.op === "const" && item.imm[0] === 0n;
  }
  return false;
}

/** What follows from the condition of the branch at `index` for registers that it was made of, in the same block. */
function factsBefore(items: readonly Item[], index: number, condition: Virtual, isZero: boolean): Facts {
  const facts: Facts = new Map([[condition, isZero]]);
  const written = new Set<Virtual>();
  for (let i = index - 1; i >= Math.max(0, index - REACH); i--) {
    const item = items[i];
    if (item?.kind !== "op") break;
    const [to = -1] = item.dst;
    const [from = -1, second = -1] = item.src;
    const fact = written.has(to) ? undefined : facts.get(to);
    for (const register of item.dst) written.add(register);
    if (fact === undefined || written.has(from) || facts.has(from)) continue;
    if (item.op === "copy") facts.set(from, fact);
    else if (isNot(item) && isZeroConstant(items, i, second)) facts.set(from, !fact);
  }
  return facts;
}

/** How far a walk from a label gets when these facts hold; null: not past any branch or jump. */
function follow(items: readonly Item[], positions: ReadonlyMap<Label, number>, start: number, facts: Facts): Shortcut | null {
  const skipped: Virtual[] = [];
  let found: Shortcut | null = null;
  let at = start;
  const goTo = (position: number): void => {
    at = position;
    found = { position, skipped: [...skipped] };
  };
  for (let step = 0; step < REACH; step++) {
    const item = items[at];
    if (item === undefined) return found;
    switch (item.kind) {
      case "label":
        // Every turn of a loop passes its poll.
        if (item.isLoop) return found;
        at++;
        continue;
      case "jump":
        goTo(positions.get(item.label) ?? at);
        continue;
      case "branch": {
        const isZero = facts.get(item.condition);
        if (isZero === undefined) return found;
        goTo(isZero === item.unless ? (positions.get(item.label) ?? at) : at + 1);
        continue;
      }
      case "op": {
        const [to = -1] = item.dst;
        const fact = factOf(item, facts);
        if (fact === undefined) return found;
        facts.set(to, fact);
        skipped.push(to);
        at++;
        continue;
      }
      case "table":
      case "compare-branch":
        return found;
    }
  }
  return found;
}

function factOf(item: ComputeItem, facts: Facts): boolean | undefined {
  const [from = -1, second = -1] = item.src;
  if (item.op === "const") return item.imm[0] === 0n;
  if (item.op === "copy") return facts.get(from);
  const first = facts.get(from);
  return isNot(item) && facts.get(second) === true && first !== undefined ? !first : undefined;
}

/** Whether there may be something to follow: mostly not, and that is seen at once. */
function leadsOn(items: readonly Item[], start: number): boolean {
  for (let at = start; at < start + REACH; at++) {
    const item = items[at];
    if (item === undefined || (item.kind === "label" && item.isLoop)) return false;
    if (item.kind === "branch" || item.kind === "jump") return true;
    if (item.kind === "op" && item.op !== "const" && item.op !== "copy" && item.op !== "eq") return false;
  }
  return false;
}

/** For each branch and jump, the item where it can go at once. */
function findShortcuts(items: readonly Item[], registers: number): Map<number, number> {
  const found = new Map<number, number>();
  // Functions without any branch are many.
  if (!items.some(({ kind }) => kind === "branch" || kind === "jump")) return found;
  const positions = new Map<Label, number>();
  items.forEach((item, index) => {
    if (item.kind === "label") positions.set(item.label, index);
  });
  let isWanted: ((position: number, register: Virtual) => boolean) | null = null;
  items.forEach((item, index) => {
    if (item.kind !== "branch" && item.kind !== "jump") return;
    const start = positions.get(item.label);
    if (start === undefined || start < index || !leadsOn(items, start)) return;
    const shortcut = follow(items, positions, start, item.kind === "jump" ? new Map() : factsBefore(items, index, item.condition, item.unless));
    if (shortcut === null) return;
    const { position, skipped } = shortcut;
    if (skipped.length > 0) {
      const isLive = (isWanted ??= findWanted(items, registers));
      if (skipped.some((register) => isLive(position, register))) return;
    }
    found.set(index, position);
  });
  return found;
}

/** Whether a register's value is wanted at the item, which begins a block. */
function findWanted(items: readonly Item[], registers: number): (position: number, register: Virtual) => boolean {
  const blocks = findBlocks(items);
  const { registers: crossing, indexOf, flags } = findCrossing(items, blocks, registers);
  const blockAt = new Map(blocks.map(({ start }, index) => [start, index]));
  return (position, register) => {
    const index = indexOf[register] ?? -1;
    if (index < 0) return false;
    const block = blockAt.get(position);
    return block === undefined || ((flags[block * crossing.length + index] ?? 0) & LIVE_IN) !== 0;
  };
}

/** Drops labels that nobody goes to, and what nobody reaches. */
function sweep(items: readonly Item[]): Item[] {
  for (let left = items; ;) {
    const targets = new Set(left.flatMap(targetsOf));
    let isReached = true;
    const kept = left.filter((item) => {
      if (item.kind === "label") {
        if (!targets.has(item.label) && !(item.isLoop && isReached)) return false;
        isReached = true;
      }
      if (!isReached) return false;
      isReached = fallsThrough(item);
      return true;
    });
    if (kept.length === left.length) return kept;
    left = kept;
  }
}

/** `registers` and `labels`: how many there are. */
export function threadJumps(items: Item[], registers: number, labels: number): { readonly items: Item[]; readonly labels: number } {
  const shortcuts = findShortcuts(items, registers);
  if (shortcuts.size === 0) return { items, labels };
  let count = labels;
  const labelAt = new Map<number, Label>();
  const labelFor = (position: number): Label => {
    const there = items[position];
    if (there?.kind === "label") return there.label;
    let label = labelAt.get(position);
    if (label === undefined) labelAt.set(position, (label = count++));
    return label;
  };
  const led = items.map((item, index): Item => {
    const position = shortcuts.get(index);
    return position === undefined || (item.kind !== "branch" && item.kind !== "jump") ? item : { ...item, label: labelFor(position) };
  });
  const labelled = led.flatMap((item, index): Item[] => {
    const label = labelAt.get(index);
    return label === undefined ? [item] : [{ kind: "label", label, isLoop: false, at: item.at }, item];
  });
  return { items: sweep(labelled), labels: count };
}

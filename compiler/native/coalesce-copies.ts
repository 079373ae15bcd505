// Copies that need not be: lowering gives each expression a register and each variable another, and copies from one to the other. Where a
// value's only reader is the copy into its variable, it is computed there at once; where a variable keeps its value as long as its copy
// is wanted, the variable is read instead.

import type { ScalarType } from "../../isa/bytecode/module.ts";
import { registersRead, registersWritten, type Block } from "./item-flow.ts";
import type { ComputeItem, Item, Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";

/** How far to look: what is farther apart is rare, and looking costs the square of it. */
const REACH = 64;

/** Addresses have 64 bits on all native layouts: they convert to and from i64 as they are. */
const isWide = (type: ScalarType | undefined): boolean => type === "i64" || type === "addr";

const isSameSize = (a: ScalarType | undefined, b: ScalarType | undefined): boolean => a === b || (isWide(a) && isWide(b));

const CONVERSIONS: ReadonlySet<string> = new Set(["zext", "sext", "trunc"]);

function isCopy(item: Item | undefined): item is ComputeItem {
  return item?.kind === "op" && (item.op === "copy" || (CONVERSIONS.has(item.op) && isWide(item.type) && isWide(item.to)));
}

/** Good until the next call. */
interface Uses {
  readonly counts: Int32Array;
  /** Index of the last item that reads it. */
  readonly last: Int32Array;
  /** Index of the item that defines a local value. */
  readonly definition: Int32Array;
}

const useCounts = createSpareTable(0);
const lastUses = createSpareTable(-1);
const definitions = createSpareTable(-1);
const sources = createSpareTable(-1);

function findUses(items: readonly (Item | null)[], count: number): Uses {
  const counts = useCounts(count);
  const last = lastUses(count);
  const definition = definitions(count);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === null || item === undefined) continue;
    const reads = registersRead(item);
    for (let each = 0; each < reads.length; each++) {
      const register = reads[each] ?? 0;
      counts[register] = (counts[register] ?? 0) + 1;
      last[register] = index;
    }
    const writes = registersWritten(item);
    for (let each = 0; each < writes.length; each++) definition[writes[each] ?? 0] = index;
  }
  return { counts, last, definition };
}

/** Computes a value where its copy is wanted. */
function computeInPlace(items: (Item | null)[], types: readonly ScalarType[], isLocal: readonly boolean[]): void {
  const { counts, definition } = findUses(items, types.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === null || item === undefined || !isCopy(item)) continue;
    const from = item.src[0] ?? 0;
    const to = item.dst[0] ?? 0;
    const start = definition[from] ?? -1;
    if (isLocal[from] !== true || counts[from] !== 1 || start < 0 || index - start > REACH || !isSameSize(types[from], types[to])) continue;
    const maker = items[start];
    if (maker?.kind !== "op" || maker.dst.includes(to) || isNamedBetween(items, to, start + 1, index)) continue;
    items[start] = { ...maker, dst: maker.dst.map((register) => (register === from ? to : register)) };
    items[index] = null;
    definition[to] = start;
  }
}

/** Reads a copy's source instead. */
function readSource(items: (Item | null)[], blocks: readonly Block[], types: readonly ScalarType[], isLocal: readonly boolean[]): void {
  const { last } = findUses(items, types.length);
  const source = sources(types.length);
  const read = (register: Virtual): Virtual => {
    const from = source[register] ?? -1;
    return from < 0 ? register : from;
  };
  for (const { start, end } of blocks) {
    for (let index = start; index < end; index++) {
      const item = items[index];
      if (item === null || item === undefined) continue;
      const renamed = withReads(item, read);
      items[index] = renamed;
      if (!isCopy(renamed)) continue;
      const from = renamed.src[0] ?? 0;
      const to = renamed.dst[0] ?? 0;
      const wanted = last[to] ?? -1;
      if (isLocal[to] !== true || wanted - index > REACH || !isSameSize(types[from], types[to])) continue;
      if (isLocal[from] !== true && isWrittenBetween(items, from, index + 1, wanted)) continue;
      source[to] = from;
      last[from] = Math.max(last[from] ?? -1, wanted);
      items[index] = null;
    }
  }
}

function isNamedBetween(items: readonly (Item | null)[], register: Virtual, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const item = items[i];
    if (item === null || item === undefined) continue;
    if (registersRead(item).includes(register) || registersWritten(item).includes(register)) return true;
  }
  return false;
}

function isWrittenBetween(items: readonly (Item | null)[], register: Virtual, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const item = items[i];
    if (item !== null && item !== undefined && registersWritten(item).includes(register)) return true;
  }
  return false;
}

function isAnyRenamed(registers: readonly Virtual[], read: (register: Virtual) => Virtual): boolean {
  for (let each = 0; each < registers.length; each++) {
    const register = registers[each] ?? 0;
    if (read(register) !== register) return true;
  }
  return false;
}

function withReads(item: Item, read: (register: Virtual) => Virtual): Item {
  if (!isAnyRenamed(registersRead(item), read)) return item;
  switch (item.kind) {
    case "op":
      return { ...item, src: item.src.map(read) };
    case "branch":
      return { ...item, condition: read(item.condition) };
    case "table":
      return { ...item, index: read(item.index) };
    case "compare-branch":
      return { ...item, comparison: { ...item.comparison, left: read(item.comparison.left), right: read(item.comparison.right) } };
    case "label":
    case "jump":
      return item;
  }
}

/** `blocks` are those of the items. */
export function coalesceCopies(items: readonly Item[], blocks: readonly Block[], types: readonly ScalarType[], isLocal: readonly boolean[]): readonly Item[] {
  if (!items.some(isCopy)) return items;
  const left: (Item | null)[] = [...items];
  computeInPlace(left, types, isLocal);
  readSource(left, blocks, types, isLocal);
  return left.filter((item) => item !== null);
}

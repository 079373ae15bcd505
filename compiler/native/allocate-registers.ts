// Linear scan over live intervals: each virtual register gets one machine register for its whole life, or a stack slot. Values that
// live across a call go to registers that callees keep. When none is free, the value that is used least for the room it takes goes
// to the stack. Simple and fast; temporaries, split per value before, are short, so it rarely spills.

import type { Interval } from "./liveness.ts";
import type { Virtual } from "./items.ts";
import { createSpareTable } from "./spare-tables.ts";
import type { RegisterFile } from "./target.ts";

export interface AllocationRequest {
  /** In the order of their starts, then of their ends. Only those that need a place: constants and the like have none. */
  readonly intervals: readonly Interval[];
  /** How many virtual registers there are. */
  readonly virtuals: number;
  /** Positions (even) of items that change the registers of `changed`, ascending. */
  readonly calls: readonly number[];
  readonly registers: RegisterFile;
  /** Registers that this function must not hand out: assembly uses them by name. */
  readonly without: ReadonlySet<number>;
  /** A register that would save a move. */
  readonly hintOf: (register: Virtual) => number | null;
  /** A virtual register whose machine register would save a move. */
  readonly partnerOf: (register: Virtual) => Virtual | null;
}

/** Good until the next call. */
export interface Allocation {
  /** By virtual register: a machine register, or -1. */
  readonly registerOf: Int32Array;
  /** By virtual register: the number of its spill slot, or -1. */
  readonly slotOf: Int32Array;
  readonly slots: number;
  /** Kept registers that are used. */
  readonly used: ReadonlySet<number>;
}

const NO_REGISTER = -1;

/** Whether a call happens while the value is wanted on both sides of it. */
function crossesCall({ start, end }: Interval, calls: readonly number[]): boolean {
  let low = 0;
  let high = calls.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((calls[middle] ?? 0) > start) high = middle;
    else low = middle + 1;
  }
  const next = calls[low];
  return next !== undefined && next < end;
}

/** Registers to hand out. */
interface Pools {
  readonly kept: readonly number[];
  readonly any: readonly number[];
  /** By machine register: whether its values may live across calls, or only between them; null: it is not handed out. */
  readonly isKept: readonly (boolean | null)[];
}

function makePools(registers: RegisterFile, without: ReadonlySet<number>): Pools {
  const kept = registers.kept.filter((register) => !without.has(register));
  const any = [...registers.changed.filter((register) => !without.has(register)), ...kept];
  const isKept = registers.names.map((_, register) => (kept.includes(register) ? true : any.includes(register) ? false : null));
  return { kept, any, isKept };
}

/** Of functions without assembly, by register file. */
const wholePools = new WeakMap<RegisterFile, Pools>();

function poolsOf(registers: RegisterFile, without: ReadonlySet<number>): Pools {
  if (without.size > 0) return makePools(registers, without);
  let pools = wholePools.get(registers);
  if (pools === undefined) wholePools.set(registers, (pools = makePools(registers, without)));
  return pools;
}

const heldTable = createSpareTable(0);
const machineTable = createSpareTable(-1);
const slotTable = createSpareTable(-1);

export function allocateRegisters({ intervals, virtuals, calls, registers, without, hintOf, partnerOf }: AllocationRequest): Allocation {
  const registerOf = machineTable(virtuals);
  const spilled: Interval[] = [];
  const { kept, any, isKept } = poolsOf(registers, without);
  const isHeld = heldTable(registers.names.length);
  const used = new Set<number>();
  /** Values that are wanted at the current position, and the register of each. */
  const active: Interval[] = [];
  const machines: number[] = [];

  const weightOf = ({ weight, start, end }: Interval): number => weight / (end - start + 1);

  function take(interval: Interval, register: number): void {
    registerOf[interval.register] = register;
    isHeld[register] = 1;
    active.push(interval);
    machines.push(register);
    if (isKept[register] === true) used.add(register);
  }

  function expire(start: number): void {
    for (let i = active.length - 1; i >= 0; i--) {
      if ((active[i]?.end ?? start) >= start) continue;
      isHeld[machines[i] ?? 0] = 0;
      const other = active.pop();
      const machine = machines.pop();
      if (other === undefined || machine === undefined || i === active.length) continue;
      active[i] = other;
      machines[i] = machine;
    }
  }

  function isFree(register: number, crosses: boolean): boolean {
    if (register === NO_REGISTER || isHeld[register] === 1) return false;
    const keeps = isKept[register] ?? null;
    return keeps === true || (keeps === false && !crosses);
  }

  function findFree(pool: readonly number[], crosses: boolean): number {
    for (let index = 0; index < pool.length; index++) {
      const register = pool[index] ?? NO_REGISTER;
      if (isFree(register, crosses)) return register;
    }
    return NO_REGISTER;
  }

  for (let index = 0; index < intervals.length; index++) {
    const interval = intervals[index];
    if (interval === undefined) continue;
    expire(interval.start);
    const crosses = crossesCall(interval, calls);
    const pool = crosses ? kept : any;
    const hint = hintOf(interval.register);
    const partner = partnerOf(interval.register);
    const beside = partner === null ? NO_REGISTER : (registerOf[partner] ?? NO_REGISTER);
    const free = hint !== null && isFree(hint, crosses) ? hint : isFree(beside, crosses) ? beside : findFree(pool, crosses);
    if (free !== NO_REGISTER) {
      take(interval, free);
      continue;
    }
    let victim = -1;
    let least = Infinity;
    for (let i = 0; i < active.length; i++) {
      const other = active[i];
      if (other === undefined || (crosses && isKept[machines[i] ?? 0] !== true)) continue;
      const weight = weightOf(other);
      if (weight < least) {
        victim = i;
        least = weight;
      }
    }
    const evicted = active[victim];
    if (evicted === undefined || least >= weightOf(interval)) {
      spilled.push(interval);
      continue;
    }
    const machine = machines[victim] ?? 0;
    registerOf[evicted.register] = NO_REGISTER;
    spilled.push(evicted);
    active.splice(victim, 1);
    machines.splice(victim, 1);
    take(interval, machine);
  }

  // Slots are shared by values that do not live at the same time.
  const slotOf = slotTable(virtuals);
  const ends: number[] = [];
  for (const interval of spilled.sort((a, b) => a.start - b.start)) {
    let slot = ends.findIndex((end) => end < interval.start);
    if (slot < 0) slot = ends.push(0) - 1;
    ends[slot] = interval.end;
    slotOf[interval.register] = slot;
  }
  return { registerOf, slotOf, slots: ends.length, used };
}

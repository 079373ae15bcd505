// Linear scan over live intervals: each virtual register gets one machine register for its whole life, or a stack slot. Values that
// live across a call go to registers that callees keep. When none is free, the value that is used least for the room it takes goes
// to the stack. Simple and fast; temporaries, split per value before, are short, so it rarely spills.

import type { Interval } from "./liveness.ts";
import type { Virtual } from "./items.ts";
import type { RegisterFile } from "./target.ts";

export interface AllocationRequest {
  /** Only those that need a place: constants and the like have none. */
  readonly intervals: readonly Interval[];
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

export interface Allocation {
  readonly registerOf: ReadonlyMap<Virtual, number>;
  /** Number of the spill slot. */
  readonly slotOf: ReadonlyMap<Virtual, number>;
  readonly slots: number;
  /** Kept registers that are used. */
  readonly used: ReadonlySet<number>;
}

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

export function allocateRegisters({ intervals, calls, registers, without, hintOf, partnerOf }: AllocationRequest): Allocation {
  const registerOf = new Map<Virtual, number>();
  const spilled: Interval[] = [];
  const kept = registers.kept.filter((register) => !without.has(register));
  const any = [...registers.changed.filter((register) => !without.has(register)), ...kept];
  const keptSet = new Set(kept);
  const holder = new Map<number, Interval>();
  const crossing = new Map<Virtual, boolean>();
  const used = new Set<number>();
  const active: Interval[] = [];

  const weightOf = ({ weight, start, end }: Interval): number => weight / (end - start + 1);

  function take(interval: Interval, register: number): void {
    registerOf.set(interval.register, register);
    holder.set(register, interval);
    active.push(interval);
    if (keptSet.has(register)) used.add(register);
  }

  for (const interval of [...intervals].sort((a, b) => a.start - b.start || a.end - b.end)) {
    for (let i = active.length - 1; i >= 0; i--) {
      const other = active[i];
      if (other === undefined || other.end >= interval.start) continue;
      const register = registerOf.get(other.register);
      if (register !== undefined && holder.get(register) === other) holder.delete(register);
      active[i] = active.at(-1) ?? other;
      active.pop();
    }
    const crosses = crossesCall(interval, calls);
    crossing.set(interval.register, crosses);
    const pool = crosses ? kept : any;
    const isFree = (register: number): boolean => !holder.has(register) && !without.has(register) && (!crosses || keptSet.has(register));
    const partner = partnerOf(interval.register);
    const wishes = [hintOf(interval.register), partner === null ? null : (registerOf.get(partner) ?? null)];
    const wish = wishes.find((register) => register !== null && any.includes(register) && isFree(register));
    const free = wish ?? pool.find((register) => !holder.has(register));
    if (free !== undefined && free !== null) {
      take(interval, free);
      continue;
    }
    let victim: Interval | null = null;
    for (const other of active) {
      const register = registerOf.get(other.register);
      if (register === undefined || !pool.includes(register)) continue;
      if (victim === null || weightOf(other) < weightOf(victim)) victim = other;
    }
    if (victim !== null && weightOf(victim) < weightOf(interval)) {
      const register = registerOf.get(victim.register) ?? 0;
      registerOf.delete(victim.register);
      spilled.push(victim);
      active.splice(active.indexOf(victim), 1);
      take(interval, register);
    } else spilled.push(interval);
  }

  // Slots are shared by values that do not live at the same time.
  const slotOf = new Map<Virtual, number>();
  const ends: number[] = [];
  for (const interval of spilled.sort((a, b) => a.start - b.start)) {
    let slot = ends.findIndex((end) => end < interval.start);
    if (slot < 0) slot = ends.push(0) - 1;
    ends[slot] = interval.end;
    slotOf.set(interval.register, slot);
  }
  return { registerOf, slotOf, slots: ends.length, used };
}

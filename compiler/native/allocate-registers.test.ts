// The allocation is right if values that live at the same time are at different places, and values that live across a call where calls
// change nothing. Both are checked on random intervals, and on what the back end makes of generated functions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../tests/fixtures/random.ts";
import { allocateRegisters, type Allocation, type AllocationRequest } from "./allocate-registers.ts";
import type { Interval } from "./liveness.ts";

const REGISTERS = { names: ["scratch", "a", "b", "c", "s", "t"], arguments: [1, 2], results: [1, 2], changed: [1, 2, 3], kept: [4, 5], scratch: 0 };

const interval = (register: number, start: number, end: number, weight = 2): Interval => ({ register, start, end, weight });

function allocate(intervals: readonly Interval[], options: Partial<AllocationRequest> = {}): Allocation {
  const sorted = intervals.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return allocateRegisters({
    intervals: sorted,
    virtuals: 1 + Math.max(...intervals.map(({ register }) => register)),
    calls: [],
    registers: REGISTERS,
    without: new Set(),
    hintOf: () => null,
    partnerOf: () => null,
    ...options,
  });
}

/** Throws unless the allocation is right. */
function check(intervals: readonly Interval[], calls: readonly number[], without: ReadonlySet<number>, allocation: Allocation): void {
  const { registerOf, slotOf, slots, used } = allocation;
  const placeOf = ({ register }: Interval): string => {
    const machine = registerOf[register] ?? -1;
    const slot = slotOf[register] ?? -1;
    assert.ok(machine < 0 !== slot < 0, `%${register} has one place`);
    return machine < 0 ? `slot ${slot}` : `register ${machine}`;
  };
  for (const [index, one] of intervals.entries()) {
    const place = placeOf(one);
    for (const other of intervals.slice(index + 1)) {
      const meet = one.start <= other.end && other.start <= one.end;
      assert.ok(!meet || place !== placeOf(other), `%${one.register} and %${other.register} are both in ${place}`);
    }
    const machine = registerOf[one.register] ?? -1;
    if (machine < 0) {
      assert.ok((slotOf[one.register] ?? 0) < slots);
      continue;
    }
    assert.ok(REGISTERS.changed.includes(machine) || REGISTERS.kept.includes(machine));
    assert.ok(!without.has(machine), `%${one.register} is in a register that assembly names`);
    const isKept = REGISTERS.kept.includes(machine);
    assert.ok(isKept || !calls.some((call) => call > one.start && call < one.end), `%${one.register} lives across a call in register ${machine}`);
    assert.ok(!isKept || used.has(machine), "a kept register that is used is saved");
  }
}

test("values one after the other share a register; a result may take its operand's", () => {
  const { registerOf } = allocate([interval(0, -1, 0), interval(1, 1, 2), interval(2, 3, 4)]);
  assert.deepEqual([registerOf[0], registerOf[1], registerOf[2]], [1, 1, 1]);
});

test("values across calls are in kept registers, arguments and results of calls need not be", () => {
  const intervals = [interval(0, -1, 4), interval(1, -1, 2), interval(2, 3, 4)];
  const allocation = allocate(intervals, { calls: [2] });
  assert.equal(allocation.registerOf[0], 4);
  assert.equal(allocation.registerOf[1], 1);
  assert.equal(allocation.registerOf[2], 1);
  assert.deepEqual([...allocation.used], [4]);
});

test("hints are followed where the register is free, and kept for calls where it must be", () => {
  const hintOf = (register: number): number | null => (register === 2 ? 1 : 3);
  const { registerOf } = allocate([interval(0, 0, 5), interval(1, 1, 4), interval(2, 2, 3)], { hintOf });
  assert.deepEqual([registerOf[0], registerOf[1], registerOf[2]], [3, 1, 2]);
  assert.equal(allocate([interval(0, 0, 5)], { calls: [2], hintOf }).registerOf[0], 4);
});

test("a copy takes its source's register when that ends there", () => {
  const partnerOf = (register: number): number | null => (register === 2 ? 1 : null);
  const { registerOf } = allocate([interval(0, 0, 9), interval(1, 1, 4), interval(2, 5, 9)], { partnerOf });
  assert.equal(registerOf[2], registerOf[1]);
});

test("what is used least for the room it takes goes to the stack", () => {
  const intervals = [
    interval(0, 0, 100),
    interval(1, 1, 20, 50),
    interval(2, 2, 20, 50),
    interval(3, 3, 20, 50),
    interval(4, 4, 20, 50),
    interval(5, 5, 20, 50),
  ];
  const { slotOf, slots } = allocate(intervals);
  assert.deepEqual([...slotOf.subarray(0, intervals.length)], [0, -1, -1, -1, -1, -1]);
  assert.equal(slots, 1);
});

test("values in slots that do not meet share one", () => {
  const intervals = [0, 1, 2, 3].map((n) => interval(n, 10 * n, 10 * n + 6));
  const allocation = allocate(intervals, { calls: intervals.map(({ start }) => start + 2), without: new Set([4, 5]) });
  assert.deepEqual([...allocation.slotOf.subarray(0, 4)], [0, 0, 0, 0]);
  assert.equal(allocation.slots, 1);
});

test("random intervals", () => {
  const random = createRandom(11);
  for (let round = 0; round < 1500; round++) {
    const length = 10 + random.below(60);
    const intervals = Array.from({ length: 1 + random.below(25) }, (_, register) => {
      const start = random.below(length) - 1;
      return interval(register, start, start + random.below(random.pick([4, 12, length])), 1 + random.below(50));
    });
    const calls = Array.from({ length: random.below(5) }, () => 2 * random.below(length / 2)).toSorted((a, b) => a - b);
    const without = new Set(random.chance(20) ? [random.pick(REGISTERS.kept)] : []);
    const hints = intervals.map(() => (random.chance(40) ? random.pick([1, 2, 3, 4, 5]) : null));
    const partners = intervals.map(() => (random.chance(40) ? random.below(intervals.length) : null));
    const allocation = allocate(intervals, {
      calls,
      without,
      hintOf: (register) => hints[register] ?? null,
      partnerOf: (register) => partners[register] ?? null,
    });
    check(intervals, calls, without, allocation);
  }
});

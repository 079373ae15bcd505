// Live intervals against a model that walks all paths item by item: wherever a value is still wanted, its interval has that position.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../isa/bytecode/text.ts";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import { fallsThrough, registersRead, registersWritten, targetsOf } from "./item-flow.ts";
import type { Items } from "./items.ts";
import { findLiveness, type Interval } from "./liveness.ts";
import { prepareItems } from "./prepare-items.ts";

function prepare(text: string): Items {
  const [fn] = parseText(`gbc 1 addr64 little\n${text}`, { fileName: "liveness" }).functions;
  assert.ok(fn !== undefined);
  return prepareItems(fn, () => null);
}

const span = (interval: Interval | undefined): readonly number[] => (interval === undefined ? [] : [interval.start, interval.end]);

test("a value lives from behind its instruction to its last reader", () => {
  const { intervals, zeroAtEntry } = findLiveness(prepare("func @f (i32) -> (i32) {\nreg %1:i32\n%1 = neg.i32 %0\nfence\n%1 = not.i32 %1\nreturn %1\n}"));
  assert.deepEqual(intervals.map(span), [[-1, 0], [], [1, 4], [5, 6]]);
  assert.deepEqual(zeroAtEntry, []);
});

test("what a loop reads lives all through it, also what is computed at its end", () => {
  const { intervals, zeroAtEntry } = findLiveness(
    prepare("func @f (i32) -> (i32) {\nreg %1:i32, %2:i8\nloop\n%1 = add.i32 %1, %0\nfence\n%2 = trunc.i32.i8 %1\nbr_if %2, 0\nend\nreturn %1\n}"),
  );
  // label 0, add 1, fence 2, trunc 3, branch 4, return 5
  assert.deepEqual(span(intervals[0]), [-1, 10]);
  assert.deepEqual(span(intervals[1]), [-1, 10]);
  assert.deepEqual(zeroAtEntry, [1], "registers are zero at entry");
});

test("a parameter that nobody reads lives nowhere", () => {
  const { intervals } = findLiveness(prepare("func @f (i32, i32) -> (i32) {\nreturn %1\n}"));
  assert.deepEqual(intervals.map(span), [[], [-1, 0]]);
});

test("reads in loops weigh more", () => {
  const { intervals } = findLiveness(prepare("func @f (i32, i32, i8) -> (i32) {\nloop\n%0 = add.i32 %0, %1\nbr_if %2, 0\nend\nreturn %0\n}"));
  assert.equal(intervals[1]?.weight, 10);
  assert.equal(intervals[0]?.weight, 21);
});

/** For each item the registers that are wanted before it, by going backwards until nothing changes. */
function wantedBefore({ items }: Items): readonly ReadonlySet<number>[] {
  const labels = new Map(items.flatMap((item, index) => (item.kind === "label" ? [[item.label, index] as const] : [])));
  const before = items.map(() => new Set<number>());
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let index = items.length - 1; index >= 0; index--) {
      const item = items[index]!;
      const nexts = [...targetsOf(item).map((label) => labels.get(label) ?? 0), ...(fallsThrough(item) ? [index + 1] : [])];
      const wanted = new Set(nexts.flatMap((next) => [...(before[next] ?? [])]));
      for (const register of registersWritten(item)) wanted.delete(register);
      for (const register of registersRead(item)) wanted.add(register);
      const known = before[index]!;
      for (const register of wanted) {
        if (known.has(register)) continue;
        known.add(register);
        isChanged = true;
      }
    }
  }
  return before;
}

test("intervals of generated functions have every position where a value is wanted", () => {
  for (let seed = 0; seed < 60; seed++) {
    for (const fn of generateModule(seed, { layout: { addressBytes: 8, endian: "little" }, statements: 30 }).functions) {
      const code = prepareItems(fn, () => null);
      const { intervals, zeroAtEntry } = findLiveness(code);
      const before = wantedBefore(code);
      const check = (register: number, position: number): void => {
        const interval = intervals[register];
        assert.ok(interval !== undefined && interval.start <= position && position <= interval.end, `seed ${seed}, ${fn.name}: %${register} at ${position}`);
      };
      code.items.forEach((item, index) => {
        for (const register of before[index]!) check(register, 2 * index);
        for (const register of registersWritten(item)) check(register, 2 * index + 1);
      });
      const wantedFirst = [...(before[0] ?? [])];
      for (const register of wantedFirst) check(register, -1);
      assert.deepEqual(
        [...zeroAtEntry].sort((a, b) => a - b),
        wantedFirst.filter((register) => register >= code.params).sort((a, b) => a - b),
      );
    }
  }
});

test("local values are read in the block of their only definition", () => {
  for (let seed = 100; seed < 130; seed++) {
    for (const fn of generateModule(seed, { layout: { addressBytes: 8, endian: "little" } }).functions) {
      const code = prepareItems(fn, () => null);
      let defined = new Set<number>();
      const definitions = new Set<number>();
      for (const item of code.items) {
        if (item.kind === "label") defined = new Set();
        for (const register of registersRead(item)) assert.ok(code.isLocal[register] !== true || defined.has(register), `seed ${seed}: %${register}`);
        for (const register of registersWritten(item)) {
          assert.ok(code.isLocal[register] !== true || !definitions.has(register));
          definitions.add(register);
          defined.add(register);
        }
        if (item.kind !== "op" && item.kind !== "label") defined = new Set();
      }
    }
  }
});

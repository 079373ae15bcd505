// What ends a run: the first reason, breakpoints by hart and place, and what the cache of decoded code is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { riscvVirt } from "../../../tests/fixtures/machines.ts";
import { createMachine } from "../../machine/machine.ts";
import { createHart, type Hart } from "./hart.ts";
import { createRegisterFile } from "./registers.ts";
import { createStops, type Stops } from "./stops.ts";

function setUp(): { readonly stops: Stops; readonly hart: Hart; readonly told: readonly (readonly number[])[] } {
  const { memory } = createMachine(riscvVirt, { cpus: 1, output: () => undefined });
  const hart = createHart(0, createRegisterFile(memory, 1).control(0));
  const told: number[][] = [];
  return { stops: createStops([hart], { setStops: (offsets) => void told.push([...offsets].sort((a, b) => a - b)) }), hart, told };
}

test("the first reason stays until the next run begins", () => {
  const { stops } = setUp();
  stops.begin(false);
  assert.equal(stops.reason(), null);
  stops.stop({ kind: "request" });
  stops.stop({ kind: "breakpoint", cpu: 0, pc: 4n });
  assert.deepEqual(stops.reason(), { kind: "request" });
  stops.begin(false);
  assert.equal(stops.reason(), null);
});

test("a breakpoint counts behind the first instruction of a run, and in no single step", () => {
  const { stops, hart } = setUp();
  stops.setBreakpoints(new Set([0x8000_0010n]));
  hart.executed = 5;
  stops.begin(false);
  assert.equal(stops.isBreakpoint(hart, 0x8000_0010n, 5), false);
  assert.equal(stops.isBreakpoint(hart, 0x8000_0010n, 6), true);
  assert.equal(stops.isBreakpoint(hart, 0x8000_1010n, 6), false);
  stops.begin(true);
  assert.equal(stops.isBreakpoint(hart, 0x8000_0010n, 6), false);
});

test("the code cache is told offsets within pages, of debugger and triggers together, when they change", () => {
  const { stops, hart, told } = setUp();
  stops.setBreakpoints(new Set([0x8000_0010n, 0x8000_2010n]));
  assert.deepEqual(told, [[0x10]]);
  stops.setBreakpoints(new Set([0x8000_5010n]));
  assert.deepEqual(told, [[0x10]], "the same offset: nothing is decoded anew");
  hart.triggers.executes = [{ address: 0x8000_0004n, modes: 0 }];
  stops.update();
  assert.deepEqual(told.at(-1), [0x4, 0x10]);
  stops.setBreakpoints(new Set());
  assert.deepEqual(told.at(-1), [0x4]);
});

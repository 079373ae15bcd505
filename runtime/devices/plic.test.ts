// The PLIC against the RISC-V PLIC specification: pending, priorities and thresholds, claim and completion, by context.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Device } from "./device.ts";
import { plic } from "./plic.ts";
import { busRead, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import type { Registers, TestEnv } from "../../tests/fixtures/device-env.ts";

const PRIORITY = (source: number): number => 4 * source;
const PENDING = 0x1000;
const ENABLE = (context: number): number => 0x2000 + 0x80 * context;
const THRESHOLD = (context: number): number => 0x20_0000 + 0x1000 * context;
const CLAIM = (context: number): number => THRESHOLD(context) + 4;

function makePlic(): { env: TestEnv; device: Device; r: Registers; drive: (source: number, level: boolean) => void } {
  const env = makeTestEnv();
  const device = env.connect(plic.create({ sources: 95, contexts: 2 }, env));
  return { env, device, r: registersOf(device), drive: (source, level) => device.input?.(source, level) };
}

/** Sources 3, 4 and 40 at priority 2, enabled in context 0. */
function makeEnabled(): ReturnType<typeof makePlic> {
  const machine = makePlic();
  for (const source of [3, 4, 40]) machine.r.write(PRIORITY(source), 2);
  machine.r.write(ENABLE(0), (1 << 3) | (1 << 4));
  machine.r.write(ENABLE(0) + 4, 1 << 8);
  return machine;
}

test("priorities and thresholds hold three bits; source 0 has none", () => {
  const { r } = makePlic();
  for (const offset of [PRIORITY(0), PRIORITY(1), PRIORITY(95), PRIORITY(96), THRESHOLD(1), THRESHOLD(2)]) r.write(offset, 0xff);
  assert.deepEqual(
    [PRIORITY(0), PRIORITY(1), PRIORITY(95), PRIORITY(96), THRESHOLD(1), THRESHOLD(2)].map((offset) => r.read(offset)),
    [0, 7, 7, 0, 7, 0],
  );
});

test("a high level is pending, raises the context's pin, and is claimed once", () => {
  const { env, r, drive } = makeEnabled();
  drive(3, true);
  assert.equal(r.read(PENDING), 1 << 3);
  assert.deepEqual([env.level(0), env.level(1)], [true, false]);
  assert.equal(r.read(CLAIM(0)), 3);
  assert.equal(env.level(0), false);
  assert.equal(r.read(PENDING), 0);
  assert.equal(r.read(CLAIM(0)), 0);
});

test("pending stays latched when the level drops", () => {
  const { env, r, drive } = makeEnabled();
  drive(3, true);
  drive(3, false);
  assert.equal(env.level(0), true);
  assert.equal(r.read(CLAIM(0)), 3);
});

test("a claimed source waits for its completion", () => {
  const { env, r, drive } = makeEnabled();
  drive(3, true);
  assert.equal(r.read(CLAIM(0)), 3);
  drive(3, true);
  assert.equal(r.read(PENDING), 1 << 3);
  assert.equal(env.level(0), false);
  assert.equal(r.read(CLAIM(0)), 0);
  r.write(CLAIM(0), 3);
  assert.equal(env.level(0), true);
  assert.equal(r.read(CLAIM(0)), 3);
});

test("the highest priority is claimed first, the lowest number among equals", () => {
  const { r, drive } = makeEnabled();
  r.write(PRIORITY(40), 3);
  for (const source of [4, 3, 40]) drive(source, true);
  assert.deepEqual([r.read(CLAIM(0)), r.read(CLAIM(0)), r.read(CLAIM(0)), r.read(CLAIM(0))], [40, 3, 4, 0]);
});

test("a priority must lie above the threshold; priority 0 never interrupts", () => {
  const { env, r, drive } = makeEnabled();
  r.write(THRESHOLD(0), 2);
  drive(3, true);
  assert.equal(env.level(0), false);
  assert.equal(r.read(CLAIM(0)), 0);
  r.write(THRESHOLD(0), 1);
  assert.equal(env.level(0), true);
  r.write(PRIORITY(3), 0);
  assert.equal(env.level(0), false);
});

test("contexts are independent", () => {
  const { env, r, drive } = makeEnabled();
  r.write(ENABLE(1), 1 << 4);
  drive(4, true);
  assert.deepEqual([env.level(0), env.level(1)], [true, true]);
  assert.equal(r.read(CLAIM(1)), 4);
  assert.deepEqual([env.level(0), env.level(1)], [false, false]);
});

test("an enable alone does not move the pin, the next event does", () => {
  const { env, r, drive } = makePlic();
  r.write(PRIORITY(5), 1);
  drive(5, true);
  r.write(ENABLE(0), 1 << 5);
  assert.equal(env.level(0), false);
  r.write(THRESHOLD(0), 0);
  assert.equal(env.level(0), true);
});

test("pending words are read-only; absent registers read 0; both are told", () => {
  const { env, r } = makePlic();
  r.write(PENDING, 0xff);
  assert.equal(r.read(PENDING), 0);
  assert.equal(r.read(PENDING + 12), 0);
  assert.equal(r.read(ENABLE(0) + 12), 0);
  assert.equal(r.read(THRESHOLD(0) + 8), 0);
  r.write(CLAIM(0), 96);
  assert.equal(env.logs.length, 5);
});

test("only aligned 4-byte accesses within the aperture", () => {
  const { device } = makePlic();
  const region = device.regions[0];
  assert.ok(region);
  for (const width of [1, 2, 8] as const) assert.equal(busRead(region, 0, width), null);
  assert.equal(busRead(region, 2, 4), null);
  assert.equal(busRead(region, 0x60_0000, 4), null);
  assert.equal(busRead(region, 0x5f_fffc, 4), 0n);
});

test("reset clears everything and lowers the pins", () => {
  const { env, device, r, drive } = makeEnabled();
  drive(3, true);
  device.reset();
  assert.equal(env.level(0), false);
  assert.deepEqual([r.read(PENDING), r.read(PRIORITY(3)), r.read(ENABLE(0))], [0, 0, 0]);
});

test("impossible configurations and pins are refused", () => {
  const env = makeTestEnv();
  assert.throws(() => plic.create({ sources: 0, contexts: 1 }, env), RangeError);
  assert.throws(() => plic.create({ sources: 1024, contexts: 1 }, env), RangeError);
  assert.throws(() => plic.create({ sources: 1, contexts: 0 }, env), RangeError);
  assert.throws(() => plic.create({ sources: 1, contexts: 1 }, env).input?.(2, true), RangeError);
});

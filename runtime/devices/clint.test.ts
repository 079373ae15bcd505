// The CLINT against the SiFive manual and QEMU's ACLINT: registers by width, and the tick at which each pin moves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clint } from "./clint.ts";
import { busRead, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import type { Registers, TestEnv } from "../../tests/fixtures/device-env.ts";
import type { Device } from "./device.ts";

const MTIME = 0x7ff8;
const MTIMECMP = (hart: number): number => 8 * hart;
const SOFTWARE = (hart: number): number => 2 * hart;
const TIMER = (hart: number): number => 2 * hart + 1;

function makeClint(harts: number): { env: TestEnv; device: Device; mswi: Registers; mtimer: Registers } {
  const env = makeTestEnv();
  const device = env.connect(clint.create({ harts }, env));
  device.reset();
  return { env, device, mswi: registersOf(device, 0), mtimer: registersOf(device, 1) };
}

test("msip: bit 0 only, one pin a hart", () => {
  const { env, mswi } = makeClint(2);
  mswi.write(4, 0xffff_ffff);
  assert.deepEqual([mswi.read(0), mswi.read(4)], [0, 1]);
  assert.deepEqual([env.level(SOFTWARE(0)), env.level(SOFTWARE(1))], [false, true]);
  mswi.write(4, 0xffff_fffe);
  assert.equal(mswi.read(4), 0);
  assert.equal(env.level(SOFTWARE(1)), false);
});

test("mtime counts one per 100 ticks", () => {
  const { env, mtimer } = makeClint(1);
  env.advance(99);
  assert.equal(mtimer.read64(MTIME), 0n);
  env.advance(1);
  assert.equal(mtimer.read64(MTIME), 1n);
  env.advance(1e12);
  assert.equal(mtimer.read64(MTIME), 10_000_000_001n);
  assert.equal(mtimer.read(MTIME), 10_000_000_001 % 2 ** 32);
  assert.equal(mtimer.read(MTIME + 4), 2);
});

test("at power-on mtimecmp is 0, so the timer interrupt is pending until it is written", () => {
  const { env, mtimer } = makeClint(1);
  assert.equal(env.level(TIMER(0)), true);
  mtimer.write64(MTIMECMP(0), 5n);
  assert.equal(env.level(TIMER(0)), false);
});

test("the timer interrupt rises exactly when mtime reaches mtimecmp, also when armed between two counts", () => {
  const { env, mtimer } = makeClint(2);
  env.advance(150);
  mtimer.write64(MTIMECMP(1), 3n);
  env.advance(149);
  assert.equal(env.level(TIMER(1)), false);
  env.advance(1);
  assert.equal(mtimer.read64(MTIME), 3n);
  assert.equal(env.level(TIMER(1)), true);
  mtimer.write64(MTIMECMP(1), 2n ** 64n - 1n);
  assert.equal(env.level(TIMER(1)), false);
  assert.equal(env.nextEvent(), null);
});

test("mtimecmp in two halves, as 32-bit harts write it", () => {
  const { env, mtimer } = makeClint(1);
  mtimer.write(MTIMECMP(0), 0xffff_ffff);
  mtimer.write(MTIMECMP(0) + 4, 0);
  assert.equal(mtimer.read64(MTIMECMP(0)), 0xffff_ffffn);
  mtimer.write(MTIMECMP(0), 7);
  assert.deepEqual([mtimer.read(MTIMECMP(0)), mtimer.read(MTIMECMP(0) + 4)], [7, 0]);
  env.advance(700);
  assert.equal(env.level(TIMER(0)), true);
});

test("writing mtime moves every timer", () => {
  const { env, mtimer } = makeClint(2);
  mtimer.write64(MTIMECMP(0), 1000n);
  mtimer.write64(MTIMECMP(1), 2000n);
  mtimer.write64(MTIME, 1500n);
  assert.deepEqual([env.level(TIMER(0)), env.level(TIMER(1))], [true, false]);
  assert.equal(env.nextEvent(), 50_000);
  mtimer.write64(MTIME, 0n);
  assert.deepEqual([env.level(TIMER(0)), env.level(TIMER(1))], [false, false]);
  assert.equal(env.nextEvent(), 100_000);
});

test("mtime halves are writable and the count goes on from there, over the 2^64 wrap", () => {
  const { env, mtimer } = makeClint(1);
  mtimer.write(MTIME, 0xffff_ffff);
  mtimer.write(MTIME + 4, 0xffff_ffff);
  assert.equal(mtimer.read64(MTIME), 2n ** 64n - 1n);
  env.advance(100);
  assert.equal(mtimer.read64(MTIME), 0n);
});

test("offsets without a register read 0 and are told", () => {
  const { env, mswi, mtimer } = makeClint(2);
  mswi.write(8, 1);
  mtimer.write64(MTIMECMP(2), 1n);
  assert.deepEqual([mswi.read(8), mswi.read(0x3ffc)], [0, 0]);
  assert.equal(mtimer.read64(MTIMECMP(2)), 0n);
  assert.equal(mtimer.read(0x7ff4), 0);
  assert.equal(env.logs.length, 6);
});

test("widths: msip takes 4 bytes, the timer 4 or 8", () => {
  const { device } = makeClint(1);
  const [mswi, mtimer] = device.regions;
  assert.ok(mswi && mtimer);
  for (const width of [1, 2, 8] as const) assert.equal(busRead(mswi, 0, width), null);
  for (const width of [1, 2] as const) assert.equal(busRead(mtimer, MTIME, width), null);
  assert.equal(busRead(mtimer, MTIME + 4, 8), null);
  assert.equal(busRead(mtimer, 0x8000, 4), null);
});

test("reset restarts mtime from 0 in the middle of a run", () => {
  const { env, device, mswi, mtimer } = makeClint(1);
  mswi.write(0, 1);
  env.advance(12_345);
  device.reset();
  assert.equal(mtimer.read64(MTIME), 0n);
  assert.equal(env.level(SOFTWARE(0)), false);
});

test("impossible configurations are refused", () => {
  for (const harts of [0, -1, 1.5, 4096]) assert.throws(() => clint.create({ harts }, makeTestEnv()), RangeError);
});

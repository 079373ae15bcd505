// NOR flash without a machine: what the scripts against QEMU cannot see (logs, snapshots, bad configs), and that blocks are bounded.
import assert from "node:assert/strict";
import { test } from "node:test";
import { busRead, busWrite, makeTestEnv } from "../../tests/fixtures/device-env.ts";
import { cfiFlash } from "./cfi-flash.ts";

function makeFlash() {
  const env = makeTestEnv();
  const device = env.connect(cfiFlash.create({ size: 0x1_0000, blockSize: 0x2000 }, env));
  device.reset();
  return { env, device, region: device.regions[0] ?? assert.fail("no registers") };
}

test("what is programmed stays, through save and load, until power-on", () => {
  const { device, region } = makeFlash();
  busWrite(region, 0, 4, 0x40_0040n);
  busWrite(region, 0x2ffc, 4, 0x1234_5678n);
  busWrite(region, 0, 4, 0xffn);
  assert.equal(busRead(region, 0x2ffc, 4), 0x1234_5678n);
  const saved = structuredClone(device.save());
  busWrite(region, 0x2000, 4, 0x20n);
  busWrite(region, 0x2000, 4, 0xd0n);
  busWrite(region, 0, 4, 0xffn);
  assert.equal(busRead(region, 0x2ffc, 4), 0xffff_ffffn);
  assert.equal(busRead(region, 0x1ffc, 4), 0n);
  assert.equal(busRead(region, 0x4000, 4), 0n);
  device.load(saved);
  assert.equal(busRead(region, 0x2ffc, 4), 0x1234_5678n);
  device.reset();
  assert.equal(busRead(region, 0x2ffc, 4), 0n);
});

test("a command that is none is logged, and the array can be read again", () => {
  const { env, region } = makeFlash();
  busWrite(region, 0, 1, 0x33n);
  assert.deepEqual(env.logs, ["guest error: 0x33 is no command, or not in this place"]);
  assert.equal(busRead(region, 0, 1), 0n);
});

test("accesses outside, too wide or misaligned are refused", () => {
  const { region } = makeFlash();
  assert.equal(busRead(region, 0x1_0000, 1), null);
  assert.equal(busRead(region, 2, 4), null);
  assert.equal(busWrite(region, 0x1_0000, 4, 0n), false);
});

test("sizes must be powers of two", () => {
  assert.throws(() => cfiFlash.create({ size: 3 << 20 }, makeTestEnv()), /must be powers of two/);
  assert.throws(() => cfiFlash.create({ size: 0x1000, blockSize: 0x2000 }, makeTestEnv()), /must be powers of two/);
});

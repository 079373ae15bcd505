// fw_cfg without a machine: bytes in order, DMA into RAM and its failures, what refuses accesses, snapshots in the middle of a blob.
import assert from "node:assert/strict";
import { test } from "node:test";
import { busRead, busWrite, makeTestEnv } from "../../tests/fixtures/device-env.ts";
import { fwCfg } from "./fw-cfg.ts";

const RAM = 0x8000_0000n;

function makeFwCfg() {
  const env = makeTestEnv({ ramBase: RAM, ramSize: 0x1000 });
  const device = env.connect(fwCfg.create({ cpus: 3 }, env));
  device.reset();
  return { env, device, region: device.regions[0] ?? assert.fail("no registers") };
}

test("the signature, the number of CPUs and the directory", () => {
  const { region } = makeFwCfg();
  assert.equal(busRead(region, 0, 4), 0x554d_4551n, "QEMU");
  busWrite(region, 8, 2, 0x0500n);
  assert.equal(busRead(region, 0, 2), 3n);
  busWrite(region, 8, 2, 0x1900n);
  assert.equal(busRead(region, 0, 4), 0x0300_0000n, "three files, big-endian");
});

test("a DMA request copies, and zeros follow the end of a blob", () => {
  const { env, region } = makeFwCfg();
  env.ram.fill(0xee);
  const request = new DataView(env.ram.buffer, env.ram.byteOffset, 16);
  request.setUint32(0, (0x22 << 16) | 8 | 2);
  request.setUint32(4, 6);
  request.setBigUint64(8, RAM + 0x100n);
  busWrite(region, 0x10, 8, 0x80n << 32n);
  assert.deepEqual([...env.ram.subarray(0x100, 0x107)], [0xff, 0xff, 0xff, 0xff, 0, 0, 0xee]);
  assert.equal(request.getUint32(0), 0);
});

test("a request that is nowhere, or leads nowhere, is an error", () => {
  const { env, region } = makeFwCfg();
  busWrite(region, 0x14, 4, 0x1000n);
  assert.deepEqual(env.logs, ["guest error: no memory at 0x100000 for the DMA's status"]);
  const request = new DataView(env.ram.buffer, env.ram.byteOffset, 16);
  request.setUint32(0, 8 | 2);
  request.setUint32(4, 4);
  busWrite(region, 0x10, 8, 0x80n << 32n);
  assert.equal(request.getUint32(0), 1);
});

test("a snapshot goes on in the middle of a blob", () => {
  const { device, region } = makeFwCfg();
  busRead(region, 0, 1);
  const saved = structuredClone(device.save());
  assert.equal(busRead(region, 0, 1), 0x45n);
  device.load(saved);
  assert.equal(busRead(region, 0, 2), 0x4d45n);
});

test("there is nothing between the registers, and the selector takes 16 bits", () => {
  const { region } = makeFwCfg();
  for (const width of [1, 2, 4] as const) assert.equal(busRead(region, 0xc, width), null);
  assert.equal(busWrite(region, 8, 1, 0n), false);
  assert.equal(busWrite(region, 8, 4, 0n), false);
});

// What all PCI functions share, against PCI Local Bus 3.0: write masks of the header, sizing of BARs, INTx and MSI.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PciBar, Region } from "./device.ts";
import { createPciFunction, type PciFunctionOptions } from "./pci.ts";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";

function region(size: number): Region {
  return { name: `r${size}`, size, valid: { min: 1, max: 4 }, read: () => 0, write: () => {} };
}

const BARS: readonly (PciBar | null)[] = [
  { kind: "memory32", region: region(0x1000) },
  { kind: "io", region: region(0x20) },
  { kind: "memory64", prefetchable: true, region: region(0x10000) },
];

const OPTIONS: PciFunctionOptions = {
  vendor: 0x1234,
  device: 0xabcd,
  revision: 0x42,
  classCode: 0x0280,
  programmingInterface: 0x17,
  interruptPin: 2,
  bars: BARS,
  msi: { offset: 0x50, vectors: 4 },
};

function setup(options: PciFunctionOptions = OPTIONS): ReturnType<typeof createPciFunction> & { env: TestEnv } {
  const env = makeTestEnv({ busWindow: { base: 0xfee0_0000n, size: 0x1000 } });
  return { ...createPciFunction(options, env), env };
}

test("identification, class and capability pointer read as given, in every width", () => {
  const { fn } = setup();
  assert.equal(fn.readConfig(0x00, 4), 0xabcd1234);
  assert.equal(fn.readConfig(0x02, 2), 0xabcd);
  assert.equal(fn.readConfig(0x01, 1), 0x12);
  assert.equal(fn.readConfig(0x08, 4), 0x02801742);
  assert.equal(fn.readConfig(0x0e, 1), 0);
  assert.equal(fn.readConfig(0x2c, 4), 0x11001af4);
  assert.equal(fn.readConfig(0x06, 2), 0x0010);
  assert.equal(fn.readConfig(0x34, 1), 0x50);
  assert.equal(fn.readConfig(0x50, 4), 0x00840005);
  assert.equal(fn.readConfig(0x3d, 1), 2);
});

test("only the writable bits of the header take a write", () => {
  const { fn } = setup();
  for (let offset = 0; offset < 0x40; offset += 4) fn.writeConfig(offset, 4, 0xffffffff);
  const header: Record<number, number> = {
    0x00: 0xabcd1234,
    0x04: 0x00100507,
    0x08: 0x02801742,
    0x0c: 0x000000ff,
    0x10: 0xfffff000,
    0x14: 0xffffffe1,
    0x18: 0xffff000c,
    0x1c: 0xffffffff,
    0x20: 0,
    0x24: 0,
    0x28: 0,
    0x2c: 0x11001af4,
    0x30: 0,
    0x34: 0x00000050,
    0x38: 0,
    0x3c: 0x000002ff,
  };
  for (const [offset, value] of Object.entries(header)) assert.equal(fn.readConfig(Number(offset), 4), value, `0x${Number(offset).toString(16)}`);
});

test("byte and word writes reach only their bytes", () => {
  const { fn } = setup();
  fn.writeConfig(0x10, 4, 0x12345000);
  fn.writeConfig(0x13, 1, 0xab);
  fn.writeConfig(0x10, 2, 0x7fff);
  assert.equal(fn.readConfig(0x10, 4), 0xab347000);
});

test("a BAR decodes when it is enabled and does not reach the top of the address space", () => {
  const { fn } = setup();
  fn.writeConfig(0x10, 4, 0x40001fff);
  assert.equal(fn.barAddress(0), null);
  fn.writeConfig(0x04, 2, 0x0002);
  assert.equal(fn.barAddress(0), 0x40001000n);
  assert.equal(fn.barAddress(1), null);
  fn.writeConfig(0x10, 4, 0xffffffff);
  assert.equal(fn.barAddress(0), null);
  fn.writeConfig(0x10, 4, 0);
  assert.equal(fn.barAddress(0), 0n);
  fn.writeConfig(0x14, 4, 0x0000c05f);
  assert.equal(fn.barAddress(1), null);
  fn.writeConfig(0x04, 2, 0x0001);
  assert.equal(fn.barAddress(1), 0xc040n);
  assert.equal(fn.barAddress(0), null);
  assert.equal(fn.barAddress(3), null);
  assert.equal(fn.barAddress(5), null);
});

test("a 64-bit BAR decodes above 4 GiB", () => {
  const { fn } = setup();
  fn.writeConfig(0x04, 2, 0x0002);
  fn.writeConfig(0x18, 4, 0x8765_4321);
  fn.writeConfig(0x1c, 4, 0x0000_0004);
  assert.equal(fn.barAddress(2), 0x4_8765_0000n);
  fn.writeConfig(0x18, 4, 0xffffffff);
  fn.writeConfig(0x1c, 4, 0xffffffff);
  assert.equal(fn.barAddress(2), null);
});

test("a BAR that no register can hold is refused when the function is built", () => {
  const build = (bars: readonly (PciBar | null)[]) => () => setup({ ...OPTIONS, bars });
  assert.throws(build([{ kind: "memory32", region: region(0x1800) }]), /not a size/);
  assert.throws(build([{ kind: "memory32", region: region(8) }]), /not a size/);
  assert.throws(build([null, null, null, null, null, { kind: "memory64", region: region(0x1000) }]), /high half/);
});

test("INTx drives pin 0, shows in status, and is masked by INTX_DISABLE", () => {
  const { fn, env, setIntx } = setup();
  setIntx(true);
  assert.equal(env.level(0), true);
  assert.equal(fn.readConfig(0x06, 2), 0x0018);
  fn.writeConfig(0x04, 2, 0x0400);
  assert.equal(env.level(0), false);
  assert.equal(fn.readConfig(0x06, 2), 0x0018);
  fn.writeConfig(0x04, 2, 0x0000);
  assert.equal(env.level(0), true);
  setIntx(false);
  assert.equal(env.level(0), false);
  assert.equal(fn.readConfig(0x06, 2), 0x0010);
});

test("MSI goes out as a 4-byte write with the vector in the low bits of the data, if bus mastering is on", () => {
  const { fn, env, sendMsi, msiEnabled } = setup();
  fn.writeConfig(0x54, 4, 0xfee00103);
  fn.writeConfig(0x58, 4, 0);
  fn.writeConfig(0x5c, 4, 0xffff4567);
  assert.equal(fn.readConfig(0x54, 4), 0xfee00100);
  assert.equal(fn.readConfig(0x5c, 2), 0x4567);
  sendMsi(1);
  assert.deepEqual(env.busWrites, []);
  fn.writeConfig(0x52, 2, 0x0011);
  assert.equal(msiEnabled(), true);
  sendMsi(1);
  assert.deepEqual(env.busWrites, []);
  assert.equal(env.logs.length, 1);
  fn.writeConfig(0x04, 2, 0x0004);
  sendMsi(0);
  sendMsi(1);
  assert.deepEqual(env.busWrites, [
    { address: 0xfee00100n, width: 4, value: 0x4566 },
    { address: 0xfee00100n, width: 4, value: 0x4567 },
  ]);
  fn.writeConfig(0x54, 4, 0x10);
  sendMsi(0);
  assert.match(env.logs.at(-1) ?? "", /found no target/);
});

test("enabling MSI allocates no more vectors than the function has", () => {
  const { fn } = setup();
  fn.writeConfig(0x52, 2, 0x0070);
  assert.equal(fn.readConfig(0x52, 2), 0x00f4);
  fn.writeConfig(0x52, 2, 0x0071);
  assert.equal(fn.readConfig(0x52, 2), 0x00a5);
});

test("enabling MSI lowers INTx", () => {
  const { fn, env, setIntx } = setup();
  setIntx(true);
  fn.writeConfig(0x52, 2, 0x0001);
  assert.equal(env.level(0), false);
  assert.equal(fn.readConfig(0x06, 2), 0x0010);
});

test("DMA needs bus mastering", () => {
  const { fn, env, dmaRead, dmaWrite } = setup();
  env.ram.set([1, 2, 3, 4]);
  const bytes = Uint8Array.of(9, 9, 9, 9);
  assert.equal(dmaRead(0x8000_0000n, bytes), false);
  assert.deepEqual([...bytes], [0, 0, 0, 0]);
  assert.equal(dmaWrite(0x8000_0000n, Uint8Array.of(7)), false);
  assert.equal(env.ram[0], 1);
  assert.equal(env.logs.length, 2);
  fn.writeConfig(0x04, 2, 0x0004);
  assert.equal(dmaRead(0x8000_0000n, bytes), true);
  assert.deepEqual([...bytes], [1, 2, 3, 4]);
  assert.equal(dmaWrite(0x8000_0001n, Uint8Array.of(7)), true);
  assert.equal(env.ram[1], 7);
});

test("a DMA that leaves memory moves what is there; the rest reads as zeros", () => {
  const { fn, env, dmaRead, dmaWrite } = setup();
  fn.writeConfig(0x04, 2, 0x0004);
  const end = env.ramBase + BigInt(env.ram.length);
  env.ram.set([5, 6], env.ram.length - 2);
  const bytes = new Uint8Array(4).fill(0xee);
  assert.equal(dmaRead(end - 2n, bytes), false);
  assert.deepEqual([...bytes], [5, 6, 0, 0]);
  assert.equal(dmaWrite(end - 2n, Uint8Array.of(1, 2, 3, 4)), false);
  assert.deepEqual([...env.ram.subarray(-2)], [1, 2]);
});

test("reset restores power-on, save and load carry everything", () => {
  const { fn, env, setIntx, reset, save, load } = setup();
  fn.writeConfig(0x04, 2, 0x0402);
  fn.writeConfig(0x10, 4, 0x40000000);
  fn.writeConfig(0x80, 4, 0xcafef00d);
  setIntx(true);
  const state = structuredClone(save());
  const other = setup();
  other.load(state);
  assert.equal(other.fn.barAddress(0), 0x40000000n);
  other.fn.writeConfig(0x04, 2, 0);
  assert.equal(other.env.level(0), true);
  reset();
  assert.equal(env.level(0), false);
  assert.equal(fn.readConfig(0x04, 4), 0x00100000);
  assert.equal(fn.readConfig(0x10, 4), 0);
  assert.equal(fn.readConfig(0x80, 4), 0);
  load(state);
  assert.equal(fn.readConfig(0x80, 4), 0xcafef00d);
  fn.writeConfig(0x80, 4, 0);
  load(state);
  assert.equal(fn.readConfig(0x80, 4), 0xcafef00d);
});

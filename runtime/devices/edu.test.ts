// The edu device against QEMU's docs/specs/edu.txt: registers, the factorial's and DMA's timing, INTx, MSI, saved state.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";
import type { Device, PciFunction, Region } from "./device.ts";
import { edu, type EduConfig } from "./edu.ts";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";

const MS = 1_000_000;
const RAM = 0x0100_0000n;
const BUFFER = 0x40000n;

interface Bench {
  readonly env: TestEnv;
  readonly device: Device;
  readonly fn: PciFunction;
  readonly mmio: Region;
  readonly read: (offset: number) => number;
  readonly write: (offset: number, value: number) => void;
  readonly dma: (source: bigint, destination: bigint, count: bigint, command: bigint) => void;
}

function bench(config: EduConfig = {}, from?: TestEnv): Bench {
  const env = from ?? makeTestEnv({ ramBase: RAM, busWindow: { base: 0xfee0_0000n, size: 0x1000 } });
  const device = env.connect(edu.create(config, env));
  const fn = device.pci;
  const mmio = fn?.bars[0]?.region;
  assert.ok(fn && mmio);
  fn.writeConfig(0x04, 2, 0x0006);
  const write = (offset: number, value: number): void => assert.equal(accessWrite(mmio, offset, 4, value), true);
  return {
    env,
    device,
    fn,
    mmio,
    read: (offset) => Number(accessRead(mmio, offset, 4)),
    write,
    dma(source, destination, count, command) {
      for (const [offset, value] of [
        [0x80, source],
        [0x88, destination],
        [0x90, count],
        [0x98, command],
      ] as const) {
        assert.equal(accessWrite(mmio, offset, 8, value), true);
      }
    },
  };
}

test("configuration space names the device, its pin, its megabyte and one 64-bit MSI vector", () => {
  const { fn } = bench();
  assert.equal(fn.readConfig(0x00, 4), 0x11e81234);
  assert.equal(fn.readConfig(0x08, 4), 0x00ff0010);
  assert.equal(fn.readConfig(0x3d, 1), 1);
  assert.equal(fn.readConfig(0x40, 4), 0x00800005);
  fn.writeConfig(0x10, 4, 0xffffffff);
  assert.equal(fn.readConfig(0x10, 4), 0xfff00000);
});

test("identification and liveness", () => {
  const { read, write } = bench();
  assert.equal(read(0x00), 0x010000ed);
  assert.equal(read(0x04), 0);
  write(0x04, 0x1234_5678);
  assert.equal(read(0x04), 0xedcb_a987);
});

test("registers below 0x80 take 4 bytes, those from 0x80 on 4 or 8; narrower accesses fault", () => {
  const { mmio, write, read } = bench();
  for (const width of [1, 2] as const) {
    assert.equal(accessRead(mmio, 0, width), null);
    assert.equal(accessWrite(mmio, 0x80, width, 0), false);
  }
  assert.equal(accessRead(mmio, 0, 8), 0xffff_ffff_ffff_ffffn);
  assert.equal(accessWrite(mmio, 0, 8, 0x5555_5555_0000_0000n), true);
  assert.equal(read(0x04), 0);
  accessWrite(mmio, 0x80, 8, 0x1122_3344_5566_7788n);
  assert.equal(accessRead(mmio, 0x80, 8), 0x1122_3344_5566_7788n);
  assert.equal(read(0x80), 0x5566_7788);
  assert.equal(read(0x84), 0xffffffff);
  write(0x80, 0x99);
  assert.equal(accessRead(mmio, 0x80, 8), 0x99n);
});

test("unknown registers read all ones", () => {
  const { mmio, read } = bench();
  for (const offset of [0x0c, 0x60, 0x64, 0xa0, 0x40000, 0xffffc]) assert.equal(read(offset), 0xffffffff);
  assert.equal(accessRead(mmio, 0xa0, 8), 0xffff_ffff_ffff_ffffn);
});

const factorials = [
  [0, 1],
  [1, 1],
  [5, 120],
  [12, 479001600],
  [13, 1932053504],
  [20, 2192834560],
  [33, 0x80000000],
  [34, 0],
  [0xffffffff, 0],
] as const;
for (const [n, result] of factorials) {
  test(`factorial of ${n} modulo 2^32`, () => {
    const { env, read, write } = bench();
    write(0x08, n);
    assert.equal(read(0x20), 1);
    assert.equal(read(0x08), n);
    env.advance(env.nextEvent() ?? 0);
    assert.equal(read(0x20), 0);
    assert.equal(read(0x08), result);
  });
}

test("the factorial takes 10 us and 1 ns a factor, and takes no other number meanwhile", () => {
  const { env, read, write } = bench();
  write(0x08, 6);
  assert.equal(env.nextEvent(), 10_006);
  write(0x08, 3);
  env.advance(10_005);
  assert.equal(read(0x20) & 1, 1);
  env.advance(1);
  assert.equal(read(0x08), 720);
  assert.equal(env.level(0), false);
});

test("the factorial interrupts if status bit 7 says so", () => {
  const { env, read, write } = bench();
  write(0x20, 0xffffffff);
  assert.equal(read(0x20), 0x80);
  write(0x08, 3);
  assert.equal(read(0x20), 0x81);
  env.advance(MS);
  assert.equal(read(0x20), 0x80);
  assert.equal(read(0x24), 1);
  assert.equal(env.level(0), true);
  write(0x20, 0);
  assert.equal(read(0x20), 0);
});

test("raised bits accumulate, acknowledged ones clear, INTx follows", () => {
  const { env, read, write } = bench();
  write(0x60, 0);
  assert.equal(env.level(0), false);
  write(0x60, 0x8000_0001);
  write(0x60, 0x10);
  assert.equal(read(0x24), 0x8000_0011);
  assert.equal(env.level(0), true);
  write(0x64, 0x8000_0001);
  assert.equal(read(0x24), 0x10);
  assert.equal(env.level(0), true);
  write(0x64, 0xffffffff);
  assert.equal(read(0x24), 0);
  assert.equal(env.level(0), false);
});

test("with MSI enabled a raise sends the message and leaves INTx alone", () => {
  const { env, fn, read, write } = bench();
  fn.writeConfig(0x44, 4, 0xfee0_0010);
  fn.writeConfig(0x4c, 2, 0x41);
  fn.writeConfig(0x42, 2, 1);
  write(0x60, 2);
  write(0x60, 2);
  assert.equal(read(0x24), 2);
  assert.deepEqual(env.busWrites, [
    { address: 0xfee0_0010n, width: 4, value: 0x41 },
    { address: 0xfee0_0010n, width: 4, value: 0x41 },
  ]);
  assert.equal(env.level(0), false);
});

test("DMA from memory to the buffer and back, 100 ms each", () => {
  const { env, mmio, read, dma } = bench();
  env.ram.set([1, 2, 3, 4, 5, 6, 7, 8], 0x100);
  dma(RAM + 0x100n, BUFFER + 0x10n, 8n, 0x1n);
  env.advance(100 * MS - 1);
  assert.equal(accessRead(mmio, 0x98, 8), 1n);
  env.advance(1);
  assert.equal(accessRead(mmio, 0x98, 8), 0n);
  dma(BUFFER + 0x10n, RAM + 0x200n, 8n, 0x3n);
  env.advance(100 * MS);
  assert.deepEqual([...env.ram.subarray(0x200, 0x209)], [1, 2, 3, 4, 5, 6, 7, 8, 0]);
  assert.equal(accessRead(mmio, 0x98, 8), 2n);
  assert.equal(read(0x24), 0);
});

test("the whole buffer moves, and bit 2 of the command interrupts at the end", () => {
  const { env, read, dma, write } = bench();
  for (let i = 0; i < 4096; i++) env.ram[i] = i * 7;
  dma(RAM, BUFFER, 4096n, 0x5n);
  env.advance(100 * MS);
  assert.equal(read(0x24), 0x100);
  assert.equal(env.level(0), true);
  write(0x64, 0x100);
  dma(BUFFER, RAM + 0x2000n, 4096n, 0x7n);
  env.advance(100 * MS);
  assert.deepEqual(env.ram.subarray(0x2000, 0x3000), env.ram.subarray(0, 0x1000));
  assert.equal(read(0x24), 0x100);
});

test("the DMA registers stand still while a transfer runs, and a command without the run bit does nothing", () => {
  const { env, mmio, dma } = bench();
  dma(RAM, BUFFER, 4n, 0x2n);
  assert.equal(env.nextEvent(), null);
  assert.equal(accessRead(mmio, 0x98, 8), 0n);
  dma(RAM, BUFFER, 4n, 0x1n);
  env.advance(50 * MS);
  dma(1n, 2n, 3n, 0x7n);
  assert.equal(accessRead(mmio, 0x80, 8), RAM);
  assert.equal(accessRead(mmio, 0x88, 8), BUFFER);
  assert.equal(accessRead(mmio, 0x90, 8), 4n);
  assert.equal(accessRead(mmio, 0x98, 8), 1n);
  assert.equal(env.nextEvent(), 50 * MS);
});

test("bus addresses are cut to the DMA mask, 28 bits unless configured", () => {
  const narrow = bench();
  narrow.env.ram.set([0xaa], 0);
  narrow.dma(0xf000_0000n + RAM, BUFFER, 1n, 1n);
  narrow.env.advance(100 * MS);
  assert.match(narrow.env.logs.join(), /clamping DMA address 0xf1000000 to 0x1000000/);
  narrow.dma(BUFFER, RAM + 8n, 1n, 3n);
  narrow.env.advance(100 * MS);
  assert.equal(narrow.env.ram[8], 0xaa);

  const wide = bench({ dmaMask: 0xffff_ffffn }, makeTestEnv());
  wide.env.ram.set([0xbb], 0);
  wide.dma(0x8000_0000n, BUFFER, 1n, 1n);
  wide.env.advance(100 * MS);
  wide.dma(BUFFER, 0x8000_0008n, 1n, 3n);
  wide.env.advance(100 * MS);
  assert.equal(wide.env.ram[8], 0xbb);
  assert.deepEqual(wide.env.logs, []);
});

test("DMA outside the buffer moves nothing, is reported, and ends like any other", () => {
  for (const [address, count] of [
    [BUFFER - 1n, 4n],
    [BUFFER + 4093n, 4n],
    [BUFFER, 4097n],
    [BUFFER, 0n],
    [0xffff_ffff_ffff_fffcn, 8n],
  ] as const) {
    const { env, mmio, read, dma } = bench();
    dma(RAM, address, count, 0x5n);
    env.advance(100 * MS);
    assert.equal(env.logs.length, 1);
    assert.match(env.logs[0] ?? "", /outside the buffer/);
    assert.equal(accessRead(mmio, 0x98, 8), 4n);
    assert.equal(read(0x24), 0x100);
  }
});

test("DMA without bus mastering or memory leaves zeros in the buffer", () => {
  const { env, fn, dma } = bench();
  env.ram.fill(0x77, 0, 8);
  dma(RAM, BUFFER, 8n, 1n);
  env.advance(100 * MS);
  fn.writeConfig(0x04, 2, 2);
  dma(RAM, BUFFER + 2n, 2n, 1n);
  env.advance(100 * MS);
  fn.writeConfig(0x04, 2, 6);
  dma(0n, BUFFER + 6n, 1n, 1n);
  env.advance(100 * MS);
  dma(BUFFER, RAM + 0x10n, 8n, 3n);
  env.advance(100 * MS);
  assert.deepEqual([...env.ram.subarray(0x10, 0x18)], [0x77, 0x77, 0, 0, 0x77, 0x77, 0, 0x77]);
  assert.match(env.logs.join("\n"), /bus mastering is off[\s\S]*found no memory/);
});

test("a restored device finishes what the saved one began", () => {
  const first = bench();
  first.env.ram.set([9, 8, 7, 6], 0);
  first.write(0x20, 0x80);
  first.write(0x08, 10);
  first.dma(RAM, BUFFER, 4n, 0x5n);
  const state = structuredClone(first.device.save());
  const second = bench({}, first.env.fork());
  second.device.load(state);
  first.write(0x64, 0xffffffff);
  for (const { env, read, mmio } of [first, second]) {
    env.advance(100 * MS);
    assert.equal(read(0x08), 3628800);
    assert.equal(read(0x24), 0x101);
    assert.equal(accessRead(mmio, 0x98, 8), 4n);
  }
  second.dma(BUFFER, RAM + 0x20n, 4n, 3n);
  second.env.advance(100 * MS);
  assert.deepEqual([...second.env.ram.subarray(0x20, 0x24)], [9, 8, 7, 6]);
});

test("reset cancels everything under way", () => {
  const { env, device, fn, read, write, dma } = bench();
  write(0x60, 1);
  write(0x08, 5);
  dma(RAM, BUFFER, 4n, 0x1n);
  device.reset();
  assert.equal(env.level(0), false);
  assert.equal(env.nextEvent(), null);
  assert.equal(fn.readConfig(0x04, 2), 0);
  for (const offset of [0x04, 0x08, 0x20, 0x24, 0x80, 0x88, 0x90, 0x98]) assert.equal(read(offset), 0);
});

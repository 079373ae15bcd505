// pci-testdev against QEMU's docs/specs/pci-testdev.txt: test headers, which writes count, and the optional window.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";
import type { Device, Region, Width } from "./device.ts";
import { pciTestdev } from "./pci-testdev.ts";
import { makeTestEnv } from "../../tests/fixtures/device-env.ts";

interface Bench {
  readonly device: Device;
  readonly mmio: Region;
  readonly portio: Region;
}

function bench(): Bench {
  const device = pciTestdev.create({}, makeTestEnv());
  const [mmio, portio] = device.pci?.bars ?? [];
  assert.ok(mmio && portio);
  return { device, mmio: mmio.region, portio: portio.region };
}

function name(region: Region): string {
  let text = "";
  for (let offset = 0x10; ; offset++) {
    const byte = Number(accessRead(region, offset, 1));
    if (byte === 0) return text;
    text += String.fromCharCode(byte);
  }
}

const count = (region: Region): number => Number(accessRead(region, 0x0c, 4));

test("identifies itself without interrupt pin, with a memory BAR of 4 KiB and a port BAR of 256 bytes", () => {
  const { device } = bench();
  const fn = device.pci;
  assert.ok(fn);
  assert.equal(fn.readConfig(0, 4), 0x00051b36);
  assert.equal(fn.readConfig(8, 4), 0x00ff0000);
  assert.equal(fn.readConfig(0x3d, 1), 0);
  assert.deepEqual(
    fn.bars.map((bar) => bar && [bar.kind, bar.region.size]),
    [["memory32", 0x1000], ["io", 0x100], null],
  );
});

test("membar adds a 64-bit prefetchable window in which nobody answers", () => {
  const bar = pciTestdev.create({ membar: 0x100000 }, makeTestEnv()).pci?.bars[2];
  assert.ok(bar);
  assert.equal(bar.kind, "memory64");
  assert.equal(bar.prefetchable, true);
  assert.equal(accessWrite(bar.region, 0x10, 4, 0), true);
  assert.equal(accessRead(bar.region, 0x10, 4), 0xffffffff);
});

const headers = [
  { space: "mmio", kind: 0, index: 0, offset: 2048, data: 0xfa, name: "mmio-no-eventfd" },
  { space: "mmio", kind: 1, index: 1, offset: 2049, data: 0xce, name: "mmio-wildcard-eventfd" },
  { space: "mmio", kind: 2, index: 2, offset: 2050, data: 0xfa, name: "mmio-datamatch-eventfd" },
  { space: "portio", kind: 0, index: 3, offset: 131, data: 0xfa, name: "portio-no-eventfd" },
  { space: "portio", kind: 1, index: 4, offset: 132, data: 0xce, name: "portio-wildcard-eventfd" },
  { space: "portio", kind: 2, index: 5, offset: 133, data: 0xfa, name: "portio-datamatch-eventfd" },
] as const;

for (const header of headers) {
  test(`${header.name}: header`, () => {
    const { [header.space]: region, mmio, portio } = bench();
    accessWrite(region, 0, 1, header.kind);
    for (const view of [mmio, portio]) {
      assert.equal(accessRead(view, 0, 1), header.index);
      assert.equal(accessRead(view, 1, 1), 1);
      assert.equal(accessRead(view, 4, 4), header.offset);
      assert.equal(accessRead(view, 8, 1), header.data);
      assert.equal(count(view), 0);
      assert.equal(name(view), header.name);
    }
  });

  test(`${header.name}: which writes count`, () => {
    const { mmio, portio } = bench();
    const [region, other] = header.space === "mmio" ? [mmio, portio] : [portio, mmio];
    accessWrite(region, 0, 1, header.kind);
    const counted = (target: Region, offset: number, width: Width, value: number): number => {
      const before = count(region);
      assert.equal(accessWrite(target, offset, width, value), true);
      return count(region) - before;
    };
    const isWildcard = header.kind === 1;
    assert.equal(counted(region, header.offset, 1, header.data), header.kind === 0 ? 1 : 0);
    // Only the wildcard notifier takes any value; the datamatch one lets a wrong value pass to the device, which drops it.
    assert.equal(counted(region, header.offset, 1, 0x11), 0);
    assert.equal(counted(region, header.offset + 1, 1, header.data), 0);
    assert.equal(counted(region, header.offset - 1, 1, header.data), 0);
    const wide = header.offset & ~3;
    const shifted = (value: number): number => (value << ((header.offset & 3) * 8)) >>> 0;
    assert.equal(counted(region, wide, 4, shifted(header.data)), 1);
    assert.equal(counted(region, wide, 4, shifted(0x11)), isWildcard ? 1 : 0);
    if (header.offset < other.size) assert.equal(counted(other, header.offset, 1, header.data), 1);
  });
}

test("before a selection and after a stop everything reads as zero and nothing counts", () => {
  const { mmio } = bench();
  for (const stop of [3, 0xff]) {
    for (let offset = 0; offset < 0x40; offset += 4) assert.equal(accessRead(mmio, offset, 4), 0);
    accessWrite(mmio, 0, 1, 0);
    accessWrite(mmio, 2048, 1, 0xfa);
    assert.equal(count(mmio), 1);
    accessWrite(mmio, 0, 1, stop);
  }
  accessWrite(mmio, 0, 1, 0);
  assert.equal(count(mmio), 0);
});

test("the header ends with its name; wide reads are made of bytes", () => {
  const { mmio } = bench();
  accessWrite(mmio, 0, 4, 0xffffff00);
  assert.equal(accessRead(mmio, 0, 4), 0x00000100);
  assert.equal(accessRead(mmio, 0, 8), 0x0000_0800_0000_0100n);
  assert.equal(accessRead(mmio, 0x18, 8), 0x0064_6674_6e65_7665n);
  assert.equal(accessRead(mmio, 0xff8, 8), 0n);
});

test("save and load carry selection and count; reset drops them", () => {
  const { device, mmio } = bench();
  accessWrite(mmio, 0, 1, 0);
  for (let i = 0; i < 3; i++) accessWrite(mmio, 2048, 1, 0xfa);
  const state = structuredClone(device.save());
  const other = bench();
  other.device.load(state);
  assert.equal(count(other.mmio), 3);
  device.reset();
  assert.equal(accessRead(mmio, 4, 4), 0);
});

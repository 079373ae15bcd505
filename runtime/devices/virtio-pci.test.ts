// Virtio over PCI against VIRTIO 1.2, 4.1, and its MSI-X against PCI 3.0, 6.8.2. Registers are compared with QEMU by
// tests/qtest/virtio-pci.scripts.ts; here are capabilities as a driver walks them, messages, and what a snapshot holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";
import type { PciFunction, Region } from "./device.ts";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";
import { virtioPci } from "./virtio-pci.ts";

const MSI = { base: 0x900_0000n, size: 0x1000 };
const RING = 0x8000_1000;
const MASTER_AND_MEMORY = 6;

interface Bench {
  readonly env: TestEnv;
  readonly fn: PciFunction;
  readonly read: (offset: number, width: 1 | 2 | 4) => number;
  readonly write: (offset: number, value: number, width: 1 | 2 | 4) => void;
  readonly writeEntry: (offset: number, value: number) => void;
  /** Offers one buffer of 8 bytes and rings. */
  readonly request: () => void;
  readonly save: () => unknown;
  readonly load: (state: unknown) => void;
}

function bench(env = makeTestEnv({ busWindow: MSI })): Bench {
  const device = env.connect(virtioPci.create({ device: "rng" }, env));
  const fn = device.pci;
  assert.ok(fn);
  const regionOf = (bar: number): Region => {
    const region = fn.bars[bar]?.region;
    assert.ok(region);
    return region;
  };
  const [msix, modern] = [regionOf(1), regionOf(4)];
  const ram = new DataView(env.ram.buffer);
  return {
    env,
    fn,
    read: (offset, width) => Number(accessRead(modern, offset, width)),
    write: (offset, value, width) => assert.equal(accessWrite(modern, offset, width, value), true),
    writeEntry(offset, value) {
      const target = "resolve" in msix ? (msix as { resolve: (at: number) => { region: Region; offset: number } | null }).resolve(offset) : null;
      assert.ok(target);
      assert.equal(accessWrite(target.region, target.offset, 4, value), true);
    },
    request() {
      const index = ram.getUint16(0x2002, true);
      ram.setBigUint64(0x1000, 0x8000_8000n, true);
      ram.setUint32(0x1008, 8, true);
      ram.setUint16(0x100c, 2, true);
      ram.setUint16(0x2002, index + 1, true);
      assert.equal(accessWrite(modern, 0x3000, 2, 0), true);
    },
    save: () => device.save(),
    load: (state) => device.load(state as ReturnType<typeof device.save>),
  };
}

/** `vector` of the queue, or none. */
function start({ fn, write }: Bench, vector = 0xffff): void {
  fn.writeConfig(4, 2, MASTER_AND_MEMORY);
  write(0x14, 3, 1);
  write(0x08, 1, 4);
  write(0x0c, 1, 4);
  write(0x14, 0xb, 1);
  write(0x16, 0, 2);
  write(0x18, 8, 2);
  write(0x1a, vector, 2);
  [RING, RING + 0x1000, RING + 0x2000].forEach((address, n) => write(0x20 + 8 * n, address, 4));
  write(0x1c, 1, 2);
  write(0x14, 0xf, 1);
}

test("the capabilities are found one after the other, and name the structures of BAR 4", () => {
  const { fn } = bench();
  const found: number[][] = [];
  for (let at = fn.readConfig(0x34, 1); at !== 0; at = fn.readConfig(at + 1, 1)) {
    found.push([fn.readConfig(at, 1), ...(fn.readConfig(at, 1) === 9 ? [fn.readConfig(at + 3, 1), fn.readConfig(at + 8, 4), fn.readConfig(at + 12, 4)] : [])]);
  }
  assert.deepEqual(found, [[0x11], [9, 5, 0, 0], [9, 2, 0x3000, 0x1000], [9, 4, 0x2000, 0x1000], [9, 3, 0x1000, 0x1000], [9, 1, 0, 0x1000]]);
});

test("INTx rises with a used buffer and falls when the ISR status is read", () => {
  const one = bench();
  start(one);
  one.request();
  assert.equal(one.env.level(0), true);
  assert.equal(one.read(0x1000, 1), 1);
  assert.equal(one.env.level(0), false);
  assert.equal(one.read(0x1000, 1), 0);
});

test("a message goes out for the queue's vector, and waits while the vector or the function is masked", () => {
  const one = bench();
  one.fn.writeConfig(0x9a, 2, 0x8000);
  start(one, 1);
  one.writeEntry(16, 0x900_0040);
  one.writeEntry(24, 0x1234);
  one.request();
  assert.deepEqual(one.env.busWrites, []);
  one.writeEntry(28, 0);
  assert.deepEqual(one.env.busWrites, [{ address: 0x900_0040n, width: 4, value: 0x1234 }]);
  one.fn.writeConfig(0x9a, 2, 0xc000);
  one.request();
  assert.equal(one.env.busWrites.length, 1);
  one.fn.writeConfig(0x9a, 2, 0x8000);
  assert.equal(one.env.busWrites.length, 2);
  assert.equal(one.env.level(0), false);
});

test("a vector that is not there reads back as none", () => {
  const { read, write } = bench();
  write(0x10, 1, 2);
  assert.equal(read(0x10, 2), 1);
  write(0x10, 2, 2);
  assert.equal(read(0x10, 2), 0xffff);
});

test("without bus mastering the device does nothing, and the driver is told by DRIVER_OK", () => {
  const one = bench();
  start(one);
  one.fn.writeConfig(4, 2, 2);
  one.request();
  assert.equal(one.read(0x14, 1), 0xb);
  assert.equal(one.env.level(0), false);
});

test("DRIVER_OK has the device look at what was offered before", () => {
  const one = bench();
  start(one);
  one.write(0x14, 0xb, 1);
  one.request();
  assert.equal(one.read(0x1000, 1), 0);
  one.write(0x14, 0xf, 1);
  assert.equal(one.read(0x1000, 1), 1);
});

test("a snapshot holds the queue, its vector and a message that waits", () => {
  const one = bench();
  one.fn.writeConfig(0x9a, 2, 0x8000);
  start(one, 0);
  one.writeEntry(0, 0x900_0040);
  one.request();
  const other = bench(one.env.fork());
  other.load(one.save());
  other.writeEntry(12, 0);
  assert.equal(other.env.busWrites.length, 1);
  other.request();
  assert.equal(other.env.busWrites.length, 2);
});

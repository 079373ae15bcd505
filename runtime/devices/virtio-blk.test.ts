// The block device against VIRTIO 1.2, 5.2, over MMIO as a driver would drive it. What every kind of request answers is compared with QEMU
// (tests/qtest/virtio-blk.scripts.ts); here is what only we can see: where the bytes are kept, what a snapshot holds, when they last.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startVirtio, type Buffer, type VirtioBench, type VirtioBenchOptions } from "../../tests/fixtures/virtio-bench.ts";
import type { ByteStore } from "./device.ts";

const FLUSH = 1n << 9n;
const CONFIG_WCE = 1n << 11n;
const VERSION_1 = 1n << 32n;
const HEADER = 0x8000;
const STATUS = 0x8100;
const DATA = 0x9000;
const CONFIG = { device: "blk", size: 0x1_0000 } as const;

function request(bench: VirtioBench, kind: number, sector: number, data: readonly Buffer[]): number {
  const view = new DataView(bench.env.ram.buffer);
  view.setUint32(HEADER, kind, true);
  view.setBigUint64(HEADER + 8, BigInt(sector), true);
  view.setUint8(STATUS, 0xff);
  bench.offer(0, [{ at: HEADER, length: 16, flags: 0 }, ...data, { at: STATUS, length: 1, flags: 2 }]);
  bench.kick(0);
  return view.getUint8(STATUS);
}

/** A store that notes what is asked of it. */
function recordingStore(size: number): { readonly store: ByteStore; readonly calls: string[] } {
  const calls: string[] = [];
  const store: ByteStore = {
    size,
    read: (offset, into) => void calls.push(`read ${offset} ${into.length}`),
    write: (offset, from) => void calls.push(`write ${offset} ${from.length}`),
    fill: (offset, length) => void calls.push(`fill ${offset} ${length}`),
    flush: () => void calls.push("flush"),
  };
  return { store, calls };
}

test("a disk in memory is part of the device's state", () => {
  const bench = startVirtio(CONFIG);
  bench.env.ram.fill(0x5a, DATA, DATA + 512);
  assert.equal(request(bench, 1, 3, [{ at: DATA, length: 512, flags: 0 }]), 0);
  const other = startVirtio(CONFIG);
  other.device.load(bench.device.save());
  other.start();
  assert.equal(request(other, 0, 3, [{ at: DATA, length: 512, flags: 2 }]), 0);
  assert.ok(other.env.ram.subarray(DATA, DATA + 512).every((byte) => byte === 0x5a));
  other.device.reset();
  other.start();
  assert.equal(request(other, 0, 3, [{ at: DATA, length: 512, flags: 2 }]), 0);
  assert.ok(other.env.ram.subarray(DATA, DATA + 512).every((byte) => byte === 0));
});

test("a store from outside has its size, its bytes, and outlives a reset", () => {
  const { store, calls } = recordingStore(0x2000);
  const bench = startVirtio(CONFIG, { overrides: { store }, features: VERSION_1 | FLUSH | CONFIG_WCE });
  assert.equal(bench.read(0x100), 16);
  assert.equal(request(bench, 1, 2, [{ at: DATA, length: 1024, flags: 0 }]), 0);
  assert.equal(request(bench, 0, 15, [{ at: DATA, length: 512, flags: 2 }]), 0);
  assert.equal(request(bench, 0, 16, [{ at: DATA, length: 512, flags: 2 }]), 1);
  bench.start();
  assert.equal(request(bench, 4, 0, []), 0);
  bench.device.reset();
  assert.deepEqual(calls, ["write 1024 1024", "read 7680 512", "flush"]);
});

test("without a write cache every write is flushed", () => {
  const cases: readonly (readonly [VirtioBenchOptions, readonly string[]])[] = [
    [{ features: VERSION_1 | FLUSH }, ["write 0 512"]],
    [{ features: VERSION_1 }, ["write 0 512", "flush"]],
  ];
  for (const [options, expected] of cases) {
    const { store, calls } = recordingStore(0x2000);
    const bench = startVirtio(CONFIG, { ...options, overrides: { store } });
    assert.equal(request(bench, 1, 0, [{ at: DATA, length: 512, flags: 0 }]), 0);
    assert.deepEqual(calls, expected);
  }
  const { store, calls } = recordingStore(0x2000);
  const bench = startVirtio(CONFIG, { features: VERSION_1 | FLUSH | CONFIG_WCE, overrides: { store } });
  bench.write(0x120, 0, 1);
  assert.equal(request(bench, 1, 0, [{ at: DATA, length: 512, flags: 0 }]), 0);
  assert.deepEqual(calls, ["write 0 512", "flush"]);
});

test("a data buffer outside memory needs a reset", () => {
  const bench = startVirtio(CONFIG);
  assert.equal(request(bench, 0, 0, [{ at: 0xf_fe00, length: 512, flags: 2 }]), 0xff);
  assert.equal(bench.read(0x70) & 0x40, 0x40);
});

test("a size that is no number of sectors is refused", () => {
  for (const size of [0, 100, 513]) assert.throws(() => startVirtio({ device: "blk", size }), /virtio-blk: size/);
});

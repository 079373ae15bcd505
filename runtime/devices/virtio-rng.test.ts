// The entropy device against VIRTIO 1.2, 5.4, over MMIO as a driver would drive it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startVirtio } from "../../tests/fixtures/virtio-bench.ts";

const WRITE = 2;

test("a buffer is filled to its end with the bytes of the machine's seed, and none beside", () => {
  const filled = (seed: number): Uint8Array => {
    const { env, offer, kick, used } = startVirtio({ device: "rng" }, { seed });
    offer(0, [{ at: 0x8000, length: 10, flags: WRITE }]);
    kick(0);
    assert.deepEqual(used(0), { index: 1, id: 0, length: 10 });
    assert.equal(env.level(0), true);
    assert.ok(env.ram.subarray(0x800a, 0x8100).every((byte) => byte === 0));
    return env.ram.slice(0x8000, 0x800a);
  };
  assert.deepEqual(filled(7), filled(7));
  assert.notDeepEqual(filled(7), filled(8));
  assert.notDeepEqual(filled(7), new Uint8Array(10));
});

test("a chain is one buffer; what the device may only read comes back with nothing written", () => {
  const { env, offer, kick, used } = startVirtio({ device: "rng" });
  offer(0, [
    { at: 0x8000, length: 4, flags: 0 },
    { at: 0x8010, length: 5000, flags: WRITE },
    { at: 0xa000, length: 3, flags: WRITE },
  ]);
  kick(0);
  assert.deepEqual(used(0), { index: 1, id: 0, length: 5003 });
  assert.deepEqual(env.ram.slice(0x8000, 0x8004), new Uint8Array(4));
  offer(0, [{ at: 0x8000, length: 4, flags: 0 }]);
  kick(0);
  assert.deepEqual(used(0), { index: 2, id: 3, length: 0 });
});

test("buffers wait for DRIVER_OK", () => {
  const { write, offer, kick, used } = startVirtio({ device: "rng" }, { status: 0xb });
  offer(0, [{ at: 0x8000, length: 4, flags: WRITE }]);
  kick(0);
  assert.equal(used(0).index, 0);
  write(0x70, 0xf);
  assert.deepEqual(used(0), { index: 1, id: 0, length: 4 });
});

test("a buffer outside memory needs a reset", () => {
  const { read, offer, kick } = startVirtio({ device: "rng" });
  offer(0, [{ at: 0xf_ffff, length: 4, flags: WRITE }]);
  kick(0);
  assert.equal(read(0x70) & 0x40, 0x40);
});

// The network device against VIRTIO 1.2, 5.1, over MMIO as a driver would drive it: frames in and out, buffers, filters, what waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startVirtio, type VirtioBench } from "../../tests/fixtures/virtio-bench.ts";

const CONFIG = { device: "net", mac: "52:54:00:12:34:56", hub: 0 } as const;
const VERSION_1 = 1n << 32n;
const MRG_RXBUF = 1n << 15n;
const CTRL_VLAN = 1n << 19n;
const WRITE = 2;

const start = (features = VERSION_1, output?: (bytes: Uint8Array) => void): VirtioBench =>
  startVirtio(CONFIG, { queues: 3, features, ...(output === undefined ? {} : { overrides: { output } }) });

function frameTo(destination: readonly number[], length = 60): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => index);
  bytes.set(destination);
  return bytes;
}

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const OWN = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [2, 0, 0, 0, 0, 9];
const GROUP = [1, 0, 0x5e, 0, 0, 1];

function order(bench: VirtioBench, bytes: readonly number[]): number {
  bench.env.ram.set(bytes, 0xe000);
  bench.env.ram[0xe800] = 0xff;
  bench.offer(2, [
    { at: 0xe000, length: bytes.length, flags: 0 },
    { at: 0xe800, length: 1, flags: WRITE },
  ]);
  bench.kick(2);
  return bench.env.ram[0xe800] ?? -1;
}

/** Whether the driver gets the frame into a buffer that it offers now. */
function passes(bench: VirtioBench, frame: Uint8Array): boolean {
  const before = bench.used(0).index;
  bench.offer(0, [{ at: 0x8000, length: 2000, flags: WRITE }]);
  bench.kick(0);
  bench.device.receive?.(frame);
  const isIn = bench.used(0).index !== before;
  if (!isIn) bench.device.receive?.(frameTo(OWN));
  return isIn;
}

test("a frame leaves without its header, in one piece, whatever its buffers", () => {
  const frames: Uint8Array[] = [];
  const bench = start(VERSION_1, (bytes) => frames.push(bytes));
  bench.env.ram.set(frameTo(BROADCAST), 0x9000);
  bench.offer(1, [
    { at: 0x8ffa, length: 6, flags: 0 },
    { at: 0x8ffa, length: 6, flags: 0 },
    { at: 0x9000, length: 1, flags: 0 },
    { at: 0x9001, length: 59, flags: 0 },
  ]);
  bench.kick(1);
  assert.deepEqual(frames, [frameTo(BROADCAST)]);
  assert.deepEqual(bench.used(1), { index: 1, id: 0, length: 0 });
});

test("a driver of before VIRTIO 1 has a header of 10 bytes, and may set the address", () => {
  const frames: Uint8Array[] = [];
  const bench = start(0n, (bytes) => frames.push(bytes));
  bench.env.ram.set(frameTo(BROADCAST), 0x900a);
  bench.offer(1, [{ at: 0x9000, length: 70, flags: 0 }]);
  bench.kick(1);
  assert.deepEqual(frames, [frameTo(BROADCAST)]);
  bench.write(0x105, 0x99, 1);
  assert.equal(bench.read(0x105, 1), 0x99);
  const modern = start();
  modern.write(0x105, 0x99, 1);
  assert.equal(modern.read(0x105, 1), 0x56);
});

test("a frame comes with its header, and num_buffers counts what it took", () => {
  const bench = start();
  bench.offer(0, [{ at: 0x8000, length: 200, flags: WRITE }]);
  bench.kick(0);
  bench.device.receive?.(frameTo(BROADCAST));
  assert.deepEqual(bench.used(0), { index: 1, id: 0, length: 72 });
  assert.deepEqual([...bench.env.ram.subarray(0x8000, 0x800c)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual(bench.env.ram.slice(0x800c, 0x8048), frameTo(BROADCAST));

  const merging = start(VERSION_1 | MRG_RXBUF);
  for (const at of [0x8000, 0x8100]) merging.offer(0, [{ at, length: 40, flags: WRITE }]);
  merging.kick(0);
  merging.device.receive?.(frameTo(BROADCAST));
  assert.deepEqual(merging.used(0), { index: 2, id: 1, length: 32 });
  assert.equal(merging.env.ram[0x800a], 2);
});

test("a frame waits until there is room for all of it, also over a snapshot; too many are dropped", () => {
  const bench = start(VERSION_1 | MRG_RXBUF);
  bench.offer(0, [{ at: 0x8000, length: 40, flags: WRITE }]);
  bench.kick(0);
  bench.device.receive?.(frameTo(BROADCAST));
  assert.equal(bench.used(0).index, 0);
  bench.device.load(bench.device.save());
  bench.offer(0, [{ at: 0x8100, length: 40, flags: WRITE }]);
  bench.kick(0);
  assert.equal(bench.used(0).index, 2);

  const full = start();
  for (let n = 0; n < 300; n++) full.device.receive?.(frameTo(BROADCAST));
  assert.equal(full.env.logs.filter((text) => /256 others wait/.test(text)).length, 300 - 256);
});

test("without MRG_RXBUF a frame that does not fit is lost, and its buffer is still there", () => {
  const bench = start();
  bench.offer(0, [{ at: 0x8000, length: 40, flags: WRITE }]);
  bench.kick(0);
  bench.device.receive?.(frameTo(BROADCAST));
  assert.equal(bench.used(0).index, 0);
  bench.device.receive?.(frameTo(BROADCAST, 20));
  assert.deepEqual(bench.used(0), { index: 1, id: 0, length: 32 });
});

test("the filters, rule by rule", () => {
  const bench = start(VERSION_1 | CTRL_VLAN);
  assert.equal(passes(bench, frameTo(OTHER)), true);
  assert.equal(order(bench, [0, 0, 0]), 0);
  assert.deepEqual(
    [OWN, BROADCAST, OTHER, GROUP].map((to) => passes(bench, frameTo(to))),
    [true, true, false, false],
  );
  assert.equal(order(bench, [1, 0, 1, 0, 0, 0, ...OTHER, 1, 0, 0, 0, ...GROUP]), 0);
  assert.deepEqual(
    [OTHER, GROUP].map((to) => passes(bench, frameTo(to))),
    [true, true],
  );
  const tagged = frameTo(OWN);
  tagged.set([0x81, 0, 0x20, 5], 12);
  assert.equal(passes(bench, tagged), false);
  assert.equal(order(bench, [2, 0, 5, 0]), 0);
  assert.equal(passes(bench, tagged), true);
  assert.equal(order(bench, [2, 1, 5, 0]), 0);
  assert.equal(passes(bench, tagged), false);
  assert.equal(order(bench, [0, 5, 1]), 0);
  assert.equal(passes(bench, frameTo(BROADCAST)), false);
});

test("more addresses than there is room for let all pass", () => {
  const bench = start();
  order(bench, [0, 0, 0]);
  const addresses = Array.from({ length: 65 }, (_, n) => [2, 0, 0, 0, 1, n]).flat();
  assert.equal(order(bench, [1, 0, 65, 0, 0, 0, ...addresses, 0, 0, 0, 0]), 0);
  assert.deepEqual(
    [OTHER, GROUP].map((to) => passes(bench, frameTo(to))),
    [true, false],
  );
});

test("an address that is none is refused", () => {
  for (const mac of ["", "52:54:00:12:34", "52:54:00:12:34:5g"]) assert.throws(() => startVirtio({ ...CONFIG, mac }), /virtio-net: mac/);
});

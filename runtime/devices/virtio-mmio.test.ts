// The virtio MMIO transport and its console against VIRTIO 1.2, driven as a driver would: through registers and rings in RAM.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";
import type { Device, Region } from "./device.ts";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";
import { virtioMmio, type VirtioMmioConfig } from "./virtio-mmio.ts";

const BASE = 0x8000_0000n;
const QUEUE_SIZE = 8;
const ACKNOWLEDGE_DRIVER = 3;
const FEATURES_OK = 8;
const DRIVER_OK = 4;

interface Bench {
  readonly env: TestEnv;
  readonly device: Device;
  readonly region: Region;
  readonly read: (offset: number) => number;
  readonly write: (offset: number, value: number) => void;
  /** A driver's set-up: features, two queues (rings at 0x1000 and 0x2000 of RAM), DRIVER_OK. */
  readonly start: (lowFeatures?: number) => void;
  /** Offers one buffer in queue `queue` at `address`. */
  readonly offer: (queue: number, address: number, length: number, writable: boolean) => void;
  readonly used: (queue: number) => { index: number; lastLength: number };
}

function bench(config: VirtioMmioConfig = { device: "console", backend: "output" }, from?: TestEnv): Bench {
  const env = from ?? makeTestEnv();
  const device = env.connect(virtioMmio.create(config, env));
  const [region] = device.regions;
  assert.ok(region);
  const ram = new DataView(env.ram.buffer);
  const ringOf = (queue: number): number => 0x1000 + queue * 0x1000;
  const read = (offset: number): number => Number(accessRead(region, offset, 4));
  const write = (offset: number, value: number): void => assert.equal(accessWrite(region, offset, 4, value), true);
  return {
    env,
    device,
    region,
    read,
    write,
    start(lowFeatures = 0) {
      write(0x70, 0);
      write(0x70, ACKNOWLEDGE_DRIVER);
      for (const [select, value] of [
        [0, lowFeatures],
        [1, 1],
      ] as const) {
        write(0x24, select);
        write(0x20, value);
      }
      write(0x70, ACKNOWLEDGE_DRIVER | FEATURES_OK);
      assert.equal(read(0x70), ACKNOWLEDGE_DRIVER | FEATURES_OK);
      for (const queue of [0, 1]) {
        write(0x30, queue);
        assert.equal(read(0x44), 0);
        assert.ok(read(0x34) >= QUEUE_SIZE);
        write(0x38, QUEUE_SIZE);
        const ring = Number(BASE) + ringOf(queue);
        for (const [register, address] of [
          [0x80, ring],
          [0x90, ring + 0x400],
          [0xa0, ring + 0x800],
        ] as const) {
          write(register, address);
          write(register + 4, 0);
        }
        write(0x44, 1);
        assert.equal(read(0x44), 1);
      }
      write(0x70, ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
    },
    offer(queue, address, length, writable) {
      const ring = ringOf(queue);
      const index = ram.getUint16(ring + 0x402, true);
      const slot = index % QUEUE_SIZE;
      ram.setBigUint64(ring + slot * 16, BASE + BigInt(address), true);
      ram.setUint32(ring + slot * 16 + 8, length, true);
      ram.setUint16(ring + slot * 16 + 12, writable ? 2 : 0, true);
      ram.setUint16(ring + 0x404 + slot * 2, slot, true);
      ram.setUint16(ring + 0x402, index + 1, true);
    },
    used(queue) {
      const ring = ringOf(queue) + 0x800;
      const index = ram.getUint16(ring + 2, true);
      return { index, lastLength: ram.getUint32(ring + 4 + ((index + QUEUE_SIZE - 1) % QUEUE_SIZE) * 8 + 4, true) };
    },
  };
}

function put(env: TestEnv, address: number, text: string): void {
  env.ram.set(new TextEncoder().encode(text), address);
}

test("identification, and the features on offer in two halves", () => {
  const { read, write } = bench();
  assert.deepEqual([0x00, 0x04, 0x08, 0x0c].map(read), [0x74726976, 2, 3, 0x554d4551]);
  assert.equal(read(0x10), 0x30000004);
  write(0x14, 1);
  assert.equal(read(0x10), 0x00000101);
  write(0x14, 0);
  assert.equal(read(0x10), 0x30000004);
});

test("a transport without device shows magic, version and vendor; everything else reads as zero", () => {
  const { region, read, write, device } = bench({ device: "none" });
  for (let offset = 0; offset < 0x200; offset += 4) {
    const expected = { 0x00: 0x74726976, 0x04: 2, 0x0c: 0x554d4551 }[offset] ?? 0;
    assert.equal(read(offset), expected);
    write(offset, 0xffffffff);
  }
  assert.equal(read(0x70), 0);
  assert.equal(accessRead(region, 0, 1), 0x76);
  assert.equal(device.save(), null);
});

test("registers take 4 bytes; other widths read 0 and write nothing", () => {
  const { env, region, read } = bench();
  assert.equal(accessRead(region, 0, 1), 0);
  assert.equal(accessRead(region, 0, 2), 0);
  assert.equal(accessRead(region, 0, 8), 0x2_7472_6976n);
  assert.equal(accessWrite(region, 0x70, 1, 1), true);
  assert.equal(read(0x70), 0);
  assert.equal(accessRead(region, 2, 4), null);
  assert.equal(accessRead(region, 0x200, 4), null);
  assert.equal(env.logs.length, 3);
});

test("write-only, unknown and read-only registers are reported", () => {
  const { env, read, write } = bench();
  assert.equal(read(0x50), 0);
  assert.equal(read(0x18), 0);
  write(0x00, 1);
  assert.deepEqual(env.logs, [
    "virtio-mmio: read of write-only register 0x50",
    "virtio-mmio: read of unknown register 0x18",
    "virtio-mmio: write to read-only register 0x0",
  ]);
});

test("four queues exist; shared memory does not", () => {
  const { read, write } = bench();
  for (const [queue, max] of [
    [0, 1024],
    [1, 1024],
    [2, 1024],
    [3, 1024],
    [4, 0],
    [1023, 0],
  ] as const) {
    write(0x30, queue);
    assert.equal(read(0x34), max, `queue ${queue}`);
  }
  write(0x30, 0);
  write(0x30, 1024);
  assert.equal(read(0x34), 1024);
  assert.equal(read(0xb0), 0xffffffff);
  assert.equal(read(0xb4), 0xffffffff);
});

test("configuration space: one port, in every width, all ones beyond its 12 bytes", () => {
  const { region, read } = bench();
  assert.deepEqual([0x100, 0x104, 0x108, 0x10c, 0x1fc].map(read), [0, 1, 0, 0xffffffff, 0xffffffff]);
  assert.equal(accessRead(region, 0x104, 1), 1);
  assert.equal(accessRead(region, 0x10c, 1), 0xff);
  assert.equal(accessRead(region, 0x100, 8), 0x1_0000_0000n);
});

test("an emergency write is one byte on the console, without any set-up", () => {
  const { env, region, read } = bench();
  accessWrite(region, 0x108, 4, 0x21);
  accessWrite(region, 0x108, 1, 0x3f);
  accessWrite(region, 0x108, 4, 0);
  accessWrite(region, 0x104, 4, 77);
  assert.equal(env.outputText(), "!?");
  assert.equal(read(0x108), 0);
  assert.equal(read(0x104), 1);
});

test("transmit: the bytes of all buffers come out, the buffers come back, one interrupt", () => {
  const { env, read, write, start, offer, used } = bench();
  start();
  put(env, 0x8000, "hello, ");
  put(env, 0x8100, "world\n");
  offer(1, 0x8000, 7, false);
  offer(1, 0x8100, 6, false);
  assert.equal(env.outputText(), "");
  write(0x50, 1);
  assert.equal(env.outputText(), "hello, world\n");
  assert.deepEqual(used(1), { index: 2, lastLength: 0 });
  assert.equal(read(0x60), 1);
  assert.equal(env.level(0), true);
  write(0x64, 1);
  assert.equal(read(0x60), 0);
  assert.equal(env.level(0), false);
});

test("receive: bytes wait for buffers and fill them in order", () => {
  const { env, device, read, write, start, offer, used } = bench();
  const text = (address: number, length: number): string => new TextDecoder().decode(env.ram.slice(address, address + length));
  device.receive?.(new TextEncoder().encode("abc"));
  start();
  assert.equal(read(0x60), 0);
  offer(0, 0x9000, 2, true);
  write(0x50, 0);
  assert.equal(text(0x9000, 2), "ab");
  assert.deepEqual(used(0), { index: 1, lastLength: 2 });
  assert.equal(env.level(0), true);
  write(0x64, 1);
  offer(0, 0x9100, 16, true);
  device.receive?.(new TextEncoder().encode("de"));
  assert.equal(text(0x9100, 3), "cde");
  assert.deepEqual(used(0), { index: 2, lastLength: 3 });
  assert.equal(read(0x60), 1);
});

test("with chr-testdev behind it the console ends the machine", () => {
  const { env, write, start, offer } = bench({ device: "console", backend: "chr-testdev" });
  start();
  put(env, 0x8000, "3q");
  offer(1, 0x8000, 1, false);
  write(0x50, 1);
  assert.deepEqual(env.exits, []);
  offer(1, 0x8001, 1, false);
  write(0x50, 1);
  assert.deepEqual(env.exits, [{ kind: "poweroff", code: 7 }]);
  assert.equal(env.outputText(), "");
});

test("event index: the driver hears only of the buffer it asked for", () => {
  const { env, read, write, start, offer } = bench();
  start(1 << 29);
  const ram = new DataView(env.ram.buffer);
  const kick = (): number => {
    offer(1, 0x8000, 1, false);
    write(0x50, 1);
    const status = read(0x60);
    write(0x64, status);
    return status;
  };
  assert.equal(kick(), 1);
  ram.setUint16(0x2000 + 0x404 + QUEUE_SIZE * 2, 2, true);
  assert.equal(kick(), 0);
  assert.equal(kick(), 1);
  assert.equal(ram.getUint16(0x2000 + 0x804 + QUEUE_SIZE * 8, true), 3);
});

test("features that were not offered are cut away, and none change after FEATURES_OK", () => {
  const { env, device, write, start } = bench();
  start(0x40000000);
  assert.match(env.logs.join(), /features 0x40000000, which were not offered/);
  const features = (): unknown => (device.save() as { readonly core: { readonly features: bigint } }).core.features;
  assert.equal(features(), 1n << 32n);
  write(0x24, 0);
  write(0x20, 4);
  write(0x70, 0xf);
  assert.equal(features(), 1n << 32n);
});

test("a malformed ring needs a reset: status bit 6, configuration interrupt, silence until then", () => {
  const { env, read, write, start, offer } = bench();
  start();
  offer(1, 0x8000, 0, false);
  write(0x50, 1);
  assert.equal(read(0x70), 0x4f);
  assert.equal(read(0x60), 3);
  assert.equal(read(0xfc), 1);
  assert.match(env.logs.join(), /zero sized/);
  offer(1, 0x8000, 1, false);
  write(0x50, 1);
  assert.equal(env.outputText(), "");
  write(0x70, 0);
  assert.equal(read(0x70), 0);
  assert.equal(read(0x60), 0);
  assert.equal(env.level(0), false);
  assert.equal(read(0x44), 0);
  env.ram.fill(0);
  start();
  put(env, 0x8000, "!");
  offer(1, 0x8000, 1, false);
  write(0x50, 1);
  assert.equal(env.outputText(), "!");
});

test("a ring or a buffer outside memory needs a reset too", () => {
  const outside = bench();
  outside.start();
  outside.offer(1, 0xfffff, 1, false);
  outside.write(0x50, 1);
  assert.equal(outside.read(0x70) & 0x40, 0x40);
  const receive = bench();
  receive.start();
  receive.offer(0, 0xfffff, 1, true);
  receive.device.receive?.(Uint8Array.of(1));
  assert.equal(receive.read(0x70) & 0x40, 0x40);
  const ring = bench();
  ring.start();
  ring.write(0x84, 1);
  ring.write(0x44, 1);
  assert.equal(ring.read(0x70) & 0x40, 0x40);
  assert.match(ring.env.logs.join(), /cannot map desc/);
});

test("QueueReset works once RING_RESET is negotiated", () => {
  const { env, read, write, start } = bench();
  start();
  write(0x30, 1);
  write(0xc0, 1);
  assert.equal(read(0x44), 1);
  assert.match(env.logs.join(), /QueueReset without/);
  write(0x70, 0);
  write(0x24, 1);
  write(0x20, 0x101);
  write(0x70, ACKNOWLEDGE_DRIVER | FEATURES_OK);
  write(0x30, 1);
  write(0x44, 1);
  write(0xc0, 1);
  assert.equal(read(0xc0), 0);
  assert.equal(read(0x44), 0);
});

test("a restored console goes on where the saved one was", () => {
  const first = bench({ device: "console", backend: "chr-testdev" });
  first.start(1 << 29);
  put(first.env, 0x8000, "4q");
  first.offer(1, 0x8000, 1, false);
  first.write(0x50, 1);
  first.device.receive?.(Uint8Array.of(0x41));
  const state = structuredClone(first.device.save());
  const second = bench({ device: "console", backend: "chr-testdev" }, first.env.fork());
  second.device.load(state);
  assert.equal(second.read(0x60), 1);
  second.offer(1, 0x8001, 1, false);
  second.write(0x50, 1);
  assert.deepEqual(second.env.exits, [{ kind: "poweroff", code: 9 }]);
  second.offer(0, 0x9000, 4, true);
  second.write(0x50, 0);
  assert.equal(second.env.ram[0x9000], 0x41);
  assert.deepEqual(second.used(0), { index: 1, lastLength: 1 });
});

test("reset is power-on: selectors, set-up, host bytes and a packet begun are gone", () => {
  const { env, device, read, write, start, offer } = bench({ device: "console", backend: "chr-testdev" });
  const fresh = structuredClone(device.save());
  start();
  write(0x14, 1);
  put(env, 0x8000, "4");
  offer(1, 0x8000, 1, false);
  write(0x50, 1);
  device.receive?.(Uint8Array.of(1));
  device.reset();
  assert.equal(env.level(0), false);
  assert.deepEqual(device.save(), fresh);
  assert.equal(read(0x70), 0);
});

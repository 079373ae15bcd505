// The bus: which region an address reaches, faults, ports, windows, and the log of the last accesses.

import { test } from "node:test";
import assert from "node:assert/strict";
import type { Region, Width, WindowRegion } from "../devices/device.ts";
import { ACCESS_LOG_BYTES, createAccessLog } from "./access-log.ts";
import { NO_ANSWER } from "./cpu-contract.ts";
import { createBus, type BusEnv, type Mapping } from "./bus.ts";

function createRegion(name: string, size: number, seen: string[], valid: { min: Width; max: Width } = { min: 1, max: 4 }): Region {
  return {
    name,
    size,
    valid,
    read(offset, width) {
      seen.push(`r${width} ${name}+${offset}`);
      return offset + 0x10;
    },
    write(offset, width, value) {
      seen.push(`w${width} ${name}+${offset}=${value}`);
    },
    read64: (offset) => BigInt(offset) << 32n,
    write64(offset, value) {
      seen.push(`w8 ${name}+${offset}=${value}`);
    },
  };
}

function setUp(mappings: (seen: string[]) => readonly Mapping[], owners: ReadonlyMap<Region, number> = new Map(), more: Partial<BusEnv> = {}) {
  const seen: string[] = [];
  const touched: number[] = [];
  let time = 0;
  let settled = 0;
  const bus = createBus(mappings(seen), createAccessLog(new ArrayBuffer(ACCESS_LOG_BYTES), 0), {
    now: () => time,
    settle() {
      settled++;
      time += 10;
    },
    touch: (device) => touched.push(device),
    ownerOf: (region) => owners.get(region) ?? -1,
    deviceName: (device) => `dev${device}`,
    ...more,
  });
  return { bus, seen, touched, settled: () => settled };
}

const memory = (device: number, base: number, region: Region): Mapping => ({ space: "memory", base, device, region });

test("an address reaches its region by offset, neighbours and last-hit cache notwithstanding", () => {
  const { bus, seen } = setUp((log) => [
    memory(2, 0x3000, createRegion("c", 0x10, log)),
    memory(0, 0x1000, createRegion("a", 0x10, log)),
    memory(1, 0x1010, createRegion("b", 0x10, log)),
  ]);
  assert.equal(bus.read(0x1004n, 4), 0x14);
  assert.equal(bus.read(0x1010n, 1), 0x10);
  assert.equal(bus.read(0x100cn, 4), 0x1c);
  assert.equal(bus.write(0x300fn, 1, 0x1ff), true);
  assert.deepEqual(seen, ["r4 a+4", "r1 b+0", "r4 a+12", "w1 c+15=255"]);
});

test("nobody there, a straddled end, a refused width and a misaligned access fault, and the model sees nothing", () => {
  const { bus, seen, touched } = setUp((log) => [memory(0, 0x1000, createRegion("a", 0x10, log))]);
  assert.equal(bus.read(0xfffn, 1), null);
  assert.equal(bus.read(0x1010n, 1), null);
  assert.equal(bus.read(0x100en, 4), null);
  assert.equal(bus.read(0x1000n, 8), null);
  assert.equal(bus.read(0x1002n, 4), null);
  assert.equal(bus.write(0n, 4, 1), false);
  assert.equal(bus.read(0xffff_ffff_ffff_f000n, 4), null);
  assert.equal(bus.portRead(0x1000, 1), null);
  assert.deepEqual(seen, []);
  assert.deepEqual(touched, []);
});

test("8-byte accesses are bigints", () => {
  const { bus, seen } = setUp((log) => [memory(0, 0x1000, createRegion("a", 0x10, log, { min: 8, max: 8 }))]);
  assert.equal(bus.read(0x1008n, 8), 8n << 32n);
  assert.equal(bus.write(0x1000n, 8, 0xffff_ffff_ffff_ffffn), true);
  assert.deepEqual(seen, ["w8 a+0=18446744073709551615"]);
});

test("ports are a space of their own", () => {
  const { bus, seen } = setUp((log) => [{ space: "port", base: 0x3f8, device: 0, region: createRegion("com1", 8, log) }]);
  assert.equal(bus.portRead(0x3fd, 1), 0x15);
  assert.equal(bus.portWrite(0x3f8, 1, 0x41), true);
  assert.equal(bus.portRead(0x400, 1), null);
  assert.equal(bus.read(0x3f8n, 1), null);
  assert.deepEqual(seen, ["r1 com1+5", "w1 com1+0=65"]);
});

test("behind a window the function is named and touched, not its host", () => {
  const seen: string[] = [];
  const bar = createRegion("bar0", 0x10, seen);
  const window: WindowRegion = {
    ...createRegion("window", 0x1000, seen),
    resolve: (offset) => (offset >= 0x100 && offset < 0x110 ? { region: bar, offset: offset - 0x100 } : null),
  };
  const { bus, touched } = setUp(() => [memory(0, 0x4000, window)], new Map([[bar, 7]]));
  bus.read(0x4104n, 4);
  bus.read(0x4000n, 4);
  assert.deepEqual(seen, ["r4 bar0+4", "r4 window+0"]);
  assert.deepEqual(touched, [7, 0]);
  assert.deepEqual(
    bus.accesses().map(({ device, region, offset }) => `${device}.${region}+${offset}`),
    ["dev7.bar0+4", "dev0.window+0"],
  );
});

test("due events fire before a CPU's access, not before a device's", () => {
  const { bus, settled } = setUp((log) => [memory(0, 0x1000, createRegion("a", 0x10, log))]);
  bus.read(0x1000n, 4);
  bus.write(0x1000n, 4, 1);
  bus.read(0n, 4);
  assert.equal(settled(), 3);
  bus.dmaWrite(0x1000n, 4, 1);
  assert.equal(settled(), 3);
});

test("the log holds the last 32 accesses as they were made, faults too", () => {
  const { bus } = setUp((log) => [memory(0, 0x1000, createRegion("a", 0x10, log))]);
  for (let i = 0; i < 40; i++) bus.write(0x1000n, 4, i);
  bus.read(0x2000n, 2);
  bus.dmaWrite(0x1004n, 2, 9);
  const log = bus.accesses();
  assert.equal(log.length, 32);
  assert.equal(log[0]?.value, 10);
  assert.deepEqual(log[30], {
    time: 410,
    origin: "cpu",
    space: "memory",
    address: 0x2000n,
    device: null,
    region: null,
    offset: 0,
    width: 2,
    direction: "read",
    value: null,
    fault: true,
  });
  assert.deepEqual(log[31], {
    time: 410,
    origin: "dma",
    space: "memory",
    address: 0x1004n,
    device: "dev0",
    region: "a",
    offset: 4,
    width: 2,
    direction: "write",
    value: 9,
    fault: false,
  });
  bus.clearLog();
  assert.deepEqual(bus.accesses(), []);
});

test("accesses in numbers are those that bus and log know otherwise", () => {
  const inNumbers = setUp((log) => [
    memory(0, 0x1000, createRegion("a", 0x10, log)),
    memory(1, 0x2000, createRegion("wide", 0x10, log, { min: 1, max: 8 })),
    memory(2, 0x3000, { ...createRegion("small", 0x10, log, { min: 8, max: 8 }), writeSmall64: (offset, value) => log.push(`small+${offset}=${value}`) }),
    memory(3, 0x4000, { ...createRegion("parts", 0x10, log), impl: { min: 1, max: 2 } }),
  ]);
  const others = setUp((log) => [
    memory(0, 0x1000, createRegion("a", 0x10, log)),
    memory(1, 0x2000, createRegion("wide", 0x10, log, { min: 1, max: 8 })),
    memory(2, 0x3000, createRegion("small", 0x10, log, { min: 8, max: 8 })),
    memory(3, 0x4000, { ...createRegion("parts", 0x10, log), impl: { min: 1, max: 2 } }),
  ]);
  for (const base of [0x1000, 0x2000, 0x3000, 0x4000, 0x5000]) {
    for (const width of [1, 2, 4] as const) {
      for (const offset of [0, 1, 4, 12, 14, 16]) {
        assert.equal(inNumbers.bus.readNumber(base + offset, width), others.bus.read(base + offset, width) ?? NO_ANSWER);
        assert.equal(inNumbers.bus.writeNumber(base + offset, width, 0xa5), others.bus.write(base + offset, width, 0xa5));
      }
    }
    assert.equal(inNumbers.bus.writeNumber(base + 8, 8, 2 ** 52 + 1), others.bus.write(base + 8, 8, 2n ** 52n + 1n));
  }
  assert.deepEqual(
    inNumbers.seen.map((line) => line.replace("small+8", "w8 small+8")),
    others.seen,
  );
  assert.deepEqual(inNumbers.bus.accesses(), others.bus.accesses());
  assert.deepEqual(inNumbers.touched, others.touched);
});

test("what a read would give is told of reads that change nothing, without an access", () => {
  const seen: string[] = [];
  const pure: Region = {
    ...createRegion("a", 0x10, seen, { min: 1, max: 8 }),
    impl: { min: 1, max: 4 },
    pureRead: (offset) => (offset === 0 ? "constant" : offset === 4 ? "counter" : null),
  };
  const plain = createRegion("b", 0x10, seen);
  const bar = { ...createRegion("bar0", 0x10, seen), pureRead: () => "constant" as const };
  const window: WindowRegion = { ...createRegion("window", 0x1000, seen), resolve: (offset) => (offset < 0x10 ? { region: bar, offset } : null) };
  let isIntercepting = false;
  const { bus, touched, settled } = setUp(() => [memory(0, 0x1000, pure), memory(1, 0x2000, plain), memory(2, 0x3000, window)], new Map([[bar, 7]]), {
    isIntercepting: () => isIntercepting,
    counterDevice: 0,
  });
  assert.deepEqual([bus.foresee(0x1000, 4)?.kind, bus.foresee(0x1000, 4)?.value], ["constant", 0x10]);
  assert.equal(bus.foresee(0x1004, 4)?.kind, "counter");
  assert.equal(bus.foresee(0x3008, 4)?.value, 0x18);
  // With an effect, split by the bus, misaligned, of a device that says nothing, of a window's own, and of nobody.
  assert.deepEqual(
    [bus.foresee(0x1008, 4), bus.foresee(0x1000, 8), bus.foresee(0x1001, 4), bus.foresee(0x2000, 4), bus.foresee(0x3010, 4), bus.foresee(0x4000, 4)],
    [null, null, null, null, null, null],
  );
  isIntercepting = true;
  assert.equal(bus.foresee(0x1000, 4), null);
  assert.deepEqual([bus.accesses(), touched, settled()], [[], [], 0]);
  assert.deepEqual(new Set(seen), new Set(["r4 a+0", "r4 bar0+8"]));
});

test("a counter is the machine's or nobody's", () => {
  const counting: Region = { ...createRegion("a", 8, []), pureRead: () => "counter" };
  assert.equal(setUp(() => [memory(0, 0x1000, counting)], new Map(), { counterDevice: 1 }).bus.foresee(0x1000, 4), null);
});

test("regions that overlap are refused", () => {
  assert.throws(
    () => setUp((log) => [memory(0, 0x1000, createRegion("a", 0x10, log)), memory(1, 0x100f, createRegion("b", 0x10, log))]),
    /dev0\.a and dev1\.b overlap in memory space at 0x100f/,
  );
});

// Fuzzes every device model of runtime/devices/index.ts: seeded sequences of register and configuration accesses of all widths, clock
// advances, input pins, console bytes, resets, and save/load round trips into a second instance that must then go on exactly alike.
// A model may refuse an access or log it; it may not throw, answer out of range, or lose state. A new model needs a line in SUBJECTS.
// GUESTSPEC_FUZZ_SEED and GUESTSPEC_FUZZ_ROUNDS widen the search; a failure prints the operations that led to it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pureReadHere } from "../../runtime/machine/access.ts";
import { levelOf } from "../fixtures/access-region.ts";
import type { Device, Region, Width } from "../../runtime/devices/device.ts";
import { edu } from "../../runtime/devices/edu.ts";
import { deviceModels, findDeviceModel } from "../../runtime/devices/index.ts";
import type { DeviceConfig } from "../../runtime/devices/index.ts";
import { pciTestdev } from "../../runtime/devices/pci-testdev.ts";
import { busRead, busWrite, makeTestEnv } from "../fixtures/device-env.ts";
import type { TestEnv } from "../fixtures/device-env.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";

/** Within edu's 28 address bits. */
const RAM_BASE = 0x0800_0000n;
const RAM_SIZE = 0x4000;
const MSI_WINDOW = { base: 0x0900_0000n, size: 0x1000 };
const OPERATIONS = 400;
const ROUNDS = fuzzRounds(6);

interface Subject {
  readonly model: string;
  readonly config: DeviceConfig;
  /** Input pins that the machine may drive. */
  readonly inputs?: readonly number[];
  /** Puts devices behind a PCI host, so that its windows lead somewhere. */
  readonly populate?: (device: Device) => void;
}

const SUBJECTS: readonly Subject[] = [
  { model: "cfi-flash", config: { size: 0x1_0000, blockSize: 0x1000 } },
  { model: "clint", config: { harts: 2 } },
  { model: "edu", config: {} },
  { model: "edu", config: { dmaMask: 0xffff_ffffn } },
  { model: "fw-cfg", config: { cpus: 2 } },
  { model: "goldfish-rtc", config: { epochNanoseconds: "1577836800000000000" } },
  { model: "guest-models", config: { slots: 4, slotSize: 0x1000 } },
  { model: "msi-frame", config: { base: 32, count: 8 } },
  { model: "pci-host", config: { buses: 1 } },
  {
    model: "pci-host",
    config: { buses: 1, memoryBase: 0x4000_0000, memorySize: 0x100_0000 },
    inputs: [2],
    populate: populateBus,
  },
  { model: "pci-testdev", config: { membar: 0x1000 } },
  { model: "plic", config: { sources: 95, contexts: 4 }, inputs: Array.from({ length: 96 }, (_, pin) => pin) },
  { model: "test-finisher", config: {} },
  { model: "uart-16550", config: {} },
  { model: "virtio-mmio", config: { device: "console", backend: "chr-testdev" } },
  { model: "virtio-mmio", config: { device: "console", backend: "output" } },
  { model: "virtio-mmio", config: { device: "none" } },
  { model: "virtio-mmio", config: { device: "rng" } },
  { model: "virtio-mmio", config: { device: "blk", size: 0x4000, serial: "fuzz" } },
  { model: "virtio-pci", config: { device: "blk", size: 0x4000 } },
  { model: "virtio-pci", config: { device: "console", backend: "output" } },
  { model: "virtio-pci", config: { device: "rng" } },
  { model: "virtio-mmio", config: { device: "net", mac: "52:54:00:12:34:56", hub: 0 } },
  { model: "virtio-pci", config: { device: "net", mac: "52:54:00:12:34:56", hub: 0 } },
];

/** Functions on the bus are devices of their own, with worlds of their own; a snapshot of the host does not hold their state. */
function populateBus(host: Device): void {
  for (const [slot, model] of [pciTestdev, edu].entries()) {
    const env = makeTestEnv();
    const { pci } = env.connect(model.create({}, env));
    if (pci !== undefined) host.attach?.(slot + 1, pci);
  }
}

interface Instance {
  readonly env: TestEnv;
  readonly device: Device;
  readonly regions: readonly Region[];
}

function makeInstance(subject: Subject, env: TestEnv): Instance {
  const model = findDeviceModel(subject.model);
  assert.ok(model, `no model ${subject.model}`);
  const device = env.connect(model.create(subject.config, env));
  subject.populate?.(device);
  const bars = device.pci?.bars.flatMap((bar) => (bar === null ? [] : [bar.region])) ?? [];
  return { env, device, regions: [...device.regions, ...bars] };
}

const POLLED: ReadonlySet<string> = new Set(["clint", "plic", "test-finisher", "uart-16550", "virtio-mmio"]);

interface Operation {
  readonly text: string;
  /** What the guest or the host would see of it. */
  readonly run: (instance: Instance) => unknown;
}

const WIDTHS: readonly Width[] = [1, 2, 4, 8];

/** Values that mean something to some register: addresses in RAM and the MSI window, small numbers, single bits, all ones. */
function randomValue({ below, pick, u32 }: Random): bigint {
  return pick([
    () => BigInt(below(16)),
    () => BigInt(u32()),
    () => RAM_BASE + BigInt(below(RAM_SIZE)),
    () => MSI_WINDOW.base + BigInt(below(0x20)),
    () => 1n << BigInt(below(64)),
    () => 0xffff_ffff_ffff_ffffn,
    () => BigInt(below(0x100)),
  ])();
}

/** Mostly among the low registers; now and then anywhere, the ends included. */
function randomOffset(size: number, width: Width, { below, chance }: Random): number {
  const span = chance(70) ? Math.min(size, 0x100) : size;
  const offset = below(span + 8);
  return chance(90) ? offset - (offset % width) : offset;
}

function randomOperation(subject: Subject, instance: Instance, random: Random): Operation {
  const { below, chance, pick } = random;
  const kind = below(100);
  if (kind < 70 && instance.regions.length > 0) {
    const index = below(instance.regions.length);
    const width = pick(WIDTHS);
    const offset = randomOffset(instance.regions[index]?.size ?? 0, width, random);
    const at = (target: Instance): Region => {
      const region = target.regions[index];
      assert.ok(region);
      return region;
    };
    if (chance(45))
      return {
        text: `read${width * 8} ${index}+0x${offset.toString(16)}`,
        run: (target) => busRead(at(target), offset, width),
      };
    const value = randomValue(random);
    return {
      text: `write${width * 8} ${index}+0x${offset.toString(16)} = 0x${value.toString(16)}`,
      run: (target) => busWrite(at(target), offset, width, value),
    };
  }
  if (kind < 80 && instance.device.pci !== undefined) {
    const width = pick([1, 2, 4] as const);
    const offset = below(256 / width) * width;
    if (chance(50)) {
      return {
        text: `config read${width * 8} 0x${offset.toString(16)}`,
        run({ device }) {
          const value = device.pci?.readConfig(offset, width) ?? -1;
          assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * width), `config 0x${offset.toString(16)}: ${value}`);
          return value;
        },
      };
    }
    const value = Number(BigInt.asUintN(8 * width, randomValue(random)));
    return {
      text: `config write${width * 8} 0x${offset.toString(16)} = 0x${value.toString(16)}`,
      run({ device }) {
        device.pci?.writeConfig(offset, width, value);
        return device.pci?.bars.map((_, bar) => device.pci?.barAddress(bar));
      },
    };
  }
  if (kind < 85 && subject.inputs !== undefined) {
    const [pin, level] = [pick(subject.inputs), chance(60)];
    return { text: `input ${pin} ${level}`, run: ({ device }) => device.input?.(pin, level) };
  }
  if (kind < 88) {
    const bytes = Uint8Array.from({ length: below(40) }, () => below(256));
    return { text: `receive ${bytes.join(" ")}`, run: ({ device }) => device.receive?.(bytes.slice()) };
  }
  if (kind < 92) {
    const at = below(RAM_SIZE - 64);
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => (chance(50) ? 0 : Number((RAM_BASE >> BigInt(8 * (i % 8))) & 0xffn) | below(4)));
    return {
      text: `ram 0x${at.toString(16)}: ${bytes.join(" ")}`,
      run({ env }) {
        env.ram.set(bytes, at);
      },
    };
  }
  if (kind === 92) return { text: "reset", run: ({ device }) => device.reset() };
  const ticks = pick([0, 1, below(1000), below(1_000_000), below(1e10)]);
  return { text: `advance ${ticks}`, run: ({ env }) => env.advance(ticks) };
}

/** Everything of an instance that is visible outside, memory apart, which is long and looked at in place. */
function observe({ env, device }: Instance): unknown {
  return {
    state: device.save(),
    irqs: env.takeIrqs(),
    output: env.outputBytes.slice(),
    exits: env.exits.slice(),
    logs: env.logs.slice(),
    busWrites: env.busWrites.slice(),
    nextEvent: env.nextEvent(),
  };
}

function copyOf(subject: Subject, original: Instance): Instance {
  const saved = original.device.save();
  const copy = makeInstance(subject, original.env.fork());
  copy.device.load(structuredClone(saved));
  assert.deepEqual(copy.device.save(), saved, "save after load");
  copy.env.takeIrqs();
  return copy;
}

interface PureReads {
  readonly values: readonly string[];
  readonly count: number;
}

/** What all reads give that change nothing by the model's own word, each made twice; `places` are regions, widths and offsets. */
function readPure({ device, regions }: Instance, places: readonly (readonly [region: number, width: Width, offset: number])[]): PureReads {
  let count = 0;
  const values = places.map(([index, width, offset]) => {
    const region = regions[index];
    const kind = region === undefined ? null : pureReadHere(levelOf(region), offset, width);
    if (region === undefined || kind === null) return "";
    count += 1;
    const where = `${region.name}+0x${offset.toString(16)}, ${width} bytes`;
    const value = busRead(region, offset, width);
    assert.notEqual(value, null, `${where}: a fault`);
    assert.equal(busRead(region, offset, width), value, where);
    if (kind === "constant") return `${where}: ${value}`;
    const time = device.counter?.read() ?? -1n;
    assert.equal(value, BigInt.asUintN(8 * width, kind === "counter" ? time : time >> 32n), where);
    return kind;
  });
  return { values, count };
}

/** Pure reads change nothing, and what they give stays, whatever happens elsewhere, until something reaches the device. */
function checkPureReads(subject: Subject, original: Instance, random: Random): number {
  const instance = copyOf(subject, original);
  const { env, regions } = instance;
  const places = regions.flatMap((region, index) =>
    region.pureRead === undefined
      ? []
      : Array.from({ length: 200 }, (_, n) => {
          const width = random.pick(WIDTHS);
          return [index, width, n < 100 ? (n * width) % region.size : randomOffset(region.size, width, random)] as const;
        }),
  );
  if (places.length === 0) return 0;
  const before = observe(instance);
  const ram = env.ram.slice();
  const first = readPure(instance, places);
  assert.deepEqual(observe(instance), before, "a pure read has an effect");
  assert.equal(Buffer.compare(env.ram, ram), 0, "a pure read writes memory");
  env.ram.fill(random.below(256));
  env.advance(Math.min(env.nextEvent() ?? Infinity, random.below(1e10) + 1) - 1);
  assert.deepEqual(readPure(instance, places).values, first.values, "a pure read gives something else, and nothing has reached the device");
  return first.count;
}

function fuzz(subject: Subject, seed: number): void {
  const random = createRandom(seed);
  const env = makeTestEnv({ ramBase: RAM_BASE, ramSize: RAM_SIZE, busWindow: MSI_WINDOW, seed });
  let instance = makeInstance(subject, env);
  let twin: Instance | null = null;
  const done: string[] = [];
  try {
    for (let i = 0; i < OPERATIONS; i++) {
      // Now and then a twin is restored from a snapshot, follows for a while, and takes over: records start at zero on both sides.
      if (i % 40 === 0 && subject.populate === undefined) {
        twin = copyOf(subject, instance);
        instance = copyOf(subject, instance);
        done.push("save, load");
      }
      if (i % 10 === 0 && subject.populate === undefined) checkPureReads(subject, instance, random);
      const operation = randomOperation(subject, instance, random);
      done.push(operation.text);
      const seen = operation.run(instance);
      if (twin === null) continue;
      assert.deepEqual(operation.run(twin), seen, "the restored device answers otherwise");
      assert.deepEqual(observe(twin), observe(instance), "the restored device acts otherwise");
      assert.equal(Buffer.compare(twin.env.ram, instance.env.ram), 0, "the restored device writes memory otherwise");
    }
  } catch (error) {
    throw new Error(
      `${subject.model} ${JSON.stringify(subject.config, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))}, seed ${seed}, after\n  ${done.slice(-25).join("\n  ")}`,
      { cause: error },
    );
  }
}

test("every listed model is fuzzed", () => {
  const fuzzed = new Set(SUBJECTS.map(({ model }) => model));
  assert.deepEqual(
    deviceModels.map(({ name }) => name).filter((name) => !fuzzed.has(name)),
    [],
  );
});

test("model names are unique, in order, and found", () => {
  const names = deviceModels.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)].toSorted());
  for (const model of deviceModels) assert.equal(findDeviceModel(model.name), model);
  assert.equal(findDeviceModel("flux-capacitor"), undefined);
});

for (const subject of SUBJECTS) {
  test(`fuzz ${subject.model} ${Object.values(subject.config).join(" ")}`.trim(), () => {
    for (let round = 0; round < ROUNDS; round++) fuzz(subject, FUZZ_SEED * 7919 + round * 104_729);
  });
}

test("models that guests poll have reads that change nothing", () => {
  const polled = SUBJECTS.filter((subject) => POLLED.has(subject.model));
  assert.deepEqual(new Set(polled.map(({ model }) => model)), POLLED);
  for (const { model, config } of polled) {
    const subject = { model, config };
    const instance = makeInstance(subject, makeTestEnv({ ramBase: RAM_BASE, ramSize: RAM_SIZE, busWindow: MSI_WINDOW }));
    instance.device.reset();
    assert.ok(checkPureReads(subject, instance, createRandom(FUZZ_SEED)) > 0, model);
  }
});

test("a reset device is a new device, pins included", () => {
  for (const subject of SUBJECTS) {
    const random = createRandom(FUZZ_SEED);
    const used = makeInstance(subject, makeTestEnv({ ramBase: RAM_BASE, ramSize: RAM_SIZE, busWindow: MSI_WINDOW }));
    for (let i = 0; i < OPERATIONS; i++) {
      const operation = randomOperation(subject, used, random);
      if (!operation.text.startsWith("advance")) operation.run(used);
    }
    used.device.reset();
    const fresh = makeInstance(subject, makeTestEnv());
    fresh.device.reset();
    assert.deepEqual(used.device.save(), fresh.device.save(), subject.model);
    for (let pin = 0; pin < 64; pin++) assert.equal(used.env.level(pin), fresh.env.level(pin), `${subject.model}: pin ${pin} after reset`);
    assert.equal(used.env.nextEvent(), fresh.env.nextEvent(), `${subject.model}: an event survives the reset`);
  }
});

// Snapshots of a whole machine: a restore brings back all that has changed, however it was changed, and touches nothing else.

import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { MachineDescription } from "../../machines/description.ts";
import { SMALL, EDU_BAR, TESTDEV_BAR, at, boot, config, enableEdu } from "../../tests/fixtures/bare-machine.ts";
import { bytecodeVirt } from "../../tests/fixtures/machines.ts";
import type { Width } from "../devices/device.ts";
import { createMachine, type Machine } from "./machine.ts";

test("the seed decides the scheduler's draws, anew at each restore that gives one", () => {
  const { machine } = boot({ seed: 1 });
  const snapshot = machine.snapshot();
  const draw = (): number[] => [machine.scheduleRandom(), machine.scheduleRandom()];
  const first = draw();
  machine.restore(snapshot);
  assert.deepEqual(draw(), first);
  machine.restore(snapshot, { seed: 2 });
  const second = draw();
  assert.notDeepEqual(second, first);
  machine.restore(snapshot, { seed: 2n });
  assert.deepEqual(draw(), second);
});

test("a device that nobody touched is neither saved nor loaded", () => {
  const calls: string[] = [];
  const description: MachineDescription = {
    ...bytecodeVirt,
    name: "two-registers",
    console: "a",
    devices: ["a", "b"].map((name, index) => ({
      name,
      model: name,
      at: [{ region: "base", address: BigInt(index * 0x1000), port: null, size: 4 }],
      pci: null,
      dma: null,
      wires: [],
      config: {},
      provides: [],
      qemu: [],
    })),
  };
  const machine = createMachine(description, {
    findModel: (name) => ({
      name,
      summary: "one register",
      manual: "none",
      create() {
        let value = 0;
        return {
          regions: [
            {
              name,
              size: 4,
              valid: { min: 4, max: 4 },
              read: () => value,
              write: (_offset, _width, next) => void (value = next),
            },
          ],
          reset() {
            value = 0;
          },
          save() {
            calls.push(`save ${name}`);
            return value;
          },
          load(state) {
            calls.push(`load ${name}`);
            value = Number(state);
          },
        };
      },
    }),
  });
  const base = machine.snapshot();
  machine.bus.write(0x1000n, 4, 7);
  const suite = machine.snapshot();
  calls.length = 0;
  machine.restore(suite);
  assert.deepEqual(calls, []);
  machine.bus.write(0n, 4, 3);
  machine.restore(suite);
  assert.deepEqual(calls, ["load a"]);
  machine.restore(base);
  assert.deepEqual(calls, ["load a", "load b"]);
  assert.equal(machine.bus.read(0x1000n, 4), 0);
});

// Each way in which a device or RAM can change without an access of the CPU to that very device. `prepare` comes before the
// snapshot, `change` after it; `changed` names whose state must differ, so that a row that tests nothing fails.
const EDU_DMA = {
  source: EDU_BAR + 0x80n,
  target: EDU_BAR + 0x88n,
  count: EDU_BAR + 0x90n,
  command: EDU_BAR + 0x98n,
} as const;
const CHANGES: readonly {
  readonly name: string;
  readonly prepare?: (guest: ReturnType<typeof boot>) => void;
  readonly change: (guest: ReturnType<typeof boot>) => void;
  readonly changed: string;
}[] = [
  { name: "a configuration write", change: (guest) => guest.w32(config(2, 0x3c), 0x5a), changed: "edu0" },
  { name: "a write behind a window", change: (guest) => guest.w32(EDU_BAR + 0x04n, 1), changed: "edu0" },
  {
    name: "an event that was pending",
    prepare: (guest) => guest.w32(EDU_BAR + 0x08n, 5),
    change: (guest) => guest.pass(guest.machine.nextEvent() - guest.machine.now()),
    changed: "edu0",
  },
  { name: "an input from another device", change: (guest) => guest.w8(at("uart0.base") + 1n, 0x02), changed: "plic0" },
  { name: "bytes from outside", change: (guest) => guest.machine.receive("uart0", Uint8Array.of(1)), changed: "uart0" },
  {
    name: "DMA into RAM",
    prepare(guest) {
      // Something besides zeros into the buffer first, from RAM.
      guest.w64(EDU_DMA.count, 4n);
      guest.machine.writeMemory(at("ram.base"), Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd));
      guest.w64(EDU_DMA.source, 0n);
      guest.w64(EDU_DMA.target, 0x4_0000n);
      guest.w64(EDU_DMA.command, 1n);
      guest.pass(200_000_000);
      guest.w64(EDU_DMA.source, 0x4_0000n);
      guest.w64(EDU_DMA.target, 0x3000n);
      guest.w64(EDU_DMA.command, 3n);
    },
    change: (guest) => guest.pass(200_000_000),
    changed: "ram",
  },
];

for (const { name, prepare, change, changed } of CHANGES) {
  test(`a restore undoes ${name}`, () => {
    const guest = boot({}, SMALL);
    const { machine } = guest;
    enableEdu(guest);
    prepare?.(guest);
    const snapshot = machine.snapshot();
    const state = machine.state();
    const ram = ramOf(machine);
    change(guest);
    const index = machine.deviceNames.indexOf(changed);
    if (changed === "ram") assert.ok(!ramOf(machine).equals(ram));
    else assert.notDeepEqual(machine.state().devices[index], state.devices[index]);
    machine.restore(snapshot);
    assert.deepEqual(machine.state(), state);
    assert.ok(ramOf(machine).equals(ram));
  });
}

// Property: a restore is complete. Random accesses to every mapped register, PCI configuration and BARs, time, console input.

type Step =
  | {
      readonly kind: "access";
      readonly region: number;
      readonly offset: number;
      readonly width: Width;
      readonly value: bigint | null;
    }
  | { readonly kind: "function"; readonly address: bigint; readonly width: Width; readonly value: number | null }
  | { readonly kind: "advance"; readonly ns: number }
  | { readonly kind: "receive"; readonly byte: number }
  | { readonly kind: "poke"; readonly offset: number; readonly byte: number };

const width = fc.constantFrom<Width>(1, 2, 4, 8);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("access" as const),
      region: fc.nat(1000),
      // Low offsets, where the registers are, aligned more often than not.
      offset: fc.oneof(
        fc.nat(63).map((n) => n * 4),
        fc.nat(0xffff),
        fc.nat(0xff_ffff).map((n) => n & ~3),
      ),
      width,
      value: fc.option(fc.oneof(fc.bigInt({ min: 0n, max: 255n }), fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }))),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("function" as const),
      address: fc.oneof(
        fc.record({ slot: fc.integer({ min: 1, max: 2 }), register: fc.nat(23) }).map(({ slot, register }) => config(slot, register * 4)),
        fc.nat(39).map((register) => EDU_BAR + BigInt(register * 4)),
        fc.nat(0xfff).map((offset) => TESTDEV_BAR + BigInt(offset)),
      ),
      width,
      value: fc.option(fc.nat(0xff)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ns: fc.oneof(fc.nat(2_000_000), fc.nat(200_000_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("receive" as const), byte: fc.nat(255) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("poke" as const), offset: fc.nat(SMALL.ram.size - 1), byte: fc.nat(255) }),
  },
);

function run(machine: Machine, steps: readonly Step[]): string[] {
  const trace: string[] = [];
  for (const action of steps) {
    switch (action.kind) {
      case "advance":
        machine.advance(action.ns);
        machine.fireEvents();
        break;
      case "receive":
        machine.receive("uart0", Uint8Array.of(action.byte));
        break;
      case "poke":
        machine.writeMemory(machine.memory.base + BigInt(action.offset), Uint8Array.of(action.byte));
        break;
      case "function":
        if (action.value === null) trace.push(String(machine.bus.read(action.address, action.width)));
        else trace.push(String(machine.bus.write(action.address, action.width, action.width === 8 ? BigInt(action.value) : action.value)));
        break;
      case "access": {
        const region = machine.regions[action.region % machine.regions.length];
        assert.ok(region);
        const address = region.base + (action.offset % region.region.size);
        const narrow = action.width === 8 ? 4 : action.width;
        if (region.space === "port") {
          if (action.value === null) trace.push(String(machine.bus.portRead(address, narrow)));
          else trace.push(String(machine.bus.portWrite(address, narrow, Number(action.value & 0xffff_ffffn))));
        } else if (action.value === null) {
          trace.push(String(machine.bus.read(BigInt(address), action.width)));
        } else {
          const value = BigInt.asUintN(8 * action.width, action.value);
          trace.push(String(machine.bus.write(BigInt(address), action.width, action.width === 8 ? value : Number(value))));
        }
      }
    }
  }
  trace.push(JSON.stringify(machine.state(), (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)));
  return trace;
}

function ramOf(machine: Machine): Buffer {
  return Buffer.from(machine.memory.bytes.slice(0, machine.memory.size));
}

test("after a restore everything is as it was, and goes on alike", () => {
  const guest = boot({ cpus: 2, seed: 3 }, SMALL);
  const { machine } = guest;
  enableEdu(guest);
  guest.w32(config(1, 0x10), Number(TESTDEV_BAR));
  guest.w32(config(1, 0x14), 0x1000);
  guest.w16(config(1, 0x04), 0x7);
  const base = machine.snapshot();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), (before, after) => {
      machine.restore(base);
      run(machine, before);
      const snapshot = machine.snapshot();
      const state = machine.state();
      assert.deepEqual(snapshot.state, state);
      const ram = ramOf(machine);
      const first = run(machine, after);
      machine.restore(snapshot);
      assert.deepEqual(machine.state(), state);
      assert.ok(ramOf(machine).equals(ram));
      assert.deepEqual(run(machine, after), first);
    }),
    { numRuns: 100 },
  );
});

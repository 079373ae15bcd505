// The whole machine without a CPU: devices wired as machines/bytecode-virt.yaml says, DMA, images, snapshots and their isolation.

import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { BYTECODE_VERSION, byteWidth, type DataSymbol, type Instruction, type Module, type ScalarType } from "../../isa/bytecode/module.ts";
import { guestConstants, type MachineDescription } from "../../machines/description.ts";
import { bytecodeVirt } from "../../tests/fixtures/machines.ts";
import type { Width } from "../devices/device.ts";
import type { ExecutorFactory, LoadedImage, MachineCore, Outcome } from "./cpu-contract.ts";
import { createMachine, type Machine, type MachineOptions } from "./machine.ts";

/** The same with RAM that is quickly compared. */
const SMALL: MachineDescription = { ...bytecodeVirt, ram: { ...bytecodeVirt.ram, size: 0x10_0000 } };
const AT = new Map(guestConstants(bytecodeVirt).map(({ name, value }) => [name, value]));

function at(name: string): bigint {
  const value = AT.get(name);
  assert.ok(value !== undefined, name);
  return value;
}

/** A machine and a guest's view of its bus; a bus fault throws. */
function boot(options: MachineOptions = {}, description = bytecodeVirt) {
  const output: number[] = [];
  const machine = createMachine(description, {
    output: (bytes, device) => {
      if (device === bytecodeVirt.console) output.push(...bytes);
    },
    ...options,
  });
  function read(address: bigint, width: Width): number {
    const value = machine.bus.read(address, width);
    assert.ok(value !== null, `read of 0x${address.toString(16)} faults`);
    return Number(value);
  }
  function write(address: bigint, width: Width, value: number | bigint): void {
    assert.ok(machine.bus.write(address, width, value), `write to 0x${address.toString(16)} faults`);
  }
  return {
    machine,
    text: () => String.fromCharCode(...output),
    r8: (address: bigint) => read(address, 1),
    r16: (address: bigint) => read(address, 2),
    r32: (address: bigint) => read(address, 4),
    w8: (address: bigint, value: number) => write(address, 1, value),
    w16: (address: bigint, value: number) => write(address, 2, value),
    w32: (address: bigint, value: number) => write(address, 4, value),
    w64: (address: bigint, value: bigint) => write(address, 8, value),
    /** Lets guest time pass as idle CPUs do. */
    pass(ns: number): void {
      machine.advance(ns);
      machine.fireEvents();
    },
    enablePlicSource(source: number, cpu = 0): void {
      const plic = at("plic0.base");
      write(plic + BigInt(4 * source), 4, 1);
      const word = plic + 0x2000n + BigInt(2 * cpu * 0x80 + (source >> 5) * 4);
      write(word, 4, read(word, 4) | (1 << (source & 31)));
    },
    claim: (cpu = 0) => read(at("plic0.base") + 0x20_0004n + BigInt(2 * cpu * 0x1000), 4),
    complete: (source: number, cpu = 0) => write(at("plic0.base") + 0x20_0004n + BigInt(2 * cpu * 0x1000), 4, source),
  };
}

const SOFTWARE = 1;
const TIMER = 2;
const EXTERNAL = 4;

function config(slot: number, register: number): bigint {
  return at("pci0.ecam") + BigInt((slot << 15) | register);
}

const EDU_BAR = 0x4000_0000n;
const TESTDEV_BAR = 0x4100_0000n;
function enableEdu(guest: ReturnType<typeof boot>): void {
  const slot = Number(at("edu0.slot"));
  guest.w32(config(slot, 0x10), Number(EDU_BAR));
  guest.w16(config(slot, 0x04), 0x6);
}

test("the UART's THRE interrupt arrives at CPU 0's external line through the PLIC", () => {
  const guest = boot();
  const irq = Number(at("uart0.irq"));
  guest.enablePlicSource(irq);
  assert.equal(guest.machine.lines(0) & EXTERNAL, 0);
  guest.w8(at("uart0.base") + 1n, 0x02);
  assert.equal(guest.machine.lines(0) & EXTERNAL, EXTERNAL);
  assert.equal(guest.claim(), irq);
  assert.equal(guest.machine.lines(0) & EXTERNAL, 0);
  assert.equal(guest.r8(at("uart0.base") + 2n) & 0x0f, 0x02);
  guest.complete(irq);
  assert.equal(guest.claim(), 0);
  assert.deepEqual(
    guest.machine.interrupts().map(({ device, pin, target, level }) => `${device}.${pin} -> ${target} ${level ? "up" : "down"}`),
    ["uart0.0 -> plic0:10 up", "plic0.0 -> cpu0.external up", "plic0.0 -> cpu0.external down", "uart0.0 -> plic0:10 down"],
  );
});

test("the timer line rises when mtime reaches mtimecmp, on the right CPU only", () => {
  const guest = boot({ cpus: 2 });
  const mtimecmp = at("clint0.mtimer");
  for (const hart of [0n, 1n]) guest.w64(mtimecmp + 8n * hart, 0xffff_ffff_ffff_ffffn);
  assert.equal(guest.machine.lines(0) & TIMER, 0);
  guest.w64(mtimecmp + 8n, 100n);
  const due = guest.machine.nextEvent();
  assert.equal(due, 100 * (1e9 / Number(at("timebase"))));
  guest.pass(due - 1);
  assert.equal(guest.machine.lines(1) & TIMER, 0);
  guest.pass(1);
  assert.equal(guest.machine.lines(1) & TIMER, TIMER);
  assert.equal(guest.machine.lines(0) & TIMER, 0);
});

test("a device access fires what is due before it", () => {
  const guest = boot();
  guest.w64(at("clint0.mtimer"), 100n);
  guest.machine.advance(10_000);
  assert.equal(guest.machine.lines(0) & TIMER, 0);
  guest.r32(at("rtc0.base"));
  assert.equal(guest.machine.lines(0) & TIMER, TIMER);
});

test("a software interrupt reaches the CPU it is for", () => {
  const guest = boot({ cpus: 8 });
  guest.w32(at("clint0.base") + 4n * 7n, 1);
  assert.deepEqual(
    Array.from({ length: 8 }, (_, cpu) => guest.machine.lines(cpu) & SOFTWARE),
    [0, 0, 0, 0, 0, 0, 0, 1],
  );
});

test("edu's INTx takes the swizzled line, and falls with the acknowledge", () => {
  const guest = boot();
  enableEdu(guest);
  // Slot 2, INTA: (2 + 0) mod 4.
  const irq = Number(at("pci0.irq")) + 2;
  guest.enablePlicSource(irq);
  guest.w32(EDU_BAR + 0x60n, 1);
  assert.equal(guest.claim(), irq);
  guest.w32(EDU_BAR + 0x64n, 1);
  guest.complete(irq);
  assert.equal(guest.claim(), 0);
});

test("an MSI of edu goes through the frame and is latched until claimed, every time", () => {
  const guest = boot();
  enableEdu(guest);
  const irq = Number(at("msi0.irq")) + 3;
  guest.enablePlicSource(irq);
  const slot = Number(at("edu0.slot"));
  const cap = guest.r8(config(slot, 0x34));
  assert.equal(guest.r8(config(slot, cap)), 0x05);
  guest.w32(config(slot, cap + 4), Number(at("msi0.base")) + 0x40);
  guest.w16(config(slot, cap + 12), irq);
  guest.w16(config(slot, cap + 2), 1);
  for (let round = 1; round <= 2; round++) {
    guest.w32(EDU_BAR + 0x60n, round);
    assert.equal(guest.machine.lines(0) & EXTERNAL, EXTERNAL);
    assert.equal(guest.claim(), irq);
    guest.complete(irq);
    assert.equal(guest.claim(), 0);
    guest.w32(EDU_BAR + 0x64n, round);
  }
  const message = guest.machine.accesses().find(({ origin }) => origin === "dma");
  assert.deepEqual([message?.device, message?.offset, message?.value, message?.fault], ["msi0", 0x40, irq, false]);
});

test("edu's DMA reaches RAM through the bus window, with its 28 address lines", () => {
  const guest = boot();
  enableEdu(guest);
  const source = at("ram.base") + 0x2000n;
  assert.ok(guest.machine.writeMemory(source, Uint8Array.of(1, 2, 3, 4)));
  const bus = source - at("pci0.dma_address") + at("pci0.dma");
  const EDU_BUFFER = 0x4_0000n;
  const run = (from: bigint, to: bigint, command: number): void => {
    guest.w64(EDU_BAR + 0x80n, from);
    guest.w64(EDU_BAR + 0x88n, to);
    guest.w64(EDU_BAR + 0x90n, 4n);
    guest.w64(EDU_BAR + 0x98n, BigInt(command));
    guest.pass(200_000_000);
    assert.equal(guest.r32(EDU_BAR + 0x98n) & 1, 0);
  };
  run(bus, EDU_BUFFER, 0x1);
  run(EDU_BUFFER, bus + 0x100n, 0x3);
  assert.deepEqual(guest.machine.readMemory(source + 0x100n, 4), Uint8Array.of(1, 2, 3, 4));
});

test("the PCI I/O window is port space and memory at once", () => {
  const guest = boot();
  const slot = Number(at("testdev0.slot"));
  guest.w32(config(slot, 0x14), 0x1001);
  guest.w16(config(slot, 0x04), 0x1);
  // Header of test 0 after selecting it: width 1 at +1.
  assert.ok(guest.machine.bus.portWrite(0x1000, 1, 0));
  assert.equal(guest.machine.bus.portRead(0x1001, 1), 1);
  assert.equal(guest.r8(at("pci0.io") + 0x1001n), 1);
  assert.equal(guest.machine.bus.portRead(0x2000, 1), 0xff);
});

test("unmapped space faults strictly", () => {
  const { machine } = boot();
  assert.equal(machine.bus.read(0n, 4), null);
  assert.equal(machine.bus.read(at("uart0.base") + 8n, 1), null);
  assert.equal(machine.bus.write(at("plic0.base") + 4n, 2, 0), false);
  assert.equal(machine.bus.read(at("ram.base") + at("ram.size"), 1), null);
  assert.equal(machine.bus.read(at("ram.base"), 4), null);
});

test("console bytes go both ways", () => {
  const guest = boot();
  for (const byte of [0x68, 0x69]) guest.w8(at("uart0.base"), byte);
  assert.equal(guest.text(), "hi");
  guest.machine.receive("uart0", Uint8Array.of(0x5a));
  assert.equal(guest.r8(at("uart0.base") + 5n) & 1, 1);
  assert.equal(guest.r8(at("uart0.base")), 0x5a);
  assert.throws(() => guest.machine.receive("plic0", Uint8Array.of(1)), /plic0 takes no bytes/);
});

test("the first exit request counts; reset forgets it", () => {
  const guest = boot();
  guest.w32(at("finisher0.base"), 0x0003_3333);
  guest.w32(at("finisher0.base"), 0x5555);
  assert.deepEqual(guest.machine.exitRequest(), { kind: "poweroff", code: 3 });
  guest.machine.reset();
  assert.equal(guest.machine.exitRequest(), null);
});

test("a mistake of the guest is in the messages, with device and time", () => {
  const guest = boot();
  guest.machine.advance(50);
  guest.w32(at("finisher0.base") + 4n, 1);
  const [message] = guest.machine.messages();
  assert.equal(message?.device, "finisher0");
  assert.equal(message?.time, 50);
  assert.match(message?.text ?? "", /guest error/);
});

test("reset is power-on: same state, zero RAM, nothing logged", () => {
  const guest = boot({ seed: 5 });
  const fresh = guest.machine.state();
  guest.w8(at("uart0.base") + 7n, 0x77);
  guest.w64(at("clint0.mtimer"), 1000n);
  guest.machine.advance(77);
  guest.machine.scheduleRandom();
  guest.machine.writeMemory(at("ram.base"), Uint8Array.of(1));
  guest.machine.reset();
  assert.deepEqual(guest.machine.state(), fresh);
  assert.deepEqual(guest.machine.readMemory(at("ram.base"), 1), Uint8Array.of(0));
  assert.deepEqual([guest.machine.accesses(), guest.machine.interrupts(), guest.machine.messages()], [[], [], []]);
});

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

test("a machine refuses what its description does not allow", () => {
  assert.throws(() => createMachine(bytecodeVirt, { cpus: 9 }), /has 1 to 8 CPUs, not 9/);
  const other = boot();
  const snapshot = boot().machine.snapshot();
  assert.throws(() => other.machine.restore(snapshot), /another machine/);
  const [first, ...rest] = bytecodeVirt.devices;
  assert.ok(first);
  const wrongModel = { ...bytecodeVirt, devices: [{ ...first, model: "nothing" }, ...rest] };
  assert.throws(() => createMachine(wrongModel), /finisher0 is a "nothing", and there is no such model/);
  const wrongSize = { ...bytecodeVirt, devices: [{ ...first, at: first.at.map((place) => ({ ...place, size: 8 })) }, ...rest] };
  assert.throws(() => createMachine(wrongSize), /finisher0\.base has 0x8 bytes, its model's region test-finisher 0x1000/);
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

// A tiny image, run by an executor that knows only straight-line code: what an executor needs from the machine is enough to boot.

const ADDR: ScalarType = "addr";

function instruction(op: string, rest: Partial<Instruction> = {}): Instruction {
  return { op, dst: [], src: [], imm: [], at: -1, ...rest };
}

const straightLine: ExecutorFactory = {
  name: "interpreter",
  create(image: LoadedImage, machine: MachineCore) {
    let executed = 0;

    function load(address: bigint, bytes: Width): bigint {
      const { memory } = machine;
      const offset = Number(address - memory.base);
      if (offset >= 0 && offset < memory.size) {
        if (bytes === 1) return BigInt(memory.view.getUint8(offset));
        assert.equal(bytes, 8);
        return memory.view.getBigUint64(offset, true);
      }
      const value = machine.bus.read(address, bytes);
      assert.ok(value !== null);
      return BigInt(value);
    }

    return {
      call(functionIndex): Outcome {
        const body = image.module.functions[functionIndex]?.body ?? [];
        const registers: bigint[] = [];
        executed = 0;
        for (const { op, type, dst, src, imm } of body) {
          machine.advance(1);
          executed++;
          const [a = 0n, b = 0n] = src.map((index) => registers[index] ?? 0n);
          const target = dst[0] ?? 0;
          const bytes = byteWidth(type ?? "i64", image.module.layout);
          if (op === "const") registers[target] = BigInt(imm[0] ?? 0);
          else if (op === "symbol_addr") registers[target] = (image.symbolAddress[Number(imm[0])] ?? 0n) + BigInt(imm[1] ?? 0);
          else if (op === "load") registers[target] = load(a + BigInt(imm[0] ?? 0), bytes);
          else if (op === "store_volatile") assert.ok(machine.bus.write(a + BigInt(imm[0] ?? 0), bytes, bytes === 8 ? b : Number(b)));
          else if (op === "return") return { kind: "returned", values: src.map((index) => registers[index] ?? 0n) };
          else assert.fail(`the straight-line executor has no ${op}`);
          const exit = machine.exitRequest();
          if (exit !== null) return { kind: "exit", exit };
        }
        return { kind: "returned", values: [] };
      },
      instructions: () => executed,
    };
  },
};

/** Prints the two characters that `greeting` points to, then powers off. */
function helloModule(): Module {
  const symbols: DataSymbol[] = [
    { name: "text", size: 2, align: 1, writable: false, bytes: Uint8Array.of(0x6f, 0x6b), relocations: [] },
    {
      name: "greeting",
      size: 8,
      align: 8,
      writable: true,
      bytes: new Uint8Array(0),
      relocations: [{ kind: "data", offset: 0, symbol: 0, addend: 0 }],
    },
    { name: "boot_info", size: 48, align: 8, writable: true, bytes: new Uint8Array(0), relocations: [] },
  ];
  const body = [
    instruction("symbol_addr", { dst: [0], imm: [1, 0] }),
    instruction("load", { type: ADDR, dst: [1], src: [0], imm: [0] }),
    instruction("const", { type: ADDR, dst: [2], imm: [at("uart0.base")] }),
    instruction("load", { type: "i8", dst: [3], src: [1], imm: [0] }),
    instruction("store_volatile", { type: "i8", src: [2, 3], imm: [0] }),
    instruction("load", { type: "i8", dst: [3], src: [1], imm: [1] }),
    instruction("store_volatile", { type: "i8", src: [2, 3], imm: [0] }),
    instruction("const", { type: ADDR, dst: [4], imm: [at("finisher0.base")] }),
    instruction("const", { type: "i32", dst: [5], imm: [0x5555] }),
    instruction("store_volatile", { type: "i32", src: [4, 5], imm: [0] }),
    instruction("return"),
  ];
  return {
    version: BYTECODE_VERSION,
    layout: { addressBytes: 8, endian: "little" },
    functions: [
      {
        name: "main",
        signature: { params: [], results: [] },
        registers: [ADDR, ADDR, ADDR, "i8", ADDR, "i32"],
        frameSize: 0,
        body,
      },
    ],
    symbols,
    signatures: [],
    files: [],
    locations: [],
    assembly: [],
    exports: [{ name: "main", function: 0 }],
    trapVector: -1,
    interruptVector: -1,
  };
}

test("a tiny image boots, prints, powers off, and does it again from the snapshot", () => {
  const guest = boot({ cpus: 2, seed: 0xabcd });
  const { machine } = guest;
  const image = machine.loadImage(helloModule());
  const bootInfo = machine.memory.base + BigInt(image.bootInfo);
  assert.equal(image.stacks.length, 2);
  assert.equal(Buffer.from(machine.readMemory(bootInfo + 32n, 4) ?? []).readUInt32LE(), 2);
  assert.equal(Buffer.from(machine.readMemory(bootInfo + 40n, 8) ?? []).readBigUInt64LE(), 0xabcdn);
  const loaded = machine.snapshot();
  const executor = straightLine.create(image, machine);
  const limits = { deadline: 1e9, grace: 0, instructions: 1000 };
  for (const seed of [1n, 2n]) {
    assert.deepEqual(executor.call(0, [], limits), { kind: "exit", exit: { kind: "poweroff", code: 0 } });
    assert.equal(machine.now(), executor.instructions());
    machine.restore(loaded, { seed });
    assert.equal(machine.now(), 0);
    assert.equal(machine.exitRequest(), null);
    assert.equal(Buffer.from(machine.readMemory(bootInfo + 40n, 8) ?? []).readBigUInt64LE(), seed);
  }
  assert.equal(guest.text(), "okok");
  machine.dispose();
});

test("a disposed machine's memory comes back clean", () => {
  const { machine } = boot({}, SMALL);
  machine.loadImage(helloModule());
  machine.snapshot();
  machine.writeMemory(machine.memory.base + 0x5000n, Uint8Array.of(1, 2, 3));
  const { memory } = machine.memory;
  machine.dispose();
  const next = boot({}, SMALL).machine;
  assert.equal(next.memory.memory, memory);
  assert.ok(ramOf(next).every((byte) => byte === 0));
});

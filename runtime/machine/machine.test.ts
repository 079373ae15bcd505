// The whole machine without a CPU: devices wired as machines/bytecode-virt.yaml says, DMA, faults, reset. What restores do is in
// machine-restore.test.ts.

import { test } from "node:test";
import assert from "node:assert/strict";
import { EDU_BAR, at, boot, config, enableEdu } from "../../tests/fixtures/bare-machine.ts";
import { bytecodeVirt } from "../../tests/fixtures/machines.ts";
import { createMachine } from "./machine.ts";

const SOFTWARE = 1;
const TIMER = 2;
const EXTERNAL = 4;

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

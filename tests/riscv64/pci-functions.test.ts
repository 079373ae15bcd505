// The PCI functions of the boards, found as a guest finds them, by CPUs of either width: each that a machine file names answers at its slot
// with its identity, and its first memory BAR leads to it once it has an address. That QEMU has the same is in tests/machines-qemu.

import assert from "node:assert/strict";
import { test } from "node:test";
import { riscv32Virt, riscvVirt } from "../fixtures/machines.ts";
import { assembleAt, inWidth, RAM, startGuest } from "../fixtures/riscv64.ts";

const RESULTS = 0x8010_0000n;
const FUNCTIONS = 32;
const WORDS = 4;

/** Of each slot: identity; BAR 4 as it answers all ones, where virtio has its registers; what is there then, by the window at 0x4000_0000. */
const SCAN = `
  li s0, 0x30000000
  li s1, ${RESULTS}
  li s2, ${FUNCTIONS}
  li s3, 0x40000000
  li s4, 0x8000
slot:
  lw a0, 0(s0)
  sw a0, 0(s1)
  li t0, -1
  beq a0, t0, next
  sw t0, 0x20(s0)
  lw a1, 0x20(s0)
  sw a1, 4(s1)
  sw s3, 0x20(s0)
  sw zero, 0x24(s0)
  li t0, 6
  sh t0, 4(s0)
  li t0, 1
  sw t0, 0(s3)
  lw a2, 4(s3)
  sw a2, 8(s1)
  lhu a2, 18(s3)
  sw a2, 12(s1)
  sh zero, 4(s0)
next:
  add s0, s0, s4
  addi s1, s1, ${4 * WORDS}
  addi s2, s2, -1
  bnez s2, slot
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
  j .`;

for (const [board, width] of [
  [riscvVirt, 64],
  [riscv32Virt, 32],
] as const) {
  test(`${board.name}: every function of its file answers, and a virtio device behind its BAR`, () => {
    const guest = startGuest(assembleAt(inWidth(SCAN, width), RAM, width), { width });
    assert.deepEqual(guest.run(), { kind: "exit", exit: { kind: "poweroff", code: 0 } });
    const bytes = guest.machine.readMemory(RESULTS, FUNCTIONS * WORDS * 4) ?? assert.fail("no memory");
    const words = new Uint32Array(bytes.slice().buffer);
    const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
    const found = Array.from({ length: FUNCTIONS }, (_, slot) => words[slot * WORDS] ?? 0).flatMap((id, slot) =>
      id === 0xffff_ffff ? [] : [`${slot} 0x${hex(id & 0xffff, 4)}:0x${hex(id >>> 16, 4)}`],
    );
    const described = board.devices.flatMap(({ pci, provides }) => {
      const id = provides.find(({ name, argument }) => name === "pci" && argument !== null)?.argument;
      return pci === null || id === undefined ? [] : [`${pci.slot} ${id}`];
    });
    // The host bridge is the board's own.
    assert.deepEqual(
      found.filter((line) => !line.startsWith("0 ")),
      described.toSorted(),
    );
    const virtio = board.devices.filter(({ model }) => model === "virtio-pci");
    assert.equal(virtio.length, 5);
    for (const { name, pci } of virtio) {
      const [, bar = 0, features = 0, queues = 0] = words.subarray((pci?.slot ?? 0) * WORDS);
      // 64 bits wide, in memory, prefetchable; VIRTIO_F_VERSION_1 is bit 32 (Virtual I/O Device 1.1, 6), and there are queues (4.1.4.3).
      assert.equal(bar & 15, 12, name);
      assert.equal(features & 1, 1, `${name}: features ${hex(features, 8)}`);
      assert.ok(queues >= 1 && queues < 64, `${name}: ${queues} queues`);
    }
    guest.dispose();
  });
}

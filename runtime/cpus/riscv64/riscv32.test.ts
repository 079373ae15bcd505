// What registers of 32 bits make different, by small programs: addresses that wrap, control registers in two halves, causes and vectors.
// In all ways of execution; tests/riscv64 compares instructions, page tables and protection with QEMU.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RAM, startGuest, type Guest, type GuestOptions } from "../../../tests/fixtures/riscv64.ts";

const WAYS: Readonly<Record<string, GuestOptions>> = { generated: {}, translated: { eagerness: "eager" }, evaluated: { trace: () => undefined } };

function runAll(program: string, instructions: number, check: (guest: Guest, way: string) => void, registers: Readonly<Record<string, bigint>> = {}): void {
  for (const [way, options] of Object.entries(WAYS)) {
    const guest = startGuest(program, { width: 32, setup: { registers }, ...options });
    guest.run(instructions);
    check(guest, way);
    guest.dispose();
  }
}

test("addresses are 32 bits: sums wrap, and registers hold no more", () => {
  const program = `
    li s0, -0x7ff00000
    li s1, 0x80000000
    li a0, 0x89abcdef
    sw a0, 8(s0)
    lw a1, 8(s0)
    addi s2, s0, 8
    lw a2, (s2)
    lbu a3, 11(s0)
    jal ra, next
    nop
  next:
    add a4, s1, s1
    j .`;
  runAll(program, 20, (guest, way) => {
    const found = ["a0", "a1", "a2", "a3", "a4", "ra", "pc"].map((name) => guest.register(name));
    assert.deepEqual(found.slice(0, 5), [0x89ab_cdefn, 0x89ab_cdefn, 0x89ab_cdefn, 0x89n, 0n], way);
    // Behind the jump lie a nop and an addition.
    assert.equal(guest.register("ra"), guest.register("pc") - 8n, way);
    assert.ok(guest.register("pc") > RAM);
  });
});

test("a jump and a load across the end of the address space come back to its beginning", () => {
  const program = `
    la t0, handler
    csrw mtvec, t0
    li t1, -4
    lw a0, 8(t1)
  fault: j .
    .align 2
  handler:
    csrr a1, mcause
    csrr a2, mtval
    bnez a3, second
    li a3, 1
    la t0, handler
    jalr zero, 6(t1)
  second:
    csrr a4, mcause
    csrr a5, mepc
    j .`;
  runAll(program, 40, (guest, way) => {
    assert.deepEqual([guest.register("a4"), guest.register("a5"), guest.register("a2")], [1n, 2n, 2n], way);
  });
});

test("regions reach across the end of the address space: a loop, its loads, links and returns", () => {
  // The last page of addresses and the first one lie behind each other in RAM.
  const program = `
    .option norvc
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0x80101000
    li t1, 0x20040801
    sw t1, 0(t0)
    li t2, 0x800
    add t2, t2, t0
    li t1, 0x200000cf
    sw t1, 0(t2)
    li t1, 0x20040c01
    sw t1, 0x7fc(t2)
    li t0, 0x80102000
    li t1, 0x200414cf
    sw t1, 0(t0)
    li t0, 0x80103ffc
    li t1, 0x200410cf
    sw t1, 0(t0)
    li t0, 0x80080101
    csrw satp, t0
    la s0, source
    li s1, 0x80105000 - 16
    li s2, 12
  copy:
    lw t0, 0(s0)
    sw t0, 0(s1)
    addi s0, s0, 4
    addi s1, s1, 4
    addi s2, s2, -1
    bnez s2, copy
    fence.i
    li t0, 0x1000
    csrrc zero, mstatus, t0
    li t0, 0x800
    csrrs zero, mstatus, t0
    li t0, -16
    csrw mepc, t0
    li a3, 9
    li s3, -8
    mret
  source:
    addi a0, a0, 1
    lw a1, 12(s3)
    add a2, a2, a1
    jal ra, behind
    bltu a0, a3, source
  stay:
    jal zero, stay
    nop
  behind:
    addi a4, a4, 2
    sub a5, a5, ra
    jalr zero, 0(ra)
    nop
    nop`;
  runAll(program, 300, (guest, way) => {
    // The load is of the jump to itself.
    const expected = { a0: 9n, a1: 0x6fn, a2: 9n * 0x6fn, a4: 18n, ra: 0n, pc: 4n };
    for (const [name, value] of Object.entries(expected)) assert.equal(guest.register(name), value, `${name} ${way}`);
    assert.ok(way !== "translated" || guest.processor.regions() > 1, `${guest.processor.regions()} regions`);
  });
});

test("registers of 64 bits are two, and each half leaves the other alone", () => {
  const program = `
    li a0, 0x12345678
    csrw stimecmp, a0
    csrw stimecmph, a0
    li a0, -1
    csrw stimecmp, a0
    csrr a1, stimecmph
    csrr a2, stimecmp
    csrw menvcfgh, a0
    csrw menvcfg, zero
    csrr a3, menvcfgh
    csrr a4, menvcfg
    csrw minstreth, a1
    csrr a5, minstreth
    csrr a6, instreth
    csrr a7, mstatush
    csrr s2, timeh
    csrr s3, cycleh
    csrr s4, misa
    j .`;
  runAll(program, 40, (guest, way) => {
    const names = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4"];
    assert.deepEqual(
      names.map((name) => guest.register(name).toString(16)),
      ["12345678", "ffffffff", "a0000000", "0", "12345678", "12345678", "0", "0", "0", "4014112d"],
      way,
    );
  });
});

test("a count of 64 bits goes on into its upper half", () => {
  const program = "csrw minstreth, zero\n li a0, -3\n csrw minstret, a0\n nop\n nop\n nop\n nop\n csrr a1, minstret\n csrr a2, minstreth\n j .";
  runAll(program, 12, (guest, way) => assert.deepEqual([guest.register("a1"), guest.register("a2")], [1n, 1n], way));
});

test("what is illegal on RV32 traps, and so do RV32's own registers on RV64", () => {
  const handler = "la t0, handler\n csrw mtvec, t0\n j main\n .align 2\nhandler: csrr a1, mcause\n csrr a2, mtval\n j .\nmain:";
  for (const word of [0x0000_3503, 0x0205_1513, 0x0005_051b, 0x9d09, 0xe205_0553, 0x1005_252f + 0x1000]) {
    runAll(`${handler} li a0, 0\n .word ${word}\n j .`, 20, (guest, way) =>
      assert.deepEqual([guest.register("a1"), guest.register("a2")], [2n, BigInt(word)], `${word.toString(16)} ${way}`),
    );
  }
  const guest = startGuest(`${handler} csrrs a0, 0xc80, zero\n j .`);
  guest.run(20);
  assert.equal(guest.register("a1"), 2n);
});

test("an interrupt is the highest bit of its cause, and goes to its vector", () => {
  const program = `
    la t0, vectors
    ori t0, t0, 1
    csrw mtvec, t0
    li t0, 8
    csrw mie, t0
    li t0, 0x2000000
    li t1, 1
    sw t1, (t0)
    csrsi mstatus, 8
    j .
    .align 6
  vectors:
    j .
    j .
    j .
    csrr a0, mcause
    csrr a1, mtval
    csrr a2, mstatus
    j .`;
  runAll(program, 40, (guest, way) => {
    assert.deepEqual([guest.register("a0"), guest.register("a1"), guest.register("a2")], [0x8000_0003n, 0n, 0x1880n], way);
  });
});

test("protection has four registers of four entries", () => {
  const program =
    "li a0, 0x1f1b190f\n csrw pmpcfg0, a0\n csrw pmpcfg3, a0\n csrr a1, pmpcfg0\n csrr a2, pmpcfg1\n csrr a3, pmpcfg3\n csrw pmpaddr15, a0\n csrr a4, pmpaddr15\n j .";
  runAll(program, 20, (guest, way) => {
    assert.deepEqual(
      ["a1", "a2", "a3", "a4"].map((name) => guest.register(name)),
      [0x1f1b_190fn, 0n, 0x1f1b_190fn, 0x1f1b_190fn],
      way,
    );
  });
});

test("mstatus tells of dirty floating-point registers in bit 31, and doubles take all of an f register", () => {
  const program = `
    li t0, 0x6000
    csrs mstatus, t0
    li a0, 3
    fcvt.d.w fa0, a0
    fadd.d fa0, fa0, fa0
    fcvt.w.d a1, fa0
    li a2, -1
    fcvt.s.wu fa1, a2
    fcvt.wu.s a3, fa1
    fmv.x.w a4, fa1
    csrr a5, mstatus
    j .`;
  runAll(program, 40, (guest, way) => {
    assert.deepEqual(
      ["a1", "a3", "a4", "a5", "fa0", "fa1"].map((name) => guest.register(name)),
      [6n, 0xffff_ffffn, 0x4f80_0000n, 0x8000_6000n, 0x4018_0000_0000_0000n, 0xffff_ffff_4f80_0000n],
      way,
    );
  });
});

test("eight harts count by lr.w and sc.w and by an atomic, and a snapshot of them goes on", () => {
  const program = `
    la s0, counts
    li s1, 1000
  again:
    lr.w a1, (s0)
    addi a1, a1, 1
    sc.w a2, a1, (s0)
    bnez a2, again
    addi a3, s0, 4
    li a4, -1
    amoadd.w zero, a4, (a3)
    addi s1, s1, -1
    bnez s1, again
    fence
    li a4, 1
    addi a3, s0, 8
    amoadd.w a5, a4, (a3)
  wait:
    wfi
    j wait
    .align 3
  counts: .word 0, 0, 0, 0`;
  const guest = startGuest(program, { width: 32, cpus: 8, seed: 3n });
  assert.deepEqual(guest.run(20_000), { kind: "limit" });
  const half = { machine: guest.machine.snapshot(), processor: guest.processor.save() };
  const finish = (): readonly number[] => {
    assert.deepEqual(guest.run(), { kind: "idle" });
    const bytes = guest.machine.readMemory(guest.register("s0"), 12) ?? assert.fail("no memory");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return [view.getUint32(0, true), view.getInt32(4, true), view.getUint32(8, true), guest.processor.instructions()];
  };
  const first = finish();
  assert.deepEqual(first.slice(0, 3), [8000, -8000, 8]);
  guest.machine.restore(half.machine);
  guest.processor.load(half.processor);
  assert.deepEqual(finish(), first);
});

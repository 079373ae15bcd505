// Accesses to devices by the short way and by the cold path alone (which a run with a trace takes): the same values, faults, times and log.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { startGuest, type Guest } from "../../../tests/fixtures/riscv64.ts";

const withHandler = (handler: string, main: string): string => `la t0, handler\n csrw mtvec, t0\n j main\n .align 2\nhandler: ${handler}\n mret\nmain: ${main}`;

/** What traps is counted, summed up and stepped over. */
const STEP_OVER = `
    addi s10, s10, 1
    csrr t0, mcause
    add s11, s11, t0
    csrr t0, mtval
    add s11, s11, t0
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0`;

/** A timer and a software interrupt are lowered where they come from. */
const LOWER = `
    addi s10, s10, 1
    li t0, -1
    sd t0, 0(s1)
    sw zero, 0(s0)`;

const LOADS = { 32: ["lb", "lbu", "lh", "lhu", "lw"], 64: ["lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"] } as const;
const STORES = { 32: ["sb", "sh", "sw"], 64: ["sb", "sh", "sw", "sd"] } as const;

/** Every access three times: the first makes the page known. */
function sweep(width: RegisterWidth, base: bigint, offsets: readonly number[], writes: readonly number[]): string {
  const reads = offsets.flatMap((offset) => LOADS[width].map((name) => `${name} a3, ${offset}(a2)\n add a4, a4, a3\n slli a4, a4, 1\n`));
  const stores = writes.flatMap((offset) => STORES[width].map((name) => `${name} a4, ${offset}(a2)\n`));
  return `li a2, ${base}\n li a5, 3\n1: ${reads.join("")} ${stores.join("")} addi a5, a5, -1\n beqz a5, 2f\n j 1b\n2:\n`;
}

function stateOf({ machine, processor }: Guest): unknown {
  const numbers = Array.from({ length: 32 }, (_, n) => `x${n}`);
  return {
    registers: Object.fromEntries([...numbers, "pc", "mip", "mepc", "mcause", "privilege"].map((name) => [name, processor.readRegister(0, name)])),
    now: machine.now(),
    instructions: processor.instructions(),
    accesses: machine.accesses(),
    interrupts: machine.interrupts(),
  };
}

function runBoth(program: string, limits: readonly number[], width: RegisterWidth = 64): Guest {
  const fast = startGuest(program, { width });
  const slow = startGuest(program, { width, trace: () => undefined });
  for (const limit of limits) {
    fast.run(limit);
    slow.run(limit);
    assert.deepEqual(stateOf(fast), stateOf(slow));
    assert.equal(fast.console(), slow.console());
  }
  slow.dispose();
  return fast;
}

test("loads and stores of all widths, refused and misaligned ones too, to UART, CLINT, PLIC and nobody", () => {
  for (const width of [32, 64] as const) {
    const main =
      sweep(width, 0x1000_0000n, [0, 1, 2, 4, 5, 7, 8], [7]) +
      sweep(width, 0x0200_bff8n, [-2048, -8, 0, 1, 4], [-2048]) +
      sweep(width, 0x0c00_0000n, [0, 4, 40, 2], [4, 40]) +
      sweep(width, 0x0300_0000n, [0, 8], [0, 8]) +
      "j .";
    const guest = runBoth(withHandler(STEP_OVER, main), [100, 101, 333, 5000], width);
    assert.ok(guest.register("s10") > 50n, `${guest.register("s10")} traps`);
    guest.dispose();
  }
});

test("what an access sets off comes at its time: software interrupts, timers, output, a write to mtime, the end", () => {
  const main = `
    li s0, 0x2000000
    li s1, 0x2004000
    li s2, 0x200bff8
    li s3, 0x10000000
    li a5, 20
    li t0, 0x888
    csrw mie, t0
    csrsi mstatus, 8
  1:
    li t1, 1
    sw t1, 0(s0)
    sw zero, 0(s0)
    ld t2, 0(s2)
    addi t2, t2, 1
    sd t2, 0(s1)
    ld t2, 0(s2)
    lw t2, 0(s2)
    sb a5, 0(s3)
    sd zero, 0(s2)
    lbu t3, 5(s3)
    addi a5, a5, -1
    bnez a5, 1b
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
    j .`;
  const guest = runBoth(withHandler(LOWER, main), [50, 77, 3000]);
  assert.deepEqual(guest.machine.exitRequest(), { kind: "poweroff", code: 0 });
  assert.ok(guest.register("s10") > 20n, `${guest.register("s10")} interrupts`);
  guest.dispose();
});

test("a page that is closed again is found closed", () => {
  const close = `
    csrr s11, mcause
    csrw pmpcfg0, zero
    li t0, 0x20000000
    csrw pmpaddr0, t0
    csrw pmpaddr1, t2
    li t0, 0x0f08
    csrw pmpcfg0, t0
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0`;
  const main = `
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t2, -1
    srli t2, t2, 10
    csrw pmpaddr0, t2
    la t0, user
    csrw mepc, t0
    csrw mstatus, zero
    mret
  user:
    li s3, 0x10000000
    li a2, 0x77
    lbu a0, 5(s3)
    lbu a1, 5(s3)
    ecall
    lbu a2, 5(s3)
    j .`;
  const guest = runBoth(withHandler(close, main), [200]);
  assert.deepEqual([guest.register("a0"), guest.register("a1"), guest.register("a2")], [0x60n, 0x60n, 0x77n]);
  assert.equal(guest.register("s11"), 5n);
  guest.dispose();
});

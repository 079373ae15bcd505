// Regions lead to regions without anybody between: over calls to the environment, returns from traps, jump tables, calls that are not
// returned from. Where slices end, when code changes, who stops where, must not show in it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { EAGERNESS, type EagernessName } from "../../runtime/cpus/riscv64/regions/translator.ts";
import { createRandom, FUZZ_SEED } from "../fixtures/random.ts";
import { assembleAt, inWidth, RAM, startGuest, WIDTHS, type Guest } from "../fixtures/riscv64.ts";

const NAMES = ["pc", "privilege", ...Array.from({ length: 31 }, (_, n) => `x${n + 1}`), "mstatus", "mcause", "mepc", "mscratch", "minstret", "scause", "sepc"];
const EAGERNESS_NAMES = Object.keys(EAGERNESS) as readonly EagernessName[];
const STEPS = 0x200;
const HANDLER = 0x400;

/**
 * User code that nests calls, and calls the environment from different depths; a handler with calls of its own, which now and then goes back
 * to the start with all the user's calls open, or changes an instruction of the user's; a jump table. With `s-mode` calls go to S-mode, and
 * from there to M-mode.
 */
function writeProgram(width: RegisterWidth, supervisor: boolean): Uint8Array {
  const text = `
    .option norvc
      li t0, -1
      csrw pmpaddr0, t0
      li t0, 0x1f
      csrw pmpcfg0, t0
      la t0, ${supervisor ? "machine" : "handler"}
      csrw mtvec, t0
      la t0, handler
      csrw stvec, t0
      li t0, ${supervisor ? 0x100 : 0}
      csrw medeleg, t0
      slli t0, a0, 13
      li sp, 0x80110000
      add sp, sp, t0
      addi s11, sp, 0
      li t1, -0x1000
      add t1, sp, t1
      csrw mscratch, t1
      addi t1, t1, -0x400
      csrw sscratch, t1
      li t0, 0x1800
      csrrc zero, mstatus, t0
      la t0, user
      csrw mepc, t0
      mret
    user:
      addi sp, s11, 0
    turn:
      andi a0, s0, 7
      addi a0, a0, 1
      jal ra, nest
      andi t0, s0, 3
      slli t0, t0, 3
      la t1, targets
      add t1, t1, t0
      jalr ra, 0(t1)
      la t1, far
      jalr ra, 0(t1)
      jal ra, patched
      addi s0, s0, 1
      j turn
    nest:
      addi sp, sp, -16
      sd ra, 0(sp)
      addi a0, a0, -1
      bnez a0, deeper
      ecall
      addi s2, s2, 1
      j up
    deeper:
      jal ra, nest
      addi s3, s3, 3
    up:
      ld ra, 0(sp)
      addi sp, sp, 16
      ret
    far:
      andi t0, s0, 1
      slli t0, t0, 3
      la t1, targets
      add t1, t1, t0
      jr t1
    patched:
      addi s5, s5, 1
      ret
    .zero ${STEPS}
    targets:
      addi s4, s4, 1
      ret
      addi s4, s4, 3
      ret
      xor s4, s4, s0
      ret
      addi s4, s4, 7
      ret
    .balign ${HANDLER}
    handler:
      csrrw sp, ${supervisor ? "sscratch" : "mscratch"}, sp
      sd t0, 0(sp)
      sd ra, 8(sp)
      sd t1, 16(sp)
      sd t2, 24(sp)
      csrr t0, ${supervisor ? "sepc" : "mepc"}
      addi t0, t0, 4
      csrw ${supervisor ? "sepc" : "mepc"}, t0
      jal ra, count
      andi t1, t0, 63
      bnez t1, stays
      la t1, user
      csrw ${supervisor ? "sepc" : "mepc"}, t1
      addi s0, s0, 1
    stays:
      andi t1, t0, 127
      li t2, 100
      bne t1, t2, keeps
      la t1, patched
      lw t2, 0(t1)
      li ra, 0x100000
      add t2, t2, ra
      li ra, 0x7ffffff
      and t2, t2, ra
      sw t2, 0(t1)
      fence.i
    keeps:
      ${supervisor ? "ecall" : STAY_IN_MACHINE_MODE}
      ld t0, 0(sp)
      ld ra, 8(sp)
      ld t1, 16(sp)
      ld t2, 24(sp)
      csrrw sp, ${supervisor ? "sscratch" : "mscratch"}, sp
      ${supervisor ? "sret" : "mret"}
    count:
      ld t0, 32(sp)
      addi t0, t0, 1
      sd t0, 32(sp)
      ret
    .balign 4
    machine:
      csrrw t0, mscratch, t0
      sd t1, 64(t0)
      csrr t1, mepc
      addi t1, t1, 4
      csrw mepc, t1
      ld t1, 64(t0)
      csrrw t0, mscratch, t0
      mret
  `;
  return assembleAt(inWidth(text, width), RAM, width);
}

/**
 * Now and then the user's code goes on in M-mode, with all its calls open, until its next call to the environment, of which the cause tells
 * then where it came from. Behind it the registers are restored, as the handler does at its end.
 */
const STAY_IN_MACHINE_MODE = `
      csrr t1, mcause
      add s6, s6, t1
      li t2, 11
      bne t1, t2, from_user
      li t1, 0x1800
      csrrc zero, mstatus, t1
    from_user:
      andi t1, t0, 31
      li t2, 9
      bne t1, t2, back
      ld t0, 0(sp)
      ld ra, 8(sp)
      ld t1, 16(sp)
      ld t2, 24(sp)
      csrrw sp, mscratch, sp
      csrr t6, mepc
      jr t6
    back:`;

function stateOf({ machine, processor }: Guest, cpus: number): string {
  const values = Array.from({ length: cpus }, (_, cpu) => NAMES.map((name) => `${cpu} ${name} ${processor.readRegister(cpu, name).toString(16)}`));
  return [...values.flat(), `now ${machine.now()}`, `instructions ${processor.instructions()}`].join("\n");
}

/**
 * A root that maps RAM to itself and 0x4000_0000 to what a table of the next level has: its entries for both (Volume II, 4.3.1, 4.4.1), and
 * the value of satp.
 */
const MAPPINGS = {
  64: {
    fill: (root: number, table: number) => `li t0, ${root}\n li t1, 0x200000cf\n sd t1, 16(t0)\n li t1, ${table}\n sd t1, 8(t0)`,
    satp: (root: bigint) => (8n << 60n) | (root >> 12n),
  },
  32: {
    fill: (root: number, table: number) => `li t0, ${root + 0x800}\n li t1, 0x200000cf\n sw t1, 0(t0)\n li t1, ${table}\n sw t1, -0x400(t0)`,
    satp: (root: bigint) => (1n << 31n) | (root >> 12n),
  },
} as const;

/** One virtual address that leads to two functions by turns, between which the root of the page tables changes, called directly and as a jump. */
const twoSpaces = (width: RegisterWidth): string => `
  .option norvc
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    ${[0x8001_0000, 0x8001_2000].map((root, n) => MAPPINGS[width].fill(root, 0x2000_5001 + n * 0x800)).join("\n    ")}
    li t0, 0x80014000
    li t1, 0x200800cf
    sd t1, 0(t0)
    li t0, 0x80016000
    li t1, 0x201000cf
    sd t1, 0(t0)
    li t2, 0x8067
    li t0, 0x80200000
    li t1, 0x001a0a13
    sw t1, 0(t0)
    sw t2, 4(t0)
    li t0, 0x80400000
    li t1, 0x010a0a13
    sw t1, 0(t0)
    sw t2, 4(t0)
    li s8, ${MAPPINGS[width].satp(0x8001_0000n)}
    li s9, ${MAPPINGS[width].satp(0x8001_2000n)}
    li t0, 0x1800
    csrrc zero, mstatus, t0
    li t0, 0x800
    csrrs zero, mstatus, t0
    la t0, turn
    csrw mepc, t0
    mret
  turn:
    csrw satp, s8
    sfence.vma
    jal ra, several
    csrw satp, s9
    sfence.vma
    jal ra, several
    addi s0, s0, 1
    j turn
  several:
    addi s5, ra, 0
    li t1, 0x40000000
    li s1, 3
  again:
    jalr ra, 0(t1)
    addi s1, s1, -1
    bnez s1, again
    addi ra, s5, 0
    jr t1
`;

/** Functions whose places in the cache of regions are the same, by turns: four, of which two find room. */
const ONE_PLACE = `
  .option norvc
    la s8, first
    li t0, 0x80000
    add s9, s8, t0
    add s10, s9, t0
    add s11, s10, t0
    lw t1, 0(s8)
    lw t3, 4(s8)
    li t2, 0x500000
    add t1, t1, t2
    sw t1, 0(s9)
    sw t3, 4(s9)
    add t1, t1, t2
    sw t1, 0(s10)
    sw t3, 4(s10)
    add t1, t1, t2
    sw t1, 0(s11)
    sw t3, 4(s11)
    fence.i
  turn:
    jalr ra, 0(s8)
    jalr ra, 0(s9)
    andi t0, s0, 4
    beqz t0, two
    jalr ra, 0(s10)
    jalr ra, 0(s11)
    jalr ra, 0(s10)
  two:
    addi s0, s0, 1
    la ra, turn
    andi t0, s0, 3
    beqz t0, other
    jr s8
  other:
    jr s9
  first:
    addi s4, s4, 1
    ret
`;

/**
 * Functions that call themselves: from two places; in a loop; by either link register, and past the place behind the call; from which one goes
 * back to the start with all calls open. What is live is on the stack, and a number of calls in s4.
 */
const OWN_CALLS = `
  .option norvc
  start:
    la sp, stack
  turn:
    andi a0, s0, 7
    addi a0, a0, 2
    jal ra, twice
    add s5, s5, a0
    andi a0, s0, 3
    jal ra, looping
    add s5, s5, a0
    andi a0, s0, 15
    jal t0, skipping
    addi s5, s5, 1
    addi s5, s5, 1
    addi s0, s0, 1
    andi a0, s0, 7
    bnez a0, turn
    jal ra, jumping
  twice:
    addi s4, s4, 1
    addi t1, zero, 2
    bltu a0, t1, known
    addi sp, sp, -32
    sd ra, 0(sp)
    sd a0, 8(sp)
    addi a0, a0, -1
    jal ra, twice
    sd a0, 16(sp)
    ld a0, 8(sp)
    addi a0, a0, -2
    jal ra, twice
    ld t1, 16(sp)
    add a0, a0, t1
    ld ra, 0(sp)
    addi sp, sp, 32
  known:
    ret
  looping:
    addi sp, sp, -32
    sd ra, 0(sp)
    sd s1, 8(sp)
    addi s1, a0, 0
    j whether
  another:
    addi s1, s1, -1
    addi a0, s1, 0
    jal ra, looping
    add s6, s6, a0
  whether:
    bnez s1, another
    ld ra, 0(sp)
    ld s1, 8(sp)
    addi sp, sp, 32
    addi a0, s6, 1
    ret
  skipping:
    beqz a0, skips
    addi sp, sp, -16
    sd t0, 0(sp)
    addi a0, a0, -1
    jal t0, skipping
    addi s7, s7, 1
    addi s8, s8, 1
    ld t0, 0(sp)
    addi sp, sp, 16
  skips:
    andi t1, s8, 1
    slli t1, t1, 2
    add t0, t0, t1
    jr t0
  jumping:
    addi sp, sp, -16
    sd ra, 8(sp)
    addi a0, a0, 1
    andi t1, a0, 15
    bnez t1, deeper
    j start
  deeper:
    jal ra, jumping
    ld ra, 8(sp)
    addi sp, sp, 16
    ret
  .balign 16
  .zero 4096
  stack:
    .zero 16
`;

/** Calls from U-mode and S-mode, and the software interrupt, are S-mode's. */
const TO_SUPERVISOR = `
    li t0, 0x300
    csrw medeleg, t0
    li t0, 2
    csrw mideleg, t0
    li t0, 0x800
    csrrs zero, mstatus, t0
    la t0, start
    csrw mepc, t0
    mret`;

/**
 * Calls to the environment whose handler runs in the mode that they come from, in loops and within calls, so that it becomes part of the regions
 * that make them. Now and then it returns to U-mode, from where the next one comes; or behind the next instruction; or another handler takes over;
 * or an interrupt is pending when it returns.
 */
function ownTraps(width: RegisterWidth, m: "m" | "s"): string {
  const [previous, enable] = m === "m" ? [0x1800, 8] : [0x100, 2];
  return `
  .option norvc
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li sp, 0x80110000
    ${m === "m" ? "" : TO_SUPERVISOR}
  start:
    la t0, handler
    csrw ${m}tvec, t0
    li t0, 2
    csrw ${m}ie, t0
    li t0, ${enable}
    csrrs zero, ${m}status, t0
  turn:
    andi a0, s0, 7
    addi a0, a0, 1
  again:
    ecall
    addi s4, s4, 1
    ecall
    addi s5, s5, 3
    addi a0, a0, -1
    bnez a0, again
    jal ra, nest
    addi s0, s0, 1
    j turn
  nest:
    addi sp, sp, -16
    sd ra, 0(sp)
    addi s4, s4, 1
    ecall
    andi t0, s4, 7
    beqz t0, leaf
    jal ra, nest
    addi s2, s2, 1
  leaf:
    ld ra, 0(sp)
    addi sp, sp, 16
    ret
  .balign 4
  handler:
    csrrw t5, ${m}scratch, t5
    csrr t5, ${m}cause
    bltz t5, interrupt
    add s6, s6, t5
    csrr t6, ${m}epc
    addi t6, t6, 4
    csrw ${m}epc, t6
    addi t6, zero, 8
    bne t5, t6, stays
    li t6, ${previous}
    csrrs zero, ${m}status, t6
  stays:
    addi s7, s7, 1
    andi t6, s7, 31
    beqz t6, seldom
  back:
    csrrw t5, ${m}scratch, t5
    ${m}ret
  seldom:
    andi t6, s7, 96
    beqz t6, skip
    addi t6, t6, -32
    beqz t6, other
    addi t6, t6, -32
    beqz t6, raise
    li t6, ${previous}
    csrrc zero, ${m}status, t6
    j back
  skip:
    csrr t6, ${m}epc
    addi t6, t6, 4
    andi t5, s7, 128
    beqz t5, back
    csrw ${m}epc, t6
    j back
  other:
    la t6, handler
    la t5, second
    csrr s8, ${m}tvec
    bne s8, t6, first
    addi t6, t5, 0
  first:
    csrw ${m}tvec, t6
    j back
  raise:
    addi t6, zero, 2
    csrrs zero, ${m}ip, t6
    j back
  interrupt:
    addi t5, zero, 2
    csrrc zero, ${m}ip, t5
    addi s3, s3, 1
    j back
  .balign 4
  second:
    addi s9, s9, 1
    j handler
  `;
}

for (const width of WIDTHS)
  describe(`RV${width}: regions that lead to regions`, () => {
    for (const cpus of [1, 4]) {
      for (const supervisor of [false, true]) {
        test(`keep the trace, with ${cpus} harts, ${supervisor ? "through S-mode" : "from U-mode to M-mode"}`, () => {
          const random = createRandom(FUZZ_SEED + cpus);
          const program = writeProgram(width, supervisor);
          const slices = Array.from({ length: 80 }, () => 1 + random.below(random.pick([12, 500, 20_000, 150_000])));
          const run = (eagerness: EagernessName) => {
            const guest = startGuest(program, { width, eagerness, cpus });
            const states = slices.map((length) => `${guest.run(length).kind}\n${stateOf(guest, cpus)}`);
            const regions = guest.processor.regions();
            const calls = guest.register("s2");
            guest.dispose();
            return { states, regions, calls };
          };
          const expected = run("never");
          assert.ok(expected.calls > 100n, `only ${expected.calls} calls`);
          for (const eagerness of EAGERNESS_NAMES) {
            const { states, regions } = run(eagerness);
            states.forEach((state, index) => assert.equal(state, expected.states[index], `${eagerness}, slice ${index}`));
            assert.ok(eagerness === "never" || regions > 2, `${eagerness}: ${regions} regions`);
          }
        });
      }
    }

    for (const [name, text] of [
      ["tell address spaces apart", twoSpaces(width)],
      ["do not take one for another that lies as it does", ONE_PLACE],
      ["go on behind their own calls", OWN_CALLS],
      ["go on behind what a handler in M-mode does for M-mode", ownTraps(width, "m")],
      ["go on behind what a handler in S-mode does for S-mode", ownTraps(width, "s")],
    ] as const) {
      test(name, () => {
        const random = createRandom(FUZZ_SEED);
        const program = assembleAt(inWidth(text, width), RAM, width);
        const slices = Array.from({ length: 40 }, () => 1 + random.below(random.pick([12, 500, 10_000, 40_000])));
        const run = (eagerness: EagernessName): readonly string[] => {
          const guest = startGuest(program, { width, eagerness });
          const states = slices.map((length) => `${guest.run(length).kind}\n${stateOf(guest, 1)}`);
          assert.ok(guest.register("s4") > 1000n, `only ${guest.register("s4")}`);
          assert.ok(eagerness === "never" || guest.processor.regions() > 1, `${guest.processor.regions()} regions`);
          guest.dispose();
          return states;
        };
        const expected = run("never");
        for (const eagerness of EAGERNESS_NAMES) assert.deepEqual(run(eagerness), expected, eagerness);
      });
    }

    test("stop at breakpoints that come and go", () => {
      const program = writeProgram(width, false);
      const run = (eagerness: EagernessName): readonly string[] => {
        const guest = startGuest(program, { width, eagerness });
        const states: string[] = [];
        for (const hot of [50_001, 100_003, 7, 77_777]) {
          guest.run(hot);
          states.push(stateOf(guest, 1));
          const at = guest.register("mtvec");
          guest.processor.setBreakpoints([at]);
          for (let n = 0; n < 3; n++) {
            assert.deepEqual(guest.run(), { kind: "breakpoint", cpu: 0, pc: at });
            states.push(stateOf(guest, 1));
          }
          guest.processor.setBreakpoints([]);
        }
        guest.dispose();
        return states;
      };
      const expected = run("never");
      for (const eagerness of EAGERNESS_NAMES) assert.deepEqual(run(eagerness), expected, eagerness);
    });
  });

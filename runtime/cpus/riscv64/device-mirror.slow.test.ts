// Devices' registers that generated code reads by itself: programs that poll, write, let devices interrupt and be interfered with are in
// the same state, with the same log of accesses, whether every access goes the long way (a run with a trace), the interpreter has a
// mirror, or regions have, in slices of any length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../../../tests/fixtures/random.ts";
import { startGuest, type Guest, type GuestOptions } from "../../../tests/fixtures/riscv64.ts";

const EXECUTIONS: readonly (readonly [name: string, options: GuestOptions])[] = [
  ["interpreted", { eagerness: "never" }],
  ["as usual", {}],
  ["translated at once", { eagerness: "eager" }],
];

function stateOf({ machine, processor, console }: Guest, cpus: number): unknown {
  const numbers = [...Array.from({ length: 32 }, (_, n) => `x${n}`), "pc", "mip", "mepc", "mcause", "mtval", "privilege"];
  return {
    registers: Array.from({ length: cpus }, (_, cpu) => numbers.map((name) => `${name} ${processor.readRegister(cpu, name)}`)),
    now: machine.now(),
    instructions: processor.instructions(),
    accesses: machine.accesses(),
    interrupts: machine.interrupts(),
    messages: machine.messages(),
    devices: machine.state().devices,
    console: console(),
  };
}

/** Compares after every slice; `between` may do something to the machine there. */
function compare(program: string, slices: readonly number[], options: GuestOptions = {}, between?: (guest: Guest, slice: number) => void): Guest {
  const record = (guest: Guest): readonly unknown[] =>
    slices.map((length, index) => {
      guest.run(length);
      const state = stateOf(guest, options.cpus ?? 1);
      between?.(guest, index);
      return state;
    });
  const traced = startGuest(program, { ...options, trace: () => undefined });
  const expected = record(traced);
  for (const [name, more] of EXECUTIONS) {
    const guest = startGuest(program, { ...options, ...more });
    record(guest).forEach((state, index) => assert.deepEqual(state, expected[index], `${name}, slice ${index}`));
    guest.dispose();
  }
  return traced;
}

/** Whatever traps is counted and stepped over; what interrupts is silenced where it comes from. */
const HANDLER = `
  la t0, handler
  csrw mtvec, t0
  j main
  .align 2
handler:
  addi s10, s10, 1
  csrr t0, mcause
  bltz t0, 1f
  csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  mret
1:
  li t0, 0x2000000
  sw zero, 0(t0)
  li t0, 0x2004000
  li t1, -1
  sd t1, 0(t0)
  li t0, 0x10000000
  sb zero, 1(t0)
  mret
main:
`;

const LOADS = ["lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"] as const;
const STORES = { 1: "sb", 2: "sh", 4: "sw", 8: "sd" } as const;

const BASES = {
  uart: 0x1000_0000,
  clint: 0x200_4000,
  mtime: 0x200_b800,
  msip: 0x200_0000,
  plic: 0xc00_0000,
  context: 0xc20_1000,
  virtio: 0x1000_1000,
} as const;
const REGISTERS = { uart: "s0", clint: "s1", mtime: "s2", msip: "s3", plic: "s4", context: "s5", virtio: "s6" } as const;
type Base = keyof typeof BASES;

/** Where reads go: to registers whose reads change nothing, seldom something, and always something; to none. */
const READ_AT: readonly (readonly [Base, readonly number[]])[] = [
  ["uart", [0, 1, 2, 3, 4, 5, 5, 5, 6, 7]],
  ["clint", [0, 4, 8]],
  ["mtime", [0x7f8, 0x7f8, 0x7f8, 0x7fc, 0x7f0]],
  ["msip", [0, 4]],
  ["plic", [0x28, 0x2c]],
  ["context", [0, 4]],
  ["virtio", [0, 0x8, 0x70, 0x30, 0xfc]],
];
const WRITE_AT: readonly (readonly [Base, readonly (readonly [offset: number, width: 1 | 4 | 8, mask: number])[]])[] = [
  // THR, IER, FCR, LCR, MCR with loopback, SCR.
  [
    "uart",
    [
      [0, 1, 0x7f],
      [0, 1, 0x7f],
      [1, 1, 0x07],
      [2, 1, 0xc7],
      [3, 1, 0x83],
      [4, 1, 0x1f],
      [7, 1, 0xff],
    ],
  ],
  [
    "clint",
    [
      [0, 8, 0x3ff],
      [0, 4, 0x3ff],
    ],
  ],
  [
    "mtime",
    [
      [0x7f8, 8, 0x7ff],
      [0x7f8, 4, 0x7ff],
    ],
  ],
  ["msip", [[0, 4, 1]]],
  ["plic", [[0x28, 4, 7]]],
  [
    "context",
    [
      [0, 4, 7],
      [4, 4, 0xf],
    ],
  ],
  [
    "virtio",
    [
      [0x70, 4, 0xf],
      [0x14, 4, 1],
    ],
  ],
];

/** Devices are at other addresses than physical ones in S-mode: by a table of four pages of a gigabyte (Volume II, 4.4). */
const DEVICES_IN_SUPERVISOR = 0xc000_0000;
const ENTER_SUPERVISOR = `
  la t0, table
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0xcf
  sd t1, 24(t0)
  srli t0, t0, 12
  li t1, 8
  slli t1, t1, 60
  or t0, t0, t1
  csrw satp, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  la t0, main
  csrw mepc, t0
  li t0, 0x1800
  csrc mstatus, t0
  li t0, 0x800
  csrs mstatus, t0
  mret
  .align 12
table:
  .zero 4096`;

/** s9 turns over a body of accesses, of which some are polled in loops of their own. */
function generate(random: Random, width: 32 | 64, isSupervisor = false): string {
  const loads = width === 64 ? LOADS : LOADS.slice(0, 5);
  const lines: string[] = [];
  for (let n = 0; n < 12; n++) {
    if (random.chance(70)) {
      const [base, offsets] = random.pick(READ_AT);
      const load = `${random.pick(loads)} a0, ${random.pick(offsets)}(${REGISTERS[base]})\n add a1, a1, a0`;
      if (random.chance(40)) lines.push(`li s8, ${1 + random.below(60)}\n9: ${load}\n slli a2, a1, 1\n xor a1, a1, a2\n addi s8, s8, -1\n bnez s8, 9b`);
      else lines.push(load);
      if (random.chance(20)) lines.push("rdtime a3\n add a1, a1, a3");
    } else {
      const [base, registers] = random.pick(WRITE_AT);
      const [offset, size, mask] = random.pick(registers);
      if (width === 32 && size === 8) continue;
      lines.push(`li a4, ${mask}\n and a4, a4, a1\n ${STORES[size]} a4, ${offset}(${REGISTERS[base]})`);
    }
  }
  const distance = isSupervisor ? DEVICES_IN_SUPERVISOR : 0;
  const bases = Object.entries(BASES).map(([name, address]) => `li ${REGISTERS[name as Base]}, ${address + distance}`);
  const enable = random.chance(60) ? "li t0, 0x888\n csrw mie, t0\n csrsi mstatus, 8" : "";
  const enter = isSupervisor ? ENTER_SUPERVISOR : "";
  return `${HANDLER.replaceAll("sd t1, 0(t0)", width === 64 ? "sd t1, 0(t0)" : "sw t1, 0(t0)\n sw t1, 4(t0)").replace("j main", `${enable}\n${enter}\n j main`)}
    ${bases.join("\n ")}
    li s9, 100
  turn:
    ${lines.join("\n ")}
    addi s9, s9, -1
    beqz s9, end
    j turn
  end: j end`;
}

for (const width of [64, 32] as const) {
  test(`generated accesses of riscv${width}, with bytes from outside between slices`, () => {
    for (let round = 0; round < fuzzRounds(width === 64 ? 6 : 3); round++) {
      const random = createRandom(FUZZ_SEED + round);
      const program = generate(random, width);
      const slices = Array.from({ length: 30 }, () => 1 + random.below(random.pick([7, 300, 4000])));
      const isSending = slices.map(() => random.chance(30));
      compare(program, slices, { width }, ({ machine }, slice) => {
        if (isSending[slice] === true) machine.receive("uart0", Uint8Array.of(1, 2, 3).subarray(slice % 3));
      });
    }
  });
}

test("generated accesses behind a page table", () => {
  for (let round = 0; round < fuzzRounds(4); round++) {
    const random = createRandom(FUZZ_SEED + round);
    const program = generate(random, 64, true);
    const slices = Array.from({ length: 20 }, () => 1 + random.below(random.pick([7, 300, 4000])));
    const guest = compare(program, slices, {}, ({ machine }, slice) => {
      if (slice % 3 === 0) machine.receive("uart0", Uint8Array.of(slice));
    });
    assert.equal(guest.processor.readRegister(0, "satp") === 0n, false);
    assert.ok(guest.machine.accesses().length > 0);
  }
});

const POLL = `
  li s0, 0x10000000
  li s2, 0x200bff8
  li s9, 6000
1:
  lbu a0, 5(s0)
  add a1, a1, a0
  ld a2, 0(s2)
  add a1, a1, a2
  addi s9, s9, -1
  bnez s9, 1b
2: j 2b`;

test("a loop that polls leaves the log full of its reads", () => {
  const guest = compare(POLL, [7000, 9000, 11_111]);
  const accesses = guest.machine.accesses();
  assert.equal(accesses.length, 32);
  assert.deepEqual(accesses.at(-2), {
    time: accesses.at(-2)?.time,
    origin: "cpu",
    space: "memory",
    address: 0x1000_0005n,
    device: "uart0",
    region: "uart-16550",
    offset: 5,
    width: 1,
    direction: "read",
    value: 0x60,
    fault: false,
  });
  assert.equal(accesses.at(-1)?.value, BigInt(Math.floor((accesses.at(-1)?.time ?? 0) / 100)));
});

/** The calls of the machine by which devices are read. */
function countReads(guest: Guest): { count: number } {
  const reads = { count: 0 };
  const { read, readNumber } = guest.machine.bus;
  Object.assign(guest.machine.bus, {
    read(...args: Parameters<typeof read>) {
      reads.count += 1;
      return read(...args);
    },
    readNumber(...args: Parameters<typeof readNumber>) {
      reads.count += 1;
      return readNumber(...args);
    },
  });
  return reads;
}

test("hardly any read of the loop reaches a device", () => {
  for (const [name, options] of EXECUTIONS) {
    const guest = startGuest(POLL, options);
    const reads = countReads(guest);
    guest.run(40_000);
    assert.equal(guest.register("s9"), 0n);
    assert.ok(reads.count < 12_000 / 20, `${name}: ${reads.count} reads of 12000`);
    guest.dispose();
  }
});

test("a console that is polled before each byte is read once in a while", () => {
  const print = `
    li s0, 0x10000000
    li s9, 2000
  1:
    lbu a0, 5(s0)
    andi a0, a0, 0x20
    beqz a0, 1b
    sb s9, 0(s0)
    addi s9, s9, -1
    bnez s9, 1b
  2: j 2b`;
  compare(print, [5000, 8000]);
  const guest = startGuest(print);
  const reads = countReads(guest);
  guest.run(20_000);
  assert.equal(guest.register("s9"), 0n);
  assert.ok(reads.count < 2000 / 10, `${reads.count} reads of 2000`);
});

test("after a restore registers are what they were", () => {
  const program = `
    li s0, 0x10000000
    li a0, 7
  1:
    sb a0, 7(s0)
    li s9, 50
  2:
    lbu a1, 7(s0)
    add a2, a2, a1
    addi s9, s9, -1
    bnez s9, 2b
    addi a0, a0, 1
    j 1b`;
  const run = (options: GuestOptions): readonly unknown[] => {
    const guest = startGuest(program, options);
    guest.run(400);
    const snapshot = guest.machine.snapshot();
    const cpus = guest.processor.save();
    guest.run(1000);
    const later = stateOf(guest, 1);
    guest.machine.restore(snapshot);
    guest.processor.load(cpus);
    guest.run(1000);
    // What is the same as before but for the log, which a restore empties.
    const again = stateOf(guest, 1);
    guest.dispose();
    return [later, again];
  };
  const expected = run({ trace: () => undefined });
  for (const [name, options] of EXECUTIONS) assert.deepEqual(run(options), expected, name);
});

test("harts share what is known of devices", () => {
  const program = `
    li s0, 0x10000000
    li s2, 0x200bff8
    slli t0, a0, 2
    li s3, 0x2000000
    add s3, s3, t0
    li s9, 3000
  1:
    lbu a1, 7(s0)
    add a2, a2, a1
    lw a3, 0(s3)
    add a2, a2, a3
    lw a3, 0(s2)
    add a2, a2, a3
    andi t1, s9, 63
    bnez t1, 2f
    sb a2, 7(s0)
    xori t2, a3, 1
    andi t2, t2, 1
    sw t2, 0(s3)
  2:
    addi s9, s9, -1
    bnez s9, 1b
  3: j 3b`;
  compare(program, [5000, 20_000, 40_001], { cpus: 3 });
});

test("code that a device writes over, by DMA, is run as it is from the next instruction on", () => {
  // fw_cfg copies its signature, to be read as `li a0, 20` and `li a0, -13`, beside the code, and in the fiftieth round over it.
  const program = `
    li s0, 0x10100010
    la s1, descriptor
    la s2, beside
    la s3, written
    srli t0, s1, 24
    srli t1, s1, 8
    lui t2, 0x10
    addi t2, t2, -256
    and t1, t1, t2
    or t0, t0, t1
    slli t1, s1, 8
    lui t2, 0xff0
    and t1, t1, t2
    or t0, t0, t1
    slli t1, s1, 24
    or s5, t0, t1
    li t1, 0x04000000
    sw t1, 4(s1)
    sw zero, 8(s1)
    li s4, 100
  1:
    mv t0, s2
    addi t1, s4, -50
    bnez t1, 2f
    mv t0, s3
  2:
    sb t0, 15(s1)
    srli t0, t0, 8
    sb t0, 14(s1)
    srli t0, t0, 8
    sb t0, 13(s1)
    srli t0, t0, 8
    sb t0, 12(s1)
    li t1, 0x0a000000
    sw t1, 0(s1)
    sw s5, 4(s0)
  written:
    addi a0, a0, 1
    add a1, a1, a0
    addi s4, s4, -1
    bnez s4, 1b
  3: j 3b
    .align 12
  descriptor: .zero 16
  beside: .zero 16`;
  const guest = compare(program, [1000, 1000, 1000]);
  // Nothing had been in a0 (hart 0) but its count before the fiftieth round.
  assert.equal(guest.register("a1"), BigInt.asUintN(64, BigInt((50 * 51) / 2 - 50 * 13)));
});

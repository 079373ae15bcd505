// Programs on the whole machine: the built-in firmware call by call, resets that load everything again, and pacing with a host made of numbers.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { riscvVirt } from "../../tests/fixtures/machines.ts";
import { createRiscv } from "../cpus/riscv64/processor.ts";
import { createGuest, type Guest } from "./guest.ts";
import { runGuest, type ConsoleHost } from "./run-guest.ts";

function load(name: string): MachineDescription {
  const loaded = loadMachine(name);
  return loaded?.ok === true ? loaded.machine : assert.fail(`there is no ${name}`);
}

/** The boards with firmware that is built in, and the width of their registers. */
const SBI_BOARDS = [
  [load("riscv-virt-sbi"), 64],
  [load("riscv32-virt-sbi"), 32],
] as const;
const [[sbiBoard]] = SBI_BOARDS;

/** Their memory goes back to the pool. */
const guests: Guest[] = [];
afterEach(() => {
  for (const guest of guests.splice(0)) guest.dispose();
});

interface Started {
  readonly guest: Guest;
  readonly console: () => string;
}

function start(text: string, board = sbiBoard, cpus = 1): Started {
  const width = board.target === "riscv32" ? 32 : 64;
  const assembly = assemble(text, { origin: board.boot?.base ?? 0n }, width);
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  let output = "";
  const created = createGuest({
    description: board,
    cpus,
    seed: 0n,
    createProcessor: (machine, hooks = {}) => createRiscv(machine, hooks, { width }),
    boot: { image: { name: "program", program: { kind: "raw", bytes: assembly.bytes } }, cpuProperties: {} },
    output: (bytes) => void (output += Buffer.from(bytes).toString("latin1")),
  });
  if (!created.ok) assert.fail(created.problem);
  guests.push(created.guest);
  return { guest: created.guest, console: () => output };
}

const BUDGET = { instructions: 1_000_000, until: Infinity };

const call = (extension: string, fid: number, ...args: readonly (number | string)[]): string => `
  li a7, 0x${Buffer.from(extension).toString("hex")}
  li a6, ${fid}
  ${args.map((value, index) => (typeof value === "string" ? `mv a${index}, ${value}` : `li a${index}, ${value}`)).join("\n  ")}
  ecall`;

const POWER_OFF = call("SRST", 0, 0, 0);

for (const [board, width] of SBI_BOARDS) {
  const signed = (value: bigint): bigint => BigInt.asIntN(width, value);
  /** Arguments for a number of 64 bits that a register has. */
  const wide = (register: string): readonly (number | string)[] => (width === 64 ? [register] : [register, 0]);
  const startHere = (text: string, cpus = 1): Started => start(text, board, cpus);

  /** Runs one call, then powers off, and gives error and value. */
  function answerOf(text: string, cpus = 1): readonly [bigint, bigint] {
    const { guest } = startHere(`${text}\nmv s0, a0\nmv s1, a1\n${POWER_OFF}`, cpus);
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    const answer = [signed(guest.processor.readRegister(0, "s0")), guest.processor.readRegister(0, "s1")] as const;
    // One of many: it is the last that was started.
    guests.pop()?.dispose();
    return answer;
  }

  test(`${board.name}: an image starts in supervisor mode on the first CPU, the others wait to be started`, () => {
    const { guest } = startHere("csrr s0, sstatus\nmv s1, a0\nj .", 3);
    guest.run({ instructions: 100, until: Infinity });
    assert.equal(guest.processor.readRegister(0, "privilege"), 1n);
    assert.equal(guest.processor.readRegister(0, "s1"), 0n);
    assert.deepEqual([1, 2].map(guest.processor.cpuState), ["stopped", "stopped"]);
  });

  test(`${board.name}: base: version, probing, and what is not there`, () => {
    assert.deepEqual(answerOf("li a7, 0x10\nli a6, 0\necall"), [0n, 0x200_0000n]);
    for (const [extension, there] of [
      ["TIME", 1n],
      ["HSM", 1n],
      ["DBCN", 1n],
      ["ABCD", 0n],
    ] as const) {
      assert.deepEqual(answerOf(`li a7, 0x10\nli a6, 3\nli a0, 0x${Buffer.from(extension).toString("hex")}\necall`), [0n, there], extension);
    }
    assert.deepEqual(answerOf(call("ABCD", 0)), [-2n, 0n]);
    assert.deepEqual(answerOf(call("HSM", 9)), [-2n, 0n]);
  });

  test(`${board.name}: console: text goes out of the UART, bytes come in through it`, () => {
    const { guest, console } = startHere(`
    la s2, text
    ${call("DBCN", 0, 5, "s2", 0)}
    ${call("DBCN", 2, 0x21)}
    ${call("DBCN", 1, 8, "s2", 0)}
    mv s0, a1
    ${POWER_OFF}
  text: .word 0x6c6c6568, 0x6f, 0, 0`);
    guest.receive(Uint8Array.of(0x61, 0x62));
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    assert.equal(console(), "hello!");
    assert.equal(guest.processor.readRegister(0, "s0"), 2n);
    assert.deepEqual(guest.machine.readMemory(guest.processor.readRegister(0, "s2"), 2), Uint8Array.of(0x61, 0x62));
    assert.deepEqual(answerOf(call("DBCN", 0, 4, 0x1000, 0)), [-3n, 0n]);
  });

  test(`${board.name}: time: the timer interrupts supervisor mode when it is due`, () => {
    const { guest } = startHere(`
    la t0, handler
    csrw stvec, t0
    rdtime t0
    addi t0, t0, 100
    mv s2, t0
    ${call("TIME", 0, ...wide("t0"))}
    li t0, 0x20
    csrw sie, t0
    csrsi sstatus, 2
    wfi
    j .
    .align 2
  handler:
    csrr s0, scause
    rdtime s1
    ${POWER_OFF}`);
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    const { readRegister } = guest.processor;
    assert.equal(readRegister(0, "s0"), (1n << BigInt(width - 1)) | 5n);
    assert.ok(readRegister(0, "s1") >= readRegister(0, "s2") && readRegister(0, "s1") < readRegister(0, "s2") + 3n);
  });

  test(`${board.name}: harts start, are told apart, get messages and stop`, () => {
    const { guest } = startHere(
      `
    la s2, other
    ${call("HSM", 0, 1, "s2", 77)}
    mv s3, a0
    ${call("HSM", 0, 1, "s2", 77)}
    mv s4, a0
    ${call("HSM", 0, 5, "s2", 77)}
    mv s5, a0
    la t0, ready
  wait: lw t1, (t0)
    beqz t1, wait
    ${call("sPI", 0, 2, 0)}
  stopping:
    ${call("HSM", 2, 1)}
    li t1, 1
    bne a1, t1, stopping
    ${POWER_OFF}
  other:
    mv s0, a0
    mv s1, a1
    csrwi sie, 2
    la t0, ready
    li t1, 1
    sw t1, (t0)
    wfi
    csrr s6, sip
    ${call("HSM", 1)}
    .align 2
  ready: .word 0`,
      2,
    );
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    const read = (cpu: number, name: string): bigint => signed(guest.processor.readRegister(cpu, name));
    assert.deepEqual(
      ["s3", "s4", "s5"].map((name) => read(0, name)),
      [0n, -6n, -3n],
    );
    assert.deepEqual(
      ["s0", "s1", "s6"].map((name) => read(1, name)),
      [1n, 77n, 2n],
    );
    assert.equal(guest.processor.cpuState(1), "stopped");
  });

  test(`${board.name}: a hart is suspended until it wakes, whatever it waits for then`, () => {
    const { guest } = startHere(
      `
    la s2, other
    ${call("HSM", 0, 1, "s2", 0)}
  asleep:
    ${call("HSM", 2, 1)}
    li t1, 4
    bne a1, t1, asleep
    ${call("sPI", 0, 2, 0)}
    la t0, ready
  waiting:
    lw t1, (t0)
    beqz t1, waiting
    ${call("HSM", 2, 1)}
    mv s3, a1
    ${POWER_OFF}
  other:
    csrwi sie, 2
    ${call("HSM", 3, 0)}
    csrwi sip, 0
    la t0, ready
    li t1, 1
    sw t1, (t0)
    wfi
    j .
    .align 2
  ready: .word 0`,
      2,
    );
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    assert.equal(guest.processor.readRegister(0, "s3"), 0n);
  });

  test(`${board.name}: no hart begins in firmware's memory`, () => {
    assert.deepEqual(answerOf(call("HSM", 0, 0, 0x8000_0000, 0)), [-5n, 0n]);
  });

  test(`${board.name}: a suspended hart goes on where it said, when an interrupt comes`, () => {
    const { guest } = startHere(`
    rdtime t0
    addi t0, t0, 50
    ${call("TIME", 0, ...wide("t0"))}
    li t0, 0x20
    csrw sie, t0
    la s2, resumed
    ${call("SUSP", 0, 0, "s2", 99)}
    j .
  resumed:
    mv s0, a1
    csrr s1, satp
    ${POWER_OFF}`);
    assert.deepEqual(guest.run(BUDGET), { kind: "poweroff", code: 0 });
    assert.equal(guest.processor.readRegister(0, "s0"), 99n);
  });

  test(`${board.name}: fences and counters`, () => {
    assert.deepEqual(answerOf(call("RFNC", 0, 1, 0)), [0n, 0n]);
    assert.deepEqual(answerOf(call("RFNC", 1, 0, -1, 0, 0)), [0n, 0n]);
    assert.deepEqual(answerOf(call("RFNC", 1, 2, 0, 0, 0)), [-3n, 0n], "there is no hart 1");
    assert.deepEqual(answerOf(call("PMU", 0)), [0n, 3n]);
    assert.deepEqual(answerOf(call("PMU", 1, 2)), [0n, (63n << 12n) | 0xc02n]);
    assert.deepEqual(answerOf(call("PMU", 2, 0, 7, 0, 2, 0)), [0n, 2n]);
    assert.deepEqual(answerOf(call("PMU", 4, 0, 1)), [0n, 0n]);
    assert.deepEqual(answerOf(call("PMU", 3, 0, 1, 0)), [-7n, 0n]);
    // Instructions from 2^40 on: the flag says that a value follows, of 64 bits.
    const value = width === 64 ? [2 ** 40] : [0, 256];
    const { guest } = startHere(`${call("PMU", 4, 0, 4)}\n${call("PMU", 3, 0, 4, 1, ...value)}\nmv s0, a0\nj .`);
    guest.run({ instructions: 100, until: Infinity });
    const { readRegister } = guest.processor;
    const count = width === 64 ? readRegister(0, "minstret") : readRegister(0, "minstret") | (readRegister(0, "minstreth") << 32n);
    assert.equal(readRegister(0, "s0"), 0n);
    assert.ok(count > 2n ** 40n && count < 2n ** 40n + 100n, `${count}`);
  });

  test(`${board.name}: a reset loads everything again; a failure is a code`, () => {
    const { guest } = startHere(`la t0, count\nlw t1, (t0)\naddi t1, t1, 1\nsw t1, (t0)\nmv s0, t1\n${call("SRST", 0, 1, 0)}\n.align 2\ncount: .word 5`);
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(guest.run(BUDGET), { kind: "reset" });
      assert.equal(guest.processor.readRegister(0, "s0"), 6n);
      guest.restart();
    }
    assert.deepEqual(startHere(call("SRST", 0, 0, 1)).guest.run(BUDGET), { kind: "poweroff", code: 1 });
  });
}

/** Time goes on with waits only; typed bytes come at their times. */
function fakeHost(typed: readonly (readonly [at: number, text: string])[], stopAt = Infinity): ConsoleHost & { readonly waited: () => number } {
  let now = 0;
  let waited = 0;
  let next = 0;
  return {
    now: () => now,
    wait(ms) {
      waited += ms;
      now += ms;
      return Promise.resolve();
    },
    takeInput() {
      const due = typed.slice(next).filter(([at]) => at <= now);
      next += due.length;
      return new TextEncoder().encode(due.map(([, text]) => text).join(""));
    },
    hasInput: () => next < typed.length,
    isStopped: () => now >= stopAt,
    waited: () => waited,
  };
}

/** Looks at the UART now and then. */
const ECHO = `
  li t0, 0x10000000
wait: li t3, 500
pause: addi t3, t3, -1
  bnez t3, pause
  lbu t1, 5(t0)
  andi t1, t1, 1
  beqz t1, wait
  lbu t1, (t0)
  sb t1, (t0)
  li t2, 0x71
  bne t1, t2, wait
  li t0, 0x100000
  li t1, 0x5555
  sw t1, (t0)
  j .`;

test("wall time is held back to the host's clock, virtual time is not", async () => {
  for (const time of ["wall", "virtual"] as const) {
    const { guest, console } = start(ECHO, riscvVirt);
    const host = fakeHost(
      time === "wall"
        ? [
            [20, "a"],
            [40, "q"],
          ]
        : [[0, "aq"]],
    );
    const end = await runGuest(guest, { time, instructions: Infinity }, host);
    assert.deepEqual(end, { kind: "poweroff", code: 0 });
    assert.equal(console(), "aq");
    if (time === "wall") assert.ok(Math.abs(guest.machine.now() / 1e6 - host.now()) < 6, `${guest.machine.now()} ns of the guest in ${host.now()} ms`);
    else assert.equal(host.waited(), 0);
  }
});

test("a breakpoint at the first instruction is met, also after a reset", () => {
  const { guest } = start(call("SRST", 0, 1, 0));
  const first = sbiBoard.boot?.base ?? 0n;
  guest.setBreakpoints([first]);
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(guest.run(BUDGET), { kind: "breakpoint", cpu: 0, pc: first });
    assert.equal(guest.processor.instructions(), 0);
    assert.deepEqual(guest.run(BUDGET), { kind: "reset" });
    guest.restart();
  }
});

test("a guest that waits for nothing ends, unless somebody may still type; limits and the user end it too", async () => {
  const program = "wfi\nj .";
  assert.deepEqual(await runGuest(start(program, riscvVirt).guest, { time: "virtual", instructions: Infinity }, fakeHost([])), { kind: "idle" });
  assert.deepEqual(await runGuest(start(program, riscvVirt).guest, { time: "virtual", instructions: Infinity }, fakeHost([[1e9, "x"]], 5000)), {
    kind: "stopped",
  });
  const { guest } = start("j .", riscvVirt);
  assert.deepEqual(await runGuest(guest, { time: "virtual", instructions: 5_000_001 }, fakeHost([])), { kind: "limit" });
  assert.equal(guest.processor.instructions(), 5_000_001);
});

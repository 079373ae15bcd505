// The CPU as a whole, by small programs on the board.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RAM, startGuest, type Guest } from "../../../tests/fixtures/riscv64.ts";

/** Ends the machine with what is in a0, through the test finisher. */
const FINISH = `
  finish:
    li t0, 0x100000
    slli a0, a0, 16
    li t1, 0x3333
    or a0, a0, t1
    sw a0, 0(t0)
    j .
`;

test("a program computes, and ends the machine with its result", () => {
  const guest = startGuest(`
    li a0, 0
    li a1, 10
  loop:
    add a0, a0, a1
    addi a1, a1, -1
    bnez a1, loop
  ${FINISH}`);
  const reason = guest.run();
  assert.deepEqual(reason, { kind: "exit", exit: { kind: "poweroff", code: 55 } });
  assert.equal(guest.processor.instructions(), 2 + 30 + 5 + 1);
});

test("a limit is exact to the instruction, and the run goes on behind it", () => {
  const guest = startGuest("loop: addi a1, a1, 1\n j loop");
  assert.deepEqual(guest.run(7), { kind: "limit" });
  assert.equal(guest.register("a1"), 4n);
  assert.equal(guest.register("pc"), RAM + 4n);
  assert.equal(guest.machine.now(), 7);
  guest.run(1_000_000);
  assert.equal(guest.register("a1"), 500_004n);
  assert.equal(guest.processor.instructions(), 1_000_007);
});

test("text goes to the console", () => {
  const guest = startGuest(`
    li t0, 0x10000000
    la a1, text
  next:
    lbu a2, 0(a1)
    beqz a2, done
    sb a2, 0(t0)
    addi a1, a1, 1
    j next
  done:
    wfi
    j done
  text:
    .byte 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0
  `);
  assert.deepEqual(guest.run(), { kind: "idle" });
  assert.equal(guest.console(), "hello");
});

const HANDLER = `
  la t0, handler
  csrw mtvec, t0
  j main
  .align 2
  handler:
    csrr a1, mcause
    csrr a2, mtval
    csrr a3, mepc
    j finish
  main:
`;

function trapOf(body: string): { readonly cause: bigint; readonly value: bigint; readonly at: bigint } {
  const guest = startGuest(`${HANDLER} ${body}\n li a0, 7\n ${FINISH}`);
  const reason = guest.run();
  assert.equal(reason.kind, "exit");
  const trap = { cause: guest.register("a1"), value: guest.register("a2"), at: guest.register("a3") };
  guest.dispose();
  return trap;
}

test("exceptions name their cause and value", () => {
  const cases: readonly (readonly [body: string, cause: bigint, value: bigint])[] = [
    ["ecall", 11n, 0n],
    [".word 0", 2n, 0n],
    [".word 0xffffffff", 2n, 0xffff_ffffn],
    ["li a5, 0x1000\n lw a0, 0(a5)", 5n, 0x1000n],
    ["li a5, 0x1000\n sd a0, 8(a5)", 7n, 0x1008n],
    ["li a5, 0x1000\n jr a5", 1n, 0x1000n],
    ["csrr a0, 0x7c0", 2n, 0x7c002573n],
    ["csrw mhartid, a0", 2n, 0xf1451073n],
    // No floating point before mstatus.FS says so.
    ["fmv.d.x fa0, a0", 2n, 0xf205_0553n],
    ["la a5, main\n addi a5, a5, 1\n amoadd.w a0, a0, (a5)", 6n, RAM + 33n],
    ["la a5, main\n addi a5, a5, 2\n lr.w a0, (a5)", 4n, RAM + 34n],
  ];
  for (const [body, cause, value] of cases) {
    const { cause: found, value: with_ } = trapOf(body);
    assert.deepEqual([found, with_], [cause, value], body);
  }
  assert.equal(trapOf("nop\n ecall").at, RAM + 32n + 4n);
});

test("misaligned loads and stores are carried out in RAM, across pages too", () => {
  const guest = startGuest(`
    li a5, 0x80100ffd
    li a0, 0x1122334455667788
    sd a0, 0(a5)
    ld a1, 0(a5)
    lw a2, 1(a5)
    lhu a3, 2(a5)
    j .
  `);
  guest.run(40);
  assert.equal(guest.register("a1"), 0x1122_3344_5566_7788n);
  assert.equal(guest.register("a2"), 0x4455_6677n);
  assert.equal(guest.register("a3"), 0x5566n);
});

test("a timer interrupt ends a wait at its very nanosecond", () => {
  const guest = startGuest(`
    la t0, handler
    csrw mtvec, t0
    li t1, 0x2004000
    li t2, 1000
    sd t2, 0(t1)
    li t0, 0x80
    csrw mie, t0
    csrsi mstatus, 8
    wfi
    nop
    j .
    .align 2
  handler:
    csrr a1, mcause
    csrr a2, mepc
    csrr a3, time
    j .
  `);
  guest.run(200);
  assert.equal(guest.register("a1"), (1n << 63n) | 7n);
  assert.equal(guest.register("a3"), 1000n);
  assert.ok(guest.machine.now() >= 100_000 && guest.machine.now() < 100_300);
});

test("mtvec's vectored mode sends each interrupt to its own entry", () => {
  const guest = startGuest(`
    la t0, table
    addi t0, t0, 1
    csrw mtvec, t0
    li t0, 8
    csrw mie, t0
    csrsi mstatus, 8
    li t1, 0x2000000
    li t2, 1
    sw t2, 0(t1)
    j .
    .align 4
  table:
    j .
    j .
    j .
    j software
  software:
    li a0, 77
    j .
  `);
  guest.run(100);
  assert.equal(guest.register("a0"), 77n);
});

test("code that changes is seen at once, without a fence", () => {
  const guest = startGuest(`
    la a5, patch
    li a4, 0x00200513
    li a3, 3
  again:
  patch:
    li a0, 1
    add a1, a1, a0
    sw a4, 0(a5)
    addi a3, a3, -1
    bnez a3, again
    j .
  `);
  guest.run(100);
  assert.equal(guest.register("a1"), 1n + 2n + 2n);
});

/** Every hart adds to one counter by an atomic and to another by a reservation; the last to finish ends the machine. */
const SMP = `
    la a5, counter
    addi s0, a5, 8
    addi s1, a5, 16
    li a4, 3000
  loop:
    li a3, 1
    amoadd.w zero, a3, (a5)
  retry:
    lr.w a2, (s0)
    addi a2, a2, 1
    sc.w a1, a2, (s0)
    bnez a1, retry
    addi a4, a4, -1
    bnez a4, loop
    amoadd.w a2, a3, (s1)
    li a3, 3
    bne a2, a3, sleep
    li a0, 0
    j finish
  sleep:
    wfi
    j sleep
  ${FINISH}
    .align 3
  counter:
    .dword 0, 0, 0
`;

function smpState(guest: Guest): string {
  const { machine, processor } = guest;
  const ram = machine.readMemory(RAM, 0x1000) ?? new Uint8Array();
  return `${machine.now()} ${[0, 1, 2, 3].map((cpu) => processor.instructions(cpu)).join(",")} ${new Uint32Array(ram.buffer, 0, ram.length / 4).reduce((sum, word) => (sum * 31 + word) >>> 0, 7)}`;
}

test("four harts lose no increment, and one seed is one interleaving", () => {
  const states = [1n, 1n, 2n].map((seed) => {
    const guest = startGuest(SMP, { cpus: 4, seed });
    assert.deepEqual(guest.run(), { kind: "exit", exit: { kind: "poweroff", code: 0 } });
    const at = guest.machine.readMemory(RAM, 0x1000) ?? new Uint8Array();
    const words = new Uint32Array(at.buffer, 0, at.length / 4);
    assert.ok(words.includes(12_000), "the atomic counter");
    assert.equal(words.filter((word) => word === 12_000).length, 2);
    return smpState(guest);
  });
  assert.equal(states[0], states[1]);
  assert.notEqual(states[0], states[2]);
});

test("a run in pieces is the run as a whole", () => {
  const whole = startGuest(SMP, { cpus: 4, seed: 5n });
  whole.run();
  const pieces = startGuest(SMP, { cpus: 4, seed: 5n });
  let reason = pieces.run(1);
  for (let n = 2; reason.kind === "limit"; n = (n * 7) % 1009) reason = pieces.run(n);
  assert.equal(smpState(pieces), smpState(whole));
  assert.equal(pieces.processor.instructions(), whole.processor.instructions());
});

test("a snapshot brings back registers, memory, code and interleaving", () => {
  const guest = startGuest(SMP, { cpus: 4, seed: 9n });
  guest.run(20_000);
  const saved = { machine: guest.machine.snapshot(), processor: structuredClone(guest.processor.save()) };
  guest.run();
  const first = smpState(guest);
  for (let n = 0; n < 2; n++) {
    guest.machine.restore(saved.machine);
    guest.processor.load(saved.processor);
    guest.run();
    assert.equal(smpState(guest), first);
  }
});

test("breakpoints stop before their instruction, also in a loop, and the run goes on over them", () => {
  const guest = startGuest("nop\nloop: addi a1, a1, 1\n j loop");
  guest.processor.setBreakpoints([RAM + 4n]);
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(guest.run(), { kind: "breakpoint", cpu: 0, pc: RAM + 4n });
    assert.equal(guest.register("a1"), BigInt(n));
  }
  assert.equal(guest.processor.step(0), null);
  assert.equal(guest.register("pc"), RAM + 8n);
  guest.processor.setBreakpoints([]);
  assert.deepEqual(guest.run(99), { kind: "limit" });
});

test("watchpoints stop behind the access", () => {
  const guest = startGuest("li a5, 0x80100000\nloop: ld a1, 0(a5)\n addi a2, a2, 1\n sw a2, 12(a5)\n j loop");
  guest.run(50);
  guest.processor.setWatchpoints([{ address: 0x8010_000cn, length: 4, access: "write" }]);
  const reason = guest.run();
  assert.equal(reason.kind, "watchpoint");
  assert.ok(reason.kind === "watchpoint" && reason.address === 0x8010_000cn && reason.access === "write");
});

test("a trace tells every instruction with its bits", () => {
  const lines: string[] = [];
  const guest = startGuest("li a0, 5\n c.nop\n addi a0, a0, 1\n j .", {
    trace: (cpu, pc, bits) => lines.push(`${cpu} ${(pc - RAM).toString(16)} ${bits.toString(16)}`),
  });
  guest.run(4);
  assert.deepEqual(lines, ["0 0 500513", "0 4 1", "0 6 150513", "0 a 6f"]);
});

test("firmware answers calls of supervisor mode, and others trap", () => {
  const calls: bigint[] = [];
  let answer: "handled" | "trap" | "stop" = "handled";
  const guest: Guest = startGuest("li a7, 16\n ecall\n addi a0, a0, 1\n ecall\n nop\n j .", {
    setup: { privilege: "supervisor", registers: { pmpaddr0: (1n << 54n) - 1n, pmpcfg0: 0x1fn, mtvec: RAM + 0x100n } },
    environmentCall(cpu) {
      calls.push(guest.processor.readRegister(cpu, "a7"));
      guest.processor.writeRegister(cpu, "a0", 41n);
      return answer;
    },
  });
  guest.run(3);
  assert.deepEqual([guest.register("a0"), calls], [42n, [16n]]);
  answer = "stop";
  assert.deepEqual(guest.run(), { kind: "request" });
  guest.processor.writeRegister(0, "pc", RAM + 4n);
  answer = "trap";
  guest.run(1);
  assert.deepEqual([guest.register("mcause"), guest.register("privilege"), guest.register("pc")], [9n, 3n, RAM + 0x100n]);
});

test("going back brings back the protection and the code of the snapshot, whatever has been found out about pages since", () => {
  // Every round stores to the page, calls a function that it then changes, and at last locks the page against stores.
  const program = `
    la t0, handler
    csrw mtvec, t0
    li s1, 0x80100000
    li s2, 0x80200000
    la s3, function
    li s9, 400
  1:
    sd s9, 0(s1)
    sd s9, 0(s2)
    jalr s3
    add a1, a1, a0
    addi s9, s9, -1
    bnez s9, 1b
    li t0, 0x20040000 | 0x1ff
    csrw pmpaddr0, t0
    li t0, 0x99
    csrw pmpcfg0, t0
    li t0, 0x00200513
    sw t0, 0(s3)
    fence.i
    li s9, 400
    j 1b
    .align 2
  handler:
    addi s10, s10, 1
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    mret
    .align 12
  function:
    li a0, 1
    nop
    ret`;
  const record = (options: Parameters<typeof startGuest>[1]): readonly unknown[] => {
    const guest = startGuest(program, options);
    const stateOf = (): unknown => [guest.processor.instructions(), ...["a1", "s9", "s10", "pc", "mcause"].map((name) => guest.register(name))];
    guest.run(1500);
    const [machine, processor] = [guest.machine.snapshot(), guest.processor.save()];
    const states: unknown[] = [];
    for (const length of [900, 9000, 200, 12_000, 4000]) {
      guest.run(length);
      states.push(stateOf());
      guest.machine.restore(machine);
      guest.processor.load(processor);
      states.push(stateOf());
    }
    guest.dispose();
    return states;
  };
  const expected = record({ trace: () => undefined });
  assert.ok(new Set(expected.map((state) => String(state))).size >= 6, "the slices differ");
  assert.match(String(expected[6]), /,7$/, "stores were refused at last");
  for (const eagerness of ["never", "eager", "normal"] as const) assert.deepEqual(record({ eagerness }), expected, eagerness);
});

test("a handler that cannot be fetched does not run for ever", () => {
  const guest = startGuest("csrw mtvec, zero\n ecall");
  assert.deepEqual(guest.run(1000), { kind: "limit" });
  assert.equal(guest.processor.instructions(), 1000);
  assert.equal(guest.register("mcause"), 1n);
});

test("all harts wait and nothing will come: idle", () => {
  const guest = startGuest("wfi\n j .-4", { cpus: 2 });
  assert.deepEqual(guest.run(), { kind: "idle" });
  assert.deepEqual([guest.processor.cpuState(0), guest.processor.cpuState(1)], ["waiting", "waiting"]);
});
test("a breakpoint stops in front of its instruction, wherever the run began; a run that begins there goes on", () => {
  const guest = startGuest("nop\nli a0, 7\nloop: addi a1, a1, 1\nj loop");
  const [second, loop] = [RAM + 4n, RAM + 8n];
  guest.processor.setBreakpoints([RAM, second, loop]);
  const stops = Array.from({ length: 4 }, () => [guest.run(100), guest.processor.instructions()]);
  assert.deepEqual(stops, [
    [{ kind: "breakpoint", cpu: 0, pc: second }, 1],
    [{ kind: "breakpoint", cpu: 0, pc: loop }, 2],
    [{ kind: "breakpoint", cpu: 0, pc: loop }, 4],
    [{ kind: "breakpoint", cpu: 0, pc: loop }, 6],
  ]);
  assert.equal(guest.register("a1"), 2n);
  guest.processor.setBreakpoints([]);
  assert.deepEqual(guest.run(100), { kind: "limit" });
  assert.equal(guest.processor.instructions(), 106);
});

// The CPU as a whole, by small programs on the board.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RAM, startGuest } from "../../../tests/fixtures/riscv64.ts";

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

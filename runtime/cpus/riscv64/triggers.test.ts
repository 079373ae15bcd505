// What tests/riscv64/triggers compares with QEMU is not repeated here: where QEMU 7.2 differs from the manual, and that triggers are met by
// the interpreter, by regions and by a trace alike, wherever they are set from, survive snapshots, and are each hart's own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { createRandom, FUZZ_SEED } from "../../../tests/fixtures/random.ts";
import { assembleAt, inWidth, RAM, startGuest, WIDTHS, type Guest, type GuestOptions } from "../../../tests/fixtures/riscv64.ts";

const WAYS: Readonly<Record<string, GuestOptions>> = {
  interpreted: { eagerness: "never" },
  "as usual": {},
  "translated at once": { eagerness: "eager" },
  traced: { trace: () => undefined },
};

/** mcontrol of M-mode with these bits. */
const control = (width: RegisterWidth, bits: number): bigint => (2n << BigInt(width - 4)) | BigInt(0x40 | bits);
const LOAD = 1;
const STORE = 2;
const EXECUTE = 4;
const SIZE_2 = 2 << 16;

/** s10 counts breakpoints and s11 has the sum of their addresses; what was stopped is stepped over. s9 counts what else trapped. */
const HANDLER = `
    .option norvc
    la t0, handler
    csrw mtvec, t0
    j main
    .align 2
  handler:
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    csrr t0, mcause
    addi t0, t0, -3
    bnez t0, other
    addi s10, s10, 1
    csrr t0, mtval
    add s11, s11, t0
    mret
  other:
    addi s9, s9, 1
    mret
  main:`;

function start(width: RegisterWidth, program: string, options: GuestOptions): Guest {
  return startGuest(assembleAt(inWidth(`${HANDLER}${program}`, width), RAM, width), { width, ...options });
}

for (const width of WIDTHS) {
  describe(`RV${width}: triggers`, () => {
    test("an access is at the addresses of all its bytes, and of the width that is asked for", () => {
      const program = `
        li s0, 0x80100000
        li t1, 0x80100006
        csrw tdata2, t1
        li t1, ${control(width, LOAD | STORE)}
        csrw tdata1, t1
        lw a0, 0(s0)
        lw a0, 4(s0)
        sh a0, 4(s0)
        sh a0, 6(s0)
        lb a0, 7(s0)
        lw a0, 3(s0)
        lr.w a0, (s0)
        li t1, ${control(width, LOAD | SIZE_2)}
        csrw tdata1, t1
        lw a0, 4(s0)
        lhu a0, 6(s0)
        lhu a0, 5(s0)
        lbu a0, 6(s0)
      end: j end`;
      for (const [way, options] of Object.entries(WAYS)) {
        const guest = start(width, program, options);
        guest.run(200);
        assert.deepEqual([guest.register("s10"), guest.register("s11"), guest.register("s9")], [5n, BigInt.asUintN(width, 5n * 0x8010_0006n), 0n], way);
      }
    });

    test("a trigger comes before the fault of the access that it stops; its own does not load or store", () => {
      const program = `
        li s0, 0x04000000
        csrw tdata2, s0
        li t1, ${control(width, LOAD | STORE)}
        csrw tdata1, t1
        li a0, 5
        lw a0, 0(s0)
        sw a0, 0(s0)
        sw a0, 4(s0)
        li s0, 0x80100000
        csrw tdata2, s0
        sw a0, 0(s0)
        amoadd.w a1, a0, (s0)
        csrw tdata1, zero
        li t1, ${control(width, 0)}
        csrw tdata1, t1
        lw a2, 0(s0)
      end: j end`;
      for (const [way, options] of Object.entries(WAYS)) {
        const guest = start(width, program, options);
        guest.run(200);
        const names = ["s10", "s9", "a0", "a1", "a2"];
        assert.deepEqual(
          names.map((name) => guest.register(name)),
          [4n, 1n, 5n, 0n, 0n],
          way,
        );
      }
    });

    test("code that sets triggers on itself while it runs is stopped from the next instruction on", () => {
      // The loop's head becomes a region; what it executes sets the trigger on its own head, on what is behind it, on data, and on nothing.
      const program = `
        li s0, 0x80100000
        la s1, targets
        li s2, 400
        addi s3, zero, 0
      turn:
        andi t1, s2, 1
        bnez t1, loop
        andi t1, s2, 6
        slli t1, t1, 3
        add t1, t1, s1
        ld t2, 0(t1)
        csrw tdata2, t2
        ld t2, 8(t1)
        csrw tdata1, t2
      loop:
        lw a0, 0(s0)
        addi s4, s4, 1
        sw s4, 0(s0)
        addi s2, s2, -1
        bnez s2, turn
      end: j end
        .align 4
      targets:
        ${[
          ["0x80100000", STORE],
          ["loop + 8", EXECUTE],
          ["loop", EXECUTE],
          ["0", 0],
        ]
          .map(([address, bits]) =>
            width === 64 ? `.dword ${address}\n.dword ${control(64, Number(bits))}` : `.word ${address}\n.word 0\n.word ${control(32, Number(bits))}\n.word 0`,
          )
          .join("\n")}`;
      const random = createRandom(FUZZ_SEED);
      const slices = Array.from({ length: 60 }, () => 1 + random.below(400));
      const names = ["pc", "s2", "s4", "s9", "s10", "s11", "a0", "mcause", "mepc", "minstret", "tdata1", "tdata2"];
      const record = (options: GuestOptions): readonly string[] => {
        const guest = start(width, program, options);
        const states = slices.map((length) => {
          guest.run(length);
          return names.map((name) => `${name} ${guest.register(name).toString(16)}`).join(" ");
        });
        assert.equal(guest.register("s10"), 300n);
        guest.dispose();
        return states;
      };
      const expected = record({ trace: () => undefined });
      for (const [way, options] of Object.entries(WAYS)) assert.deepEqual(record(options), expected, way);
    });

    test("a region that sets a trigger on its own head, and falls back to it, is stopped there", () => {
      const program = `
        la t1, loop
        csrw tdata2, t1
        li s5, ${control(width, EXECUTE)}
        li s6, ${control(width, 0)}
        li s2, 400
        j loop
      set:
        csrw tdata1, s5
      loop:
        addi s4, s4, 1
        csrw tdata1, s6
        addi s2, s2, -1
        beqz s2, end
        andi t1, s2, 3
        bnez t1, loop
        j set
      end: j end`;
      for (const [way, options] of Object.entries(WAYS)) {
        const guest = start(width, program, options);
        guest.run(10_000);
        assert.deepEqual([guest.register("s2"), guest.register("s4"), guest.register("s10")], [0n, 301n, 99n], way);
      }
    });

    test("they are each hart's own, stay in snapshots, and go with a reset", () => {
      const program = `
        la t1, place
        csrw tdata2, t1
        li t1, ${control(width, EXECUTE)}
        bnez a0, again
        csrw tdata1, t1
      again:
        addi s0, s0, 1
      place:
        addi s1, s1, 1
        j again`;
      for (const [way, options] of Object.entries(WAYS)) {
        const guest = start(width, program, { ...options, cpus: 2 });
        guest.run(20_000);
        const counts = (cpu: number): readonly bigint[] => ["s0", "s1", "s10"].map((name) => guest.register(name, cpu));
        const [s0 = 0n, s1, s10 = 0n] = counts(0);
        assert.ok(s1 === 0n && s0 - s10 <= 1n && s0 > 100n, `${way}: ${s0} ${s1} ${s10}`);
        assert.equal(guest.register("s10", 1), 0n, way);
        assert.ok(guest.register("s1", 1) > 100n, way);

        const state = { machine: guest.machine.snapshot(), processor: guest.processor.save() };
        guest.run(5000);
        const later = [counts(0), counts(1)];
        guest.processor.reset([{ pc: RAM, privilege: "machine", isStopped: true }]);
        assert.equal(guest.register("tdata1"), control(width, 0) & ~0x40n, way);
        guest.machine.restore(state.machine);
        guest.processor.load(state.processor);
        guest.run(5000);
        assert.deepEqual([counts(0), counts(1)], later, way);
        guest.dispose();
      }
    });

    test("a debugger's breakpoint at the same place stops first, and then the trigger does", () => {
      const program = `
        la t1, place
        csrw tdata2, t1
        li t1, ${control(width, EXECUTE)}
        csrw tdata1, t1
        nop
      place:
        addi s1, s1, 1
        addi s1, s1, 1
      end: j end`;
      const guest = start(width, program, {});
      guest.run(50);
      const place = guest.register("tdata2");
      assert.deepEqual([guest.register("s10"), guest.register("s1")], [1n, 1n]);
      guest.processor.setBreakpoints([place]);
      guest.processor.writeRegister(0, "pc", place - 4n);
      assert.deepEqual(guest.run(100), { kind: "breakpoint", cpu: 0, pc: place });
      guest.processor.setBreakpoints([]);
      guest.run(100);
      assert.deepEqual([guest.register("s10"), guest.register("s1")], [2n, 2n]);
    });
  });
}

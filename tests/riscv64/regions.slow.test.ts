// When code is translated must not show: programs that do a bit of everything, run in slices of odd lengths with the interpreter alone, with
// regions from the first jump on, and with a mixture, are in the same state after every slice.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { EAGERNESS, type EagernessName } from "../../runtime/cpus/riscv64/regions/translator.ts";
import { root } from "../../tools/project.mjs";
import { generateProgram } from "../fixtures/generate-riscv64.ts";
import { createRandom, FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { assembleAt, inWidth, RAM, startGuest, WIDTHS, type Guest } from "../fixtures/riscv64.ts";

const CONTROL = ["mstatus", "mcause", "mepc", "mtval", "mscratch", "mip", "mie", "fcsr", "minstret"];
const NUMBERED = Array.from({ length: 32 }, (_, n) => [`x${n}`, `f${n}`]).flat();
const NAMES = ["pc", "privilege", ...NUMBERED, ...CONTROL];

const TRANSLATED = (Object.keys(EAGERNESS) as readonly EagernessName[]).filter((name) => name !== "never");

/** Text, since a failure shows two of them side by side. */
function registersOf({ machine, processor }: Guest, cpus: number): string {
  const values = Array.from({ length: cpus }, (_, cpu) => NAMES.map((name) => `${cpu} ${name} ${processor.readRegister(cpu, name).toString(16)}`));
  const accesses = machine.accesses().map((access) => Object.values(access).join(" "));
  return [...values.flat(), ...accesses, `now ${machine.now()}`, `instructions ${processor.instructions()}`].join("\n");
}

interface Recording {
  readonly slices: readonly string[];
  readonly console: string;
  readonly ram: Uint8Array;
  readonly regions: number;
}

interface Subject {
  readonly program: Uint8Array;
  readonly width: RegisterWidth;
  readonly cpus?: number;
}

function record({ program, width, cpus = 1 }: Subject, eagerness: EagernessName, slices: readonly number[]): Recording {
  const guest = startGuest(program, { width, eagerness, cpus });
  const states = slices.map((length) => {
    const { kind } = guest.run(length);
    return `${kind}\n${registersOf(guest, cpus)}`;
  });
  const recording = {
    slices: states,
    console: guest.console(),
    ram: (guest.machine.readMemory(RAM, 0x40_0000) ?? new Uint8Array()).slice(),
    regions: guest.processor.regions(),
  };
  guest.dispose();
  return recording;
}

function compare(subject: Subject, slices: readonly number[], what: string): Readonly<Record<EagernessName, number>> {
  const expected = record(subject, "never", slices);
  assert.equal(expected.regions, 0);
  const counts = { normal: 0, eager: 0, mixed: 0, never: 0 };
  for (const eagerness of TRANSLATED) {
    const found = record(subject, eagerness, slices);
    found.slices.forEach((state, index) => assert.equal(state, expected.slices[index], `${what}, ${eagerness}, slice ${index}`));
    assert.equal(found.console, expected.console, what);
    assert.equal(Buffer.compare(found.ram, expected.ram), 0, `${what}, ${eagerness}: RAM differs`);
    counts[eagerness] = found.regions;
  }
  return counts;
}

for (const width of WIDTHS)
  describe(`RV${width}: translated code and the interpreter`, () => {
    for (const mode of ["machine", "supervisor"] as const) {
      test(`agree on generated programs in ${mode} mode, at every slice`, () => {
        let translated = 0;
        for (let round = 0; round < fuzzRounds(8); round++) {
          const random = createRandom(FUZZ_SEED + round);
          const program = assembleAt(generateProgram(random, mode, width), RAM, width);
          const slices = Array.from({ length: 120 }, () => 1 + random.below(random.pick([10, 300, 4000, 20_000])));
          translated += compare({ program, width }, slices, `program ${round} of seed ${FUZZ_SEED}`).eager;
        }
        assert.ok(translated > 100, `only ${translated} regions`);
      });
    }

    test("agree with several harts, whose turns end anywhere", () => {
      const random = createRandom(FUZZ_SEED);
      const text = `
      slli t0, a0, 12
      li s1, 0x80200000
      la s2, counter
      li s3, 4000
      la t1, work
    turn:
      jalr t1
      addi s3, s3, -1
      bnez s3, turn
    end: wfi
      j end
    work:
      amoadd.d t3, a0, (s2)
    again:
      lr.d t4, (s2)
      addi t4, t4, 1
      sc.d t5, t4, (s2)
      bnez t5, again
      add t6, s1, t0
      ld t5, 0(t6)
      xor t5, t5, t4
      sd t5, 0(t6)
      ret
    .align 12
    counter:
      .zero 8
    `;
      const slices = Array.from({ length: 60 }, () => 1 + random.below(9000));
      const counts = compare({ program: assembleAt(inWidth(text, width), RAM, width), width, cpus: 4 }, slices, "four harts");
      assert.ok(counts.normal > 0 && counts.eager >= counts.normal);
    });

    test("agree on compiled C", () => {
      const random = createRandom(FUZZ_SEED);
      for (const name of ["mix", "calls", "copy", "reads", "ecalls"]) {
        const elf = readFileSync(join(root, "bench/cpu", width === 64 ? "." : "rv32", `${name}.elf`));
        // The first page of the file is its header; text follows at the start of RAM.
        const slices = Array.from({ length: 40 }, () => 1 + random.below(30_000));
        const counts = compare({ program: elf.subarray(0x1000), width }, slices, name);
        assert.ok(counts.normal > 0, `${name}: nothing was translated`);
      }
    });
  });

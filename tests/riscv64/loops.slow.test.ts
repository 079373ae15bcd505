// Loops that walk through memory run without checks for as many turns as need none. How they end must not show: at the end of RAM, at pages
// with code that executes, at addresses that are not aligned, where slices end. Generated loops are compared with the interpreter's.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import type { EagernessName } from "../../runtime/cpus/riscv64/regions/translator.ts";
import type { GuestMemory } from "../../runtime/machine/cpu-contract.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";
import { assembleAt, RAM, startGuest } from "../fixtures/riscv64.ts";

const RAM_END = RAM + 0x400_0000n;
const DATA = RAM + 0x20_0000n;
/** A page in the middle of the data that holds a function. */
const CODE = DATA + 0x1_0000n;
const NAMES = ["pc", ...Array.from({ length: 31 }, (_, n) => `x${n + 1}`), "mcause", "mepc", "mtval", "minstret"];
const STEPS = [1, 2, 3, 4, 8, 12, 48, 200, 1024, 2047, -8];

const POINTERS = ["a0", "a1", "a2"] as const;
const SIZES = ["b", "h", "w", "d"] as const;

function startOf(random: Random): bigint {
  const near = random.pick([DATA, DATA, CODE - 0x80n, CODE - 0x400n, CODE - 0x1000n, CODE - 0x9000n, RAM_END - 0x80n, RAM_END - 0x400n, RAM_END - 0x1000n]);
  return near + BigInt(random.pick([0, 0, 0, 8, 16, 1, 4]));
}

function writeAccess(random: Random, width: RegisterWidth): string {
  const size = random.pick(width === 64 ? SIZES : SIZES.slice(0, 3));
  const offset = random.pick([0, 0, 8, -8, 16, 24, 1, 2000]);
  const pointer = random.pick(POINTERS);
  const value = random.pick(["t0", "t1", "s2", "s3"]);
  return random.chance(50) ? `l${size} ${value}, ${offset}(${pointer})` : `s${size} ${value}, ${offset}(${pointer})`;
}

/** How the pointer moves, if it does. */
function writeStep(random: Random, pointer: string, index: number): string {
  if (random.chance(15)) return "";
  return random.chance(70) ? `addi ${pointer}, ${pointer}, ${random.pick(STEPS)}` : `add ${pointer}, ${pointer}, s${4 + index}`;
}

/** Nothing but stores to one place after the other, up to where they may not go. */
function writeFill(random: Random, name: string): string {
  const size = random.pick(["b", "h", "w"] as const);
  const step = `addi a0, a0, ${{ b: 1, h: 2, w: 4 }[size]}`;
  const store = `s${size} s1, ${random.pick([0, 4, -4])}(a0)`;
  return `
    li a0, ${random.pick([CODE, CODE - 0x7000n, RAM_END]) - BigInt(4 * (20 + random.below(60)))}
    li s1, ${40 + random.below(400)}
  ${name}:
    ${(random.chance(50) ? [step, store] : [store, step]).join("\n")}
    addi s1, s1, -1
    bnez s1, ${name}
    li t3, ${CODE}
    jalr ra, 0(t3)
  `;
}

function writeLoop(random: Random, width: RegisterWidth, name: string): string {
  const steps = POINTERS.map((pointer, index) => writeStep(random, pointer, index));
  const accesses = Array.from({ length: 1 + random.below(4) }, () => writeAccess(random, width));
  const half = random.below(accesses.length + 1);
  const skips = random.chance(40);
  const body = [
    ...accesses.slice(0, half),
    ...steps.slice(0, 2),
    ...(skips ? [`andi t2, s1, 1`, `bnez t2, ${name}_odd`, "add s2, s2, t0"] : ["xor s2, s2, t1"]),
    ...accesses.slice(half),
    ...(skips ? [`${name}_odd:`] : []),
    ...steps.slice(2),
  ];
  const early = random.chance(30) ? `beq t0, s8, ${name}_end` : "";
  return `
    ${POINTERS.map((pointer) => `li ${pointer}, ${startOf(random)}`).join("\n")}
    ${[4, 5, 6].map((n) => `li s${n}, ${random.pick([...STEPS, 0, 4096, 0x12345, 0x200000])}`).join("\n")}
    li s9, ${1 + random.below(4)}
  ${name}_outer:
    li s1, ${1 + random.below(600)}
  ${name}:
    ${body.join("\n")}
    ${early}
    addi s1, s1, -1
    bnez s1, ${name}
    addi s9, s9, -1
    bnez s9, ${name}_outer
  ${name}_end:
    li t3, ${CODE}
    jalr ra, 0(t3)
  `;
}

/** M-mode may do what it did, but it is protection that says so, and translation caches that remember. */
const LOCK = `
      li t0, -1
      csrw pmpaddr0, t0
      li t0, 0x9f
      csrw pmpcfg0, t0`;

/** A handler that goes on behind the instruction; a function in the data, which stores may well change into something that traps. */
function writeProgram(random: Random, width: RegisterWidth, hasPages: boolean): Uint8Array {
  const loops = Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? writeLoop(random, width, `loop${n}`) : writeFill(random, `loop${n}`)));
  return assembleAt(
    `
    .option norvc
      ${hasPages ? LOCK : ""}
      la t0, handler
      csrw mtvec, t0
    again:
      la t0, function
      lw t1, 0(t0)
      lw t2, 4(t0)
      li t0, ${CODE}
      sw t1, 0(t0)
      sw t2, 4(t0)
      fence.i
      ${loops.join("\n")}
      addi s10, s10, 1
      j again
    .balign 4
    handler:
      addi s11, s11, 1
      csrr t6, mcause
      li t5, 5
      bltu t6, t5, outside
      csrr t6, mepc
      addi t6, t6, 4
      csrw mepc, t6
      mret
    outside:
      csrw mepc, ra
      mret
    function:
      addi s7, s7, 1
      ret
  `,
    RAM,
    width,
  );
}

/** What is not zero any more was written, and going back to a snapshot has to find it. */
function assertDirty({ bytes, size, dirtyOffset }: GuestMemory): void {
  for (let page = 0; page < size / PAGE_BYTES; page++) {
    if (bytes[dirtyOffset + page] === 1) continue;
    const contents = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    assert.equal(Buffer.compare(contents, ZEROS), 0, `page ${page} was written and is not dirty`);
  }
}

const PAGE_BYTES = 0x1000;
const ZEROS = new Uint8Array(PAGE_BYTES);

interface Recording {
  readonly states: readonly string[];
  readonly ram: Uint8Array;
  readonly regions: number;
}

function record(program: Uint8Array, width: RegisterWidth, eagerness: EagernessName, slices: readonly number[]): Recording {
  const { machine, processor, run, dispose } = startGuest(program, { width, eagerness, cpus: 1 });
  const states = slices.map((length) => {
    const { kind } = run(length);
    const values = NAMES.map((name) => `${name} ${processor.readRegister(0, name).toString(16)}`);
    return [kind, ...values, `now ${machine.now()}`, `instructions ${processor.instructions()}`].join("\n");
  });
  const ram = [RAM, DATA, RAM_END - 0x1_0000n].map((at) => machine.readMemory(at, at === RAM ? 0x4000 : 0x1_0000)?.slice() ?? new Uint8Array());
  assertDirty(machine.memory);
  const regions = processor.regions();
  dispose();
  return { states, ram: Buffer.concat(ram), regions };
}

const KINDS = [
  ["eager", false],
  ["mixed", false],
  ["normal", false],
  ["eager", true],
  ["normal", true],
] as const;

interface Subject {
  readonly program: Uint8Array;
  readonly slices: readonly number[];
  readonly expected: Recording;
}

for (const width of [64, 32] as const)
  describe(`RV${width}: loops that walk through memory`, () => {
    /** The interpreter's recordings, which several kinds are compared with. */
    const subjects = new Map<string, Subject>();

    function subjectOf(round: number, hasPages: boolean): Subject {
      const key = `${round} ${hasPages}`;
      const made = subjects.get(key);
      if (made !== undefined) return made;
      const random = createRandom(FUZZ_SEED + round);
      const program = writeProgram(random, width, hasPages);
      const slices = Array.from({ length: 40 }, () => 1 + random.below(random.pick([50, 3000, 60_000])));
      const subject = { program, slices, expected: record(program, width, "never", slices) };
      subjects.set(key, subject);
      return subject;
    }

    for (const [eagerness, hasPages] of KINDS) {
      test(`end as they do in the interpreter, ${eagerness}${hasPages ? ", by pages" : ""}`, () => {
        let regions = 0;
        for (let round = 0; round < fuzzRounds(12); round++) {
          const { program, slices, expected } = subjectOf(round, hasPages);
          const found = record(program, width, eagerness, slices);
          found.states.forEach((state, slice) => assert.equal(state, expected.states[slice], `program ${round}, slice ${slice}`));
          assert.equal(Buffer.compare(found.ram, expected.ram), 0, `program ${round}: RAM differs`);
          regions += found.regions;
        }
        assert.ok(regions > 6, `only ${regions} regions`);
      });
    }
  });

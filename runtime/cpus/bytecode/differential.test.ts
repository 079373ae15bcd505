// The two executors against each other on generated modules: outcome, instruction count, guest time, all of RAM, its dirty pages, and every
// device access with its time must be equal. A difference is a bug of one of them, or a hole in docs/bytecode.md.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { generateConditions } from "../../../tests/fixtures/generate-conditions.ts";
import { generateLoops } from "../../../tests/fixtures/generate-loops.ts";
import { generateModule, type GenerateOptions } from "../../../tests/fixtures/generate-module.ts";
import { generateVectors } from "../../../tests/fixtures/generate-vectors.ts";
import { fuzzRounds } from "../../../tests/fixtures/random.ts";
import type { Module } from "../../../isa/bytecode/module.ts";
import type { ExecutorFactory, RunLimits } from "../../machine/cpu-contract.ts";
import { formatOutcome, LAYOUTS, layoutName, parseProgram } from "./conformance.ts";
import { interpreterFactory } from "./interpreter.ts";
import { createTestMachine, DEVICE_BASE, loadTestImage, releaseTestMachine, TEST_REGISTERS } from "./test-machine.ts";
import { wasmFactory } from "./wasm-executor.ts";

const DEVICE: GenerateOptions["device"] = { base: DEVICE_BASE, storageBytes: 64, timer: TEST_REGISTERS.TIMER, lower: TEST_REGISTERS.LOWER };
const NO_LIMITS: RunLimits = { deadline: 1e9, grace: 1e9, instructions: 1e7 };

/** Everything that can be seen of a run. */
function observe(factory: ExecutorFactory, module: Module, limits: RunLimits): unknown {
  const machine = createTestMachine({ addressBytes: module.layout.addressBytes });
  const image = loadTestImage(module, machine);
  const executor = factory.create(image, machine);
  const main = module.functions.findIndex((fn) => fn.name === "main");
  // Twice: what the first run leaves behind in an executor must not show in the second.
  const runs = [0, 1].map(() => ({
    outcome: formatOutcome(executor.call(main, [], limits), image, machine),
    instructions: executor.instructions(),
    time: machine.now(),
  }));
  const { bytes, size } = machine.memory;
  const seen = {
    runs,
    log: machine.log,
    ram: hash("sha1", bytes.subarray(0, size)),
    dirty: [...bytes.subarray(size, size + size / 4096)].flatMap((mark, page) => (mark === 0 ? [] : [page])),
  };
  releaseTestMachine(machine);
  return seen;
}

function compare(module: Module, limits: RunLimits = NO_LIMITS): void {
  assert.deepEqual(observe(wasmFactory, module, limits), observe(interpreterFactory, module, limits));
}

for (const layout of LAYOUTS) {
  test(`executors agree on generated modules, ${layoutName(layout)}`, () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => compare(generateModule(seed, { layout, device: DEVICE }))),
      { numRuns: fuzzRounds(20) },
    );
  });
}

test("executors agree on accesses that conditions decide about", () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...LAYOUTS), fc.nat(20_000), (seed, layout, instructions) =>
      compare(parseProgram(generateConditions(seed), layout), { deadline: 1e9, grace: 100, instructions }),
    ),
    { numRuns: fuzzRounds(60) },
  );
});

test("executors agree on loops over memory, interrupted and not", () => {
  const device = { base: DEVICE_BASE, timer: TEST_REGISTERS.TIMER, lower: TEST_REGISTERS.LOWER };
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...LAYOUTS), fc.nat(60_000), (seed, layout, instructions) =>
      compare(parseProgram(generateLoops(seed, device), layout), { deadline: 1e9, grace: 100, instructions }),
    ),
    { numRuns: fuzzRounds(60) },
  );
});

test("executors agree on loops whose rounds can be made several at a time", () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...LAYOUTS), fc.option(fc.nat(9_000)), (seed, layout, instructions) =>
      compare(parseProgram(generateVectors(seed), layout), { deadline: 1e9, grace: 100, instructions: instructions ?? 1e7 }),
    ),
    { numRuns: fuzzRounds(150) },
  );
});

const LITTLE = LAYOUTS.filter(({ endian }) => endian === "little");
const ELEMENTS = { i8: 1, i16: 2, i32: 4, i64: 8 } as const;
const NUMBERED = Array.from({ length: 12_288 }, (_, n) => ((n * 167 + (n >> 8) * 59) & 0xff).toString(16).padStart(2, "0")).join("");

/** A loop of so many rounds; %0 is the place that they have come to in the data by steps of `by` bytes, %7 what is seen of the rest. */
function walk(rounds: number, by: number, from: number, round: string, before = ""): string {
  return `
data @data size ${NUMBERED.length / 2} align 4096 writable {
  bytes "${NUMBERED}"
}
func @loop (addr, addr) -> (i64) {
  reg %2:addr, %3:addr, %4:i8, %5:i64, %6:i64, %7:i64, %8:i32, %9:i32, %10:i16, %11:i8, %12:addr
  ${before}
  %0 = symbol_addr @data, +${from}
  %2 = const.addr 0
  block
    loop
      %3 = const.addr ${rounds}
      %4 = le_u.addr %3, %2
      br_if %4, 1
      ${round}
      %3 = const.addr 1
      %2 = add.addr %2, %3
      %3 = const.addr ${by}
      %0 = add.addr %0, %3
      br 0
    end
  end
  return %7
}
func @main () -> (i64) {
  reg %0:addr, %1:addr, %2:i64
  %1 = const.addr 36
  %2 = call @loop, %1, %1
  return %2
}`;
}

test("executors agree on rounds made several at a time: how many there are, and where pages end", () => {
  for (const [type, bytes] of Object.entries(ELEMENTS)) {
    const lanes = 16 / bytes;
    const [one, sum] = { i8: ["%4", "%11"], i16: ["%10", "%10"], i32: ["%8", "%9"], i64: ["%5", "%7"] }[type] ?? [];
    for (const layout of LITTLE)
      for (let rounds = 0; rounds <= 2 * lanes + 1; rounds++) {
        compare(parseProgram(walk(rounds, bytes, 4096 - bytes * Math.floor(rounds / 2), `store.${type} %0, ${one}`), layout));
        compare(parseProgram(walk(rounds, bytes, 64, `${one} = load.${type} %0\n${sum} = add.${type} ${sum}, ${one}`), layout));
      }
  }
});

test("executors agree on rounds made several at a time: what must not be, or only with care", () => {
  const programs = [
    // What the next round reads, and a half of what the third reads.
    walk(40, 8, 64, "%5 = load.i64 %0\nstore.i64 %0, %5, +8"),
    walk(40, 2, 64, "%8 = load.i32 %0\n%9 = const.i32 16\n%8 = shr_u.i32 %8, %9\n%10 = trunc.i32.i16 %8\nstore.i16 %0, %10, +8"),
    // A number that only the run tells is between two places: they touch, or they do not.
    ...[35, 36, 37, 38].map((rounds) =>
      walk(
        rounds,
        4,
        1024,
        "%3 = const.addr 2\n%3 = shl.addr %2, %3\n%3 = add.addr %3, %12\n%8 = load.i32 %0\n%9 = const.i32 3\n%8 = mul.i32 %8, %9\nstore.i32 %3, %8",
        "%3 = const.addr 252\n%12 = const.addr 4\n%12 = mul.addr %1, %12\n%12 = and.addr %12, %3\n%3 = symbol_addr @data, +1024\n%12 = add.addr %12, %3",
      ),
    ),
    // A sum of which the low bits go on, and all of them elsewhere.
    walk(
      50,
      4,
      64,
      "%8 = load.i32 %0\n%9 = add.i32 %8, %8\n%10 = trunc.i32.i16 %9\n%5 = zext.i16.i64 %10\n%6 = zext.i32.i64 %9\n%7 = add.i64 %7, %5\n%7 = add.i64 %7, %6",
    ),
    walk(50, 4, 64, "%8 = load.i32 %0\n%10 = trunc.i32.i16 %8\n%9 = zext.i16.i32 %10\n%9 = add.i32 %9, %8\nstore.i32 %0, %9"),
    // A count beyond 2^53, of which the low six bits are 35: nothing is left of the half that is stored.
    walk(50, 4, 64, "%8 = load.i32 %0\n%5 = zext.i32.i64 %8\n%6 = const.i64 0x8000000000000023\n%5 = shl.i64 %5, %6\n%9 = trunc.i64.i32 %5\nstore.i32 %0, %9"),
    // A counter that wraps around, extended.
    walk(50, 8, 64, "%5 = zext.i32.i64 %9\nstore.i64 %0, %5\n%8 = const.i32 1\n%9 = add.i32 %9, %8", "%9 = const.i32 -20"),
    // What is subtracted from is another number each time.
    walk(51, 8, 64, "%5 = load.i64 %0\n%7 = sub.i64 %5, %7"),
    walk(51, 8, 64, "%5 = load.i64 %0\n%7 = sub.i64 %7, %5"),
    // Stepped before the access.
    walk(
      50,
      4,
      64,
      "%3 = const.addr 1\n%2 = add.addr %2, %3\n%3 = const.addr 4\n%3 = mul.addr %2, %3\n%12 = symbol_addr @data\n%12 = add.addr %12, %3\n%8 = load.i32 %12\nstore.i32 %12, %8, +1024",
    ).replace("%3 = const.addr 1\n      %2 = add.addr %2, %3\n      %3 = const.addr 4", "%3 = const.addr 4"),
  ];
  for (const program of programs)
    for (const layout of LITTLE) for (const instructions of [1e7, 301]) compare(parseProgram(program, layout), { deadline: 1e9, grace: 100, instructions });
});

/** A loop that counts %1 while it is less than the limit in this type and sign; its rounds are one straight line. */
function count(type: "addr" | "i32" | "i64", sign: "s" | "u", from: number, limit: number, before: string, round: string): string {
  return `
data @data size 20480 align 4096 writable
func @main () -> (i32) {
  reg %0:addr, %1:${type}, %2:${type}, %3:addr, %4:i8, %5:i32, %6:i32
  ${before}
  %1 = const.${type} ${from}
  block
    loop
      %2 = const.${type} ${limit}
      %4 = le_${sign}.${type} %2, %1
      br_if %4, 1
      ${round}
      %2 = const.${type} 1
      %1 = add.${type} %1, %2
      br 0
    end
  end
  return %5
}`;
}

test("executors agree on rounds that end with a page, or where numbers do", () => {
  for (const layout of LAYOUTS) {
    for (const [start, rounds, stride] of [
      [0, 4096, 1],
      [1, 4096, 1],
      [4088, 2, 8],
      [2500, 300, 8],
      [4088, 512, 8],
      [4088, 513, 8],
      [4100, 60, -100],
      [8191, 4097, -1],
      [100, 20, 128],
      [100, 70, 129],
    ] as const)
      compare(
        parseProgram(
          count(
            "addr",
            "u",
            0,
            rounds,
            `%0 = symbol_addr @data, +${start}`,
            `store.i8 %0, %4
%3 = const.addr ${stride}
%0 = add.addr %0, %3`,
          ),
          layout,
        ),
      );
    for (const sign of ["s", "u"] as const)
      for (const [from, limit] of [
        [9, -2],
        [-20, 30],
        [-5, -2],
        [5, 5],
        [2 ** 31 - 3, -(2 ** 31) + 3],
      ] as const)
        for (const type of ["i32", "i64"] as const)
          compare(parseProgram(count(type, sign, from, limit, "", "%6 = const.i32 1\n%5 = add.i32 %5, %6"), layout), {
            deadline: 1e9,
            grace: 100,
            instructions: 900,
          });
  }
});

test("executors agree on where a limit strikes", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(3000), fc.nat(300), fc.boolean(), (seed, limit, grace, isTime) => {
      const limits = isTime ? { deadline: limit, grace, instructions: 1e7 } : { deadline: 1e9, grace, instructions: limit };
      compare(generateModule(seed, { device: DEVICE }), limits);
    }),
    { numRuns: fuzzRounds(30) },
  );
});

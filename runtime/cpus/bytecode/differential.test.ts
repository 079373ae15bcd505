// The two executors against each other on generated modules: outcome, instruction count, guest time, all of RAM, its dirty pages, and every
// device access with its time must be equal. A difference is a bug of one of them, or a hole in docs/bytecode.md.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { generateConditions } from "../../../tests/fixtures/generate-conditions.ts";
import { generateLoops } from "../../../tests/fixtures/generate-loops.ts";
import { generateModule, type GenerateOptions } from "../../../tests/fixtures/generate-module.ts";
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

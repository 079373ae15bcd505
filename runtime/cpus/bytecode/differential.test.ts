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

test("executors agree on where a limit strikes", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(3000), fc.nat(300), fc.boolean(), (seed, limit, grace, isTime) => {
      const limits = isTime ? { deadline: limit, grace, instructions: 1e7 } : { deadline: 1e9, grace, instructions: limit };
      compare(generateModule(seed, { device: DEVICE }), limits);
    }),
    { numRuns: fuzzRounds(30) },
  );
});

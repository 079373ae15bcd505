// The interpreter against the conformance table, the document's examples and generated modules, and what only this engine promises:
// preemption at any instruction, decided by the seed alone.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { generateModule, type GenerateOptions } from "../../../tests/fixtures/generate-module.ts";
import { INSTRUCTIONS } from "../../../isa/bytecode/instructions.ts";
import type { Module } from "../../../isa/bytecode/module.ts";
import { parseText } from "../../../isa/bytecode/text.ts";
import { formatProblem, verifyModule } from "../../../isa/bytecode/verify.ts";
import { conformanceCases, formatOutcome, LAYOUTS, layoutName, parseProgram, runConformanceCase } from "./conformance.ts";
import { exampleCases } from "./conformance/examples.ts";
import { implementedInstructions } from "./interpreter-operations.ts";
import { interpreterFactory } from "./interpreter.ts";
import { createTestMachine, DEVICE_BASE, loadTestImage, releaseTestMachine, TEST_REGISTERS } from "./test-machine.ts";

test("every instruction of the table is implemented, and no other", () => {
  assert.deepEqual([...implementedInstructions()].sort(), INSTRUCTIONS.map((row) => row.name).sort());
});

test("conformance programs are valid modules, and together use every instruction", () => {
  const used = new Set<string>();
  for (const testCase of conformanceCases) {
    for (const layout of testCase.layouts ?? LAYOUTS) {
      const module = parseProgram(testCase.program, layout);
      assert.deepEqual(
        verifyModule(module).map((problem) => formatProblem(module, problem)),
        [],
        `${testCase.name} ${layoutName(layout)}`,
      );
      for (const fn of module.functions) for (const { op } of fn.body) used.add(op);
    }
  }
  assert.deepEqual(
    INSTRUCTIONS.filter((row) => !used.has(row.name)),
    [],
  );
});

test("names of conformance cases are unique", () => {
  assert.equal(new Set(conformanceCases.map((testCase) => testCase.name)).size, conformanceCases.length);
});

for (const testCase of conformanceCases) {
  test(`conformance: ${testCase.name}`, () => {
    assert.deepEqual(runConformanceCase(interpreterFactory, testCase), []);
  });
}

const examples = exampleCases(readFileSync(new URL("../../../docs/bytecode.md", import.meta.url), "utf8"));

test("the document has examples", () => assert.ok(examples.length >= 5));
for (const example of examples) {
  test(example.name, () => assert.deepEqual(runConformanceCase(interpreterFactory, example), []));
}

const DEVICE: GenerateOptions["device"] = { base: DEVICE_BASE, storageBytes: 64, timer: TEST_REGISTERS.TIMER, lower: TEST_REGISTERS.LOWER };
const LIMITS = { deadline: 1e9, grace: 1e9, instructions: 1e7 };

interface Trace {
  readonly outcome: string;
  readonly instructions: number;
  readonly time: number;
  /** A digest. */
  readonly ram: string;
  readonly log: readonly string[];
}

function run(module: Module, seed = 1n, cpuCount = 1): Trace {
  const machine = createTestMachine({ addressBytes: module.layout.addressBytes, seed, cpuCount });
  const image = loadTestImage(module, machine);
  const executor = interpreterFactory.create(image, machine);
  const outcome = executor.call(
    module.functions.findIndex((fn) => fn.name === "main"),
    [],
    LIMITS,
  );
  const trace = {
    outcome: formatOutcome(outcome, image, machine),
    instructions: executor.instructions(),
    time: machine.now(),
    ram: hash("sha1", machine.memory.bytes.subarray(0, machine.memory.size)),
    log: machine.log,
  };
  releaseTestMachine(machine);
  return trace;
}

test("generated modules end, and twice in the same way", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const module = generateModule(seed, { device: DEVICE });
      const first = run(module);
      assert.match(first.outcome, /^returned /);
      assert.deepEqual(run(module), first);
    }),
    { numRuns: 100 },
  );
});

test("on one CPU the scheduler's seed changes nothing", () => {
  const module = generateModule(99, { device: DEVICE });
  assert.deepEqual(run(module, 1n), run(module, 2n));
});

/** Two CPUs each add 1 to @x fifty times, without atomics; @main gives the sum. */
const LOSSY = `
data @x size 4 align 4 writable
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32, %3:i32, %4:i8
  %0 = func_addr @count
  %2 = const.i32 1
  %3 = cpu_start %2, %0, %1
  call @count, %1
  loop
    relax
    %3 = cpu_state %2
    %4 = trunc.i32.i8 %3
    br_if %4, 0
  end
  %0 = symbol_addr @x
  %3 = load.i32 %0
  return %3
}
func @count (addr) -> () {
  reg %1:i32, %2:i32, %3:i32, %4:i8
  %0 = symbol_addr @x
  %1 = const.i32 1
  %2 = const.i32 50
  loop
    %3 = load.i32 %0
    %3 = add.i32 %3, %1
    store.i32 %0, %3
    %2 = sub.i32 %2, %1
    %4 = trunc.i32.i8 %2
    br_if %4, 0
  end
  return
}`;

test("a CPU may be preempted between any two instructions: some seeds lose updates, and each seed always the same ones", () => {
  const module = parseText(`gbc 1 addr64 little\n${LOSSY}`);
  const sums = Array.from({ length: 30 }, (_, seed) => {
    const { outcome } = run(module, BigInt(seed), 2);
    assert.equal(run(module, BigInt(seed), 2).outcome, outcome);
    return Number(outcome.replace("returned ", ""));
  });
  assert.ok(sums.every((sum) => sum >= 50 && sum <= 100));
  assert.ok(
    sums.some((sum) => sum < 100),
    "no seed lost an update",
  );
  assert.ok(new Set(sums).size > 3, `only the sums ${[...new Set(sums)].join(", ")}`);
});

test("a run starts from CPUs at reset, whatever the run before left", () => {
  const module = parseText(`gbc 1 addr64 little
func @main () -> (i8, i32) {
  reg %0:i8, %1:i32, %2:i32
  %0 = irq_enable
  %1 = irq_mask %2
  return %0, %1
}`);
  const machine = createTestMachine({ addressBytes: 8 });
  const executor = interpreterFactory.create(loadTestImage(module, machine), machine);
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(executor.call(0, [], LIMITS), { kind: "returned", values: [0, 7] });
    assert.equal(executor.instructions(), 3);
  }
  assert.equal(machine.now(), 6);
});

test("a stack of many calls is bounded by the guest's stack alone", () => {
  const module = parseText(`gbc 1 addr64 little
func @main () -> () {
  reg ${Array.from({ length: 200 }, (_, index) => `%${index}:i64`).join(", ")}
  call @main
  return
}`);
  assert.match(run(module).outcome, /^unhandled-trap stack_overflow main:0, cpu0 sp top-16384$/);
});

// Translated code against the conformance table, and what only this engine promises: one compiled module for several machines, deep
// recursion, and clear words about what it cannot run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INSTRUCTIONS } from "../../../isa/bytecode/instructions.ts";
import { conformanceCases, runConformanceCase } from "./conformance.ts";
import { TRANSLATED_INSTRUCTIONS } from "./translate-function.ts";
import { wasmFactory } from "./wasm-executor.ts";

test("every instruction of the table is translated, and no other", () => {
  assert.deepEqual([...TRANSLATED_INSTRUCTIONS].sort(), INSTRUCTIONS.map((row) => row.name).sort());
});

for (const testCase of conformanceCases) {
  if ((testCase.cpus ?? 1) > 1) continue;
  test(`conformance: ${testCase.name}`, () => {
    assert.deepEqual(runConformanceCase(wasmFactory, testCase), []);
  });
}

// The interpreter against the conformance table, and what only this engine promises.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INSTRUCTIONS } from "../../../isa/bytecode/instructions.ts";
import { conformanceCases, runConformanceCase } from "./conformance.ts";
import { implementedInstructions } from "./interpreter-operations.ts";
import { interpreterFactory } from "./interpreter.ts";

test("every instruction of the table is implemented, and no other", () => {
  assert.deepEqual([...implementedInstructions()].sort(), INSTRUCTIONS.map((row) => row.name).sort());
});

for (const testCase of conformanceCases) {
  test(`conformance: ${testCase.name}`, () => {
    assert.deepEqual(runConformanceCase(interpreterFactory, testCase), []);
  });
}

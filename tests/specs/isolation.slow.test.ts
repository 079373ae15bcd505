// Tests that loop, jump to nowhere, overflow, wait for nothing or fault twice cost themselves only: one failure each with a verdict
// that names it, and every neighbour passes, on both executors.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExecutorChoice } from "../../runtime/engines/embedded.ts";
import { compileSpecs } from "../fixtures/compile.ts";
import { runImages, testsOf } from "./run-all.ts";

const EXPECTED: Readonly<Record<string, readonly [verdict: string, kind: string | null]>> = {
  "first neighbour": ["pass", null],
  "loops for ever": ["timeout", "timeout"],
  "neighbour after a loop": ["pass", null],
  "jumps to nowhere": ["crash", "trap"],
  "overflows its stack": ["crash", "stack-overflow"],
  "neighbour after an overflow": ["pass", null],
  "waits for nothing": ["hung", "deadlock"],
  "polls for ever": ["timeout", "timeout"],
  "faults twice": ["crash", "double-fault"],
  "cleans up after a trap": ["pass", null],
  "last neighbour": ["pass", null],
};

for (const executor of ["interpreter", "wasm", "auto"] satisfies ExecutorChoice[]) {
  test(`bad tests are isolated on ${executor}`, async () => {
    const events = await runImages(compileSpecs(["tests/fixtures/isolation.gspec"]), { executor });
    const seen = Object.fromEntries(testsOf(events).map(({ test: name, verdict, failures }) => [name, [verdict, failures[0]?.kind ?? null]]));
    assert.deepEqual(seen, EXPECTED);
  });
}

// How long a test may take: whose word goes before whose, and what marks of speed do to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestCase, ManifestTest } from "../../compiler/images/manifest.ts";
import { DEFAULT_INSTRUCTIONS, DEFAULT_TIMEOUT_NS, limitsOf, type LimitOptions } from "./limits.ts";
import { slownessOf, speedOf } from "./speed.ts";

const ROW: ManifestCase = { row: 0, name: null, file: 0, line: 1, xfail: null, skip: null };
const USUAL: LimitOptions = { timeoutNs: null, maxInstructions: null };

function testWith(tags: readonly string[], timeout: number | null = null): ManifestTest {
  return {
    index: 0,
    name: "t",
    file: 0,
    line: 1,
    endLine: 1,
    tags,
    attributes: {},
    covers: [],
    needs: [],
    on: [],
    timeout,
    tableHooks: null,
    parameterised: false,
    cases: [ROW],
  };
}

function limits(tags: readonly string[], row: Partial<ManifestCase> = {}, options = USUAL, timeout: number | null = null): readonly [number, number] {
  const { timeoutNs, instructions } = limitsOf(testWith(tags, timeout), { ...ROW, ...row }, options);
  return [timeoutNs / DEFAULT_TIMEOUT_NS, instructions / DEFAULT_INSTRUCTIONS];
}

test("slow tests have three times as long, very slow ones twelve times", () => {
  assert.deepEqual(limits([]), [1, 1]);
  assert.deepEqual(limits(["slow"]), [3, 3]);
  assert.deepEqual(limits(["very_slow"]), [12, 12]);
  assert.deepEqual(limits([], { tags: ["slow"] }), [3, 3], "a row's mark counts for the row");
  assert.deepEqual(limits(["slow"], { tags: ["very_slow"] }), [12, 12]);
});

test("--timeout is a normal test's; @timeout is meant as it stands", () => {
  const short = { ...USUAL, timeoutNs: DEFAULT_TIMEOUT_NS / 10 };
  assert.deepEqual(limits(["slow"], {}, short)[0], 0.3);
  assert.deepEqual(limits(["slow"], {}, short, DEFAULT_TIMEOUT_NS / 2)[0], 0.5);
  assert.deepEqual(limits(["slow"], { timeout: DEFAULT_TIMEOUT_NS / 4 }, short, DEFAULT_TIMEOUT_NS / 2)[0], 0.25);
  assert.deepEqual(limits(["slow"], {}, { ...USUAL, maxInstructions: DEFAULT_INSTRUCTIONS })[1], 1);
});

test("who is slow", () => {
  assert.equal(speedOf(testWith(["pci"]), null).name, "normal");
  assert.equal(speedOf(testWith(["slow", "very_slow"]), ROW).name, "very_slow");
  assert.equal(slownessOf(1.9e9, 3_900_000), null);
  assert.equal(slownessOf(2.25e9, 0), "2.25 s of guest time");
  assert.equal(slownessOf(5e6, 4_500_000), "4.5 million instructions");
});

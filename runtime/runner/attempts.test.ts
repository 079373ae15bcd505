// Several attempts at one case as one result: equal, flaky or nondeterministic.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, finished } from "../../tests/fixtures/events.ts";
import type { CaseEngine } from "../engines/case-engine.ts";
import { isSettled, mergeAttempts, runRepeatedly } from "./attempts.ts";

const pass = finished({ verdict: "pass", guestNs: 100 });
const fail = finished({ verdict: "fail", failures: [failure({ kind: "check", message: "expected a == b, got 3" })] });
const hung = finished({ verdict: "hung", failures: [failure({ kind: "hung", message: "no answer for 20 s" })] });

test("equal results of a deterministic engine are one result, wall time apart", () => {
  const merged = mergeAttempts([pass, { ...pass, wallMs: 5 }, pass], true);
  assert.equal(merged.verdict, "pass");
  assert.deepEqual(merged.attempts, [{ verdict: "pass", message: null, times: 3, wallMs: 7 }]);
  assert.equal(merged.wallMs, 7);
});

test("one seed that gives two verdicts is nondeterministic, with the first difference", () => {
  const merged = mergeAttempts([pass, fail, pass], true);
  assert.equal(merged.verdict, "nondeterministic");
  assert.equal(merged.failures[0]?.message, "one seed, and not one result in 3 runs: pass, then fail");
  assert.deepEqual(merged.failures[0]?.details, ['verdict, run 1: "pass"', 'verdict, run 2: "fail"']);
  assert.equal(merged.failures[1]?.message, "expected a == b, got 3");
  assert.deepEqual(
    merged.attempts?.map(({ verdict, times }) => [verdict, times]),
    [
      ["pass", 1],
      ["fail", 1],
      ["pass", 1],
    ],
  );
});

test("so is one verdict after another number of instructions", () => {
  const merged = mergeAttempts([pass, { ...pass, instructions: 11 }], true);
  assert.equal(merged.verdict, "nondeterministic");
  assert.match(merged.failures[0]?.message ?? "", /always pass, but not the same/);
  assert.deepEqual(merged.failures[0]?.details, ["instructions, run 1: 10", "instructions, run 2: 11"]);
});

test("elsewhere a failure before a pass is flaky, and only failures are the worst of them", () => {
  const flaky = mergeAttempts([hung, pass], false);
  assert.equal(flaky.verdict, "flaky");
  assert.equal(flaky.failures[0]?.message, "no answer for 20 s");
  const failed = mergeAttempts([fail, hung, fail], false);
  assert.equal(failed.verdict, "hung");
  assert.equal(failed.attempts?.length, 3);
  assert.equal(mergeAttempts([pass, { ...pass, guestNs: 101 }], false).verdict, "pass");
});

test("retries end with the first good result, repetitions do not", () => {
  const retry = { repeat: 1, retries: 2 };
  assert.ok(isSettled([pass], retry));
  assert.ok(!isSettled([fail], retry));
  assert.ok(isSettled([fail, pass], retry));
  assert.ok(!isSettled([fail, hung], retry));
  assert.ok(isSettled([fail, hung, fail], retry));
  const repeat = { repeat: 3, retries: 0 };
  assert.ok(!isSettled([fail, pass], repeat));
  assert.ok(isSettled([fail, pass, pass], repeat));
  assert.ok(!isSettled([], retry));
});

test("an engine that does not repeat itself is found out", async () => {
  const results = [pass, pass, fail];
  let at = 0;
  const engine: CaseEngine = { run: () => Promise.resolve(results[at++] ?? pass), dispose() {} };
  const item = { suite: 0, test: 0, case: 0, opensSuite: true, closesSuite: true, opensTable: false, closesTable: false };
  assert.equal((await runRepeatedly(engine, item, 3, true)).verdict, "nondeterministic");
  assert.equal(at, 3);
  at = 0;
  assert.deepEqual(await runRepeatedly(engine, item, 1, true), pass);
});

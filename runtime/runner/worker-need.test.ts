// When workers are worth it, on clocks that tests set: what a run looks like cold, warm, on a busy machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorkerNeed, WORKER_POLICY } from "./worker-need.ts";

interface Step {
  /** Tests of this kind that run now. */
  readonly tests: number;
  readonly wallMs: number;
  readonly cpuMs?: number;
}

/** Runs the steps and gives the first judgement for workers, with the number of tests left then. */
function firstNeed(steps: readonly Step[], total: number): { readonly workers: number; readonly left: number } | null {
  let now = 0;
  let cpu = 0;
  let left = total;
  const need = createWorkerNeed({ now: () => now, cpuTime: () => cpu }, WORKER_POLICY);
  for (const { tests, wallMs, cpuMs = wallMs } of steps) {
    for (let i = 0; i < tests; i++) {
      now += wallMs;
      cpu += cpuMs;
      const judged = need.judge(--left);
      if (judged !== null) return { workers: judged.workers, left };
    }
  }
  return null;
}

test("ten thousand small tests that start slow need none", () => {
  const steps = [
    { tests: 1, wallMs: 60 },
    { tests: 500, wallMs: 0.4 },
    { tests: 2000, wallMs: 0.1 },
    { tests: 7499, wallMs: 0.04 },
  ];
  assert.equal(firstNeed(steps, 10_000), null);
});

test("tests that cost less than their results do when sent need none, however many", () => {
  assert.equal(firstNeed([{ tests: 200_000, wallMs: 0.03 }], 200_000), null);
});

test("long runs get a worker for each portion of work, once the rate has settled", () => {
  const found = firstNeed([{ tests: 10_000, wallMs: 1 }], 10_000);
  assert.ok(found !== null);
  assert.ok(found.left > 8800 && found.left <= 9000, String(found.left));
  assert.equal(found.workers, 5);
  assert.ok((firstNeed([{ tests: 40, wallMs: 200 }], 40)?.left ?? 0) > 30);
});

test("a run that gets less than its CPU leaves the others theirs", () => {
  assert.equal(firstNeed([{ tests: 10_000, wallMs: 2, cpuMs: 1 }], 10_000), null);
});

test("one slow test in between does not count as the rate", () => {
  const steps = [
    { tests: 12_000, wallMs: 0.1 },
    { tests: 1, wallMs: 400 },
    { tests: 1000, wallMs: 0.1 },
  ];
  assert.equal(firstNeed(steps, 13_001), null);
});

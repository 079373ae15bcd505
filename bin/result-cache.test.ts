// Results that are known from an earlier run: when they count, and that no damage to what is kept costs more than the gain.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { buildGuest, failing, passes } from "../tests/fixtures/guest.ts";
import { bytecodeVirt as machine } from "../tests/fixtures/machines.ts";
import type { TestFinished } from "../runtime/events.ts";
import { engineHost } from "../runtime/engines/host.ts";
import type { EngineOptions } from "../runtime/engines/embedded.ts";
import { listCases, makePlan } from "../runtime/runner/plan.ts";
import { startRun } from "../runtime/runner/runner.ts";
import { openResultCache, type ResultCache } from "./result-cache.ts";

const engine: EngineOptions = { seed: 7n, executor: "auto", timeoutNs: null, maxInstructions: null, required: [], reproFlags: " --seed 7" };
const images = [
  buildGuest([{ name: "s", tests: [{ name: "t", cases: [passes, failing, passes, { ...passes, skip: "later" }] }] }], machine, { file: "a.gspec" }),
];
const cases = listCases(images);

async function run(settled: ReadonlyMap<string, TestFinished>): Promise<ReadonlyMap<string, TestFinished>> {
  const results = new Map<string, TestFinished>();
  const plan = makePlan(images, cases, null, { isSettled: (id) => settled.has(id) });
  const request = { images, plan, deselected: 0, engine, host: engineHost, jobs: 1, failFast: null, tool: "t", isLive: false, settled, exitCodeOf: () => 0 };
  await startRun(request, (event) => void (event.type === "test-finished" && results.set(event.id, event))).finished;
  return results;
}

function open(context: TestContext): (changes?: { stamp?: string; seed?: bigint }) => ResultCache {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-results-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return ({ stamp = "1", seed = 7n } = {}) => openResultCache({ folder, stamp, images, engine: { ...engine, seed } });
}

test("good results are known again, marked, and everything else runs", async (context) => {
  const cache = open(context);
  assert.equal(cache().known(cases).size, 0);
  const first = await run(new Map());
  assert.ok(cache().keep(cases, first));
  const known = cache().known(cases);
  assert.deepEqual(
    [...known.values()].map(({ row, verdict, cached, wallMs }) => [row, verdict, cached, wallMs]),
    [
      ["0", "pass", true, 0],
      ["2", "pass", true, 0],
    ],
  );
  const second = await run(known);
  assert.deepEqual(
    [...second.values()].map(({ verdict, cached }) => [verdict, cached]),
    [
      ["pass", true],
      ["fail", undefined],
      ["pass", true],
      ["skip", undefined],
    ],
  );
  // What came from the cache is not kept as if it were new.
  assert.ok(cache().keep(cases, second));
});

test("another seed, another build or another machine know nothing", async (context) => {
  const cache = open(context);
  cache().keep(cases, await run(new Map()));
  assert.equal(cache({ seed: 8n }).known(cases).size, 0);
  assert.equal(cache({ stamp: "2" }).known(cases).size, 0);
  assert.equal(cache().known(cases).size, 2);
});

test("a torn file and a folder that cannot be written cost nothing but the gain", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-results-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const results = await run(new Map());
  const cache = openResultCache({ folder, stamp: "1", images, engine });
  cache.keep(cases, results);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{"a":');
  assert.equal(cache.known(cases).size, 0);
  writeFileSync(join(folder, "file"), "");
  assert.equal(openResultCache({ folder: join(folder, "file", "below"), stamp: "1", images, engine }).keep(cases, results), false);
});

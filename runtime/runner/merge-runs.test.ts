// Several runs as one: shards beside each other, later runs over earlier ones, and what is missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { finished } from "../../tests/fixtures/events.ts";
import { EVENT_VERSION, type RunEvent, type RunFinished, type RunStarted, type TestFinished } from "../events.ts";
import { createCounts } from "../reporters/tally.ts";
import { mergeRuns, missingShards, readRun, type RecordedRun } from "./merge-runs.ts";

function result(name: string, verdict: TestFinished["verdict"] = "pass", line = 1): TestFinished {
  return finished({ id: `a.gspec::s::${name}@virt/wasm`, test: name, verdict, line });
}

function runOf(results: readonly TestFinished[], parts: Partial<RunStarted> = {}, end: Partial<RunFinished> = {}): RecordedRun {
  const tests = parts.tests ?? results.length;
  return {
    name: "x.ndjson",
    started: {
      type: "run-started",
      version: EVENT_VERSION,
      tool: "guestspec 0.1.0",
      seed: "0",
      targets: ["virt"],
      suites: [{ name: "s", file: "a.gspec", target: "virt", engine: "wasm", tests }],
      deselected: 0,
      startedAt: "2026-01-02T03:04:05Z",
      ...parts,
      tests,
    },
    results,
    coverage: [],
    finished: {
      type: "run-finished",
      counts: createCounts(),
      notRun: 0,
      interrupted: false,
      exitCode: 0,
      wallMs: 10,
      wallBoots: [],
      finishedAt: "2026-01-02T03:04:06Z",
      ...end,
    },
  };
}

function merge(...runs: readonly RecordedRun[]): readonly RunEvent[] {
  const merged = mergeRuns(runs);
  assert.ok(merged.ok);
  return merged.events;
}

function endOf(events: readonly RunEvent[]): RunFinished {
  const last = events.at(-1);
  assert.equal(last?.type, "run-finished");
  return last;
}

function namesOf(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => (event.type === "test-finished" ? [event.test] : []));
}

test("shards become one suite in the order of the file", () => {
  const events = merge(
    runOf([result("b", "pass", 2), result("c", "skip", 3)], { shard: "hash:1/2", deselected: 2 }),
    runOf([result("a", "pass", 1), result("d", "xfail", 4)], { shard: "hash:2/2", deselected: 2 }),
  );
  assert.deepEqual(namesOf(events), ["a", "b", "c", "d"]);
  const [started] = events;
  assert.deepEqual(started?.type === "run-started" && [started.tests, started.deselected, started.shard, started.suites.length], [4, 0, undefined, 1]);
  assert.equal(endOf(events).exitCode, 0);
  assert.equal(endOf(events).counts.pass, 2);
});

test("a run of what failed replaces its failures", () => {
  const first = runOf([result("a"), result("b", "fail")], {}, { exitCode: 1 });
  assert.equal(endOf(merge(first)).exitCode, 1);
  const events = merge(first, runOf([result("b")]));
  assert.deepEqual([endOf(events).exitCode, endOf(events).counts.pass, endOf(events).notRun], [0, 2, 0]);
});

test("what was announced and not delivered is missing, and fails", () => {
  const broken: RecordedRun = { ...runOf([result("a")], { tests: 3, shard: "slice:1/2" }), finished: null };
  const events = merge(broken, runOf([result("d")], { shard: "slice:2/2" }));
  assert.deepEqual([endOf(events).notRun, endOf(events).exitCode], [2, 1]);
  // Run after all: nothing is missing, but the broken run stays told.
  const healed = mergeRuns([broken, runOf([result("b"), result("c")], { shard: "slice:1/2" })]);
  assert.ok(healed.ok);
  assert.equal(endOf(healed.events).notRun, 0);
  assert.deepEqual(healed.notes, ["x.ndjson broke off: its run has no end"]);
});

test("exit codes that good results do not undo stay", () => {
  assert.equal(endOf(merge(runOf([result("a")]), runOf([result("b")], {}, { exitCode: 75 }))).exitCode, 75);
  assert.equal(endOf(merge(runOf([result("a")], {}, { exitCode: 130, interrupted: true }))).exitCode, 130);
  const skip = { ...result("a", "skip"), promised: true };
  assert.equal(endOf(merge(runOf([skip], {}, { exitCode: 6 }))).exitCode, 6);
});

test("runs with several seeds are no parts of one run", () => {
  const merged = mergeRuns([runOf([result("a")]), runOf([result("b")], { seed: "1" })]);
  assert.ok(!merged.ok);
  assert.match(merged.message, /seed 0 .* seed 1/);
});

test("shards that are missing have names", () => {
  assert.deepEqual(missingShards([runOf([], { shard: "hash:1/3" }), runOf([], { shard: "hash:3/3" })]), ["hash:2/3"]);
  assert.deepEqual(missingShards([runOf([])]), []);
});

test("of a stream the last run counts", () => {
  const one = runOf([result("a")]);
  const two = runOf([result("b")]);
  const stream = [one, two].flatMap(({ started, results, finished: end }): RunEvent[] => [started, ...results, ...(end === null ? [] : [end])]);
  assert.deepEqual(
    readRun("x", stream)?.results.map(({ test: name }) => name),
    ["b"],
  );
  assert.equal(readRun("x", []), null);
});

// The table of verdicts in docs/events.md against the reporters: a recorded result is given each verdict, and reported alone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isGood, VERDICTS, type RunEvent, type TestFinished, type Verdict } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { report } from "../fixtures/memory-sink.ts";
import { recordedRun } from "../fixtures/recorded-run.ts";

const rows = new Map(
  readFileSync(join(root, "docs/events.md"), "utf8")
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
    .filter(([, name]) => VERDICTS.some((verdict) => verdict === name))
    .map(([, verdict = "", ...cells]) => [verdict, cells]),
);

/** A run of one suite with one test. */
function runOf(verdict: Verdict): readonly RunEvent[] {
  const sample = recordedRun.find((event) => event.type === "test-finished" && event.row === null && event.verdict === "fail") as TestFinished;
  const { suite, file, target, engine } = sample;
  return recordedRun.flatMap((event): RunEvent[] => {
    if (event.type === "run-started") return [{ ...event, suites: [{ name: suite, file, target, engine, tests: 1 }], tests: 1 }];
    if (event.type === "run-finished") return [{ ...event, interrupted: false, notRun: 0 }];
    if (event !== sample) return [];
    const result: TestFinished = { ...sample, verdict, test: "t", reason: ["skip", "xfail", "xpass"].includes(verdict) ? "reason" : null };
    return [
      { type: "suite-started", suite, file, target, engine, tests: 1, plan: [{ test: "t", rows: null }] },
      result,
      { type: "suite-finished", suite, file, target, engine, verdict, wallMs: 1 },
    ];
  });
}

for (const verdict of VERDICTS) {
  test(`docs/events.md tells how ${verdict} is reported`, async () => {
    const [good, ktap, junit, ctrf] = rows.get(verdict) ?? [];
    const events = runOf(verdict);
    assert.equal(good, isGood(verdict) ? "yes" : "no");
    assert.equal(
      /^ {2}((?:not )?ok 1 t.*)$/m
        .exec(await report("ktap", events))?.[1]
        ?.replace(" 1 t #", " .. #")
        .replace(" 1 t", ""),
      ktap,
    );
    assert.equal(/<(failure|error|skipped)\b/.exec(await report("junit", events))?.[1] ?? "none", junit);
    assert.equal(/"status": "(\w+)"/.exec(await report("ctrf", events))?.[1], ctrf);
  });
}

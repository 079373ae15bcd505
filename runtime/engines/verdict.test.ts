// Verdicts of tests that end their machine, unasked or by `@exits`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSourceLines } from "./code-frame.ts";
import type { ReportContext } from "./report-context.ts";
import { readTranscript } from "./transcript.ts";
import { judge, type CallOutcome, type LimitsInForce } from "./verdict.ts";

const context: ReportContext = {
  manifest: {
    version: 1,
    target: "bytecode",
    machine: "bytecode-virt",
    files: [],
    suites: [],
    sites: [],
    entry: { boot: 0, suiteSetup: 0, suiteTeardown: 0, runCase: 0, tableSetup: 0, tableTeardown: 0, main: 0 },
  },
  layout: { addressBytes: 8, endian: "little" },
  code: { locate: () => null },
  sources: createSourceLines(() => null),
};
const limits: LimitsInForce = { timeoutNs: 1e9, instructions: 1e6, graceNs: 1e6, elapsedNs: 10, executed: 10 };
const returned: CallOutcome = { kind: "returned", values: [] };
const powerOff = (code: number): CallOutcome => ({ kind: "exit", exit: { kind: "poweroff", code } });
const reset: CallOutcome = { kind: "exit", exit: { kind: "reset", code: 0 } };

function verdictOf(outcome: CallOutcome, exits: string | null, frames: Parameters<typeof readTranscript>[0] = []): string {
  return judge(context, outcome, readTranscript(frames, "body"), limits, true, exits).verdict;
}

test("a test that ends the machine unasked has crashed", () => {
  assert.equal(verdictOf(powerOff(0), null), "crash");
  assert.equal(verdictOf(reset, null), "crash");
});

test("a test with @exits passes by the exit that it promised, and by no other", () => {
  assert.equal(verdictOf(powerOff(3), "3"), "pass");
  assert.equal(verdictOf(powerOff(4), "3"), "fail");
  assert.equal(verdictOf(reset, "reset"), "pass");
  assert.equal(verdictOf(reset, "0"), "fail");
  assert.equal(verdictOf(powerOff(0), "reset"), "fail");
});

test("a test with @exits that ends like any other fails", () => {
  assert.equal(verdictOf(returned, "0", [{ verb: "end", checks: 1 }]), "fail");
});

test("skipped before its exit, it is skipped", () => {
  assert.equal(
    verdictOf(returned, "0", [
      { verb: "skip", site: 0 },
      { verb: "end", checks: 0 },
    ]),
    "skip",
  );
});

test("an exit during setup is none that was promised", () => {
  const judgement = judge(context, powerOff(0), readTranscript([], "setup"), limits, true, "0");
  assert.equal(judgement.verdict, "crash");
  assert.match(judgement.failures[0]?.message ?? "", /powered the machine off with code 0 during setup/);
});

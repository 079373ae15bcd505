// Which verdicts of one test on several engines are a difference, and how that is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, finished } from "../../tests/fixtures/events.ts";
import type { Verdict } from "../events.ts";
import { createComparison } from "./compare.ts";

function compared(...verdicts: readonly (readonly [string, Verdict])[]): ReturnType<typeof createComparison> {
  const comparison = createComparison();
  for (const [name, verdict] of verdicts) {
    for (const [target, engine] of [
      ["bytecode", "embedded"],
      ["riscv64", "qemu"],
    ] as const) {
      const own: Verdict = engine === "qemu" ? verdict : "pass";
      const failures = own === "fail" ? [failure({ kind: "check", message: "expected a == b" })] : [];
      comparison.add(finished({ id: `a.gspec::s::${name}@${target}/${engine}`, target, engine, verdict: own, failures }));
    }
  }
  return comparison;
}

test("a skip has no opinion, a declared deviation is none of our faults", () => {
  const cases: readonly (readonly [Verdict, number])[] = [
    ["pass", 0],
    ["skip", 0],
    ["xfail", 0],
    ["fail", 1],
    ["crash", 1],
    ["xpass", 1],
  ];
  for (const [verdict, count] of cases) assert.equal(compared(["t", verdict]).differences(), count, verdict);
});

test("totals and differences are told with their failures", () => {
  const text = compared(["same", "pass"], ["left out", "skip"], ["known", "xfail"], ["other[1@2]", "fail"]).format({ color: false, columns: Infinity });
  assert.deepEqual(text.slice(0, 11), [
    "Compare  4 tests on 2 engines",
    "            bytecode/embedded       riscv64/qemu",
    "  pass                      4                  1",
    "  xfail                     0                  1",
    "  fail                      0                  1",
    "  skip                      0                  1",
    "  1 deviation declared by specs",
    "  1 test differs:",
    "",
    "a.gspec::s::other[1@2]",
    "  bytecode/embedded pass, riscv64/qemu fail",
  ]);
  assert.match(text[11] ?? "", /^ {2}FAIL a\.gspec::s::other\[1@2\]@riscv64\/qemu/);
  assert.ok(text.includes("    x expected a == b"));
});

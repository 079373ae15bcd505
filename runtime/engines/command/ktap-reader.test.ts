// The plan and the reader of what images print by themselves: every line in its turn, everything else refused or text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileSpecs } from "../../../tests/fixtures/compile.ts";
import type { ManifestSuite } from "../../../compiler/images/manifest.ts";
import { expectedResults, selectionWord } from "./expected-results.ts";
import { createKtapReader, type KtapResult } from "./ktap-reader.ts";
import { readKtapStory } from "./ktap-transcript.ts";

const SPEC = `suite "s"

test "one" { expect 1 == 1 }

test "n {n}" for n in 4 as u32..7 { expect n < 6, "n is {n}" }

test "# two" { expect 1 == 1 }
`;

const [image] = compileSpecs(["s.gspec"], { texts: { "s.gspec": SPEC } });
const { manifest } = image ?? assert.fail("no image");
const suite: ManifestSuite = manifest.suites[0] ?? assert.fail("no suite");
const expected = expectedResults(suite);

const COLUMN = (SPEC.split("\n")[4] ?? "").indexOf("n < 6") + 1;

const GOOD = [
  "SeaBIOS (nothing of ours)",
  "KTAP version 1",
  "1..1",
  "  KTAP version 1",
  "  1..3",
  "a line of the test",
  "  ok 1 one",
  "    KTAP version 1",
  "    1..3",
  "    ok 1 n 4",
  "    # a remark",
  "    ok 2 n 5",
  `    # s.gspec:5:${COLUMN}: n < 6`,
  "    #   n = 0x6",
  "    #   n is 6",
  "    not ok 3 n 6",
  "  not ok 2 n {n}",
  "  ok 3 %23 two # SKIP not today",
  "not ok 1 s",
  "",
];

function read(lines: readonly string[]) {
  const reader = createKtapReader(expected);
  const results: KtapResult[] = [];
  // In pieces that end anywhere.
  const bytes = Buffer.from(lines.join("\n"));
  for (let at = 0; at < bytes.length; at += 7) results.push(...reader.push(bytes.subarray(at, at + 7)));
  return { reader, results };
}

test("the plan is what the image prints", () => {
  assert.deepEqual(
    expected.map(({ level, number, name }) => `${level}:${number} ${name}`),
    ["1:1 one", "2:1 n 4", "2:2 n 5", "2:3 n 6", "1:2 n {n}", "1:3 %23 two", "0:1 s"],
  );
});

test("results come with what stands before them", () => {
  const { reader, results } = read(GOOD);
  assert.equal(reader.isComplete, true);
  assert.equal(reader.problem, null);
  assert.deepEqual(
    results.map(({ isOk }) => isOk),
    [true, true, true, false, false, true, false],
  );
  assert.equal(results[0]?.text, "a line of the test\n");
  assert.deepEqual(results[2]?.diagnostics, ["a remark"]);
  assert.deepEqual(results[5]?.directive, { kind: "SKIP", reason: "not today" });
});

test("diagnostics are the transcript that frames would have given", () => {
  const { results } = read(GOOD);
  const { transcript, remarks } = readKtapStory(manifest, results[3]?.diagnostics ?? [], true);
  const [event] = transcript.events;
  assert.ok(event?.kind === "check");
  assert.equal(manifest.sites[event.check.site]?.text, "n < 6");
  assert.deepEqual([...event.check.values], [[0, { kind: "number", value: 6n }]]);
  assert.equal(event.check.message, "n is 6");
  assert.deepEqual(remarks, []);
  const trap = readKtapStory(manifest, ["unexpected trap: class 3, pc 0x1000, address 0xdead"], true).transcript.events[0];
  assert.ok(trap?.kind === "trap");
  assert.deepEqual([trap.trap.class, trap.trap.pc, trap.trap.address], [3, 0x1000n, 0xdeadn]);
  assert.deepEqual(readKtapStory(manifest, ["elsewhere.gspec:1:1: n < 6", "  the reason"], true).remarks, ["elsewhere.gspec:1:1: n < 6", "the reason"]);
});

const PROBLEMS: readonly (readonly [string, (lines: string[]) => void, RegExp, number])[] = [
  ["a result is missing", (lines) => void lines.splice(9, 1), /out of turn: `ok 2 n 5`/, 1],
  ["a result comes twice", (lines) => void lines.splice(7, 0, "  ok 1 one"), /out of turn: `ok 1 one`/, 1],
  ["a test prints another's result", (lines) => void lines.splice(5, 1, "  ok 3 %23 two"), /out of turn/, 0],
  ["another number of tests", (lines) => void lines.splice(4, 1, "  1..2"), /says that it has 2 results here, its manifest has 3/, 0],
  ["another number of rows", (lines) => void lines.splice(8, 1, "    1..4"), /says that it has 4 results here, its manifest has 3/, 1],
];
for (const [name, change, problem, next] of PROBLEMS) {
  test(`${name}: nothing more is believed`, () => {
    const lines = [...GOOD];
    change(lines);
    const { reader } = read(lines);
    assert.match(reader.problem ?? "", problem);
    assert.equal(reader.next, next);
    assert.equal(reader.isComplete, false);
  });
}

test("what only looks like a result is text", () => {
  const lines = [...GOOD];
  lines.splice(5, 1, "ok 7 one", " ok 1 one", "  ok 1 one more", "ok", "1..9", "KTAP version 1");
  const { reader, results } = read(lines);
  assert.equal(reader.isComplete, true);
  assert.equal(results[0]?.text, "ok 7 one\n ok 1 one\n  ok 1 one more\nok\n");
});

test("before its header the image has not begun", () => {
  const { reader, results } = read(["  ok 1 one", "ok 1 s", ""]);
  assert.equal(reader.isStarted, false);
  assert.deepEqual(results, []);
});

test("the word for some cases", () => {
  const word = (...wanted: readonly number[]): string | null => {
    const all = suite.tests.flatMap(({ cases }) => cases);
    return selectionWord(suite, (_test, row) => wanted.includes(all.indexOf(row)));
  };
  assert.equal(word(0, 1, 2, 3, 4), null);
  assert.equal(word(0), "case=0:0");
  assert.equal(word(1, 2, 4), `case=1:0-1:1,2:0`);
  const rows = Array.from({ length: 400 }, (_, row) => ({ ...(suite.tests[1]?.cases[0] ?? assert.fail()), row }));
  const large: ManifestSuite = { ...suite, tests: [{ ...(suite.tests[1] ?? assert.fail()), cases: rows }] };
  const odd = selectionWord(large, (_test, { row }) => row % 2 === 1) ?? "";
  assert.ok(odd.length <= 700, odd);
  assert.match(odd, /^case=1:1-1:\d+.*,1:399$/);
});

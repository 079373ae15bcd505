// What the formats do with text that means something in them, and what the human reporter tells when.
import assert from "node:assert/strict";
import { test } from "node:test";
import { interruptRun, recordedRun } from "../../tests/fixtures/recorded-run.ts";
import { createMemorySink, report } from "../../tests/fixtures/memory-sink.ts";
import type { RunEvent } from "../events.ts";
import { uuidOf } from "./ctrf.ts";
import { escapeData, escapeMarkdown, escapeProperty } from "./github.ts";
import { createReporter } from "./index.ts";
import { escapeXml } from "./junit.ts";
import { sanitiseName } from "./ktap-dialects.ts";

test("KTAP names hold neither `#` nor line ends, and are never empty", () => {
  assert.equal(sanitiseName("a # SKIP b"), "a %23 SKIP b");
  assert.equal(sanitiseName("one\r\ntwo\tthree"), "one two three");
  assert.equal(sanitiseName("- dash"), "%2d dash");
  assert.equal(sanitiseName("-1 as u32"), "-1 as u32");
  assert.equal(sanitiseName("\n"), "(unnamed)");
});

test("XML text loses only what XML cannot hold", () => {
  assert.equal(escapeXml("<a & b> ]]>"), "&lt;a &amp; b&gt; ]]&gt;");
  assert.equal(escapeXml("a\x00\x1b\x08b\ufffe\ud800c\tz\n"), "abc\tz\n");
  assert.equal(escapeXml("😀"), "😀");
  assert.equal(escapeXml("\r\n"), "&#13;\n");
});

test("workflow commands escape as GitHub undoes it", () => {
  assert.equal(escapeData("50 %\r\n::error::x, y"), "50 %25%0D%0A::error::x, y");
  assert.equal(escapeProperty("a: b, 5 %\n"), "a%3A b%2C 5 %25%0A");
});

test("Markdown table cells stay cells", () => {
  assert.equal(escapeMarkdown("a | `b` <c> & *d*"), "a \\| \\`b\\` &lt;c&gt; &amp; \\*d\\*");
});

test("CTRF ids are version 5 UUIDs of the test's id", () => {
  assert.match(uuidOf("x"), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(uuidOf("x"), uuidOf("x"));
  assert.notEqual(uuidOf("x"), uuidOf("y"));
});

test("an unknown reporter is null, a known one is loaded", async () => {
  assert.equal(await createReporter("dots", createMemorySink()), null);
  assert.notEqual(await createReporter("ktap", createMemorySink()), null);
});

test("the human reporter names passed tests only with -v, and failures at once and at the end", async () => {
  const short = await report("human", recordedRun);
  assert.doesNotMatch(short, /alu::add@/);
  assert.equal([...short.matchAll(/expected sub\.u64\(a, b\) == diff, got/g)].length, 2);
  const long = await report("human", recordedRun, { verbose: true });
  assert.match(long, /PASS .* specs\/alu\.gspec::alu::add@virt\/wasm/);
  assert.match(long, /info quotient rounds towards zero/);
});

test("the summary is the end of the human report", async () => {
  const text = await report("human", recordedRun);
  const [last, coverage] = text.trimEnd().split("\n").slice(-2);
  assert.match(coverage ?? "", /^ +coverage: lines 2 of 3 \(66\.6 %\), /);
  assert.match(last ?? "", /^ +9 passed, 14 failed \(.*\), 4 skipped, 1 flaky, 2 expected failures, 1 cached, 5 deselected$/);
});

test("an interrupted run says so, and how much is missing", async () => {
  assert.match(await report("human", interruptRun(recordedRun)), /interrupted: 19 tests not run/);
  assert.match(await report("human", interruptRun(recordedRun).slice(0, -1)), /the run broke off: 19 tests not run/);
});

test("of very many failures the first are told in full and the rest counted", async () => {
  const failed = recordedRun.find((event) => event.type === "test-finished" && event.verdict === "fail");
  assert.ok(failed !== undefined);
  const events: RunEvent[] = Array.from({ length: 200 }, () => failed);
  const text = await report("human", events);
  assert.match(text, /200 failures:/);
  assert.match(text, /\.\.\. and 150 more failures above; -v tells all in full/);
  assert.equal([...text.matchAll(/rerun {4}guestspec run/g)].length, 50);
});

test("a GitHub summary holds back what GitHub would refuse", async () => {
  const failed = recordedRun.find((event) => event.type === "test-finished" && event.verdict === "fail");
  assert.ok(failed?.type === "test-finished");
  let summary = "";
  const big: RunEvent = { ...failed, console: `${"x".repeat(100)}\n`.repeat(600) };
  await report(
    "github",
    Array.from({ length: 60 }, () => big),
    { summary: { write: (text) => void (summary += text) } },
  );
  assert.ok(summary.length < 1_000_000, `${summary.length}`);
  assert.match(summary, /\.\.\. and \d+ more failures, told in the log\.\n$/);
});

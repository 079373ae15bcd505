// terminal-text.ts, quantities.ts, tally.ts: the small words that all reports are made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { paintFor } from "./paint.ts";
import { countNoun, formatGuestTime, formatWallTime, groupDigits } from "./quantities.ts";
import { createCounts, describeCounts, worstOf } from "./tally.ts";
import { displayWidth, printable, printableLines, truncate } from "./terminal-text.ts";

test("width counts cells: wide characters two, marks and colours none", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("漢字"), 4);
  assert.equal(displayWidth("e\u0301"), 1);
  assert.equal(displayWidth("😀"), 2);
  assert.equal(displayWidth("\x1b[1m\x1b[31mred\x1b[39m\x1b[22m"), 3);
});

test("truncation keeps within the width, never halves a character and closes its colours", () => {
  assert.equal(truncate("abcdef", 6), "abcdef");
  assert.equal(truncate("abcdef", 5), "abcd~");
  assert.equal(truncate("漢字漢字", 6), "漢字~");
  assert.equal(truncate("\x1b[31mabcdef\x1b[39m", 4), "\x1b[31mabc~\x1b[39m");
  assert.equal(truncate("abc", 0), "");
});

test("control characters are shown, not obeyed", () => {
  assert.equal(printable("a\x1b[2Jb\r\n\x00\u202e\ud800"), "a\\x1b[2Jb\\r\\n\\x00\\u202e\\ud800");
  assert.equal(printable("😀 é"), "😀 é");
  assert.deepEqual(printableLines("one\r\ntwo\n\nthree\n"), ["one", "two", "", "three"]);
  assert.deepEqual(printableLines(""), []);
});

test("times have three digits and the unit that fits", () => {
  assert.deepEqual([0, 850, 1000, 12_340, 999_960, 4_560_000, 1_204_000_000].map(formatGuestTime), [
    "0 ns",
    "850 ns",
    "1.00 us",
    "12.3 us",
    "1.00 ms",
    "4.56 ms",
    "1.20 s",
  ]);
  assert.deepEqual([0.0213, 0.41, 12.34, 999.4, 999.6, 1240, 62_000, 3_720_000].map(formatWallTime), [
    "0.02 ms",
    "0.41 ms",
    "12.3 ms",
    "999 ms",
    "1.00 s",
    "1.24 s",
    "1 min 02 s",
    "1 h 02 min",
  ]);
});

test("counts are grouped and their nouns bent", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567].map(groupDigits), ["0", "999", "1,000", "1,234,567"]);
  assert.deepEqual(
    [countNoun(1, "test"), countNoun(1204, "test"), countNoun(2, "earlier access", "earlier accesses")],
    ["1 test", "1,204 tests", "2 earlier accesses"],
  );
});

test("a summary always has the three numbers that people look for", () => {
  const counts = createCounts();
  assert.equal(describeCounts(counts, paintFor(false)), "0 passed, 0 failed, 0 skipped");
  assert.equal(worstOf(counts), null);
  counts.pass = 3;
  counts.crash = 1;
  counts.fail = 2;
  counts.xfail = 1;
  assert.equal(describeCounts(counts, paintFor(false)), "3 passed, 3 failed (1 crashed), 0 skipped, 1 expected failure");
  assert.equal(worstOf(counts), "crash");
});

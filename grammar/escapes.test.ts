// Each escape, and what is read where one is malformed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readEscape } from "./escapes.ts";

for (const [source, text] of [
  ["\\n", "\n"],
  ["\\t", "\t"],
  ["\\r", "\r"],
  ["\\\\", "\\"],
  ['\\"', '"'],
  ["\\'", "'"],
  ["\\0", "\0"],
  ["\\x41", "A"],
  ["\\x7f", "\x7f"],
  ["\\u{e9}", "é"],
  ["\\u{10ffff}", "\u{10ffff}"],
] as const) {
  test(`${source} is read to its end`, () => {
    assert.deepEqual(readEscape(`ab${source}cd`, 2), { text, end: 2 + source.length, fault: null });
  });
}

for (const [source, text, length, message] of [
  ["\\q", "q", 2, /unknown escape `\\q`/],
  ["\\x80", "", 2, /at most `7f`/],
  ["\\x4", "", 2, /two hexadecimal digits/],
  ["\\u41", "", 2, /a code point in braces/],
  ["\\u{d800}", "", 8, /a code point in braces/],
  ["\\u{110000}", "", 10, /a code point in braces/],
  ["\\\n", "", 1, /at the end of a line/],
] as const) {
  test(`${JSON.stringify(source)} is at fault`, () => {
    const { fault, ...read } = readEscape(source, 0);
    assert.deepEqual(read, { text, end: length });
    assert.match(fault?.message ?? "", message);
    assert.equal(fault?.end, length);
  });
}

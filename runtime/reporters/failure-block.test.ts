// The block that tells a failure to people: it stays short whatever there is to tell, and nothing in it can break out of its line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, finished } from "../../tests/fixtures/events.ts";
import type { TestFinished } from "../events.ts";
import { formatFailureBlock, summariseFailure } from "./failure-block.ts";
import { paintFor } from "./paint.ts";

const plain = paintFor(false);

const aCheck = { kind: "check", message: "expected a == b, got 1" } as const;

const many = (count: number, text: string): string[] => Array.from({ length: count }, (_, index) => `${text} ${index + 1}`);

const everything = finished({
  verdict: "fail",
  failures: [
    failure({
      ...aCheck,
      note: many(5, "note").join("\n"),
      related: [
        {
          text: "the row",
          frame: { path: "t.yaml", line: 1, column: 1, endColumn: 2, label: "", lines: [{ number: 1, text: "row" }] },
        },
      ],
      frame: {
        path: "a.gspec",
        line: 12,
        column: 3,
        endColumn: 9,
        label: "here",
        lines: many(9, "line").map((text, index) => ({ number: index + 8, text })),
      },
      values: many(12, "operand").map((text) => ({ text, value: "0x01", type: "u8" })),
      details: many(30, "dump"),
      hints: many(3, "try"),
      trap: { class: "load-fault", pc: "0x10", function: "f", address: "0x0", access: "read of 4 bytes" },
      accesses: many(40, "access"),
      interrupts: many(8, "raise"),
    }),
    ...many(6, "second thoughts").map((message) => failure({ ...aCheck, message })),
  ],
  infos: many(9, "progress").map((text) => ({ file: "a.gspec", line: 4, text })),
  console: many(100, "console").join("\n"),
});

test("a block stays within twenty lines, whatever there is to tell, and keeps what matters most", () => {
  const lines = formatFailureBlock(everything, { paint: plain, columns: 100, isFull: false });
  assert.ok(lines.length <= 20, `${lines.length} lines`);
  const text = lines.join("\n");
  for (const part of [
    "expected a == b, got 1",
    "a.gspec:12:3",
    "^^^^ here",
    "operand 1",
    "load-fault at pc 0x10 in f",
    "access 40",
    "console 100",
    "guestspec run 's::t' --seed 1",
  ])
    assert.ok(text.includes(part), `${part} is missing:\n${text}`);
});

test("what is cut is counted: the lines shown and those left out make the whole", () => {
  const lines = formatFailureBlock(everything, { paint: plain, columns: 100, isFull: false });
  const left = /\.\.\. (\d+) earlier accesses \(-v shows all\)/.exec(lines.join("\n"));
  const shown = lines.filter((line) => /\baccess \d+$/.test(line)).length;
  assert.equal(Number(left?.[1]) + shown, 40);
});

test("the full block has every line of it", () => {
  const text = formatFailureBlock(everything, { paint: plain, columns: Infinity, isFull: true }).join("\n");
  for (const [count, word] of [
    [40, "access"],
    [30, "dump"],
    [12, "operand"],
    [100, "console"],
    [9, "progress"],
    [6, "second thoughts"],
    [8, "raise"],
  ] as const)
    for (let index = 1; index <= count; index++) assert.match(text, new RegExp(`${word} ${index}\\b`));
  assert.doesNotMatch(text, /-v shows all/);
});

test("colour changes no word", () => {
  const options = { columns: 100, isFull: false };
  const painted = formatFailureBlock(everything, { ...options, paint: paintFor(true) });
  assert.deepEqual(
    painted.map((line) => line.replace(/\p{Cc}\[\d+m/gu, "")),
    formatFailureBlock(everything, { ...options, paint: plain }),
  );
  assert.notDeepEqual(painted, formatFailureBlock(everything, { ...options, paint: plain }));
});

function frameOf(text: string, column: number, endColumn: number, columns = 100): string[] {
  const frame = { path: "a.gspec", line: 1, column, endColumn, label: "", lines: [{ number: 1, text }] };
  const lines = formatFailureBlock(finished({ verdict: "fail", failures: [failure({ ...aCheck, frame })], repro: "" }), {
    paint: plain,
    columns,
    isFull: false,
  });
  return lines.slice(3);
}

test("carets stand below what they mark, behind tabs and wide characters too", () => {
  assert.deepEqual(frameOf("expect a == b", 8, 14), ["   1 | expect a == b", "     |        ^^^^^^"]);
  assert.deepEqual(frameOf("\texpect a", 9, 10), ["   1 |     expect a", "     |            ^"]);
  // Two wide characters take four cells: the mark on `x` moves two to the right.
  assert.deepEqual(frameOf('f("漢字", x)', 8, 9), ['   1 | f("漢字", x)', "     |          ^"]);
});

test("an empty or reversed range still has a caret", () => {
  assert.deepEqual(frameOf("abc", 2, 2), ["   1 | abc", "     |  ^"]);
  assert.deepEqual(frameOf("abc", 4, 1), ["   1 | abc", "     |    ^"]);
});

test("a long line is shifted so that the marked part is in view", () => {
  const [source = "", carets = ""] = frameOf(`${"x".repeat(300)}HERE${"y".repeat(300)}`, 301, 305, 60);
  assert.ok(source.length <= 60 && carets.length <= 60);
  assert.equal(source.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1), "HERE");
});

test("a guest cannot move the cursor or fake lines through names, messages or its console", () => {
  const evil = "\x1b[2J\rFAKE\u202e\nPASS";
  const lines = formatFailureBlock(
    finished({
      verdict: "fail",
      id: evil,
      console: evil,
      repro: evil,
      failures: [failure({ kind: "check", message: evil, note: evil, hints: [evil], values: [{ text: evil, value: evil, type: evil }] })],
    }),
    { paint: plain, columns: 100, isFull: true },
  );
  for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\u202e]/u);
  assert.ok(lines.every((line) => !line.startsWith("PASS")));
});

test("a failed test without a failure says why in words", () => {
  const summary = (parts: Partial<TestFinished>): string => summariseFailure(finished({ verdict: "fail", ...parts }));
  assert.equal(summary({ verdict: "xpass", reason: "issue 4" }), "passed, but was expected to fail: issue 4 (a.gspec:3)");
  assert.equal(summary({ verdict: "error", reason: "worker died" }), "ended as error: worker died (a.gspec:3)");
});

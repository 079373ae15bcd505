// The renderer of diagnostics: marks under the right characters, several labels on a line, several files, narrow terminals, colour, JSON.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Diagnostic, Label } from "../../grammar/diagnostic.ts";
import type { Source } from "../../grammar/source.ts";
import { diagnosticsAsJson, renderDiagnostics } from "./render.ts";
import { layLine, sliceColumns } from "./text-width.ts";

function label(source: Source, piece: string, text: string): Label {
  const start = source.text.indexOf(piece);
  assert.ok(start !== -1);
  return { span: { source, start, end: start + piece.length }, text };
}

function error(labels: readonly [Label, ...Label[]], more: Partial<Diagnostic> = {}): Diagnostic {
  return { code: "E0501", severity: "error", message: "the types differ", labels, ...more };
}

function render(list: readonly Diagnostic[], width = 100): string {
  return renderDiagnostics(list, { color: false, width });
}

const source: Source = { path: "specs/a.gspec", text: "fn f() {\n  let total = first + second\n\n\treturn ünï日本 + x\n}\n" };

describe("renderDiagnostics", () => {
  test("puts the primary mark, the other labels and the footer where rustc puts them", () => {
    const diagnostic = error([label(source, "second", "this is `u8`"), label(source, "first", "this is `u32`")], {
      notes: ["widths never mix"],
      help: "write `second as u32`",
    });
    assert.equal(
      render([diagnostic]),
      [
        "error[E0501]: the types differ",
        " --> specs/a.gspec:2:23",
        "  |",
        "2 |   let total = first + second",
        "  |               -----   ^^^^^^ this is `u8`",
        "  |               |",
        "  |               this is `u32`",
        "  |",
        "  = note: widths never mix",
        "  = help: write `second as u32`",
        "  = see: guestspec explain E0501",
        "",
        "1 error",
        "",
      ].join("\n"),
    );
  });

  test("joins neighbouring lines and marks a gap between distant ones", () => {
    const text = render([error([label(source, "x", "here"), label(source, "fn", "in this function"), label(source, "total", "and this")])]);
    assert.match(text, /1 \| fn f\(\) \{\n {2}\| -- in this function\n2 \| {3}let total/);
    assert.match(text, /\n {2}\|\n4 \| /);
  });

  test("counts tabs and wide characters as they are shown", () => {
    const lines = render([error([label(source, "x", "here")])]).split("\n");
    assert.equal(lines[3], "4 |     return ünï日本 + x");
    // Two columns for each of the two wide characters.
    assert.equal(lines[4], "  |                      ^ here");
  });

  test("an empty span at the end of a line still has a mark", () => {
    const end = source.text.indexOf("\n");
    const text = render([error([{ span: { source, start: end, end }, text: "expected `}` here" }])]);
    assert.match(text, /1 \| fn f\(\) \{\n {2}\| {9}\^ expected/);
  });

  test("a mark over several lines ends with its first", () => {
    const text = render([error([{ span: { source, start: 7, end: 60 }, text: "this block" }])]);
    assert.match(text, /1 \| fn f\(\) \{\n {2}\| {8}\^ this block/);
  });

  test("names every file", () => {
    const other: Source = { path: "specs/b.gspec", text: "const N = 1\n" };
    const text = render([error([label(source, "x", "used here"), label(other, "N", "declared here")])]);
    assert.match(text, / --> specs\/a.gspec:4:17\n/);
    assert.match(text, / ::: specs\/b.gspec:1:7\n {2}\|\n1 \| const N = 1\n {2}\| {7}- declared here/);
  });

  test("cuts long lines around the mark", () => {
    const long: Source = { path: "long.gspec", text: `${"a".repeat(200)} wrong ${"b".repeat(200)}` };
    const [, , , line = "", marks = ""] = render([error([label(long, "wrong", "here")])], 60).split("\n");
    assert.ok(line.length <= 60, line);
    assert.equal(line.slice(marks.indexOf("^"), marks.lastIndexOf("^") + 1), "wrong");
    assert.ok(line.includes(".."));
  });

  test("shows control characters as marks", () => {
    const dirty: Source = { path: "dirty.gspec", text: "a \u001b[31m b \u202e c" };
    const text = render([error([label(dirty, "c", "here")])]);
    assert.ok(!text.includes("\u001b") && !text.includes("\u202e"));
  });

  test("sorts by file and place, shows 20 and counts all; errors go before warnings", () => {
    const many: Diagnostic[] = Array.from({ length: 25 }, (_, i) =>
      error([{ span: { source, start: 24 - i, end: 25 - i }, text: "" }], { message: `number ${24 - i}` }),
    );
    many.push(error([label(source, "fn", "")], { severity: "warning", code: "W0701", message: "a warning" }));
    const text = render(many);
    assert.deepEqual(
      [...text.matchAll(/number (\d+)/g)].map((match) => Number(match[1])),
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.ok(!text.includes("a warning"));
    assert.match(text, /\.\. and 6 more\n\n25 errors, 1 warning\n$/);
  });

  test("nothing gives nothing", () => {
    assert.equal(render([]), "");
  });

  test("colour changes no character", () => {
    const list = [error([label(source, "second", "b"), label(source, "first", "a")], { notes: ["n"], help: "h" })];
    const colored = renderDiagnostics(list, { color: true, width: 100 });
    assert.ok(colored.includes("\u001b[1;31merror[E0501]\u001b[0m"));
    // oxlint-disable-next-line no-control-regex
    assert.equal(colored.replaceAll(/\u001b\[[0-9;]*m/g, ""), renderDiagnostics(list, { color: false, width: 100 }));
  });
});

test("diagnosticsAsJson gives lines and columns", () => {
  const [first] = diagnosticsAsJson([error([label(source, "first + second", "sum")], { fix: { span: label(source, "x", "").span, text: "y" } })]);
  assert.deepEqual(first, {
    code: "E0501",
    severity: "error",
    message: "the types differ",
    labels: [{ path: "specs/a.gspec", line: 2, column: 15, endLine: 2, endColumn: 29, text: "sum" }],
    notes: [],
    help: null,
    fix: { path: "specs/a.gspec", line: 4, column: 17, endLine: 4, endColumn: 18, text: "y" },
  });
});

describe("layLine", () => {
  test("columns of tabs, wide, combining and astral characters", () => {
    assert.deepEqual(layLine("\ta").columns, [0, 4, 5]);
    assert.deepEqual(layLine("日a").columns, [0, 2, 3]);
    assert.deepEqual(layLine("e\u0301x").columns, [0, 1, 1, 2]);
    assert.deepEqual(layLine("\u{1f600}x").columns, [0, 0, 2, 3]);
  });

  test("slices never cut a wide character in two", () => {
    assert.equal(sliceColumns("日本語", 1, 4), "本");
  });
});

// The formatter's output for each construct; and over every spec of the project: formatting keeps the tree and the comments, and what is
// formatted stays as it is.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatText } from "../../grammar/format/format-text.ts";
import { parseFile } from "../../grammar/parser.ts";
import { printAst } from "../../grammar/print-ast.ts";
import { goldenFolder, goldenInputs } from "../goldens.ts";

function format(path: string, text: string): string {
  const formatted = formatText({ path, text }, (diagnostic) => assert.fail(`${path}: ${diagnostic.message}`));
  assert.ok(formatted !== null);
  return formatted;
}

goldenFolder({ name: "format", folder: "tests/format", inputs: [".gspec"], expected: ".formatted", produce: ({ path, text }) => format(path, text) });

describe("formatting changes no meaning", () => {
  for (const folder of ["tests/parse", "tests/format", "lib", "specs"]) {
    for (const { path, text } of goldenInputs(folder, [".gspec"])) {
      test(path, () => {
        const once = format(path, text);
        const before = parseFile({ path, text }, () => {});
        const after = parseFile({ path, text: once }, () => {});
        assert.equal(printAst(after), printAst(before));
        assert.deepEqual(
          after.comments.map((comment) => comment.text),
          before.comments.map((comment) => comment.text),
        );
        assert.equal(format(path, once), once);
        assert.ok(
          once.split("\n").every((line) => line === line.trimEnd()),
          "no blanks at line ends",
        );
      });
    }
  }

  test("a text with errors is left alone", () => {
    const codes: string[] = [];
    assert.equal(
      formatText({ path: "x.gspec", text: 'tset "a" {}' }, ({ code }) => codes.push(code)),
      null,
    );
    assert.deepEqual(codes, ["E0203"]);
  });
});

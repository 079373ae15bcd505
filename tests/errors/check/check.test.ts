// Whole rendered reports for programs that parse and do not check: every mistake once, at its place, with its cause and with help.

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderDiagnostics } from "../../../compiler/diagnostics/render.ts";
import { compileFiles, type BOARDS } from "../../fixtures/compile.ts";
import { compareGolden, goldenFolder, type GoldenInput } from "../../goldens.ts";

const reportFor =
  (target: keyof typeof BOARDS) =>
  ({ path }: GoldenInput): string => {
    const { diagnostics } = compileFiles([path], { target });
    return renderDiagnostics(diagnostics, { color: false, width: 120, limit: 100 });
  };

test("twenty mistakes in one file give twenty reports in one run", () => {
  const path = "tests/errors/twenty.gspec";
  const { diagnostics } = compileFiles([path]);
  compareGolden("tests/errors/twenty.txt", renderDiagnostics(diagnostics, { color: false, width: 120 }));
  assert.equal(diagnostics.length, 20);
});

goldenFolder({
  name: "errors of the checker",
  folder: "tests/errors/check",
  inputs: [".gspec", ".gspec.yaml"],
  expected: ".txt",
  produce: reportFor("bytecode"),
});
// Files as somebody writes them who has never seen the language: the first report leads to the right form, and nothing follows from it.
goldenFolder({ name: "habits of other languages", folder: "tests/errors/habits", inputs: [".gspec"], expected: ".txt", produce: reportFor("bytecode") });
goldenFolder({ name: "errors for riscv64", folder: "tests/errors/riscv64", inputs: [".gspec"], expected: ".txt", produce: reportFor("riscv64") });

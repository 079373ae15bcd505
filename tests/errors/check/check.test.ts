// Whole rendered reports for programs that parse and do not check: every mistake once, at its place, with its cause and with help.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { renderDiagnostics } from "../../../compiler/diagnostics/render.ts";
import { compile } from "../../../compiler/index.ts";
import { loadMachine } from "../../../machines/load-machine.ts";
import { compareGolden, goldenFolder, type GoldenInput } from "../../goldens.ts";

const root = join(import.meta.dirname, "../../..");
const description = loadMachine("bytecode-virt");
if (description?.ok !== true) throw new Error("the machine description does not load");
const { machine } = description;

function readFile(path: string): string | null {
  const file = join(root, path);
  return existsSync(file) && statSync(file).isFile() ? readFileSync(file, "utf8") : null;
}

function report({ path }: GoldenInput): string {
  const { diagnostics } = compile([path], { machine, readFile, libDirectory: "lib/" });
  return renderDiagnostics(diagnostics, { color: false, width: 120, limit: 100 });
}

test("twenty mistakes in one file give twenty reports in one run", () => {
  const path = "tests/errors/twenty.gspec";
  const { diagnostics } = compile([path], { machine, readFile, libDirectory: "lib/" });
  compareGolden("tests/errors/twenty.txt", renderDiagnostics(diagnostics, { color: false, width: 120 }));
  assert.equal(diagnostics.length, 20);
});

goldenFolder({ name: "errors of the checker", folder: "tests/errors/check", inputs: [".gspec", ".gspec.yaml"], expected: ".txt", produce: report });

// The table of codes against the truth: every code in the sources is explained and has a golden, every explained one is emitted, and
// the examples do what their explanations say when they are compiled.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nearestName } from "../../grammar/nearest-name.ts";
import { compileFiles } from "../../tests/fixtures/compile.ts";
import { root } from "../../tools/project.mjs";
import { compilerCodes, findCode, listCodes } from "./codes.ts";

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(root, folder, name));
}

function codesIn(files: readonly string[], pattern: RegExp): ReadonlySet<string> {
  return new Set(files.flatMap((file) => [...readFileSync(file, "utf8").matchAll(pattern)].map((match) => match[1] ?? "")));
}

/** Codes and messages of a text alone in its file. */
function compileExample(code: string, example: string): readonly string[] {
  const needsSuite = code !== "E0701" && /^(?:@.*\n)?test /m.test(example) && !/^suite /m.test(example);
  const text = needsSuite ? `suite "example"\n\n${example}` : example;
  // A test of another target shows what is checked for that target only.
  const target = /^test "[^"]*" on riscv64/m.test(example) ? "riscv64" : "bytecode";
  const { diagnostics } = compileFiles(["example.gspec"], { texts: { "example.gspec": text }, target, keepsLibrary: true });
  return diagnostics.map((diagnostic) => `${diagnostic.code} ${diagnostic.message}`);
}

/** Only a target that is not complete has these; tools/new-target.isolated.test.ts makes one and looks. */
const isLowering = (code: string): boolean => code.startsWith("E08");

describe("diagnostic codes of the compiler", () => {
  for (const { code, title, explanation } of compilerCodes.filter((known) => !isLowering(known.code))) {
    test(`${code} ${title}`, () => {
      const [wrong, right] = [...explanation.matchAll(/```gspec\n([^]*?)\n```/g)].map((match) => match[1] ?? "");
      assert.ok(wrong !== undefined && right !== undefined, "two examples");
      const told = compileExample(code, wrong);
      assert.deepEqual([...new Set(told.map((line) => line.slice(0, 5)))], [code], told.join("\n"));
      assert.deepEqual(compileExample(code, right), []);
    });
  }

  test("the table holds exactly the codes that the compiler emits", () => {
    const sources = filesBelow("compiler", ".ts").filter((file) => !file.endsWith(".test.ts") && !file.endsWith("codes.ts"));
    const emitted = codesIn(sources, /"([EW]0\d{3})"/g);
    assert.deepEqual(
      compilerCodes.map(({ code }) => code),
      [...emitted].toSorted(),
    );
  });

  test("every code has a golden", () => {
    const shown = codesIn(filesBelow("tests/errors", ".txt"), /^(?:error|warning)\[([EW]0\d{3})\]/gm);
    assert.deepEqual(
      listCodes()
        .map(({ code }) => code)
        .filter((code) => !shown.has(code) && !isLowering(code)),
      [],
    );
  });

  test("a code stands in one table only", () => {
    const all = listCodes().map(({ code }) => code);
    assert.equal(new Set(all).size, all.length);
  });

  test("codes are found by name", () => {
    assert.equal(findCode("E0401")?.title, "unknown name");
    assert.equal(findCode("E0102")?.title, "string without closing quote");
    assert.equal(findCode("E9999"), undefined);
    assert.equal(
      nearestName(
        "E041",
        listCodes().map(({ code }) => code),
      ),
      "E0401",
    );
  });
});

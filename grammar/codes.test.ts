// Every code's examples do what its explanation says, and the table holds exactly the codes that the grammar emits.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { grammarCodes } from "./codes.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { parseFile } from "./parser.ts";
import { parseYamlFile } from "./yaml/read-yaml-spec.ts";

function codesOf(kind: string, text: string): readonly string[] {
  const list: Diagnostic[] = [];
  if (kind === "yaml") parseYamlFile({ path: "example.gspec.yaml", text }, (diagnostic) => list.push(diagnostic));
  else parseFile({ path: "example.gspec", text }, (diagnostic) => list.push(diagnostic));
  return list.map(({ code }) => code);
}

describe("diagnostic codes of the grammar", () => {
  for (const { code, title, explanation } of grammarCodes) {
    test(`${code} ${title}`, () => {
      const [wrong, right] = [...explanation.matchAll(/```(gspec|yaml)\n([^]*?)\n```/g)];
      assert.ok(wrong !== undefined && right !== undefined, "two examples");
      assert.ok(
        codesOf(wrong[1] ?? "", wrong[2] ?? "").includes(code),
        `the wrong example gives ${codesOf(wrong[1] ?? "", wrong[2] ?? "").join(", ") || "nothing"}`,
      );
      assert.deepEqual(codesOf(right[1] ?? "", right[2] ?? ""), []);
    });
  }

  test("the table is sorted and without gaps against the sources", () => {
    const listed = grammarCodes.map(({ code }) => code);
    assert.deepEqual(listed, listed.toSorted());
    const folder = import.meta.dirname;
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && name !== "codes.ts",
    );
    const emitted = new Set(files.flatMap((name) => [...readFileSync(join(folder, name), "utf8").matchAll(/"(E0\d{3})"/g)].map((match) => match[1] ?? "")));
    assert.deepEqual([...emitted].toSorted(), listed);
  });
});

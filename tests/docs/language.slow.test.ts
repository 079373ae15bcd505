// The reference's examples, compiled and run: whatever docs/language.md says in a `gspec` or `yaml` fence is a spec that passes.
// Fences that show fragments are marked `text`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isGood } from "../../runtime/events.ts";
import { compileFiles } from "../fixtures/compile.ts";
import { runImages, testsOf } from "../specs/run-all.ts";

interface Example {
  readonly path: string;
  readonly text: string;
  readonly line: number;
}

function examplesOf(document: string): readonly Example[] {
  const text = readFileSync(document, "utf8");
  return [...text.matchAll(/^```(gspec|yaml)\n([\s\S]*?)^```/gm)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return { path: `${document}:${line}.gspec${match[1] === "yaml" ? ".yaml" : ""}`, text: match[2] ?? "", line };
  });
}

const examples = examplesOf("docs/language.md");

test("the reference has examples", () => {
  assert.ok(examples.length >= 15, `${examples.length} examples`);
});

for (const example of examples) {
  test(`example at ${example.path}`, async () => {
    const { diagnostics, images } = compileFiles([example.path], { texts: { [example.path]: example.text }, keepsLibrary: true });
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    assert.deepEqual(
      errors.map(({ code, message }) => `${code} ${message}`),
      [],
    );
    // What is for another target runs there; here it must compile.
    if (/^suite .* on riscv64$/m.test(example.text)) {
      const there = compileFiles([example.path], { texts: { [example.path]: example.text }, target: "riscv64", keepsLibrary: true });
      assert.deepEqual(
        there.diagnostics.map(({ code, message }) => `${code} ${message}`),
        [],
      );
    }
    const results = testsOf(await runImages(images, { executor: "interpreter" }));
    assert.deepEqual(
      results.filter(({ verdict }) => !isGood(verdict)).map((result) => `${result.test}: ${result.failures[0]?.message}`),
      [],
    );
  });
}

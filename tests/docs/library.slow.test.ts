// docs/library.md and docs/library-targets.md are what tools/library-doc.ts makes of the library, and every example in the former runs (the
// others in library-targets.isolated.test.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { isGood } from "../../runtime/events.ts";
import { examplesOf, readLibrary, readTargetModules, renderLibrary, renderTargetModules } from "../../tools/library-doc.ts";
import { compileFiles } from "../fixtures/compile.ts";
import { compareGolden } from "../goldens.ts";
import { runImages, testsOf } from "../specs/run-all.ts";

const folder = new URL("../../lib/", import.meta.url);
const modules = readLibrary(folder);
const targets = readTargetModules(folder);

test("docs/library.md is the library's", () => compareGolden("docs/library.md", renderLibrary(modules)));

test("docs/library-targets.md is the library's", () => compareGolden("docs/library-targets.md", renderTargetModules(targets)));

test("every module tells what it is for", () => {
  assert.deepEqual(
    [...modules, ...targets.flatMap((target) => target.modules)].filter(({ introduction }) => introduction === "").map(({ name }) => name),
    [],
  );
});

for (const { name, code } of examplesOf(modules)) {
  test(`the example of ${name} holds`, async () => {
    const path = "example.gspec";
    // An example that only shows a call checks nothing itself.
    const text = `suite "library"\n\ntest "example" {\n${code}\nexpect true\n}\n`;
    const { diagnostics, images } = compileFiles([path], { texts: { [path]: text } });
    assert.deepEqual(
      diagnostics.map(({ code: number, message }) => `${number} ${message}`),
      [],
    );
    const results = testsOf(await runImages(images, { executor: "interpreter" }));
    assert.deepEqual(
      results.filter(({ verdict }) => !isGood(verdict)).map(({ failures }) => failures[0]?.message),
      [],
    );
  });
}

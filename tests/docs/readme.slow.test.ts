// The README's example is run, and what it prints is what the README shows; wall-clock times apart, nothing may differ.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compile } from "../../compiler/index.ts";
import { bytecodeVirt, readText, runImages, testsOf } from "../specs/run-all.ts";

const readme = readFileSync("README.md", "utf8");
const fence = (language: string): string => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "m").exec(readme)?.[1] ?? "";
const withoutTimes = (text: string): string => text.replace(/\d+(\.\d+)? (us|ms|s)\b/g, "T");

test("the README's example has the shown result", async () => {
  const path = "edu.gspec";
  const source = fence("gspec");
  assert.ok(source.split("\n").length <= 16, "a 15-line example");
  const { images } = compile([path], { machine: bytecodeVirt, libDirectory: "lib/", readFile: (name) => (name === path ? source : readText(name)) });
  const results = testsOf(await runImages(images, { executor: "interpreter" }));
  assert.deepEqual(results.map(({ verdict }) => verdict), ["pass", "fail"]);
  const shown = withoutTimes(fence("text"));
  const [, failed] = results;
  if (failed === undefined) throw new Error("two tests were expected");
  for (const line of [failed.id, `x ${failed.failures[0]?.message}`, `rerun    ${failed.repro}`, ...failed.failures.flatMap(({ accesses }) => accesses.slice(-2).map(withoutTimes))]) {
    assert.ok(shown.includes(line), `the README does not show: ${line}`);
  }
});

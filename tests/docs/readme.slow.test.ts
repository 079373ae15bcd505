// The README's example is run, and what the human reporter makes of it is what the README shows; times, and what goes with them, apart,
// nothing may differ. Its commands' tables are those of the tool, and its links lead somewhere.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT_CODES } from "../../bin/exit-codes.ts";
import { formatText } from "../../grammar/format/format-text.ts";
import type { RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { compileFiles } from "../fixtures/compile.ts";
import { report } from "../fixtures/memory-sink.ts";
import { runImages, testsOf } from "../specs/run-all.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const fence = (language: string): string => new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m").exec(readme)?.[1] ?? "";

/** Numbers with units, and the blanks that align them, are the host's or change with the library. */
const withoutTimes = (text: string): string =>
  text
    .replace(/ *[\d.,]+ (ns|us|ms|s|instructions)\b/g, " T")
    .replace(/^guestspec [\d.]+/, "guestspec")
    .replaceAll(" --seed 0", "");

const withTimes = (event: RunEvent): RunEvent =>
  event.type === "test-finished" || event.type === "suite-finished" || event.type === "run-finished" ? { ...event, wallMs: 1.5 } : event;

test("the README's example prints what is shown", async () => {
  const path = "edu.gspec";
  const source = fence("gspec");
  assert.equal(
    formatText({ path, text: source }, ({ message }) => assert.fail(message)),
    source,
    "it is formatted",
  );
  const { images } = compileFiles([path], { texts: { [path]: source } });
  const events = await runImages(images, { executor: "interpreter", texts: { [path]: source } });
  assert.deepEqual(
    testsOf(events).map(({ verdict }) => verdict),
    ["pass", "fail"],
  );
  assert.equal(withoutTimes(await report("human", events.map(withTimes))), withoutTimes(fence("text")));
});

test("the README's exit codes are the tool's", () => {
  const rows = [...readme.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(
    rows,
    EXIT_CODES.map(([code]) => code),
  );
});

for (const document of ["README.md", "CONTRIBUTING.md", "docs/language.md", "docs/library.md", "docs/architecture.md", "docs/events.md"]) {
  test(`links of ${document} lead to files`, () => {
    const text = readFileSync(join(root, document), "utf8");
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
    assert.deepEqual(
      links.filter((link) => !existsSync(join(root, document, "..", link))),
      [],
    );
  });
}

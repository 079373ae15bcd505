// Files that documents name must be there: a reader who follows a name that is gone has lost the thread, and trust. Only what stands in
// backticks and begins with a folder of ours is taken for a path. Links are looked at in readme.slow.test.ts.
import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../tools/project.mjs";

/** What a how-to makes up, and what stands for any name. */
const INVENTED = /doorbell|mips64|score\.ts|NAME|<target>/;

const folders = new Set(readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])));
const documents = globSync(["README.md", "CONTRIBUTING.md", "bench/README.md", "docs/*.md", "docs/howto/*.md"], { cwd: root });

/** Paths that a text names, each with its line. Fenced blocks are examples, of which some write files. */
function pathsIn(text: string): readonly (readonly [line: number, path: string])[] {
  const prose = text.replace(/^ *```[^]*?^ *```/gm, (block) => block.replace(/[^\n]/g, ""));
  return prose.split("\n").flatMap((line, index) =>
    [...line.matchAll(/`([\w.*{},/<>-]+)`/g)].flatMap(([, word = ""]) => {
      const [top = "", ...rest] = word.split("/");
      return rest.length > 0 && folders.has(top) ? [[index + 1, word] as const] : [];
    }),
  );
}

/** A file, a folder, several by a pattern, or all tests of a name, as `npm test` takes them. */
function isThere(path: string): boolean {
  return existsSync(join(root, path)) || globSync([path.replace(/\/$/, ""), `${path}.*`], { cwd: root }).length > 0;
}

test("files that documents name are there", () => {
  assert.ok(documents.length > 10);
  const missing = documents.flatMap((document) =>
    pathsIn(readFileSync(join(root, document), "utf8"))
      .filter(([, path]) => !INVENTED.test(path) && !isThere(path))
      .map(([line, path]) => `${document}:${line}: ${path}`),
  );
  assert.deepEqual(missing, []);
});

test("a path is told from other words, and a missing one from one that is there", () => {
  const text = "`lib/time.gspec` and `a/b`\n\n```sh\ncat `lib/none`\n```\n`tests/qtest/*.scripts.ts`, `tests/layers`";
  assert.deepEqual(pathsIn(text), [
    [1, "lib/time.gspec"],
    [6, "tests/qtest/*.scripts.ts"],
    [6, "tests/layers"],
  ]);
  assert.ok(pathsIn(text).every(([, path]) => isThere(path)));
  assert.ok(!isThere("lib/none") && !isThere("lib/none/*.gspec"));
});

// What an entry of the cache is made from: the spec's own files, the library, what was looked for in vain; nothing where there are warnings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashBytes } from "../compiler/images/content-hash.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { findSources } from "./compiled-from.ts";
import { LIB_FOLDER, PROJECT_FILE } from "./places.ts";

const asked = new Map<string, string | null>([
  ["a.gspec", "suite a"],
  ["b.gspec", "suite b"],
  ["shared.gspec", "module"],
  ["missing.gspec", null],
  [`${LIB_FOLDER}irq.gspec`, "library"],
]);

function warningIn(path: string): Diagnostic {
  return { code: "W0001", severity: "warning", message: "m", labels: [{ span: { source: { path, text: "" }, start: 0, end: 0 }, text: "" }] };
}

test("an entry is made from its own files, the library, and what was looked for in vain", () => {
  const sources = findSources(asked, [])(["a.gspec", "shared.gspec"]);
  assert.deepEqual(
    sources?.map(({ path }) => path),
    ["a.gspec", "shared.gspec", "missing.gspec", `${LIB_FOLDER}irq.gspec`, PROJECT_FILE],
  );
  assert.equal(sources?.find(({ path }) => path === "shared.gspec")?.hash, hashBytes("module"));
  assert.equal(sources?.find(({ path }) => path === "missing.gspec")?.hash, null);
});

test("a spec with a warning, its own or one of a file that it uses, is not kept; others are", () => {
  const sourcesOf = findSources(asked, [warningIn("shared.gspec")]);
  assert.equal(sourcesOf(["a.gspec", "shared.gspec"]), null);
  assert.notEqual(sourcesOf(["b.gspec"]), null);
});

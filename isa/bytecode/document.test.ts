// The specification's generated tables are goldens like others: GUESTSPEC_BLESS=1 brings them up to date.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compareGolden } from "../../tests/goldens.ts";
import { root } from "../../tools/project.mjs";
import { updateDocument } from "./document.ts";
import { INSTRUCTIONS } from "./instructions.ts";

test("docs/bytecode.md has the instruction table as it is", () => {
  const path = "docs/bytecode.md";
  compareGolden(path, updateDocument(readFileSync(join(root, path), "utf8")));
});

test("opcodes and names are used once", () => {
  assert.equal(new Set(INSTRUCTIONS.map((row) => row.code)).size, INSTRUCTIONS.length);
  assert.equal(new Set(INSTRUCTIONS.map((row) => row.name)).size, INSTRUCTIONS.length);
});

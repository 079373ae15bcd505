import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { updateDocument } from "./document.ts";
import { INSTRUCTIONS } from "./instructions.ts";

const document = readFileSync(new URL("../../docs/bytecode.md", import.meta.url), "utf8");

test("docs/bytecode.md has the instruction table as it is", () => {
  assert.equal(document, updateDocument(document));
});

test("opcodes and names are used once", () => {
  assert.equal(new Set(INSTRUCTIONS.map((row) => row.code)).size, INSTRUCTIONS.length);
  assert.equal(new Set(INSTRUCTIONS.map((row) => row.name)).size, INSTRUCTIONS.length);
});

// Classes of exceptions, and the trap classes that all targets know.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { EXCEPTION_CLASSES } from "./traps.ts";

test("classes have one code and one name each, and classes that all targets know", () => {
  assert.equal(new Set(EXCEPTION_CLASSES.map(({ code }) => code)).size, EXCEPTION_CLASSES.length);
  assert.equal(new Set(EXCEPTION_CLASSES.map(({ name }) => name)).size, EXCEPTION_CLASSES.length);
  for (const row of EXCEPTION_CLASSES) assert.ok(TRAP_CLASSES.includes(row.class));
});

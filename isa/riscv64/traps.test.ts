// Codes of exceptions, and the classes that all targets know.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { EXCEPTIONS } from "./traps.ts";

test("every exception has its own code and name and a class that all targets know", () => {
  assert.equal(new Set(EXCEPTIONS.map(({ code }) => code)).size, EXCEPTIONS.length);
  assert.equal(new Set(EXCEPTIONS.map(({ name }) => name)).size, EXCEPTIONS.length);
  for (const exception of EXCEPTIONS) assert.ok(TRAP_CLASSES.includes(exception.class));
});

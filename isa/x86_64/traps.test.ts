// Vectors, error codes and classes of exceptions, as in the manual.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { EXCEPTIONS } from "./traps.ts";

test("every exception has its own vector and name and a class that all targets know", () => {
  assert.equal(new Set(EXCEPTIONS.map(({ code }) => code)).size, EXCEPTIONS.length);
  assert.equal(new Set(EXCEPTIONS.map(({ name }) => name)).size, EXCEPTIONS.length);
  for (const { code, class: trapClass } of EXCEPTIONS) {
    // The others are those of devices and software.
    assert.ok(code < 32);
    assert.ok(TRAP_CLASSES.includes(trapClass));
  }
});

test("the vectors with an error code are those of the manual", () => {
  const vectors = EXCEPTIONS.filter(({ hasErrorCode }) => hasErrorCode).map(({ code }) => code);
  assert.deepEqual(vectors, [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
});

// Vectors, error codes and classes of exceptions, as in the manual.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { accessOf, EXCEPTIONS, findException, FIRST_INTERRUPT_VECTOR, hasErrorCode, trapClassOf } from "./traps.ts";

test("every exception has its own vector and name and a class that all targets know", () => {
  assert.equal(new Set(EXCEPTIONS.map(({ code }) => code)).size, EXCEPTIONS.length);
  assert.equal(new Set(EXCEPTIONS.map(({ name }) => name)).size, EXCEPTIONS.length);
  for (const { code, class: trapClass } of EXCEPTIONS) {
    assert.ok(code < FIRST_INTERRUPT_VECTOR);
    assert.ok(TRAP_CLASSES.includes(trapClass));
  }
  assert.equal(trapClassOf(0), "divide_error");
  assert.equal(trapClassOf(13), "protection");
  assert.equal(trapClassOf(15), "machine_check");
  assert.equal(findException(14)?.name, "x86.pf");
});

test("the vectors with an error code are those of the manual", () => {
  const vectors = Array.from({ length: FIRST_INTERRUPT_VECTOR }, (_, vector) => vector);
  assert.deepEqual(vectors.filter(hasErrorCode), [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
});

test("the access of a page fault is in its error code", () => {
  assert.equal(accessOf(14, 0b00000), "read");
  assert.equal(accessOf(14, 0b00111), "write");
  assert.equal(accessOf(14, 0b10001), "execute");
  assert.equal(accessOf(13, 0b00010), "none");
});

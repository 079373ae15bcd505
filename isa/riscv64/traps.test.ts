// Cause registers as exceptions and interrupts, and the classes that all targets know.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { EXCEPTIONS, INTERRUPT_BIT, INTERRUPTS, readCause, trapClassOf } from "./traps.ts";

test("a cause register reads as an exception, an interrupt or neither", () => {
  assert.deepEqual(readCause(13n), {
    kind: "exception",
    exception: { code: 13, name: "riscv.load_page_fault", class: "page_fault", access: "read" },
  });
  assert.deepEqual(readCause(INTERRUPT_BIT | 7n), { kind: "interrupt", interrupt: { code: 7, name: "machine_timer" } });
  assert.deepEqual(readCause(14n), { kind: "reserved", interrupt: false, code: 14n });
  assert.deepEqual(readCause(INTERRUPT_BIT | 48n), { kind: "reserved", interrupt: true, code: 48n });
});

test("every exception has its own code and name and a class that all targets know", () => {
  assert.equal(new Set(EXCEPTIONS.map(({ code }) => code)).size, EXCEPTIONS.length);
  assert.equal(new Set(EXCEPTIONS.map(({ name }) => name)).size, EXCEPTIONS.length);
  assert.equal(new Set(INTERRUPTS.map(({ code }) => code)).size, INTERRUPTS.length);
  for (const exception of EXCEPTIONS) assert.ok(TRAP_CLASSES.includes(exception.class));
  assert.equal(trapClassOf(2), "illegal_instruction");
  assert.equal(trapClassOf(5), "access_fault");
  assert.equal(trapClassOf(63), "machine_check");
});

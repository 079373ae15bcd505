// Syndromes of exceptions as classes and faults, and the layout of the vectors.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TRAP_CLASSES } from "../bytecode/instructions.ts";
import { EXCEPTION_CLASSES, FAULTS, readSyndrome, VECTORS } from "./traps.ts";

const esr = (exceptionClass: number, iss: number): bigint => (BigInt(exceptionClass) << 26n) | (1n << 25n) | BigInt(iss);

test("a syndrome reads as its class, and an abort as its fault", () => {
  assert.deepEqual(readSyndrome(esr(0x25, 0x46)), {
    exceptionClass: 0x25,
    name: "aarch64.data_translation_fault",
    class: "page_fault",
    access: "write",
    fault: { code: 6, name: "translation_fault", class: "page_fault", level: 2 },
  });
  const cases: readonly (readonly [bigint, string, string, string])[] = [
    [esr(0x25, 0x10), "aarch64.data_external_abort", "access_fault", "read"],
    [esr(0x25, 0x61), "aarch64.data_alignment_fault", "misaligned", "write"],
    [esr(0x24, 0x14f), "aarch64.data_permission_fault", "page_fault", "read"],
    [esr(0x21, 0x0f), "aarch64.instruction_permission_fault", "page_fault", "execute"],
    [esr(0x21, 0x10), "aarch64.instruction_external_abort", "access_fault", "execute"],
    [esr(0x25, 0x3f), "aarch64.data_abort", "machine_check", "read"],
    [esr(0x00, 0), "aarch64.undefined_instruction", "illegal_instruction", "none"],
    [esr(0x22, 0), "aarch64.pc_alignment", "misaligned", "execute"],
    [esr(0x2f, 0), "aarch64.serror", "machine_check", "none"],
    [esr(0x3f, 0), "aarch64.reserved", "machine_check", "none"],
  ];
  for (const [value, name, trapClass, access] of cases) {
    const syndrome = readSyndrome(value);
    assert.deepEqual([syndrome.name, syndrome.class, syndrome.access], [name, trapClass, access]);
  }
});

test("SVC and BRK tell their immediates", () => {
  assert.deepEqual(readSyndrome(esr(0x15, 7)), { exceptionClass: 0x15, name: "aarch64.svc", class: "syscall", access: "none", immediate: 7 });
  assert.deepEqual(readSyndrome(esr(0x3c, 0xf000)), { exceptionClass: 0x3c, name: "aarch64.brk", class: "breakpoint", access: "none", immediate: 0xf000 });
});

test("classes and faults have one code each and classes that all targets know", () => {
  assert.equal(new Set(EXCEPTION_CLASSES.map(({ code }) => code)).size, EXCEPTION_CLASSES.length);
  assert.equal(new Set(EXCEPTION_CLASSES.map(({ name }) => name)).size, EXCEPTION_CLASSES.length);
  assert.equal(new Set(FAULTS.map(({ code }) => code)).size, FAULTS.length);
  for (const row of [...EXCEPTION_CLASSES, ...FAULTS]) assert.ok(TRAP_CLASSES.includes(row.class));
});

test("vectors are 128 bytes apart, synchronous ones first", () => {
  assert.deepEqual(
    VECTORS.map(({ offset }) => offset),
    Array.from({ length: 16 }, (_, index) => 0x80 * index),
  );
  assert.deepEqual(VECTORS[4], { offset: 0x200, from: "current-spx", kind: "synchronous" });
});

// Names and numbers of registers and system operations: one each, both ways.

import assert from "node:assert/strict";
import { test } from "node:test";

import { findRegister, findSystemRegister, isRegister, SYSTEM_REGISTERS, systemRegisterNumber, writeSystemRegister } from "./registers.ts";
import { SYSTEM_OPERATIONS } from "./system-operations.ts";

test("register 31 is what its operand says", () => {
  assert.equal(findRegister("x", "xzr"), 31);
  assert.equal(findRegister("x", "sp"), undefined);
  assert.equal(findRegister("xsp", "sp"), 31);
  assert.equal(findRegister("xsp", "xzr"), undefined);
  assert.equal(findRegister("w", "WZR"), 31);
  assert.equal(findRegister("x", "lr"), 30);
  assert.equal(findRegister("d", "d31"), 31);
  assert.equal(findRegister("x", "x31"), undefined);
  assert.ok(isRegister("wsp") && isRegister("q0") && !isRegister("esr_el1") && !isRegister("x31"));
});

test("system registers have one name and one number each, and those without a name one for their encoding", () => {
  assert.equal(new Set(SYSTEM_REGISTERS.map(({ name }) => name)).size, SYSTEM_REGISTERS.length);
  assert.equal(new Set(SYSTEM_REGISTERS.map(({ number }) => number)).size, SYSTEM_REGISTERS.length);
  assert.equal(findSystemRegister("SCTLR_EL1"), systemRegisterNumber(3, 0, 1, 0, 0));
  assert.equal(findSystemRegister("s3_0_c1_c0_0"), findSystemRegister("sctlr_el1"));
  assert.equal(findSystemRegister("s3_7_c15_c2_1"), systemRegisterNumber(3, 7, 15, 2, 1));
  for (const name of ["s1_0_c7_c0_0", "s3_8_c1_c0_0", "s3_0_c16_c0_0", "sctlr"]) assert.equal(findSystemRegister(name), undefined, name);
  assert.equal(writeSystemRegister(systemRegisterNumber(3, 7, 15, 2, 1)), "s3_7_c15_c2_1");
  assert.equal(writeSystemRegister(systemRegisterNumber(3, 3, 14, 12, 3)), "pmevtyper3_el0");
});

test("system operations have one name and one number each within their kind", () => {
  for (const key of ["name", "number"] as const)
    assert.equal(new Set(SYSTEM_OPERATIONS.map((row) => `${row.kind} ${row[key]}`)).size, SYSTEM_OPERATIONS.length);
});

// Names of registers, both ways.

import assert from "node:assert/strict";
import { test } from "node:test";

import { findRegister, modeHasRegister, R8_HIGH_NAMES, registerName } from "./registers.ts";

test("names and operands are the two sides of one table", () => {
  assert.deepEqual(findRegister("r9d"), { kind: "reg", width: 32, number: 9 });
  assert.deepEqual(findRegister("spl"), { kind: "reg", width: 8, number: 4 });
  assert.deepEqual(findRegister("ah"), { kind: "reg", width: 8, number: 4, high: true });
  assert.deepEqual(findRegister("gs"), { kind: "sreg", number: 5 });
  assert.equal(findRegister("dr8"), undefined);
  for (const name of ["al", "sil", "r15b", "sp", "edi", "rbp", "cs", "cr8", "dr7", "xmm15", ...R8_HIGH_NAMES]) {
    const register = findRegister(name);
    assert.ok(register !== undefined, name);
    assert.equal(registerName(register), name);
  }
});

test("what REX makes is there in 64-bit mode only", () => {
  const names = ["rax", "r8d", "spl", "xmm8", "cr8"];
  for (const name of names) {
    const register = findRegister(name);
    assert.ok(register !== undefined, name);
    assert.equal(modeHasRegister(64, register), true);
    assert.equal(modeHasRegister(32, register), false, name);
  }
  for (const name of ["ah", "bl", "edi", "cr4", "fs"]) {
    const register = findRegister(name);
    assert.ok(register !== undefined && modeHasRegister(16, register), name);
  }
});

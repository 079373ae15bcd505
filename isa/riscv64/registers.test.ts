// Names and numbers of registers and CSRs: one each, both ways.

import assert from "node:assert/strict";
import { test } from "node:test";

import { csrIsReadOnly, csrNameOf, csrsOf, F_REGISTERS, findCsr, findFRegister, findXRegister, X_REGISTERS } from "./registers.ts";

test("registers are known by number and by ABI name", () => {
  assert.equal(findXRegister("a0"), 10);
  assert.equal(findXRegister("x31"), 31);
  assert.equal(findXRegister("t6"), 31);
  assert.equal(findXRegister("fp"), findXRegister("s0"));
  assert.equal(findXRegister("fa0"), undefined);
  assert.equal(findFRegister("fa0"), 10);
  assert.equal(findFRegister("ft11"), 31);
});

test("the calling convention's saved registers are s0-s11, sp and fs0-fs11", () => {
  const kept = X_REGISTERS.filter(({ saver }) => saver === "callee").map(({ number }) => number);
  assert.deepEqual(kept, [2, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]);
  assert.equal(F_REGISTERS.filter(({ saver }) => saver === "callee").length, 12);
});

test("CSRs have one name and one number each, and the number tells the access", () => {
  assert.equal(new Set(csrsOf(64).map(({ name }) => name)).size, csrsOf(64).length);
  assert.equal(new Set(csrsOf(64).map(({ number }) => number)).size, csrsOf(64).length);
  assert.equal(findCsr("mhartid"), 0xf14);
  assert.equal(findCsr("pmpcfg2"), 0x3a2);
  assert.equal(findCsr("pmpcfg1"), undefined);
  assert.equal(findCsr("pmpaddr63"), 0x3ef);
  assert.equal(csrNameOf(0xc1f), "hpmcounter31");
  assert.ok(csrIsReadOnly(0xf14));
  assert.ok(csrIsReadOnly(0xc00));
  assert.ok(!csrIsReadOnly(0x300));
});

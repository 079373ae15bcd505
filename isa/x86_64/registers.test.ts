// Names of registers, MSRs and CPUID features: one each, both ways.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CPUID_FEATURES, findCpuidFeature } from "./cpuid.ts";
import { findMsr, MSRS, msrNameOf } from "./msrs.ts";
import { CR0_BITS, CR4_BITS, EFER_BITS, findRegister, modeHasRegister, R8_HIGH_NAMES, registerName, RFLAGS_BITS } from "./registers.ts";

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

test("no two MSRs have one name or one number", () => {
  assert.equal(new Set(MSRS.map(({ name }) => name)).size, MSRS.length);
  assert.equal(new Set(MSRS.map(({ number }) => number)).size, MSRS.length);
  assert.equal(findMsr("IA32_EFER"), 0xc0000080);
  assert.equal(findMsr("IA32_MTRR_PHYSMASK9"), 0x213);
  assert.equal(findMsr("IA32_X2APIC_IRR7"), 0x827);
  assert.equal(msrNameOf(0x6e0), "IA32_TSC_DEADLINE");
  assert.equal(msrNameOf(0x12345), undefined);
});

test("no two features have one name or one bit", () => {
  assert.equal(new Set(CPUID_FEATURES.map(({ name }) => name)).size, CPUID_FEATURES.length);
  assert.equal(new Set(CPUID_FEATURES.map(({ leaf, subleaf, register, bit }) => `${leaf}.${subleaf} ${register} ${bit}`)).size, CPUID_FEATURES.length);
  assert.deepEqual(findCpuidFeature("lm"), { name: "lm", leaf: 0x80000001, subleaf: 0, register: "edx", bit: 29 });
});

test("no two bits of a register share a place or a name", () => {
  for (const bits of [CR0_BITS, CR4_BITS, EFER_BITS, RFLAGS_BITS]) {
    assert.equal(new Set(bits.map(({ name }) => name)).size, bits.length);
    assert.equal(new Set(bits.map(({ bit }) => bit)).size, bits.length);
  }
});

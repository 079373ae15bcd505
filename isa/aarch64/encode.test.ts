// Encodings that anyone can check by hand, the checks on operands, and properties of the whole table. That every form is right is
// shown against GNU binutils in binutils.isolated.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decode } from "./decode.ts";
import { encode, packOperands } from "./encode.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { encodeLogicalImmediate } from "./logical-immediate.ts";

test("instructions have the numbers that the manual's diagrams give", () => {
  assert.equal(encode("hint", { imm: 0 }), 0xd503201f); // nop
  assert.equal(encode("ret", {}), 0xd65f03c0);
  assert.equal(encode("eret", {}), 0xd69f03e0);
  assert.equal(encode("add-imm-x", { rd: 31, rn: 31, imm: 16 }), 0x910043ff);
  assert.equal(encode("add-imm-w", { rd: 0, rn: 1, imm: 1, shift: 12 }), 0x11400420);
  assert.equal(encode("subs-shifted-x", { rd: 31, rn: 0, rm: 1, shift: "lsl", amount: 3 }), 0xeb010c1f);
  assert.equal(encode("add-ext-x", { rd: 0, rn: 1, rm: 2, extend: "sxtw", amount: 2 }), 0x8b22c820);
  assert.equal(encode("and-imm-x", { rd: 0, rn: 1, bitmask: encodeLogicalImmediate(0xffn, 64) ?? 0 }), 0x92401c20);
  assert.equal(encode("movz-x", { rd: 3, imm: 0xffff, shift: 16 }), 0xd2bfffe3);
  assert.equal(encode("ubfm-x", { rd: 0, rn: 1, immr: 61, imms: 60 }), 0xd37df020); // lsl x0, x1, #3
  assert.equal(encode("csinc-w", { rd: 0, rn: 31, rm: 31, cond: "eq" }), 0x1a9f07e0); // cset w0, ne
  assert.equal(encode("b", { target: -4 }), 0x17ffffff);
  assert.equal(encode("b-cond", { cond: "ne", target: 8 }), 0x54000041);
  assert.equal(encode("tbz-x", { rt: 0, bit: 63, target: 4 }), 0xb6f80020);
  assert.equal(encode("adrp", { rd: 0, page: 1 }), 0xb0000000);
  assert.equal(encode("svc", { imm: 0 }), 0xd4000001);
  assert.equal(encode("brk", { imm: 1 }), 0xd4200020);
  assert.equal(encode("mrs", { rt: 0, system: "esr_el1" }), 0xd5385200);
  assert.equal(encode("msr-imm", { field: "daifset", imm: 2 }), 0xd50342df);
  assert.equal(encode("msr-bit", { field: "spsel", imm: 1 }), 0xd50041bf);
  assert.equal(encode("dsb", { barrier: "sy" }), 0xd5033f9f);
  assert.equal(encode("ldr-imm-x", { rt: 0, rn: 1, imm: 16 }), 0xf9400820);
  assert.equal(encode("ldr-pre-x", { rt: 0, rn: 1, imm: 16 }), 0xf8410c20);
  assert.equal(encode("ldr-ext-w", { rt: 0, rn: 1, rm: 2, extend: "uxtw", scaled: 1 }), 0xb8625820);
  assert.equal(encode("stp-pre-x", { rt: 29, rt2: 30, rn: 31, imm: -16 }), 0xa9bf7bfd);
  assert.equal(encode("stp-imm-d", { rt: 8, rt2: 9, rn: 31, imm: 16 }), 0x6d0127e8);
  assert.equal(encode("ldaddal-x", { rs: 1, rt: 2, rn: 3 }), 0xf8e10062);
  assert.equal(encode("fadd-d", { rd: 0, rn: 1, rm: 2 }), 0x1e622820);
});

test("an operand that does not fit is a RangeError that names it", () => {
  const failing: readonly (readonly [() => number, RegExp])[] = [
    [() => encode("add-imm-x", { rd: 0, rn: 1, imm: 4096 }), /^add-imm-x: imm is 4096, must be 0\.\.4095$/],
    [() => encode("add-imm-x", { rd: 0, rn: 1, imm: 1, shift: 6 }), /^add-imm-x: shift is 6, must be a multiple of 12$/],
    [() => encode("add-shifted-x", { rd: 0, rn: 1, rm: 2, shift: "ror" }), /^add-shifted-x: shift must not be ror$/],
    [() => encode("orr-shifted-w", { rd: 0, rn: 1, rm: 2, amount: 32 }), /^orr-shifted-w: amount is 32, must be 0\.\.31$/],
    [() => encode("movz-w", { rd: 0, imm: 1, shift: 32 }), /^movz-w: shift is 32, must be 0\.\.16$/],
    [() => encode("and-imm-w", { rd: 0, rn: 1, bitmask: 0x1000 }), /^and-imm-w: bitmask is 4096, must be 0\.\.4095$/],
    [() => encode("and-imm-w", { rd: 0, rn: 1, bitmask: 0x3f }), /^and-imm-w: bitmask is 63, which is reserved$/],
    [() => encode("b-cond", { cond: 0, target: 2 }), /^b-cond: target is 2, must be a multiple of 4$/],
    [() => encode("b-cond", { cond: 0, target: 0x10_0000 }), /^b-cond: target is 1048576 bytes away, can be -1048576\.\.1048572$/],
    [() => encode("tbz-x", { rt: 0, bit: 31, target: 0 }), /^tbz-x: bit is 31, must be 32\.\.63$/],
    [() => encode("ldr-imm-x", { rt: 0, rn: 1, imm: 4 }), /^ldr-imm-x: imm is 4, must be a multiple of 8$/],
    [() => encode("ldur-x", { rt: 0, rn: 1, imm: 256 }), /^ldur-x: imm is 256, must be -256\.\.255$/],
    [() => encode("casp-x", { rs: 1, rt: 2, rn: 3 }), /^casp-x: rs is 1, must be a multiple of 2$/],
    [() => encode("msr-imm", { field: 0, imm: 1 }), /^msr-imm: field is 0, which stands for nothing$/],
    [() => encode("mrs", { rt: 0, system: 0x4000 }), /^mrs: system is 16384, must be 32768\.\.65535$/],
    [() => encode("add-imm-x", { rd: 32, rn: 1, imm: 1 }), /^add-imm-x: rd is 32, must be 0\.\.31$/],
    [() => encode("ldur-x", { rt: 0, rn: 1, imm: 0.5 }), /^ldur-x: imm is 0\.5, must be an integer$/],
  ];
  for (const [action, message] of failing) assert.throws(action, (error: Error) => error instanceof RangeError && message.test(error.message));
});

test("rows have one name each, and no two mean the same word", () => {
  assert.equal(new Set(INSTRUCTIONS.map(({ name }) => name)).size, INSTRUCTIONS.length);
  const seen = new Set<string>();
  for (const { name, match, mask, operands } of INSTRUCTIONS) {
    assert.equal((match & ~mask) >>> 0, 0, `${name}: fixed bits under an operand`);
    // What differs in the values that an operand may have: registers by index, fields of the processor state, bits above 31.
    const excluded = operands.map(([key, { kind, without, least }]) => `${key}:${/index|pstate/.test(kind) ? kind : ""}!${without.join()}>${least}`).join();
    const key = `${match} ${mask} ${excluded}`;
    assert.ok(!seen.has(key), `${name}: the same bits as another row`);
    seen.add(key);
  }
});

test("no two operands of a format share a bit", () => {
  for (const { name, operands } of INSTRUCTIONS) {
    const bits = operands.flatMap(([, operand]) => operand.bits.flatMap(([at, width]) => Array.from({ length: width }, (_, index) => at + index)));
    assert.equal(new Set(bits).size, bits.length, name);
    assert.ok(
      bits.every((bit) => bit < 32),
      name,
    );
  }
});

test("what decodes encodes to the same word: words around every row", () => {
  fc.assert(
    fc.property(fc.constantFrom(...INSTRUCTIONS), fc.integer({ min: 0, max: 0xffff_ffff }), (row, noise) => {
      const word = ((noise & ~row.mask) | row.match) >>> 0;
      const decoded = decode(word);
      if (decoded === undefined) return;
      assert.equal(packOperands(decoded.instruction, decoded.operands), word, decoded.instruction.name);
    }),
    { numRuns: 5000 },
  );
});

test("reserved encodings do not decode", () => {
  assert.equal(decode(0xffffffff), undefined);
  assert.equal(decode(0x00010000), undefined, "above the immediate of udf");
  assert.equal(decode(0x8bc20020), undefined, "add with ror");
  assert.equal(decode(0x0b028020), undefined, "a 32-bit shift by 32");
  assert.equal(decode(0x12003c20 | (0x3f << 10)), undefined, "a logical immediate of all ones");
  assert.equal(decode(0xd500437f | (1 << 7)), undefined, "msr of no field");
  assert.equal(decode(0x08217c00), undefined, "casp with an odd register");
  assert.equal(decode(0x00000007)?.instruction.name, "udf");
});

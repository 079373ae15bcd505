// What only A64 has to get right in machine code: register 31, which is zero here and the stack pointer there, immediates of several
// kinds, scaled and unscaled offsets, flags that a comparison leaves, and how frames are taken. Code is read back by the disassembler of
// isa/aarch64; whether it computes what the bytecode says is shown by tests/native on QEMU.

import assert from "node:assert/strict";
import { test } from "node:test";
import { disassemble } from "../../../isa/aarch64/disassemble.ts";
import type { BytecodeFunction, ScalarType } from "../../../isa/bytecode/module.ts";
import { functionOf, listingOn, op } from "../../../tests/fixtures/native-listing.ts";
import { aarch64 } from "./target.ts";

const disassembled = listingOn(aarch64, disassemble);

function listing(fn: BytecodeFunction): readonly string[] {
  const lines = disassembled(fn);
  assert.deepEqual(
    lines.filter((text) => text.startsWith(".inst")),
    [],
  );
  return lines;
}

/** What a function computes, without its return. */
function computed(fn: BytecodeFunction): readonly string[] {
  const lines = listing(fn);
  assert.equal(lines.at(-1), "ret");
  return lines.slice(0, -1);
}

const withConstant = (name: string, type: ScalarType, value: bigint, result: ScalarType = type): readonly string[] =>
  computed(functionOf([type, type, result], 1, [op("const", { type, dst: [1], imm: [value] }), op(name, { type, dst: [2], src: [0, 1] })]));

const constantFirst = (name: string, type: ScalarType, value: bigint, result: ScalarType = type): readonly string[] =>
  computed(functionOf([type, type, result], 1, [op("const", { type, dst: [1], imm: [value] }), op(name, { type, dst: [2], src: [1, 0] })]));

test("immediates of additions have twelve bits, and negative ones subtract", () => {
  assert.deepEqual(withConstant("add", "i64", 4095n), ["add x0, x0, #4095"]);
  assert.deepEqual(withConstant("add", "i64", -8n), ["sub x0, x0, #8"]);
  assert.deepEqual(withConstant("sub", "i32", -8n), ["add w0, w0, #8"]);
  assert.deepEqual(withConstant("add", "i64", 4096n), ["mov w17, #0x1000", "add x0, x0, x17"]);
});

test("narrow results are cut, those that cannot spill over are not", () => {
  assert.deepEqual(withConstant("add", "i8", 1n), ["add w0, w0, #1", "uxtb w0, w0"]);
  assert.deepEqual(withConstant("xor", "i16", 0xffn), ["eor w0, w0, #0xff"]);
  assert.deepEqual(withConstant("shl", "i8", 3n), ["ubfiz w0, w0, #3, #5"]);
});

test("logical immediates are used where they can be", () => {
  assert.deepEqual(withConstant("and", "i64", 0xf0f0_f0f0_f0f0_f0f0n), ["and x0, x0, #0xf0f0f0f0f0f0f0f0"]);
  assert.deepEqual(withConstant("and", "i64", 5n), ["mov w17, #0x5", "and x0, x0, x17"]);
});

test("a multiplication by a power of two is a shift", () => {
  assert.deepEqual(withConstant("mul", "i64", 64n), ["lsl x0, x0, #6"]);
  assert.deepEqual(withConstant("mul", "i16", 4n), ["ubfiz w0, w0, #2, #14"]);
});

test("31 as an operand is zero where that is allowed, and loaded where it would be the stack pointer", () => {
  assert.deepEqual(constantFirst("sub", "i64", 0n), ["neg x0, x0"]);
  const both = [
    op("const", { type: "i64", dst: [0], imm: [0n] }),
    op("const", { type: "i64", dst: [1], imm: [7n] }),
    op("add", { type: "i64", dst: [2], src: [0, 1] }),
  ];
  assert.deepEqual(computed(functionOf(["i64", "i64", "i64"], 0, both)), ["mov w16, #0x7", "add x0, x16, #0"]);
});

test("a constant stands on the right of a comparison, and small negative ones are added", () => {
  assert.deepEqual(withConstant("lt_s", "i64", 5n, "i8"), ["cmp x0, #5", "cset w0, lt"]);
  assert.deepEqual(constantFirst("lt_s", "i64", 5n, "i8"), ["cmp x0, #5", "cset w0, gt"]);
  assert.deepEqual(withConstant("le_u", "i32", -3n, "i8"), ["cmn w0, #3", "cset w0, ls"]);
  assert.deepEqual(withConstant("lt_s", "i8", -3n, "i8"), ["sxtb w16, w0", "cmn w16, #3", "cset w0, lt"]);
});

const load = (type: ScalarType, offset: number): readonly string[] =>
  computed(functionOf(["addr", type], 1, [op("load", { type, dst: [1], src: [0], imm: [BigInt(offset)] })]));

test("offsets are scaled, or have nine bits and a sign, or are added", () => {
  assert.deepEqual(load("i64", 32760), ["ldr x0, [x0, #32760]"]);
  assert.deepEqual(load("i64", 12), ["ldur x0, [x0, #12]"]);
  assert.deepEqual(load("i8", -1), ["ldurb w0, [x0, #-1]"]);
  assert.deepEqual(load("i32", 0x1_0000), ["add x16, x0, #16, lsl #12", "ldr w0, [x16]"]);
});

test("variables are found by page, constants by distance", () => {
  const of = (index: number): readonly string[] =>
    computed(functionOf(["addr", "i64"], 0, [op("symbol_addr", { dst: [0], imm: [index, 8] }), op("load", { type: "i64", dst: [1], src: [0], imm: [0n] })]));
  assert.deepEqual(of(0), ["adrp x16, . + 0", "ldr x0, [x16]"]);
  assert.deepEqual(of(1), ["adr x16, . + 0", "ldr x0, [x16]"]);
});

test("volatile accesses check their alignment, plain ones do not", () => {
  const code = listing(functionOf(["addr", "i32"], 1, [op("load_volatile", { type: "i32", dst: [1], src: [0], imm: [0n] })]));
  // Class 4, access 1 (read), four bytes; the address is in x16.
  assert.deepEqual(code, ["tst x0, #0x3", "b.ne . + 12", "ldr w0, [x0]", "ret", "add x16, x0, #0", "brk #0xd794"]);
});

test("a compare-and-swap stores in any case", () => {
  const code = listing(functionOf(["addr", "i64", "i64", "i64"], 3, [op("atomic_cas", { type: "i64", dst: [3], src: [0, 1, 2] })]));
  assert.deepEqual(code.slice(2, 7), ["ldaxr x15, [x0]", "cmp x15, x1", "csel x13, x2, x15, eq", "stlxr w14, x13, [x0]", "cbnz w14, . - 16"]);
});

test("a function that calls takes its frame with what it keeps, and gives it back so", () => {
  const calls = functionOf(["i64", "i64"], 1, [op("call", { dst: [1], src: [0], imm: [0] }), op("add", { type: "i64", dst: [1], src: [1, 0] })]);
  assert.deepEqual(listing(calls), [
    "stp x19, x30, [sp, #-16]!",
    "bl . + 0",
    "mov x19, x0",
    "mov x0, x19",
    "bl . + 0",
    "add x0, x0, x19",
    "ldp x19, x30, [sp], #16",
    "ret",
  ]);
});

test("a large frame is compared before it is touched", () => {
  const large: BytecodeFunction = { ...functionOf(["i64"], 1, []), frameSize: 8192 };
  assert.deepEqual(listing(large).slice(0, 5), ["ldr x16, [x18, #16]", "sub x17, sp, #2, lsl #12", "cmp x17, x16", "b.cc . + 16", "mov sp, x17"]);
});

test("a leaf without a frame is its instructions", () => {
  assert.deepEqual(listing(functionOf(["i64", "i64", "i64"], 2, [op("mulh_u", { type: "i64", dst: [2], src: [0, 1] })])), ["umulh x0, x0, x1", "ret"]);
});

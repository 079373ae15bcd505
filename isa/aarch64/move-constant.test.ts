// Constants in as few instructions as there can be, each shown by what it leaves in the register.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decode } from "./decode.ts";
import { disassembleWord } from "./disassemble.ts";
import { decodeLogicalImmediate } from "./logical-immediate.ts";
import { moveConstant } from "./move-constant.ts";

/** What the words leave in their register. */
function evaluate(words: readonly number[]): bigint {
  let register = 0xdead_beef_dead_beefn;
  for (const word of words) {
    const decoded = decode(word);
    assert.ok(decoded);
    const { instruction, operands } = decoded;
    const width = instruction.width;
    const shift = BigInt(operands.get("shift") ?? 0);
    const imm = BigInt(operands.get("imm") ?? 0) << shift;
    if (instruction.mnemonic === "movz") register = imm;
    else if (instruction.mnemonic === "movn") register = BigInt.asUintN(width, ~imm);
    else if (instruction.mnemonic === "movk") register = (register & ~(0xffffn << shift)) | imm;
    else if (instruction.mnemonic === "orr") register = decodeLogicalImmediate(operands.get("bitmask") ?? 0, width) ?? assert.fail();
    else assert.fail(instruction.name);
  }
  return register;
}

test("any 64-bit value takes at most four instructions", () => {
  const check = (value: bigint): void => {
    const words = moveConstant(9, value);
    assert.ok(words.length <= 4);
    assert.equal(evaluate(words), BigInt.asUintN(64, value), `0x${value.toString(16)}`);
  };
  for (let bit = 0n; bit < 64n; bit++) for (const value of [1n << bit, (1n << bit) - 1n, -(1n << bit), (1n << bit) + 1n]) check(value);
  fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }), check), { numRuns: 2000 });
  const halfword = fc.constantFrom(0n, 0xffffn, 0x5555n, 0x1234n, 1n);
  fc.assert(
    fc.property(halfword, halfword, halfword, halfword, (a, b, c, d) => check((a << 48n) | (b << 32n) | (c << 16n) | d)),
    { numRuns: 1000 },
  );
});

test("the shortest of what there is is taken", () => {
  const listing = (value: bigint): readonly string[] => moveConstant(0, value).map((word) => disassembleWord(word, { withAliases: false }));
  assert.deepEqual(listing(0n), ["movz x0, #0x0"]);
  assert.deepEqual(listing(-1n), ["movn x0, #0x0"]);
  assert.deepEqual(listing(0x4000_0000n), ["movz x0, #0x4000, lsl #16"]);
  assert.deepEqual(listing(0xffff_1234n), ["movn w0, #0xedcb"]);
  assert.deepEqual(listing(0x5555_5555_5555_5555n), ["orr x0, xzr, #0x5555555555555555"]);
  assert.deepEqual(listing(0x00ff_00ffn), ["orr w0, wzr, #0xff00ff"]);
  assert.deepEqual(listing(0x0900_0018n), ["movz x0, #0x18", "movk x0, #0x900, lsl #16"]);
  assert.deepEqual(listing(0x5555_5555_1234_5555n), ["orr x0, xzr, #0x5555555555555555", "movk x0, #0x1234, lsl #16"]);
  assert.equal(moveConstant(0, 0x1234_5678_9abc_def0n).length, 4);
});

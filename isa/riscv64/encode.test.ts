// Encodings that the manuals give as examples or that anyone can check by hand, the checks on operands, and properties of the
// whole table. That every form is right is shown against GNU binutils in binutils.isolated.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decode } from "./decode.ts";
import { encode, packOperands } from "./encode.ts";
import { instructionsOf } from "./instructions.ts";

test("instructions have the numbers that the manual's listings give", () => {
  assert.equal(encode("addi", { rd: "zero", rs1: "zero", imm: 0 }), 0x00000013); // the canonical nop
  assert.equal(encode("ecall", {}), 0x00000073);
  assert.equal(encode("mret", {}), 0x30200073);
  assert.equal(encode("wfi", {}), 0x10500073);
  assert.equal(encode("fence.i", {}), 0x0000100f);
  assert.equal(encode("c.nop", {}), 0x0001);
  assert.equal(encode("sd", { rs2: "ra", rs1: "sp", imm: 8 }), 0x00113423);
  assert.equal(encode("csrrw", { rd: "zero", csr: "mstatus", rs1: "a0" }), 0x30051073);
  assert.equal(encode("jal", { rd: 0, target: -4 }), 0xffdff06f);
  assert.equal(encode("amoadd.d", { rd: "a0", rs2: "a1", rs1: "a2", order: "aqrl" }), 0x06b6352f);
  assert.equal(encode("fadd.d", { rd: "fa0", rs1: "fa1", rs2: "fa2" }), 0x02c5f553);
  assert.equal(encode("fence", { pred: "iorw", succ: "iorw" }), 0x0ff0000f);
});

test("an operand that does not fit is a RangeError that names it", () => {
  const failing: readonly (readonly [() => number, RegExp])[] = [
    [() => encode("addi", { rd: 1, rs1: 1, imm: 2048 }), /^addi: imm is 2048, must be -2048\.\.2047$/],
    [() => encode("beq", { rs1: 1, rs2: 1, target: 3 }), /^beq: target is 3, must be a multiple of 2$/],
    [() => encode("beq", { rs1: 1, rs2: 1, target: 4096 }), /^beq: target is 4096 bytes away, can be -4096\.\.4094$/],
    [() => encode("add", { rd: 32, rs1: 1, rs2: 1 }), /^add: rd is x32, must be 0\.\.31$/],
    [() => encode("slliw", { rd: 1, rs1: 1, shamt: 32 }), /^slliw: shamt is 32, must be 0\.\.31$/],
    [() => encode("lui", { rd: 1, imm: -1 }), /^lui: imm is -1, must be 0x0\.\.0xfffff$/],
    [() => encode("c.lui", { rd: 1, imm: 32 }), /^c\.lui: imm is 0x20, must be 0x0\.\.0x1f or 0xfffe0\.\.0xfffff$/],
    [() => encode("c.lui", { rd: "sp", imm: 1 }), /^c\.lui: rd must not be sp$/],
    [() => encode("c.lw", { rd: "t0", rs1: "a0", imm: 0 }), /^c\.lw: rd is t0, must be s0\.\.a5/],
    [() => encode("c.ld", { rd: "a0", rs1: "a0", imm: 4 }), /^c\.ld: imm is 4, must be a multiple of 8$/],
    [() => encode("c.addi16sp", { imm: 0 }), /^c\.addi16sp: imm must not be 0$/],
    [() => encode("ld", { rd: 1, rs1: 1, imm: 0.5 }), /^ld: imm is 0\.5, must be an integer$/],
    [() => encode("fence", { pred: "wr", succ: 0 }), /^fence: pred cannot be "wr"$/],
  ];
  for (const [action, message] of failing) assert.throws(action, (error: Error) => error instanceof RangeError && message.test(error.message));
});

test("no two rows mean the same word", () => {
  const seen = new Set<string>();
  for (const { mnemonic, match, mask, length, operands } of instructionsOf(64)) {
    assert.equal((match & ~mask) >>> 0, 0, `${mnemonic}: fixed bits under an operand`);
    const excluded = operands.flatMap(([name, { without = [] }]) => without.map((value) => `${name}!${value}`)).join();
    const key = `${length} ${match} ${mask} ${excluded}`;
    assert.ok(!seen.has(key), `${mnemonic}: the same bits as another row`);
    seen.add(key);
  }
});

test("no two operands of a format share a bit", () => {
  for (const { mnemonic, operands, length } of instructionsOf(64)) {
    const bits = operands.flatMap(([, operand]) => operand.bits.flatMap(([at, width]) => Array.from({ length: width }, (_, index) => at + index)));
    assert.equal(new Set(bits).size, bits.length, mnemonic);
    assert.ok(
      bits.every((bit) => bit < 8 * length),
      mnemonic,
    );
  }
});

test("what decodes encodes to the same word: every halfword", () => {
  let known = 0;
  for (let word = 0; word < 0x10000; word++) {
    if ((word & 3) === 3) continue;
    const decoded = decode(word);
    if (decoded === undefined) continue;
    known++;
    assert.equal(packOperands(decoded.instruction, decoded.operands), word, decoded.instruction.mnemonic);
  }
  assert.ok(known > 40_000, `${known} compressed encodings known`);
});

test("what decodes encodes to the same word: words around every row", () => {
  fc.assert(
    fc.property(fc.constantFrom(...instructionsOf(64)), fc.integer({ min: 0, max: 0xffff_ffff }), (row, noise) => {
      const word = ((noise & ~row.mask) | row.match) >>> 0;
      const decoded = decode(word);
      if (decoded === undefined) return;
      const kept = row.length === 2 ? word & 0xffff : word;
      assert.equal(packOperands(decoded.instruction, decoded.operands), kept);
    }),
    { numRuns: 5000 },
  );
});

test("reserved encodings do not decode", () => {
  assert.equal(decode(0xffffffff), undefined, "all ones: illegal for ever");
  assert.equal(decode(0x0000707f), undefined, "a reserved major opcode");
  assert.equal(decode(0x00004073), undefined, "SYSTEM, funct3 4, none of the hypervisor's");
  assert.equal(decode(0x00c5d553), undefined, "fadd.s with rm 5");
  assert.equal(decode(0x8002), undefined, "c.jr x0");
  assert.equal(decode(0x6101), undefined, "c.addi16sp 0");
  assert.equal(decode(0x2001), undefined, "c.addiw x0");
  assert.equal(decode(0x8000), undefined, "quadrant 0, funct3 4");
  assert.equal(decode(0x0000)?.instruction.mnemonic, "c.unimp");
});

test("RV32 has instructions of its own where RV64 has others, and shifts by five bits", () => {
  const readings: readonly (readonly [bits: number, in32: string | undefined, in64: string | undefined])[] = [
    [0x2001, "c.jal", undefined],
    [0x2505, "c.jal", "c.addiw"],
    [0x6108, "c.flw", "c.ld"],
    [0xe108, "c.fsw", "c.sd"],
    [0x6502, "c.flwsp", "c.ldsp"],
    [0xe02a, "c.fswsp", "c.sdsp"],
    [0x9d09, undefined, "c.subw"],
    [0x1506, undefined, "c.slli"],
    [0x0205_1513, undefined, "slli"],
    [0x0000_3503, undefined, "ld"],
    [0x0805_4533, "zext.h", undefined],
    [0x0805_453b, undefined, "zext.h"],
    [0x6985_5513, "rev8", undefined],
    [0x6b85_5513, undefined, "rev8"],
    [0xc225_7553, undefined, "fcvt.l.d"],
    [0xe205_0553, undefined, "fmv.x.d"],
  ];
  for (const [bits, ...expected] of readings) {
    const found = ([32, 64] as const).map((width) => decode(bits, width)?.instruction.mnemonic);
    assert.deepEqual(found, expected, bits.toString(16));
  }
  assert.equal(encode("rev8", { rd: "a0", rs1: "a0" }, 32), 0x6985_5513);
  assert.throws(() => encode("slli", { rd: 1, rs1: 1, shamt: 32 }, 32), /^RangeError: slli: shamt is 32, must be 0\.\.31$/);
});

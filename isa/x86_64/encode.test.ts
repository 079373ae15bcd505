// Encodings that the manual gives as examples or that anyone can check by hand, the choice among forms, the checks on operands, and
// properties of the whole table. That every form is right is shown against GNU binutils in binutils.isolated.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decode } from "./decode.ts";
import { codeOf, createCodeBuffer, emit, emitForm, encode } from "./encode.ts";
import { findInstructions, listInstructions, MNEMONIC_ALIASES, writeForm } from "./instructions.ts";
import { imm, mem, reg, target, xmm } from "./operands.ts";
import type { Operand, RegisterOperand } from "./operands.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const [rax, rcx, rsp, rbp, r12] = [0, 1, 4, 5, 12].map((number) => reg(64, number));
const ah: RegisterOperand = { kind: "reg", width: 8, number: 4, high: true };

test("instructions have the bytes that the manual gives", () => {
  assert.equal(hex(encode("nop", [])), "90");
  assert.equal(hex(encode("pause", [])), "f390");
  assert.equal(hex(encode("syscall", [])), "0f05");
  assert.equal(hex(encode("iretq", [])), "48cf");
  assert.equal(hex(encode("push", [reg(64, 5)])), "55");
  assert.equal(hex(encode("mov", [reg(64, 5), reg(64, 4)])), "4889e5");
  assert.equal(hex(encode("movsb", [], 64, { repeat: "rep" })), "f3a4");
  assert.equal(hex(encode("cmpxchg16b", [mem(128, { base: 7 })], 64, { lock: true })), "f0480fc70f");
});

test("the shortest form is taken", () => {
  assert.equal(hex(encode("add", [reg(64, 0), 1])), "4883c001");
  assert.equal(hex(encode("add", [reg(64, 0), 0x1000])), "480500100000");
  assert.equal(hex(encode("add", [reg(32, 0), 0xffff_ffff])), "83c0ff");
  assert.equal(hex(encode("mov", [reg(32, 0), 1])), "b801000000");
  assert.equal(hex(encode("mov", [reg(64, 0), -1])), "48c7c0ffffffff");
  assert.equal(hex(encode("mov", [reg(64, 0), 1n << 63n])), "48b80000000000000080");
  assert.equal(hex(encode("jmp", [target(0)])), "ebfe");
  assert.equal(hex(encode("je", [target(0x82)])), "0f847c000000");
  assert.equal(hex(encode("jmp", [target(2, 32)])), "e9fdffffff");
});

test("addresses have the shortest displacement, and a SIB byte where rsp, r12 or nothing is the base", () => {
  const load = (place: Parameters<typeof mem>[1]): string => hex(encode("mov", [reg(32, 0), mem(32, place)]));
  assert.equal(load({ base: 3 }), "8b03");
  assert.equal(load({ base: 5 }), "8b4500");
  assert.equal(load({ base: 13, disp: 127 }), "418b457f");
  assert.equal(load({ base: 4, disp: 128 }), "8b842480000000");
  assert.equal(load({ base: 12 }), "418b0424");
  assert.equal(load({ index: 1, scale: 8 }), "8b04cd00000000");
  assert.equal(load({ disp: 0x1000 }), "8b042500100000");
  assert.equal(load({ ripRelative: true, disp: 4 }), "8b0504000000");
  assert.equal(load({ base: 0, segment: 4 }), "648b00");
  assert.equal(load({ base: 0, addressWidth: 32 }), "678b00");
  assert.equal(load({ base: 0, displacementWidth: 32 }), "8b8000000000");
});

test("byte registers 4 to 7 need REX, ah to bh forbid it", () => {
  assert.equal(hex(encode("mov", [reg(8, 4), reg(8, 0)])), "4088c4");
  assert.equal(hex(encode("mov", [ah, reg(8, 0)])), "88c4");
  assert.throws(() => encode("mov", [ah, reg(8, 4)]), /ah, bh, ch and dh do not go with what needs a REX prefix/);
});

test("modes have their own sizes, prefixes and forms", () => {
  const eax = reg(32, 0);
  assert.equal(hex(encode("mov", [eax, 1], 16)), "66b801000000");
  assert.equal(hex(encode("mov", [reg(16, 0), 1], 32)), "66b80100");
  assert.equal(hex(encode("inc", [eax], 32)), "40");
  assert.equal(hex(encode("inc", [eax], 64)), "ffc0");
  assert.equal(hex(encode("mov", [eax, mem(32, { disp: 0x1234 })], 32)), "a134120000");
  assert.equal(hex(encode("mov", [eax, mem(32, { base: 3, index: 6 })], 16)), "668b00");
  assert.equal(hex(encode("jmp", [{ kind: "far", selector: 8, offset: 0x1234 }], 32)), "ea341200000800");
  assert.equal(hex(encode("jmp", [{ kind: "far", selector: 8, offset: 0x1234, width: 32 }], 16)), "66ea341200000800");
  assert.equal(hex(encode("mov", [{ kind: "cr", number: 0 }, eax], 16)), "0f22c0");
  assert.equal(hex(encode("push", [mem(32, { base: 3 })], 32)), hex(encode("push", [{ kind: "mem", base: 3 }], 32)));
});

test("the buffer grows, and says where the fields are", () => {
  const code = createCodeBuffer(64, 1);
  for (let index = 0; index < 100; index++) emit(code, "nop", []);
  assert.deepEqual(emit(code, "mov", [mem(32, { ripRelative: true }), imm(32, 0x1234)]), {
    start: 100,
    end: 110,
    displacement: { offset: 102, width: 4 },
    immediate: { offset: 106, width: 4 },
  });
  assert.deepEqual(emit(code, "call", [target(0)]).immediate, { offset: 111, width: 4 });
  assert.deepEqual(emit(code, "mov", [reg(64, 0), imm(64, 0)]).immediate, { offset: 117, width: 8 });
  assert.deepEqual(emit(code, "movaps", [xmm(1), xmm(2)]), { start: 125, end: 128, displacement: undefined, immediate: undefined });
  assert.equal(codeOf(code).length, 128);
});

test("operands that no form takes are a RangeError that says why", () => {
  const failing: readonly (readonly [() => unknown, RegExp])[] = [
    [() => encode("add", [rax ?? 0, 0xffff_ffff]), /^add: operand 2 is 4294967295, which does not fit imm32\/64$/],
    [() => encode("add", [reg(8, 1), 256]), /^add: operand 2 is 256, which does not fit imm8$/],
    [() => encode("add", [rax ?? 0, 0.5]), /^add: operand 2 is 0\.5/],
    [() => encode("lea", [rax ?? 0, rcx ?? 0]), /^lea: does not take these operands; it is written `lea r16, m` or/],
    [() => encode("inc", [{ kind: "mem", base: 0 }]), /^inc: the width of the memory operand is not known$/],
    [() => encode("mov", [rax ?? 0, mem(64, { base: 0, index: 4 })]), /^mov: operand 2 is no address that 64-bit mode can encode$/],
    [() => encode("mov", [rax ?? 0, mem(64, { base: 0, disp: 2 ** 31 })]), /no address/],
    [() => encode("jrcxz", [target(1000)]), /^jrcxz: operand 1 is 1000 bytes away, which does not fit rel8$/],
    [() => encode("swapgs", [], 32), /^swapgs: does not exist in 32-bit mode$/],
    [() => encode("mov", [rsp ?? 0, rbp ?? 0], 32), /^mov: does not take these operands/],
    [() => encode("mov", [reg(32, 8), reg(32, 0)], 32), /^mov: operand 1 is register 8, which does not fit/],
    [() => encode("add", [r12 ?? 0, 1], 64, { lock: true }), /^add: lock does not go with this$/],
    [() => encode("movsb", [], 64, { repeat: "repne" }), /^movsb: repne does not go with this$/],
  ];
  for (const [action, message] of failing) assert.throws(action, (error: Error) => error instanceof RangeError && message.test(error.message));
});

test("every row can be found, and other names are not names of rows", () => {
  const names: ReadonlySet<string> = new Set(listInstructions().map(({ mnemonic }) => mnemonic));
  for (const name of names) assert.ok(findInstructions(name) !== undefined, name);
  for (const [alias, mnemonic] of MNEMONIC_ALIASES) {
    assert.ok(!names.has(alias) && names.has(mnemonic), alias);
    assert.deepEqual(findInstructions(alias), findInstructions(mnemonic));
  }
});

test("no two rows that decode have one encoding in one mode", () => {
  const seen = new Map<string, string>();
  for (const form of listInstructions()) {
    if (form.isAlias) continue;
    const { map, opcode, suffix, prefix, modrm, vex, rexW, addressSize, operandSize, hasOpcodeRegister } = form;
    // What a row takes in ModRM's place for a memory operand, and whether it takes a register there.
    const kinds = form.operands.flatMap(({ slot, classes }) => (slot === "rm" ? classes.filter((name) => /^(reg|xmm)/.test(name)).slice(0, 1) : []));
    const isMemory = form.operands.some(({ slot, classes }) => slot === "rm" && classes.some((name) => /^(mem|far)/.test(name)));
    for (const mode of form.modes) {
      for (const place of [...(isMemory ? ["memory"] : []), ...(kinds.length > 0 ? ["register"] : []), ...(isMemory || kinds.length > 0 ? [] : ["none"])]) {
        const key = [mode, place, map, opcode, suffix, prefix, modrm, vex, rexW, addressSize, operandSize, hasOpcodeRegister].join();
        const other = seen.get(key);
        assert.ok(other === undefined, `${writeForm(form)} and ${other}`);
        seen.set(key, writeForm(form));
      }
    }
  }
});

test("what decodes encodes, by its form, to bytes that decode alike", () => {
  const opcodes = listInstructions()
    .filter(({ vex }) => !vex)
    .map(({ map, opcode }) => [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][map]?.concat(opcode) ?? []);
  let known = 0;
  fc.assert(
    fc.property(fc.constantFrom(...opcodes), fc.constantFrom(16, 32, 64), fc.uint8Array({ minLength: 14, maxLength: 14 }), (opcode, mode, rest) => {
      const bytes = Uint8Array.from([...opcode, ...rest]);
      const decoded = decode(bytes, 0, mode);
      if (decoded === undefined) return;
      known++;
      const code = createCodeBuffer(mode);
      emitForm(code, decoded.instruction, decoded.operands, decoded.prefixes);
      assert.equal(hex(codeOf(code)), hex(bytes.subarray(0, decoded.length)), writeForm(decoded.instruction));
    }),
    { numRuns: 5000 },
  );
  assert.ok(known > 2000, `${known} of 5000 known`);
});

test("what is no instruction does not decode", () => {
  const unknown: readonly (readonly [string, string])[] = [
    ["", "nothing"],
    ["48", "a prefix only"],
    ["488b", "no ModRM"],
    ["8b05000000", "a displacement cut off"],
    ["0f0a", "a reserved opcode"],
    ["f08b03", "lock before a load"],
    ["6690c3".slice(0, 2), "an operand size only"],
    ["40", "REX only"],
    ["4090", "REX without a meaning"],
    ["8b0423", "a SIB byte without need"],
    ["8cf8", "segment register 7"],
    ["c4e27cf2c1", "VEX.L"],
  ];
  for (const [bytes, why] of unknown) assert.equal(decode(Buffer.from(bytes, "hex")), undefined, why);
});

test("operands may be shared: encoding leaves them as they are", () => {
  const operands: readonly Operand[] = Object.freeze([Object.freeze(mem(64, { base: 0, disp: 8 })), Object.freeze(reg(64, 1))]);
  assert.equal(hex(encode("mov", operands)), hex(encode("mov", operands)));
});

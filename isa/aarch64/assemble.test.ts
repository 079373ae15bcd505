// The A64 assembler beside what the binutils comparison covers: choice of forms, data, distances, faults.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { InstructionSet } from "../assembly/instruction-set.ts";
import { assemble, formatProblem } from "./assemble.ts";
import type { AssembleOptions } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";
import { applyRelocation } from "./relocations.ts";

function assembled(text: string, options?: AssembleOptions): Uint8Array {
  const assembly = assemble(text, options);
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  return assembly.bytes;
}

const listing = (text: string, options?: AssembleOptions): readonly string[] => disassemble(assembled(text, options)).map((line) => line.text);

function problemsOf(text: string, options?: AssembleOptions): readonly string[] {
  const assembly = assemble(text, options);
  assert.ok(!assembly.ok, "it assembled");
  return assembly.problems.map(formatProblem);
}

test("it is an instruction set as the compiler holds them", () => {
  const set: InstructionSet = { assemble, applyRelocation, disassemble };
  const assembly = set.assemble("b away", { isOutsideSymbol: () => true });
  assert.ok(assembly.ok);
  const [relocation] = assembly.relocations;
  assert.ok(relocation !== undefined);
  assert.equal(set.applyRelocation(assembly.bytes, relocation.kind, 0, 0n, 8n), undefined);
  assert.deepEqual(
    set.disassemble(assembly.bytes).map(({ text }) => text),
    ["b . + 8"],
  );
});

test("a vector assembles", () => {
  const text = `
    # saves x0 and x1, and returns behind the BRK
    .equ FRAME, 16
    .align 7
  vector:
    stp  x0, x1, [sp, #-FRAME]!    // own stack
    mrs  x0, ESR_EL1; lsr x1, x0, #26
    cmp  x1, #0x3c
    b.ne 1f
    mrs  x0, elr_el1
    add  x0, x0, #4
    msr  elr_el1, x0
  1: ldp x0, x1, [sp], #FRAME
    eret`;
  assert.deepEqual(listing(text), [
    "stp x0, x1, [sp, #-16]!",
    "mrs x0, esr_el1",
    "lsr x1, x0, #26",
    "cmp x1, #60",
    "b.ne . + 16",
    "mrs x0, elr_el1",
    "add x0, x0, #4",
    "msr elr_el1, x0",
    "ldp x0, x1, [sp], #16",
    "eret",
  ]);
});

test("the form follows from the operands", () => {
  const forms: readonly (readonly [string, string])[] = [
    ["add x0, x1, #1", "add x0, x1, #1"],
    ["add x0, x1, 1", "add x0, x1, #1"],
    ["add x0, x1, #1, lsl #12", "add x0, x1, #1, lsl #12"],
    ["add x0, x1, x2, LSL #3", "add x0, x1, x2, lsl #3"],
    ["add x0, x1, w2, uxtw #2", "add x0, x1, w2, uxtw #2"],
    ["add x0, x1, x2, sxtx", "add x0, x1, x2, sxtx"],
    ["add sp, sp, x2", "add sp, sp, x2"],
    ["mov x0, x1", "mov x0, x1"],
    ["mov x0, sp", "mov x0, sp"],
    ["mov x0, #-1", "mov x0, #0xffffffffffffffff"],
    ["mov w0, #0xff00ff", "mov w0, #0xff00ff"],
    ["mov sp, #0x800", "mov sp, #0x800"],
    ["lsl x0, x1, #3", "lsl x0, x1, #3"],
    ["lsl x0, x1, x3", "lsl x0, x1, x3"],
    ["sxtw x0, w1", "sxtw x0, w1"],
    ["cset w0, hs", "cset w0, cs"],
    ["b.lo . + 8", "b.cc . + 8"],
    ["ret", "ret"],
    ["ret x3", "ret x3"],
    ["br lr", "br x30"],
    ["ldr x0, [x1]", "ldr x0, [x1]"],
    ["ldr x0, [x1, #(4 + 4)]", "ldr x0, [x1, #8]"],
    ["ldr x0, [x1, #-8]", "ldur x0, [x1, #-8]"],
    ["ldr x0, [x1, #8]!", "ldr x0, [x1, #8]!"],
    ["ldr x0, [x1], #8", "ldr x0, [x1], #8"],
    ["ldr x0, [x1, x2]", "ldr x0, [x1, x2]"],
    ["ldr x0, [x1, x2, lsl #3]", "ldr x0, [x1, x2, lsl #3]"],
    ["ldrb w0, [x1, w2, sxtw]", "ldrb w0, [x1, w2, sxtw]"],
    ["ldrb w0, [x1, x2, lsl #0]", "ldrb w0, [x1, x2, lsl #0]"],
    ["ldr d0, . + 8", "ldr d0, . + 8"],
    ["tbz x0, #3, . + 4", "tbz w0, #3, . + 4"],
    ["tbnz x0, #33, . - 4", "tbnz x0, #33, . - 4"],
    ["adrp x0, . + 4096", "adrp x0, . + 4096"],
    ["fmov d0, #-0.125", "fmov d0, #-0.125"],
    ["fmov d0, #1.0", "fmov d0, #1.0"],
    ["fcmp s0, #0.0", "fcmp s0, #0.0"],
    ["movi v3.2d, #0", "movi v3.2d, #0"],
    ["casp x0, x1, x2, x3, [sp]", "casp x0, x1, x2, x3, [sp]"],
    ["stlxr w0, x1, [x2]", "stlxr w0, x1, [x2]"],
    ["mrs x0, s3_0_c1_c0_0", "mrs x0, sctlr_el1"],
    ["msr S3_7_C15_C2_0, x1", "msr s3_7_c15_c2_0, x1"],
    ["msr daifclr, #0xf", "msr daifclr, #15"],
    ["msr spsel, #1", "msr spsel, #1"],
    ["tlbi vae1is, x0", "tlbi vae1is, x0"],
    ["tlbi vmalle1", "tlbi vmalle1"],
    ["ic iallu", "ic iallu"],
    ["sys #3, c7, c11, #1, x0", "dc cvau, x0"],
    ["dmb #0", "dmb #0x0"],
    ["isb sy", "isb"],
    ["clrex #3", "clrex #3"],
    ["prfm pldl1keep, [x0]", "prfm pldl1keep, [x0]"],
  ];
  for (const [text, expected] of forms) assert.deepEqual(listing(text), [expected], text);
});

test("data and alignment", () => {
  assert.deepEqual([...assembled(".byte 1\n .balign 4\n .hword 0x1234\n .align 2\n .xword -1")], [1, 0, 0, 0, 0x34, 0x12, 0, 0, ...Array(8).fill(0xff)]);
  assert.deepEqual(listing("ret\n .balign 16\n eret"), ["ret", "nop", "nop", "nop", "eret"]);
  assert.deepEqual([...assembled("nop\n here: .quad here", { origin: 0x4000_0000n }).subarray(4)], [4, 0, 0, 0x40, 0, 0, 0, 0]);
});

test("addresses: adr reaches a label, adrp and :lo12: when the origin is known", () => {
  assert.deepEqual(listing("adr x0, 1f\n nop\n 1:"), ["adr x0, . + 8", "nop"]);
  const text = "adrp x0, table\n add x0, x0, :lo12:table\n ldr x1, [x0, :lo12:table]\n .zero 0x1000\n table: .quad 0";
  assert.deepEqual(listing(text, { origin: 0x4000_0ff4n }).slice(0, 3), ["adrp x0, . + 8192", "add x0, x0, #0", "ldr x1, [x0]"]);
  assert.deepEqual(problemsOf("adrp x0, x\n nop\n x: nop"), ["1:10: this needs to know at which address the code will be; give the assembler an origin"]);
});

test("names from outside become relocations that the same function applies", () => {
  const text = "bl f + 4\n b.eq f\n cbz x0, f\n tbz w0, #1, f\n adr x0, t\n adrp x0, t\n add x0, x0, :lo12:t\n ldr d0, [x0, #:lo12:t]\n ldr x1, t\n .quad t";
  const assembly = assemble(text, { isOutsideSymbol: (name) => name === "f" || name === "t" });
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  assert.deepEqual(
    assembly.relocations.map(({ offset, kind, symbol, addend }) => `${offset} ${kind} ${symbol}+${addend}`),
    [
      "0 branch26 f+4",
      "4 branch19 f+0",
      "8 branch19 f+0",
      "12 branch14 f+0",
      "16 adr21 t+0",
      "20 page21 t+0",
      "24 low12 t+0",
      "28 low12x8 t+0",
      "32 branch19 t+0",
      "36 absolute64 t+0",
    ],
  );
  const addresses = new Map([
    ["f", 0x4000_0100n],
    ["t", 0x4000_1238n],
  ]);
  for (const { offset, kind, symbol, addend } of assembly.relocations) {
    const address = addresses.get(symbol);
    assert.ok(address !== undefined);
    assert.equal(applyRelocation(assembly.bytes, kind, offset, 0x4000_0000n + BigInt(offset), address + addend), undefined);
  }
  assert.deepEqual(
    disassemble(assembly.bytes)
      .slice(0, 9)
      .map((line) => line.text),
    [
      "bl . + 260",
      "b.eq . + 252",
      "cbz x0, . + 248",
      "tbz w0, #1, . + 244",
      "adr x0, . + 4648",
      "adrp x0, . + 4096",
      "add x0, x0, #568",
      "ldr d0, [x0, #568]",
      "ldr x1, . + 4632",
    ],
  );
  assert.equal(applyRelocation(assembly.bytes, "branch14", 12, 0x4000_000cn, 0x4000_8010n), "is 32772 bytes away, can be -32768..32764");
  assert.equal(applyRelocation(assembly.bytes, "low12x8", 28, 0n, 0x4000_1234n), "is 564, must be a multiple of 8");
  assert.equal(applyRelocation(assembly.bytes, "absolute32", 36, 0n, 1n << 32n), "is at 0x100000000, which does not fit 32 bits");
});

test("problems tell line, column and what was meant", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["nop\n  addd x0, x1, x2", "2:3: unknown instruction `addd`; did you mean `add`?"],
    ["mrs x0, sctlr_el", "1:9: unknown system register `sctlr_el`; did you mean `sctlr_el1`?"],
    ["add x0, x1, #4096", "1:14: imm is 4096, must be 0..4095"],
    ["add x0, x1", "1:9: `,` expected; it is written `add rd, rn, #imm{, lsl #shift}`"],
    ["ldr x0, [w1]", "1:10: a 64-bit register (x0..x30, sp) expected, found `w1`; it is written `ldr rt, [rn{, #imm}]`"],
    ["mov x0, #0x12345678", "1:10: one instruction cannot make 0x12345678; `movz` and `movk` write 16 bits each"],
    ["and x0, x1, #5", "1:14: 0x5 is no repeated run of ones, which logical immediates are"],
    ["ubfx x0, x1, #60, #8", "1:20: a field of 8 bits from bit 60 leaves the register"],
    ["b.xx . + 4", "1:1: `xx` is no condition"],
    ["b 0x40000000", "1:3: this needs to know at which address the code will be; give the assembler an origin"],
    ["cbz x0, . + 0x200000", "1:9: `.` is 2097152 bytes away, can be -1048576..1048572"],
    ["x: add x0, x0, x", "1:16: imm must be a number, not an address; `adr` puts an address into a register, or `adrp` and `:lo12:`"],
    ["casp x0, x2, x4, x5, [x6]", "1:10: the register after `rs` expected; it is written `casp rs, rs+1, rt, rt+1, [rn]`"],
    ["ldr x0, [x1, x2, lsl #2]", "1:23: the index can be shifted by 0 or 3, not by 2"],
    [".byte 1\n nop", "2:2: an instruction must be at a multiple of 4 bytes; `.balign 4` goes there"],
    ["x0: nop", "1:1: `x0` is a register, it cannot be a label"],
    ["ret x1, x2", "1:7: unexpected `,`; it is written `ret {rn}`"],
  ];
  for (const [text, problem] of wrong) assert.deepEqual(problemsOf(text), [problem], text);
});

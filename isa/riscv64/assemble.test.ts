// The RISC-V assembler beside what the binutils comparison covers: labels, distances, pseudo-instructions, faults.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { assemble, formatProblem } from "./assemble.ts";
import type { AssembleOptions } from "./assemble.ts";
import { decode } from "./decode.ts";
import { disassemble } from "./disassemble.ts";
import { loadConstant } from "./pseudo.ts";
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

test("a trap vector assembles", () => {
  const text = `
    # saves a0 and returns behind the faulting instruction
    .equ FRAME, 16
    .align 2
  vector:
    csrrw sp, mscratch, sp      // own stack
    addi sp, sp, -FRAME
    sd   a0, 8 (sp)
    csrr a0, mepc; addi a0, a0, 4
    csrw mepc, a0
    ld   a0, (FRAME - 8)(sp)
    addi sp, sp, FRAME
    csrrw sp, mscratch, sp
    mret`;
  assert.deepEqual(listing(text), [
    "csrrw sp, mscratch, sp",
    "addi sp, sp, -16",
    "sd a0, 8(sp)",
    "csrrs a0, mepc, zero",
    "addi a0, a0, 4",
    "csrrw zero, mepc, a0",
    "ld a0, 8(sp)",
    "addi sp, sp, 16",
    "csrrw sp, mscratch, sp",
    "mret",
  ]);
});

test("labels, numbered labels and `.` are distances", () => {
  assert.deepEqual(listing("1: j 1f\n nop\n 1: beqz a0, 1b\n bne a0, a1, . + 8\n j . - 4\n c.j end\n end:"), [
    "jal zero, . + 8",
    "addi zero, zero, 0",
    "beq a0, zero, . + 0",
    "bne a0, a1, . + 8",
    "jal zero, . - 4",
    "c.j . + 2",
  ]);
});

test("an immediate before a base may be left out, and parenthesised", () => {
  assert.deepEqual(listing("ld a0, (a1)\n ld a0, (4+4)(a1)\n fsd fa0, -8(sp)\n amoswap.w.aq a0, a1, (a2)\n lr.d.aqrl t0, (t1)"), [
    "ld a0, 0(a1)",
    "ld a0, 8(a1)",
    "fsd fa0, -8(sp)",
    "amoswap.w.aq a0, a1, (a2)",
    "lr.d.aqrl t0, (t1)",
  ]);
});

test("la, call and tail reach labels in both directions", () => {
  assert.deepEqual(listing("start: nop\n la a0, start\n call end\n tail start\n end:"), [
    "addi zero, zero, 0",
    "auipc a0, 0x0",
    "addi a0, a0, -4",
    "auipc ra, 0x0",
    "jalr ra, 16(ra)",
    "auipc t1, 0x0",
    "jalr zero, -20(t1)",
  ]);
});

test("data and alignment", () => {
  assert.deepEqual(
    [...assembled(".byte 1, -1, '\\n'\n .balign 4\n .half 0x1234\n .align 3\n .dword end - start, -1\n start: .zero 2\n end:")],
    [1, 0xff, 0x0a, 0, 0x34, 0x12, 0x01, 0x00, 2, 0, 0, 0, 0, 0, 0, 0, ...Array(8).fill(0xff), 0, 0],
  );
  assert.deepEqual([...assembled("c.nop\n .balign 8\n ret").subarray(0, 8)], [1, 0, 1, 0, 0x13, 0, 0, 0]);
  assert.deepEqual([...assembled("nop\n here: .dword here", { origin: 0x8000_0000n }).subarray(4)], [4, 0, 0, 0x80, 0, 0, 0, 0]);
});

test("names from outside become relocations that the same function applies", () => {
  const assembly = assemble("call handler + 4\n la a0, table\n beqz a0, handler\n j handler\n .dword table", {
    isOutsideSymbol: (name) => name === "handler" || name === "table",
  });
  assert.ok(assembly.ok);
  assert.deepEqual(assembly.relocations, [
    { offset: 0, kind: "auipc_pair", symbol: "handler", addend: 4n },
    { offset: 8, kind: "auipc_pair", symbol: "table", addend: 0n },
    { offset: 16, kind: "branch", symbol: "handler", addend: 0n },
    { offset: 20, kind: "jal", symbol: "handler", addend: 0n },
    { offset: 24, kind: "absolute64", symbol: "table", addend: 0n },
  ]);
  const addresses = new Map([
    ["handler", 0x8000_0100n],
    ["table", 0x8012_3ffcn],
  ]);
  for (const { offset, kind, symbol, addend } of assembly.relocations) {
    const address = addresses.get(symbol);
    assert.ok(address !== undefined);
    assert.equal(applyRelocation(assembly.bytes, kind, offset, 0x8000_0000n + BigInt(offset), address + addend), undefined);
  }
  assert.deepEqual(
    disassemble(assembly.bytes)
      .map(({ text }) => text)
      .slice(0, 6),
    ["auipc ra, 0x0", "jalr ra, 260(ra)", "auipc a0, 0x124", "addi a0, a0, -12", "beq a0, zero, . + 240", "jal zero, . + 236"],
  );
  assert.equal(applyRelocation(assembly.bytes, "branch", 16, 0x8000_0010n, 0x8000_2010n), "is 8192 bytes away, can be -4096..4094");
});

test("a call reaches exactly as far as auipc and 12 signed bits do", () => {
  const bytes = assembled("call .");
  const reach = (distance: bigint): string | undefined => applyRelocation(bytes.slice(), "auipc_pair", 0, 0n, distance);
  assert.equal(reach(0x7fff_f7ffn), undefined);
  assert.equal(reach(-0x8000_0800n), undefined);
  assert.match(reach(0x7fff_f800n) ?? "", /is 2147481600 bytes away/);
  assert.match(reach(-0x8000_0801n) ?? "", /bytes away/);
});

test("problems tell line, column and what was meant", () => {
  assert.deepEqual(problemsOf("nop\n  addd a0, a1, a2"), ["2:3: unknown instruction `addd`; did you mean `addi`?"]);
  assert.deepEqual(problemsOf("csrr a0, mstauts"), ["1:10: unknown control and status register `mstauts`; did you mean `mstatus`?"]);
  assert.deepEqual(problemsOf("addi a0, a1, 4096"), ["1:14: imm is 4096, must be -2048..2047"]);
  assert.deepEqual(problemsOf("add a0, a1"), ["1:9: `,` expected; it is written `add rd, rs1, rs2`"]);
  assert.deepEqual(problemsOf("add a0, a1, 4"), ["1:13: an integer register expected, found `4`; it is written `add rd, rs1, rs2`"]);
  assert.deepEqual(problemsOf("add a0, a1, fa2"), ["1:13: an integer register expected, found `fa2`; it is written `add rd, rs1, rs2`"]);
  assert.deepEqual(problemsOf("add a0, a1, a2, a3"), ["1:15: unexpected `,`; it is written `add rd, rs1, rs2`"]);
  assert.deepEqual(problemsOf("mv a0"), ["1:1: `mv` does not take these operands; it is written `mv rd, rs`"]);
  assert.deepEqual(problemsOf("loop: j lop"), ["1:9: unknown name `lop`; did you mean `loop`?"]);
  assert.deepEqual(problemsOf("j 1f\n1: j 2b"), ["2:6: no label `2:` before this"]);
  assert.deepEqual(problemsOf("j 0x80000000"), ["1:3: a branch goes to a label or to `. + distance`, not to a number"]);
  assert.deepEqual(problemsOf("x: nop\nx: nop\na0: nop"), ["2:1: `x` is defined already", "3:1: `a0` is a register, it cannot be a label"]);
  assert.deepEqual(problemsOf("li a0, 1 << 64"), ["1:10: shift by 64, can be 0..63"]);
  assert.deepEqual(problemsOf("li a0, 0x10000000000000000"), ["1:8: value is 18446744073709551616, which does not fit 64 bits"]);
  assert.deepEqual(problemsOf("li a0, '\\q'"), ["1:8: unknown escape `'\\q'`"]);
  assert.deepEqual(problemsOf("li a0, 12ab"), ["1:8: unexpected `1`"]);
  assert.deepEqual(problemsOf(".wrod 1"), ["1:1: unknown directive `.wrod`; did you mean `.word`?"]);
  assert.deepEqual(problemsOf("addi a0, a0, 1 @ 2"), ["1:16: unexpected `@`"]);
  assert.deepEqual(problemsOf("c.lw a0, 4(t0)"), ["1:12: rs1 is t0, must be s0..a5 (a compressed instruction has three bits for it)"]);
  assert.deepEqual(problemsOf("x: addi a0, a0, x"), ["1:17: imm must be a number, not an address; `la` puts an address into a register"]);
  assert.deepEqual(problemsOf("here: .dword here"), ["1:14: this needs to know at which address the code will be; give the assembler an origin"]);
  assert.deepEqual(problemsOf("fence wr, r"), [
    "1:7: a set of accesses (letters of `iorw` in this order, or 0) expected, found `wr`; it is written `fence pred, succ`",
  ]);
});

test("every statement's problem is told, not the first one's only", () => {
  assert.equal(problemsOf("foo\nbar\n nop\nbaz").length, 3);
});

/** What a sequence of lui, addi, addiw and slli leaves in its register. */
function evaluate(words: readonly number[]): bigint {
  let value = 0n;
  for (const word of words) {
    const decoded = decode(word);
    assert.ok(decoded);
    const { instruction, operands } = decoded;
    const imm = BigInt(operands.get("imm") ?? 0);
    if (instruction.mnemonic === "lui") value = BigInt.asIntN(32, imm << 12n);
    else if (instruction.mnemonic === "addi") value = BigInt.asIntN(64, (operands.get("rs1") === 0 ? 0n : value) + imm);
    else if (instruction.mnemonic === "addiw") value = BigInt.asIntN(32, value + imm);
    else if (instruction.mnemonic === "slli") value = BigInt.asIntN(64, value << BigInt(operands.get("shamt") ?? 0));
    else assert.fail(instruction.mnemonic);
  }
  return value;
}

test("li puts any 64-bit value into a register in at most eight instructions", () => {
  const edges = [0n, 1n, 2047n, 2048n, 4096n, 0x7fff_f800n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 63n, (1n << 63n) - 1n, 0x1234_5678_9abc_def0n];
  const check = (value: bigint): void => {
    const words = loadConstant(10, value);
    assert.ok(words.length <= 8);
    assert.equal(evaluate(words), BigInt.asIntN(64, value), `0x${value.toString(16)}`);
  };
  for (const edge of edges) for (const value of [edge, -edge]) check(value);
  fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }), check), { numRuns: 2000 });
  assert.equal(loadConstant(10, 5n).length, 1);
  assert.equal(loadConstant(10, 0x1000_0000n).length, 1);
  assert.equal(loadConstant(10, 1n << 40n).length, 2);
  assert.equal(loadConstant(10, -1n).length, 1);
});

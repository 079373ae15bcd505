// What the assembler does beyond single instructions: labels, relaxation, relocations, modes, directives, prefixes, and what it
// says of mistakes. Single instructions are compared with GNU as in binutils.isolated.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assemble, formatProblem } from "./assemble.ts";
import type { AssembleOptions } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";
import { applyRelocation } from "./relocations.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function bytesOf(text: string, options?: AssembleOptions): string {
  const assembly = assemble(text, options);
  return assembly.ok ? hex(assembly.bytes) : assert.fail(assembly.problems.map(formatProblem).join("\n"));
}

function problemOf(text: string, options?: AssembleOptions): string {
  const assembly = assemble(text, options);
  return assembly.ok ? assert.fail(`${text} assembles to ${hex(assembly.bytes)}`) : assembly.problems.map(formatProblem).join("\n");
}

test("labels, numbered labels and the place itself are branch targets", () => {
  assert.equal(bytesOf("again: nop; jmp again; jmp . ; jne 1f; 1: call 1b"), "90ebfdebfe7500e8fbffffff");
});

test("a jump is long when its label is too far, and that may make others long", () => {
  assert.equal(bytesOf("jmp end; .zero 127; end:").slice(0, 4), "eb7f");
  assert.equal(bytesOf("jmp end; .zero 128; end:").slice(0, 10), "e980000000");
  // Each short jump would fit if the other were short.
  assert.equal(bytesOf("a: jmp b; .zero 123; jmp a; b:").length / 2, 2 + 123 + 2);
  assert.equal(bytesOf("a: jmp b; .zero 126; jmp a; b:").length / 2, 5 + 126 + 5);
  assert.equal(bytesOf("jmp short end; end: jne end").slice(0, 4), "eb00");
  assert.match(problemOf("jmp short end; .zero 128; end:"), /^1:11: `end` is 128 bytes away, can be -128\.\.127$/);
  assert.match(problemOf("jrcxz end; .zero 128; end:"), /^1:7: `end` is 128 bytes away/);
});

test("memory and immediates may name labels", () => {
  assert.equal(bytesOf("lea rax, [rip + data]; ret; data: .quad 1"), "488d0501000000c30100000000000000");
  // The distance counts from the end of the instruction, behind the immediate.
  assert.equal(bytesOf("mov dword ptr [rip + data], 7; data:"), "c7050000000007000000");
  assert.equal(bytesOf("mov eax, [rbx + table]; table:", { origin: 0x1000n }), "8b8306100000");
  assert.equal(bytesOf("mov esi, offset here; here:", { origin: 0x1000n }), "be05100000");
  assert.equal(bytesOf("movabs rsi, offset here; here:", { origin: 0xffff_ffff_8000_0000n }), "48be0a000080ffffffff");
  assert.equal(bytesOf("mov ecx, end - start; start: nop; nop; end:"), "b9020000009090");
});

test("names outside become relocations, jumps to them are long", () => {
  const assembly = assemble("jmp there + 4; lea rdi, [rip + there]; mov dword ptr [rip + there], 1; movabs rax, offset there; mov eax, [there]; .quad there", {
    isOutsideSymbol: (name) => name === "there",
  });
  assert.ok(assembly.ok);
  assert.deepEqual(assembly.relocations, [
    { offset: 1, kind: "relative32", symbol: "there", addend: 0n },
    { offset: 8, kind: "relative32", symbol: "there", addend: -4n },
    { offset: 14, kind: "relative32", symbol: "there", addend: -8n },
    { offset: 24, kind: "absolute64", symbol: "there", addend: 0n },
    { offset: 35, kind: "absolute32s", symbol: "there", addend: 0n },
    { offset: 39, kind: "absolute64", symbol: "there", addend: 0n },
  ]);
});

test("a relocation is applied, or says why it does not fit", () => {
  const bytes = new Uint8Array(8);
  assert.equal(applyRelocation(bytes, "relative32", 0, 0x1000n, 0x0ffcn), undefined);
  assert.equal(hex(bytes), "fcffffff00000000");
  assert.equal(applyRelocation(bytes, "absolute32s", 4, 0n, 0xffff_ffff_8000_0000n), undefined);
  assert.equal(hex(bytes), "fcffffff00000080");
  assert.equal(applyRelocation(bytes, "absolute32", 4, 0n, 0x1_0000_0000n), "is at 0x100000000, which does not fit 32 bits");
  assert.equal(applyRelocation(bytes, "relative8", 0, 0n, 128n), "is 128 bytes away, can be -128..127");
  assert.equal(applyRelocation(bytes, "absolute16", 0, 0n, 0x8000n), undefined);
});

test("boot code goes through the modes", () => {
  const text = `
    .code16
    cli
    lgdtd [gdt]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword ptr 8:protected
    .code32
    protected:
    mov ax, 16
    mov ds, ax
    jmp 24:long
    .code64
    long: hlt
    jmp long
    gdt: .word 23
    .long 0x1000`;
  assert.equal(
    bytesOf(text, { origin: 0x8000n }),
    "fa" + "660f01162780" + "0f20c0" + "0c01" + "0f22c0" + "66ea178000000800" + "66b81000" + "8ed8" + "ea248000001800" + "f4" + "ebfd" + "1700" + "00100000",
  );
});

test("the mode is an option too", () => {
  assert.equal(bytesOf("mov eax, 1; push 1; call . + 5", { mode: 16 }), "66b801000000" + "6a01" + "e80200");
  assert.equal(bytesOf("jmp ax", { mode: 32 }), "66ffe0");
});

test("prefixes and addresses are written as people write them", () => {
  assert.equal(bytesOf("LOCK ADD DWORD PTR [RAX], 1"), "f0830001");
  assert.equal(bytesOf("rep stosq; repz cmpsb; fs lodsb; addr32 movsb"), "f348ab" + "f3a6" + "64ac" + "67a4");
  assert.equal(bytesOf("mov eax, [rax + rbx]; mov eax, [rax + rsp]; mov eax, [4*rcx + rdx - 8 + 2]"), "8b0418" + "8b0404" + "8b448afa");
  assert.equal(bytesOf("mov eax, ds:[0x1000]; mov eax, fs:0x28; mov rax, [(1 << 4) + rbx]"), "8b042500100000" + "648b042528000000" + "488b4310");
  assert.equal(bytesOf(".equ OFFSET, 16\n mov [rdi + OFFSET*2], al; mov cl, OFFSET"), "884720" + "b110");
  assert.equal(bytesOf("fld st(1); fstp tbyte ptr [rsp]; faddp st(2), st"), "d9c1" + "db3c24" + "dec2");
  assert.equal(bytesOf("jmp far tbyte ptr [rax]; call fword ptr [rax]; jmp far ptr [rax]"), "48ff28" + "ff18" + "ff28");
  assert.equal(bytesOf("jz . + 2; setnbe al; cmovc eax, ecx; sal eax, 1"), "7400" + "0f97c0" + "0f42c1" + "d1e0");
});

test("data directives have x86's widths, and alignment is filled with nop", () => {
  assert.equal(bytesOf(".word 0x1234; .long 1; .byte 'A', -1; .short 2; .int 3; .quad 4"), "341201000000" + "41ff" + "020003000000" + "0400000000000000");
  assert.equal(bytesOf("ret; .align 4; ret; .p2align 1"), "c3909090c390");
});

test("what the disassembler writes assembles to the same bytes", () => {
  const text =
    "push rbp\nmov rbp, rsp\nlea rax, [rip + 0x10]\nvmcall\nmovzx eax, byte ptr [r8 + r9*2 - 1]\nandn rax, rbx, rcx\nje . - 20\ncvtsi2sd xmm9, r10\nret 8";
  const assembly = assemble(text);
  assert.ok(assembly.ok);
  const again = disassemble(assembly.bytes)
    .map((line) => line.text)
    .join("\n");
  assert.equal(bytesOf(again), hex(assembly.bytes));
});

test("mistakes are said where they are", () => {
  const mistakes: readonly (readonly [string, RegExp])[] = [
    ["mvo rax, 1", /^1:1: unknown instruction `mvo`; did you mean `mov`\?$/],
    ["mov rax", /^1:1: `mov` does not take these operands; it is written /],
    ["inc [rax]", /^1:1: `inc` the width of the memory operand is not known/],
    ["mov rax, 1 2", /^1:12: unexpected `2`$/],
    ["mov rax,", /^1:1: an operand is missing$/],
    ["mov rax, [rbx", /^1:11: `\]` expected$/],
    ["mov eax, [rbx*3]", /^1:11: `rbx` cannot be used like this; an address is `\[base \+ index\*scale \+ number\]`/],
    ["mov eax, [rbx + ecx]", /^1:17: `ecx` does not go into this address$/],
    ["mov eax, [rax + rbx + rcx]", /^1:11: an address has one base and one index$/],
    ["mov eax, here\nhere:", /^1:10: `here` is an address; write `offset here` for the address or `\[here\]` for what is there$/],
    ["mov eax, offset here\nhere:", /^1:17: this needs to know at which address the code will be; give the assembler an origin$/],
    ["jmp nowhere", /^1:5: unknown name `nowhere`$/],
    ["add al, 256", /^1:1: `add` operand 2 is 256, which does not fit imm8$/],
    ["lock mov [rax], eax", /^1:6: `mov` lock does not go with this$/],
    ["mov dword [rax], 1", /^1:11: `ptr` expected$/],
    [".code32\nmov rax, 1", /^2:5: `rax` does not exist in 32-bit mode$/],
    ["addr16 movsb", /^1:1: `addr16` means nothing in 64-bit mode$/],
    ["es movsb", /^1:1: `es` means nothing in 64-bit mode$/],
    ["rax: nop", /^1:1: `rax` is a register, it cannot be a label$/],
    [".code64 1", /^1:9: unexpected `1`$/],
    ["fld st(8)", /^1:5: a floating-point register is written `st\(0\)` to `st\(7\)`$/],
  ];
  for (const [text, message] of mistakes) assert.match(problemOf(text), message);
});

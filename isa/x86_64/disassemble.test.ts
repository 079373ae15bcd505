// The x86 disassembler: Intel syntax, modes, names of branch targets, and what is no instruction.

import assert from "node:assert/strict";
import { test } from "node:test";

import { disassemble } from "./disassemble.ts";
import type { Mode } from "./operands.ts";

const textOf = (bytes: string, mode: Mode = 64): string =>
  disassemble(Buffer.from(bytes, "hex"), { mode })
    .map(({ text }) => text)
    .join("; ");

test("instructions are written in Intel syntax with the widths of memory operands", () => {
  assert.equal(textOf("554889e54883ec20"), "push rbp; mov rbp, rsp; sub rsp, 0x20");
  assert.equal(textOf("64488b042528000000"), "mov rax, qword ptr fs:[0x28]");
  assert.equal(textOf("8b84d380000000"), "mov eax, dword ptr [rbx + rdx*8 + 0x80]");
  assert.equal(textOf("c705f8ffffff01000000"), "mov dword ptr [rip - 8], 1");
  assert.equal(textOf("f0480fc70f"), "lock cmpxchg16b xmmword ptr [rdi]");
  assert.equal(textOf("f3aa f2ae f3a6".replaceAll(" ", "")), "rep stosb; repne scasb; repe cmpsb");
  assert.equal(textOf("48b8efcdab8967452301"), "movabs rax, 0x123456789abcdef");
  assert.equal(textOf("0f01f80f01fa"), "swapgs; .byte 0x0f; add edx, edi");
});

test("other modes read the same bytes otherwise", () => {
  assert.equal(textOf("40ea341200000800", 32), "inc eax; jmp 8:0x1234");
  assert.equal(textOf("66ea341200000800", 16), "jmp dword ptr 8:0x1234");
  assert.equal(textOf("8b00", 16), "mov ax, word ptr [bx + si]");
  assert.equal(textOf("678b00", 16), "mov ax, word ptr [eax]");
  assert.equal(textOf("67a13412", 32), "addr16 mov eax, dword ptr [0x1234]");
});

test("branch targets are distances, or names where there is one", () => {
  const bytes = Buffer.from("ebfe7402c3", "hex");
  assert.deepEqual(
    disassemble(bytes).map(({ text }) => text),
    ["jmp . + 0", "je . + 4", "ret"],
  );
  const named = disassemble(bytes, { address: 0x1000n, symbolAt: (address) => (address === 0x1000n ? "again" : undefined) });
  assert.deepEqual(named, [
    { offset: 0, length: 2, text: "jmp again" },
    { offset: 2, length: 2, text: "je . + 4" },
    { offset: 4, length: 1, text: "ret" },
  ]);
});

test("what the table does not know is data, byte by byte", () => {
  assert.equal(textOf("0f0a90"), ".byte 0x0f; .byte 0x0a; nop");
  assert.equal(textOf("488b"), ".byte 0x48; .byte 0x8b");
});

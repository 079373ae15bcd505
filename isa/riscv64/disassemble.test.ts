// The RISC-V disassembler: text that the assembler reads, names of branch targets, and what is no instruction.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assemble } from "./assemble.ts";
import { disassemble, disassembleWord } from "./disassemble.ts";

test("instructions are written as the assembler reads them", () => {
  assert.equal(disassembleWord(0x00113423), "sd ra, 8(sp)");
  assert.equal(disassembleWord(0x30051073), "csrrw zero, mstatus, a0");
  assert.equal(disassembleWord(0x12351073), "csrrw zero, 0x123, a0");
  assert.equal(disassembleWord(0xffdff06f), "jal zero, . - 4");
  assert.equal(disassembleWord(0x06b6352f), "amoadd.d.aqrl a0, a1, (a2)");
  assert.equal(disassembleWord(0x02c5f553), "fadd.d fa0, fa1, fa2");
  assert.equal(disassembleWord(0x02c59553), "fadd.d fa0, fa1, fa2, rtz");
  assert.equal(disassembleWord(0xfffff537), "lui a0, 0xfffff");
  assert.equal(disassembleWord(0x0100000f), "pause");
  assert.equal(disassembleWord(0x7501), "c.lui a0, 0xfffe0");
  assert.equal(disassembleWord(0x557e), "c.lwsp a0, 252(sp)");
});

test("what has no text is data of its length", () => {
  assert.equal(disassembleWord(0xffffffff), ".word 0xffffffff");
  assert.equal(disassembleWord(0x0000007f), ".word 0x0000007f");
  assert.equal(disassembleWord(0x8000), ".half 0x8000");
  assert.equal(disassembleWord(0x0000108f), ".word 0x0000108f"); // fence.i with a reserved rd: executes, but has no text
  const lines = disassemble(Uint8Array.of(0x01, 0x00, 0x13, 0x05, 0x7b));
  assert.deepEqual(lines, [
    { offset: 0, length: 2, text: "c.nop" },
    { offset: 2, length: 2, text: ".half 0x0513" },
    { offset: 4, length: 1, text: ".byte 0x7b" },
  ]);
});

test("branch targets take names", () => {
  const assembly = assemble("loop: addi a0, a0, -1\n bnez a0, loop\n j done\n nop\n done: ret");
  assert.ok(assembly.ok);
  const names = new Map([...assembly.labels].map(([name, offset]) => [0x8000_0000n + BigInt(offset), name]));
  const lines = disassemble(assembly.bytes, { address: 0x8000_0000n, symbolAt: (address) => names.get(address) });
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["addi a0, a0, -1", "bne a0, zero, loop", "jal zero, done", "addi zero, zero, 0", "jalr zero, 0(ra)"],
  );
});

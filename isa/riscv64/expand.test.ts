// Every compressed instruction against the assembler: what it stands for, written out, decodes to the same as its expansion.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble, formatProblem } from "./assemble.ts";
import { expand, type ExpandedInstruction } from "./expand.ts";
import { instructionsOf } from "./instructions.ts";

function expanded(text: string): ExpandedInstruction | undefined {
  const assembly = assemble(text);
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  const view = new DataView(new Uint8Array([...assembly.bytes, 0, 0, 0, 0]).buffer);
  return expand(view.getUint32(0, true));
}

const PAIRS: readonly (readonly [string, string])[] = [
  ["c.addi4spn a0, sp, 16", "addi a0, sp, 16"],
  ["c.fld fa0, 8(a1)", "fld fa0, 8(a1)"],
  ["c.lw a0, 4(a1)", "lw a0, 4(a1)"],
  ["c.ld a0, 8(a1)", "ld a0, 8(a1)"],
  ["c.fsd fa0, 8(a1)", "fsd fa0, 8(a1)"],
  ["c.sw a0, 4(a1)", "sw a0, 4(a1)"],
  ["c.sd a0, 8(a1)", "sd a0, 8(a1)"],
  ["c.nop", "addi zero, zero, 0"],
  ["c.addi t6, -5", "addi t6, t6, -5"],
  ["c.addiw t6, -5", "addiw t6, t6, -5"],
  ["c.li t6, -5", "addi t6, zero, -5"],
  ["c.addi16sp sp, -64", "addi sp, sp, -64"],
  ["c.lui t6, 0xfffff", "lui t6, 0xfffff"],
  ["c.srli a0, 33", "srli a0, a0, 33"],
  ["c.srli64 a0", "addi zero, zero, 0"],
  ["c.srai a0, 33", "srai a0, a0, 33"],
  ["c.srai64 a0", "addi zero, zero, 0"],
  ["c.andi a0, -2", "andi a0, a0, -2"],
  ["c.sub a0, a1", "sub a0, a0, a1"],
  ["c.xor a0, a1", "xor a0, a0, a1"],
  ["c.or a0, a1", "or a0, a0, a1"],
  ["c.and a0, a1", "and a0, a0, a1"],
  ["c.subw a0, a1", "subw a0, a0, a1"],
  ["c.addw a0, a1", "addw a0, a0, a1"],
  ["c.j . + 32", "jal zero, . + 32"],
  ["c.beqz a0, . - 16", "beq a0, zero, . - 16"],
  ["c.bnez a0, . - 16", "bne a0, zero, . - 16"],
  ["c.slli t6, 40", "slli t6, t6, 40"],
  ["c.slli64 t6", "addi zero, zero, 0"],
  ["c.fldsp ft8, 8(sp)", "fld ft8, 8(sp)"],
  ["c.lwsp t6, 4(sp)", "lw t6, 4(sp)"],
  ["c.ldsp t6, 8(sp)", "ld t6, 8(sp)"],
  ["c.jr t0", "jalr zero, 0(t0)"],
  ["c.mv t5, t6", "add t5, zero, t6"],
  ["c.ebreak", "ebreak"],
  ["c.jalr t0", "jalr ra, 0(t0)"],
  ["c.add t5, t6", "add t5, t5, t6"],
  ["c.fsdsp ft8, 8(sp)", "fsd ft8, 8(sp)"],
  ["c.swsp t6, 4(sp)", "sw t6, 4(sp)"],
  ["c.sdsp t6, 8(sp)", "sd t6, 8(sp)"],
];

test("a compressed instruction is executed as the one that it stands for", () => {
  for (const [short, long] of PAIRS) {
    const wanted = expanded(long);
    assert.deepEqual(expanded(short), wanted && { ...wanted, length: 2, rm: 0 }, short);
  }
});

test("all compressed instructions have their expansion, but the illegal one", () => {
  const tested = PAIRS.map(([short]) => short.split(" ")[0]);
  const compressed = instructionsOf(64)
    .filter((row) => row.length === 2)
    .map((row) => row.mnemonic);
  assert.deepEqual(
    compressed.filter((name) => !tested.includes(name)),
    ["c.unimp"],
  );
  assert.equal(expanded("c.unimp"), undefined);
});

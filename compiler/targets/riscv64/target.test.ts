// What the shared tests of all targets do not see: the shape of RV64 code. Prologues and polls are paid by every function, and trap code
// has a form that the guest library reads. Expected texts are those of isa/riscv64's disassembler.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../../isa/bytecode/text.ts";
import { disassemble } from "../../../isa/riscv64/disassemble.ts";
import { lowerModule } from "../../native/lower-module.ts";
import { riscv64 } from "./target.ts";

/** The code of the first function. */
function codeOf(text: string): Uint8Array {
  const [first] = lowerModule(parseText(`gbc 1 addr64 little\n${text}`), riscv64).functions;
  assert.ok(first !== undefined);
  return first.code;
}

const listing = (text: string): readonly string[] => disassemble(codeOf(text)).map((line) => line.text);

test("a leaf without a frame is its instructions and a return", () => {
  assert.deepEqual(listing("func @f (i64, i64) -> (i64) {\n  %0 = add.i64 %0, %1\n  return %0\n}"), ["c.add a0, a1", "c.jr ra"]);
});

test("a function that calls compares its stack pointer and counts its fuel", () => {
  const lines = listing("func @f () -> () {\n  call @g\n  return\n}\nfunc @g () -> () {\n  return\n}");
  assert.deepEqual(lines.slice(0, 8), [
    "ld t0, 16(tp)",
    "addi t1, sp, -16",
    "bltu t1, t0, . + 28",
    "c.mv sp, t1",
    "c.sdsp ra, 0(sp)",
    "c.addi gp, -1",
    "bge gp, zero, . + 8",
    "jal t0, . + 0",
  ]);
});

test("trap code is an illegal instruction and what it means", () => {
  const code = codeOf("func @f (i32, i32) -> (i32) {\n  %0 = div_u.i32 %0, %1\n  return %0\n}");
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  assert.equal(view.getUint32(code.length - 8, true), 0xc000_1073);
  // Class 3, no access; the width marks that there is no value.
  assert.equal(view.getUint32(code.length - 4, true), 0x4753_00c3);
});

test("a volatile access of an unknown address checks it, an access of a symbol need not", () => {
  const checked = listing("func @f (addr) -> (i32) {\n  reg %1:i32\n  %1 = load_volatile.i32 %0\n  return %1\n}");
  assert.deepEqual(checked.slice(0, 2), ["andi t2, a0, 3", "bne t2, zero, . + 8"]);
  const known = listing(
    "data @d size 8 align 8 writable {\n}\nfunc @f () -> (i32) {\n  reg %0:addr, %1:i32\n  %0 = symbol_addr @d\n  %1 = load_volatile.i32 %0\n  return %1\n}",
  );
  assert.ok(!known.some((line) => line.includes("bne")));
});

test("a branch that is too far becomes a branch around a jump", () => {
  const filler = "    %0 = mul.i64 %0, %1\n".repeat(2000);
  const near = listing(
    "func @f (i64, i64) -> (i64) {\n  reg %2:i8\n  block\n    %2 = eq.i64 %0, %1\n    br_if %2, 0\n    %0 = mul.i64 %0, %1\n  end\n  return %0\n}",
  );
  assert.ok(near.some((line) => line.startsWith("beq a0, a1")));
  const far = listing(`func @f (i64, i64) -> (i64) {\n  reg %2:i8\n  block\n    %2 = eq.i64 %0, %1\n    br_if %2, 0\n${filler}  end\n  return %0\n}`);
  assert.deepEqual(far.slice(0, 2), ["bne a0, a1, . + 8", `jal zero, . + ${4 + 4 * 2000}`]);
});

test("what is selected skips as many bytes as there are", () => {
  const inPlace = listing("func @f (i64, i64, i8) -> (i64) {\n  %0 = select.i64 %2, %0, %1\n  return %0\n}");
  assert.deepEqual(inPlace.slice(0, 2), ["bne a2, zero, . + 6", "c.mv a0, a1"]);
  const elsewhere = listing("func @f (i8, i64, i64) -> (i64, i64, i64) {\n  reg %3:i64\n  %3 = select.i64 %0, %1, %2\n  return %3, %1, %2\n}");
  const start = elsewhere.findIndex((line) => line.startsWith("beq"));
  assert.match(elsewhere.slice(start, start + 4).join("; "), /^beq a0, zero, \. \+ 10; c\.mv (\w+), a1; beq zero, zero, \. \+ 6; c\.mv \1, a2$/);
});

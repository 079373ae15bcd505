// What only x86-64 has to get right in machine code: forms that exist for one place of operands, prefixes of byte registers, memory
// operands with and without SIB, and the moves around calls. Code is read back by the disassembler of isa/x86_64; whether it computes what
// the bytecode says is shown by tests/native on QEMU.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { disassemble } from "../../../isa/x86_64/disassemble.ts";
import { loadMachine } from "../../../machines/load-machine.ts";
import { functionOf, listingOn, op } from "../../../tests/fixtures/native-listing.ts";
import { form } from "./encoding.ts";
import { x86_64 } from "./target.ts";

const listing = listingOn(x86_64, disassemble);

function binary(name: string, type: ScalarType): readonly string[] {
  return listing(functionOf([type, type, type], 2, [op(name, { type, dst: [2], src: [0, 1] })]));
}

function withConstant(name: string, type: ScalarType, value: bigint): readonly string[] {
  return listing(functionOf([type, type, type], 1, [op("const", { type, dst: [1], imm: [value] }), op(name, { type, dst: [2], src: [0, 1] })]));
}

test("an addition into another register is a lea, and narrow results are cut", () => {
  const sum = op("add", { type: "i64", dst: [2], src: [0, 1] });
  const both = listing(
    functionOf(["i64", "i64", "i64", "i64", "i64"], 2, [
      sum,
      op("xor", { type: "i64", dst: [3], src: [2, 0] }),
      op("xor", { type: "i64", dst: [4], src: [3, 1] }),
    ]),
  );
  assert.ok(
    both.some((line) => line.startsWith("lea")),
    both.join("\n"),
  );
  assert.ok(binary("add", "i8").some((line) => /^movzx e\w+, \w+$/.test(line)));
  assert.ok(!binary("and", "i8").some((line) => line.startsWith("movzx")), "operands are canonical, so is their conjunction");
});

test("constants are immediates, and powers of two are shifts", () => {
  assert.ok(withConstant("sub", "i64", 5n).some((line) => line.endsWith(", 5")));
  assert.ok(withConstant("mul", "i64", 8n).some((line) => line.startsWith("shl") && line.endsWith(", 3")));
  assert.ok(withConstant("mul", "i32", 10n).some((line) => line.startsWith("imul") && line.endsWith(", 0xa")));
  assert.ok(withConstant("add", "i64", 1n << 40n).some((line) => line.startsWith("movabs")));
});

test("comparisons are made at the operands' own width", () => {
  assert.ok(binary("lt_s", "i8").some((line) => /^cmp \w*(il|b|l), /.test(line)));
  assert.ok(binary("lt_s", "i16").some((line) => /^cmp (di|si|r\d+w), /.test(line)));
});

test("a division checks for -1 only where the quotient may overflow", () => {
  const isCheck = (line: string): boolean => /^cmp rcx, -1$/.test(line);
  assert.ok(binary("div_s", "i64").some(isCheck));
  assert.ok(!binary("div_s", "i32").some(isCheck), "it is made in 64 bits");
  assert.ok(!withConstant("div_s", "i64", 7n).some(isCheck));
  assert.ok(!binary("div_u", "i64").some(isCheck));
});

test("counts of narrow shifts are taken modulo the width", () => {
  assert.ok(binary("shl", "i8").some((line) => line === "and ecx, 7"));
  assert.ok(!binary("shl", "i32").some((line) => line.startsWith("and")), "the processor does that");
  assert.ok(binary("rotl", "i16").some((line) => /^rol (di|si|r\d+w|ax), cl$/.test(line)));
});

test("volatile accesses are as wide as they are written, behind a check of their alignment", () => {
  const code = listing(functionOf(["addr", "i32"], 1, [op("load_volatile", { type: "i32", dst: [1], src: [0], imm: [8] })]));
  assert.ok(
    code.some((line) => /^test \w+, 3$/.test(line)),
    code.join("\n"),
  );
  assert.ok(
    code.some((line) => /^mov \w+, dword ptr \[\w+ \+ 8\]$/.test(line)),
    code.join("\n"),
  );
  assert.ok(
    code.some((line) => line.startsWith("ud1 esp, dword ptr [rbp")),
    code.join("\n"),
  );
});

test("atomic stores are exchanges, other updates are locked", () => {
  const store = listing(
    functionOf(["addr", "i32", "i32"], 2, [op("atomic_store", { type: "i32", src: [0, 1] }), op("copy", { type: "i32", dst: [2], src: [1] })]),
  );
  assert.ok(store.some((line) => line.startsWith("xchg dword ptr")));
  const update = (rmw: number): readonly string[] =>
    listing(functionOf(["addr", "i64", "i64"], 2, [op("atomic_rmw", { type: "i64", dst: [2], src: [0, 1], imm: [rmw] })]));
  assert.ok(update(0).some((line) => line.startsWith("lock xadd")));
  assert.ok(update(3).some((line) => line.startsWith("lock cmpxchg")));
});

test("a form that the table does not have is a mistake of the back end", () => {
  assert.throws(() => form("add", "rm64, imm64"), /isa\/x86_64 has no add/);
});

test("registers are named whatever their width, but for those without a number of their own", () => {
  assert.equal(x86_64.registerNumber("ecx"), x86_64.registerNumber("rcx"));
  assert.equal(x86_64.registerNumber("r8b"), 8);
  assert.equal(x86_64.registerNumber("ah"), undefined);
  assert.equal(x86_64.registerNumber("xmm0"), undefined);
});

test("what the run-time maps at start: pages of devices, joined where they touch, but no window of BARs", () => {
  const loaded = loadMachine("x86-q35");
  assert.ok(loaded?.ok === true);
  const constants = x86_64.entryConstants(loaded.machine, new Map([["pci0.memory", 0xc000_0000n]]));
  const windows = Array.from({ length: 8 }, (_, index) => [constants.get(`WINDOW_${index}_START`), constants.get(`WINDOW_${index}_SIZE`)] as const).filter(
    ([, size]) => size !== 0n,
  );
  assert.ok(
    windows.some(([start, size]) => start === 0xb000_0000n && size === 0x1000_0000n),
    "the ECAM",
  );
  assert.ok(
    windows.some(([start, size]) => start === 0xfee0_0000n && size === 0x1000n),
    "the local APIC",
  );
  assert.ok(!windows.some(([start]) => start === 0xc000_0000n));
  assert.equal(constants.get("PCI_MEMORY_START"), 0xc000_0000n);
});

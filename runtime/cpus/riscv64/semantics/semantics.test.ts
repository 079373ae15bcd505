// The description against numbers worked out by hand from the manuals, by both of its readers: the generated interpreter, and the
// evaluation in TypeScript that a run with a trace takes. What generated programs compare with QEMU is not repeated, but for
// edges; here is also what QEMU 7.2 lacks (Zicond) or computes otherwise (ctzw).

import assert from "node:assert/strict";
import { test } from "node:test";
import { startGuest } from "../../../../tests/fixtures/riscv64.ts";

const ONES = (1n << 64n) - 1n;
const LOWEST = 1n << 63n;
const LOWEST_WORD = 0xffff_ffff_8000_0000n;

/** a0 from a1 and a2. */
const CASES: readonly (readonly [instruction: string, a1: bigint, a2: bigint, a0: bigint])[] = [
  ["czero.eqz a0, a1, a2", 5n, 0n, 0n],
  ["czero.eqz a0, a1, a2", 5n, 1n << 40n, 5n],
  ["czero.nez a0, a1, a2", 5n, 0n, 5n],
  ["czero.nez a0, a1, a2", 5n, LOWEST, 0n],
  ["ctzw a0, a1", 1n << 44n, 0n, 32n],
  ["ctzw a0, a1", 0n, 0n, 32n],
  ["ctz a0, a1", 0n, 0n, 64n],
  ["clzw a0, a1", 1n << 44n, 0n, 32n],
  ["cpopw a0, a1", ONES, 0n, 32n],
  ["div a0, a1, a2", LOWEST, ONES, LOWEST],
  ["rem a0, a1, a2", LOWEST, ONES, 0n],
  ["div a0, a1, a2", 7n, 0n, ONES],
  ["rem a0, a1, a2", 7n, 0n, 7n],
  ["divw a0, a1, a2", LOWEST_WORD, ONES, LOWEST_WORD],
  ["divuw a0, a1, a2", 0xffff_ffffn, 0n, ONES],
  ["remw a0, a1, a2", ONES << 32n, 0n, 0n],
  ["mulh a0, a1, a2", ONES, ONES, 0n],
  ["mulhu a0, a1, a2", ONES, ONES, ONES - 1n],
  ["mulhsu a0, a1, a2", ONES, ONES, ONES],
  ["max a0, a1, a2", ONES, 1n, 1n],
  ["maxu a0, a1, a2", ONES, 1n, ONES],
  ["min a0, a1, a2", ONES, 1n, ONES],
  ["orc.b a0, a1", 0x0100_8000_0000_0001n, 0n, 0xff00_ff00_0000_00ffn],
  ["rev8 a0, a1", 0x0102_0304_0506_0708n, 0n, 0x0807_0605_0403_0201n],
  ["sra a0, a1, a2", LOWEST, 127n, ONES],
  ["sllw a0, a1, a2", 1n, 63n, LOWEST_WORD],
  ["rolw a0, a1, a2", LOWEST_WORD, 1n, 1n],
  ["sh3add.uw a0, a1, a2", ONES, 1n, (0xffff_ffffn << 3n) + 1n],
  ["slli.uw a0, a1, 40", ONES, 0n, 0xff_ffffn << 40n],
  ["bext a0, a1, a2", LOWEST, 63n, 1n],
  ["lui a0, 0x80000", 0n, 0n, LOWEST_WORD],
];

/** Of RV32: a0 from a1 and a2. */
const CASES_32: typeof CASES = [
  ["add a0, a1, a2", 0xffff_ffffn, 1n, 0n],
  ["sub a0, a1, a2", 0n, 1n, 0xffff_ffffn],
  ["sll a0, a1, a2", 1n, 63n, 1n << 31n],
  ["srl a0, a1, a2", 0x8000_0000n, 32n, 0x8000_0000n],
  ["srai a0, a1, 31", 0x8000_0000n, 0n, 0xffff_ffffn],
  ["slt a0, a1, a2", 0x8000_0000n, 0n, 1n],
  ["sltiu a0, a1, -1", 5n, 0n, 1n],
  ["mulh a0, a1, a2", 0x8000_0000n, 0x8000_0000n, 0x4000_0000n],
  ["mulhu a0, a1, a2", 0xffff_ffffn, 0xffff_ffffn, 0xffff_fffen],
  ["mulhsu a0, a1, a2", 0xffff_ffffn, 0xffff_ffffn, 0xffff_ffffn],
  ["div a0, a1, a2", 0x8000_0000n, 0xffff_ffffn, 0x8000_0000n],
  ["rem a0, a1, a2", 0x8000_0000n, 0xffff_ffffn, 0n],
  ["divu a0, a1, a2", 7n, 0n, 0xffff_ffffn],
  ["clz a0, a1", 0n, 0n, 32n],
  ["ctz a0, a1", 0n, 0n, 32n],
  ["cpop a0, a1", 0xffff_ffffn, 0n, 32n],
  ["rev8 a0, a1", 0x0102_0304n, 0n, 0x0403_0201n],
  ["orc.b a0, a1", 0x0100_8000n, 0n, 0xff00_ff00n],
  ["zext.h a0, a1", 0xffff_8001n, 0n, 0x8001n],
  ["rori a0, a1, 1", 1n, 0n, 0x8000_0000n],
  ["bseti a0, a1, 31", 0n, 0n, 0x8000_0000n],
  ["bext a0, a1, a2", 0x8000_0000n, 63n, 1n],
  ["sh3add a0, a1, a2", 0x2000_0000n, 5n, 5n],
  ["czero.eqz a0, a1, a2", 5n, 0n, 0n],
  ["czero.nez a0, a1, a2", 5n, 0n, 5n],
  ["lui a0, 0x80000", 0n, 0n, 0x8000_0000n],
  ["auipc a0, 0x80001", 0n, 0n, 0x1000n],
  ["jal a0, . + 4", 0n, 0n, 0x8000_0004n],
  ["jalr a0, 4(a1)", 0x7fff_fffcn, 0n, 0x8000_0004n],
];

for (const [width, cases] of [
  [64, CASES],
  [32, CASES_32],
] as const) {
  test(`RV${width}: instructions compute what the manuals say, in both readers`, () => {
    for (const trace of [undefined, () => undefined]) {
      for (const [instruction, a1, a2, a0] of cases) {
        const guest = startGuest(`${instruction}\nj .`, { width, setup: { registers: { a1: BigInt.asUintN(64, a1), a2 } }, ...(trace && { trace }) });
        guest.run(1);
        assert.equal(
          guest.register("a0"),
          a0,
          `${instruction}, a1 0x${a1.toString(16)}, a2 0x${a2.toString(16)}, ${trace === undefined ? "generated" : "evaluated"}`,
        );
        guest.dispose();
      }
    }
  });
}

test("atomics give the old value and store the new one; words are compared as words", () => {
  const cases: readonly (readonly [instruction: string, memory: bigint, operand: bigint, stored: bigint])[] = [
    ["amomax.w", 0xffff_ffffn, 1n, 1n],
    ["amomaxu.w", 0xffff_ffffn, 1n, 0xffff_ffffn],
    ["amomin.d", 5n, ONES, ONES],
    ["amominu.d", 5n, ONES, 5n],
    ["amoadd.w", 0xffff_ffffn, 2n, 1n],
    ["amoswap.d", 1n, LOWEST, LOWEST],
  ];
  for (const [instruction, memory, operand, stored] of cases) {
    // Twice: the first access of a page is cold, the second is the generated code's.
    const guest = startGuest(
      `li s0, 0x80100000\n sd a1, 0(s0)\n ${instruction} a0, a2, (s0)\n sd a1, 8(s0)\n addi s0, s0, 8\n ${instruction} a3, a2, (s0)\nj .`,
      {
        setup: { registers: { a1: memory, a2: operand } },
      },
    );
    guest.run(8);
    const after = guest.machine.readMemory(0x8010_0000n, 16) ?? assert.fail("no memory");
    const view = new DataView(after.buffer);
    const isWord = instruction.endsWith(".w");
    const old = isWord ? BigInt.asUintN(64, BigInt.asIntN(32, memory)) : memory;
    assert.deepEqual([guest.register("a0"), guest.register("a3")], [old, old], instruction);
    assert.deepEqual([view.getBigUint64(0, true), view.getBigUint64(8, true)], [stored, stored], instruction);
    guest.dispose();
  }
});

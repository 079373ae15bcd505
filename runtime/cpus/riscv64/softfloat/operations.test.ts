// The table is complete, single values are as the manual gives them, and the host's arithmetic never differs from the exact definition.
import assert from "node:assert/strict";
import { test } from "node:test";
import { instructionsOf } from "../../../../isa/riscv64/instructions.ts";
import { floatCases, groupByOperands, showCase } from "../../../../tests/fixtures/float-cases.ts";
import { FUZZ_SEED, fuzzRounds } from "../../../../tests/fixtures/random.ts";
import { BINARY32, DIVIDE_BY_ZERO, INEXACT, INVALID, OVERFLOW, UNDERFLOW } from "./format.ts";
import { boxSingle, FLOAT_OPERATIONS, RDN, RMM, RNE, RTZ, RUP, unboxSingle, type FloatOperation, type RoundingMode } from "./operations.ts";

const MODES: readonly RoundingMode[] = [RNE, RTZ, RDN, RUP, RMM];

const view = new DataView(new ArrayBuffer(8));

function double(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function single(value: number): bigint {
  view.setFloat32(0, value);
  return boxSingle(BigInt(view.getUint32(0)));
}

function find(mnemonic: string): FloatOperation {
  return FLOAT_OPERATIONS.get(mnemonic) ?? assert.fail(`no ${mnemonic}`);
}

test("the table has what the instruction set has, but for loads, stores and moves", () => {
  const expected = instructionsOf(64).filter(({ mnemonic, extension }) => (extension === "F" || extension === "D") && !/^(fl|fs)[wd]$|^fmv/.test(mnemonic));
  assert.deepEqual([...FLOAT_OPERATIONS.keys()].toSorted(), expected.map(({ mnemonic }) => mnemonic).toSorted());
});

test("results and flags of the cases that the standard treats apart", () => {
  const nan = BINARY32.canonicalNan;
  const least = boxSingle(1n);
  const rows: readonly (readonly [string, RoundingMode, readonly bigint[], bigint, number])[] = [
    ["fadd.d", RNE, [double(0.1), double(0.2)], double(0.1 + 0.2), INEXACT],
    ["fadd.d", RNE, [double(1), double(-1)], double(0), 0],
    ["fadd.d", RDN, [double(1), double(-1)], double(-0), 0],
    ["fsub.d", RNE, [double(Infinity), double(Infinity)], double(NaN), INVALID],
    ["fdiv.d", RNE, [double(-1), double(0)], double(-Infinity), DIVIDE_BY_ZERO],
    ["fdiv.d", RNE, [double(0), double(0)], double(NaN), INVALID],
    ["fsqrt.d", RNE, [double(-0)], double(-0), 0],
    ["fsqrt.d", RNE, [double(2)], double(Math.SQRT2), INEXACT],
    ["fsqrt.d", RNE, [double(-1)], double(NaN), INVALID],
    ["fmul.s", RNE, [single(2 ** 100), single(2 ** 100)], single(Infinity), OVERFLOW | INEXACT],
    ["fmul.s", RTZ, [single(2 ** 100), single(2 ** 100)], boxSingle(0x7f7f_ffffn), OVERFLOW | INEXACT],
    // Half of the least number: a tie, which only two of the modes take away from zero.
    ["fmul.s", RNE, [least, single(0.5)], single(0), UNDERFLOW | INEXACT],
    ["fmul.s", RUP, [least, single(0.5)], least, UNDERFLOW | INEXACT],
    ["fmul.s", RMM, [least, single(0.5)], least, UNDERFLOW | INEXACT],
    // Tiny, and next to the least normal number; then a product that rounds up to that one with 24 bits already: not tiny.
    ["fmul.s", RNE, [boxSingle(0x00ff_ffffn), boxSingle(0x3eff_ffffn)], boxSingle(0x007f_ffffn), UNDERFLOW | INEXACT],
    ["fmul.s", RUP, [boxSingle(0x007f_ffffn), boxSingle(0x3f80_0001n)], boxSingle(0x0080_0000n), INEXACT],
    ["fmadd.s", RNE, [single(Infinity), single(0), boxSingle(nan)], boxSingle(nan), INVALID],
    ["fmin.d", RNE, [double(-0), double(0)], double(-0), 0],
    ["fmax.s", RNE, [boxSingle(0x7f80_0001n), single(1)], single(1), INVALID],
    ["feq.s", RNE, [boxSingle(nan), single(1)], 0n, 0],
    ["fle.s", RNE, [boxSingle(nan), single(1)], 0n, INVALID],
    ["fcvt.w.s", RNE, [single(NaN)], 0x7fff_ffffn, INVALID],
    ["fcvt.wu.s", RNE, [single(2 ** 32)], 0xffff_ffff_ffff_ffffn, INVALID],
    ["fcvt.wu.d", RTZ, [double(-0.5)], 0n, INEXACT],
    ["fcvt.wu.d", RNE, [double(-1)], 0n, INVALID],
    ["fcvt.l.d", RMM, [double(2.5)], 3n, INEXACT],
    ["fcvt.l.d", RNE, [double(2.5)], 2n, INEXACT],
    ["fcvt.d.lu", RNE, [0xffff_ffff_ffff_ffffn], double(2 ** 64), INEXACT],
    ["fclass.d", RNE, [double(-Infinity)], 1n, 0],
    ["fclass.s", RNE, [boxSingle(1n)], 1n << 5n, 0],
    // Not boxed: a NaN, whatever the low half says (Volume I, 12.2).
    ["fadd.s", RNE, [0x3f80_0000n, single(1)], boxSingle(nan), 0],
    ["fclass.s", RNE, [0x3f80_0000n], 1n << 9n, 0],
  ];
  for (const [mnemonic, mode, [a = 0n, b = 0n, c = 0n], bits, flags] of rows) {
    const operation = find(mnemonic);
    assert.deepEqual(operation.run(mode, a, b, c), { bits, flags }, `${mnemonic} ${showCase(operation.operands, [a, b, c])} in mode ${mode}`);
  }
});

test("a boxed single comes back", () => {
  assert.equal(unboxSingle(boxSingle(0x1234_5678n)), 0x1234_5678n);
  assert.equal(unboxSingle(0x1234_5678n), BINARY32.canonicalNan);
});

test("the host's arithmetic gives what the exact definition gives", () => {
  const rounds = fuzzRounds(2000);
  let compared = 0;
  for (const rows of groupByOperands().values()) {
    const [first] = rows;
    if (first === undefined) continue;
    for (const registers of floatCases(first[1].operands, rounds, FUZZ_SEED)) {
      for (const [mnemonic, { compute, run, operands }] of rows) {
        if (compute === run) continue;
        for (const mode of MODES) {
          const exact = compute(mode, ...registers);
          const fast = run(mode, ...registers);
          compared++;
          if (exact.bits !== fast.bits || exact.flags !== fast.flags) {
            const show = ({ bits, flags }: typeof exact): string => `${bits.toString(16)} with flags ${flags}`;
            assert.fail(`${mnemonic} ${showCase(operands, registers)} in mode ${mode} is ${show(exact)}, the host's way ${show(fast)}`);
          }
        }
      }
    }
  }
  assert.ok(compared > 100_000, `${compared} results were compared`);
});

test("every mode gives numbers between those of rounding down and up", () => {
  for (const [mnemonic, { run, operands, result }] of FLOAT_OPERATIONS) {
    if (result === "integer" || /^fn?m(add|sub)|^fcvt|^f(min|max|sgnj)/.test(mnemonic)) continue;
    for (const [a, b, c] of floatCases(operands, 200, FUZZ_SEED)) {
      const all = MODES.map((mode) => run(mode, a, b, c).bits);
      const [nearest, towardsZero, down, up, ties] = all;
      for (const bits of [nearest, towardsZero, ties]) assert.ok(bits === down || bits === up, `${mnemonic} ${showCase(operands, [a, b, c])}`);
    }
  }
});

// Descriptions of floating-point instructions against the soft float's exact definition: where a guard lets through, the bits are the same and
// every flag is raised already; and it lets through what programs do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { floatCases, showCase } from "../../../../tests/fixtures/float-cases.ts";
import { FUZZ_SEED, fuzzRounds } from "../../../../tests/fixtures/random.ts";
import { startGuest } from "../../../../tests/fixtures/riscv64.ts";
import { boxSingle, FLOAT_OPERATIONS, RNE, RTZ } from "../softfloat/operations.ts";
import { evaluate, evaluateShared, type Leaves } from "./evaluate.ts";
import { describeFloat } from "./float.ts";

const DIRTY = 3n << 13n;
const INEXACT = 1;
const DYNAMIC = 7n;

const view = new DataView(new ArrayBuffer(8));
function bitsOf(value: number, isSingle: boolean): bigint {
  if (isSingle) {
    view.setFloat32(0, value);
    return boxSingle(BigInt(view.getUint32(0)));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

/** All pairs of the numbers where something changes are many: each instruction gets others of them. */
const SAMPLE = 16;

/** Numbers as programs have them. */
const ORDINARY = [1, 2, 3, 10, 0.5, 1.5, 0.1, 1 / 3, 100, 1e-3, 12_345.678, 0, 2.5, 1e6];

test("what guards let through is what the soft float gives", () => {
  const rounds = fuzzRounds(3000);
  for (const [nth, [name, meaning]] of [...describeFloat(64)].entries()) {
    const operation = FLOAT_OPERATIONS.get(name.replace(".rtz", ""));
    if (operation === undefined) {
      assert.match(name, /^fmv/);
      continue;
    }
    const { operands, compute } = operation;
    const mode = name.endsWith(".rtz") ? RTZ : RNE;
    const ordinary = ORDINARY.flatMap((a) =>
      ORDINARY.map((b, n) =>
        [a, n % 2 === 0 ? b : -b, a + b].map((value, at) =>
          operands[at] === "integer" ? BigInt(Math.trunc(value)) : bitsOf(value, operands[at] === "single"),
        ),
      ),
    );
    let passed = 0;
    const sampled = [...floatCases(operands, rounds, FUZZ_SEED)].filter((_, n) => n % SAMPLE === nth % SAMPLE);
    const cases = [...ordinary, ...sampled];
    for (const [index, [a = 0n, b = 0n, c = 0n]] of cases.entries()) {
      for (const fcsr of [0n, 1n]) {
        const leaves: Leaves = { fs1: a, fs2: b, fs3: c, rs1: a, imm: DYNAMIC, fcsr, mstatus: DIRTY };
        const bound = evaluateShared(meaning.shared, leaves);
        if (meaning.guard !== undefined && evaluate(meaning.guard, leaves, bound) === 0n) continue;
        if (index < ordinary.length && fcsr === 1n) passed++;
        const expected = compute(mode, a, b, c);
        const shown = `${name} ${showCase(operands, [a, b, c])} with fcsr ${fcsr}`;
        assert.equal(meaning.result && evaluate(meaning.result.value, leaves, bound), expected.bits, shown);
        assert.ok(expected.flags === 0 || (expected.flags === INEXACT && fcsr === 1n), `${shown} raises ${expected.flags}`);
      }
    }
    // Divisions by zero, roots of negative numbers and numbers that are no integers of a kind are among them.
    assert.ok(passed > ordinary.length / 3, `${name}: ${passed} of ${ordinary.length}`);
  }
});

test("a guard asks for the state, the mode, and boxes", () => {
  const guardOf = (name: "fadd.s" | "fadd.d", changes: Leaves): bigint => {
    const meaning = describeFloat(64).get(name);
    const one = bitsOf(1, name === "fadd.s");
    const leaves: Leaves = { fs1: one, fs2: one, imm: DYNAMIC, fcsr: 0n, mstatus: DIRTY, ...changes };
    return meaning?.guard === undefined ? assert.fail(name) : evaluate(meaning.guard, leaves, evaluateShared(meaning.shared, leaves));
  };
  assert.equal(guardOf("fadd.d", {}), 1n);
  assert.equal(guardOf("fadd.s", {}), 1n);
  assert.equal(guardOf("fadd.d", { mstatus: 1n << 13n }), 0n);
  assert.equal(guardOf("fadd.d", { fcsr: 1n << 5n }), 0n);
  assert.equal(guardOf("fadd.d", { fcsr: 1n << 5n, imm: 0n }), 1n);
  assert.equal(guardOf("fadd.s", { fs2: 0x3f80_0000n }), 0n);
  assert.equal(guardOf("fadd.d", { fs2: bitsOf(0.1, false) }), 0n);
  assert.equal(guardOf("fadd.d", { fs2: bitsOf(0.1, false), fcsr: 1n }), 1n);
});

test("a loop of singles and doubles comes to the same in generated code and on the cold path, flags too", () => {
  const program = `
    li t0, 0x6000
    csrs mstatus, t0
    li t0, 3
    fcvt.d.w fa0, t0
    fcvt.s.wu fa1, t0
    li t1, 1000
  loop:
    fcvt.d.l fa2, t1
    fcvt.s.l fa3, t1
    fdiv.d fa4, fa0, fa2
    fdiv.s fa5, fa1, fa3
    fmadd.d fs0, fa4, fa2, fs0
    fmsub.s fs1, fa5, fa3, fs1
    fnmadd.s fs2, fa5, fa3, fs2
    fnmsub.d fs3, fa4, fa2, fs3
    fsqrt.d fs4, fs0
    fcvt.s.d fs5, fs4
    fmax.d fs6, fs6, fa4
    fmin.s fs7, fs7, fa5
    flt.d t2, fa4, fs6
    add s1, s1, t2
    fcvt.w.d t3, fs4, rtz
    fcvt.lu.s t4, fs5
    add s2, s2, t3
    add s3, s3, t4
    fsgnjn.d fs8, fs4, fs3
    fmv.x.d t5, fs8
    xor s4, s4, t5
    fmul.s fs9, fa5, fs5
    fmv.x.w t6, fs9
    xor s5, s5, t6
    andi t0, t1, 127
    bnez t0, 1f
    csrw fflags, zero
    frflags s6
  1:
    addi t1, t1, -1
    bnez t1, loop
    frflags s7
    j .`;
  const [fast, slow] = [startGuest(program), startGuest(program, { trace: () => undefined })];
  const names = ["fcsr", "mstatus", "pc", ...Array.from({ length: 32 }, (_, n) => [`x${n}`, `f${n}`]).flat()];
  const [first, second] = [fast, slow].map((guest) => {
    guest.run(40_000);
    return Object.fromEntries(names.map((name) => [name, guest.register(name)]));
  });
  assert.deepEqual(first, second);
  assert.equal(first?.["x23"], 1n);
  fast.dispose();
  slow.dispose();
});

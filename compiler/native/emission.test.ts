// Branch forms, cold ends and the line table, on the riscv64 target: its conditional branches reach 4 KiB, its jumps 1 MiB. The other
// direction, from long forms to short ones, is asked of the same target with its preference turned around.

import assert from "node:assert/strict";
import { test } from "node:test";
import { disassembleWord } from "../../isa/riscv64/disassemble.ts";
import { enc } from "../targets/riscv64/encoding.ts";
import { branchOnZero } from "../targets/riscv64/lower-arithmetic.ts";
import { riscv64 } from "../targets/riscv64/target.ts";
import { Emission, type EmissionContext } from "./emission.ts";
import type { NativeTarget } from "./target.ts";

const A0 = 10;
const NOP = enc.addi(0, 0, 0);

function makeContext(target: NativeTarget = riscv64): EmissionContext {
  const frame = { size: 0, outgoing: 0, local: 0, saved: [], returnAddress: null, incoming: 0, isLeaf: true, isChecked: false };
  const module = {
    version: 1,
    layout: { addressBytes: 8, endian: "little" },
    functions: [],
    symbols: [],
    signatures: [],
    files: [],
    locations: [],
    assembly: [],
    exports: [],
    trapVector: -1,
    interruptVector: -1,
  } as const;
  return { target, module, frame, types: [], locations: [], labels: 1, isCompact: true };
}

/** As lowering does it: again until every branch has a form that reaches. */
function emit(
  context: EmissionContext,
  write: (e: Emission) => void,
): { readonly code: Uint8Array; readonly passes: number; readonly problem: string | undefined } {
  const flipped = new Set<number>();
  for (let passes = 1; ; passes++) {
    const e = new Emission(context, flipped);
    write(e);
    e.writeColds();
    const { code, flips, problem } = e.resolve();
    if (flips.length === 0) return { code, passes, problem };
    for (const branch of flips) flipped.add(branch);
  }
}

function wordsOf(code: Uint8Array): readonly string[] {
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  return Array.from({ length: code.length / 4 }, (_, index) => disassembleWord(view.getUint32(4 * index, true)));
}

/** A branch over so many instructions, and one back over all of it. */
const over = (nops: number) => (e: Emission) => {
  branchOnZero(e, A0, 0);
  for (let left = nops; left > 0; left--) e.word(NOP);
  e.bind(0);
  e.word(NOP);
};

test("a branch that reaches stays short", () => {
  const { code, passes, problem } = emit(makeContext(), over(3));
  assert.equal(passes, 1);
  assert.equal(problem, undefined);
  assert.equal(wordsOf(code)[0], "beq a0, zero, . + 16");
});

test("a branch that does not becomes the opposite around a jump", () => {
  const { code, passes, problem } = emit(makeContext(), over(1100));
  assert.equal(passes, 2);
  assert.equal(problem, undefined);
  const words = wordsOf(code);
  assert.deepEqual([words[0], words[1]], ["bne a0, zero, . + 8", `jal zero, . + ${4 * 1101}`]);
  assert.equal(code.length, 4 * 1103);
});

test("what grows may put others out of reach", () => {
  // The outer branch reaches only as long as the inner ones are short.
  const { passes, problem, code } = emit(makeContext(), (e) => {
    const far = e.label();
    branchOnZero(e, A0, 0);
    for (let left = 1000; left > 0; left--) e.word(NOP);
    for (let left = 22; left > 0; left--) branchOnZero(e, A0, far);
    e.bind(0);
    for (let left = 1100; left > 0; left--) e.word(NOP);
    e.bind(far);
    e.word(NOP);
  });
  assert.equal(passes, 3);
  assert.equal(problem, undefined);
  assert.equal(wordsOf(code)[1], `jal zero, . + ${4 * (1 + 1000 + 44)}`);
});

test("a target that tries long forms first shortens those that are near", () => {
  const target: NativeTarget = { ...riscv64, branches: "long", isNear: (distance) => Math.abs(distance) < 2048 };
  const { code, passes } = emit(makeContext(target), (e) => {
    over(3)(e);
    const far = e.label();
    branchOnZero(e, A0, far);
    for (let left = 1100; left > 0; left--) e.word(NOP);
    e.bind(far);
    e.word(NOP);
  });
  const words = wordsOf(code);
  assert.equal(passes, 2);
  assert.equal(words[0], "beq a0, zero, . + 16");
  assert.deepEqual(words.slice(5, 7), ["bne a0, zero, . + 8", `jal zero, . + ${4 * 1101}`]);
});

test("what no form reaches is a problem, and a label that is nowhere a mistake", () => {
  const { problem } = emit(makeContext(), (e) => {
    e.refer(0, "jal");
    e.word(enc.jal(0));
    e.append(new Uint8Array(2 ** 21));
    e.bind(0);
  });
  assert.match(problem ?? "", /^a label /);
  assert.throws(
    () =>
      emit(makeContext(), (e) => {
        e.refer(0, "jal");
        e.word(enc.jal(0));
      }),
    /label 0 is nowhere/,
  );
});

test("cold ends come behind everything, with the place in the source that asked for them, and may have their own", () => {
  const e = new Emission(makeContext(), new Set());
  const order: string[] = [];
  e.at = 5;
  e.mark(5);
  const outer = e.cold(() => {
    order.push("outer");
    e.word(1);
    const inner = e.cold(() => {
      order.push("inner");
      e.word(2);
    });
    e.refer(inner, "jal");
    e.word(enc.jal(0));
  });
  e.at = 6;
  e.mark(6);
  e.refer(outer, "jal");
  e.word(enc.jal(0));
  e.writeColds();
  assert.deepEqual(order, ["outer", "inner"]);
  assert.deepEqual(e.marks, [
    { offset: 0, location: 6 },
    { offset: 4, location: 5 },
  ]);
  assert.equal(e.resolve().code.length, 16);
});

test("the line table has no empty stretches and no repetitions", () => {
  const e = new Emission(makeContext(), new Set());
  for (const [location, words] of [
    [1, 1],
    [1, 1],
    [2, 0],
    [3, 2],
    [-1, 1],
  ] as const) {
    e.mark(location);
    for (let left: number = words; left > 0; left--) e.word(NOP);
  }
  assert.deepEqual(e.marks, [
    { offset: 0, location: 1 },
    { offset: 8, location: 3 },
    { offset: 16, location: -1 },
  ]);
});

test("returns go to where the frame is given back already, unless that is as short as going there", () => {
  const leave = (words: number): { readonly length: number; readonly events: readonly string[] } => {
    let events: readonly string[] = [];
    const { code, problem } = emit(makeContext(), (e) => {
      for (let i = 0; i < 3; i++) e.leaving(() => Array.from({ length: words }, () => e.word(NOP)));
      events = e.frameEvents.map(({ kind }) => kind);
    });
    assert.equal(problem, undefined);
    return { length: code.length, events };
  };
  const { length, events } = leave(8);
  assert.ok(length > 32 && length <= 32 + 2 * 4, `${length} bytes`);
  assert.deepEqual(events, ["leave", "stay"]);
  assert.deepEqual(leave(1), { length: 12, events: ["leave", "stay", "leave", "stay", "leave", "stay"] });
});

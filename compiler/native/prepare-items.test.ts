// Bytecode to items: what is reachable, which values are split, and which comparisons become branches. Programs are bytecode text, items
// are compared as lines, in which a virtual register beyond the bytecode's own is one that splitting made.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../isa/bytecode/text.ts";
import { describeItem } from "../../tests/fixtures/describe-item.ts";
import type { Items } from "./items.ts";
import { prepareItems } from "./prepare-items.ts";

function prepare(text: string, findForeign: Parameters<typeof prepareItems>[1] = () => null): Items {
  const [fn] = parseText(`gbc 1 addr64 little\n${text}`, { fileName: "items" }).functions;
  assert.ok(fn !== undefined);
  return prepareItems(fn, findForeign);
}

const lines = (items: Items): readonly string[] => items.items.map(describeItem);

test("structure becomes labels and branches", () => {
  const code = prepare(`func @f (i8, i32) -> (i32) {
    if %0
      return %1
    else
      block
        br_table %1, 0, 1
      end
    end
    return %1
  }`);
  assert.deepEqual(lines(code), ["unless %0 L0", "return <- %1", "L0:", "table %1 L2 L1", "L2:", "L1:", "return <- %1"]);
});

test("an if without else-part leads on", () => {
  assert.deepEqual(lines(prepare("func @f (i8) -> () {\nif %0\nfence\nend\nreturn\n}")), ["unless %0 L0", "fence <-", "L0:", "return <-"]);
});

test("a branch out of an if's first part leads behind its else-part", () => {
  const code = prepare("func @f (i8) -> () {\nif %0\nfence\nelse\nfence\nbr 0\nend\nreturn\n}");
  assert.deepEqual(lines(code), ["unless %0 L0", "fence <-", "jump L1", "L0:", "fence <-", "jump L1", "L1:", "return <-"]);
});

test("loops begin with their label, and a branch to them goes back", () => {
  const code = prepare("func @f (i8) -> () {\nloop\nfence\nbr_if %0, 0\nend\nreturn\n}");
  assert.deepEqual(lines(code), ["loop L0:", "fence <-", "if %0 L0", "return <-"]);
});

test("what cannot be reached is left out, with the regions inside", () => {
  const code = prepare(`func @f (i8) -> () {
    block
      br 0
      loop
        if %0
          fence
        else
          br 1
        end
      end
    end
    return
    block
      fence
    end
    return
  }`);
  assert.deepEqual(lines(code), ["jump L0", "L0:", "return <-"]);
});

test("behind a block that nothing leaves and that does not end there is nothing", () => {
  const code = prepare(
    "func @f (i8) -> () {\nblock\nif %0\nreturn\nelse\nunwind %1\nend\nfence\nend\nfence\nreturn\n}".replace("(i8) -> () {", "(i8) -> () {\nreg %1:i32"),
  );
  assert.deepEqual(lines(code), ["unless %0 L1", "return <-", "L1:", "unwind <- %1"]);
});

test("values that live in one block are apart from each other", () => {
  const code = prepare(`func @f (i32) -> (i32) {
    reg %1:i32
    %1 = const.i32 5
    %0 = mul.i32 %0, %1
    %1 = mul.i32 %0, %0
    return %1
  }`);
  assert.deepEqual(lines(code), ["const %2 <- 5", "mul %3 <- %0 %2", "mul %4 <- %3 %3", "return <- %4"]);
  assert.deepEqual(code.isLocal, [false, false, true, true, true]);
  assert.deepEqual(code.types, ["i32", "i32", "i32", "i32", "i32"]);
});

test("the last value in a block keeps its register where another block wants it", () => {
  const code = prepare(`func @f (i32, i8) -> (i32) {
    reg %2:i32
    %2 = neg.i32 %0
    %2 = not.i32 %2
    if %1
      %2 = neg.i32 %2
    end
    return %2
  }`);
  assert.deepEqual(lines(code), ["neg %3 <- %0", "not %2 <- %3", "unless %1 L0", "neg %2 <- %2", "L0:", "return <- %2"]);
});

test("values that have nothing to do with each other are apart also where other blocks read them", () => {
  const code = prepare(`func @f (i32, i8) -> (i32) {
    reg %2:i32
    %2 = neg.i32 %0
    if %1
      %2 = not.i32 %0
    end
    %0 = add.i32 %0, %2
    %2 = neg.i32 %0
    if %1
      %2 = not.i32 %0
    end
    return %2
  }`);
  assert.deepEqual(lines(code), [
    "neg %2 <- %0",
    "unless %1 L0",
    "not %2 <- %0",
    "L0:",
    "add %3 <- %0 %2",
    "neg %4 <- %3",
    "unless %1 L2",
    "not %4 <- %3",
    "L2:",
    "return <- %4",
  ]);
  assert.deepEqual(code.isLocal, [false, false, false, false, false]);
});

test("a parameter that is written first and a zero that nobody has written", () => {
  const code = prepare(`func @f (i32, i8) -> (i32, i32) {
    reg %2:i32
    %0 = const.i32 1
    if %1
      %0 = const.i32 2
    end
    return %0, %2
  }`);
  assert.deepEqual(lines(code), ["const %3 <- 1", "unless %1 L0", "const %3 <- 2", "L0:", "return <- %3 %2"]);
});

test("a loop's own value is wanted by its next round", () => {
  const code = prepare(`func @f (i32) -> (i32) {
    reg %1:i32, %2:i8
    loop
      %1 = add.i32 %1, %0
      %2 = trunc.i32.i8 %1
      br_if %2, 0
    end
    return %1
  }`);
  assert.deepEqual(lines(code), ["loop L0:", "add %1 <- %1 %0", "trunc %3 <- %1", "if %3 L0", "return <- %1"]);
});

const compared = (body: string): readonly string[] => lines(prepare(`func @f (i32, i32) -> () {\nreg %2:i8, %3:i8, %4:i32\n${body}\nreturn\n}`));

test("a comparison that only a branch reads becomes part of it", () => {
  assert.deepEqual(compared("%2 = lt_u.i32 %0, %1\nif %2\nfence\nend"), ["ge_u.i32 %0 %1 L0", "fence <-", "L0:", "return <-"]);
  assert.deepEqual(compared("block\n%2 = le_s.i32 %0, %1\nbr_if %2, 0\nfence\nend"), ["le_s.i32 %0 %1 L0", "fence <-", "L0:", "return <-"]);
});

test("a comparison with zero turns one around, and two turn it back", () => {
  const not = "%3 = const.i8 0\n%2 = eq.i8 %2, %3\n";
  const around = (nots: string): string | undefined => compared(`block\n%2 = lt_s.i32 %0, %1\n${nots}br_if %2, 0\nfence\nend`)[0];
  assert.equal(around(not), "ge_s.i32 %0 %1 L0");
  assert.equal(around(not + not), "lt_s.i32 %0 %1 L0");
});

test("a comparison of two truth values is not one with zero", () => {
  const code = compared("block\n%2 = lt_s.i32 %0, %1\n%3 = const.i8 1\n%2 = eq.i8 %2, %3\nbr_if %2, 0\nfence\nend");
  assert.deepEqual(code.slice(0, 3), ["lt_s %5 <- %0 %1", "const %6 <- 1", "eq.i8 %5 %6 L0"]);
});

test("a comparison stays where its operands change before the branch, or somebody else reads it", () => {
  const changed = compared("loop\n%2 = lt_s.i32 %0, %1\n%0 = add.i32 %0, %1\nbr_if %2, 0\nend");
  assert.ok(
    changed.some((line) => line.startsWith("lt_s %")),
    changed.join("\n"),
  );
  const shared = compared("loop\n%3 = lt_s.i32 %0, %1\n%2 = and.i8 %2, %3\nbr_if %3, 0\nend\nif %2\nfence\nend");
  assert.ok(shared.includes("lt_s %5 <- %0 %1"), shared.join("\n"));
});

test("what nobody reads is not computed, unless it does more than that", () => {
  const code = prepare(`func @f (i32, addr) -> () {
    reg %2:i32, %3:i32
    %2 = const.i32 7
    %3 = add.i32 %0, %2
    %3 = mul.i32 %3, %3
    %3 = div_s.i32 %0, %2
    %3 = load.i32 %1
    return
  }`);
  assert.deepEqual(lines(code), ["const %4 <- 7", "div_s %7 <- %0 %4", "load %8 <- %1 0", "return <-"]);
});

test("an instruction of another target is a trap, and nothing comes behind it", () => {
  const code = prepare("func @f () -> () {\nsys x86_64, 5\nfence\nreturn\n}", ({ op }) => (op === "sys" ? 5n : null));
  assert.deepEqual(lines(code), ["const %1 <- 5", "trap <- %1 1"]);
  assert.deepEqual(code.types, ["i64", "i64"]);
});

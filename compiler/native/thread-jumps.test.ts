// Shortcuts of branches, as `prepareItems` makes them of whole functions: conditions of several parts become one branch each, and values
// that somebody else wants stay.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../isa/bytecode/text.ts";
import { describeItem } from "../../tests/fixtures/describe-item.ts";
import { prepareItems } from "./prepare-items.ts";

function prepare(text: string): readonly string[] {
  const [fn] = parseText(`gbc 1 addr64 little\n${text}`, { fileName: "thread-jumps" }).functions;
  assert.ok(fn !== undefined);
  return prepareItems(fn, () => null).items.map(describeItem);
}

/** `a < b and c < d`, as the compiler writes it. */
const AND = `
    %4 = lt_u.i32 %0, %1
    if %4
      %5 = lt_u.i32 %2, %3
      %4 = copy.i8 %5
    end`;

/** `a < b or c < d` */
const OR = `
    %4 = lt_u.i32 %0, %1
    %6 = const.i8 0
    %7 = eq.i8 %4, %6
    if %7
      %5 = lt_u.i32 %2, %3
      %4 = copy.i8 %5
    end`;

const REGISTERS = "reg %4:i8, %5:i8, %6:i8, %7:i8";

test("both parts of an `and` lead past what it decides", () => {
  const items = prepare(`func @f (i32, i32, i32, i32) -> (i32) {\n${REGISTERS}${AND}\nif %4\nreturn %0\nend\nreturn %1\n}`);
  assert.deepEqual(items, ["ge_u.i32 %0 %1 L2", "ge_u.i32 %2 %3 L2", "return <- %0", "L2:", "return <- %1"]);
});

test("the first part of an `or` leads to what it decides", () => {
  const items = prepare(`func @f (i32, i32, i32, i32) -> (i32) {\n${REGISTERS}${OR}\nif %4\nreturn %0\nend\nreturn %1\n}`);
  assert.deepEqual(items, ["lt_u.i32 %0 %1 L4", "ge_u.i32 %2 %3 L2", "L4:", "return <- %0", "L2:", "return <- %1"]);
});

test("a loop's condition that is turned around leads out of the loop", () => {
  const items = prepare(
    `func @f (i32, i32, i32, i32) -> (i32) {\n${REGISTERS}\nblock\nloop${AND}\n%6 = const.i8 0\n%7 = eq.i8 %4, %6\nbr_if %7, 1\n%0 = add.i32 %0, %1\nbr 0\nend\nend\nreturn %1\n}`,
  );
  assert.deepEqual(items, ["loop L1:", "ge_u.i32 %0 %1 L0", "ge_u.i32 %2 %3 L0", "add %0 <- %0 %1", "jump L1", "L0:", "return <- %1"]);
});

test("a value that is wanted behind the branch is computed", () => {
  const items = prepare(`func @f (i32, i32, i32, i32) -> (i8) {\n${REGISTERS}${AND}\nif %4\nfence\nend\nreturn %4\n}`);
  assert.deepEqual(items, ["lt_u %4 <- %0 %1", "unless %4 L2", "lt_u %4 <- %2 %3", "unless %4 L2", "fence <-", "L2:", "return <- %4"]);
});

test("what is written on the way and wanted behind is not left out", () => {
  const items = prepare(`func @f (i32, i32, i32, i32) -> (i8) {\n${REGISTERS}${AND}\n%6 = const.i8 0\n%7 = eq.i8 %4, %6\nif %7\nreturn %7\nend\nreturn %6\n}`);
  assert.deepEqual(items, [
    "lt_u %4 <- %0 %1",
    "unless %4 L0",
    "lt_u %4 <- %2 %3",
    "L0:",
    "const %6 <- 0",
    "eq %7 <- %4 %6",
    "unless %7 L2",
    "return <- %7",
    "L2:",
    "return <- %6",
  ]);
});

test("a branch to the start of a loop stays there, where the loop is polled", () => {
  const items = prepare(`func @f (i8) -> () {\nif %0\nfence\nend\nloop\nif %0\nbr 1\nend\nend\nreturn\n}`);
  assert.deepEqual(items, ["unless %0 L0", "fence <-", "L0:", "loop L2:", "unless %0 L3", "jump L2", "L3:", "return <-"]);
});

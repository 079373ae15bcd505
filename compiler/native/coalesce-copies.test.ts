// Copies that are left out, and those that must stay because a value changes before its copy is read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../isa/bytecode/text.ts";
import type { Item } from "./items.ts";
import { prepareItems } from "./prepare-items.ts";

function describe(item: Item): string {
  if (item.kind !== "op") return item.kind;
  const list = (registers: readonly number[]): string => registers.map((register) => `%${register}`).join(" ");
  return `${item.op} ${list(item.dst)} <- ${list(item.src)}`.replace("  ", " ");
}

function prepare(body: string): readonly string[] {
  const text = `gbc 1 addr64 little\nfunc @f (i32, i8) -> (i32) {\nreg %2:i32, %3:i32\n${body}\n}`;
  const [fn] = parseText(text, { fileName: "copies" }).functions;
  assert.ok(fn !== undefined);
  return prepareItems(fn, () => null).items.map(describe);
}

test("a value is computed where its only copy is wanted", () => {
  const code = prepare("%2 = neg.i32 %0\nif %1\n%3 = not.i32 %2\n%2 = copy.i32 %3\nend\nreturn %2");
  assert.deepEqual(code, ["neg %2 <- %0", "branch", "not %2 <- %2", "label", "return <- %2"]);
});

test("a variable is read instead of its copy", () => {
  assert.deepEqual(
    prepare("%2 = copy.i32 %0\n%3 = add.i32 %2, %2\nreturn %3"),
    ["add %3 <- %0 %0", "return <- %3"].map((line) => line.replaceAll("%3", "%5")),
  );
});

test("a copy stays while the variable changes before it is read", () => {
  const code = prepare("%2 = copy.i32 %0\nif %1\n%3 = copy.i32 %2\n%2 = neg.i32 %2\n%0 = add.i32 %0, %3\nend\n%2 = add.i32 %2, %0\nreturn %2");
  assert.deepEqual(code.slice(0, 5), ["copy %2 <- %0", "branch", "copy %4 <- %2", "neg %2 <- %2", "add %0 <- %0 %4"]);
});

test("a value that is read before it is copied is not computed in its place while that one is wanted", () => {
  const code = prepare("%2 = neg.i32 %0\nif %1\n%3 = not.i32 %0\n%0 = add.i32 %2, %3\n%2 = copy.i32 %3\nend\n%2 = add.i32 %2, %0\nreturn %2");
  assert.ok(
    code.some((line) => line.startsWith("copy %2")),
    code.join("; "),
  );
});

// What the start of a loop reads: in the loop, behind it, around it, and on one of several ways only.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProgram } from "./conformance.ts";
import { readAtLoops } from "./translate-liveness.ts";

/** The registers that the start of each loop reads; registers are %0 to %5. */
function readIn(body: string): number[][] {
  const module = parseProgram(`func @main (i32) -> (i32) {\nreg %1:i32, %2:i32, %3:i32, %4:i8, %5:i32\n${body}\n}`, { addressBytes: 8, endian: "little" });
  const [fn] = module.functions;
  assert.ok(fn !== undefined);
  return [...readAtLoops(fn)].sort(([a], [b]) => a - b).map(([, read]) => [...read].sort((a, b) => a - b));
}

test("what a round takes over from the one before, not what it writes first", () => {
  assert.deepEqual(readIn("loop\n%1 = const.i32 1\n%2 = add.i32 %2, %1\nbr_if %4, 0\nend\nreturn %0"), [[0, 2, 4]]);
});

test("what is read behind the loop, on any way out of it", () => {
  assert.deepEqual(readIn("block\nloop\n%1 = copy.i32 %0\nbr_if %4, 1\nbr 0\nend\nend\nreturn %1"), [[0, 4]]);
  assert.deepEqual(readIn("block\nloop\nbr_if %4, 1\n%1 = copy.i32 %0\nbr 0\nend\nend\nreturn %1"), [[0, 1, 4]]);
  assert.deepEqual(readIn("block\nblock\nloop\nbr_table %0, 0, 1, 2\nend\nend\nreturn %2\nend\nreturn %3"), [[0, 2, 3]]);
});

test("what is written on one of two ways", () => {
  const choice = (otherwise: string): string => `loop\nif %4\n%1 = const.i32 1\n${otherwise}end\n%2 = copy.i32 %1\nbr 0\nend`;
  assert.deepEqual(readIn(choice("")), [[1, 4]]);
  assert.deepEqual(readIn(choice("else\n%1 = const.i32 2\n")), [[4]]);
});

test("what an outer loop reads in its next round", () => {
  assert.deepEqual(readIn("loop\n%2 = copy.i32 %3\nloop\n%3 = const.i32 1\n%5 = copy.i32 %0\nbr_if %4, 0\nend\nbr 0\nend"), [
    [0, 3, 4],
    [0, 4],
  ]);
});

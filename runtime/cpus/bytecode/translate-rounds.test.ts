// Which loops get rounds without tests. That such rounds are right is for the conformance table and for generated programs to show; here it is
// that there are any, which no result can tell: only they divide the fuel by what a round costs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OP } from "../wasm/encoder.ts";
import { parseProgram } from "./conformance.ts";
import { createTestMachine, loadTestImage, releaseTestMachine } from "./test-machine.ts";
import { FUEL_LOCAL } from "./translate-context.ts";
import { createWasmFactory } from "./wasm-executor.ts";

const LAYOUT = { addressBytes: 8, endian: "little" } as const;

/** What the translation of a function with one loop divides its fuel by: the cost of a round. */
function costsOf(body: string): readonly number[] {
  const program = `
data @data size 8192 align 8 writable
func @main (i32, addr) -> (i64) {
  reg %2:addr, %3:addr, %4:i8, %5:i64, %6:addr
  block
    loop
      ${body}
    end
  end
  return %5
}`;
  const costs: number[] = [];
  const factory = createWasmFactory((bytes) => {
    const code = Buffer.from(bytes);
    code.forEach((byte, at) => {
      if (byte === OP.local_get && code[at + 1] === FUEL_LOCAL && code[at + 2] === OP.i32_const && code[at + 4] === OP.i32_div_u) costs.push(code[at + 3] ?? 0);
    });
    return new WebAssembly.Module(code);
  });
  const machine = createTestMachine({ addressBytes: 8 });
  factory.create(loadTestImage(parseProgram(program, LAYOUT), machine), machine);
  releaseTestMachine(machine);
  return costs;
}

const TEST = "%3 = const.addr 1000\n%4 = le_u.addr %3, %2\nbr_if %4, 1";
const STEP = "%3 = const.addr 1\n%2 = add.addr %2, %3";
const ELEMENT = "%6 = symbol_addr @data\n%6 = add.addr %6, %2";

test("a loop over an array, and one that only computes", () => {
  assert.deepEqual(costsOf(`${TEST}\n${ELEMENT}\nstore.i8 %6, %4\n${STEP}\nbr 0`), [9]);
  assert.deepEqual(costsOf(`${TEST}\n%5 = add.i64 %5, %5\n${STEP}\nbr 0`), [7]);
});

test("a limit that the loop leaves alone, and one that it does not", () => {
  const byParameter = (round: string): string => `%4 = le_u.addr %1, %2\nbr_if %4, 1\n${round}${STEP}\nbr 0`;
  assert.deepEqual(costsOf(byParameter("")), [5]);
  assert.deepEqual(costsOf(byParameter("%1 = sub.addr %1, %3\n")), []);
});

test("what may be a device, a way out in the middle, a call or a part of a round on one path only", () => {
  assert.deepEqual(costsOf(`${TEST}\nstore.i8 %1, %4\n${STEP}\nbr 0`), []);
  assert.deepEqual(costsOf(`${TEST}\n${ELEMENT}\n%4 = load.i8 %6\nbr_if %4, 1\n${STEP}\nbr 0`), []);
  assert.deepEqual(costsOf(`${TEST}\n%5 = call @main, %0, %1\n${STEP}\nbr 0`), []);
  assert.deepEqual(costsOf(`${TEST}\nif %0\n%5 = add.i64 %5, %5\nend\n${STEP}\nbr 0`), []);
});

test("a counter that is no counter", () => {
  assert.deepEqual(costsOf(`${TEST}\n%3 = const.addr 3\n%2 = and.addr %2, %3\nbr 0`), []);
  assert.deepEqual(costsOf(`${TEST}\n${STEP}\n${STEP}\nbr 0`), []);
  assert.deepEqual(costsOf(`${TEST}\n%3 = const.addr 1\n%2 = sub.addr %2, %3\nbr 0`), []);
});

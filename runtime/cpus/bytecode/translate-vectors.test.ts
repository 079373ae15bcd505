// Which straight rounds become vectors, with how many lanes, and what keeps others from it. That such rounds are right is for generated programs to show
// (differential.test.ts); here it is that there are any, which no result can tell: only they have locals of 128 bits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTION, V128, VECTOR } from "../wasm/encoder.ts";
import { parseProgram } from "./conformance.ts";
import { createTestMachine, loadTestImage, releaseTestMachine } from "./test-machine.ts";
import { createWasmFactory } from "./wasm-executor.ts";

/** Reads a number of the binary format; the result is it, and where it ends. */
function readNumber(bytes: Uint8Array, at: number): readonly [value: number, end: number] {
  const byte = bytes[at] ?? 0;
  if (byte < 0x80) return [byte, at + 1];
  const [rest, end] = readNumber(bytes, at + 1);
  return [(byte & 0x7f) + rest * 128, end];
}

/** The locals of 128 bits that the functions of a module have together. */
function vectorLocals(module: Uint8Array): number {
  let locals = 0;
  for (let at = 8; at < module.length;) {
    const id = module[at];
    const [size, start] = readNumber(module, at + 1);
    at = start + size;
    if (id !== SECTION.code) continue;
    let [count, body] = readNumber(module, start);
    for (; count > 0; count--) {
      const [length, first] = readNumber(module, body);
      let [runs, run] = readNumber(module, first);
      for (; runs > 0; runs--) {
        const [some, type] = readNumber(module, run);
        if (module[type] === V128) locals += some;
        run = type + 1;
      }
      body = first + length;
    }
  }
  return locals;
}

interface Options {
  readonly endian?: "little" | "big";
  /** What stands behind the loop, or before it. */
  readonly behind?: string;
  readonly before?: string;
  readonly returns?: string;
}

/** The module of a function with one loop over 1000 elements, which counts %2; %6 and %7 are addresses in arrays `a` and `b`. */
function translated(round: string, { endian = "little", before = "", behind = "", returns = "%5" }: Options = {}): Uint8Array {
  const program = `
data @a size 12288 align 4096 writable
data @b size 12288 align 4096 writable
func @main (i32, addr) -> (i64) {
  reg %2:addr, %3:addr, %4:i8, %5:i64, %6:addr, %7:addr, %8:addr, %9:i32, %10:i32, %11:i64, %12:i64, %13:i8, %14:i16, %15:addr
  ${before}
  block
    loop
      %3 = const.addr 1000
      %4 = le_u.addr %3, %2
      br_if %4, 1
      ${round}
      %3 = const.addr 1
      %2 = add.addr %2, %3
      br 0
    end
  end
  ${behind}
  return ${returns}
}`;
  let bytes = new Uint8Array();
  const factory = createWasmFactory((code) => {
    bytes = code;
    return new WebAssembly.Module(code);
  });
  const machine = createTestMachine({ addressBytes: 8 });
  factory.create(loadTestImage(parseProgram(program, { addressBytes: 8, endian }), machine), machine);
  releaseTestMachine(machine);
  return bytes;
}

function isVector(round: string, options?: Options): boolean {
  return vectorLocals(translated(round, options)) > 0;
}

/** The address of the element that the counter is the index of. */
function element(into: string, symbol: string, scale: number): string {
  return `%8 = const.addr ${scale}\n%8 = mul.addr %2, %8\n${into} = symbol_addr ${symbol}\n${into} = add.addr ${into}, %8`;
}

const A = element("%6", "@a", 4);
const B = element("%7", "@b", 4);
const COPY = `${A}\n${B}\n%9 = load.i32 %6\nstore.i32 %7, %9`;
const SUM = `${A}\n%9 = load.i32 %6\n%10 = add.i32 %10, %9`;
const SUMMED = { behind: "%5 = zext.i32.i64 %10" };

test("a copy, a fill, a map and a sum", () => {
  assert.equal(isVector(COPY), true);
  assert.equal(isVector(`${element("%6", "@a", 1)}\n%4 = const.i8 7\nstore.i8 %6, %4`), true);
  assert.equal(isVector(`${A}\n%9 = load.i32 %6\n%10 = const.i32 3\n%9 = mul.i32 %9, %10\nstore.i32 %6, %9`), true);
  assert.equal(isVector(SUM, SUMMED), true);
});

test("an element with what the counter is, or with something from before the loop", () => {
  assert.equal(isVector(`${A}\n%9 = trunc.addr.i32 %2\nstore.i32 %6, %9`), true);
  assert.equal(isVector(`${A}\n%9 = load.i32 %6\n%9 = add.i32 %9, %0\nstore.i32 %6, %9`), true);
});

test("narrow elements in wide lanes, and elements with gaps", () => {
  assert.equal(isVector(`${element("%6", "@a", 1)}\n%13 = load.i8 %6\n%9 = zext.i8.i32 %13\n%10 = add.i32 %10, %9`, SUMMED), true);
  assert.equal(isVector(`${element("%6", "@a", 12)}\n%9 = load.i32 %6\n${B}\nstore.i32 %7, %9`), true);
  // A store leaves the gaps alone.
  assert.equal(isVector(`${element("%6", "@a", 12)}\nstore.i32 %6, %0`), false);
});

test("only what pays: two wide lanes from everywhere do not", () => {
  const wide = `${element("%6", "@a", 24)}\n%11 = load.i64 %6\n%12 = load.i64 %6, +8\n%11 = mul.i64 %11, %12\n%5 = add.i64 %5, %11`;
  assert.equal(isVector(wide), false);
});

test("a round that needs the one before it", () => {
  assert.equal(isVector(`${A}\n%9 = load.i32 %6\n%11 = const.i64 31\n%5 = mul.i64 %5, %11\n%12 = zext.i32.i64 %9\n%5 = add.i64 %5, %12`), false);
  // A sum that is looked at in each round.
  assert.equal(isVector(`${SUM}\n${B}\nstore.i32 %7, %10`, SUMMED), false);
  // A sum of two kinds.
  assert.equal(isVector(`${SUM}\n%10 = xor.i32 %10, %9`, SUMMED), false);
  // A division has no lanes, wherever it is asked for.
  const divided = `%11 = const.i64 3\n%12 = zext.addr.i64 %2\n%12 = div_u.i64 %12, %11`;
  assert.equal(isVector(`${A}\n${divided}\n%9 = trunc.i64.i32 %12\nstore.i32 %6, %9`), false);
  assert.equal(isVector(`${COPY}\n${divided}`), true);
});

test("a long chain of what is used twice is planned, or not, at once", () => {
  assert.equal(isVector(`${A}\n%9 = load.i32 %6\n${"%9 = add.i32 %9, %9\n".repeat(60)}%10 = add.i32 %10, %9`, SUMMED), false);
});

test("an array that moves by elements: forwards, what is read is written later or never", () => {
  const move = (from: number, to: number): string => `${A}\n%9 = load.i32 %6, +${from}\nstore.i32 %6, %9, +${to}`;
  assert.equal(isVector(move(4, 0)), true);
  assert.equal(isVector(move(0, 0)), true);
  assert.equal(isVector(move(0, 4)), false);
  assert.equal(isVector(move(0, 12)), false);
  // Vectors end in front of it.
  assert.equal(isVector(move(0, 16)), true);
});

test("what is stored and read at one place", () => {
  assert.equal(isVector(`%6 = symbol_addr @a\n%9 = load.i32 %6\n%9 = add.i32 %9, %0\nstore.i32 %6, %9`), false);
});

test("places that only the run tells apart", () => {
  const before = "%3 = const.addr 63\n%15 = and.addr %1, %3";
  const unknown = "%8 = add.addr %15, %2\n%3 = const.addr 4\n%8 = mul.addr %8, %3\n%7 = symbol_addr @a\n%7 = add.addr %7, %8";
  assert.equal(isVector(`${unknown}\n${A}\n%9 = load.i32 %6\nstore.i32 %7, %9`, { before }), true);
});

test("volatile accesses, and a layout whose bytes the host has the other way round", () => {
  assert.equal(isVector(COPY.replace("load.", "load_volatile.")), false);
  assert.equal(isVector(COPY.replace("store.", "store_volatile.")), false);
  assert.equal(isVector(COPY, { endian: "big" }), false);
});

test("elements side by side are one access", () => {
  const bytes = translated(COPY);
  const has = (op: number): boolean => bytes.some((byte, at) => byte === 0xfd && bytes[at + 1] === op && bytes[at + 2] === 0);
  assert.deepEqual([has(VECTOR.v128_load), has(VECTOR.v128_store), has(VECTOR.v128_load32_lane)], [true, true, false]);
});

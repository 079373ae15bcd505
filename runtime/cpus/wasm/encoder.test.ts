// The encoder against V8's decoder: constants and indices at every length of LEB128, sizes that are filled in later, growth, and hints.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, EXTERNAL, I32, I64, OP, SECTION, writeBranchHints, writeHeader, writeLocals, writeSection } from "./encoder.ts";
import type { ValueType } from "./encoder.ts";

/** A module with one exported function `f` () -> result, whose body is written by `body`. */
function buildFunction(
  result: ValueType,
  capacity: number,
  body: (w: ByteWriter) => void,
  hints: ReadonlyMap<number, readonly { offset: number; likely: boolean }[]> = new Map(),
): Uint8Array<ArrayBuffer> {
  const w = new ByteWriter(capacity);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => {
    section.u32(1);
    for (const byte of [0x60, 0, 1, result]) section.byte(byte);
  });
  writeSection(w, SECTION.function, (section) => {
    section.u32(1);
    section.u32(0);
  });
  writeSection(w, SECTION.export, (section) => {
    section.u32(1);
    section.name("f");
    section.byte(EXTERNAL.function);
    section.u32(0);
  });
  if (hints.size > 0) writeBranchHints(w, hints);
  writeSection(w, SECTION.code, (section) => {
    section.u32(1);
    const start = section.openSize();
    writeLocals(section, [I32, I32, I64]);
    body(section);
    section.byte(OP.end);
    section.closeSize(start);
  });
  return w.view().slice();
}

function callFunction(bytes: Uint8Array<ArrayBuffer>): unknown {
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  assert.ok(typeof f === "function");
  return f();
}

test("32-bit constants are encoded at every length", () => {
  for (const value of [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8193, 2 ** 20, -(2 ** 27), 2 ** 31 - 1, -(2 ** 31), 0xffff_ffff]) {
    assert.equal(callFunction(buildFunction(I32, 256, (w) => w.i32Const(value))), value | 0, String(value));
  }
});

test("64-bit constants are encoded as numbers and as bigints", () => {
  for (let bit = 0n; bit < 64n; bit++) {
    for (const value of [1n << bit, (1n << bit) - 1n, -(1n << bit), -(1n << bit) - 1n, 0x5555_5555_5555_5555n >> bit]) {
      const expected = BigInt.asIntN(64, value);
      assert.equal(callFunction(buildFunction(I64, 256, (w) => w.i64Const(value))), expected, String(value));
      const number = Number(value);
      if (Number.isSafeInteger(number)) assert.equal(callFunction(buildFunction(I64, 256, (w) => w.i64Const(number))), expected, `number ${number}`);
    }
  }
});

test("a writer that starts too small grows and keeps what it has", () => {
  const bytes = buildFunction(I32, 1, (w) => {
    w.i32Const(0);
    for (let n = 0; n < 10_000; n++) w.withConst(n, OP.i32_add);
  });
  assert.equal(callFunction(bytes), (9_999 * 10_000) / 2);
});

test("local declarations are runs of one type", () => {
  const w = new ByteWriter(16);
  writeLocals(w, [I32, I32, I64, I64, I64, I32]);
  assert.deepEqual([...w.view()], [3, 2, I32, 3, I64, 1, I32]);
});

test("a module with branch hints is valid and runs", () => {
  const hints = new Map([[0, [{ offset: 9, likely: false }]]]);
  const bytes = buildFunction(
    I32,
    64,
    (w) => {
      w.i32Const(1);
      w.op(OP.if, I32);
      w.i32Const(7);
      w.byte(OP.else);
      w.i32Const(8);
      w.byte(OP.end);
    },
    hints,
  );
  assert.ok(WebAssembly.validate(bytes));
  assert.equal(callFunction(bytes), 7);
});

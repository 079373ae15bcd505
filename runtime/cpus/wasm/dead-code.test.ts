// Bodies with and without values that nobody reads: what goes, what stays, and that branch hints move along. Each body is run by the host's
// engine before and after, which must give the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { removeDeadCode } from "./dead-code.ts";
import { ByteWriter, EXTERNAL, I32, I64, OP, SECTION, VECTOR, VOID, writeHeader, writeSection } from "./encoder.ts";
import type { BranchHint } from "./encoder.ts";

const FUNC_TYPE = 0x60;
/** Locals: the parameter, three of 32 bits, one of 64. */
const LOCALS = 5;
const WIDE = 4;

type Write = (w: ByteWriter) => void;

function body(write: Write): ByteWriter {
  const w = new ByteWriter(1000);
  write(w);
  w.byte(OP.end);
  return w;
}

function run(code: Uint8Array, argument: number): number {
  const w = new ByteWriter(1000);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => section.append(Uint8Array.of(1, FUNC_TYPE, 1, I32, 1, I32)));
  writeSection(w, SECTION.function, (section) => section.append(Uint8Array.of(1, 0)));
  writeSection(w, SECTION.export, (section) => {
    section.u32(1);
    section.name("run");
    section.append(Uint8Array.of(EXTERNAL.function, 0));
  });
  writeSection(w, SECTION.code, (section) => {
    section.u32(1);
    const start = section.openSize();
    section.append(Uint8Array.of(2, 3, I32, 1, I64));
    section.append(code);
    section.closeSize(start);
  });
  const { run: entry } = new WebAssembly.Instance(new WebAssembly.Module(w.view().slice())).exports;
  return (entry as (argument: number) => number)(argument);
}

/** The bytes that are left of a body; both are run. */
function shorten(write: Write, hints: BranchHint[] = []): Uint8Array {
  const w = body(write);
  const before = w.view().slice();
  removeDeadCode(w, 0, LOCALS, hints, 0);
  for (const argument of [0, 1, 5, -3]) assert.equal(run(w.view(), argument), run(before, argument));
  return w.view();
}

test("what computes an unread value goes, with all that only it reads", () => {
  const rest = shorten((w) => {
    w.localGet(0);
    w.withConst(3, OP.i32_mul);
    w.localSet(1);
    w.localGet(1);
    w.byte(OP.i64_extend_i32_u);
    w.localSet(WIDE);
    w.localGet(0);
  });
  assert.deepEqual(rest, body((w) => w.localGet(0)).view());
});

const assign = (w: ByteWriter, local: number, value: number): void => {
  w.i32Const(value);
  w.localSet(local);
};

test("what is overwritten before it is read goes, what one path reads stays", () => {
  const read: Write = (w) => {
    assign(w, 1, 7);
    w.localGet(0);
    w.op(OP.if, VOID);
    assign(w, 1, 9);
    w.byte(OP.end);
    w.localGet(1);
  };
  const rest = shorten((w) => {
    assign(w, 1, 1);
    read(w);
  });
  assert.deepEqual(rest, body(read).view());
});

test("both parts of an if count", () => {
  const write: Write = (w) => {
    assign(w, 1, 4);
    assign(w, 2, 6);
    w.localGet(0);
    w.op(OP.if, I32);
    w.localGet(1);
    w.byte(OP.else);
    w.localGet(2);
    w.byte(OP.end);
  };
  assert.deepEqual(shorten(write), body(write).view());
});

/** Sums 5, 4 .. 1; the second round reads what the first one wrote, and local 2 is never read at all. */
const sum: Write = (w) => {
  assign(w, 1, 5);
  w.op(OP.block, VOID);
  w.op(OP.loop, VOID);
  w.localGet(3);
  w.localGet(1);
  w.byte(OP.i32_add);
  w.localSet(3);
  w.localGet(1);
  w.withConst(12, OP.i32_mul);
  w.localSet(2);
  w.localGet(1);
  w.withConst(1, OP.i32_sub);
  w.localTee(1);
  w.op(OP.br_if, 0);
  w.byte(OP.end);
  w.byte(OP.end);
  w.localGet(3);
};

test("a loop keeps what its next round reads, and nothing else", () => {
  const rest = shorten(sum);
  assert.equal(rest.includes(OP.i32_mul), false);
  assert.equal(rest.length, body(sum).view().length - 7);
});

test("a branch out of an inner loop reads what stands behind the outer one", () => {
  const rest = shorten((w) => {
    w.op(OP.block, VOID);
    w.op(OP.loop, VOID);
    assign(w, 1, 8);
    w.op(OP.loop, VOID);
    assign(w, 2, 42);
    w.localGet(0);
    w.op(OP.br_if, 2);
    w.i32Const(1);
    w.localTee(0);
    w.op(OP.br_if, 1);
    w.byte(OP.end);
    w.byte(OP.end);
    w.byte(OP.end);
    w.localGet(1);
  });
  assert.equal(rest.includes(42), false, "the constant that nobody reads");
  assert.equal(rest.includes(8), true);
});

test("a table's targets all count, and so does the end of the function", () => {
  const rest = shorten((w) => {
    assign(w, 1, 21);
    assign(w, 2, 22);
    w.op(OP.block, VOID);
    w.op(OP.block, VOID);
    w.localGet(0);
    w.byte(OP.br_table);
    w.u32(1);
    w.u32(0);
    w.u32(1);
    w.byte(OP.end);
    w.localGet(1);
    w.byte(OP.return);
    w.byte(OP.end);
    w.i32Const(23);
  });
  assert.equal(rest.includes(21), true);
  assert.equal(rest.includes(22), false);
});

test("a division stays, for it may trap; a tee of an unread local leaves its value", () => {
  const rest = shorten((w) => {
    w.i32Const(100);
    w.i32Const(7);
    w.byte(OP.i32_div_u);
    w.localSet(1);
    w.localGet(0);
    w.localTee(2);
  });
  assert.equal(rest.includes(OP.i32_div_u), true);
  assert.equal(rest.includes(OP.local_tee), false);
});

test("a value above another on the stack goes without it", () => {
  const rest = shorten((w) => {
    w.localGet(0);
    assign(w, 1, 31);
    w.i32Const(2);
    w.byte(OP.i32_add);
    w.localSet(2);
    w.localGet(0);
    w.withConst(5, OP.i32_add);
  });
  // The sum stays: what computes it is not in one piece.
  assert.equal(rest.includes(31), false);
  assert.equal(rest.includes(OP.local_set), true);
});

test("hints move with their instructions", () => {
  const hints: BranchHint[] = [];
  const w = body((into) => {
    assign(into, 1, 3);
    into.localGet(0);
    hints.push({ offset: into.length, likely: false });
    into.op(OP.if, VOID);
    into.byte(OP.end);
    into.localGet(0);
  });
  removeDeadCode(w, 0, LOCALS, hints, 0);
  assert.equal(w.bytes[hints[0]?.offset ?? 0], OP.if);
  assert.deepEqual(hints, [{ offset: 2, likely: false }]);
});

test("operations on vectors stay, with their lanes and sixteen bytes, which are no opcodes", () => {
  const write: Write = (w) => {
    w.vector(VECTOR.v128_const);
    // 6 is no opcode; 0x21 would be a `local.set`.
    for (let n = 0; n < 16; n++) w.byte(n % 4 === 0 ? 0x21 : 0x06);
    w.localGet(0);
    w.vector(VECTOR.i32x4_splat);
    w.vector(VECTOR.i8x16_shuffle);
    for (let n = 0; n < 16; n++) w.byte(n + 4);
    w.vector(VECTOR.i32x4_extract_lane);
    w.byte(3);
  };
  const rest = shorten((w) => {
    assign(w, 1, 4);
    write(w);
    assign(w, 2, 5);
  });
  assert.deepEqual(rest, body(write).view());
});

test("an opcode that no translator writes is refused", () => {
  const w = new ByteWriter(10);
  w.byte(0x06);
  assert.throws(() => removeDeadCode(w, 0, LOCALS, [], 0), /no such opcode in a body: 6/);
});

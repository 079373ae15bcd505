// Values, diffs and hints as the failure report shows them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ValueType } from "../../compiler/images/manifest.ts";
import { diffValues } from "./diff.ts";
import { diffBytes } from "./hexdump.ts";
import { hintForBytes, hintForNumbers } from "./hints.ts";
import { formatBrief, formatDuration, formatValue, type MemoryLayout, type SlotValue } from "./values.ts";

const little: MemoryLayout = { addressBytes: 8, endian: "little" };
const big: MemoryLayout = { addressBytes: 4, endian: "big" };
const int = (bits: 8 | 16 | 32 | 64, signed = false): ValueType => ({ kind: "int", signed, bits });
const number = (value: bigint): SlotValue => ({ kind: "number", value });
const memory = (...bytes: readonly number[]): SlotValue => ({ kind: "memory", length: bytes.length, bytes: Uint8Array.from(bytes) });
const text = (value: string): SlotValue => memory(...new TextEncoder().encode(value));

const lsr: ValueType = {
  kind: "register",
  name: "lsr",
  bits: 8,
  fields: [
    { name: "ready", high: 0, low: 0 },
    { name: "thre", high: 5, low: 5 },
    { name: "temt", high: 6, low: 6 },
    { name: "fifo", high: 4, low: 2 },
  ],
};
const state: ValueType = {
  kind: "enum",
  name: "State",
  bits: 8,
  members: [
    ["idle", "0"],
    ["stuck", "-1"],
  ],
};

test("scalars are shown in the width of their type", () => {
  const cases: readonly (readonly [bigint, ValueType, string])[] = [
    [2n, int(32), "0x0000_0002 (2)"],
    [0xffff_ffff_ffff_fffen, int(32, true), "0xffff_fffe (-2)"],
    [0xffff_ffff_ffff_ffffn, int(64), "0xffff_ffff_ffff_ffff"],
    [0x60n, int(8), "0x60 (96)"],
    [0x1_0001n, int(16), "0x0001 (1)"],
    [1n, { kind: "bool" }, "true"],
    [7n, { kind: "bool" }, "0x07 (neither true nor false)"],
    [0xffn, state, "stuck (0xff)"],
    [9n, state, "0x09 (no member of State)"],
    [0n, { kind: "pointer", bits: 64 }, "null"],
    [0x8000_1000n, { kind: "pointer", bits: 32 }, "0x8000_1000"],
    [1_500_000n, { kind: "duration" }, "1.5 ms"],
    [0x60n, lsr, "0x60 { thre, temt }"],
    [0x0dn, lsr, "0x0d { ready, fifo: 3 }"],
    [0n, lsr, "0x00 { }"],
  ];
  for (const [value, type, shown] of cases) assert.equal(formatValue(number(value), type, little), shown);
  assert.equal(formatBrief(number(2n), int(32), little), "0x0000_0002");
  assert.equal(formatBrief(number(-2n), int(32, true), little), "0xffff_fffe (-2)");
  assert.deepEqual([999, 12_300, 5_000_000, 10_000_000_000].map(formatDuration), ["999 ns", "12.3 us", "5 ms", "10 s"]);
});

test("memory is shown by its type, in the module's byte order", () => {
  assert.equal(formatValue(text('say "hi"\n'), { kind: "str" }, little), '"say \\"hi\\"\\n"');
  assert.equal(formatValue(memory(0x2a, 0xae), { kind: "bytes" }, little), 'hex"2aae"');
  const long: SlotValue = { kind: "memory", length: 300, bytes: new Uint8Array(256) };
  assert.equal(formatValue(long, { kind: "bytes" }, little), `hex"${"00".repeat(16)}" .. 284 more bytes`);
  const words: ValueType = { kind: "array", element: int(16), length: 2, stride: 2 };
  assert.equal(formatValue(memory(1, 2, 3, 4), words, little), "[0x0201 (513), 0x0403 (1027)]");
  assert.equal(formatValue(memory(1, 2, 3, 4), words, big), "[0x0102 (258), 0x0304 (772)]");
  const point: ValueType = {
    kind: "struct",
    name: "Point",
    size: 12,
    fields: [
      { name: "x", offset: 0, type: int(8) },
      { name: "name", offset: 4, type: { kind: "str" } },
    ],
  };
  assert.equal(formatValue(memory(5, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 3), point, big), "Point { x: 0x05 (5), name: 3 bytes at 0x0000_1000 }");
});

test("bytes that differ are marked, equal rows are left out", () => {
  const expected = Uint8Array.from({ length: 40 }, (_, index) => index);
  const got = expected.slice();
  got[33] = 0xff;
  assert.deepEqual(diffBytes({ bytes: expected, length: 40 }, { bytes: got, length: 40 }), [
    "0020 expected 20 21 22 23 24 25 26 27                           | !\"#$%&'|",
    "          got 20 ff 22 23 24 25 26 27                           | .\"#$%&'|",
    "                 ^^",
    "1 of 40 bytes differ, the first at offset 33",
  ]);
  assert.deepEqual(diffBytes({ bytes: expected, length: 40 }, { bytes: expected, length: 40 }), []);
  const cut = diffBytes({ bytes: expected.subarray(0, 16), length: 40 }, { bytes: got, length: 40 });
  assert.deepEqual(cut, ["only the first 16 bytes were compared here"]);
  assert.equal(diffBytes({ bytes: expected, length: 40 }, { bytes: got.subarray(0, 1), length: 1 })[0], "length: expected 40 bytes, got 1");
});

test("differences by type", () => {
  assert.deepEqual(diffValues(number(0xffff_ffff_ffff_ffffn), number(0xffff_ffffn), int(64), little), {
    details: ["xor = 0xffff_ffff_0000_0000"],
    hints: ["the upper half is zero: was a 32-bit operation used for a 64-bit value?"],
  });
  assert.deepEqual(diffValues(number(1n), number(2n), int(8), little), { details: [], hints: [] });
  assert.deepEqual(diffValues(text("hello world"), text("hello, world"), { kind: "str" }, little).details, [
    'expected "hello world"',
    '     got "hello, world"',
    "               ^",
  ]);
  const pair: ValueType = {
    kind: "struct",
    name: "Pair",
    size: 8,
    fields: [
      { name: "a", offset: 0, type: int(16) },
      { name: "b", offset: 4, type: { kind: "array", element: int(8), length: 4, stride: 1 } },
    ],
  };
  assert.deepEqual(diffValues(memory(1, 0, 0, 0, 1, 2, 3, 4), memory(1, 0, 9, 9, 1, 2, 5, 4), pair, little).details, [
    ".b[2]  expected 0x03 (3), got 0x05 (5)",
  ]);
  const slice: ValueType = { kind: "array", element: int(16), length: null, stride: 2 };
  assert.deepEqual(diffValues(memory(1, 0, 2, 0), memory(1, 0, 3, 0, 4, 0), slice, little).details, [
    "length: expected 2 elements, got 3",
    "[1]  expected 0x0002 (2), got 0x0003 (3)",
  ]);
});

test("hints know the usual mistakes and are silent otherwise", () => {
  const numbers: readonly (readonly [bigint, bigint, 8 | 16 | 32 | 64, RegExp | null])[] = [
    [0x80n, 0xffff_ff80n, 32, /sign-extended from 8 bits/],
    [0xffff_8000n, 0x8000n, 32, /zero-extended from 16 bits/],
    [0x1234_5678n, 0x7856_3412n, 32, /reverse order/],
    [0x8000_1000n, 0x8000_0000n, 32, /one page/],
    [0x0f0fn, 0xf0f0n, 16, /inverted/],
    [0x1234n, 0x12_3400n, 32, /shifted by 8 bits/],
    [0x0000_0063n, 0x0000_0061n, 32, /only bit 1 differs: clear/],
    [0x0005_1b36n, 0xffff_ffffn, 32, /does anything answer/],
    [3n, 2n, 32, null],
    [0n, 1n, 32, null],
    [5n, 100n, 64, null],
    [1n, 0xfffen, 16, null],
  ];
  for (const [expected, got, bits, hint] of numbers) {
    const found = hintForNumbers(expected, got, bits);
    if (hint === null) assert.equal(found, null, `${expected} ${got}`);
    else assert.match(found ?? "", hint);
  }
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  assert.match(hintForBytes(bytes, new Uint8Array(8)) ?? "", /ever written/);
  assert.match(hintForBytes(bytes, Uint8Array.of(2, 1, 4, 3, 6, 5, 8, 7)) ?? "", /16-bit word/);
  assert.match(hintForBytes(bytes, Uint8Array.of(...bytes, 0)) ?? "", /terminator/);
  assert.match(hintForBytes(bytes, bytes.toReversed()) ?? "", /reverse/);
  assert.match(hintForBytes(bytes, Uint8Array.of(0, ...bytes.subarray(0, 7))) ?? "", /one byte late/);
  assert.equal(hintForBytes(bytes, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9)), null);
});

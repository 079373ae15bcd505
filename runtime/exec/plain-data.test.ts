// Plain data through text and back: equal, of the same kinds, and one text for one value.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodePlainData, encodePlainData, type PlainData } from "./plain-data.ts";

const { value: anyData } = fc.letrec<{ value: PlainData }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string(),
    fc.uint8Array(),
    fc.uint32Array(),
    fc.array(tie("value")),
    fc.dictionary(
      fc.string().filter((key) => !key.startsWith("$") && key !== "__proto__"),
      tie("value"),
      { noNullPrototype: true },
    ),
  ),
}));

test("what is written is read again, kinds of numbers and arrays included", () => {
  fc.assert(
    fc.property(anyData, (data) => {
      const text = encodePlainData(data);
      const read = decodePlainData(text);
      assert.deepStrictEqual(read, data);
      assert.equal(encodePlainData(read), text);
    }),
    { numRuns: 300 },
  );
});

test("a view of a larger buffer is written alone", () => {
  assert.deepEqual(decodePlainData(encodePlainData(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))), Uint8Array.of(2, 3));
});

test("what is no plain data is refused with its place", () => {
  const rows: readonly (readonly [unknown, RegExp])[] = [
    [{ devices: [1, { clock: () => 0 }] }, /^state\.devices\[1\]\.clock is function/],
    [{ gone: undefined }, /^state\.gone is undefined/],
    [[new Map()], /^state\[0\] is an object of a class/],
    [{ inner: { $n: 1 } }, /^state\.inner has a key \$n/],
  ];
  for (const [data, message] of rows) assert.throws(() => encodePlainData(data), { name: "TypeError", message });
});

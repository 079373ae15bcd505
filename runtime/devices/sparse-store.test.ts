// A sparse store against an array that is all there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../tests/fixtures/random.ts";
import { createSparseStore } from "./sparse-store.ts";

const SIZE = 20_000;

for (const hasBase of [false, true]) {
  test(`random reads, writes and fills, ${hasBase ? "over something" : "from zeros"}`, () => {
    const { below, pick, u32 } = createRandom(5);
    const base = Uint8Array.from({ length: SIZE }, () => u32());
    const expected = hasBase ? base.slice() : new Uint8Array(SIZE);
    const store = createSparseStore(SIZE, hasBase ? { read: (offset, into) => into.set(base.subarray(offset, offset + into.length)) } : null);
    for (let i = 0; i < 400; i++) {
      const offset = below(SIZE);
      const length = Math.min(pick([1, 512, 4096, below(9000)]), SIZE - offset);
      const bytes = Uint8Array.from({ length }, () => u32());
      if (i % 3 === 0) {
        store.write(offset, bytes);
        expected.set(bytes, offset);
      } else if (i % 3 === 1) {
        store.fill(offset, length);
        expected.fill(0, offset, offset + length);
      } else {
        store.read(offset, bytes);
        assert.deepEqual(bytes, expected.slice(offset, offset + length));
      }
    }
  });
}

test("what was saved stays as it was, and comes back", () => {
  const store = createSparseStore(SIZE);
  store.write(5000, Uint8Array.of(1, 2, 3));
  const saved = store.save();
  store.write(5000, Uint8Array.of(9));
  store.write(0, Uint8Array.of(9));
  store.load(saved);
  const bytes = new Uint8Array(3);
  store.read(5000, bytes);
  assert.deepEqual(bytes, Uint8Array.of(1, 2, 3));
  store.read(0, bytes);
  assert.deepEqual(bytes, new Uint8Array(3));
  store.clear();
  assert.deepEqual(store.save(), []);
});

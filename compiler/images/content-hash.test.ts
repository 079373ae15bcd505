// Equal bytes have equal hashes, wherever they lie in memory and whatever kind of array shows them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumBytes, hashBytes } from "./content-hash.ts";

for (const [name, digest] of [
  ["hash", hashBytes],
  ["checksum", checksumBytes],
] as const) {
  test(`${name}: the place of the bytes does not matter, each of them does`, () => {
    const bytes = Uint8Array.from({ length: 1003 }, (_, index) => index * 7);
    for (const offset of [0, 1, 2, 3, 4]) {
      const array = new Uint8Array(1024 + offset);
      array.set(bytes, offset);
      const buffer = Buffer.alloc(1031, 0xaa);
      buffer.set(bytes, offset);
      assert.equal(digest(array.subarray(offset, offset + 1003)), digest(bytes));
      assert.equal(digest(buffer.subarray(offset, offset + 1003)), digest(bytes));
    }
    const seen = new Set([digest(bytes)]);
    for (const index of [0, 500, 991, 992, 1002]) seen.add(digest(bytes.map((byte, at) => (at === index ? byte ^ 1 : byte))));
    for (const length of [0, 992, 1002]) seen.add(digest(bytes.subarray(0, length)));
    assert.equal(seen.size, 9);
  });
}

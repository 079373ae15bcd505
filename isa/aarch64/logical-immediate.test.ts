// Logical immediates by counting: all that the encoding has room for, and no other value.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decodeLogicalImmediate, encodeLogicalImmediate } from "./logical-immediate.ts";

test("there are as many logical immediates as the encoding has room for", () => {
  // For each element size, ones - 1 lengths at as many rotations: 64*63 + 32*31 + 16*15 + 8*7 + 4*3 + 2*1.
  for (const [width, count] of [
    [64, 5334],
    [32, 1302],
  ] as const) {
    const values = new Set<bigint>();
    for (let field = 0; field < 1 << 13; field++) {
      const value = decodeLogicalImmediate(field, width);
      if (value === undefined) continue;
      values.add(value);
      const encoded = encodeLogicalImmediate(value, width);
      assert.ok(encoded !== undefined, `0x${value.toString(16)}`);
      assert.equal(decodeLogicalImmediate(encoded, width), value);
    }
    assert.equal(values.size, count);
  }
});

test("other values have no encoding", () => {
  for (const value of [0n, -1n, (1n << 64n) - 1n, 5n, 0x1_0001n, 0x1234n, 1n << 64n]) assert.equal(encodeLogicalImmediate(value, 64), undefined);
  for (const value of [0n, 0xffff_ffffn, 0x1_0000_0000n, 0x5an]) assert.equal(encodeLogicalImmediate(value, 32), undefined);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => {
      const field = encodeLogicalImmediate(value, 64);
      if (field !== undefined) assert.equal(decodeLogicalImmediate(field, 64), value);
    }),
  );
});

test("negative values are those of the register's width", () => {
  assert.equal(encodeLogicalImmediate(-2n, 64), encodeLogicalImmediate(0xffff_ffff_ffff_fffen, 64));
  assert.equal(encodeLogicalImmediate(-2n, 32), encodeLogicalImmediate(0xffff_fffen, 32));
});

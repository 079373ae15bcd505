import assert from "node:assert/strict";
import { test } from "node:test";
import { areSame } from "./words.ts";

test("a list that changes is compared as it is now with one that does not", () => {
  const live = BigUint64Array.of(1n, 0xffff_ffff_0000_0000n);
  const saved = [1n, 0xffff_ffff_0000_0000n];
  assert.equal(areSame(live, saved), true);
  live[1] = 0xffff_ffff_0000_0001n;
  assert.equal(areSame(live, saved), false);
  live[1] = 0x7fff_ffff_0000_0000n;
  assert.equal(areSame(live, saved), false);
  live[1] = 0xffff_ffff_0000_0000n;
  assert.equal(areSame(live, saved), true);
});

test("lists of other lengths differ", () => {
  assert.equal(areSame(BigUint64Array.of(1n, 2n), [1n]), false);
  assert.equal(areSame(BigUint64Array.of(1n), [1n, 2n]), false);
});

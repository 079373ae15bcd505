// Parts of a run: every case in exactly one, and in the same one tomorrow.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatShard, parseShard, takeShard, type Shard } from "./shard.ts";

const cases = Array.from({ length: 103 }, (_, index) => ({ id: `specs/a.gspec::s::t[${index}]@bytecode/embedded` }));
const partsOf = (kind: Shard["kind"], parts: number) => Array.from({ length: parts }, (_, index) => takeShard(cases, { kind, part: index + 1, parts }));

for (const kind of ["slice", "hash"] as const)
  test(`${kind}: every case is in one part`, () => {
    for (const parts of [1, 2, 7, 200]) {
      const all = partsOf(kind, parts).flat();
      assert.equal(all.length, cases.length);
      assert.deepEqual(new Set(all), new Set(cases));
    }
  });

test("slices are even and in order", () => {
  const sizes = partsOf("slice", 7).map(({ length }) => length);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
  assert.deepEqual(partsOf("slice", 7).flat(), cases);
});

test("a case keeps its hash part when others go, and the hash is the published one", () => {
  const few = cases.filter((_, index) => index % 3 === 0);
  for (const part of [1, 2, 3]) {
    const shard: Shard = { kind: "hash", part, parts: 3 };
    assert.deepEqual(
      takeShard(few, shard),
      takeShard(cases, shard).filter((one) => few.includes(one)),
    );
  }
  // FNV-1a of "a" is 0xe40c292c: 3826002220 % 7 = 0.
  assert.equal(takeShard([{ id: "a" }], { kind: "hash", part: 1 + (0xe40c_292c % 7), parts: 7 }).length, 1);
});

test("shards are written kind:part/parts", () => {
  assert.deepEqual(parseShard("slice:1/4"), { kind: "slice", part: 1, parts: 4 });
  assert.equal(formatShard({ kind: "hash", part: 3, parts: 3 }), "hash:3/3");
  for (const text of ["1/4", "slice:0/4", "slice:5/4", "hash:1", "half:1/2", "slice:1/4 "]) assert.equal(parseShard(text), null, text);
});

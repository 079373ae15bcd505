// The random streams of a machine: the published generator, one sequence for each seed and stream.

import { test } from "node:test";
import assert from "node:assert/strict";
import { createRandomStream, STREAM_DEVICES, STREAM_SCHEDULER } from "./random.ts";

function draw(count: number, seed: bigint, stream: number): number[] {
  const random = createRandomStream(seed, stream);
  return Array.from({ length: count }, () => random.next());
}

test("equals xoshiro128** on a known state", () => {
  const random = createRandomStream(0n, 0);
  random.load(Uint32Array.of(1, 2, 3, 4));
  // By hand from the definition: rotl(s1 * 5, 7) * 9, then the linear step.
  assert.deepEqual([random.next(), random.next(), random.next()], [11520, 0, 5927040]);
});

test("one seed is one sequence, another seed or stream is another", () => {
  assert.deepEqual(draw(100, 7n, STREAM_SCHEDULER), draw(100, 7n, STREAM_SCHEDULER));
  assert.notDeepEqual(draw(4, 7n, STREAM_SCHEDULER), draw(4, 8n, STREAM_SCHEDULER));
  assert.notDeepEqual(draw(4, 7n, STREAM_SCHEDULER), draw(4, 7n | (1n << 40n), STREAM_SCHEDULER));
  assert.notDeepEqual(draw(4, 7n, STREAM_SCHEDULER), draw(4, 7n, STREAM_DEVICES));
});

test("numbers are 32-bit unsigned and every bit moves", () => {
  let or = 0;
  let and = 0xffff_ffff;
  for (const value of draw(200, 1n, 0)) {
    assert.ok(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff);
    or |= value;
    and &= value;
  }
  assert.equal(or >>> 0, 0xffff_ffff);
  assert.equal(and >>> 0, 0);
});

test("a saved state goes on alike", () => {
  const random = createRandomStream(99n, 0);
  random.next();
  const state = random.save();
  const first = [random.next(), random.next()];
  random.load(state);
  assert.deepEqual([random.next(), random.next()], first);
});

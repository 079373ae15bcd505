// RAM with its dirty map, and the pool that it comes from.

import { test } from "node:test";
import assert from "node:assert/strict";
import { acquireMemory, markDirty, PAGE_SIZE, pageCount, ramOffset, releaseMemory, takeDirtyPages } from "./memory.ts";

const BASE = 0x8000_0000n;

test("RAM and the dirty map lie in one memory that does not grow", () => {
  const memory = acquireMemory(BASE, 0x10_0000);
  assert.equal(memory.dirtyOffset, 0x10_0000);
  assert.equal(pageCount(memory), 256);
  assert.ok(memory.memory.buffer.byteLength >= memory.dirtyOffset + 256);
  assert.throws(() => memory.memory.grow(1));
  releaseMemory(memory, []);
});

test("dirty pages are found once, in order, range ends included", () => {
  const memory = acquireMemory(BASE, 0x10_0000);
  const pages = new Uint32Array(pageCount(memory));
  markDirty(memory, 200 * PAGE_SIZE, 1);
  markDirty(memory, 2 * PAGE_SIZE - 1, 2);
  markDirty(memory, 255 * PAGE_SIZE + 4095, 1);
  assert.equal(takeDirtyPages(memory, pages), 4);
  assert.deepEqual([...pages.subarray(0, 4)], [1, 2, 200, 255]);
  assert.equal(takeDirtyPages(memory, pages), 0);
  releaseMemory(memory, []);
});

test("a released memory is handed out again, zeroed where it was used", () => {
  const first = acquireMemory(BASE, 0x20_0000);
  first.bytes[5 * PAGE_SIZE + 3] = 0x5a;
  markDirty(first, 5 * PAGE_SIZE + 3, 1);
  releaseMemory(first, [5]);
  const second = acquireMemory(BASE, 0x20_0000);
  assert.equal(second.memory, first.memory);
  assert.ok(second.bytes.every((byte) => byte === 0));
  releaseMemory(second, []);
});

test("ramOffset takes whole ranges only", () => {
  const memory = acquireMemory(BASE, 0x1_0000);
  assert.equal(ramOffset(memory, BASE, 0x1_0000), 0);
  assert.equal(ramOffset(memory, BASE + 0xffffn, 1), 0xffff);
  assert.equal(ramOffset(memory, BASE + 0xffffn, 2), -1);
  assert.equal(ramOffset(memory, BASE - 1n, 1), -1);
  assert.equal(ramOffset(memory, 0xffff_ffff_ffff_ffffn, 8), -1);
  releaseMemory(memory, []);
});

test("sizes and bases that no page map fits are refused", () => {
  assert.throws(() => acquireMemory(BASE, 0x1_0001), RangeError);
  assert.throws(() => acquireMemory(BASE + 1n, 0x1_0000), RangeError);
  assert.throws(() => acquireMemory(BASE, 0), RangeError);
});

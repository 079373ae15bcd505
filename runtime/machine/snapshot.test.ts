// The tree of snapshots: any walk over it brings back exactly the RAM of the node that it ends at.

import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { acquireMemory, markDirty, PAGE_SIZE, releaseMemory } from "./memory.ts";
import { createPageTree, type PageSnapshot } from "./snapshot.ts";

const SIZE = 0x2_0000;

function setUp() {
  const memory = acquireMemory(0n, SIZE);
  const tree = createPageTree(memory);
  return {
    memory,
    tree,
    poke: (offset: number, value: number): void => {
      memory.bytes[offset] = value;
      markDirty(memory, offset, 1);
    },
    ram: (): Uint8Array => memory.bytes.slice(0, SIZE),
    release: (): void => releaseMemory(memory, tree.usedPages()),
  };
}

test("restore undoes what was written since, and only dirty pages are kept", () => {
  const { tree, poke, ram, release } = setUp();
  poke(5, 1);
  poke(3 * PAGE_SIZE, 2);
  const base = tree.capture();
  assert.deepEqual([...base.ownPages], [0, 3]);
  const before = ram();
  poke(5, 9);
  poke(7 * PAGE_SIZE + 1, 9);
  tree.restore(base);
  assert.deepEqual(ram(), before);
  release();
});

test("levels nest: table within suite within boot, and back in any order", () => {
  const { tree, poke, ram, release } = setUp();
  poke(0, 1);
  const boot = tree.capture();
  const atBoot = ram();
  poke(0, 2);
  poke(PAGE_SIZE, 2);
  const suite = tree.capture();
  const atSuite = ram();
  poke(2 * PAGE_SIZE, 3);
  const table = tree.capture();
  const atTable = ram();
  tree.restore(boot);
  assert.deepEqual(ram(), atBoot);
  poke(3 * PAGE_SIZE, 4);
  const other = tree.capture();
  const atOther = ram();
  for (const [node, contents] of [
    [table, atTable],
    [other, atOther],
    [suite, atSuite],
    [table, atTable],
  ] as const) {
    tree.restore(node);
    assert.deepEqual(ram(), contents);
  }
  tree.restore(null);
  assert.ok(ram().every((byte) => byte === 0));
  release();
});

test("pages are shared with the parent", () => {
  const { tree, poke, release } = setUp();
  poke(0, 1);
  const base = tree.capture();
  poke(PAGE_SIZE, 1);
  const child = tree.capture();
  assert.equal(child.pages[0], base.pages[0]);
  assert.deepEqual([...child.ownPages], [1]);
  assert.equal(child.parent, base);
  release();
});

test("RAM after any walk over the tree is what it was when the node was taken", () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("poke" as const),
        at: fc.nat(SIZE - 1),
        value: fc.integer({ min: 1, max: 255 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("capture" as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("restore" as const), node: fc.nat(20) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { tree, poke, ram, release } = setUp();
      const nodes: { node: PageSnapshot | null; contents: Uint8Array }[] = [{ node: null, contents: ram() }];
      for (const action of steps) {
        if (action.kind === "poke") poke(action.at, action.value);
        else if (action.kind === "capture") nodes.push({ node: tree.capture(), contents: ram() });
        else {
          const target = nodes[action.node % nodes.length];
          assert.ok(target);
          tree.restore(target.node);
          assert.ok(Buffer.from(ram()).equals(target.contents));
        }
      }
      release();
    }),
    { numRuns: 60 },
  );
});

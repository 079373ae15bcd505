// Trees survive being flattened and read; the blob is as the specification lays it out; what is no tree is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeValue, flattenTree, unflattenTree, type TreeNode } from "./flattened-tree.ts";

const tree: TreeNode = {
  name: "",
  properties: { "#address-cells": 2, compatible: ["a,b", "c"], empty: true, wide: 0x1_0000_0002n, mixed: [1, 2n, "x"], bytes: Uint8Array.of(1, 2, 3) },
  children: [
    { name: "cpus", properties: {}, children: [{ name: "cpu@0", properties: { reg: 0 }, children: [] }] },
    { name: "soc", properties: { compatible: "simple-bus" }, children: [] },
  ],
};

function encoded(node: TreeNode): TreeNode {
  return {
    name: node.name,
    properties: Object.fromEntries(Object.entries(node.properties).map(([name, value]) => [name, encodeValue(value)])),
    children: node.children.map(encoded),
  };
}

test("a tree comes back as it was", () => {
  assert.deepEqual(unflattenTree(flattenTree(tree)), encoded(tree));
});

test("so does one of any size", () => {
  const children = Array.from({ length: 300 }, (_, n): TreeNode => ({ name: `device@${n}`, properties: { reg: [n, 2n], model: "m".repeat(n) }, children: [] }));
  const large = { ...tree, children };
  assert.deepEqual(unflattenTree(flattenTree(large)), encoded(large));
});

test("values are big-endian cells and text with its end", () => {
  const bytesOf = (name: string): number[] => [...encodeValue(tree.properties[name] ?? assert.fail(name))];
  assert.deepEqual(bytesOf("#address-cells"), [0, 0, 0, 2]);
  assert.deepEqual(bytesOf("compatible"), [...Buffer.from("a,b\0c\0")]);
  assert.deepEqual(bytesOf("empty"), []);
  assert.deepEqual(bytesOf("wide"), [0, 0, 0, 1, 0, 0, 0, 2]);
  assert.deepEqual(bytesOf("mixed"), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0x78, 0]);
});

test("the header says where the blocks are, names of properties stand once", () => {
  const blob = flattenTree(tree, 3);
  const view = new DataView(blob.buffer);
  const [magic, size, structure, strings, reserved, version, compatible, cpu, stringsSize, structureSize] = Array.from({ length: 10 }, (_, index) =>
    view.getUint32(4 * index),
  );
  assert.deepEqual([magic, size, version, compatible, cpu], [0xd00d_feed, blob.length, 17, 16, 3]);
  assert.deepEqual([reserved, structure, strings], [40, 56, 56 + (structureSize ?? 0)]);
  assert.equal(
    Buffer.from(blob.subarray(strings, (strings ?? 0) + (stringsSize ?? 0))).toString(),
    "#address-cells\0compatible\0empty\0wide\0mixed\0bytes\0reg\0",
  );
});

test("what is no tree is refused", () => {
  assert.throws(() => unflattenTree(new Uint8Array(40)), /the magic number is missing/);
  assert.throws(() => unflattenTree(flattenTree(tree).subarray(0, 80)), /a name at 268 has no end/);
});

// What a test needs against what a machine provides.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestTest } from "../../compiler/images/manifest.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { isPromised, unmetNeed } from "./needs.ts";

const loaded = loadMachine("bytecode-virt");
if (loaded === undefined || !loaded.ok) throw new Error("bytecode-virt does not load");
const { machine } = loaded;

const needing = (name: string, ...args: readonly string[]): ManifestTest => ({
  index: 0,
  name: "t",
  file: 0,
  line: 1,
  endLine: 1,
  tags: [],
  attributes: {},
  covers: [],
  needs: [{ name, args }],
  on: [],
  timeout: null,
  tableHooks: null,
  parameterised: false,
  cases: [],
});

test("numbers are compared, not looked up", () => {
  assert.equal(unmetNeed(needing("cpus", "8"), machine), null);
  assert.equal(unmetNeed(needing("cpus", "9"), machine), "needs cpus(9): bytecode-virt has up to 8 CPUs");
  assert.equal(unmetNeed(needing("ram", String(machine.ram.size)), machine), null);
  assert.equal(unmetNeed(needing("ram", String(2 * machine.ram.size)), machine), "needs ram(33554432): bytecode-virt has 16777216 bytes");
});

test("words and ids are what the machine's file says", () => {
  assert.equal(unmetNeed(needing("virtio"), machine), null);
  assert.equal(unmetNeed(needing("virtio", "console"), machine), null);
  assert.equal(
    unmetNeed(needing("virtio", "gpu"), machine),
    "needs virtio(gpu): bytecode-virt has virtio, virtio(console), virtio(rng), virtio(blk), virtio(net), virtio(read_only_blk)",
  );
  assert.equal(unmetNeed(needing("pci", "0x1234:0x11e8"), machine), null);
  assert.equal(unmetNeed(needing("mmu"), machine), "needs mmu: bytecode-virt has no mmu");
});

test("what is promised is found however its numbers are written", () => {
  for (const promise of ["all", "cpus", "cpus(2)", "cpus(0x2)", "cpus(0x0_2)"]) assert.equal(isPromised(needing("cpus", "2"), [promise]), true, promise);
  for (const promise of ["ram", "cpus(3)", "cpus(0x20)"]) assert.equal(isPromised(needing("cpus", "2"), [promise]), false, promise);
  for (const promise of ["pci(0x1234:0x11e8)", "pci(0x1234:0x0011E8)"]) assert.equal(isPromised(needing("pci", "0x1234:0x11E8"), [promise]), true, promise);
  assert.equal(isPromised(needing("pci", "0x10:0x11e8"), ["pci(16:0x11e8)"]), false);
});

// What counts as a slip of the finger or as a part of a name, and what does not: a wrong "did you mean" is worse than none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName } from "./nearest-name.ts";

test("one slip of each kind, and the case of letters, is near", () => {
  assert.equal(nearestName("tset", ["tag", "test"]), "test");
  assert.equal(nearestName("devices", ["device", "needs"]), "device");
  assert.equal(nearestName("modle", ["mode", "model"]), "mode");
  assert.equal(nearestName("lsr_thre", ["LSR_DR", "LSR_THRE"]), "LSR_THRE");
  assert.equal(nearestName("baud_rat", ["baud_rate", "baud_rat2"]), "baud_rate");
});

test("names allow a slip in three letters, at most three", () => {
  assert.equal(nearestName("zzz", ["test", "tag"]), undefined);
  assert.equal(nearestName("x", ["y"]), undefined);
  assert.equal(nearestName("ab", ["xy"]), undefined);
  assert.equal(nearestName("adress", ["edges", "reads"]), undefined);
  assert.equal(nearestName("interrupts", ["interepts"]), "interepts");
  assert.equal(nearestName("acknowledge_irq_now", ["bcknowledfe_jrq_nov"]), undefined);
  assert.equal(nearestName("", ["test"]), undefined);
});

test("a part of a name is a last resort", () => {
  assert.equal(nearestName("16550", ["pl011", "ns16550"]), "ns16550");
  assert.equal(nearestName("virtio", ["virtio-console", "virtio-mmio"]), "virtio-mmio");
  assert.equal(nearestName("boolean", ["u8", "bool"]), "bool");
  assert.equal(nearestName("test", ["a tester of things", "tst"]), "tst");
  assert.equal(nearestName("io", ["virtio-mmio"]), undefined);
});

// What counts as a slip of the finger, and what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName, nearestNameOrPart } from "./nearest-name.ts";

test("one slip of each kind, and the case of letters, is near", () => {
  assert.equal(nearestName("tset", ["tag", "test"]), "test");
  assert.equal(nearestName("devices", ["device", "needs"]), "device");
  assert.equal(nearestName("modle", ["mode", "model"]), "mode");
  assert.equal(nearestName("lsr_thre", ["LSR_DR", "LSR_THRE"]), "LSR_THRE");
  assert.equal(nearestName("baud_rat", ["baud_rate", "baud_rat2"]), "baud_rate");
});

test("short names allow fewer slips", () => {
  assert.equal(nearestName("zzz", ["test", "tag"]), undefined);
  assert.equal(nearestName("x", ["y"]), undefined);
  assert.equal(nearestName("ab", ["xy"]), undefined);
  assert.equal(nearestName("interrupts", ["interepts"]), "interepts");
  assert.equal(nearestName("", ["test"]), undefined);
});

test("a part of a name is a last resort", () => {
  assert.equal(nearestNameOrPart("16550", ["pl011", "ns16550"]), "ns16550");
  assert.equal(nearestNameOrPart("virtio", ["virtio-console", "virtio-mmio"]), "virtio-mmio");
  assert.equal(nearestNameOrPart("edu-device", ["uart", "edu"]), "edu");
  assert.equal(nearestNameOrPart("test", ["a tester of things", "tst"]), "tst");
  assert.equal(nearestNameOrPart("io", ["virtio-mmio"]), undefined);
  assert.equal(nearestNameOrPart("zzz", ["test", "tag"]), undefined);
});

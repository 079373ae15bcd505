// Which versions of an engine a declared deviation is about.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviationOf, isWithinVersions } from "./deviations.ts";

test("ranges of versions hold both ends, by as many parts as they have", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["7.2.22", "7.2", true],
    ["7.3.0", "7.2", false],
    ["7.2.22", "7.2..8.0", true],
    ["8.0.5", "7.2..8.0", true],
    ["8.1.0", "7.2..8.0", false],
    ["7.1.9", "7.2..8.0", false],
    ["10.0.0", "7.2..", true],
    ["7.1.0", "7.2..", false],
    ["8.2.1", "8", true],
  ];
  for (const [version, range, expected] of cases) assert.equal(isWithinVersions(version, range), expected, `${version} in ${range}`);
});

test("a deviation is about its engine, in a version that is known", () => {
  const attributes = { deviates: "qemu 7.2..8.0 sets no OE\nqemu 9.0 hangs" };
  assert.equal(deviationOf({ attributes }, "qemu", "7.2.22"), "qemu 7.2.22 deviates: sets no OE");
  assert.equal(deviationOf({ attributes }, "qemu", "9.0.1"), "qemu 9.0.1 deviates: hangs");
  assert.equal(deviationOf({ attributes }, "qemu", "8.1.0"), null);
  assert.equal(deviationOf({ attributes }, "embedded", "7.2.22"), null);
  assert.equal(deviationOf({ attributes }, "qemu", undefined), null);
  assert.equal(deviationOf({ attributes: {} }, "qemu", "7.2.22"), null);
});

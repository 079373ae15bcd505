// The table that the checker and the reports read, and the constants of the guest library, say the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_NUMBERS, errorName } from "./error-numbers.ts";

test("lib/errno.gspec has the numbers of the table", () => {
  const text = readFileSync(new URL("../lib/errno.gspec", import.meta.url), "utf8");
  const constants = [...text.matchAll(/^const (\w+) = (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]);
  assert.deepEqual(constants, [...ERROR_NUMBERS]);
});

test("a number has its name, and one that is none has not", () => {
  assert.equal(errorName(2), "ENOENT");
  assert.equal(errorName(517), "EPROBE_DEFER");
  assert.equal(errorName(41), null);
});

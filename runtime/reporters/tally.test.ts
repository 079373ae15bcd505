// Names of tests as reports show them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { caseName, shownName } from "./tally.ts";

const NAMES: readonly (readonly [name: string, row: string | null, shown: string])[] = [
  ["adds", null, "adds"],
  ["{n} of a list", "4 of a list", "4 of a list"],
  ["{a} + {b}", "1 + 2", "1 + 2"],
  ["{a} + {b}", "1 + 2 #2", "1 + 2 #2"],
  // A row with a name of its own says nothing of the test's.
  ["row {r.v}", "five", "row {r.v}[five]"],
  ["a.c {n}", "abc 1", "a.c {n}[abc 1]"],
  ["adds", "five", "adds[five]"],
];

for (const [name, row, shown] of NAMES)
  test(`${caseName({ test: name, row })} is shown as ${shown}`, () => {
    assert.equal(shownName({ test: name, row }), shown);
  });

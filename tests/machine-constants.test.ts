// The constants that lie beside the bundle are those of the machines' files (machines/packaged-constants.ts).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { guestConstants } from "../machines/description.ts";
import { listMachines, loadMachine } from "../machines/load-machine.ts";
import { CONSTANTS_FILE, noteConstants, packagedConstants } from "../machines/packaged-constants.ts";
import { root } from "../tools/project.mjs";

test("what is shipped is what the machines' files say", () => {
  assert.equal(readFileSync(join(root, "dist", CONSTANTS_FILE), "utf8"), noteConstants(listMachines()));
});

test("a machine's constants are those that it has for its own specs", () => {
  const result = loadMachine("x86-q35");
  assert.ok(result?.ok === true);
  assert.deepEqual(
    [...packagedConstants("x86-q35")],
    guestConstants(result.machine).map(({ name, value }) => [name, value]),
  );
});

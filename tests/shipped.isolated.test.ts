// What the build lays beside the bundle so that no process has to make it is what the sources make: interpreters, which riscv-processor.ts finds
// by their names, and the constants of the package's machines. For tests of the whole tool the bundle is built first, so that these
// compare what a run would use, and not what the last build has left.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { guestConstants } from "../machines/description.ts";
import { listMachines, loadMachine } from "../machines/load-machine.ts";
import { CONSTANTS_FILE, noteConstants, packagedConstants } from "../machines/packaged-constants.ts";
import { root } from "../tools/project.mjs";
import { writeInterpreters } from "../tools/write-interpreters.ts";

const DIST = join(root, "dist");

test("interpreters are what would be written", () => {
  const written = writeInterpreters();
  const shipped = readdirSync(DIST).filter((name) => name.endsWith(".wasm"));
  assert.deepEqual(shipped.toSorted(), [...written.keys()].toSorted());
  for (const [name, bytes] of written) assert.equal(Buffer.compare(readFileSync(join(DIST, name)), bytes), 0, name);
});

test("constants are what the machines' files say", () => {
  assert.equal(readFileSync(join(DIST, CONSTANTS_FILE), "utf8"), noteConstants(listMachines()));
});

test("a machine's constants are those that it has for its own specs", () => {
  const result = loadMachine("x86-q35");
  assert.ok(result?.ok === true);
  assert.deepEqual(
    [...packagedConstants("x86-q35")],
    guestConstants(result.machine).map(({ name, value }) => [name, value]),
  );
});

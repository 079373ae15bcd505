// The interpreters that lie beside the bundle are what the sources write, and riscv-processor.ts finds them under these names.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../tools/project.mjs";
import { writeInterpreters } from "../tools/write-interpreters.ts";

test("what is shipped is what would be written", () => {
  const written = writeInterpreters();
  const shipped = readdirSync(join(root, "dist")).filter((name) => name.endsWith(".wasm"));
  assert.deepEqual(shipped.toSorted(), [...written.keys()].toSorted());
  for (const [name, bytes] of written) assert.deepEqual(Uint8Array.from(readFileSync(join(root, "dist", name))), bytes, name);
});

// Which entries of a decoded page the interpreter may decode by itself, and which it has to ask for: what the bytes do not say is lost otherwise.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMachine } from "../../machine/machine.ts";
import { riscvVirt } from "../../../tests/fixtures/machines.ts";
import { createCodeCache } from "./code-cache.ts";
import { FIXED_NUMBER } from "./operations.ts";
import { ENTRY, ENTRY_SHIFT } from "./state.ts";

const REGION = 0x20;

test("a store behind a jump of two bytes leaves the region that begins with it in force", () => {
  const machine = createMachine(riscvVirt);
  const { bytes } = machine.memory;
  const code = createCodeCache(machine.memory, {
    decode: () => FIXED_NUMBER.nothing,
    pageAdded() {},
    pageDropped() {},
    changed() {},
    cleared() {},
    hasRegion: (offset) => offset === REGION,
    isDevice: () => false,
  });
  const operationAt = (offset: number): number => bytes[code.pageAt(0) + (offset << ENTRY_SHIFT) + ENTRY.operation] ?? -1;
  code.decodeEntry(code.pageAt(0) + (REGION << ENTRY_SHIFT));
  assert.equal(operationAt(REGION), FIXED_NUMBER.region);
  code.wrote(REGION + 2, 4);
  assert.equal(operationAt(REGION), FIXED_NUMBER.asked);
  assert.equal(operationAt(REGION + 2), FIXED_NUMBER.undecoded);
  machine.dispose();
});

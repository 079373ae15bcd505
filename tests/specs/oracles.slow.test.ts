// The whole of specs/ as an oracle: both executors give the same events, one seed gives one stream, another seed changes
// interleavings only, and the verdicts hold for 32-bit and big-endian guests too.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { isGood, type RunEvent } from "../../runtime/events.ts";
import { compileSpecs, specFiles } from "../fixtures/compile.ts";
import { runImages, testsOf } from "./run-all.ts";

const verdictsOf = (events: readonly RunEvent[]): readonly string[] => testsOf(events).map(({ id, verdict, checks }) => `${verdict} ${checks} ${id}`);

const badOf = (events: readonly RunEvent[]): readonly string[] =>
  testsOf(events)
    .filter(({ verdict }) => !isGood(verdict))
    .map(({ id, failures }) => `${id}: ${failures[0]?.message ?? ""}`);

describe("all specs", () => {
  let interpreted: readonly RunEvent[] = [];
  const images = compileSpecs(specFiles("specs"));

  before(async () => {
    interpreted = await runImages(images, { executor: "interpreter" });
  });

  test("pass on the interpreter, and are as many as promised", () => {
    assert.deepEqual(badOf(interpreted), []);
    assert.ok(testsOf(interpreted).length >= 250, `${testsOf(interpreted).length} tests`);
  });

  test("give the same events on the WebAssembly translation", async () => {
    const translated = await runImages(images, { executor: "wasm" });
    assert.deepEqual(translated, interpreted);
  });

  test("give the same events with one seed when the executor is chosen by what a test needs", async () => {
    assert.deepEqual(await runImages(images, { executor: "auto" }), interpreted);
  });

  test("differ with another seed in interleavings only", async () => {
    const other = await runImages(images, { executor: "auto", seed: 12345n });
    assert.deepEqual(
      verdictsOf(other).map((line) => line.replace(/ \d+ /, " ")),
      verdictsOf(interpreted).map((line) => line.replace(/ \d+ /, " ")),
    );
    const needsOne = new Set(
      images.flatMap(({ manifest }) =>
        manifest.suites.flatMap((suite) =>
          suite.tests.filter((each) => !each.needs.some((need) => need.name === "cpus")).map((each) => `${suite.name}::${each.name}`),
        ),
      ),
    );
    const single = (events: readonly RunEvent[]): readonly string[] =>
      testsOf(events)
        .filter((event) => needsOne.has(`${event.suite}::${event.test}`))
        .map(({ id, instructions }) => `${instructions} ${id}`);
    assert.deepEqual(single(other), single(interpreted));
    assert.ok(single(other).length > 200);
  });

  // Device specs are left out: drivers for DMA fix the byte order and the width of what lies in memory.
  const portable = ["tutorial", "language", "traps", "memory", "kunit", "kernel", "isolation", "interrupts", "smp"].flatMap((folder) =>
    specFiles(`specs/${folder}`),
  );
  for (const layout of [
    { addressBytes: 4, endian: "little" },
    { addressBytes: 8, endian: "big" },
    { addressBytes: 4, endian: "big" },
  ] as const) {
    test(`pass with ${layout.addressBytes * 8}-bit ${layout.endian}-endian words`, async () => {
      const events = await runImages(compileSpecs(portable, { layout }), { executor: "interpreter" });
      assert.deepEqual(badOf(events), []);
      const files = new Set(portable);
      assert.equal(testsOf(events).length, testsOf(interpreted).filter(({ file }) => files.has(file)).length);
    });
  }
});

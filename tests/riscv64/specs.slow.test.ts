// All specs of riscv64 on the embedded machine: the events, with their times and instruction counts, are the same whether code is only
// interpreted, translated from the first jump on, or now and then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileNative } from "../../compiler/native/index.ts";
import { riscv64 } from "../../compiler/targets/riscv64/target.ts";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { createRiscv } from "../../runtime/cpus/riscv64/processor.ts";
import type { EagernessName } from "../../runtime/cpus/riscv64/regions/translator.ts";
import { isGood, type RunEvent } from "../../runtime/events.ts";
import type { EngineImage } from "../../runtime/engines/session.ts";
import { EMBEDDED_TARGETS } from "../../runtime/exec/processors.ts";
import { readText, specFiles } from "../fixtures/compile.ts";
import { riscvVirt } from "../fixtures/machines.ts";
import { runEngineImages, testsOf } from "../specs/run-all.ts";

test("all specs give the same events whenever their code is translated", { timeout: 900_000 }, async () => {
  const language = await loadMachineLanguage("riscv64");
  const { images } = compileNative(specFiles("specs"), riscv64, { machine: riscvVirt, language, readFile: readText, libDirectory: "lib/" });
  assert.ok(images.length > 30, `${images.length} images`);
  const engineImages = images.map(({ manifest, native }) => ({ manifest, native, machine: riscvVirt }));
  const target = EMBEDDED_TARGETS["riscv64"];
  assert.ok(target !== undefined);
  const run = (eagerness: EagernessName, chosen: readonly EngineImage[]): ReturnType<typeof runEngineImages> =>
    runEngineImages(chosen, {
      executor: "auto",
      loadTarget: async () => ({
        ...target,
        load:
          async () =>
          (machine, hooks = {}) =>
            createRiscv(machine, hooks, { width: 64, eagerness }),
      }),
    });
  const expected = await run("never", engineImages);
  assert.ok(testsOf(expected).length > 1000, `${testsOf(expected).length} tests`);
  const bad = testsOf(expected).filter(({ verdict }) => !isGood(verdict));
  assert.deepEqual(
    bad.map(({ id }) => id),
    [],
  );
  assertSame(await run("mixed", engineImages), expected);
  // To translate everything at once takes long: where the hardware's own matters are.
  const isNear = (path: string): boolean => /^specs\/(riscv64|interrupts|smp|memory)\//.test(path);
  const ofNear = (events: readonly RunEvent[]): readonly RunEvent[] => events.filter((event) => "file" in event && isNear(event.file));
  const eager = await run(
    "eager",
    engineImages.filter((_, index) => isNear(images[index]?.path ?? "")),
  );
  assert.ok(testsOf(eager).length > 100, `${testsOf(eager).length} tests`);
  assertSame(ofNear(eager), ofNear(expected));
});

/** One at a time: a report of all differences takes gigabytes. */
function assertSame(events: readonly RunEvent[], expected: readonly RunEvent[]): void {
  assert.equal(events.length, expected.length);
  events.forEach((event, index) => assert.deepEqual(event, expected[index]));
}

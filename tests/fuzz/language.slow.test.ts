// Generated specs, each with what its tests expect as worked out beside the compiler (tests/fixtures/generate-spec): the whole way from
// text to result, on both executors of bytecode; tests/native/language.isolated.test.ts runs others as machine code. What is expected
// holds for 64-bit words. GUESTSPEC_FUZZ_SEED and GUESTSPEC_FUZZ_ROUNDS widen the search; a failure names the seed of its program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isGood } from "../../runtime/events.ts";
import { compileSpecs } from "../fixtures/compile.ts";
import { generateSpec } from "../fixtures/generate-spec/program.ts";
import { createRandom, FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { runImages, testsOf } from "../specs/run-all.ts";

const random = createRandom(FUZZ_SEED);
const seeds = Array.from({ length: fuzzRounds(15) }, () => random.u32());
const texts = Object.fromEntries(seeds.map((seed) => [`seed-${seed}.gspec`, generateSpec(seed)]));

for (const executor of ["interpreter", "wasm"] as const)
  test(`generated specs give what was worked out, on the ${executor}`, async () => {
    const events = testsOf(await runImages(compileSpecs(Object.keys(texts), { texts }), { executor, texts }));
    const bad = events.filter(({ verdict }) => !isGood(verdict)).map(({ id, failures }) => `${id}: ${failures[0]?.message ?? ""}`);
    assert.deepEqual(bad, []);
    assert.ok(events.length > seeds.length * 2, `${events.length} tests`);
  });

// Generated specs (tests/fixtures/generate-spec) as machine code: riscv64 in this process, the other targets in QEMU, by the whole tool.
// What a test expects was worked out beside the compiler, so a mistake that all targets share is seen too.
// GUESTSPEC_FUZZ_SEED and GUESTSPEC_FUZZ_ROUNDS widen the search; a failure names the seed of its program.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RunEvent } from "../../runtime/events.ts";
import { runTool } from "../cli/transcripts.ts";
import { generateSpec } from "../fixtures/generate-spec/program.ts";
import { createRandom, FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { needsTools } from "../images/outside-tools.ts";

const ROUNDS = fuzzRounds(8);
const folder = mkdtempSync(join(tmpdir(), "guestspec-language-"));

before(() => {
  const random = createRandom(FUZZ_SEED ^ 0x5eed);
  for (let n = 0; n < ROUNDS; n++) {
    const seed = random.u32();
    writeFileSync(join(folder, `seed-${seed}.gspec`), generateSpec(seed));
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ENGINES = [
  { target: "riscv64", skip: {} },
  { target: "x86_64", skip: needsTools("qemu-system-x86_64") },
  { target: "aarch64", skip: needsTools("qemu-system-aarch64") },
] as const;

for (const { target, skip } of ENGINES)
  test(`generated specs as machine code of ${target}`, skip, async () => {
    const { stdout } = await runTool(["run", folder, "--target", target, "--record=never", "--reporter", "ndjson"], { cwd: folder });
    const finished = stdout
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunEvent]))
      .flatMap((event) => (event.type === "test-finished" ? [event] : []));
    const bad = finished.filter(({ verdict }) => verdict !== "pass").map(({ id, failures }) => `${id}: ${failures[0]?.message ?? ""}`);
    assert.deepEqual(bad, []);
    assert.ok(finished.length > ROUNDS * 2, `${finished.length} tests`);
  });

// A run of our specs on a board in QEMU, as the tests of whole boards want it: by the command line, judged by its
// events. Specs that QEMU takes tens of seconds for are tagged `slow` and left out. A test that fails is run
// again: several CPUs stood still once in some thousand tests, which has been mended on x86_64 (ADR 17).
import assert from "node:assert/strict";
import { isGood, type RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";

export type Target = "x86_64" | "riscv64" | "aarch64";

export interface BoardRun {
  readonly targets: readonly Target[];
  readonly specs: readonly string[];
  /** Options that name target, machine and engine. */
  readonly where: readonly string[];
  /** What standard error has to say. */
  readonly stderr: RegExp;
  /** More tests than this pass on each target. */
  readonly leastPassed: number;
}

export async function expectGoodBoard({ targets, specs, where, stderr: wanted, leastPassed }: BoardRun): Promise<void> {
  const args = ["run", ...specs, ...where, "--engine", "all", "-E", "!tag(slow)", "--retries", "1", "--record=never", "--reporter", "ndjson"];
  const { code, stdout, stderr } = await runTool(args, { cwd: root });
  const events = stdout.split("\n").filter((line) => line !== "");
  const results = events.map((line) => JSON.parse(line) as RunEvent).filter((event) => event.type === "test-finished");
  assert.deepEqual(
    results
      .filter(({ verdict }) => !isGood(verdict))
      .map(({ verdict, id, failures: [first] }) => `${verdict} ${id}: ${[first?.message, ...(first?.details ?? [])].join("; ")}`),
    [],
  );
  assert.match(stderr, wanted);
  assert.equal(code, 0);
  for (const target of targets) {
    const passed = results.filter((result) => result.verdict === "pass" && result.target === target).length;
    assert.ok(passed > leastPassed, `${passed} passed on ${target}`);
  }
}

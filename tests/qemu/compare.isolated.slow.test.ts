// The second oracle, whole: every spec of ours on every target in QEMU gives the verdicts that it has as bytecode on the embedded
// machine, and those of devices and CPUs pass on the other boards too. One test a board, so that a board that is out of order is named. Specs that QEMU takes
// tens of seconds for are tagged `slow` and left out. Under -icount QEMU with several CPUs stands still once in some thousand tests, all
// CPUs asleep and a timer pending (ADR 17): such a test is run again.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isGood, type RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";
import { needsTools } from "../images/outside-tools.ts";

/** Portable specs are more than this, and those of devices and CPUs, which other boards run, more than that. */
const LEAST_PASSED = { all: 2000, some: 250 };

interface Board {
  readonly target: "x86_64" | "riscv64" | "aarch64";
  /** Null: the one that `--target` means. Its verdicts are compared with bytecode's. */
  readonly machine: string | null;
}

const BOARDS: readonly Board[] = [
  { target: "x86_64", machine: null },
  { target: "riscv64", machine: null },
  { target: "aarch64", machine: null },
  { target: "x86_64", machine: "x86-pc" },
  { target: "x86_64", machine: "x86-microvm" },
  { target: "riscv64", machine: "riscv-virt-sbi" },
  { target: "aarch64", machine: "arm64-virt-gicv3" },
];

for (const { target, machine } of BOARDS) {
  const { skip } = needsTools(`qemu-system-${target}`);
  test(`specs on ${machine ?? `${target}, compared with bytecode`}`, { skip, timeout: 280_000 }, async (context) => {
    const cache = mkdtempSync(join(tmpdir(), "guestspec-compare-"));
    context.after(() => rmSync(cache, { recursive: true, force: true }));
    // What does not touch devices and CPUs is the same on all boards of a target.
    const specs = machine === null ? ["specs"] : [`specs/${target}`, "specs/devices", "specs/interrupts", "specs/traps", "specs/smp/start.gspec"];
    const where =
      machine === null ? ["--target", `bytecode,${target}`, "--engine", "all", "--compare"] : ["--target", target, "--machine", machine, "--engine", "all"];
    const args = ["run", ...specs, ...where, "-E", "!tag(slow)", "--retries", "1", "--reporter", "ndjson"];
    const { code, stdout, stderr } = await runTool(args, { cwd: root, env: { XDG_CACHE_HOME: cache } });
    const events = stdout.split("\n").filter((line) => line !== "");
    const results = events.map((line) => JSON.parse(line) as RunEvent).filter((event) => event.type === "test-finished");
    assert.deepEqual(
      results
        .filter(({ verdict }) => !isGood(verdict))
        .map(({ verdict, id, failures: [first] }) => `${verdict} ${id}: ${[first?.message, ...(first?.details ?? [])].join("; ")}`),
      [],
    );
    assert.match(stderr, machine === null ? /^\n?Compare[^]* no test differs\n$/ : /^$/);
    assert.equal(code, 0);
    const passed = results.filter((result) => result.verdict === "pass" && result.target === target).length;
    assert.ok(passed > LEAST_PASSED[machine === null ? "all" : "some"], `${passed} passed`);
  });
}

// A wait for an interrupt that never comes is ended by the test's time limit, and told as such: a test that goes on behind it has passed without
// what it waited for. Bytecode finds such waits to be deadlocks, so machine code has a test of its own.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { RunEvent } from "../../runtime/events.ts";
import { runTool } from "../cli/transcripts.ts";
import { needsTools } from "../images/outside-tools.ts";

// Limits of several lengths, for the ticks of a counter fit some better than others.
const SPEC = `suite "waits"

use timer

@timeout(10ms)
test "for nothing" { cpu.wait() }

@timeout(10001ns)
test "for nothing, a nanosecond more" { cpu.wait() }

@timeout(1ms)
test "for a timer that is too far off" {
  timer.after(u64.max)
  cpu.wait()
}
`;

const ENGINES = [
  { name: "riscv64 on the embedded board", where: ["--target", "riscv64"], tools: null },
  { name: "x86_64 in QEMU", where: ["--target", "x86_64"], tools: "qemu-system-x86_64" },
  { name: "riscv64 in QEMU", where: ["--target", "riscv64", "--engine", "qemu"], tools: "qemu-system-riscv64" },
  { name: "aarch64 in QEMU", where: ["--target", "aarch64"], tools: "qemu-system-aarch64" },
] as const;

for (const { name, where, tools } of ENGINES)
  test(`${name} ends a wait at the limit`, tools === null ? {} : needsTools(tools), async (context) => {
    const cwd = mkdtempSync(join(tmpdir(), "guestspec-waits-"));
    context.after(() => rmSync(cwd, { recursive: true, force: true }));
    writeFileSync(join(cwd, "waits.gspec"), SPEC);
    const { stdout } = await runTool(["run", "waits.gspec", ...where, "--record=never", "--reporter", "ndjson"], { cwd });
    const events = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunEvent]));
    const verdicts = events.flatMap((event) => (event.type === "test-finished" ? [event.verdict] : []));
    assert.deepEqual(verdicts, ["timeout", "timeout", "timeout"]);
  });

// CPUs that fail at once are told alike on every engine, and what one of them leaves behind does not reach the next test: tests that must fail
// on several CPUs, on bytecode and on machine code.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";
import { needsTools } from "../images/outside-tools.ts";

const SPEC = "tests/must-fail/several-cpus.gspec";

/** By test its verdict and its failures, in no order: that is the machine's. */
async function resultsOn(...where: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runTool(["run", SPEC, ...where, "--record=never", "--reporter", "ndjson"], { cwd: root });
  const events = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunEvent]));
  return events.flatMap((event) => {
    if (event.type !== "test-finished") return [];
    const told = event.failures.map(({ cpu, kind, frame }) => `${cpu} ${kind} ${frame?.line}`).sort();
    const left = event.failures.flatMap(({ details }) => details.filter((line) => line.includes("left running")));
    return [[`${event.verdict} ${event.test}`, ...told, ...left].join("\n  ")];
  });
}

const ENGINES = [
  { name: "riscv64 on the embedded board", where: ["--target", "riscv64"], tools: null },
  { name: "x86_64 in QEMU", where: ["--target", "x86_64"], tools: "qemu-system-x86_64" },
  { name: "riscv64 in QEMU", where: ["--target", "riscv64", "--engine", "qemu"], tools: "qemu-system-riscv64" },
  { name: "aarch64 in QEMU", where: ["--target", "aarch64"], tools: "qemu-system-aarch64" },
] as const;

let expected: Promise<readonly string[]> | null = null;

for (const { name, where, tools } of ENGINES)
  test(`${name} tells of several CPUs what bytecode tells`, tools === null ? {} : needsTools(tools), async () => {
    const wanted = await (expected ??= resultsOn());
    assert.equal(wanted.length, 7);
    assert.ok(wanted[1]?.endsWith("cpu 1 had not ended its block when the test ended, and was left running"));
    assert.deepEqual(await resultsOn(...where), wanted);
  });

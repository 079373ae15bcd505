// How a failure was reached is the same whatever runs it: the interpreter of bytecode, whose calls are known, and machine code in this
// process and in QEMU, whose calls come out of words of its stack. One spec with a failure for each way of being called.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Caller, RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";
import { needsTools } from "../images/outside-tools.ts";

const SPEC = "tests/must-fail/callers.gspec";

/** Stacks of machine code are larger than those of bytecode, so that more calls fit before they overflow. */
function callerText(caller: Caller): string {
  switch (caller.kind) {
    case "more":
      return `${caller.calls > 1000 ? "thousands" : caller.calls} more of ${caller.names.join()}`;
    case "end":
      return caller.text;
    case "call":
    case "interrupt":
    case "trap":
    case "access":
      return `${caller.kind} ${caller.name} ${caller.path}:${caller.line}:${caller.column} ${caller.frame?.lines.map(({ text }) => text).join() ?? ""}`;
  }
}

/** Of `cpu.relax`, whose body is on the same line. */
const relaxLine =
  readFileSync(join(root, "lib/cpu.gspec"), "utf8")
    .split("\n")
    .findIndex((line) => line.startsWith("fn relax()")) + 1;

/** By test and case, of each of its failures the place and the callers. */
async function callersOn(...where: readonly string[]): Promise<readonly string[]> {
  return callersOf([SPEC, ...where], root);
}

async function callersOf(args: readonly string[], cwd: string): Promise<readonly string[]> {
  const { stdout, stderr } = await runTool(["run", ...args, "--record=never", "--reporter", "ndjson"], { cwd });
  const events = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunEvent]));
  assert.notEqual(events.length, 0, stderr);
  return events.flatMap((event) =>
    event.type === "test-finished"
      ? event.failures.map(({ kind, frame, callers }) =>
          [`${event.test} ${event.row}: ${kind}, ${frame?.line}`, ...(callers ?? []).map(callerText)]
            .join("\n  ")
            // A time limit comes in the loop around the library's wait as well as in that; then the loop's own calls, of the poll and of the
            // wait before, may still be on the stack.
            .replace(/: timeout, 218(?:\n {2}call rest \S+:218:\d+ )?/, `: timeout, ${relaxLine}\n  call rest ${SPEC}:218:26 `),
        )
      : [],
  );
}

const ENGINES = [
  { name: "riscv64 on the embedded board", where: ["--target", "riscv64"], tools: null },
  { name: "riscv64 in supervisor mode", where: ["--target", "riscv64", "--machine", "riscv-virt-sbi"], tools: null },
  { name: "x86_64 in QEMU", where: ["--target", "x86_64"], tools: "qemu-system-x86_64" },
  { name: "riscv64 in QEMU", where: ["--target", "riscv64", "--engine", "qemu"], tools: "qemu-system-riscv64" },
  { name: "aarch64 in QEMU", where: ["--target", "aarch64"], tools: "qemu-system-aarch64" },
] as const;

let expected: Promise<readonly string[]> | null = null;

for (const { name, where, tools } of ENGINES)
  test(`callers of ${name} are those of bytecode`, tools === null ? {} : needsTools(tools), async () => {
    const wanted = await (expected ??= callersOn());
    assert.ok(wanted.length > 30);
    // The second time the image comes from the cache.
    assert.deepEqual(await callersOn(...where), wanted);
    if (tools === null) assert.deepEqual(await callersOn(...where), wanted);
  });

/** What bytecode does not have: user mode, and a stack that a test can reach. */
const ODD = `suite "odd"

fn check_three(v: u32) { expect v == 3 }

fn store() { poke.u32(0xdead_0000, 1) }

fn in_user() {
  user { store() }
}

test "a user block of a function" { in_user() }

fn smash() {
  var words: [2]u64
  let start = &words as usize
  for i in 0 as usize..40 { poke.u64(start + i * 8, 0x4141) }
  check_three(4)
}

test "a damaged stack" { smash() }
`;

for (const { name, where, tools } of ENGINES) {
  if (tools === "qemu-system-aarch64") continue;
  test(`user mode and a damaged stack of ${name}`, tools === null ? {} : needsTools(tools), async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "guestspec-callers-"));
    context.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "odd.gspec"), ODD);
    const [inUser, damaged] = await callersOf(["odd.gspec", ...where], folder);
    assert.equal(
      inUser,
      [
        "a user block of a function null: trap, 5",
        "call in_user odd.gspec:8:10 ",
        'call test "a user block of a function" odd.gspec:11:37 test "a user block of a function" { in_user() }',
      ].join("\n  "),
    );
    assert.equal(damaged, ["a damaged stack null: check, 3", "call smash odd.gspec:17:3   check_three(4)", "the stack does not say more"].join("\n  "));
  });
}

/** From a local variable up over the test's own frame and the guard's record, and further. */
const GONE = `suite "gone"

fn fill(words: usize, step: u64) {
  var local: [4]u64
  let start = &local as usize
  for i in 0 as usize..words { poke.u64(start + i * 8, 0x4141_4141_4141_4141 + i as u64 * step) }
}

test "one address everywhere" { fill(200, 0) }
test "an address each" { fill(200, 0x1238) }
test "the whole stack" { fill(1000, 0) }
test "a neighbour" { expect true }
`;

for (const { name, where, tools } of ENGINES)
  test(`a test that has overwritten what it goes back to is a crash at once on ${name}`, tools === null ? {} : needsTools(tools), async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "guestspec-callers-"));
    context.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "gone.gspec"), GONE);
    const { stdout, stderr } = await runTool(["run", "gone.gspec", ...where, "--record=never", "--reporter", "ndjson"], { cwd: folder });
    assert.equal(stderr, "");
    const events = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunEvent]));
    assert.deepEqual(
      events.flatMap((event) => (event.type === "test-finished" ? [`${event.test}: ${event.verdict}`] : [])),
      ["one address everywhere: crash", "an address each: crash", "the whole stack: crash", "a neighbour: pass"],
    );
  });

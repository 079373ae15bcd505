// Every example of docs/library-targets.md runs on a machine that has its module, in this process or in QEMU.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadMachine } from "../../machines/load-machine.ts";
import { examplesOf, readTargetModules } from "../../tools/library-doc.ts";
import { runTool } from "../cli/transcripts.ts";
import { needsTools, type OutsideToolName } from "../images/outside-tools.ts";

/** What a target is run by; none: this process. */
const TOOLS: Readonly<Record<string, readonly OutsideToolName[]>> = { x86_64: ["qemu-system-x86_64"], aarch64: ["qemu-system-aarch64"] };

for (const { where, machine, modules } of readTargetModules(new URL("../../lib/", import.meta.url))) {
  const examples = examplesOf(modules);
  const loaded = loadMachine(machine);
  assert.ok(loaded?.ok === true);
  const { target } = loaded.machine;
  test(`examples of ${modules.map(({ name }) => name).join()} on ${where}`, needsTools(...(TOOLS[target] ?? [])), async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "guestspec-library-"));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    // An example that only shows a call checks nothing itself. Braces in names are holes.
    const tests = examples.map(({ name, code }) => `test "${name.replaceAll(/[{}]/g, "$&$&")}" on ${target} {\n${code}\nexpect true\n}\n`);
    writeFileSync(join(folder, "examples.gspec"), `suite "library"\n\n${tests.join("\n")}`);
    const args = ["run", "examples.gspec", "--target", target, "--machine", machine, "--reporter", "human", "--record=never"];
    const { stdout, stderr, code } = await runTool(args, { cwd: folder });
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(stdout, new RegExp(`\\b${examples.length} passed, 0 failed, 0 skipped`));
  });
}

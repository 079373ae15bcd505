// docs/ci.md: the project's file in it is one, and each command in its pipelines has options that there are, with values that they take.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { RUN_OPTIONS } from "../../bin/commands/option-rows.ts";
import { COMMANDS } from "../../bin/commands/table.ts";
import { duration, parseOptions } from "../../bin/options.ts";
import { parseProjectRun } from "../../bin/project-run.ts";
import { root } from "../../tools/project.mjs";

const document = readFileSync(join(root, "docs/ci.md"), "utf8");
const fences = [...document.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, text = ""]) => text);

test("the project's file is one", () => {
  const { profiles, quarantine } = parseProjectRun(fences[0] ?? "", RUN_OPTIONS);
  const ci = profiles.get("ci");
  assert.ok(ci !== undefined);
  assert.equal(quarantine, "quarantine.yaml");
  const [limit = ""] = ci.get("run-timeout")?.values ?? [];
  assert.equal(duration(parseOptions(RUN_OPTIONS, ["--run-timeout", limit], "run", {}), "run-timeout"), 1200e9);
});

test("the pipelines are YAML, and the commands in them are ours", () => {
  assert.equal(fences.length, 3);
  for (const fence of fences) parse(fence);
  const commands = [...document.matchAll(/\bguestspec (run|merge) ([^`|\n]+)/g)];
  assert.ok(commands.length >= 5);
  for (const [, name = "", words = ""] of commands) {
    const options = COMMANDS.find((command) => command.name === name)?.options ?? [];
    const args = words
      .replaceAll(/\$\{\{[^}]*\}\}/g, "1")
      .replaceAll(/\$\w+/g, "1")
      .trim()
      .split(" ");
    assert.doesNotThrow(() => parseOptions(options, args, name, {}), words);
  }
});

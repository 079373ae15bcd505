// The type checker as a test: Node strips the types without looking at them, so nothing else would notice a wrong one.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../tools/project.mjs";

/** The page of the HTML report is checked apart: it runs in a browser. */
const projects = [
  ["the sources", root],
  ["the scripts of the report's page", join(root, "runtime", "reporters", "html-page")],
] as const;

for (const [what, project] of projects)
  test(`${what} type-check`, () => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [tsc, "--noEmit", "--pretty", "false", "-p", project], {
      cwd: root,
      encoding: "utf8",
    });
    assert.equal(error, undefined);
    const lines = `${stdout}${stderr}`.trim().split("\n");
    const shown = lines.length > 60 ? [...lines.slice(0, 60), `... and ${lines.length - 60} more lines`] : lines;
    if (status !== 0) assert.fail(`tsc ended with ${status}:\n${shown.join("\n")}`);
  });

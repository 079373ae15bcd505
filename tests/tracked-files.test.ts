// What the repository tracks is what somebody wrote, or a small golden or image: a profile, a log or a disk that slips into a commit stays in
// every clone for ever, and no other test notices.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../tools/project.mjs";

const LARGEST_BYTES = 96 * 1024;

function trackedFiles(): readonly string[] | null {
  try {
    return execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .split("\0")
      .filter((path) => path !== "");
  } catch {
    return null;
  }
}

test("no tracked file is larger than a long document", (t) => {
  const tracked = trackedFiles();
  if (tracked === null) {
    t.skip("not a checkout of git");
    return;
  }
  assert.ok(tracked.includes("package.json"));
  const sizes = tracked.map((path) => ({ path, size: lstatSync(join(root, path), { throwIfNoEntry: false })?.size ?? 0 }));
  assert.deepEqual(
    sizes.filter(({ size }) => size > LARGEST_BYTES),
    [],
  );
});

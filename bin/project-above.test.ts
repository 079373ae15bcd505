// Which project's file somebody has in mind who starts the tool in a folder below it.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findProjectAbove, warnOfProjectAbove } from "./project-above.ts";

test("a project's file above is found, up to the root of the repository", (context) => {
  const root = mkdtempSync(join(tmpdir(), "guestspec-above-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const [uart, inner] = [join(root, "fw", "uart"), join(root, "vendor", "other", "specs")];
  mkdirSync(uart, { recursive: true });
  mkdirSync(inner, { recursive: true });
  mkdirSync(join(root, "vendor", "other", ".git"));
  writeFileSync(join(root, "guestspec.yaml"), "tags: [mine]\n");
  assert.equal(findProjectAbove(uart), "../../guestspec.yaml");
  assert.equal(findProjectAbove(root), null, "it is read");
  assert.equal(findProjectAbove(inner), null, "another repository");
  assert.equal(
    warnOfProjectAbove(uart),
    "warning: ../../guestspec.yaml is not read: a project's file counts for runs that start beside it\n  = help: go to ../.. and name `fw/uart`\n",
  );
  writeFileSync(join(root, "fw", "guestspec.yaml"), "");
  assert.equal(findProjectAbove(uart), "../guestspec.yaml", "the nearest");
});

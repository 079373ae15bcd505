// Folders that can be made, and those where the host says something else than what is so.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "./make-folder.ts";

test("a folder is made with all that lead to it, and again", (context) => {
  const base = mkdtempSync(join(tmpdir(), "guestspec-folder-"));
  context.after(() => rmSync(base, { recursive: true }));
  const folder = join(base, "a", "b", "c");
  makeFolder(folder);
  makeFolder(folder);
  assert.ok(statSync(folder).isDirectory());
  writeFileSync(join(base, "file"), "");
  assert.throws(() => makeFolder(join(base, "file", "a")), /ENOTDIR/);
});

test("a place where none can be made is an error, and no endless loop", { skip: !existsSync("/proc/self") }, () => {
  assert.throws(() => makeFolder("/proc/guestspec/cache"), /ENOENT|EACCES|EPERM/);
});

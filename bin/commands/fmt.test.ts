// What `fmt` says of files that it cannot read. What formatting makes of the others is in tests/format.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Io } from "../io.ts";
import { parseOptions } from "../options.ts";
import { run } from "./fmt.ts";

test("a file that does not parse is neither to format nor unchanged", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-fmt-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const [broken, good] = [join(folder, "broken.gspec"), join(folder, "good.gspec")];
  writeFileSync(broken, 'suite "x" {\n  test   "a" { }\n}\n');
  writeFileSync(good, 'suite "good"\n');
  const said: string[] = [];
  const io: Io = {
    out: (text) => void said.push(text),
    err: () => {},
    status: () => {},
    env: {},
    stdoutIsTty: false,
    outColor: false,
    errColor: false,
    isCi: false,
    columns: () => 80,
  };
  assert.equal(await run(parseOptions([{ name: "check", help: "" }], ["--check", folder], "fmt", {}), io), 3);
  assert.deepEqual(said, ["0 to format, 1 unchanged, 1 left alone for its errors\n"]);
  assert.equal(await run(parseOptions([], [folder], "fmt", {}), io), 3);
  assert.equal(readFileSync(broken, "utf8"), 'suite "x" {\n  test   "a" { }\n}\n');
});

// What `fmt`, `check` and `build` say of files that they cannot read, and that these hide no others. What formatting makes of those is in
// tests/format.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Io } from "../io.ts";
import { parseOptions } from "../options.ts";
import { run as build } from "./build.ts";
import { run as check } from "./check.ts";
import { run } from "./fmt.ts";

function ioTo(out: Io["out"], err: Io["err"] = () => {}): Io {
  return { out, err, status: () => {}, env: {}, stdoutIsTty: false, outColor: false, errColor: false, isCi: false, columns: () => 80 };
}

test("a file that does not parse is neither to format nor unchanged", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-fmt-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const [broken, good] = [join(folder, "broken.gspec"), join(folder, "good.gspec")];
  writeFileSync(broken, 'suite "x" {\n  test   "a" { }\n}\n');
  writeFileSync(good, 'suite "good"\n');
  const said: string[] = [];
  const io = ioTo((text) => void said.push(text));
  assert.equal(await run(parseOptions([{ name: "check", help: "" }], ["--check", folder], "fmt", {}), io), 3);
  assert.deepEqual(said, ["0 to format, 1 unchanged, 1 left alone for its errors\n"]);
  assert.equal(await run(parseOptions([], [folder], "fmt", {}), io), 3);
  assert.equal(readFileSync(broken, "utf8"), 'suite "x" {\n  test   "a" { }\n}\n');
});

test("a link that leads nowhere is told, and the other files are formatted, checked and built", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-fmt-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync("nowhere.gspec", join(folder, "a.gspec"));
  const good = join(folder, "b.gspec");
  writeFileSync(good, 'suite   "good"\ntest "t" { expect 1 == 2 }\n');
  const said: string[] = [];
  const io = ioTo(
    (text) => void said.push(text),
    (text) => void said.push(`err ${text}`),
  );
  const told = `err error: cannot read ${folder}/a.gspec: it is a link to nowhere.gspec, and nothing is there\n`;
  assert.equal(await run(parseOptions([], [folder], "fmt", {}), io), 75);
  assert.deepEqual(said.splice(0), [told, `${good}\n`, "1 formatted, 0 unchanged\n"]);
  assert.match(readFileSync(good, "utf8"), /^suite "good"/);
  assert.equal(await check(parseOptions([], [folder], "check", {}), io), 75);
  assert.deepEqual(said.splice(0), [told, "1 file checked, 1 test\n"]);
  const output = [{ name: "output", help: "", value: "DIR" }] as const;
  assert.equal(await build(parseOptions(output, [folder, "--output", join(folder, "out")], "build", {}), io), 75);
  assert.deepEqual(said.splice(0), [told, `${folder}/out/b.bytecode.gbc\n`]);
  writeFileSync(good, 'suite "bad"\ntest "t" { foo() }\n');
  assert.equal(await check(parseOptions([], [folder], "check", {}), io), 3);
  assert.equal(said[0], told);
  assert.match(said[1] ?? "", /there is no `foo` here/);
});

// `npm run new:target` on a copy of the tree: what it writes type-checks, is in every list, and compiling for it says in the
// user's terms what is missing. So the skeleton follows the interfaces that it fills, and the lists that name the targets.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeBinary, root } from "./project.mjs";

const NAME = "demo16";
const FOLDERS = ["grammar", "isa", "machines", "compiler", "runtime", "bin", "bench", "lib", "tests/fixtures", "tests/types", "tools", "schemas", "generated"];
const CONFORMANCE = "compiler/targets/targets.test.ts";

const copy = mkdtempSync(join(tmpdir(), "guestspec-target-"));
after(() => rmSync(copy, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly text: string;
}

function run(args: readonly string[], cwd = copy): Ended {
  const { status, stdout, stderr } = spawnSync(nodeBinary(), args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", NODE_TEST_CONTEXT: undefined },
  });
  return { status, text: `${stdout}${stderr}` };
}

const newTarget = (...args: readonly string[]): Ended => run([join(root, "tools/new-target.mjs"), ...args]);

test("the tree with a new target", async (t) => {
  // Unit tests beside sources are about the targets that there are.
  const isWanted = (path: string): boolean => !/\.test\.tsx?$/.test(path) || path.endsWith(CONFORMANCE);
  for (const folder of FOLDERS) {
    if (existsSync(join(root, folder))) cpSync(join(root, folder), join(copy, folder), { recursive: true, filter: isWanted });
  }
  for (const file of ["tsconfig.json", "package.json"]) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));

  const made = newTarget(NAME, "--root", copy);
  assert.equal(made.status, 0, made.text);
  assert.match(made.text, /^new {6}compiler\/targets\/demo16\/target\.ts$/m);
  assert.match(made.text, /^changed {2}compiler\/targets\/index\.ts$/m);

  await t.test("type-checks", () => {
    const checked = run([join(root, "node_modules/typescript/bin/tsc"), "-p", "."]);
    assert.equal(checked.status, 0, checked.text);
  });

  const guestspec = (...args: readonly string[]): Ended =>
    run(["--disable-warning=ExperimentalWarning", "--import=./tools/tsx-hook.mjs", "bin/main.ts", ...args]);

  await t.test("is among the targets", () => {
    const { text } = guestspec("targets");
    assert.match(text, /demo16-virt/);
  });

  await t.test("a spec compiled for it says what is missing", () => {
    writeFileSync(join(copy, "adds.gspec"), 'suite "adds"\n\ntest "one and one" {\n  time.sleep(1us)\n  expect 1 + 1 == 2\n}\n');
    const built = guestspec("build", "adds.gspec", "--target", NAME, "-o", "out");
    assert.equal(built.status, 3, built.text);
    assert.match(built.text, /^error\[E0801\]: not lowered: `prologue` for demo16$/m);
    assert.match(built.text, /\d+ operations are not lowered: prologue, epilogue, move, .*atomic_cas/);
    assert.doesNotMatch(built.text, /^ {4}at /m);
  });

  await t.test("the conformance test of the targets lists what is missing", () => {
    const tested = run(["--disable-warning=ExperimentalWarning", "--import=./tools/tsx-hook.mjs", "--test", "--test-reporter=tap", CONFORMANCE]);
    assert.notEqual(tested.status, 0, "an empty target must not pass");
    assert.match(tested.text, /^not ok \d+ - demo16: nothing is left to write$/m);
    assert.match(tested.text, /'prologue'[^]*'atomic_cas'/);
    // What is not to be written is right from the start.
    for (const name of ["registers have one task each", "registers are found by their names", "constants have one form in a register"]) {
      assert.match(tested.text, new RegExp(`^ok \\d+ - demo16: ${name}$`, "m"));
    }
    assert.match(tested.text, /^ok \d+ - riscv64: nothing is left to write$/m);
  });

  await t.test("nothing is written twice", () => {
    const again = newTarget(NAME, "--root", copy);
    assert.equal(again.status, 2);
    assert.match(again.text, /is there already$/m);
  });
});

test("a name that cannot be one", () => {
  for (const args of [[], ["Big"], ["two", "names"], ["--help"]]) {
    const { status, text } = newTarget(...args);
    assert.equal(status, 2);
    assert.match(text, /^(usage: npm run new:target NAME|a target's name has)/);
  }
});

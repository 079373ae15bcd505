// The tools that build and test this package, run as a user or CI runs them: the launcher behind links, the reporter's
// closing line, paths kept right in the bundle, validators out of schemas. A process each, since they start processes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { PACKAGED } from "../compiler/images/cache.ts";
import { isNodeCurrent, root } from "../tools/project.mjs";

function makeFolder(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-tooling-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd: string): Outcome {
  const env = { ...process.env };
  // Set by the test runner that runs this file; a runner below it would report to that one.
  delete env.NODE_TEST_CONTEXT;
  delete env.GUESTSPEC_TEST_COUNTS;
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  assert.equal(error, undefined);
  return { status, stdout, stderr };
}

/** A package with this one's tools and installed packages, and the sources given. */
function makePackage(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = makeFolder(context, {
    "package.json": JSON.stringify({ name: "sample", version: "7.8.9", type: "module", devDependencies: {} }),
    ...files,
  });
  for (const path of ["project", "build", "core-script", "build-validators", "test", "test-seconds", "closing-line-reporter", "tsx-hook", "fuzz-seed"])
    cpSync(join(root, "tools", `${path}.mjs`), join(folder, "tools", `${path}.mjs`));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

test("the launcher finds the package through a chain of links and passes its arguments and exit code on", (context) => {
  const folder = makePackage(context, {
    "bin/main.ts": "console.log(JSON.stringify(process.argv.slice(2)));\nprocess.exitCode = 4;\n",
    "elsewhere/keep": "",
  });
  cpSync(join(root, "bin", "guestspec"), join(folder, "bin", "guestspec"));
  assert.equal(run(process.execPath, ["tools/build.mjs"], folder).status, 0);
  symlinkSync("../bin/guestspec", join(folder, "elsewhere", "relative"));
  symlinkSync(join(folder, "elsewhere", "relative"), join(folder, "absolute"));
  for (const link of ["bin/guestspec", "elsewhere/relative", "absolute"]) {
    const { status, stdout } = run(join(folder, link), ["a b", "--c", ""], tmpdir());
    assert.deepEqual(JSON.parse(stdout), ["a b", "--c", ""]);
    assert.equal(status, 4);
  }
});

test("set-up leaves installed packages alone that belong to somebody else", (context) => {
  const folder = makeFolder(context, { "package.json": "{}", "package-lock.json": "{}", "shared/kept/index.js": "" });
  for (const name of ["setup", "project"]) cpSync(join(root, "tools", `${name}.mjs`), join(folder, "tools", `${name}.mjs`));
  symlinkSync("shared", join(folder, "node_modules"));
  const { status, stderr } = run(process.execPath, ["tools/setup.mjs"], folder);
  assert.match(stderr, /node_modules is a link: run `npm ci` where it leads to/);
  assert.equal(status, 1);
  assert.ok(existsSync(join(folder, "shared", "kept", "index.js")));
});

test("the closing line adds up both runs, counts innermost failures, and the exit code follows", (context) => {
  const head = 'import { suite, test } from "node:test";\nimport assert from "node:assert/strict";\n';
  const folder = makePackage(context, {
    "tests/good.test.ts": `${head}test("one", () => {});\ntest.skip("later", () => {});\nsuite("s", () => { test("two", () => {}); });`,
    "tests/bad.test.ts": `${head}test("outer", async (t) => { await t.test("inner", () => assert.equal(1 as number, 2)); });`,
    "tests/view.isolated.test.tsx": `${head}import { createElement } from "react";\ntest("jsx", () => assert.equal((<p>x</p>).type, createElement("p").type));`,
    "tests/long.slow.test.ts": `${head}test("slow", () => {});`,
    "tests/broken/import.test.ts": 'import "./missing.ts";',
  });
  const all = run(process.execPath, ["tools/test.mjs"], folder);
  assert.equal(all.stdout.trimEnd().split("\n").at(-1), "4 passed, 2 failed, 1 skipped");
  assert.match(all.stdout, /FAILED outer > inner\n {4}tests\/bad\.test\.ts:3\n {4}AssertionError/);
  assert.match(all.stdout, /Cannot find module .*missing\.ts/);
  assert.equal(all.status, 1);

  const fast = run(process.execPath, ["tools/test.mjs", "--fast", "tests/good", "tests/long", "tests/view"], folder);
  assert.equal(fast.stdout.trimEnd().split("\n").at(-1), "2 passed, 0 failed, 1 skipped");
  assert.equal(fast.status, 0);

  const nothing = run(process.execPath, ["tools/test.mjs", "tests/goood"], folder);
  assert.match(nothing.stderr, /no test file matches "tests\/goood"/);
  assert.equal(nothing.status, 2);
});

test("a test process that dies is a failure with its last words, even if no test of it failed", (context) => {
  const folder = makePackage(context, {
    "tests/dies.test.ts": 'import { test } from "node:test";\ntest("dies", () => { console.error("the very last"); process.exit(3); });',
  });
  const { status, stdout, stderr } = run(process.execPath, ["tools/test.mjs"], folder);
  assert.match(
    stdout,
    /\n1 failure:\nFAILED the test process ended with code 3 of its own accord\n {4}tests\/dies\.test\.ts\n {4}the very last\n\n0 passed, 1 failed\n$/,
  );
  assert.equal(stderr, "the very last\n");
  assert.equal(status, 1);
});

test("a process that a test has given up keeps the others' results from nobody", (context) => {
  const folder = makePackage(context, {
    "tests/hangs.isolated.test.ts": [
      'import { spawn } from "node:child_process";',
      'import { once } from "node:events";',
      'import { test } from "node:test";',
      'test("hangs", { timeout: 200 }, async () => {',
      '  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);',
      '  process.on("exit", () => child.kill());',
      '  await once(child, "close");',
      "});",
      'test("another", () => {});',
    ].join("\n"),
  });
  const { status, stdout } = run(process.execPath, ["tools/test.mjs"], folder);
  assert.match(stdout, /\n1 failure:\nFAILED hangs\n {4}tests\/hangs\.isolated\.test\.ts:4\n {4}test timed out after 200ms\n\n1 passed, 1 failed\n$/);
  assert.equal(status, 1);
});

test("the last 100 lines of a log say of each failure what it was, however long it is and however many there are", (context) => {
  const head = 'import assert from "node:assert/strict";\nimport { test } from "node:test";\n';
  const folder = makePackage(context, {
    "tests/few.test.ts": `${head}for (const n of [1, 2, 3, 4]) test("few " + n, () => assert.fail("the first line\\n" + "x\\n".repeat(400) + "the last line of " + n));`,
    "tests/many.test.ts": `${head}for (let n = 0; n < 60; n++) test("many " + n, () => assert.equal(n, -1));`,
    "tests/wide.test.ts": `${head}test("wide", () => assert.fail("wide".repeat(5000)));`,
    "tests/good.isolated.test.ts": `import { test } from "node:test";\nfor (let n = 0; n < 150; n++) test("noise", () => console.log("noise"));`,
  });
  const endOf = (...paths: readonly string[]): string =>
    run(process.execPath, ["tools/test.mjs", ...paths], folder)
      .stdout.split("\n")
      .slice(-100)
      .join("\n");
  const few = endOf("tests/few", "tests/good");
  assert.match(few, /\n4 failures:\nFAILED few 1\n {4}tests\/few\.test\.ts:3\n {4}AssertionError \[ERR_ASSERTION\]: the first line\n {4}x\n/);
  for (const n of [1, 2, 3, 4]) assert.match(few, new RegExp(`FAILED few ${n}\n(?: {4}[^\n]*\n){1,16} {4}the last line of ${n}\n`));
  assert.match(few, /\n150 passed, 4 failed\n$/);
  const many = endOf("tests/many");
  assert.match(many, /\n60 failures:\nFAILED many 0\n {4}tests\/many\.test\.ts:3\n {4}0 !== -1\nFAILED many 1\n/);
  assert.match(many, /\.\.\. and 32 more, above\n/);
  assert.match(endOf("tests/wide"), /\n1 failure:\nFAILED wide\n[^]* {4}AssertionError[^\n]{200,300}\.\.\. and \d+ more characters\n/);
});

test("the bundle finds package files and workers by the URLs that the sources use", (context) => {
  const folder = makePackage(context, {
    "bin/main.ts": 'import { ask } from "../runtime/runner/ask.ts";\nconsole.log(await ask());\n',
    "lib/a.gspec": "from the library",
    "runtime/runner/ask.ts": [
      'import { readFileSync } from "node:fs";',
      'import { Worker } from "node:worker_threads";',
      "export function ask(): Promise<string> {",
      '  const library = new URL("../../lib/", import.meta.url);',
      '  const worker = new Worker(new URL("./shout.worker.ts", import.meta.url), {',
      '    workerData: readFileSync(new URL("a.gspec", library), "utf8"),',
      "  });",
      '  return new Promise((resolve) => worker.once("message", resolve));',
      "}",
    ].join("\n"),
    "runtime/runner/shout.worker.ts": [
      'import { parentPort, workerData } from "node:worker_threads";',
      "parentPort?.postMessage((workerData as string).toUpperCase());",
    ].join("\n"),
  });
  assert.deepEqual(run(process.execPath, ["bin/main.ts"], folder), {
    status: 0,
    stdout: "FROM THE LIBRARY\n",
    stderr: "",
  });
  assert.equal(run(process.execPath, ["tools/build.mjs"], folder).status, 0);
  assert.equal(run(process.execPath, [join(folder, "dist", "guestspec.mjs")], tmpdir()).stdout, "FROM THE LIBRARY\n");
});

test("the bundle is built anew when a source changed, and only then", (context) => {
  const folder = makePackage(context, { "bin/main.ts": 'console.log("old");' });
  const build = (): Outcome => run(process.execPath, ["tools/build.mjs", "--if-stale"], folder);
  const stamp = (): number => statSync(join(folder, "dist", "guestspec.mjs")).mtimeMs;
  build();
  const first = stamp();
  build();
  assert.equal(stamp(), first);
  writeFileSync(join(folder, "bin", "main.ts"), 'console.log("new");');
  const later = new Date(first + 2000);
  utimesSync(join(folder, "bin", "main.ts"), later, later);
  build();
  assert.equal(run(process.execPath, ["dist/guestspec.mjs"], folder).stdout, "new\n");
  writeFileSync(join(folder, "bin", "main.ts"), "console.log(;");
  const { status, stderr } = run(process.execPath, ["tools/build.mjs"], folder);
  assert.match(stderr, /bin\/main\.ts:1:12/);
  assert.equal(status, 1);
});

test(
  "what the build has kept of the library serves a first run, also where the package was copied to, until the library changes",
  { timeout: 120_000 },
  (context) => {
    const folder = makeFolder(context, { "work/one.gspec": 'suite "one"\n\ntest "adds" { expect 1 as u32 + 1 == 2 }\n' });
    for (const path of ["dist", "lib", "machines", "package.json"]) cpSync(join(root, path), join(folder, path), { recursive: true });
    /** How many entries of the package's own files a run with an empty cache had to make. */
    function countMade(cache: string): number {
      const { status, stderr } = run(
        "env",
        [`XDG_CACHE_HOME=${join(folder, cache)}`, process.execPath, "../dist/guestspec.mjs", "list", "--target", "x86_64"],
        join(folder, "work"),
      );
      assert.equal(status, 0, stderr);
      return readdirSync(join(folder, cache, "guestspec")).filter((name) => name.startsWith(PACKAGED)).length;
    }
    // The entry code names the file that it was assembled from.
    assert.equal(countMade("first"), 1);
    appendFileSync(join(folder, "lib", "report.gspec"), "\n// Changed.\n");
    assert.equal(countMade("changed"), 2);
    assert.equal(countMade("changed"), 2);
  },
);

test("a schema becomes a validator that reports every error with its path and keeps 64-bit integers exact", (context) => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: { name: { type: "string", minLength: 2 }, value: { u64: true } },
    required: ["name"],
    unevaluatedProperties: false,
  };
  const folder = makePackage(context, {
    "schemas/sample.schema.json": JSON.stringify(schema),
    "probe.mjs": [
      'import { validate } from "./generated/validators/sample.mjs";',
      'const show = (value) => [validate(value), (validate.errors ?? []).map((e) => e.instancePath + " " + e.keyword)];',
      "console.log(JSON.stringify([",
      '  show({ name: "ab", value: 18446744073709551615n }),',
      '  show({ name: "ab", value: 18446744073709551616n }),',
      '  show({ name: "ab", value: -1 }),',
      '  show({ name: "a", extra: 1 }),',
      "]));",
    ].join("\n"),
  });
  assert.deepEqual(run(process.execPath, ["tools/build-validators.mjs"], folder).stderr, "");
  // Where no package is installed, for the validators load none.
  const bare = makeFolder(context, {});
  for (const path of ["generated", "probe.mjs"]) cpSync(join(folder, path), join(bare, path), { recursive: true });
  assert.deepEqual(JSON.parse(run(process.execPath, ["probe.mjs"], bare).stdout), [
    [true, []],
    [false, ["/value u64"]],
    [false, ["/value u64"]],
    [false, ["/name minLength", " unevaluatedProperties"]],
  ]);
  assert.ok(existsSync(join(folder, "generated/validators/sample.d.mts")));
});

test("Node versions are compared by number", () => {
  assert.deepEqual(
    ["20.20.2", "22.9.0", "22.18.0", "24.1.0", "100.0.0"].map((version) => isNodeCurrent(version)),
    [false, false, true, true, true],
  );
});

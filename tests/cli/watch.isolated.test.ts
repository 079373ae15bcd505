// Watch mode as somebody at a terminal has it: files are changed, keys are pressed, and what runs is looked at. util-linux `script` gives the
// process a terminal; without it only changes are tested.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { root } from "../../tools/project.mjs";
import { until } from "../fixtures/processes.ts";
import { nodeCommand, onTerminal, skipWithoutTerminal } from "../fixtures/terminal.ts";
import { runTool, startTool, toolCommand } from "./transcripts.ts";

function makeProject(context: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-watch-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, "tests", "cli", "project", "good.gspec"), join(folder, "good.gspec"));
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a * 2 }\n");
  writeFileSync(join(folder, "user.gspec"), 'use "./shared.gspec" as shared\n\nsuite "user"\n\ntest "doubles" { expect shared.twice(2) == 4 }\n');
  return folder;
}

interface Watched {
  /** What came since the last call matches, sooner or later. */
  until(pattern: RegExp): Promise<string>;
  readonly ended: Promise<number | null>;
}

function follow(child: ReturnType<typeof startTool> | ReturnType<typeof spawn>, context: TestContext): Watched {
  context.after(() => child.kill("SIGKILL"));
  let text = "";
  const take = (chunk: Buffer): void => {
    // Colours and movements of the cursor are not what this looks at.
    // eslint-disable-next-line no-control-regex -- escape sequences are made of them
    text += chunk.toString("utf8").replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  };
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  return {
    async until(pattern) {
      await until(
        () => `${pattern} did not come; there is:\n${text}`,
        () => pattern.test(text),
      );
      const match = pattern.exec(text);
      const seen = text.slice(0, (match?.index ?? 0) + (match?.[0].length ?? 0));
      text = text.slice(seen.length);
      return seen;
    },
    ended: new Promise((done) => child.on("close", (code) => done(code))),
  };
}

test("a change runs what it touches, and nothing else", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const child = startTool(["run", "--watch", "-v"], { cwd: folder });
  const watched = follow(child, context);
  assert.match(await watched.until(/watching \d folders?\n/), /6 tests in 2 suites/);
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a * 3 }\n");
  const failed = await watched.until(/watching \d folders?\n/);
  assert.match(failed, /^shared\.gspec changed$/m);
  assert.match(failed, /1 test in 1 suite/);
  assert.match(failed, /FAIL .*user::doubles/);
  // The same text again is no change, and what is no source neither.
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a * 3 }\n");
  writeFileSync(join(folder, "notes.txt"), "x\n");
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a *\n");
  assert.match(await watched.until(/watching \d folders?\n/), /^shared\.gspec changed\n[\s\S]*error\[/m);
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a + a }\n");
  assert.match(await watched.until(/watching \d folders?\n/), /PASS .*user::doubles/);
  writeFileSync(join(folder, "new.gspec"), 'suite "new"\n\ntest "is new" { expect true }\n');
  assert.match(await watched.until(/watching \d folders?\n/), /1 test in 1 suite[\s\S]*PASS .*new::is new/);
  child.kill("SIGINT");
  assert.equal(await watched.ended, 0);
});

test("a file that the command line names may go away and come back", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const text = readFileSync(join(folder, "good.gspec"));
  const child = startTool(["run", "good.gspec", "--watch"], { cwd: folder });
  const watched = follow(child, context);
  assert.match(await watched.until(/watching \d folders?\n/), /5 tests in 1 suite/);
  rmSync(join(folder, "good.gspec"));
  assert.match(await watched.until(/watching \d folders?\n/), /good\.gspec changed\n[\s\S]*there is no file or folder `good\.gspec`/);
  writeFileSync(join(folder, "good.gspec"), text);
  assert.match(await watched.until(/watching \d folders?\n/), /good\.gspec changed\n[\s\S]*5 tests in 1 suite/);
  child.kill("SIGINT");
  assert.equal(await watched.ended, 0);
});

test("a link that leads nowhere may go away", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  symlinkSync(join(folder, "nowhere"), join(folder, "broken.gspec"));
  const child = startTool(["run", "--watch"], { cwd: folder });
  const watched = follow(child, context);
  assert.match(await watched.until(/watching \d folders?\n/), /broken\.gspec/);
  rmSync(join(folder, "broken.gspec"));
  assert.match(await watched.until(/watching \d folders?\n/), /^broken\.gspec changed$/m);
  child.kill("SIGINT");
  await watched.ended;
});

test("machine code is made of what is in the files now", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const child = startTool(["run", "--watch", "-v", "--target", "riscv64"], { cwd: folder });
  const watched = follow(child, context);
  assert.match(await watched.until(/watching \d folders?\n/), /PASS .*user::doubles/);
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a * 3 }\n");
  assert.match(await watched.until(/watching \d folders?\n/), /1 test in 1 suite[\s\S]*FAIL .*user::doubles/);
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a + a }\n");
  assert.match(await watched.until(/watching \d folders?\n/), /PASS .*user::doubles/);
  child.kill("SIGINT");
  assert.equal(await watched.ended, 0);
});

test("on a terminal keys run all, run what failed, and quit", { skip: skipWithoutTerminal, timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  writeFileSync(join(folder, "bad.gspec"), 'suite "bad"\n\ntest "is wrong" { expect 1 == 2 }\n');
  const { words, env } = toolCommand(["run", "--watch"], { cwd: folder, cache: "own", env: { TERM: "xterm-256color", NODE_ENV: "production" } });
  const child = spawn("script", onTerminal(`stty cols 120 rows 30; ${nodeCommand(words)}`), { cwd: folder, env });
  const watched = follow(child, context);
  assert.match(await watched.until(/watching \d folders: enter runs all, f the 1 failed test, q quits/), /7 tests in 3 suites/);
  child.stdin.write("f");
  assert.match(await watched.until(/f the 1 failed test, q quits/), /1 test in 1 suite/);
  child.stdin.write("\r");
  assert.match(await watched.until(/f the 1 failed test, q quits/), /7 tests in 3 suites/);
  writeFileSync(join(folder, "bad.gspec"), 'suite "bad"\n\ntest "is right" { expect 2 == 2 }\n');
  await watched.until(/bad\.gspec changed/);
  await watched.until(/watching \d folders: enter runs all, q quits/);
  child.stdin.write("q");
  assert.equal(await watched.ended, 0);
});

test("in CI nobody watches", { timeout: 180_000 }, async (context) => {
  const { code, stderr } = await runTool(["run", "--watch"], { cwd: makeProject(context), env: { CI: "1" } });
  assert.equal(code, 2);
  assert.match(stderr, /`--watch` waits for somebody to change files/);
});

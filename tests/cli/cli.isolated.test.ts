// The whole tool from outside: what it prints and its exit codes (transcripts), interruption, reports in files, and that the same
// seed gives the same bytes. A process for each command, as users start it.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { root } from "../../tools/project.mjs";
import { compareGolden } from "../goldens.ts";
import { replay, runTool, splitCommand, startTool } from "./transcripts.ts";

const here = join(root, "tests", "cli");

function makeProject(context: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-cli-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(here, "project"), folder, { recursive: true });
  return folder;
}

describe("transcripts", { concurrency: 2 }, () => {
  for (const name of readdirSync(join(here, "transcripts"))
    .filter((file) => file.endsWith(".transcript"))
    .sort()) {
    test(name, async (context) => {
      const path = `tests/cli/transcripts/${name}`;
      compareGolden(path, await replay(readFileSync(join(root, path), "utf8"), makeProject(context)));
    });
  }
});

test("command lines of transcripts are split like a shell's", () => {
  assert.deepEqual(splitCommand(`A=1 guestspec run 'a b'"c" -E "x('y')"`), { env: { A: "1" }, args: ["run", "a bc", "-E", "x('y')"] });
});

/** Recorded events without what may differ between two runs. */
function canonical(text: string): string {
  return text.replace(/"(wall\w*|\w+At)":("[^"]*"|\[[^\]]*\]|[\d.e+-]+)/g, '"$1":0');
}

test("ten runs with one seed write the same events, whatever runs them; another seed does not", { timeout: 240_000 }, async (context) => {
  const folder = makeProject(context);
  const record = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr, code } = await runTool(["run", "good.gspec", "verdicts.gspec", "table.gspec.yaml", "cpus.gspec", "-r", "ndjson", ...args], {
      cwd: folder,
    });
    assert.equal(code, 1, stderr);
    return canonical(stdout);
  };
  const first = await record();
  for (let index = 0; index < 6; index++) assert.equal(await record(), first);
  assert.equal(await record("--jobs", "1"), first);
  assert.equal(await record("--executor", "interpreter"), first);
  assert.equal(await record("--executor", "wasm"), first);
  const other = await record("--seed", "1");
  assert.notEqual(other, first);
  const verdicts = (events: string): string[] => [...events.matchAll(/"verdict":"\w+"/g)].map(([text]) => text);
  assert.deepEqual(verdicts(other), verdicts(first));
});

test("^C finishes the running test, writes the reports and exits with 130", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const loops = Array.from({ length: 400 }, (_, index) => `test "loop ${index}" { while true { } expect true }`);
  writeFileSync(join(folder, "long.gspec"), `suite "long"\n\n${loops.join("\n\n")}\n`);
  const child = startTool(["run", "long.gspec", "--reporter", "human", "--reporter", "ndjson=out/events.json", "--jobs", "1"], { cwd: folder });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (stdout === "") child.kill("SIGINT");
    stdout += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 130);
  assert.match(stdout, /interrupted/i);
  const events = readFileSync(join(folder, "out", "events.json"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const last = events.at(-1);
  assert.equal(last?.["type"], "run-finished");
  assert.equal(last["interrupted"], true);
  assert.equal(last["exitCode"], 130);
  const finished = events.filter(({ type }) => type === "test-finished").length;
  assert.equal(finished + Number(last["notRun"]), 400);
});

test("reports go to the files they are asked for, folders made", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const { code, stdout } = await runTool(
    ["run", "good.gspec", "-r", "ktap", "-r", "junit=out/junit.xml", "-r", "ctrf=out/ctrf.json", "-r", "ndjson=out/deep/er/events.json"],
    { cwd: folder },
  );
  assert.equal(code, 0);
  assert.match(stdout, /^KTAP version 1\n/);
  assert.match(readFileSync(join(folder, "out/junit.xml"), "utf8"), /^<\?xml/);
  assert.equal((JSON.parse(readFileSync(join(folder, "out/ctrf.json"), "utf8")) as { reportFormat: string }).reportFormat, "CTRF");
  assert.match(readFileSync(join(folder, "out/deep/er/events.json"), "utf8"), /^\{"type":"run-started"/);
  // Who asks for files only sees the run all the same, unless the report for people goes to one too.
  const beside = await runTool(["run", "good.gspec", "-r", "junit=out/beside.xml"], { cwd: folder });
  assert.match(beside.stdout, /^guestspec .*tests in [^]*\d passed, 0 failed/);
  assert.match(readFileSync(join(folder, "out/beside.xml"), "utf8"), /^<\?xml/);
  assert.equal((await runTool(["run", "good.gspec", "-r", "junit=out/quiet.xml", "-r", "human=/dev/null"], { cwd: folder })).stdout, "");
  mkdirSync(join(folder, "taken"));
  const failed = await runTool(["run", "good.gspec", "-r", "junit=taken"], { cwd: folder });
  assert.equal(failed.code, 75);
  assert.match(failed.stderr, /^error: cannot write taken: /);
});

test("a file that is named and not there is a slip in its name, whatever reads it; one that cannot be read is not", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  mkdirSync(join(folder, "folder"));
  const rows: readonly (readonly string[])[] = [
    ["parse", "nofile"],
    ["merge", "nofile"],
    ["replay", "nofile"],
    ["exec", "nofile"],
    ["exec", "good.gspec", "--disk", "nofile"],
    ["show", "image", "nofile"],
    ["run", "nofile.gspec"],
    ["run", "good.gspec", "--with-ktap", "nofile"],
    ["run", "good.gspec", "--quarantine", "nofile"],
  ];
  for (const words of rows) {
    const { code, stdout, stderr } = await runTool(words, { cwd: folder });
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    assert.match(stderr, /^error: .*nofile/);
  }
  const { code, stdout, stderr } = await runTool(["parse", "folder"], { cwd: folder });
  assert.deepEqual([code, stdout], [75, ""]);
  assert.match(stderr, /^error: cannot read folder: /);
});

test("a tool whose output is not read to the end leaves quietly", { timeout: 180_000 }, async (context) => {
  const folder = makeProject(context);
  const child = startTool(["list", "good.gspec", "--json"], { cwd: folder });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  assert.equal(await new Promise((resolve) => child.on("close", resolve)), 0);
  assert.equal(stderr, "");
});

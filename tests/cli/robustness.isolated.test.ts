// What goes wrong around a run, on the whole tool: full disks, readers that leave, killed processes. docs/events.md promises what is left
// then; each promise has its test here. That a reporter throws is tested beside bin/reporters.ts.
import assert from "node:assert/strict";
import { once } from "node:events";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { RunEvent, RunFinished, TestFinished } from "../../runtime/events.ts";
import { runTool, startTool, toolCommand } from "./transcripts.ts";
import { nameOfProcess, processesWith, textIn, until, untilBusy, untilSignalled } from "../fixtures/processes.ts";
import { nodeCommand, onTerminal, skipWithoutTerminal } from "../fixtures/terminal.ts";
import { skipWithoutQemu } from "../fixtures/riscv64-qemu.ts";

const MIXED = `suite "mixed"

test "before" { expect 1 + 1 == 2 }

test "traps" { poke.u32(0xdead_0000, 1) expect true }

test "fails" { expect 1 + 1 == 3 }

test "after" { expect true }
`;
const ESCAPE = "\x1b";
const timed = { timeout: 120_000 };

function makeFolder(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-robust-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function readEvents(path: string): readonly RunEvent[] {
  const text = readFileSync(path, "utf8");
  assert.ok(text.endsWith("\n"), "every line is complete");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunEvent);
}

function endOf(events: readonly RunEvent[]): RunFinished {
  const last = events.at(-1);
  assert.ok(last?.type === "run-finished", `the last event is ${last?.type}`);
  return last;
}

function resultsOf(events: readonly RunEvent[]): ReadonlyMap<string, TestFinished> {
  return new Map(events.flatMap((event) => (event.type === "test-finished" ? [[event.test, event] as const] : [])));
}

/** Verdicts by test, out of the records of the HTML report. */
function readPage(path: string): ReadonlyMap<string, string> {
  const [, records = ""] = /id="records">\n([^]*?)(?:<\/script>|$)/.exec(readFileSync(path, "utf8")) ?? [];
  return new Map(
    records
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly type: string; readonly test: string; readonly verdict: string })
      .flatMap(({ type, test: name, verdict }) => (type === "test" ? [[name, verdict] as const] : [])),
  );
}

const hasFull = existsSync("/dev/full");

test(
  "a report on a full disk costs that report and the status, nothing else",
  { ...timed, skip: hasFull ? false : "there is no /dev/full" },
  async (context) => {
    const folder = makeFolder(context, { "mixed.gspec": MIXED });
    const { code, stdout, stderr } = await runTool(
      ["run", "-r", "human", "-r", "ndjson=/dev/full", "-r", "junit=/dev/full", "-r", "ktap=out.ktap", "-r", "ndjson=out.ndjson"],
      { cwd: folder },
    );
    const complaint = "error: cannot write /dev/full: no space left on device; this report is not complete, all else goes on\n";
    assert.equal(stderr, complaint.repeat(2));
    assert.equal(code, 75);
    assert.match(stdout, /Summary {2}4 tests .*\n.*2 passed, 2 failed/);
    assert.match(readFileSync(join(folder, "out.ktap"), "utf8"), /# Totals: pass:2 fail:2 skip:0 total:4\n$/);
    // What the tests say stands in the events; the status of the process says that a report is missing, too.
    assert.equal(endOf(readEvents(join(folder, "out.ndjson"))).exitCode, 1);
  },
);

test("standard output on a full disk is told, and the other reports are written", { ...timed, skip: hasFull ? false : "there is no /dev/full" }, (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const full = openSync("/dev/full", "w");
  context.after(() => closeSync(full));
  const { words, cwd, env } = toolCommand(["run", "-r", "human", "-r", "ndjson=out.ndjson"], { cwd: folder });
  const { stderr, status } = spawnSync(process.execPath, words, { cwd, env, stdio: ["ignore", full, "pipe"], encoding: "utf8" });
  assert.equal(stderr, "error: cannot write standard output: no space left on device; this report is not complete, all else goes on\n");
  assert.equal(status, 75);
  assert.equal(resultsOf(readEvents(join(folder, "out.ndjson"))).size, 4);
});

test("the step summary of GitHub on a full disk is told as a report is", { ...timed, skip: hasFull ? false : "there is no /dev/full" }, async (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const { code, stdout, stderr } = await runTool(["run"], { cwd: folder, env: { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: "/dev/full" } });
  assert.match(stderr, /^error: cannot write \/dev\/full: no space left on device;/);
  assert.equal(code, 75);
  // In GitHub's runner lines for people and annotations go together.
  assert.match(stdout, /^::error file=mixed\.gspec,line=7,.*title=fail%3A mixed\.gspec%3A%3Amixed%3A%3Afails@/m);
  assert.match(stdout, /^Summary {2}4 tests/m);
});

test("a reader that leaves changes neither the run nor its status", timed, async (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const tool = startTool(["run", "-r", "human", "-r", "ndjson=out.ndjson"], { cwd: folder });
  tool.stdout.destroy();
  let stderr = "";
  tool.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const [code] = (await once(tool, "close")) as [number | null];
  assert.deepEqual([code, stderr], [1, ""]);
  assert.equal(endOf(readEvents(join(folder, "out.ndjson"))).counts.pass, 2);
});

test("a second ^C leaves complete reports that say what has not run", timed, async (context) => {
  // One test that nothing ends within this test's time, and one that is over before.
  const endless = `@timeout(100s)\ntest "endless" { while true { } expect true }`;
  const folder = makeFolder(context, { "endless.gspec": `suite "endless"\n\ntest "quick" { expect true }\n\n${endless}\n\ntest "never" { expect true }\n` });
  const reports = ["human", "ndjson=out.ndjson", "junit=out.xml", "ctrf=out.json"].flatMap((report) => ["-r", report]);
  const tool = startTool(["run", "-v", ...reports, "--executor", "interpreter"], { cwd: folder });
  let stdout = "";
  tool.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  const closed = once(tool, "close");
  await until("the quick test has its result", () => /PASS .*endless::quick@/.test(stdout));
  await untilBusy("a worker is at the test that does not end", tool.pid ?? 0, 150);
  tool.kill("SIGINT");
  await untilSignalled(tool.pid ?? 0);
  tool.kill("SIGINT");
  const [code] = (await closed) as [number | null];
  assert.equal(code, 130);
  assert.match(stdout, /interrupted: 2 tests not run/);
  const { notRun, interrupted, exitCode } = endOf(readEvents(join(folder, "out.ndjson")));
  assert.deepEqual({ notRun, interrupted, exitCode }, { notRun: 2, interrupted: true, exitCode: 130 });
  assert.match(readFileSync(join(folder, "out.xml"), "utf8"), /<error type="interrupted" message="interrupted: 2 tests not run"\/>[^]*<\/testsuites>\n$/);
  const ctrf = JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as { results: { summary: { extra: { interrupted: boolean } } } };
  assert.equal(ctrf.results.summary.extra.interrupted, true);
});

test("a killed runner leaves what it had: the events line by line, documents as of a run that broke off", timed, async (context) => {
  const loops = Array.from({ length: 400 }, (_, index) => `@timeout(2s)\ntest "loop ${index}" { while true { } expect true }`);
  const folder = makeFolder(context, { "long.gspec": `suite "long"\n\n${loops.join("\n\n")}\n` });
  const events = join(folder, "out.ndjson");
  const reports = ["ndjson=out.ndjson", "html=out.html", "trace=out.trace", "junit=out.xml", "ctrf=out.json"].flatMap((report) => ["-r", report]);
  const tool = startTool(["run", ...reports, "--jobs", "1"], { cwd: folder });
  const exited = once(tool, "exit");
  const has = (report: string, pattern: RegExp): boolean => pattern.test(textIn(join(folder, report)));
  await until("two results are written", () => has("out.ndjson", /(?:"test-finished"[^]*){2}\n/));
  await until("the page has two", () => has("out.html", /(?:\n\{"type":"test"[^\n]*){2}\n/));
  await until("the trace has two", () => has("out.trace", /(?:"ph":"X"[^]*){2}/));
  await until("drafts have one", () => has("out.json", /"failed": [1-9]/) && has("out.xml", /<testcase name="loop 0"/));
  tool.kill("SIGKILL");
  await exited;
  const written = readEvents(events);
  assert.equal(written[0]?.type, "run-started");
  assert.ok(resultsOf(written).size >= 2);
  assert.notEqual(written.at(-1)?.type, "run-finished");
  assert.ok(readPage(join(folder, "out.html")).size >= 2);
  // Its last bracket is missing, which viewers do not mind.
  const slices = JSON.parse(`${readFileSync(join(folder, "out.trace"), "utf8")}]`) as readonly { readonly ph: string }[];
  assert.ok(slices.filter(({ ph }) => ph === "X").length >= 2);
  assert.match(
    readFileSync(join(folder, "out.xml"), "utf8"),
    /^<\?xml [^]*<testcase name="loop 0"[^]*<error type="interrupted" message="the run broke off: 3\d\d tests not run"\/>[^]*<\/testsuites>\n$/,
  );
  const { summary } = (JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as { results: { summary: { failed: number; extra: object } } }).results;
  assert.ok(summary.failed >= 1);
  assert.deepEqual({ ...summary.extra, notRun: 0 }, { notRun: 0, deselected: 0, interrupted: true, exitCode: null });
});

const withTerminal = { ...timed, skip: skipWithoutTerminal };

test("compiling is told on a terminal, and taken back before anything else is said", withTerminal, (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED, "wrong.gspec": 'suite "wrong"\n\ntest "names nothing" { expect nothing }\n' });
  const onTerminalOf = (env: Readonly<Record<string, string>>): string => {
    const tool = toolCommand(["run", "-r", "human"], { cwd: folder, env: { TERM: "xterm-256color", ...env }, cache: "own" });
    return spawnSync("script", onTerminal(nodeCommand(tool.words)), { cwd: folder, env: tool.env, encoding: "utf8" }).stdout;
  };
  assert.match(onTerminalOf({ NO_COLOR: "1" }), new RegExp(`^\\r${ESCAPE}\\[Kcompiling 2 specs for bytecode\\r${ESCAPE}\\[K.*E0`));
  for (const name of ["CI", "TERM"]) assert.doesNotMatch(onTerminalOf({ [name]: "dumb" }), /compiling/);
});

test("a terminal that is closed ends the run as ^C does", withTerminal, async (context) => {
  const loops = Array.from({ length: 400 }, (_, index) => `test "loop ${index}" { while true { } expect true }`);
  const folder = makeFolder(context, { "long.gspec": `suite "long"\n\n${loops.join("\n\n")}\n` });
  const { words, cwd, env } = toolCommand(["run", "-r", "human", "-r", "ndjson=out.ndjson"], { cwd: folder });
  const terminal = spawn("script", onTerminal(nodeCommand(words)), { cwd, env: { ...env, TERM: "xterm-256color" }, stdio: ["pipe", "ignore", "ignore"] });
  const events = join(folder, "out.ndjson");
  await until("two results are written", () => textIn(events).split("\n").length > 4);
  terminal.kill("SIGKILL");
  await until("the run has its end", () => readFileSync(events, "utf8").includes('"type":"run-finished"'));
  const { interrupted, exitCode, notRun } = endOf(readEvents(events));
  assert.deepEqual([interrupted, exitCode], [true, 130]);
  assert.ok(notRun > 0 && notRun < 400);
});

const NAMES = ["größe 4 | # 1..3 ok", "line\\nbreak", "right \\u{202e}to left", "tab\\tand 'quotes' \\\"both\\\"", "long ".repeat(80)];

test("the line that a failure gives runs it again, whatever is in the name; a test is one line of `list`", timed, async (context) => {
  const tests = NAMES.map((name) => `test "${name}" { expect false }`);
  const folder = makeFolder(context, { "a 'b' ü.gspec": ['suite "<ä> & \\"c\\""', ...tests].join("\n") });
  const { stdout } = await runTool(["run", "--record=never"], { cwd: folder });
  const lines = stdout.split("\n").flatMap((line) => /^ {2}rerun +guestspec (.*)$/.exec(line)?.[1] ?? []);
  assert.equal(lines.length, NAMES.length);
  for (const line of lines) {
    const words = spawnSync("sh", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" })
      .stdout.split("\0")
      .slice(0, -1);
    const again = await runTool([...words, "--record=never"], { cwd: folder });
    assert.equal(again.code, 1, line);
    assert.match(again.stdout, /1 failed, 0 skipped, 4 deselected/);
  }
  assert.equal((await runTool(["list"], { cwd: folder })).stdout.trimEnd().split("\n").length, NAMES.length);
  const listed = (await runTool(["list", "--json"], { cwd: folder })).stdout;
  assert.doesNotMatch(listed, /\u202e/);
  assert.ok((JSON.parse(listed) as { tests: readonly { test: string }[] }).tests.some(({ test: name }) => name === "right \u202eto left"));
});

test("JSON of a mistake and a kept run hold what turns the order of a line as an escape only", timed, async (context) => {
  const folder = makeFolder(context, {
    "bad.gspec": 'suite "b"\ntest "a" needs cpus("\u202e1") { expect true }\n',
    "red.gspec": 'suite "r"\ntest "\\u{202e}a" { expect 1 == 2 }\n',
  });
  const checked = (await runTool(["check", "bad.gspec", "--json"], { cwd: folder })).stdout;
  await runTool(["run", "red.gspec"], { cwd: folder, cache: "own" });
  const { stdout: record } = await runTool(["replay", "--path"], { cwd: folder, cache: "own" });
  for (const text of [checked, readFileSync(join(record.trim(), "events.ndjson"), "utf8")]) {
    assert.doesNotMatch(text, /\u202e/);
    assert.match(text, /\\u202e/);
  }
});

test("NO_COLOR wins over FORCE_COLOR, and what people read is plain ASCII then", timed, async (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const { stdout } = await runTool(["run"], { cwd: folder, env: { NO_COLOR: "1", FORCE_COLOR: "1" } });
  assert.match(stdout, /^[\n\x20-\x7e]+$/);
  const colored = await runTool(["run"], { cwd: folder, env: { FORCE_COLOR: "1" } });
  assert.ok(colored.stdout.includes(ESCAPE));
  // Painted or not, the words are the same.
  const words = (text: string): string =>
    text
      .replaceAll(new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g"), "")
      .replace(/ *[\d.]+ (ns|us|ms|s)\b/g, "")
      .replace(/\s+/g, " ");
  assert.equal(words(colored.stdout), words(stdout));
});

// --- A crash in the middle of a suite

const SEVERAL: readonly string[] = [
  "human",
  "ktap=out.ktap",
  "junit=out.xml",
  "ctrf=out.json",
  "html=out.html",
  "trace=out.trace",
  "ndjson=out.ndjson",
].flatMap((wanted) => ["-r", wanted]);

/** All reports of a run in which the test `blamed` crashed and the others had their results. */
function checkReports(folder: string, stdout: string, blamed: string, message: RegExp): void {
  const events = readEvents(join(folder, "out.ndjson"));
  const results = resultsOf(events);
  const verdicts = Object.fromEntries([...results].map(([name, { verdict }]) => [name, verdict]));
  assert.deepEqual(verdicts, { before: "pass", [blamed]: "crash", fails: "fail", after: "pass" });
  assert.match(results.get(blamed)?.failures[0]?.message ?? "", message);
  const { counts, notRun, exitCode } = endOf(events);
  assert.deepEqual([counts.pass, counts.fail, counts.crash, notRun, exitCode], [2, 1, 1, 0, 1]);
  assert.match(stdout, new RegExp(`^CRASH \\S+::mixed::${blamed}@`, "m"));
  assert.match(stdout, /2 passed, 2 failed \(1 crashed\), 0 skipped/);
  const ktap = readFileSync(join(folder, "out.ktap"), "utf8");
  assert.match(ktap, new RegExp(`^ {2}ok 1 before\\n[^]*^ {2}not ok 2 ${blamed} # crashed\\n[^]*^ {2}not ok 3 fails\\n[^]*^ {2}ok 4 after\\n`, "m"));
  const xml = readFileSync(join(folder, "out.xml"), "utf8");
  assert.match(xml, /<testsuites name="guestspec" tests="4" failures="1" errors="1" skipped="0"/);
  assert.match(xml, new RegExp(`<testcase name="${blamed}"[^>]*>[^]*?<error type="crash"`));
  const ctrf = JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as { results: { tests: { name: string; rawStatus: string }[] } };
  assert.deepEqual(Object.fromEntries(ctrf.results.tests.map(({ name, rawStatus }) => [name, rawStatus])), verdicts);
  assert.deepEqual(Object.fromEntries(readPage(join(folder, "out.html"))), verdicts);
  const trace = JSON.parse(readFileSync(join(folder, "out.trace"), "utf8")) as readonly {
    readonly cat?: string;
    readonly args: { readonly verdict?: string };
  }[];
  const told = trace.flatMap(({ cat, args }) => (args.verdict === undefined ? [] : [cat]));
  assert.deepEqual(told, ["pass", "crash", "fail", "pass"]);
  assert.ok(trace.some(({ cat }) => cat === "boot"));
}

test("a crash on the embedded machine: its test has the blame, the rest runs, all reports are complete", timed, async (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const { code, stdout, stderr } = await runTool(["run", ...SEVERAL], { cwd: folder });
  assert.deepEqual([code, stderr], [1, ""]);
  checkReports(folder, stdout, "traps", /^unexpected trap access_fault.*write of 4 bytes at 0xdead_0000/);
});

const withQemu = {
  ...timed,
  skip: skipWithoutQemu,
};

test("a crash in QEMU: its test has the blame, the rest runs, all reports are complete", withQemu, async (context) => {
  const folder = makeFolder(context, { "mixed.gspec": MIXED });
  const { code, stdout, stderr } = await runTool(["run", "--target", "riscv64", "--engine", "qemu", ...SEVERAL], { cwd: folder });
  assert.deepEqual([code, stderr], [1, ""]);
  checkReports(folder, stdout, "traps", /^unexpected trap access_fault.*write of 4 bytes at 0xdead_0000/);
});

test("kill -9 of a QEMU: the test that it was at has the blame, another one runs the rest, nothing is left", withQemu, async (context) => {
  const victim = `@timeout(1000s)\ntest "victim" { while true { } expect true }`;
  const folder = makeFolder(context, { "mixed.gspec": MIXED.replace(/^test "traps".*$/m, victim) });
  const scratch = join(folder, "scratch");
  mkdirSync(scratch);
  const tool = startTool(["run", "--target", "riscv64", "--engine", "qemu", "--max-instructions", "1000000000000", "-v", ...SEVERAL], {
    cwd: folder,
    env: { TMPDIR: scratch },
  });
  let stdout = "";
  tool.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  const closed = once(tool, "close");
  await until("the test before has its result", () => /PASS .*mixed::before@/.test(stdout));
  const [machine, ...others] = processesWith(scratch).filter((pid) => nameOfProcess(pid).includes("qemu"));
  assert.ok(machine !== undefined && others.length === 0);
  await untilBusy("it is at the test that does not end", machine, 50);
  process.kill(machine, "SIGKILL");
  const [code] = (await closed) as [number | null];
  assert.equal(code, 1);
  checkReports(folder, stdout, "victim", /^QEMU was ended by SIGKILL/);
  await until("no process and no file is left", () => processesWith(scratch).length === 0 && readdirSync(scratch).length === 0);
});

test(
  "a cache that cannot be written is one warning, wherever it should be",
  { ...timed, skip: existsSync("/proc/self") ? false : "there is no /proc" },
  async (context) => {
    const folder = makeFolder(context, { "a.gspec": MIXED, file: "" });
    for (const [cache, why] of [
      ["/proc/guestspec", "no such file or directory"],
      [join(folder, "file"), "not a directory"],
    ] as const) {
      const { code, stdout, stderr } = await runTool(["run", "-r", "human"], { cwd: folder, env: { XDG_CACHE_HOME: cache } });
      assert.equal(code, 1, stderr);
      assert.match(stdout, /2 passed, 2 failed/);
      assert.equal(
        stderr,
        `warning: ${cache}/guestspec cannot be written (${why}): every run compiles anew, and --last-failed knows nothing of this one\n` +
          "  = help: XDG_CACHE_HOME names another place\n",
      );
    }
  },
);

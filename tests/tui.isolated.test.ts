// The live view on a real terminal: util-linux `script` gives the process a pty, @xterm/headless turns what it writes into the screen
// that a person would see. Skipped, with the reason, where there is no `script`.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import xterm from "@xterm/headless";
import { root } from "../tools/project.mjs";
import { until } from "./fixtures/processes.ts";
import { onTerminal, skipWithoutTerminal } from "./fixtures/terminal.ts";

interface Screen {
  /** Lines of the visible screen, without trailing spaces. */
  readonly visible: () => string[];
  /** History and screen. */
  readonly all: () => string[];
  readonly send: (keys: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** Waits until the screen satisfies the condition. */
  readonly until: (sentence: string, condition: (visible: readonly string[]) => boolean) => Promise<void>;
  /** The exit code, when the process has ended and all is drawn. */
  readonly ended: Promise<number | null>;
  readonly raw: () => string;
}

const skip = skipWithoutTerminal;

function start(context: TestContext, scenario: string, columns: number, rows: number, environment: Readonly<Record<string, string>> = {}): Screen {
  const node = JSON.stringify(process.execPath);
  const command = `stty cols ${columns} rows ${rows}; exec ${node} --disable-warning=ExperimentalWarning --import ./tools/tsx-hook.mjs ${join("tests", "fixtures", "play-tui.ts")} ${scenario}`;
  const env: NodeJS.ProcessEnv = { ...process.env, TERM: "xterm-256color", NODE_ENV: "production", ...environment };
  for (const name of ["NODE_TEST_CONTEXT", "GUESTSPEC_TEST_COUNTS", "FORCE_COLOR"]) delete env[name];
  const child: ChildProcessWithoutNullStreams = spawn("script", onTerminal(command), { cwd: root, env });
  context.after(() => child.kill("SIGKILL"));
  const terminal = new xterm.Terminal({ cols: columns, rows, scrollback: 30_000, allowProposedApi: true });
  let raw = "";
  let pending = Promise.resolve();
  child.stdout.on("data", (chunk: Buffer) => {
    raw += chunk.toString("latin1");
    pending = pending.then(() => new Promise<void>((resolve) => terminal.write(new Uint8Array(chunk), resolve)));
  });
  const read = (from: number): string[] => {
    const buffer = terminal.buffer.active;
    const lines: string[] = [];
    for (let index = from; index < buffer.baseY + terminal.rows; index++) lines.push(buffer.getLine(index)?.translateToString(true) ?? "");
    return lines;
  };
  const visible = (): string[] => read(terminal.buffer.active.baseY);
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => void pending.then(() => resolve(code)));
  });
  return {
    visible,
    all: () => read(0),
    send: (keys) => void child.stdin.write(keys),
    resize(width, height) {
      terminal.resize(width, height);
      const [inside = ""] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ");
      const pty = readlinkSync(`/proc/${inside}/fd/0`);
      const { status, stderr } = spawnSync("stty", ["-F", pty, "cols", String(width), "rows", String(height)], {
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
    },
    async until(sentence, condition) {
      await until(
        () => `${sentence}; the screen is:\n${visible().join("\n")}`,
        async () => {
          await pending;
          return condition(visible());
        },
      );
    },
    ended,
    raw: () => raw,
  };
}

const has =
  (pattern: RegExp) =>
  (lines: readonly string[]): boolean =>
    lines.some((line) => pattern.test(line));

test("a run scrolls into history, and ends with its failures and summary and nothing else", { skip }, async (context) => {
  const screen = start(context, "recorded", 190, 24);
  await screen.until("progress is shown", has(/^ *\d+ % \[.*\] \d+\/30/));
  await screen.until("a running test is shown", has(/^#1 +\d\.\d s +/));
  assert.equal(await screen.ended, 1);
  const lines = screen.all();
  const text = lines.join("\n");
  assert.equal([...text.matchAll(/alu::add@virt\/wasm/g)].length, 1, "each result once");
  assert.match(text, /14 failures:/);
  assert.match(text, /rerun {4}guestspec run 'edu::dma reads back' --seed 7f3a/);
  assert.match(text.trimEnd(), / 9 passed, 14 failed .* 4 skipped, 1 flaky, 2 expected failures, 1 cached, 5 deselected$/);
  assert.ok(!lines.some((line) => /\d+ % \[/.test(line) || line.startsWith("f failures")), "the live region is gone");
});

test("^C stops the run, which still tells what it has, with the run's exit code and the terminal restored", { skip }, async (context) => {
  const screen = start(context, "waiting", 90, 20);
  await screen.until("eight lines of running tests", has(/and 5 more running tests/));
  assert.ok(screen.visible().filter((line) => line !== "").length <= 20);
  screen.send("\x03");
  assert.equal(await screen.ended, 130);
  assert.match(screen.all().join("\n"), /interrupted: 19 tests not run/);
  const raw = screen.raw();
  assert.ok(raw.lastIndexOf("\x1b[?25h") > raw.lastIndexOf("\x1b[?25l"), "the cursor is visible again");
});

test("keys: help, status, filter with its error", { skip }, async (context) => {
  const screen = start(context, "waiting", 90, 24);
  await screen.until("running tests", has(/edu::waiting 1$/));
  screen.send("?");
  await screen.until("help", has(/^ {2}t {2}what the running tests do/));
  screen.send("?t");
  await screen.until("the status of a test", has(/pc 0x8000_1234, guest time 4\.56 ms/));
  screen.send("/");
  await screen.until("the prompt", has(/^filter: _/));
  screen.send("tgg(x\r");
  await screen.until("the error", has(/there is no predicate `tgg\(x`/));
  screen.send("\x15tag(slow)\r");
  await screen.until("the filter is taken", has(/^filter: tag\(slow\)$/));
  screen.send("q");
  assert.equal(await screen.ended, 130);
});

test("narrow and short terminals, and resizing while it runs", { skip }, async (context) => {
  const screen = start(context, "waiting", 34, 6);
  await screen.until("a region of five lines", (lines) => has(/^ 36 % .*11\/30/)(lines) && has(/more running tests/)(lines));
  assert.ok(screen.visible().filter((line) => /^#\d|%|more running/.test(line)).length <= 5);
  screen.resize(100, 20);
  await screen.until("the wider region", has(/7 passed {2}2 failed {2}2 xfail {2}5 deselected {2}seed 7f3a/));
  screen.resize(20, 3);
  await screen.until("two lines", (lines) => lines.filter((line) => line !== "").length <= 3 && has(/^ 36 %/)(lines));
  screen.send("q");
  assert.equal(await screen.ended, 130);
});

test("ten thousand results pass in seconds, none lost, and the region does not grow", { skip }, async (context) => {
  const screen = start(context, "many", 100, 24);
  assert.equal(await screen.ended, 0);
  const lines = screen.all();
  const rows = lines.flatMap((line) => /row\[(\d+)\]/.exec(line)?.[1] ?? []);
  assert.deepEqual(
    rows,
    Array.from({ length: 10_000 }, (_, index) => String(index)),
    "each row once, in order",
  );
  const [, took, heap] = /took (\d+) ms, heap (\d+) MiB/.exec(lines.join("\n")) ?? [];
  assert.ok(Number(took) < 5000, `took ${took} ms`);
  assert.ok(Number(heap) < 150, `heap ${heap} MiB`);
});

test("NO_COLOR leaves no colour, and CI does not turn the view off once it was asked for", { skip }, async (context) => {
  const screen = start(context, "recorded", 100, 24, { NO_COLOR: "1", CI: "1" });
  await screen.until("progress is shown", has(/^ *\d+ % \[.*\] \d+\/30/));
  assert.equal(await screen.ended, 1);
  assert.doesNotMatch(screen.raw(), /\p{Cc}\[(3|9)\d(;\d+)*m/u);
});

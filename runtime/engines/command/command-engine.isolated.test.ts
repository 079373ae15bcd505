// The command engine against VMMs that are none: programs that print what a guest would, or something else, and end or do not. Whatever
// they do costs at most one test, and leaves neither process nor file.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compileSpecs } from "../../../tests/fixtures/compile.ts";
import type { NativeImage } from "../../../compiler/native/native-image.ts";
import type { TestFinished } from "../../events.ts";
import type { FleetUnit } from "../qemu/fleet.ts";
import type { EngineImage } from "../session.ts";
import { machineOf, type CommandConfig } from "./command-config.ts";
import { startCommandRun } from "./command-engine.ts";
import { bytecodeVirt } from "../../../tests/fixtures/machines.ts";

const folder = mkdtempSync(join(tmpdir(), "guestspec-command-"));
process.env.TMPDIR = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

const SPEC = `suite "s"

test "a" { expect 1 == 1 }

test "b" { expect 2 == 2 }

test "c" { expect 3 == 3 }
`;

/** Its image is the text that it prints, and behind a zero how it ends. */
const FAKE = `
const [text, end] = require("fs").readFileSync(process.argv[1], "utf8").split("\\0");
const file = process.argv[2];
if (file) require("fs").writeFileSync(file, text); else process.stdout.write(text);
if (end === "hang") setInterval(() => {}, 1000);
else if (end === "kill") process.kill(process.pid, "SIGSEGV");
else process.exitCode = Number(end);
`;

const CONFIG: CommandConfig = {
  name: "fake",
  target: "bytecode",
  machine: "bytecode-virt",
  image: "flat",
  cpus: 1,
  without: [],
  command: [process.execPath, "-e", FAKE, "{image}"],
  environment: {},
  files: {},
  consoleFile: null,
  exit: null,
  timeoutMs: 1500,
  packages: ["fake-vmm"],
};

const NATIVE: NativeImage = {
  target: "bytecode",
  machine: "fake",
  layout: { addressBytes: 8, endian: "little" },
  base: 0n,
  bytes: new Uint8Array(0),
  readonlySize: 0,
  writableOffset: 0,
  writableBase: 0n,
  writableSize: 0,
  pack: null,
  entry: 0n,
  labels: new Map(),
  symbols: [],
  lines: [],
  files: [],
  frames: [],
  codeStart: 0n,
  codeEnd: 0n,
  commandLineOffset: 0,
};

const ktap = (...lines: readonly string[]): string => `${["KTAP version 1", "1..1", "  KTAP version 1", "  1..3", ...lines].join("\n")}\n`;
const ALL = ["  ok 1 a", "  ok 2 b", "  ok 3 c", "ok 1 s"];

interface Run {
  readonly results: readonly TestFinished[];
  /** The guest's words of each start. */
  readonly words: readonly string[];
  readonly isRefused: boolean;
}

/** `starts`: what each start prints, and `\0` with how it ends. */
async function run(starts: readonly string[], config: Partial<CommandConfig> = {}, text = SPEC): Promise<Run> {
  const engine = { ...CONFIG, ...config };
  const [compiled] = compileSpecs(["s.gspec"], { texts: { "s.gspec": text } });
  if (compiled === undefined) throw new Error("no image");
  const image: EngineImage = { ...compiled, machine: machineOf(engine, bytecodeVirt), engine: "fake", native: NATIVE };
  const units = (compiled.manifest.suites[0]?.tests ?? []).map((_test, index): FleetUnit => ({
    index,
    image: 0,
    suite: 0,
    test: index,
    case: 0,
    opensSuite: index === 0,
    closesSuite: false,
    closesTable: false,
    opensTable: false,
  }));
  const results: TestFinished[] = [];
  const words: string[] = [];
  let isRefused = false;
  await startCommandRun({
    engines: [engine],
    images: [image],
    units,
    cases: { seed: 7n, timeoutNs: null, maxInstructions: null, required: [], reproFlags: "" },
    host: { readText: (path) => (path === "s.gspec" ? text : null), now: () => performance.now() },
    jobs: 1,
    bootFile: (_image, _engine, commandLine) => Promise.resolve(Buffer.from(starts[words.push(commandLine) - 1] ?? `${ktap(...ALL)}\0${0}`)),
    mayStart: () => true,
    onRunning: () => undefined,
    onResult: (index, result) => void (results[index] = result),
    onBoot: () => undefined,
    onRefusal: () => void (isRefused = true),
  }).done;
  assert.deepEqual(readdirSync(folder), [], "nothing is left");
  return { results, words, isRefused };
}

const verdicts = ({ results }: Run): string => results.map(({ verdict }) => verdict).join(" ");
const message = ({ results }: Run, index: number): string => results[index]?.failures[0]?.message ?? "";

test("a whole run is one start", async () => {
  const whole = await run([`${ktap(...ALL)}\0hang`]);
  assert.equal(verdicts(whole), "pass pass pass");
  assert.deepEqual(whole.words, ["seed=7"]);
  assert.equal(whole.results[1]?.id, "s.gspec::s::b@bytecode/fake");
});

test("the console may be a file", async () => {
  const told = await run([`${ktap(...ALL)}\0hang`], { command: [process.execPath, "-e", FAKE, "{image}", "{dir}/com1.txt"], consoleFile: "{dir}/com1.txt" });
  assert.equal(verdicts(told), "pass pass pass");
});

test("failures are told with what the text says", async () => {
  const told = await run([
    `${ktap("noise", "  # s.gspec:5:19: 2 == 2", "  #   2 = 0x2", "  # a remark", "  ok 1 a", "  # s.gspec:5:19: 2 == 2", "  not ok 2 b", "  not ok 3 c", "not ok 1 s")}\x000`,
  ]);
  assert.equal(verdicts(told), "fail fail fail");
  assert.match(message(told, 1), /^expected 2 == 2/);
  assert.equal(told.results[1]?.failures[0]?.frame?.line, 5);
  assert.match(message(told, 2), /says `not ok` without saying why/);
  assert.equal(told.results[0]?.console, "noise\n");
});

const CRASHES: readonly (readonly [string, string, RegExp])[] = [
  ["ends", `${ktap("  ok 1 a", "half a li")}\x003`, /^fake ended with status 3 before the test had its result$/],
  ["is ended by a signal", `${ktap("  ok 1 a")}\0kill`, /^fake was ended by SIGSEGV before/],
  ["says nothing any more", `${ktap("  ok 1 a")}\0hang`, /^hung: no end after 1\.5 s of wall time/],
  ["leaves a result out", `${ktap("  ok 1 a", "  ok 3 c", "ok 1 s")}\x000`, /^the console cannot be believed: a result came out of turn: `ok 3 c`$/],
  ["says a result twice", `${ktap("  ok 1 a", "  ok 1 a", "  ok 2 b")}\0hang`, /out of turn: `ok 1 a`/],
];
for (const [name, start, wanted] of CRASHES) {
  test(`a VMM that ${name} costs one test`, async () => {
    const crashed = await run([start, `${ktap("  ok 1 a # SKIP not selected", "  ok 2 b # SKIP not selected", "  ok 3 c", "ok 1 s")}\x000`]);
    assert.equal(verdicts(crashed), `pass ${name.startsWith("says nothing") ? "hung" : "crash"} pass`);
    assert.match(message(crashed, 1), wanted);
    assert.deepEqual(crashed.words, ["seed=7", "case=2:0 seed=7"]);
  });
}

test("a VMM that shows no console is refused once, for all", async () => {
  const silent = await run(["hello\x001"]);
  assert.equal(verdicts(silent), "error error error");
  assert.match(message(silent, 0), /^fake ended with status 1, and the image's console was empty$/);
  assert.equal(silent.isRefused, true);
  assert.equal(silent.words.length, 1);
  const missing = await run([], { command: ["/nowhere/vmm"] });
  assert.match(message(missing, 0), /\(Debian: apt install fake-vmm\)$/);
});

test("set-up and teardown are told with the last test", async () => {
  const failed = await run([`${ktap("  ok 1 a", "  ok 2 b", "  ok 3 c", "# s.gspec:1:1: x", "not ok 1 s")}\x000`]);
  assert.equal(verdicts(failed), "pass pass fail");
  assert.match(message(failed, 2), /^set-up or teardown of the suite failed/);
  const lost = await run([`${ktap("  ok 1 a", "  ok 2 b", "  ok 3 c")}\x009`]);
  assert.equal(verdicts(lost), "pass pass crash");
  assert.match(message(lost, 2), /^the suite did not come to its end: fake ended with status 9$/);
});

test("a status that is to say something must agree", async () => {
  const exit = { good: 33, failed: 35 };
  assert.equal(verdicts(await run([`${ktap(...ALL)}\x0033`], { exit })), "pass pass pass");
  const wrong = await run([`${ktap(...ALL)}\x0035`], { exit });
  assert.equal(verdicts(wrong), "pass pass error");
  assert.match(message(wrong, 2), /^fake ended with status 35 after all results, expected status 33$/);
});

test("expected failures and skips keep their meaning", async () => {
  const text = `suite "s"\n\ntest "a" xfail "known" { expect 1 == 2 }\n\ntest "b" xfail "gone" { expect 1 == 1 }\n\ntest "c" { expect 1 == 1 }\n`;
  const told = await run(
    [`${ktap("  # s.gspec:3:32: 1 == 2", "  ok 1 a # XFAIL known", "  not ok 2 b # XFAIL gone", "  #   why", "  ok 3 c # SKIP", "not ok 1 s")}\x000`],
    {},
    text,
  );
  assert.equal(verdicts(told), "xfail xpass skip");
  assert.equal(told.results[2]?.reason, "why");
});

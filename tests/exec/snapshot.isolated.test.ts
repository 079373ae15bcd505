// Snapshots of `guestspec exec` as users take them: what a run says before and after, in two processes, is what one run says; on a
// terminal, on a signal, under GDB; and each mistake with its code, its exit status and its golden (snapshot-mistakes.txt).

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SNAPSHOT_CODES } from "../../runtime/exec/snapshot-codes.ts";
import { runTool, toolCommand, type Outcome } from "../cli/transcripts.ts";
import { openTerminal, skipWithoutTerminal } from "../fixtures/terminal.ts";
import { compareGolden } from "../goldens.ts";
import { debuggerPort, runExec, writeProgram } from "./exec-tool.ts";

const FW_JUMP = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.elf";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "guestspec-snapshot-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

function program(name: string, text: string): string {
  writeProgram(at(name), text);
  return name;
}

const exec = (args: readonly string[], input = ""): Promise<Outcome> => runExec(folder, args, input);

/** The last line of a run that wrote one. */
const withoutNotice = (text: string): string => text.replace(/^guestspec: snapshot after .*\n/m, "");

/** Four harts race for a word of memory and print what they find. */
const RACE = `
  li s0, 0x10000000
  la s1, word
again:
  li t0, 1
  amoadd.w t1, t0, (s1)
  slli t2, a0, 4
  add t1, t1, t2
  andi t1, t1, 63
  addi t1, t1, 48
  sb t1, (s0)
  li t0, 97
1: addi t0, t0, -1
  bnez t0, 1b
  j again
  .align 3
word: .word 0
`;

/** Prints one letter after the other, and a newline and off at the end. */
const ALPHABET = `
  li s0, 0x10000000
  li t1, 97
letter: sb t1, (s0)
  addi t1, t1, 1
  li t2, 123
  bne t1, t2, letter
  li t0, 0x100000
  li t1, 0x5555
  sw t1, (t0)
  j .
`;

const ECHO = `
  li t0, 0x10000000
wait: lbu t1, 5(t0)
  andi t1, t1, 1
  beqz t1, wait
  lbu t1, (t0)
  sb t1, (t0)
  j wait
`;

test("N instructions, a snapshot and M instructions are N + M: console, registers, trace", async () => {
  const image = program("race", RACE);
  const whole = await exec([image, "--cpus", "4", "--seed", "7", "--until", "60,000", "--trace=whole"]);
  const first = await exec([image, "--cpus", "4", "--seed", "7", "--until", "35,000", "--snapshot", "race.snap", "--trace=first"]);
  assert.match(first.stderr, /guestspec: snapshot after 35,000 instructions in race\.snap: \d+ pages, [\d,]+ bytes\n$/);
  rmSync(at("race"));
  const second = await exec(["--restore", "race.snap", "--until", "25,000", "--trace=second"]);
  assert.equal(second.code, 0);
  assert.equal(first.stdout + second.stdout, whole.stdout);
  assert.match(whole.stdout, /^[0-o]{100,}$/);
  assert.equal(second.stderr, whole.stderr);
  const trace = (name: string): string => readFileSync(at(name), "utf8");
  assert.ok(trace("first") + trace("second") === trace("whole"), "the traces differ");
  assert.equal(trace("whole").split("\n").length, 60_001);
});

test("snapshots of a run that goes on by snapshots", async () => {
  program("race", RACE);
  const whole = await exec(["race", "--cpus", "2", "--until", "40,000"]);
  let said = (await exec(["race", "--cpus", "2", "--until", "10,000", "--snapshot", "chain"])).stdout;
  for (let n = 0; n < 2; n++) said += (await exec(["--restore", "chain", "--until", "10,000", "--snapshot", "chain"])).stdout;
  const last = await exec(["--restore", "chain", "--until", "10,000"]);
  assert.equal(said + last.stdout, whole.stdout);
  assert.equal(last.stderr, whole.stderr);
});

test("a breakpoint leaves a snapshot, from which the run goes on behind it; a guest that ends leaves none", async () => {
  const image = program("alphabet", ALPHABET);
  const stopped = await exec([image, "--break", "0x80000008", "--snapshot", "alphabet.snap"]);
  assert.equal(stopped.stdout, "");
  const again = await exec(["--restore", "alphabet.snap", "--break", "0x80000008"]);
  assert.deepEqual([again.code, again.stdout.length], [0, 1], again.stderr);
  const done = await exec(["--restore", "alphabet.snap", "--snapshot", "never.snap"]);
  assert.deepEqual(done, {
    code: 0,
    stdout: "abcdefghijklmnopqrstuvwxyz",
    stderr: "guestspec: no snapshot in never.snap: the guest ended before it was stopped\n",
  });
  assert.equal(existsSync(at("never.snap")), false);
});

test("what was typed and not read yet is in the snapshot; SIGTERM leaves one", async () => {
  const image = program("echo", ECHO);
  const typed = await exec([image, "--until", "5", "--snapshot", "typed.snap"], "typed before");
  assert.equal(typed.stdout, "");
  // All of it came, or none, as the host's scheduler had it: the guest ran for five instructions only.
  const { words, cwd, env } = toolCommand(["exec", "--restore", "typed.snap", "--snapshot", "term.snap"], { cwd: folder });
  const child = spawn(process.execPath, words, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  child.stdin.write(" and after");
  const code = await new Promise<number | null>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.endsWith("after")) child.kill("SIGTERM");
    });
    child.on("close", resolve);
  });
  assert.equal(code, 130);
  assert.match(stdout, /^(typed before)? and after$/);
  assert.match(stderr, /snapshot after [\d,]+ instructions in term\.snap/);
  assert.match(stderr, /guestspec: stopped\ncpu0: 0x800000[0-9a-f]{2}, machine mode, [\d,]+ instructions\n {2}ra /, "where it was, for who ended it");
  assert.equal((await exec(["--restore", "term.snap", "--until", "1000"])).code, 0);
});

test("on a terminal Ctrl-A s writes a snapshot and the machine goes on", { skip: skipWithoutTerminal }, async () => {
  program("echo", ECHO);
  const terminal = openTerminal(toolCommand(["exec", "echo", "--snapshot", "typed.snap"], { cwd: folder }));
  await terminal.shows("Ctrl-A x ends the machine, Ctrl-A s writes typed.snap");
  terminal.type("before");
  await terminal.shows("before");
  rmSync(at("typed.snap"), { force: true });
  terminal.type("\u0001s");
  await terminal.shows("instructions in typed.snap");
  const written = statSync(at("typed.snap")).mtimeMs;
  terminal.type("after");
  await terminal.shows("after");
  terminal.type("\u0001x");
  assert.equal(await terminal.ended, 0);
  assert.equal(statSync(at("typed.snap")).mtimeMs, written, "Ctrl-A x writes none");
  assert.equal((await exec(["--restore", "typed.snap", "--until", "100"])).code, 0);
});

const GDB = "gdb-multiarch";
const hasGdb = spawnSync(GDB, ["--version"]).status === 0;

test(
  "a debugger finds the machine where the snapshot left it, and takes one",
  { skip: hasGdb ? false : `no ${GDB} (Debian package gdb-multiarch)` },
  async () => {
    program("alphabet", ALPHABET);
    await exec(["alphabet", "--until", "17", "--snapshot", "alphabet.snap"]);
    const { words, cwd, env } = toolCommand(["exec", "--restore", "alphabet.snap", "--gdb", "0", "--snapshot", "gdb.snap"], { cwd: folder });
    const tool = spawn(process.execPath, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => tool.on("close", resolve));
    const port = await debuggerPort(tool);
    const commands = [`target remote localhost:${port}`, 'printf "t1 is %d at %#lx\\n", $t1, $pc', "stepi", "monitor snapshot", "kill"];
    const gdb = spawnSync(GDB, ["-nx", "-batch", ...["set confirm off", ...commands].flatMap((line) => ["-ex", line])], { cwd: folder, encoding: "utf8" });
    const said = gdb.stdout + gdb.stderr;
    // Two instructions, then rounds of four.
    assert.match(said, /t1 is 101 at 0x80000014/);
    assert.match(said, /snapshot after 18 instructions in gdb\.snap/);
    assert.equal(await ended, 0);
    const rest = await exec(["--restore", "gdb.snap"]);
    assert.equal(rest.stdout, "efghijklmnopqrstuvwxyz");
  },
);

test("OpenSBI in its middle", { skip: existsSync(FW_JUMP) ? false : `there is no ${FW_JUMP} (Debian package opensbi)` }, async () => {
  const whole = await exec([FW_JUMP, "--cpus", "2", "--until", "3,000,000"]);
  const first = await exec([FW_JUMP, "--cpus", "2", "--until", "700,000", "--snapshot", "sbi.snap"]);
  const second = await exec(["--restore", "sbi.snap", "--until", "2,300,000"]);
  assert.equal(first.stdout + second.stdout, whole.stdout);
  assert.equal(withoutNotice(second.stderr), whole.stderr);
});

/** What differs from one build to the next. */
const stable = (text: string): string =>
  text
    .replaceAll(/guestspec \d+\.\d+\.\d+|: this is \d+\.\d+\.\d+/g, (found) => found.replace(/\d+\.\d+\.\d+/, "[version]"))
    .replaceAll(/[0-9a-f]{16}\.\./g, "[digest]")
    .replaceAll(/[\d,]+ bytes/g, "[n] bytes");

test("each mistake is told with its code", async () => {
  program("alphabet", ALPHABET);
  await exec(["alphabet", "--until", "17", "--snapshot", "good.snap"]);
  const good = readFileSync(at("good.snap"));
  const change = (name: string, bytes: Uint8Array): string => {
    writeFileSync(at(name), bytes);
    return name;
  };
  const newer = Buffer.from(good);
  newer.writeUInt32LE(99, 8);
  const flipped = Buffer.from(good);
  flipped[good.length - 3] = (flipped[good.length - 3] ?? 0) ^ 1;
  const rows: readonly (readonly string[])[] = [
    ["--restore", "alphabet"],
    ["--restore", change("empty.snap", new Uint8Array())],
    ["--restore", change("newer.snap", newer)],
    ["--restore", change("cut.snap", good.subarray(0, 1000))],
    ["--restore", change("longer.snap", Buffer.concat([good, Buffer.from("\n")]))],
    ["--restore", change("flipped.snap", flipped)],
    ["--restore", "good.snap", "--machine", "riscv-virt-sbi"],
    ["--restore", "absent.snap"],
    ["--restore", "good.snap", "alphabet"],
    ["--restore", "good.snap", "--cpus", "2"],
    ["--restore", "good.snap", "--machine", "x86-pc"],
    ["alphabet", "--snapshot", "nowhere/a.snap"],
    [],
  ];
  let text = "";
  for (const args of rows) {
    const { code, stdout, stderr } = await exec(args);
    assert.equal(stdout, "");
    text += `$ guestspec exec ${args.join(" ")}\n${stable(stderr)}(exit code ${code})\n\n`;
  }
  compareGolden("tests/exec/snapshot-mistakes.txt", text);
  for (const { code } of SNAPSHOT_CODES) {
    // State that does not fit takes another build of the tool: runtime/exec/snapshot-file.test.ts makes it by hand.
    if (code !== "E0905") assert.match(text, new RegExp(`error\\[${code}\\]: `));
  }
  const listed = await runTool(["explain"], { cwd: folder });
  for (const { code, title } of SNAPSHOT_CODES) assert.ok(listed.stdout.includes(`${code}  ${title}\n`), listed.stdout);
  const explained = await runTool(["explain", "e0903"], { cwd: folder });
  assert.match(explained.stdout, /^E0903: damaged snapshot\n\n[^]*head -c 10000 boot\.snap > cut\.snap/);
});

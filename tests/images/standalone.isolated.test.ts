// Standalone scripts: shellcheck has nothing to say, QEMU's line is the machine's, and every end has its exit status, leaves no
// temporary file and no QEMU behind. The script is run with a QEMU of ours, a few lines of shell, where the real one is not the point.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { IMAGE_PLACE, writeStandalone, type StandaloneOptions } from "../../compiler/images/standalone.ts";
import { needsTools, runTool, type ToolOutput } from "./outside-tools.ts";
import { bootableTinyImage } from "./tiny-image.ts";

const IMAGE = bootableTinyImage("riscv64").bytes;

const OPTIONS: StandaloneOptions = {
  name: "specs/tiny $(date) it's.gspec",
  suite: 'tiny "`quoted`"',
  tests: 1,
  machine: "riscv-virt",
  image: IMAGE,
  qemu: "riscv64",
  packageName: "qemu-system-misc",
  accelerators: [
    { name: "tcg", args: ["-M", "virt", "-m", "32M", "-bios", "none", "-display", "none", "-nodefaults", "-serial", "stdio", "-kernel", IMAGE_PLACE] },
    { name: "kvm", args: ["-M", "virt", "-cpu", "host", "-smp", "2,sockets=1", "-kernel", IMAGE_PLACE] },
  ],
  exit: { good: 0, failed: 1, crashed: 2 },
};

interface Script {
  readonly path: string;
  /** TMPDIR of its runs. */
  readonly temporary: string;
  /** What our QEMU writes down: its arguments, then the image that it was given. */
  readonly seen: string;
  run(args: readonly string[], qemu?: string): ToolOutput;
}

function makeScript(context: TestContext): Script {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-standalone-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "tiny.sh");
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  writeFileSync(path, writeStandalone(OPTIONS));
  chmodSync(path, 0o755);
  const seen = join(folder, "seen");
  return {
    path,
    temporary,
    seen,
    run(args, qemu) {
      const env = { ...process.env, TMPDIR: temporary, ...(qemu === undefined ? {} : { QEMU_riscv64: writeQemu(folder, seen, qemu) }) };
      const output = runTool("bash", [path, ...args], { cwd: folder, env });
      assert.deepEqual(readdirSync(temporary), [], "a temporary file is left");
      return output;
    },
  };
}

/** A QEMU that notes how it was called and then does what the text says. */
function writeQemu(folder: string, seen: string, text: string): string {
  const path = join(folder, "qemu");
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "$@" > '${seen}'\nfor last do :; done\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const PASSES = "echo 'KTAP version 1'; echo 1..1; echo 'ok 1 tiny'; exit 0";

test("shellcheck finds nothing", needsTools("shellcheck", "bash"), (context) => {
  const { path } = makeScript(context);
  const { status, stdout } = runTool("shellcheck", [path]);
  assert.equal(stdout, "");
  assert.equal(status, 0);
});

test("verdicts come from status and KTAP together", needsTools("bash"), (context) => {
  const script = makeScript(context);
  const cases: readonly (readonly [qemu: string, status: number, stderr: RegExp])[] = [
    [PASSES, 0, /^$/],
    ["echo 'not ok 1 tiny'; exit 1", 1, /^$/],
    ["printf '1..1\\r\\nok 1 tiny\\r\\n'; exit 0", 0, /^$/],
    // QEMU's own failure, and guests that end without a result.
    ["echo 'bad option' >&2; exit 1", 2, /bad option\n.*no verdict: QEMU ended with status 1/],
    ["exit 0", 2, /no verdict: QEMU ended with status 0/],
    ["echo '  ok 1 inner'; exit 0", 2, /no verdict/],
    ["echo 'ok 1 tiny'; exit 1", 2, /no verdict/],
    ["echo 'ok 1 tiny'; exit 2", 2, /no verdict: QEMU ended with status 2/],
    ["kill -9 $$", 2, /no verdict: QEMU ended with status 137/],
  ];
  for (const [qemu, status, stderr] of cases) {
    const output = script.run([], qemu);
    assert.equal(output.status, status, qemu);
    assert.match(output.stderr, stderr, qemu);
  }
});

test("another shell hands it to bash", needsTools("bash"), (context) => {
  const script = makeScript(context);
  const { status, stdout } = runTool("sh", [script.path, "--help"]);
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: tiny\.sh /);
});

test("QEMU gets the machine's arguments, the image, words and what stands behind --", needsTools("bash"), (context) => {
  const script = makeScript(context);
  const copy = join(script.temporary, "..", "copy");
  const qemu = `while [ "$1" != -kernel ]; do shift; done; cp "$2" '${copy}'; ${PASSES}`;
  const { status, stdout, stderr } = script.run(["-v", "--append", "test=a b seed=1", "--", "-smp", "2"], qemu);
  assert.equal(status, 0);
  assert.equal(stdout, "KTAP version 1\n1..1\nok 1 tiny\n");
  assert.match(stderr, /^\+ .*\/qemu'? -M virt .*-append test=a\\ b\\ seed=1 -smp 2 \n$/);
  const args = readFileSync(script.seen, "utf8").split("\n");
  assert.deepEqual(args.slice(0, 6), ["-M", "virt", "-m", "32M", "-bios", "none"]);
  assert.deepEqual(args.slice(-5), ["-append", "test=a b seed=1", "-smp", "2", ""]);
  assert.deepEqual(new Uint8Array(readFileSync(copy)), IMAGE);
  script.run(["--accel", "kvm"], PASSES);
  assert.deepEqual(readFileSync(script.seen, "utf8").split("\n").slice(0, 6), ["-M", "virt", "-cpu", "host", "-smp", "2,sockets=1"]);
});

test("what is missing or wrong is said, with its status", needsTools("bash"), (context) => {
  const script = makeScript(context);
  const missing = script.run(["--qemu", "/nowhere/qemu"]);
  assert.equal(missing.status, 75);
  assert.match(missing.stderr, /there is no \/nowhere\/qemu; install qemu-system-misc \(Debian\)/);
  for (const [args, message] of [
    [["--frobnicate"], /there is no option --frobnicate/],
    [["--timeout"], /--timeout needs a value/],
    [["--timeout", "soon"], /whole seconds, not soon/],
    [["--accel", "magic"], /--accel takes tcg, kvm, not magic/],
  ] as const) {
    const { status, stderr } = script.run(args, PASSES);
    assert.equal(status, 2);
    assert.match(stderr, message);
  }
  const help = script.run(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /^Usage: tiny\.sh \[OPTIONS\]/);
  assert.match(help.stdout, /Runs tiny \?\?quoted\?\? \(specs\/tiny \?\(date\) it\?s\.gspec\) on riscv-virt/);
});

test("a guest that does not end is ended", needsTools("bash"), (context) => {
  const script = makeScript(context);
  const { status, stderr } = script.run(["--timeout", "1"], "exec sleep 100");
  assert.equal(status, 124);
  assert.match(stderr, /timed out after 1 s/);
});

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} ends script and QEMU, and nothing is left`, needsTools("bash"), async (context) => {
    const script = makeScript(context);
    const pidFile = join(script.temporary, "..", "pid");
    const qemu = writeQemu(join(script.temporary, ".."), script.seen, `echo $$ > '${pidFile}'; echo started; exec sleep 100`);
    const child = spawn("bash", [script.path], { env: { ...process.env, TMPDIR: script.temporary, QEMU_riscv64: qemu }, stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill(signal);
    assert.equal(await new Promise((resolve) => child.on("close", resolve)), expected);
    assert.deepEqual(readdirSync(script.temporary), []);
    const pid = Number(readFileSync(pidFile, "utf8"));
    assert.ok(!existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "), `QEMU ${pid} is left`);
  });
}

test("with the real QEMU the guest speaks", needsTools("bash", "qemu-system-riscv64"), (context) => {
  const { status, stdout, stderr } = makeScript(context).run([]);
  assert.equal(stdout, "R");
  // It passes the machine's way, but says no KTAP.
  assert.equal(status, 2);
  assert.match(stderr, /no verdict: QEMU ended with status 0/);
});

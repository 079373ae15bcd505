// The whole tool on riscv64, with real QEMU and in this process: specs compiled, packed, booted, run and compared. QEMU's are skipped, with the
// reason, where QEMU is missing, unless GUESTSPEC_REQUIRE=qemu says that it must be there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { RunEvent, TestFinished } from "../../runtime/events.ts";
import { runTool, startTool, type Outcome } from "../cli/transcripts.ts";
import { qemuProblem } from "../qtest/qemu.ts";
import { processesWith, until, untilSignalled } from "../fixtures/processes.ts";
import { isRequired } from "../fixtures/required.ts";

const problem = qemuProblem();
const withQemu = { skip: problem === null || isRequired("qemu") ? false : problem };

const GOOD = `suite "good"

var counter: u32

suite setup { counter = 41 }

test "counts {n}" for n in 1 as u32..40 {
  counter += 1
  expect counter == 42
}
`;
const CPUS = `suite "cpus"

shared var turns: u32

test "four CPUs, run {n}" for n in 0 as u32..250 {
  cpu 0 { for _i in 0..9 { atomic.add(&turns, 1) } }
  cpu 1 { for _i in 0..9 { atomic.add(&turns, 1) } }
  cpu 2 { for _i in 0..9 { atomic.add(&turns, 1) } }
  cpu 3 { for _i in 0..9 { atomic.add(&turns, 1) } }
  expect turns == 36
}
`;
const BAD = `suite "bad"

test "first" { expect 1 + 1 == 2 }

test "adds up" {
  let sum: u32 = 1
  expect sum == 3
}

@exits(7)
test "ends the machine as promised" needs finisher {
  poke.u32(machine.finisher0.base, 7 << 16 | 0x3333)
}

test "ends the machine" needs finisher {
  poke.u32(machine.finisher0.base, 9 << 16 | 0x3333)
  expect false
}

@exits(reset)
test "resets the machine as promised" needs finisher {
  poke.u32(machine.finisher0.base, 0x7777)
}

test "resets the machine" needs finisher {
  poke.u32(machine.finisher0.base, 0x7777)
  expect false
}

test "traps" {
  let nowhere = 0x6_0000 as *u64
  nowhere.* = 1
  expect false
}

test "never ends" {
  while true {}
  expect false
}

test "last" { expect 2 + 2 == 4 }
`;

function makeFolder(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-tool-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "tmp"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** As a user runs it, with a folder for temporary files that must be empty afterwards. */
async function run(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const outcome = await runTool(["run", ...args], { cwd: folder, env: { TMPDIR: join(folder, "tmp"), ...env } });
  assert.deepEqual(readdirSync(join(folder, "tmp")), []);
  return outcome;
}

/** As a shell splits it. */
async function wordsOf(line: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("sh", ["-c", `printf '%s\\0' ${line}`]);
  return stdout.split("\0").slice(0, -1);
}

function resultsOf({ stdout }: Outcome): ReadonlyMap<string, TestFinished> {
  const events = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RunEvent);
  return new Map(
    events.flatMap((event) => (event.type === "test-finished" ? [[`${event.test} ${event.row ?? ""}@${event.engine}`.replace(" @", "@"), event]] : [])),
  );
}

for (const engine of ["embedded", "qemu"]) {
  test(`each way to end costs one test: ${engine}`, engine === "qemu" ? withQemu : {}, async (context) => {
    const folder = makeFolder(context, { "good.gspec": GOOD, "bad.gspec": BAD });
    const outcome = await run(folder, ["--target", "riscv64", "--engine", engine, "-r", "ndjson"]);
    assert.equal(outcome.stderr, "");
    assert.equal(outcome.code, 1);
    const results = resultsOf(outcome);
    const verdicts = Object.fromEntries(
      [...results].filter(([, { suite }]) => suite === "bad").map(([name, { verdict }]) => [name.replace(`@${engine}`, ""), verdict]),
    );
    assert.deepEqual(verdicts, {
      first: "pass",
      "adds up": "fail",
      "ends the machine as promised": "pass",
      "ends the machine": "crash",
      "resets the machine as promised": "pass",
      "resets the machine": "crash",
      traps: "crash",
      "never ends": "timeout",
      last: "pass",
    });
    assert.match(results.get(`ends the machine@${engine}`)?.failures[0]?.message ?? "", /^the guest powered the machine off with code 9/);
    assert.match(results.get(`resets the machine@${engine}`)?.failures[0]?.message ?? "", /^the guest reset the machine/);
    const trap = results.get(`traps@${engine}`)?.failures[0];
    assert.match(trap?.message ?? "", /^unexpected trap access_fault.*: write of 8 bytes at 0x6_0000 in /);
    assert.equal(trap?.frame?.path, "bad.gspec");
    assert.match(trap?.frame?.lines.find(({ number }) => number === trap.frame?.line)?.text ?? "", /nowhere\.\* = 1/);
    const good = [...results.values()].filter(({ suite }) => suite === "good");
    assert.equal(good.length, 39);
    assert.ok(good.every(({ verdict }) => verdict === "pass"));
  });
}

test("the embedded machine says the same in every run, guest time included, for any number of workers", async (context) => {
  const folder = makeFolder(context, { "good.gspec": GOOD, "cpus.gspec": CPUS });
  const stable = ({ stdout }: Outcome): string => stdout.replace(/"(wall\w*|\w+At)":("[^"]*"|\[[^\]]*\]|[\d.e+-]+)/g, '"$1":0');
  const first = stable(await run(folder, ["--target", "riscv64", "-r", "ndjson", "--seed", "7"]));
  assert.match(first, /"verdict":"pass"/);
  for (const jobs of ["1", "2"]) assert.ok(stable(await run(folder, ["--target", "riscv64", "-r", "ndjson", "--seed", "7", "--jobs", jobs])) === first);
});

test("two runs with one seed are the same, for any number of machines", withQemu, async (context) => {
  const folder = makeFolder(context, { "good.gspec": GOOD, "other.gspec": GOOD.replace('"good"', '"other"') });
  // Guest time is read in ticks of 100 ns, and a call begins somewhere in one.
  const stable = ({ stdout }: Outcome): string => stdout.replace(/"(wall\w*|\w+At|guestNs)":("[^"]*"|\[[^\]]*\]|[\d.e+-]+)/g, '"$1":0');
  const single = stable(await run(folder, ["--target", "riscv64", "--engine", "qemu", "-r", "ndjson", "--jobs", "1"]));
  assert.ok(stable(await run(folder, ["--target", "riscv64", "--engine", "qemu", "-r", "ndjson", "--jobs", "2"])) === single);
});

test("engines are compared test by test", withQemu, async (context) => {
  const folder = makeFolder(context, {
    "both.gspec": `suite "both"\n\ntest "same" { expect true }\n\ntest "on a target" { expect machine.timebase != 10_000_000 or machine.ram.size == 16 * 1024 * 1024 }\n`,
  });
  const outcome = await run(folder, ["--target", "bytecode,riscv64", "--engine", "all", "--compare", "-r", "human"]);
  assert.match(outcome.stdout, /Compare {2}2 tests on 3 engines/);
  assert.match(outcome.stdout, /1 test differs:\n\nboth\.gspec::both::on a target\n {2}bytecode\/embedded pass, riscv64\/embedded fail, riscv64\/qemu fail/);
  assert.equal(outcome.code, 1);
});

test("a test is found again by the line that its report gives", withQemu, async (context) => {
  const folder = makeFolder(context, { "bad.gspec": BAD });
  const outcome = await run(folder, ["bad.gspec::bad::adds up@riscv64/qemu", "--target", "riscv64", "--engine", "qemu", "-r", "ndjson"]);
  const [result] = resultsOf(outcome).values();
  assert.equal(result?.repro, "guestspec run 'bad.gspec::bad::adds up@riscv64/qemu' --target riscv64 --engine qemu --seed 0");
});

test("without QEMU its tests are skipped with what to install, which may be an error", async (context) => {
  const folder = makeFolder(context, { "good.gspec": GOOD });
  const nowhere = { QEMU_riscv64: "qemu-nowhere", QEMU_x86_64: "qemu-nowhere" };
  const skipped = await run(folder, ["--target", "x86_64", "-r", "ndjson"], nowhere);
  assert.equal(skipped.code, 0);
  assert.match([...resultsOf(skipped).values()][0]?.reason ?? "", /^qemu-nowhere is not there \(Debian: apt install qemu-system-x86\)$/);
  assert.equal((await run(folder, ["--target", "x86_64"], { ...nowhere, GUESTSPEC_REQUIRE: "qemu" })).code, 6);
  const named = await run(folder, ["--target", "riscv64", "--engine", "qemu"], nowhere);
  assert.deepEqual([named.code, named.stderr], [75, "error: qemu-nowhere is not there (Debian: apt install qemu-system-misc)\n"]);
  const text = await run(folder, ["--target", "riscv64", "--engine", "qemu", "--qemu", "./good.gspec"]);
  assert.deepEqual([text.code, text.stderr], [75, "error: ./good.gspec is no program that can be executed\n"]);
  const wrong = await run(folder, ["--engine", "qemu"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^error: engine `qemu` cannot make bytecode-virt\n/);
});

test("options that QEMU refuses are told with its words and the command", withQemu, async (context) => {
  const folder = makeFolder(context, { "bad.gspec": BAD });
  const outcome = await run(folder, ["first", "--target", "riscv64", "--qemu-arg=-nonsense"]);
  assert.equal(outcome.code, 75);
  assert.match(outcome.stdout, /QEMU did not start: .*-nonsense: invalid option/);
  assert.match(outcome.stdout, /started as: qemu-system-riscv64 .* -nonsense/);
  assert.match(outcome.stdout, /rerun .* --qemu-arg=-nonsense --seed 0$/m);
});

const WHERE: readonly (readonly [options: readonly string[], flags: Readonly<Record<string, string>>])[] = [
  [
    ["--target", "riscv64", "--engine", "all", "--accel", "tcg", "--append", "k=1", "--append=-x 'y", "--qemu-arg=-no-reboot"],
    {
      "riscv64/embedded": "--target riscv64 --engine embedded --seed 0",
      "riscv64/qemu": `--target riscv64 --engine qemu --accel=tcg --append=k=1 --append='-x '\\''y' --qemu-arg=-no-reboot --seed 0`,
    },
  ],
  [
    ["--target", "bytecode,x86_64", "--machine", "x86-pc", "--qemu", "qemu-system-x86_64", "--isolate", "test", "--hang-after=9s"],
    {
      "bytecode/embedded": "--target bytecode --machine bytecode-virt --seed 0",
      "x86_64/qemu": "--target x86_64 --machine x86-pc --qemu=qemu-system-x86_64 --isolate=test --hang-after=9s --seed 0",
    },
  ],
];

for (const [options, flags] of WHERE) {
  test(`one line runs a test again where it ran, and nothing else: ${options.join(" ")}`, withQemu, async (context) => {
    const folder = makeFolder(context, { "wrong.gspec": 'suite "wrong"\n\ntest "adds" { expect 1 + 1 == 3 }\n\ntest "counts" { expect 1 == 1 }\n' });
    const lines = [...resultsOf(await run(folder, ["-r", "ndjson", ...options])).values()].flatMap(({ verdict, repro }) => (verdict === "fail" ? [repro] : []));
    assert.deepEqual(
      lines,
      Object.entries(flags).map(([where, text]) => `guestspec run 'wrong.gspec::wrong::adds@${where}' ${text}`),
    );
    for (const line of lines) {
      const [, ...words] = await wordsOf(line);
      const again = [...resultsOf(await run(folder, [...words.slice(1), "-r", "ndjson"])).values()];
      assert.deepEqual(
        again.map(({ verdict, repro }) => [verdict, repro]),
        [["fail", line]],
      );
    }
  });
}

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  test(`${signal} leaves no QEMU`, withQemu, async (context) => {
    const folder = makeFolder(context, { "long.gspec": `suite "long"\n\n@timeout(1000s)\ntest "long" {\n  while true {}\n  expect true\n}\n` });
    const tool = startTool(["run", "--target", "riscv64", "--engine", "qemu"], { cwd: folder, env: { TMPDIR: join(folder, "tmp") } });
    const exited = once(tool, "exit");
    const scratch = join(folder, "tmp");
    await until("there is a machine", () => processesWith(scratch).length > 0);
    // Before the run begins ^C ends the process as it ends any; a machine may have started by then.
    await until("it has its image", () => readdirSync(scratch, { recursive: true, encoding: "utf8" }).some((name) => existsSync(join(scratch, name, "boot0"))));
    tool.kill(signal);
    if (signal === "SIGINT") {
      // The first one waits for the test, the second one does not.
      await untilSignalled(tool.pid ?? 0);
      tool.kill(signal);
    }
    const [code] = (await exited) as [number | null];
    if (signal === "SIGINT") assert.equal(code, 130);
    await until("no process and no file is left", () => processesWith(scratch).length === 0 && readdirSync(scratch).length === 0);
  });
}

// The QEMU engine against a guest that is no machine: everything that a guest, or QEMU, can do wrong costs one test, is told with
// that test, and leaves nothing behind. A process of its own, because it starts many.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FAILS, fakeImage, PASSES, runFake, type FakeRunOptions, type FakeTest } from "../../../tests/fixtures/fake-machine.ts";
import type { FakeStep } from "../../../tests/fixtures/fake-guest.ts";
import { processesWith, until } from "../../../tests/fixtures/processes.ts";
import { root } from "../../../tools/project.mjs";
import type { TestFinished } from "../../events.ts";
import { encodeFrame } from "../frames.ts";
import type { Fleet } from "./fleet.ts";

const folder = mkdtempSync(join(tmpdir(), "guestspec-fleet-"));
process.env.TMPDIR = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

const GOOD: FakeTest = { name: "good", steps: PASSES };
const AFTER: FakeTest = { name: "after", steps: ["p 1", { add: 1 }, "e 2"] };

/** The test between two good ones; what the others became is checked here. */
async function among(steps: readonly FakeStep[], rest: Partial<FakeTest> = {}, options: FakeRunOptions = {}): Promise<TestFinished> {
  const image = fakeImage("a.gspec", [{ name: "s", setup: ["p 4", { add: 3 }, "e 0"], tests: [GOOD, { name: "bad", steps, ...rest }, AFTER, GOOD] }]);
  const { results } = await runFake([image], options);
  const [first, bad, after, last] = results;
  assert.deepEqual([first?.verdict, after?.verdict, last?.verdict], ["pass", "pass", "pass"]);
  // Set-up was run again where it had to be, and only its state is there.
  assert.equal(after?.console, "3");
  assert.ok(bad !== undefined);
  return bad;
}

const ENDINGS: readonly (readonly [string, readonly FakeStep[], TestFinished["verdict"], RegExp])[] = [
  ["a failed check", FAILS, "fail", /^expected value == 3, got 0x0000_0002$/],
  ["an exit", ["p 1", { exit: 3 }], "crash", /^the guest powered the machine off with code 3, before the test had ended$/],
  ["a silent exit", ["p 1", { exit: 0 }], "crash", /^the guest powered the machine off with code 0, before the test had ended$/],
  ["an exit before a word", [{ exit: 0 }], "crash", /code 0 during setup, before the test had ended$/],
  ["a signal", ["p 1", { signal: "SIGSEGV" }], "crash", /^QEMU was ended by SIGSEGV$/],
  ["QEMU's own fault", ["p 1", { stderr: "qemu-system-x: no such thing\n" }, { exit: 1 }], "crash", /^QEMU gave up$/],
  ["an unhandled trap", ["p 1", "u 5 20003 dead0000 2 4 1 0 0", { exit: 2 }], "crash", /^unexpected trap access_fault: write of 4 bytes at 0xdead_0000/],
  [
    "a double fault",
    ["p 1", "d 3 0 0 0 0 0 0 5 20003 dead0000 2 4 1 0 0", { exit: 2 }],
    "crash",
    /^double fault: .* while handling access_fault: write of 4 bytes/,
  ],
  ["a run-time that gives up", ["p 1", "x no memory", { exit: 2 }], "crash", /^the guest's run-time gave up: no memory$/],
  ["a guest that starts anew", ["p 1", { restart: true }, { hang: true }], "crash", /^the guest started anew$/],
  ["an answer out of order", ["p 1", { answer: "k 1" }], "crash", /^the guest said `kept` when it was to say `called`$/],
  ["a return without an end", ["p 1"], "crash", /without reporting the end of the test/],
  ["a flood of text", ["p 1", { flood: "x".repeat(10_000) }], "crash", /^the guest flooded the console \(\d+ bytes\) and was stopped$/],
  ["a flood of frames", ["p 1", { flood: Buffer.from(encodeFrame("f 0 0")).toString("latin1").repeat(1000) }], "crash", /^expected value == 3/],
];
for (const [name, steps, verdict, message] of ENDINGS) {
  test(`${name} costs one test: ${verdict}`, async () => {
    const bad = await among(steps);
    assert.equal(bad.verdict, verdict);
    assert.match(bad.failures[0]?.message ?? "", message);
  });
}

test("garbage on the console is text, and no result", async () => {
  const bad = await among(["p 1", { text: "ok 1\nz 1 0\n\x1ez 1 0*00\n\x1e\x1e\xff" }, "e 1"]);
  assert.equal(bad.verdict, "pass");
  assert.ok(bad.console.startsWith("ok 1\nz 1 0\n\x1ez 1 0*00\n\x1e"));
});

test("a hang ends after the limit, with the console's last lines", async () => {
  const bad = await among(["p 1", { text: "one\ntwo\n" }, { hang: true }], {}, { hangAfterMs: 400 });
  assert.equal(bad.verdict, "hung");
  assert.equal(bad.failures[0]?.message, "hung: no end after 400 ms of wall time, the machine was stopped");
  assert.equal(bad.console, "one\ntwo\n");
  assert.ok(bad.wallMs >= 400 && bad.wallMs < 5000, String(bad.wallMs));
});

test("a test that is to end its machine passes by that, and the next one starts another", async () => {
  assert.equal((await among(["p 1", { exit: 3 }], { attributes: { exits: "3" } })).verdict, "pass");
  assert.match((await among(["p 1", { exit: 4 }], { attributes: { exits: "3" } })).failures[0]?.message ?? "", /but it powered it off with code 4/);
});

test("an expected failure may be a dead machine", async () => {
  assert.equal((await among(["p 1", { exit: 0 }], { xfail: "bug 7" })).verdict, "xfail");
});

test("one boot runs many tests of many files, and every case has its own seed", async () => {
  const images = ["a.gspec", "b.gspec"].map((file) =>
    fakeImage(file, [
      {
        name: "s",
        setup: ["p 4", "e 0", { add: 2 }],
        teardown: ["p 5", { add: 0 }, "e 0"],
        tests: Array.from({ length: 100 }, (_, at) => ({ name: `t${at}`, steps: ["p 1", { add: 1 }, "e 1"] })),
      },
    ]),
  );
  const { results, log } = await runFake(images);
  assert.equal(results.length, 200);
  assert.ok(results.every(({ verdict, console }) => verdict === "pass" && console === "2"));
  assert.equal(log.filter((line) => line === "start").length, 1);
  assert.deepEqual(
    log.filter((line) => line.startsWith("load")),
    ["load a.gspec", "load b.gspec"],
  );
  // Teardown runs from the state that set-up left, after the last case.
  assert.match(log.find((line) => line.includes("call a.gspec 1 0")) ?? "", /at 2$/);
  assert.equal(new Set(log.flatMap((line) => /4 .* seed (\w+)/.exec(line)?.[1] ?? [])).size, 200);
});

test("isolation: a machine for each test, a payload for each suite, or neither", async () => {
  const suite = (name: string) => ({ name, setup: ["p 4", "e 0"], tests: [GOOD, { ...GOOD, name: "other" }] });
  const image = fakeImage("a.gspec", [suite("s"), suite("t")]);
  const counts = async (isolation: NonNullable<FakeRunOptions["isolation"]>): Promise<readonly number[]> => {
    const { results, log } = await runFake([image], { isolation });
    assert.ok(results.every(({ verdict }) => verdict === "pass"));
    return ["start", "load", "call a.gspec 0"].map((begin) => log.filter((line) => line.startsWith(begin)).length);
  };
  assert.deepEqual(await counts("test"), [4, 4, 4]);
  assert.deepEqual(await counts("suite"), [1, 2, 2]);
  assert.deepEqual(await counts("none"), [1, 1, 2]);
});

test("a machine that does not come up twice in a row makes its tests errors; another payload still runs", async () => {
  const bad = fakeImage("bad.gspec", [{ name: "s", tests: [GOOD, AFTER] }], { boot: [{ text: "panic: no memory\n" }, { exit: 9 }] });
  const good = fakeImage("good.gspec", [{ name: "s", tests: [GOOD] }]);
  for (const images of [
    [bad, good],
    [good, bad],
  ]) {
    const { results, log } = await runFake(images);
    const [first, second, third] = results.toSorted((a, b) => a.id.localeCompare(b.id));
    assert.deepEqual([first?.verdict, second?.verdict, third?.verdict], ["error", "error", "pass"]);
    assert.match(first?.failures[0]?.message ?? "", /^the image did not boot: the guest powered the machine off with code 9/);
    assert.equal(`${first?.console}${second?.console}`, "panic: no memory\n");
    assert.ok(log.filter((line) => line === "start").length <= 4, log.join("\n"));
  }
});

test("a machine that comes up at the second try is good", async () => {
  const image = fakeImage("a.gspec", [{ name: "s", tests: [GOOD, AFTER] }], { boot: [{ exit: 9 }], badStarts: 1 });
  const { results } = await runFake([image]);
  assert.deepEqual(
    results.map(({ verdict }) => verdict),
    ["pass", "pass"],
  );
});

test("a program that is not there, or refuses its options, is told once with the command", async () => {
  const image = fakeImage("a.gspec", [{ name: "s", tests: [GOOD, AFTER] }]);
  const missing = await runFake([image], { binary: "qemu-system-nowhere" });
  assert.deepEqual(
    missing.results.map(({ verdict }) => verdict),
    ["error", "error"],
  );
  assert.match(missing.results[0]?.failures[0]?.message ?? "", /^the image did not boot: QEMU did not start: .*qemu-system-nowhere/);
  assert.match(missing.results[0]?.failures[0]?.details.at(-1) ?? "", /^started as: qemu-system-nowhere .*fake-guest\.ts'? -kernel /);
  assert.equal(missing.log.length, 0);
});

test("set-up that fails fails its tests, and a set-up that fails when it is run again is told", async () => {
  const failing = fakeImage("a.gspec", [{ name: "s", setup: FAILS, tests: [GOOD, AFTER] }], {});
  const { results } = await runFake([
    { ...failing, payload: { ...failing.payload, entries: { ...failing.payload.entries, "0 0": { steps: FAILS, result: 0 } } } },
  ]);
  assert.deepEqual(
    results.map(({ verdict, failures }) => [verdict, failures[0]?.message.slice(0, 18)]),
    [
      ["fail", "suite setup failed"],
      ["fail", "suite setup failed"],
    ],
  );
  const dying = fakeImage("b.gspec", [{ name: "s", setup: ["p 4", { exit: 1 }], tests: [GOOD, AFTER] }]);
  const dead = (await runFake([dying])).results;
  assert.deepEqual(
    dead.map(({ verdict }) => verdict),
    ["crash", "crash"],
  );
  assert.match(dead[0]?.failures[0]?.message ?? "", /^suite setup failed: the guest powered the machine off with code 1 during suite setup/);
});

test("several machines share the suites, and more CPUs are another machine", async () => {
  const images = ["a", "b", "c", "d"].map((name) => fakeImage(`${name}.gspec`, [{ name, tests: [{ name: "slow", steps: ["p 1", { sleep: 200 }, "e 1"] }] }]));
  const { results, log } = await runFake(images, { jobs: 2 });
  assert.equal(results.filter(({ verdict }) => verdict === "pass").length, 4);
  assert.equal(log.filter((line) => line === "start").length, 2);
  const two = fakeImage("two.gspec", [{ name: "s", tests: [GOOD, { name: "two", steps: PASSES, needs: [{ name: "cpus", args: ["2"] }] }] }]);
  const other = await runFake([two]);
  assert.deepEqual(
    other.results.map(({ verdict }) => verdict),
    ["pass", "pass"],
  );
  assert.equal(other.log.filter((line) => line === "start").length, 2);
});

test("what the machine lacks is skipped without a machine", async () => {
  const image = fakeImage("a.gspec", [{ name: "s", setup: ["p 4", "e 0"], tests: [{ ...GOOD, needs: [{ name: "mmu", args: [] }] }] }]);
  const { results, log } = await runFake([image]);
  assert.deepEqual([results[0]?.verdict, results[0]?.reason], ["skip", "needs mmu: bytecode-virt has no mmu"]);
  assert.deepEqual(log, []);
});

for (const signal of ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`a runner ended by ${signal} leaves no machine and no folder`, { skip: process.platform === "linux" ? false : "looks at /proc" }, async () => {
    const runner = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(root, "tests/fixtures/hang-fake.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
    await once(runner.stdout, "data");
    assert.ok(processesWith(folder).length > 0);
    const gone = once(runner, "exit");
    runner.kill(signal);
    await gone;
    await until("no machine is left", () => processesWith(folder).length === 0);
    await until("no folder is left", () => readdirSync(folder).every((name) => name.startsWith("guestspec-fake")));
  });
}

test("a run that is ended at once settles, and leaves no machine", async () => {
  const image = fakeImage("hang.gspec", [{ name: "s", tests: [GOOD, { name: "hangs", steps: ["p 1", { hang: true }] }, AFTER] }]);
  const seen: number[] = [];
  const { results } = await runFake([image], {
    onStart(options) {
      Object.assign(options, {
        onRunning(index: number) {
          seen.push(index);
          if (index === 1) setTimeout(() => void fleet()?.terminate(), 50);
        },
      });
    },
    onFleet: (started) => void (fleet = () => started),
  });
  assert.deepEqual(seen, [0, 1]);
  assert.deepEqual(
    results.map(({ verdict }) => verdict),
    ["pass"],
  );
  await until("no machine is left", () => processesWith(folder).length === 0);
});
let fleet: () => Fleet | null = () => null;

test("a run leaves no folder", () => {
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith("guestspec-fake")),
    [],
  );
});

// The embedded engine with real machines and executors: each kind of good and bad guest, and what must be the same whatever runs it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytecodeVirt as machine } from "../../tests/fixtures/machines.ts";
import type { TestFinished } from "../events.ts";
import type { CaseEngine } from "./case-engine.ts";
import { createEmbeddedEngine, type EngineOptions, type ExecutorChoice } from "./embedded.ts";
import { engineHost } from "./host.ts";
import type { EngineImage } from "./session.ts";
import { buildGuest, failing, passes, stuck, type GuestCase, type GuestOptions, type GuestSuite, type GuestTest } from "../../tests/fixtures/guest.ts";

const defaults: EngineOptions = { seed: 0n, executor: "interpreter", timeoutNs: null, maxInstructions: null, required: [], reproFlags: " --seed 0" };

function one(guestCase: GuestCase, rest: Partial<GuestTest> = {}): GuestSuite[] {
  return [{ name: "s", tests: [{ name: "t", cases: [guestCase], ...rest }] }];
}

async function runAll(image: EngineImage, options: Partial<EngineOptions> = {}): Promise<TestFinished[]> {
  const engine = open(image, options);
  const results: TestFinished[] = [];
  for (const [suite, { tests }] of image.manifest.suites.entries()) {
    const last = tests.length - 1;
    for (const [index, { cases }] of tests.entries()) {
      for (const caseIndex of cases.keys()) {
        const isLast = index === last && caseIndex === cases.length - 1;
        results.push(
          await engine.run({
            suite,
            test: index,
            case: caseIndex,
            opensSuite: index === 0 && caseIndex === 0,
            opensTable: index === 0 && caseIndex === 0,
            closesSuite: isLast,
            closesTable: isLast,
          }),
        );
      }
    }
  }
  engine.dispose();
  return results;
}

function open(image: EngineImage, options: Partial<EngineOptions> = {}): CaseEngine {
  return createEmbeddedEngine(image, { ...defaults, ...options }, engineHost, 1);
}

async function runOne(
  guestCase: GuestCase,
  rest: Partial<GuestTest> = {},
  options: Partial<EngineOptions> = {},
  guest: GuestOptions = {},
): Promise<TestFinished> {
  const [result] = await runAll(buildGuest(one(guestCase, rest), machine, guest), options);
  assert.ok(result !== undefined);
  return result;
}

/** What may differ between runs is left out. */
function stable(result: TestFinished): object {
  return { ...result, wallMs: 0, wallStartMs: 0 };
}

test("a case that reports its end passes, with checks, console and identity", async () => {
  const result = await runOne({ say: ["p 0", { text: "hello\n" }, "p 1", "i 0", "m so far\\nso good", "e 3"] });
  assert.deepEqual(stable(result), {
    type: "test-finished",
    id: "specs/guest.gspec::s::t@bytecode/embedded",
    file: "specs/guest.gspec",
    line: 10,
    suite: "s",
    test: "t",
    row: null,
    target: "bytecode",
    engine: "embedded",
    verdict: "pass",
    reason: null,
    promised: false,
    checks: 3,
    failures: [],
    infos: [{ file: "specs/guest.gspec", line: 10, text: "so far\nso good" }],
    console: "hello\n",
    tags: [],
    guestNs: result.instructions,
    instructions: result.instructions,
    wallMs: 0,
    wallStartMs: 0,
    wallWorker: 0,
    repro: "guestspec run 'specs/guest.gspec::s::t@bytecode/embedded' --seed 0",
  });
  assert.ok(result.instructions > 50);
});

test("a failed check fails the case and tells values; a skip after it does not hide it", async () => {
  const result = await runOne({ say: ["p 1", "f 0 0", "v 0 2", "m row 7", "s 0", "m never mind", "e 1"] });
  assert.equal(result.verdict, "fail");
  const [failure] = result.failures;
  assert.equal(failure?.message, "expected value == 3, got 0x0000_0002");
  assert.equal(failure?.note, "row 7");
  assert.deepEqual(failure?.values, [{ text: "value", value: "0x0000_0002 (2)", type: "u32" }]);
});

test("a skip has its reason", async () => {
  const result = await runOne({ say: ["p 1", "s 0", "m no such device", "e 0"] });
  assert.deepEqual([result.verdict, result.reason], ["skip", "no such device"]);
});

test("a guest that does not report the end, or prints what looks like it, has not passed", async () => {
  for (const say of [["p 1"], ["p 1", { text: "ok 1 - t\n\x1ee 1*00\n" }]]) {
    const result = await runOne({ say });
    assert.equal(result.verdict, "crash");
    assert.match(result.failures[0]?.message ?? "", /without reporting the end of the test/);
  }
});

const ENDINGS: readonly (readonly [GuestCase, string, string, RegExp])[] = [
  [stuck("deadlock"), "hung", "deadlock", /^deadlock: every CPU waits and no device event is pending, in case0/],
  [stuck("power off"), "crash", "error", /powered the machine off with code 0, before the test had ended/],
  [stuck("divide"), "crash", "trap", /^unexpected trap divide_error in case0/],
  [stuck("recurse"), "crash", "stack-overflow", /^the stack overflowed in recurse/],
];
for (const [guestCase, verdict, kind, message] of ENDINGS) {
  test(`ends by ${guestCase.action}: ${verdict}`, async () => {
    const result = await runOne(guestCase);
    assert.equal(result.verdict, verdict);
    assert.equal(result.failures[0]?.kind, kind);
    assert.match(result.failures[0]?.message ?? "", message);
  });
}

test("an endless loop ends at the limit, which is named", async () => {
  const byCount = await runOne(stuck("loop"), {}, { maxInstructions: 10_000 });
  // Without a trap vector the timeout trap is unhandled: a real guest turns it into its own report.
  assert.equal(byCount.failures[0]?.kind, "timeout");
  const frame = await runOne({ say: ["p 1", "t e 10000 0 0 0 0 0", "p 2", "e 0"] }, { timeout: 10 });
  assert.equal(frame.verdict, "timeout");
  assert.match(frame.failures[0]?.message ?? "", /^the limit of 10 ns of guest time was reached in /);
});

test("each case starts from the same state, whatever ran before", async () => {
  const counting: GuestCase = { say: ["p 1"], action: "count" };
  const image = buildGuest([{ name: "s", tests: [{ name: "t", cases: [counting, stuck("divide"), counting, counting] }] }], machine);
  const results = await runAll(image);
  assert.deepEqual(
    results.map(({ verdict, console }) => [verdict, console]),
    [
      ["pass", "0"],
      ["crash", ""],
      ["pass", "0"],
      ["pass", "0"],
    ],
  );
});

test("seeds differ by case and run, and are the same for the same case of the same seed", async () => {
  const draw: GuestCase = { say: ["p 1"], action: "draw" };
  const image = buildGuest([{ name: "s", tests: [{ name: "t", cases: [draw, draw, draw, draw, draw, draw] }] }], machine);
  const drawn = async (seed: bigint): Promise<string> => (await runAll(image, { seed })).map(({ console }) => console).join("");
  const first = await drawn(1n);
  assert.equal(await drawn(1n), first);
  assert.notEqual(await drawn(2n), first);
  assert.ok(new Set(first).size > 1, first);
});

test("expected failures and unexpected passes", async () => {
  const failed = await runOne({ ...failing, xfail: "bug 7" });
  assert.deepEqual([failed.verdict, failed.reason, failed.failures.length], ["xfail", "bug 7", 1]);
  const crashed = await runOne({ ...stuck("divide"), xfail: "bug 8" });
  assert.equal(crashed.verdict, "xfail");
  const passed = await runOne({ ...passes, xfail: "bug 7" });
  assert.deepEqual([passed.verdict, passed.reason], ["xpass", "bug 7"]);
});

test("what cannot run here is skipped with the reason, and a promise is kept track of", async () => {
  const need = (name: string, ...args: readonly string[]) => ({ needs: [{ name, args }] });
  const cases: readonly (readonly [Partial<GuestTest>, string])[] = [
    [need("cpus", "9"), "needs cpus(9): bytecode-virt has up to 8 CPUs"],
    [need("mmu"), "needs mmu: bytecode-virt has no mmu"],
    [
      need("pci", "0x1b36:0x9999"),
      "needs pci(0x1b36:0x9999): bytecode-virt has pci, pci(0x1b36:0x0008), pci(0x1b36:0x0005), pci(0x1234:0x11e8), " +
        "pci(0x1af4:0x1043), pci(0x1af4:0x1044), pci(0x1af4:0x1042), pci(0x1af4:0x1041)",
    ],
    [{ on: ["x86_64"] }, "is for x86_64, this is bytecode"],
  ];
  for (const [rest, reason] of cases) {
    const result = await runOne(passes, rest, { required: ["pci"] });
    assert.deepEqual([result.verdict, result.reason, result.instructions], ["skip", reason, 0]);
    assert.equal(result.promised, reason.startsWith("needs pci"));
  }
  assert.equal((await runOne({ ...passes, skip: "later" }, {}, { required: ["all"] })).promised, true);
  assert.equal((await runOne(passes, need("pci", "0x1B36:0x5"))).verdict, "pass");
  assert.equal((await runOne(passes, need("cpus", "2"))).verdict, "pass");
});

test("a suite's set-up failing fails its tests: the first one tells the story", async () => {
  const suites: GuestSuite[] = [
    {
      name: "a",
      setup: { say: ["p 4", "f 0 0", "v 0 9", "e 1"], ok: false },
      tests: [
        { name: "one", cases: [passes] },
        { name: "two", cases: [passes] },
      ],
    },
    { name: "b", setup: { say: ["p 4", "e 0"], ok: true }, tests: [{ name: "three", cases: [passes] }] },
    { name: "c", setup: { say: [], ok: false }, tests: [{ name: "four", cases: [passes] }] },
  ];
  const [one_, two, three, four] = await runAll(buildGuest(suites, machine));
  assert.equal(one_?.verdict, "fail");
  assert.equal(one_.failures[0]?.kind, "setup");
  assert.equal(one_.failures[0]?.message, "suite setup failed: expected value == 3, got 0x0000_0009 (in suite setup)");
  assert.equal(one_.failures[0]?.values.length, 1);
  assert.equal(two?.failures[0]?.message, one_.failures[0]?.message);
  assert.equal(two?.failures[0]?.values.length, 0);
  assert.equal(three?.verdict, "pass");
  assert.match(four?.failures[0]?.message ?? "", /suite setup failed without saying why/);
});

test("failures of teardowns show at the last case", async () => {
  const broken = { say: ["p 5", "f 0 0", "e 1"], ok: false };
  const suites: GuestSuite[] = [{ name: "a", teardown: broken, tests: [{ name: "t", cases: [passes, passes], tableHooks: 0 }] }];
  const results = await runAll(buildGuest(suites, machine, { tableTeardown: { say: [], ok: false } }));
  assert.deepEqual(
    results.map(({ verdict }) => verdict),
    ["pass", "fail"],
  );
  assert.deepEqual(
    results[1]?.failures.map(({ kind, message }) => [kind, message]),
    [
      ["teardown", "table teardown failed without saying why"],
      ["teardown", "expected value == 3 (in suite teardown)"],
    ],
  );
});

test("a suite is taken down behind a table whose set-up did not hold, or skips its cases", async () => {
  const broken = { say: ["p 5", "f 0 0", "e 1"], ok: false };
  const suites: GuestSuite[] = [{ name: "a", teardown: broken, tests: [{ name: "t", cases: [passes, passes], tableHooks: 0 }] }];
  for (const [say, verdicts, first] of [
    [["p 6", "f 0 0"], ["fail", "fail"], ["table setup failed: expected value == 3 (in table setup)"]],
    [["s 0"], ["skip", "fail"], []],
  ] as const) {
    const results = await runAll(buildGuest(suites, machine, { tableSetup: { say: [...say], ok: false } }));
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      verdicts,
    );
    assert.deepEqual(
      results[1]?.failures.map(({ message }) => message),
      [...first, "expected value == 3 (in suite teardown)"],
    );
  }
});

test("a table's set-up applies to its tests only", async () => {
  const suites: GuestSuite[] = [
    {
      name: "a",
      tests: [
        { name: "with", cases: [passes, passes], tableHooks: 0 },
        { name: "without", cases: [passes] },
      ],
    },
  ];
  const results = await runAll(buildGuest(suites, machine, { tableSetup: { say: [], ok: false } }));
  assert.deepEqual(
    results.map(({ verdict }) => verdict),
    ["fail", "fail", "pass"],
  );
});

test("an image that does not boot, or does not fit, is an error of every test", async () => {
  const result = await runOne(passes, {}, {}, { boot: "divide" });
  assert.equal(result.verdict, "error");
  assert.match(result.failures[0]?.message ?? "", /^the image did not boot: unexpected trap divide_error/);
  const small = { ...machine, ram: { ...machine.ram, size: 8192 } };
  const [tooBig] = await runAll(buildGuest(one(passes), small));
  assert.equal(tooBig?.verdict, "error");
  assert.match(tooBig.failures[0]?.message ?? "", /RAM/);
});

test("the console is cut in the middle", async () => {
  const result = await runOne({ say: [{ text: `begin${"x".repeat(70_000)}end` }, "e 0"] });
  assert.match(result.console, /^beginx+\n\[\.\. 4472 bytes left out \.\.\]\nx+end$/);
});

test("device accesses of the report itself are not shown", async () => {
  const result = await runOne({ say: [{ text: "hi" }, "f 0 0", "e 1"] });
  assert.deepEqual(
    result.failures[0]?.accesses.map((line) => line.replace(/^ *[\d.]+ [a-z]+ +/, "")),
    ["write  uart0+0x0  width 1 = 0x68", "write  uart0+0x0  width 1 = 0x69"],
  );
});

test("every executor gives the same results", async () => {
  const suites: GuestSuite[] = [
    {
      name: "s",
      setup: { say: ["p 4", "e 0"], ok: true },
      teardown: { say: ["p 5", "e 0"], ok: true },
      tests: [
        { name: "good", cases: [passes, failing, { say: ["p 1"], action: "count" }] },
        { name: "bad", cases: [stuck("deadlock"), stuck("power off"), stuck("divide"), stuck("recurse")] },
        { name: "loop", cases: [stuck("loop")], timeout: 100_000 },
        { name: "two cpus", cases: [passes], needs: [{ name: "cpus", args: ["2"] }] },
      ],
    },
  ];
  const image = buildGuest(suites, machine);
  const byExecutor = async (executor: ExecutorChoice): Promise<object[]> => (await runAll(image, { executor })).map(stable);
  const oracle = await byExecutor("interpreter");
  assert.deepEqual(await byExecutor("wasm"), oracle);
  assert.deepEqual(await byExecutor("auto"), oracle);
});

// Plans, the order of results, and whole runs with real workers: the recorded stream is the same for any number of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { finished } from "../../tests/fixtures/events.ts";
import { bytecodeVirt as machine } from "../../tests/fixtures/machines.ts";
import { isGood, type RunEvent, type TestFinished } from "../events.ts";
import type { EngineOptions } from "../engines/embedded.ts";
import { engineHost } from "../engines/host.ts";
import type { EngineImage } from "../engines/session.ts";
import { buildGuest, failing, passes, stuck, type GuestCase, type GuestSuite } from "../../tests/fixtures/guest.ts";
import { listCases, makePlan, type RunPlan } from "./plan.ts";
import type { BytecodeFunction } from "../../isa/bytecode/module.ts";
import { createRelease } from "./release.ts";
import { startRun, type RunHandle, type RunRequest } from "./runner.ts";
import { createWorkQueue } from "./work-queue.ts";
import { startPool } from "./worker-pool.ts";

const engine: EngineOptions = { seed: 7n, executor: "auto", timeoutNs: null, maxInstructions: null, required: [], reproFlags: " --seed 7" };

const suites: GuestSuite[] = [
  {
    name: "a",
    setup: { say: ["p 4", "e 0"], ok: true },
    tests: [
      { name: "good", cases: [passes] },
      { name: "rows", cases: [passes, failing, { ...passes, skip: "later" }, { say: ["p 1"], action: "count" }] },
      { name: "hangs", cases: [stuck("deadlock")] },
    ],
  },
  { name: "b", tests: [{ name: "draws", cases: Array.from({ length: 12 }, (): GuestCase => ({ say: ["p 1"], action: "draw" })) }] },
];
const first = buildGuest(suites, machine, { file: "specs/first.gspec" });
const second = buildGuest([{ name: "c", tests: [{ name: "t", cases: [passes, stuck("divide"), passes] }] }], machine, { file: "specs/second.gspec" });
const images: readonly EngineImage[] = [first, second];

function request(plan: RunPlan, rest: Partial<RunRequest> = {}): RunRequest {
  return {
    images,
    plan,
    deselected: 0,
    engine,
    host: engineHost,
    jobs: 1,
    failFast: null,
    tool: "guestspec test",
    isLive: false,
    exitCodeOf: ({ counts }) => (Object.entries(counts).some(([verdict, count]) => count > 0 && !isGood(verdict as TestFinished["verdict"])) ? 1 : 0),
    ...rest,
  };
}

const all = makePlan(images, listCases(images), null);

async function record(rest: Partial<RunRequest> = {}, plan: RunPlan = all, control?: (handle: RunHandle, event: RunEvent) => void): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  let handle: RunHandle | null = null;
  handle = startRun(request(plan, rest), (event) => {
    events.push(event);
    if (handle !== null) control?.(handle, event);
  });
  await handle.finished;
  return events;
}

/** The stream as it is recorded, without what may differ between two runs. */
function recorded(events: readonly RunEvent[]): string[] {
  return events
    .filter(({ type }) => type !== "test-running" && type !== "test-status")
    .map((event) => JSON.stringify(event, (key, value: unknown) => (key.startsWith("wall") || key.endsWith("At") ? 0 : value)));
}

function idsOf(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => (event.type === "test-finished" ? [event.id.replace("@bytecode/embedded", "").replace("specs/", "")] : []));
}

test("cases have ids, places and needs that filters see", () => {
  const cases = listCases(images);
  assert.equal(cases.length, 21);
  const { id, file, line, suite, test: name, row, target, engine: engineName } = cases[2] ?? assert.fail();
  assert.deepEqual(
    { id, file, line, suite, name, row, target, engineName },
    {
      id: "specs/first.gspec::a::rows[1]@bytecode/embedded",
      file: "specs/first.gspec",
      line: 11,
      suite: "a",
      name: "rows",
      row: "1",
      target: "bytecode",
      engineName: "embedded",
    },
  );
  assert.equal(new Set(cases.map((planned) => planned.id)).size, cases.length);
});

test("needs are seen as capabilities and as the devices that provide them", () => {
  const needy = buildGuest(
    [
      {
        name: "s",
        tests: [
          {
            name: "t",
            cases: [passes],
            needs: [
              { name: "pci", args: ["0x1234:0x11e8"] },
              { name: "rtc", args: [] },
            ],
          },
        ],
      },
    ],
    machine,
  );
  const [planned] = listCases([needy]);
  assert.deepEqual(planned?.needs, ["pci(0x1234:0x11e8)", "rtc"]);
  assert.deepEqual(planned?.devices, ["rtc0", "edu0"]);
});

test("a plan follows the files; openings and closings are those of what can run", () => {
  assert.deepEqual(
    all.suites.map(({ name, tests, plan }) => [name, tests, plan.length]),
    [
      ["a", 6, 3],
      ["b", 12, 1],
      ["c", 3, 1],
    ],
  );
  assert.deepEqual(all.suites[0]?.plan, [
    { test: "good", rows: null },
    { test: "rows", rows: 4 },
    { test: "hangs", rows: null },
  ]);
  assert.deepEqual(
    all.work.map(({ opensSuite }, index) => (opensSuite ? index : -1)).filter((index) => index >= 0),
    [0, 6, 18],
  );
  assert.deepEqual(
    all.work.map(({ closesSuite }, index) => (closesSuite ? index : -1)).filter((index) => index >= 0),
    [5, 17, 20],
  );
  const lastSkipped = makePlan(images, listCases(images).slice(0, 4), null);
  assert.equal(
    lastSkipped.work.findIndex(({ closesSuite }) => closesSuite),
    2,
  );
});

test("shuffling keeps files, suites and rows together, and depends on the seed only", () => {
  const cases = listCases(images);
  const order = (seed: bigint): string[] => makePlan(images, cases, seed).work.map(({ id }) => id);
  assert.deepEqual(order(3n), order(3n));
  assert.notDeepEqual(order(3n), order(4n));
  assert.deepEqual(order(3n).toSorted(), all.work.map(({ id }) => id).toSorted());
  const groups = (key: RegExp): string[] => order(5n).map((id) => key.exec(id)?.[0] ?? "");
  for (const key of [/^[^:]+/, /^[^:]+::[^:]+/, /^[^[@]+/]) {
    const changes = groups(key).filter((group, index, list) => group !== list[index - 1]);
    assert.equal(new Set(changes).size, changes.length, String(key));
  }
});

test("the stream: a plan, suites round their tests, counts and exit code", async () => {
  const events = await record();
  assert.deepEqual(
    events.map(({ type }) => type).filter((type) => type !== "test-finished"),
    ["run-started", "suite-started", "suite-finished", "suite-started", "suite-finished", "suite-started", "suite-finished", "run-finished"],
  );
  const [started] = events;
  assert.ok(started?.type === "run-started");
  assert.deepEqual([started.seed, started.tests, started.targets], ["7", 21, ["bytecode"]]);
  const finished = events.at(-1);
  assert.ok(finished?.type === "run-finished");
  assert.deepEqual([finished.counts.pass, finished.counts.fail, finished.counts.hung, finished.counts.crash, finished.counts.skip], [17, 1, 1, 1, 1]);
  assert.deepEqual([finished.notRun, finished.interrupted, finished.exitCode], [0, false, 1]);
  const verdicts = events.flatMap((event) => (event.type === "suite-finished" ? [event.verdict] : []));
  assert.deepEqual(verdicts, ["hung", "pass", "crash"]);
});

test("the same seed gives the same stream, another seed another one", async () => {
  const once = recorded(await record());
  assert.deepEqual(recorded(await record()), once);
  assert.deepEqual(recorded(await record({ engine: { ...engine, executor: "interpreter" } })), once);
  assert.deepEqual(recorded(await record({ engine: { ...engine, executor: "wasm" } })), once);
  assert.notDeepEqual(recorded(await record({ engine: { ...engine, seed: 8n } })), once);
});

test("--fail-fast stops at the same test, and says how many did not run", async () => {
  const events = await record({ failFast: 2 });
  assert.deepEqual(idsOf(events).at(-1), "first.gspec::a::hangs");
  const finished = events.at(-1);
  assert.ok(finished?.type === "run-finished");
  assert.equal(finished.notRun, 15);
  assert.equal(events.at(-2)?.type, "suite-finished");
});

test("an interruption lets the running test finish and closes the stream", async () => {
  const events = await record({ isLive: true }, all, (handle, event) => {
    if (event.type === "test-finished" && event.test === "good") handle.interrupt();
  });
  const finished = events.at(-1);
  assert.ok(finished?.type === "run-finished");
  assert.equal(finished.interrupted, true);
  assert.equal(finished.notRun, 20);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["run-started", "test-running", "suite-started", "test-finished", "suite-finished", "run-finished"],
  );
});

test("workers take over when what is left is worth it, and nothing in the stream tells", async () => {
  const many: GuestSuite[] = Array.from({ length: 4 }, (_, index) => ({
    name: `s${index}`,
    setup: { say: ["p 4", "e 0"], ok: true },
    teardown: { say: ["p 5", "f 0 0", "e 1"], ok: false },
    tests: [
      { name: "loops", cases: Array.from({ length: 10 }, (): GuestCase => stuck("loop")) },
      { name: "draws", cases: Array.from({ length: 10 }, (): GuestCase => ({ say: ["p 1"], action: "draw" })) },
    ],
  }));
  const own = [buildGuest(many, machine, { file: "specs/many.gspec" }), second];
  const plan = makePlan(own, listCases(own), null);
  // Clocks of the test's own: every look at them finds 5 ms gone, however busy the machine is, so that workers always pay.
  let clock = 0;
  const tick = (): number => (clock += 5);
  const options = {
    images: own,
    host: { ...engineHost, now: tick, cpuTime: tick },
    engine: { ...engine, maxInstructions: 400_000, executor: "interpreter" as const },
    workerPolicy: { trialMs: 10, warmMs: 0, worthMs: 20, transferMs: 0, share: 0 },
  };
  const alone = recorded(await record(options, plan));
  const idle = new Int32Array(new SharedArrayBuffer(4));
  const together = await record({ ...options, jobs: 3, isLive: true }, plan, (_, event) => {
    // Keeps this thread from being done before a worker has started, on whatever machine: once one has, this thread takes no more tests.
    if (event.type === "test-running" && event.worker === 0) Atomics.wait(idle, 0, 0, 200);
  });
  assert.deepEqual(recorded(together), alone);
  const workers = new Set(together.flatMap((event) => (event.type === "test-finished" ? [event.wallWorker] : [])));
  assert.ok(workers.has(0) && workers.size > 1, [...workers].join());
  const stopped = await record({ ...options, jobs: 2, failFast: 5 }, plan);
  assert.deepEqual(recorded(stopped), recorded(await record({ ...options, failFast: 5 }, plan)));
});

function resultOf(index: number, verdict: TestFinished["verdict"] = "pass"): TestFinished {
  const { id, suite } = all.work[index] ?? assert.fail();
  return finished({ id, suite: String(suite), verdict });
}

test("results leave in plan order however they come", () => {
  const events: RunEvent[] = [];
  const release = createRelease(all, Infinity, (event) => events.push(event));
  for (const index of [2, 1, 5, 20]) release.add(index, resultOf(index));
  assert.equal(release.released, 0);
  release.add(0, resultOf(0));
  assert.equal(release.released, 3);
  // Tests 3, 4 and 6 to 19 never came.
  release.finish();
  assert.equal(release.released, 5);
  assert.deepEqual(
    events.map((event) => (event.type === "test-finished" ? event.id.split("::").at(-1) : event.type)),
    [
      "suite-started",
      "good@bytecode/embedded",
      "rows[0]@bytecode/embedded",
      "rows[1]@bytecode/embedded",
      "hangs@bytecode/embedded",
      "suite-finished",
      "suite-started",
      "t[2]@bytecode/embedded",
      "suite-finished",
    ],
  );
});

test("failures are counted in plan order, so that late results cannot move the stop", () => {
  const release = createRelease(all, 1, () => undefined);
  release.add(3, resultOf(3, "fail"));
  release.add(1, resultOf(1, "crash"));
  assert.equal(release.isStopped, false);
  release.add(0, resultOf(0));
  assert.equal(release.isStopped, true);
  assert.equal(release.released, 2);
  assert.equal(release.counts.fail, 0);
});

test("a worker that stops answering is replaced, and only its test is lost", async () => {
  const looping = buildGuest([{ name: "s", tests: [{ name: "t", cases: [passes, stuck("loop"), passes, passes] }] }], machine);
  const units = listCases([looping]).map((planned, index) => ({
    suite: 0,
    test: 0,
    case: planned.caseIndex,
    opensSuite: index === 0,
    closesSuite: index === 3,
    closesTable: false,
    opensTable: false,
    index,
  }));
  const results = new Map<number, string>();
  let given = false;
  // However busy the machine is: no time goes by but while the test loops that is to be lost.
  let clock = 0;
  const pool = startPool({
    workers: 1,
    // No limit that is reached in the life of this test.
    engine: { ...engine, timeoutNs: 1e15, maxInstructions: 1e15, executor: "interpreter" },
    hangMs: 700,
    now: () => clock,
    onRunning(index) {
      if (index === 1) clock += 1000;
    },
    repeat: 1,
    plannedCases: () => 4,
    imageAt: () => looping,
    nextBatch() {
      if (given) return null;
      given = true;
      return { image: 0, units };
    },
    onResult: (index, result) => void results.set(index, result.verdict),
    onLost: (index, how) => void results.set(index, how),
  });
  await pool.done;
  await pool.terminate();
  assert.deepEqual(Object.fromEntries(results), { 0: "pass", 1: "hung", 2: "pass", 3: "pass" });
});

test("an image whose functions make their instructions when asked arrives whole", async () => {
  const guest = buildGuest([{ name: "s", tests: [{ name: "t", cases: [passes] }] }], machine);
  assert.ok(guest.module !== undefined);
  class Reused {
    readonly #fn: BytecodeFunction;
    readonly name: string;
    readonly signature: BytecodeFunction["signature"];
    readonly registers: BytecodeFunction["registers"];
    readonly frameSize: number;
    constructor(fn: BytecodeFunction) {
      this.#fn = fn;
      ({ name: this.name, signature: this.signature, registers: this.registers, frameSize: this.frameSize } = fn);
    }
    get body(): BytecodeFunction["body"] {
      return this.#fn.body;
    }
  }
  const image = { ...guest, module: { ...guest.module, functions: guest.module.functions.map((fn) => new Reused(fn)) } };
  const verdicts: string[] = [];
  let given = false;
  const pool = startPool({
    workers: 1,
    engine,
    hangMs: 10_000,
    now: () => engineHost.now(),
    repeat: 1,
    plannedCases: () => 1,
    imageAt: () => image,
    nextBatch() {
      if (given) return null;
      given = true;
      return { image: 0, units: [{ index: 0, suite: 0, test: 0, case: 0, opensSuite: true, opensTable: true, closesSuite: true, closesTable: true }] };
    },
    onResult: (_index, result) => void verdicts.push(result.verdict),
    onLost: (_index, how) => void verdicts.push(how),
  });
  await pool.done;
  await pool.terminate();
  assert.deepEqual(verdicts, ["pass"]);
});

test("a worker that dies takes one test with it", async () => {
  const broken = buildGuest([{ name: "s", tests: [{ name: "t", cases: [passes, passes] }] }], machine);
  const results = new Map<number, string>();
  let given = false;
  const pool = startPool({
    workers: 2,
    engine,
    hangMs: 60_000,
    now: () => engineHost.now(),
    repeat: 1,
    plannedCases: () => 2,
    imageAt: () => broken,
    nextBatch() {
      if (given) return null;
      given = true;
      const unit = { suite: 0, test: 0, opensSuite: false, closesSuite: false, closesTable: false, opensTable: false };
      // The manifest has no case 99: a fault of the plan, which the engine throws as such.
      return {
        image: 0,
        units: [
          { ...unit, case: 0, index: 0 },
          { ...unit, case: 99, index: 1 },
          { ...unit, case: 1, index: 2 },
        ],
      };
    },
    onResult: (index, result) => void results.set(index, result.verdict),
    onLost: (index, how, message) => void results.set(index, `${how}: ${message}`),
  });
  await pool.done;
  await pool.terminate();
  assert.deepEqual(Object.fromEntries(results), { 0: "pass", 1: "died: the manifest has no case 0/0/99", 2: "pass" });
});

test("tests and boots have their places on the run's own clock", async () => {
  const events = await record();
  const end = events.at(-1);
  assert.ok(end?.type === "run-finished");
  const results = events.filter((event) => event.type === "test-finished");
  let last = 0;
  for (const { wallStartMs, wallMs, wallWorker, id } of results) {
    assert.equal(wallWorker, 0);
    assert.ok(wallStartMs >= last - 0.01 && wallStartMs + wallMs <= end.wallMs, id);
    last = wallStartMs + wallMs;
  }
  assert.deepEqual(
    end.wallBoots.map(({ engine: name, worker, target, machine: board }) => [name, worker, target, board]),
    [first, second].map(() => ["embedded", 0, "bytecode", machine.name]),
  );
  for (const { startMs, durationMs } of end.wallBoots) assert.ok(startMs >= 0 && durationMs > 0 && startMs + durationMs <= end.wallMs);
});

test("takers keep to an image, then take a free one, then share the fullest", () => {
  const unit = (image: number): (typeof all.work)[number] => ({ ...(all.work[0] ?? assert.fail()), image });
  const queue = createWorkQueue([0, 0, 0, 0, 1, 1, 2].map(unit));
  assert.deepEqual(queue.take(0, 1), { image: 0, indices: [0] });
  assert.deepEqual(queue.take(1, 1), { image: 1, indices: [4] });
  assert.deepEqual(queue.take(0, 1), { image: 0, indices: [1] });
  assert.deepEqual(queue.take(1, 9), { image: 1, indices: [5] });
  assert.deepEqual(queue.take(1, 9), { image: 2, indices: [6] });
  assert.deepEqual(queue.take(1, 1), { image: 0, indices: [2] });
  assert.equal(queue.left, 1);
  assert.deepEqual(queue.take(0, 0), { image: 0, indices: [3] });
  assert.equal(queue.take(0, 1), null);
  assert.equal(queue.take(5, 1), null);
});

test("a test that may run for long runs in a worker, so that this thread can be reached", async () => {
  const endless = buildGuest(
    [
      {
        name: "s",
        tests: [
          { name: "quick", cases: [passes] },
          { name: "endless", cases: [stuck("loop")], timeout: 1e15 },
          { name: "later", cases: [passes] },
        ],
      },
    ],
    machine,
  );
  const plan = makePlan([endless], listCases([endless]), null);
  const workers: number[] = [];
  const { promise: isLooping, resolve: loops } = Promise.withResolvers<void>();
  const handle = startRun(request(plan, { images: [endless], isLive: true, engine: { ...engine, executor: "interpreter" } }), (event) => {
    if (event.type !== "test-running") return;
    workers.push(event.worker);
    if (event.id.includes("::endless@")) loops();
  });
  // The event loop turns while the guest loops: that is the point.
  await isLooping;
  assert.deepEqual(workers, [0, 1]);
  await handle.abandon();
  const finished = await handle.finished;
  assert.deepEqual([finished.counts.pass, finished.notRun], [1, 2]);
});

test("every test repeated, here and in workers, gives what it gives once", async () => {
  const strip = (events: readonly RunEvent[]): string[] => recorded(events).map((line) => line.replace(/,"attempts":\[[^\]]*\]/, ""));
  const once = recorded(await record());
  const here = await record({ attempts: { repeat: 3, retries: 0 } });
  assert.deepEqual(strip(here), once);
  const times = here.flatMap((event) => (event.type === "test-finished" ? (event.attempts ?? []).map((attempt) => attempt.times) : []));
  assert.deepEqual(new Set(times), new Set([3]));
  const eager = { trialMs: 0, warmMs: 0, worthMs: 0.001, transferMs: 0, share: 0 };
  assert.deepEqual(strip(await record({ attempts: { repeat: 3, retries: 0 }, jobs: 3, workerPolicy: eager })), once);
});

test("what is settled does not run, and opens and closes no suite", async () => {
  const ids = listCases(images).map(({ id }) => id);
  const [openId = ""] = ids;
  const known = finished({ id: openId, verdict: "skip", reason: "in quarantine: later" });
  const settled = new Map([[openId, known]]);
  const plan = makePlan(images, listCases(images), null, { isSettled: (id) => settled.has(id) });
  assert.equal(
    plan.work.findIndex(({ opensSuite }) => opensSuite),
    1,
  );
  const events = await record({ settled }, plan);
  const results = events.filter((event) => event.type === "test-finished");
  assert.equal(results.length, ids.length);
  assert.deepEqual(results[0], known);
  assert.equal(results[1]?.verdict, "pass");
});

test("a rank moves images, suites, tests and rows, and leaves groups whole", () => {
  const cases = listCases(images);
  const first = cases.find(({ suite, row }) => suite === "c" && row === "1")?.id;
  const plan = makePlan(images, cases, null, { rank: (id) => (id === first ? 0 : 1) });
  assert.equal(plan.work[0]?.id, first);
  assert.deepEqual(
    plan.suites.map(({ name }) => name),
    ["c", "a", "b"],
  );
  assert.deepEqual(plan.work.map(({ id }) => id).sort(), all.work.map(({ id }) => id).sort());
});

test("the heaviest image is taken first, and reported in its place", async () => {
  const last = all.work.at(-1);
  const queue = createWorkQueue(
    all.work,
    () => false,
    ({ id }) => (id === last?.id ? 1000 : 1),
  );
  assert.equal(
    queue.peek(0),
    all.work.findIndex(({ image }) => image === last?.image),
  );
  const expectedMs = new Map([[last?.id ?? "", 1000]]);
  assert.deepEqual(recorded(await record({ expectedMs })), recorded(await record()));
});

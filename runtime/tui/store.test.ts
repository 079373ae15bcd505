// The live view's state with a clock of its own: what is painted when, what is handed to the history, what keys do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedRun } from "../../tests/fixtures/recorded-run.ts";
import type { RunEvent, TestFinished } from "../events.ts";
import { paintFor } from "../reporters/paint.ts";
import type { RunActions } from "../reporters/reporter.ts";
import { pressKey } from "./keys.ts";
import { formatRegion } from "./region.ts";
import { createTuiStore, type Timers, type TuiStore } from "./store.ts";

interface Clock extends Timers {
  readonly advance: (ms: number) => void;
}

function createClock(): Clock {
  let now = 0;
  let waiting: { at: number; run: () => void }[] = [];
  return {
    now: () => now,
    after(ms, run) {
      const entry = { at: now + ms, run };
      waiting.push(entry);
      return () => (waiting = waiting.filter((other) => other !== entry));
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = waiting.filter(({ at }) => at <= end).sort((left, right) => left.at - right.at);
        if (next === undefined) break;
        waiting = waiting.filter((other) => other !== next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = end;
    },
  };
}

interface Bench {
  readonly store: TuiStore;
  readonly clock: Clock;
  readonly calls: string[];
  paints: number;
}

function createBench(actions: Partial<RunActions> = {}, isVerbose = false): Bench {
  const calls: string[] = [];
  const clock = createClock();
  const store = createTuiStore({
    actions: {
      interrupt: () => void calls.push("interrupt"),
      rerunFailed: () => void calls.push("rerunFailed"),
      setFilter: (text) => (calls.push(`setFilter ${text}`), null),
      requestStatus: () => void calls.push("requestStatus"),
      ...actions,
    },
    timers: clock,
    paint: paintFor(false),
    isVerbose,
  });
  const bench = { store, clock, calls, paints: 0 };
  store.subscribe(() => void bench.paints++);
  return bench;
}

const noKey = { return: false, escape: false, backspace: false, delete: false, ctrl: false, meta: false };

function type(store: TuiStore, text: string): void {
  for (const character of text) pressKey(store, character, noKey);
}

const started = recordedRun[0];
const passed = recordedRun.find((event): event is TestFinished => event.type === "test-finished" && event.verdict === "pass");
const failed = recordedRun.find((event): event is TestFinished => event.type === "test-finished" && event.verdict === "fail");
assert.ok(started?.type === "run-started" && passed !== undefined && failed !== undefined);

function running(worker: number): RunEvent {
  return { type: "test-running", id: `id ${worker}`, title: `test ${worker}`, worker };
}

test("ten thousand results in one second cost at most eleven paints, and every line is handed out once", () => {
  const { store, clock, ...bench } = createBench();
  let paints = 0;
  let lines = 0;
  store.subscribe(() => {
    paints++;
    lines += store.takeLines().length;
  });
  store.handle({ ...started, tests: 10_000 });
  for (let tick = 0; tick < 1000; tick++) {
    for (let index = 0; index < 10; index++) store.handle(passed);
    clock.advance(1);
  }
  clock.advance(100);
  assert.ok(paints <= 12, `${paints} paints`);
  assert.equal(lines, 10_000 + 2);
  assert.equal(store.getSnapshot().done, 10_000);
  assert.deepEqual(store.takeLines(), []);
  assert.equal(bench.calls.length, 0);
});

test("nothing happening is one paint a second, so that ages move", () => {
  const bench = createBench();
  bench.store.handle(started);
  bench.store.handle(running(1));
  bench.clock.advance(100);
  const before = bench.paints;
  bench.clock.advance(5000);
  assert.equal(bench.paints - before, 5);
  assert.equal(bench.store.getSnapshot().running[0]?.ageMs, 5000);
});

test("rate and time left follow the last three seconds", () => {
  const { store, clock } = createBench();
  store.handle({ ...started, tests: 1000 });
  for (let tick = 0; tick < 40; tick++) {
    for (let index = 0; index < 10; index++) store.handle(passed);
    clock.advance(100);
  }
  const { perSecond, leftMs } = store.getSnapshot();
  assert.ok(Math.abs(perSecond - 100) < 10, `${perSecond}`);
  assert.ok(leftMs !== null && Math.abs(leftMs - 6000) < 900, `${leftMs}`);
  clock.advance(4000);
  assert.equal(store.getSnapshot().perSecond, 0);
});

test("a finished test runs no more; the longest running stands first", () => {
  const { store, clock } = createBench();
  store.handle(started);
  store.handle(running(2));
  clock.advance(500);
  store.handle(running(1));
  store.handle({ type: "test-running", id: passed.id, title: "t", worker: 3 });
  store.handle(passed);
  clock.advance(100);
  assert.deepEqual(
    store.getSnapshot().running.map(({ worker }) => worker),
    [2, 1],
  );
});

test("f shows failures only, and everything again", () => {
  const { store } = createBench();
  type(store, "f");
  store.handle(passed);
  store.handle(failed);
  assert.deepEqual(
    store.takeLines().filter((line) => line.includes("PASS")),
    [],
  );
  type(store, "f");
  store.handle(passed);
  assert.equal(store.takeLines().filter((line) => line.includes("PASS")).length, 1);
});

test("skipped tests are told with their suite, by reason, and each by itself with -v or when it was promised", () => {
  const skipped = (name: string, reason: string | null, rest: Partial<TestFinished> = {}): TestFinished => ({
    ...passed,
    id: `a.gspec::a::${name}`,
    file: "a.gspec",
    suite: "a",
    test: name,
    row: null,
    verdict: "skip",
    reason,
    promised: false,
    infos: [],
    ...rest,
  });
  const events: readonly RunEvent[] = [
    started,
    ...["one", "two", "three"].map((name) => skipped(name, "needs a disk")),
    skipped("four", null),
    skipped("five", "needs a net", { promised: true }),
    { type: "suite-finished", file: "a.gspec", suite: "a", target: passed.target, engine: passed.engine, verdict: "skip", wallMs: 1 },
  ];
  const linesOf = (isVerbose: boolean): readonly string[] => {
    const { store } = createBench({}, isVerbose);
    for (const event of events) store.handle(event);
    return store.takeLines().slice(2);
  };
  const [promised = "", why = "", suite = "", ...skips] = linesOf(false);
  assert.match(promised, /SKIP .*a\.gspec::a::five$/);
  assert.match(why, /^ +needs a net \(promised, so the run fails\)$/);
  assert.match(suite, /SKIP .*a\.gspec::a@.* 5 skipped/);
  assert.deepEqual(skips, ["         skipped 3 tests: needs a disk", '         skipped "four": no reason was given']);
  assert.equal(linesOf(true).filter((line) => / SKIP .*a::(one|two|three|four|five)$/.test(line)).length, 5);
  assert.equal(linesOf(true).filter((line) => line.includes("skipped 3")).length, 0);
});

test("t asks for the status of running tests and prints each answer once", () => {
  const { store, calls, clock } = createBench();
  type(store, "t");
  assert.deepEqual(calls, []);
  assert.equal(store.getSnapshot().notice, "no test is running");
  store.handle(running(1));
  const status: RunEvent = {
    type: "test-status",
    worker: 1,
    id: "id 1",
    guest: { pc: "0x8000_0010", guestNs: 1500, console: "one\ntwo\x1b[2J\n" },
  };
  store.handle(status);
  assert.deepEqual(store.takeLines(), [], "nobody has asked");
  clock.advance(1200);
  type(store, "t");
  assert.deepEqual(calls, ["requestStatus"]);
  store.handle(status);
  store.handle(status);
  assert.deepEqual(store.takeLines(), [" STATUS  id 1", "         pc 0x8000_0010, guest time 1.50 us, for 1.2 s", "         console | two\\x1b[2J"]);
});

test("the filter is typed, corrected, refused with a reason and taken", () => {
  const { store, calls } = createBench({ setFilter: (text) => (text === "tag(slow)" ? null : "no such predicate") });
  type(store, "/tg");
  assert.equal(store.getSnapshot().filterText, "tg");
  pressKey(store, "", { ...noKey, return: true });
  assert.deepEqual([store.getSnapshot().mode, store.getSnapshot().notice], ["filter", "no such predicate"]);
  pressKey(store, "", { ...noKey, backspace: true });
  type(store, "ag(slow)");
  pressKey(store, "", { ...noKey, return: true });
  assert.deepEqual([store.getSnapshot().mode, store.getSnapshot().notice], ["watch", "filter: tag(slow)"]);
  // Keys that mean something elsewhere are text here.
  type(store, "/qrf?");
  assert.equal(store.getSnapshot().filterText, "tag(slow)qrf?");
  pressKey(store, "u", { ...noKey, ctrl: true });
  assert.equal(store.getSnapshot().filterText, "");
  pressKey(store, "", { ...noKey, escape: true });
  assert.equal(store.getSnapshot().mode, "watch");
  assert.deepEqual(calls, []);
});

test("keys that arrive together count one by one", () => {
  const { store, calls } = createBench();
  pressKey(store, "f/tagg\x7f(x)\rq\x03", noKey);
  assert.ok(store.getSnapshot().isFailuresOnly);
  assert.deepEqual(calls, ["setFilter tag(x)", "interrupt", "interrupt"]);
});

test("r reruns only when something failed", () => {
  const { store, calls } = createBench();
  type(store, "r");
  assert.deepEqual([calls, store.getSnapshot().notice], [[], "nothing has failed"]);
  store.handle(failed);
  type(store, "r");
  assert.deepEqual(calls, ["rerunFailed"]);
});

test("^C and q interrupt, each time they are pressed, in every mode", () => {
  const { store, calls } = createBench();
  type(store, "q");
  type(store, "/");
  pressKey(store, "c", { ...noKey, ctrl: true });
  assert.deepEqual(calls, ["interrupt", "interrupt"]);
  assert.ok(store.getSnapshot().isStopping);
});

test("a rerun begins to count afresh", () => {
  const { store, clock } = createBench();
  for (const event of recordedRun) store.handle(event);
  store.handle({ ...started, tests: 1 });
  store.handle(passed);
  clock.advance(100);
  const { done, total, counts } = store.getSnapshot();
  assert.deepEqual([done, total, counts.pass, counts.fail], [1, 1, 1, 0]);
});

test("notices go after a while", () => {
  const { store, clock } = createBench();
  type(store, "f");
  assert.notEqual(store.getSnapshot().notice, null);
  clock.advance(6000);
  assert.equal(store.getSnapshot().notice, null);
});

// --- The region

function fill(count: number): TuiStore {
  const { store, clock } = createBench();
  for (const event of recordedRun.slice(0, 12)) store.handle(event);
  for (let worker = 1; worker <= count; worker++) store.handle(running(worker));
  clock.advance(3100);
  return store;
}

test("the region fits every terminal: at most eleven lines, one row less than there are, narrower than the screen", () => {
  for (const mode of ["watch", "filter", "help"] as const) {
    const store = fill(20);
    store.setMode(mode);
    for (let rows = 1; rows <= 40; rows++)
      for (const columns of [1, 2, 5, 12, 20, 40, 80, 200]) {
        const lines = formatRegion(store.getSnapshot(), { columns, rows }, paintFor(false));
        assert.ok(lines.length >= 1 && lines.length <= Math.max(1, Math.min(11, rows - 1)), `${lines.length} lines on ${columns}x${rows}`);
        for (const line of lines) assert.ok(line.length <= Math.max(1, columns - 1), `${line.length} columns on ${columns}x${rows}`);
      }
  }
});

test("the region tells progress, counts, keys and running tests", () => {
  const lines = formatRegion(fill(2).getSnapshot(), { columns: 100, rows: 30 }, paintFor(false));
  assert.match(lines[0] ?? "", /^ 26 % \[#{8}-{22}\] 8\/30 {2}3\.0 s$/);
  assert.match(lines[1] ?? "", /^ +6 passed {2}1 failed {2}1 xfail {2}5 deselected {2}seed 7f3a$/);
  assert.match(lines[2] ?? "", /f failures {2}t status {2}\/ filter {2}r rerun failed {2}q quit {2}\? help/);
  assert.match(lines[3] ?? "", /^#1 +3\.0 s SLOW {2}test 1$/);
  assert.equal(lines.length, 5);
});

test("what does not fit is counted", () => {
  const lines = formatRegion(fill(20).getSnapshot(), { columns: 100, rows: 30 }, paintFor(false));
  assert.equal(lines.length, 11);
  assert.equal(lines.at(-1), "   and 13 more running tests");
});

test("on two rows there is one line: the progress, or the prompt while typing", () => {
  const store = fill(3);
  assert.match(formatRegion(store.getSnapshot(), { columns: 60, rows: 2 }, paintFor(false)).join("|"), /^ 26 % /);
  store.setMode("filter");
  store.setFilterText("tag(x");
  assert.match(formatRegion(store.getSnapshot(), { columns: 60, rows: 2 }, paintFor(false)).join("|"), /^filter: tag\(x_/);
});

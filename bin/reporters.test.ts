// A reporter that throws, or whose file cannot be written, costs itself and the exit status: never the run, never another reporter.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../runtime/events.ts";
import type { Reporter } from "../runtime/reporters/index.ts";
import { recordedRun } from "../tests/fixtures/recorded-run.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { leaveWord, saveAll } from "./last-words.ts";
import { followRun } from "./reporters.ts";

interface Follower {
  readonly name: string;
  readonly reporter: Reporter;
  readonly seen: RunEvent[];
  close(): void;
  isFinished: boolean;
  isClosed: boolean;
}

function follower(name: string, at: (event: RunEvent) => void = () => undefined, end: () => void = () => undefined): Follower {
  const seen: RunEvent[] = [];
  const one: Follower = {
    name,
    seen,
    isFinished: false,
    isClosed: false,
    reporter: {
      handle(event) {
        at(event);
        seen.push(event);
      },
      finish() {
        end();
        one.isFinished = true;
      },
    },
    close: () => void (one.isClosed = true),
  };
  return one;
}

async function follow(followers: readonly Follower[], isDebug = false): Promise<{ readonly said: string; readonly fault: number | null }> {
  let said = "";
  const reporters = followRun(followers, (text) => void (said += text), { isDebug });
  for (const event of recordedRun) reporters.handle(event);
  await reporters.finish();
  return { said, fault: reporters.fault };
}

function throwAt(type: RunEvent["type"], error: Error): (event: RunEvent) => void {
  return (event) => {
    if (event.type === type) throw error;
  };
}

const full = new CommandError(EXIT.environment, "cannot write out.xml: no space left on device");

test("a reporter that throws is left out from then on, and the others are complete", async () => {
  const good = [follower("first"), follower("last")] as const;
  const bad = follower("bad", throwAt("suite-started", new TypeError("x is not a function\nat depth")));
  assert.deepEqual(await follow([good[0], bad, good[1]]), {
    said: "guestspec: internal error in reporter bad: x is not a function (a bug; GUESTSPEC_DEBUG=1 shows where); this report is not complete, all else goes on\n",
    fault: EXIT.internal,
  });
  assert.equal(bad.seen.length, 1);
  // Its end would be that of a green run.
  assert.deepEqual([bad.isFinished, bad.isClosed], [false, true]);
  for (const { seen, isFinished, isClosed } of good) assert.deepEqual([seen, isFinished, isClosed], [recordedRun, true, true]);
  assert.match((await follow([follower("bad", throwAt("run-finished", new Error("no")))], true)).said, /\n.*reporters\.test\.ts/);
});

test("a report that cannot be written is the environment's fault, whenever it turns out", async () => {
  const late = follower("junit", undefined, () => {
    throw full;
  });
  const closing = { ...follower("ctrf"), close: () => assert.fail("cannot be closed") };
  assert.deepEqual(await follow([late]), {
    said: "error: cannot write out.xml: no space left on device; this report is not complete, all else goes on\n",
    fault: EXIT.environment,
  });
  assert.equal(late.isClosed, true);
  // Of two faults ours is told by the status.
  assert.equal((await follow([closing, late])).fault, EXIT.internal);
  assert.deepEqual(await follow([follower("fine")]), { said: "", fault: null });
});

test("when the process ends by a bug, reports are closed once and nothing comes behind their end", async () => {
  const one = follower("one");
  const reporters = followRun([one], () => undefined);
  const [first, second] = recordedRun;
  assert.ok(first !== undefined && second !== undefined);
  reporters.handle(first);
  const unsay = leaveWord(() => reporters.finish());
  const takenBack = leaveWord(() => assert.fail("this was taken back"));
  leaveWord(() => Promise.reject(new Error("the same bug again")));
  takenBack();
  await saveAll();
  reporters.handle(second);
  await saveAll();
  unsay();
  assert.deepEqual([one.seen, one.isFinished], [[first], true]);
});

test("a document is drafted while results come, and its end takes the draft's place", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const written: string[] = [];
  const one = follower("document");
  const reporter: Reporter = { ...one.reporter, draft: () => `${one.seen.length} events`, finish: () => void written.push("the end") };
  const reporters = followRun([{ ...one, reporter, writeDraft: (text) => void written.push(text) }], assert.fail, { draftMs: 50 });
  const [first, second] = recordedRun;
  assert.ok(first !== undefined && second !== undefined);
  context.mock.timers.tick(60);
  reporters.handle(first);
  context.mock.timers.tick(40);
  reporters.handle(second);
  context.mock.timers.tick(60);
  reporters.handle(second);
  await reporters.finish();
  context.mock.timers.tick(100_000);
  assert.deepEqual(written, ["2 events", "the end"]);
});

test("a draft that cannot be written costs its report", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const one = follower("junit");
  let said = "";
  const writeDraft = (): void => {
    throw full;
  };
  const reporters = followRun([{ ...one, reporter: { ...one.reporter, draft: () => "" }, writeDraft }], (text) => void (said += text), { draftMs: 50 });
  const [first] = recordedRun;
  assert.ok(first !== undefined);
  reporters.handle(first);
  context.mock.timers.tick(60);
  await reporters.finish();
  assert.equal(said, "error: cannot write out.xml: no space left on device; this report is not complete, all else goes on\n");
  assert.deepEqual([reporters.fault, one.isFinished, one.isClosed], [EXIT.environment, false, true]);
});

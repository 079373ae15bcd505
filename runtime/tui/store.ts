// The live view's state, outside React: events and keys go in, immutable snapshots come out, at most ten a second and one a second when
// nothing happens. Ten thousand results a second cost one paint each 100 ms. Finished lines are handed out once and forgotten, so
// that memory does not grow with them; time and timers are given, so that tests need neither.
import { isGood, type RunEvent, type TestFinished } from "../events.ts";
import type { Paint } from "../reporters/paint.ts";
import { formatHeader, formatInfos, formatResult } from "../reporters/result-line.ts";
import { createRunLog } from "../reporters/run-log.ts";
import type { FailureBlockOptions } from "../reporters/failure-block.ts";
import type { RunActions } from "../reporters/reporter.ts";
import { formatGuestTime } from "../reporters/quantities.ts";
import { failedOf, type Counts } from "../reporters/tally.ts";
import { printable, printableLines } from "../reporters/terminal-text.ts";

const FRAME_MS = 100;
const IDLE_MS = 1000;
/** The rate is that of the last seconds, so that it tells what happens now. */
const RATE_WINDOW_MS = 3000;
const NOTICE_MS = 4000;

export interface Timers {
  readonly now: () => number;
  /** Returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export interface RunningTest {
  readonly worker: number;
  readonly id: string;
  readonly title: string;
  readonly ageMs: number;
}

export type Mode = "watch" | "filter" | "help";

export interface Snapshot {
  readonly version: number;
  readonly seed: string;
  readonly counts: Readonly<Counts>;
  readonly done: number;
  readonly total: number;
  readonly deselected: number;
  readonly elapsedMs: number;
  readonly perSecond: number;
  /** Expected time to the end; null while unknown. */
  readonly leftMs: number | null;
  /** Longest running first. */
  readonly running: readonly RunningTest[];
  readonly mode: Mode;
  readonly filterText: string;
  readonly isFailuresOnly: boolean;
  readonly isStopping: boolean;
  readonly notice: string | null;
  /** Nothing is shown any more. */
  readonly isClosed: boolean;
}

export interface TuiStore {
  readonly handle: (event: RunEvent) => void;
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => Snapshot;
  /** Lines for the history above the live region, each handed out once. */
  readonly takeLines: () => string[];
  /** What the run has to tell at its end. */
  readonly formatEnd: (options: FailureBlockOptions) => string[];
  readonly close: () => void;

  readonly setMode: (mode: Mode) => void;
  readonly setFilterText: (text: string) => void;
  readonly submitFilter: () => void;
  readonly toggleFailuresOnly: () => void;
  readonly requestStatus: () => void;
  readonly rerunFailed: () => void;
  readonly interrupt: () => void;
}

export interface StoreOptions {
  readonly actions: RunActions;
  readonly timers: Timers;
  readonly paint: Paint;
  readonly isVerbose: boolean;
}

export function createTuiStore({ actions, timers, paint, isVerbose }: StoreOptions): TuiStore {
  const log = createRunLog(isVerbose);
  const listeners = new Set<() => void>();
  /** By worker: each runs one test at a time. */
  const running = new Map<number, { readonly id: string; readonly title: string; readonly since: number }>();
  /** When results came, as counts by slice of the window. */
  let arrivals: { at: number; count: number }[] = [];
  let lines: string[] = [];
  let startedAt = timers.now();
  let done = 0;
  let plan = { seed: "", total: 0, deselected: 0 };
  let mode: Mode = "watch";
  let filterText = "";
  let isFailuresOnly = false;
  let isStopping = false;
  let isClosed = false;
  let notice: { readonly text: string; readonly until: number } | null = null;
  /** Tests whose status was asked for and has not come. */
  const statusWanted = new Set<string>();
  let version = 0;
  let snapshot = takeSnapshot();
  let painted = -Infinity;
  let cancel: (() => void) | null = null;

  function ratePerSecond(now: number): number {
    arrivals = arrivals.filter(({ at }) => now - at < RATE_WINDOW_MS);
    const [first] = arrivals;
    if (first === undefined) return 0;
    const count = arrivals.reduce((sum, arrival) => sum + arrival.count, 0);
    return (count * 1000) / Math.max(FRAME_MS, Math.min(RATE_WINDOW_MS, now - startedAt));
  }

  function takeSnapshot(): Snapshot {
    const now = timers.now();
    const perSecond = ratePerSecond(now);
    const left = plan.total - done;
    if (notice !== null && now >= notice.until) notice = null;
    return {
      version: version++,
      seed: plan.seed,
      counts: { ...log.counts },
      done,
      total: plan.total,
      deselected: plan.deselected,
      elapsedMs: now - startedAt,
      perSecond,
      leftMs: perSecond > 0 && left > 0 ? (left / perSecond) * 1000 : null,
      running: [...running]
        .map(([worker, { id, title, since }]) => ({ worker, id, title, ageMs: now - since }))
        .sort((left_, right) => right.ageMs - left_.ageMs || left_.worker - right.worker),
      mode,
      filterText,
      isFailuresOnly,
      isStopping,
      notice: notice?.text ?? null,
      isClosed,
    };
  }

  function publish(): void {
    cancel?.();
    cancel = null;
    painted = timers.now();
    snapshot = takeSnapshot();
    // Ages, the elapsed time and notices move on by themselves.
    if (!isClosed) cancel = timers.after(IDLE_MS, publish);
    for (const listener of listeners) listener();
  }

  let isScheduled = false;
  function schedule(): void {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    cancel?.();
    cancel = timers.after(Math.max(0, painted + FRAME_MS - timers.now()), () => {
      isScheduled = false;
      publish();
    });
  }

  /** Keys are answered at once. */
  function publishNow(): void {
    isScheduled = false;
    publish();
  }

  function say(text: string): void {
    notice = { text, until: timers.now() + NOTICE_MS };
  }

  function addTest(test: TestFinished): void {
    done++;
    const now = timers.now();
    const last = arrivals.at(-1);
    if (last !== undefined && now - last.at < FRAME_MS) last.count++;
    else arrivals.push({ at: now, count: 1 });
    for (const [worker, { id }] of running) if (id === test.id) running.delete(worker);
    statusWanted.delete(test.id);
    if ((isFailuresOnly && isGood(test.verdict)) || log.isToldWithSuite(test)) return;
    lines.push(...formatResult(test, paint));
    if (isVerbose) lines.push(...formatInfos(test, paint));
  }

  function addStatus(event: Extract<RunEvent, { type: "test-status" }>): void {
    if (!statusWanted.delete(event.id)) return;
    const since = running.get(event.worker)?.since;
    const age = since === undefined ? "" : `, for ${Math.round((timers.now() - since) / 100) / 10} s`;
    lines.push(`${paint.cyan(" STATUS")}  ${printable(event.id)}`);
    if (event.guest === null) {
      lines.push(`         runs${age}; its guest tells more when the test ends`);
      return;
    }
    lines.push(`         pc ${printable(event.guest.pc)}, guest time ${formatGuestTime(event.guest.guestNs)}${age}`);
    const last = printableLines(event.guest.console).at(-1);
    if (last !== undefined) lines.push(`         console | ${last}`);
  }

  return {
    handle(event: RunEvent): void {
      log.add(event);
      switch (event.type) {
        case "run-started":
          running.clear();
          statusWanted.clear();
          arrivals = [];
          done = 0;
          isStopping = false;
          startedAt = timers.now();
          plan = { seed: event.seed, total: event.tests, deselected: event.deselected };
          lines.push(...formatHeader(event, paint), "");
          break;
        case "coverage-measured":
          break;
        case "test-running":
          running.set(event.worker, { id: event.id, title: event.title, since: timers.now() });
          break;
        case "test-status":
          addStatus(event);
          break;
        case "test-finished":
          addTest(event);
          break;
        case "suite-finished":
          if (!isFailuresOnly || !isGood(event.verdict)) lines.push(...log.formatSuiteEnd(event, paint));
          break;
        case "run-finished":
          running.clear();
          break;
        case "suite-started":
          break;
      }
      schedule();
    },
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => snapshot,
    takeLines(): string[] {
      const taken = lines;
      lines = [];
      return taken;
    },
    formatEnd: (options) => log.formatEnd(options),
    close(): void {
      isClosed = true;
      publishNow();
    },

    setMode(next: Mode): void {
      mode = next;
      notice = null;
      publishNow();
    },
    setFilterText(text: string): void {
      filterText = text;
      notice = null;
      publishNow();
    },
    submitFilter(): void {
      const error = actions.setFilter(filterText);
      if (error === null) {
        mode = "watch";
        say(filterText === "" ? "filter removed" : `filter: ${filterText}`);
      } else say(error);
      publishNow();
    },
    toggleFailuresOnly(): void {
      isFailuresOnly = !isFailuresOnly;
      say(isFailuresOnly ? "showing failures only" : "showing every result");
      publishNow();
    },
    requestStatus(): void {
      if (running.size === 0) say("no test is running");
      for (const { id } of running.values()) statusWanted.add(id);
      if (running.size > 0) actions.requestStatus();
      publishNow();
    },
    rerunFailed(): void {
      if (failedOf(log.counts) === 0) say("nothing has failed");
      else {
        say("the failed tests will run again");
        actions.rerunFailed();
      }
      publishNow();
    },
    interrupt(): void {
      isStopping = true;
      actions.interrupt();
      publishNow();
    },
  };
}

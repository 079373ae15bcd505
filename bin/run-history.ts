// What became of tests in earlier runs of this folder: the source of `--last-failed`, `--failed-first`, `--longest-first` and of
// `status(..)` in filters. A line a test, appended after each run, so that a run of one test does not pay for the history of ten
// thousand; read, and then compacted, only by whoever asks. Kept in the cache: to lose it costs nothing but the answer.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { makeFolder } from "../compiler/images/make-folder.ts";
import { isGood, type TestFinished } from "../runtime/events.ts";
import { describeHostError } from "./errors.ts";
import type { Io } from "./io.ts";
import { homeFolder } from "./places.ts";

/** Wall time from which a test is `slow`. */
const SLOW_MS = 500;
const COMPACT_BYTES = 4 * 2 ** 20;

/** How a test ended last, by the letter that stands for it in the file. */
const STATES = { "+": "good", "-": "failed", f: "flaky", "?": "not-run", "~": "gone" } as const;
export type PastState = (typeof STATES)[keyof typeof STATES];
const LETTERS = Object.fromEntries(Object.entries(STATES).map(([letter, state]) => [state, letter])) as Readonly<Record<PastState, string>>;

export interface PastResult {
  readonly state: PastState;
  /** Of its last run; 0: unknown. */
  readonly wallMs: number;
}

export type RunHistory = ReadonlyMap<string, PastResult>;

function historyPath(io: Io): string {
  return join(cacheFolder({ env: io.env, home: homeFolder(io.env) }), "history", `${hashBytes(process.cwd())}.tests`);
}

function formatEntry(id: string, { state, wallMs }: PastResult): string {
  return `${LETTERS[state]}${Math.round(wallMs * 1000)} ${id}\n`;
}

/** Why the folder cannot be written, or null. */
function append(text: string, io: Io): string | null {
  const path = historyPath(io);
  try {
    makeFolder(dirname(path));
    appendFileSync(path, text);
    return null;
  } catch (error) {
    return describeHostError(error);
  }
}

export type ResultToRemember = Pick<TestFinished, "id" | "verdict" | "wallMs">;

const warned = new WeakSet<Io>();

/**
 * Remembers results, and which tests were wanted and did not run. False: nothing can be kept, neither this nor compiled specs, which is no
 * error of the run; it is told once.
 */
export function appendHistory(results: readonly ResultToRemember[], notRun: readonly string[], io: Io): boolean {
  const lines = results.map(({ id, verdict, wallMs }) =>
    formatEntry(id, { state: verdict === "flaky" ? "flaky" : isGood(verdict) ? "good" : "failed", wallMs }),
  );
  const problem = append([...lines, ...notRun.map((id) => formatEntry(id, { state: "not-run", wallMs: 0 }))].join(""), io);
  if (problem === null) return true;
  if (!warned.has(io)) {
    const folder = cacheFolder({ env: io.env, home: homeFolder(io.env) });
    io.err(`warning: ${folder} cannot be written (${problem}): every run compiles anew, and --last-failed knows nothing of this one\n`);
    io.err("  = help: XDG_CACHE_HOME names another place\n");
  }
  warned.add(io);
  return false;
}

/** Tests that are no more: nothing waits for them. */
export function forgetTests(ids: readonly string[], io: Io): void {
  if (ids.length > 0) append(ids.map((id) => formatEntry(id, { state: "gone", wallMs: 0 })).join(""), io);
}

export function readHistory(io: Io): RunHistory {
  const path = historyPath(io);
  const entries = new Map<string, PastResult>();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return entries;
  }
  // The last word counts, but a test that did not run keeps its time.
  for (const line of text.split("\n")) {
    const [, letter = "", time, id] = /^([-+f?~])(\d+) (.+)$/.exec(line) ?? [];
    const state = STATES[letter as keyof typeof STATES] as PastState | undefined;
    if (id === undefined || state === undefined) continue;
    if (state === "gone") entries.delete(id);
    else entries.set(id, { state, wallMs: state === "not-run" ? (entries.get(id)?.wallMs ?? 0) : Number(time) / 1000 });
  }
  if (text.length > COMPACT_BYTES) {
    try {
      writeFileSync(path, [...entries].map(([id, entry]) => formatEntry(id, entry)).join(""));
    } catch {
      // Read-only by now: the long form says the same.
    }
  }
  return entries;
}

/** Must run again before all is well. */
export function isOutstanding(entry: PastResult): boolean {
  return entry.state === "failed" || entry.state === "not-run";
}

/** The statuses of tests by id, as filters name them. */
export function statusesOf(ids: readonly string[], io: Io): ReadonlyMap<string, readonly string[]> {
  const history = readHistory(io);
  return new Map(
    ids.map((id) => {
      const entry = history.get(id);
      if (entry === undefined) return [id, ["new"]];
      const state = { failed: ["last-failed"], "not-run": ["not-run"], flaky: ["flaky"], good: [], gone: [] }[entry.state];
      return [id, [...state, ...(entry.wallMs >= SLOW_MS ? ["slow"] : [])]];
    }),
  );
}

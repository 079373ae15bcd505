// What became of tests in earlier runs of this folder: the source of `status(last-failed)`, `status(new)` and `status(slow)`. A line a
// test, appended after each run, so that a run of one test does not pay for the history of ten thousand; read, and then
// compacted, only by whoever filters by status. Kept in the cache: to lose it costs nothing but the answer.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { cacheFolder } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { isGood, type TestFinished } from "../runtime/events.ts";
import type { Io } from "./io.ts";

/** Wall time from which a test is `slow`. */
const SLOW_MS = 500;
const COMPACT_BYTES = 4 * 2 ** 20;

interface Entry {
  readonly isGood: boolean;
  readonly isSlow: boolean;
}

function historyPath(io: Io): string {
  return join(cacheFolder({ env: io.env, home: homedir() }), "history", `${hashBytes(process.cwd())}.log`);
}

function formatEntry(id: string, { isGood: good, isSlow }: Entry): string {
  return `${good ? "+" : "-"}${isSlow ? "s" : "q"} ${id}\n`;
}

/** Remembers results. False: the folder cannot be written, which `doctor` explains. */
export function appendHistory(results: readonly Pick<TestFinished, "id" | "verdict" | "wallMs">[], io: Io): boolean {
  const path = historyPath(io);
  const text = results.map(({ id, verdict, wallMs }) => formatEntry(id, { isGood: isGood(verdict), isSlow: wallMs >= SLOW_MS })).join("");
  try {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}

function readHistory(io: Io): ReadonlyMap<string, Entry> {
  const path = historyPath(io);
  const entries = new Map<string, Entry>();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return entries;
  }
  // The last word counts.
  for (const line of text.split("\n")) {
    if (/^[+-][sq] ./.test(line)) entries.set(line.slice(3), { isGood: line[0] === "+", isSlow: line[1] === "s" });
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

/** The statuses of tests by id, as filters name them. */
export function statusesOf(ids: readonly string[], io: Io): ReadonlyMap<string, readonly string[]> {
  const history = readHistory(io);
  return new Map(
    ids.map((id) => {
      const entry = history.get(id);
      if (entry === undefined) return [id, ["new"]];
      return [id, [...(entry.isGood ? [] : ["last-failed"]), ...(entry.isSlow ? ["slow"] : [])]];
    }),
  );
}

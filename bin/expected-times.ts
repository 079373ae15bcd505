// What tests are expected to take, for `--longest-first`: from the history of this folder, or from a file that travels (`--times`), such
// as from one run of a CI server to the next. The file is small JSON, sorted, so that it can be kept beside the specs.

import { readFileSync, writeFileSync } from "node:fs";
import { CommandError, describeHostError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import type { ParsedOptions } from "./options.ts";
import { readHistory, type ResultToRemember } from "./run-history.ts";

const VERSION = 1;

export interface ExpectedTimes {
  readonly expectedMs: ReadonlyMap<string, number>;
  /** With what this run took. */
  write(results: readonly ResultToRemember[]): void;
}

function parseTimes(text: string): ReadonlyMap<string, number> | null {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof data !== "object" || data === null || !("version" in data) || data.version !== VERSION || !("tests" in data)) return null;
  const { tests } = data;
  if (typeof tests !== "object" || tests === null) return null;
  const entries = Object.entries(tests as Readonly<Record<string, unknown>>);
  const times = entries.filter((entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] >= 0);
  return times.length === entries.length ? new Map(times) : null;
}

/** Empty when there is no such file yet. */
function readTimes(path: string): ReadonlyMap<string, number> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw new CommandError(EXIT.environment, `cannot read ${path}: ${describeHostError(error)}`);
  }
  const times = parseTimes(text);
  if (times !== null) return times;
  throw new CommandError(
    EXIT.usage,
    `${path} is no file of times`,
    `it should look like { "version": ${VERSION}, "tests": { "ID": 12.5 } }; without it a new one is made`,
  );
}

export function openTimes(options: ParsedOptions, io: Io): ExpectedTimes {
  const path = options.value("times");
  if (path === null) {
    const expectedMs = new Map([...readHistory(io)].map(([id, { wallMs }]) => [id, wallMs]));
    return { expectedMs, write: () => undefined };
  }
  const expectedMs = readTimes(path);
  return {
    expectedMs,
    write(results) {
      const all = new Map(expectedMs);
      for (const { id, wallMs } of results) all.set(id, Math.round(wallMs * 10) / 10);
      const tests = Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
      try {
        writeFileSync(path, `${JSON.stringify({ version: VERSION, tests }, null, 1)}\n`);
      } catch (error) {
        throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
      }
    },
  };
}

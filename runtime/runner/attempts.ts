// Several runs of one test as one result. On an engine that is deterministic the same seed must give the same result, to the instruction;
// where it does not, that is the news, whatever the verdicts were. Elsewhere the load of the host may have a say: a test that failed
// and then passed is `flaky`, which nobody may mistake for a pass.

import { isGood, type Attempt, type TestFinished } from "../events.ts";
import { makeFailure } from "../engines/failure.ts";
import { worst } from "../engines/verdict.ts";
import type { CaseEngine, WorkItem } from "../engines/case-engine.ts";

export interface AttemptPolicy {
  /** Each test runs so many times. */
  readonly repeat: number;
  /** A failed test runs again up to so many times, on engines that are not deterministic. */
  readonly retries: number;
}

export const ONE_ATTEMPT: AttemptPolicy = { repeat: 1, retries: 0 };

/** Engines whose results depend on the seed and on nothing else. */
export function isDeterministicEngine(engine: string): boolean {
  return engine === "embedded";
}

/** Whether a test with these results has run often enough. */
export function isSettled(results: readonly TestFinished[], { repeat, retries }: AttemptPolicy): boolean {
  const last = results.at(-1);
  if (last === undefined) return false;
  if (repeat > 1) return results.length >= repeat;
  return isGood(last.verdict) || results.length > retries;
}

/** What must not differ between two runs with one seed, in the order in which a difference is told. */
const COMPARED = ["verdict", "reason", "checks", "failures", "infos", "console", "guestNs", "instructions"] as const;

function firstMessage({ failures }: TestFinished): string | null {
  return failures[0]?.message ?? null;
}

function listAttempts(results: readonly TestFinished[]): readonly Attempt[] {
  const attempts: Attempt[] = [];
  for (const result of results) {
    const { verdict, wallMs } = result;
    const message = firstMessage(result);
    const last = attempts.at(-1);
    if (last?.verdict === verdict && last.message === message) attempts[attempts.length - 1] = { ...last, times: last.times + 1, wallMs: last.wallMs + wallMs };
    else attempts.push({ verdict, message, times: 1, wallMs });
  }
  return attempts;
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}..` : text;
}

/** The first difference as lines; null: the results are the same. */
function describeDifference(results: readonly TestFinished[]): readonly string[] | null {
  const [first] = results;
  if (first === undefined) return null;
  for (const [index, other] of results.entries()) {
    const field = COMPARED.find((name) => JSON.stringify(first[name]) !== JSON.stringify(other[name]));
    if (field !== undefined) return [`${field}, run 1: ${show(first[field])}`, `${field}, run ${index + 1}: ${show(other[field])}`];
  }
  return null;
}

export function mergeAttempts(results: readonly TestFinished[], isDeterministic: boolean): TestFinished {
  const last = results.at(-1);
  if (last === undefined) throw new Error("a test without any run has no result");
  if (results.length === 1) return last;
  const attempts = listAttempts(results);
  const { wallStartMs } = results[0] ?? last;
  const merged = { ...last, wallStartMs, wallMs: results.reduce((sum, { wallMs }) => sum + wallMs, 0), attempts };
  if (isDeterministic) {
    const difference = describeDifference(results);
    if (difference === null) return merged;
    const verdicts = [...new Set(results.map(({ verdict }) => verdict))];
    const how = verdicts.length > 1 ? verdicts.join(", then ") : `always ${verdicts[0]}, but not the same`;
    const failure = makeFailure("error", `one seed, and not one result in ${results.length} runs: ${how}`, {
      details: difference,
      hints: ["the embedded engine must repeat every run exactly: this is a mistake in guestspec or in a device model"],
    });
    const failed = results.find(({ failures }) => failures.length > 0);
    return { ...merged, verdict: "nondeterministic", failures: [failure, ...(failed?.failures ?? [])] };
  }
  const bad = results.filter(({ verdict }) => !isGood(verdict));
  if (bad.length === 0) return merged;
  // All bad: the worst is told.
  if (bad.length === results.length) {
    const verdict = worst(results.map((result) => result.verdict));
    const told = results.find((result) => result.verdict === verdict) ?? last;
    return { ...told, wallStartMs, wallMs: merged.wallMs, attempts };
  }
  return { ...merged, verdict: "flaky", failures: bad.at(-1)?.failures ?? [] };
}

/** A case so many times on one machine, which goes back to its snapshot before each. */
export async function runRepeatedly(engine: CaseEngine, item: WorkItem, repeat: number, isDeterministic: boolean): Promise<TestFinished> {
  if (repeat === 1) return engine.run(item);
  const results: TestFinished[] = [];
  // What opens or closes a suite does so each time: it starts from a snapshot too, and tells the same.
  for (let at = 0; at < repeat; at++) results.push(await engine.run(item));
  return mergeAttempts(results, isDeterministic);
}

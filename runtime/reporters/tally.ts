// Counts of verdicts, for a run or a suite, and the words for them. One table says how every report names and colours a verdict, so
// that the summaries of all reports agree: passed is `pass`, failed is everything that fails a run, expected failures stand apart.
import { isGood, VERDICTS, type SuiteFinished, type SuiteStarted, type TestFinished, type Verdict } from "../events.ts";
import { groupDigits } from "./quantities.ts";
import type { Paint, Style } from "./paint.ts";

export const VERDICT_STYLE: Readonly<Record<Verdict, Style>> = {
  error: "magenta",
  nondeterministic: "magenta",
  crash: "red",
  hung: "magenta",
  timeout: "red",
  fail: "red",
  xpass: "red",
  flaky: "yellow",
  pass: "green",
  xfail: "yellow",
  skip: "yellow",
};

/** Kinds of failure worth telling apart in a summary, as they follow their number. */
const FAILURE_KINDS: readonly (readonly [Verdict, string])[] = [
  ["error", "in error"],
  ["nondeterministic", "not deterministic"],
  ["crash", "crashed"],
  ["hung", "hung"],
  ["timeout", "timed out"],
  ["xpass", "passed unexpectedly"],
];

export type Counts = Record<Verdict, number>;

export function createCounts(): Counts {
  return Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Counts;
}

export function totalOf(counts: Readonly<Counts>): number {
  return VERDICTS.reduce((sum, verdict) => sum + counts[verdict], 0);
}

export function failedOf(counts: Readonly<Counts>): number {
  return VERDICTS.reduce((sum, verdict) => sum + (isGood(verdict) ? 0 : counts[verdict]), 0);
}

/** The worst verdict counted; null when nothing was. */
export function worstOf(counts: Readonly<Counts>): Verdict | null {
  return VERDICTS.find((verdict) => counts[verdict] > 0) ?? null;
}

/** Two suites of one name may come from two files, and one suite may run on several targets. */
export type SuiteIdentity = Pick<TestFinished, "suite" | "file" | "target" | "engine">;

export function suiteKey(suite: SuiteIdentity): string {
  return `${suite.file}\0${suite.suite}\0${suite.target}\0${suite.engine}`;
}

/** The same as comparing keys, without making any. */
export function isOfSameSuite(a: SuiteIdentity, b: SuiteIdentity): boolean {
  return a.suite === b.suite && a.file === b.file && a.target === b.target && a.engine === b.engine;
}

export function suiteId(suite: SuiteStarted | SuiteFinished | TestFinished): string {
  return `${suite.file}::${suite.suite}@${suite.target}/${suite.engine}`;
}

/** A test's name in its suite, with its row. */
export function caseName({ test, row }: Pick<TestFinished, "test" | "row">): string {
  return row === null ? test : `${test}[${row}]`;
}

/** For people: a row that is the test's name with its values filled in says it all. */
export function shownName(test: Pick<TestFinished, "test" | "row">): string {
  const { test: name, row } = test;
  if (row === null || !name.includes("{")) return caseName(test);
  const parts = name.split(/\{[^{}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(row) ? row : caseName(test);
}

/** `305 passed, 3 failed (1 crash, 1 timeout), 4 skipped, 2 expected failures`. */
export function describeCounts(counts: Readonly<Counts>, paint: Paint): string {
  const failed = failedOf(counts);
  const kinds = FAILURE_KINDS.filter(([verdict]) => counts[verdict] > 0).map(([verdict, phrase]) => `${groupDigits(counts[verdict])} ${phrase}`);
  const parts = [
    counts.pass > 0 ? paint.green(`${groupDigits(counts.pass)} passed`) : "0 passed",
    (failed > 0 ? paint.red(`${groupDigits(failed)} failed`) : "0 failed") + (kinds.length > 0 ? ` (${kinds.join(", ")})` : ""),
    counts.skip > 0 ? paint.yellow(`${groupDigits(counts.skip)} skipped`) : "0 skipped",
  ];
  if (counts.flaky > 0) parts.push(paint.yellow(`${groupDigits(counts.flaky)} flaky`));
  if (counts.xfail > 0) parts.push(paint.yellow(`${groupDigits(counts.xfail)} expected ${counts.xfail === 1 ? "failure" : "failures"}`));
  return parts.join(", ");
}

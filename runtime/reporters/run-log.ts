// What a report for people has to remember of a run until its end: counts, by suite and in all, and the tests to tell again in full.
// Bounded: after a limit of failures only their number is kept, for in a run where everything fails nobody reads ten thousand blocks.
import { isGood, type RunEvent, type RunFinished, type RunStarted, type SuiteFinished, type TestFinished } from "../events.ts";
import { formatFailureBlock, type FailureBlockOptions } from "./failure-block.ts";
import type { Paint } from "./paint.ts";
import { countNoun } from "./quantities.ts";
import { formatSkips, formatSuite, formatSummary, type SkippedTests } from "./result-line.ts";
import { createCounts, isOfSameSuite, suiteKey, type Counts, type SuiteIdentity } from "./tally.ts";

const FAILURES_TOLD = 50;

interface SuiteLog {
  readonly counts: Counts;
  /** By reason: those that are told with the suite. */
  readonly skipped: Map<string | null, SkippedTests>;
}

export interface RunLog {
  readonly add: (event: RunEvent) => void;
  readonly counts: Readonly<Counts>;
  /** Whether a test is told with its suite, and not by itself: hundreds may be skipped for one reason, and nobody reads that hundreds of times. */
  readonly isToldWithSuite: (test: TestFinished) => boolean;
  /** The line of a suite, and why tests of it were skipped. */
  readonly formatSuiteEnd: (suite: SuiteFinished, paint: Paint) => string[];
  /** The failures in full, then the summary. */
  readonly formatEnd: (options: FailureBlockOptions) => string[];
  readonly formatSummary: (options: Pick<FailureBlockOptions, "paint">) => string[];
}

export function createRunLog(isVerbose: boolean): RunLog {
  let started: RunStarted | null = null;
  let finished: RunFinished | null = null;
  let counts = createCounts();
  let bySuite = new Map<string, SuiteLog>();
  let failures: TestFinished[] = [];
  let untold = 0;
  let promisedSkips = 0;
  let cached = 0;
  /** Of the test before, mostly of the same suite. */
  let last: { readonly test: TestFinished; readonly suite: SuiteLog } | null = null;

  const suiteOf = (suite: SuiteIdentity): SuiteLog => {
    const key = suiteKey(suite);
    let known = bySuite.get(key);
    if (known === undefined) bySuite.set(key, (known = { counts: createCounts(), skipped: new Map() }));
    return known;
  };

  const isToldWithSuite = ({ verdict, promised, infos }: TestFinished): boolean =>
    verdict === "skip" && !promised && !isVerbose && infos.every(({ severity }) => severity !== "warning");

  const addTest = (test: TestFinished): void => {
    counts[test.verdict]++;
    last = { test, suite: last !== null && isOfSameSuite(last.test, test) ? last.suite : suiteOf(test) };
    const { suite } = last;
    suite.counts[test.verdict]++;
    if (isToldWithSuite(test)) {
      const known = suite.skipped.get(test.reason);
      if (known === undefined) suite.skipped.set(test.reason, { reason: test.reason, first: test, count: 1 });
      else known.count++;
    }
    if (test.verdict === "skip" && test.promised) promisedSkips++;
    if (test.cached === true) cached++;
    if (isGood(test.verdict)) return;
    if (isVerbose || failures.length < FAILURES_TOLD) failures.push(test);
    else untold++;
  };

  const formatFailureList = (options: FailureBlockOptions): string[] => {
    const { paint } = options;
    const total = failures.length + untold;
    if (total === 0) return [];
    const lines = ["", paint.bold(`${countNoun(total, "failure")}:`)];
    for (const test of failures) lines.push("", ...formatFailureBlock(test, options));
    if (untold > 0) lines.push("", paint.yellow(`... and ${countNoun(untold, "more failure")} above; -v tells all in full`));
    return lines;
  };

  const formatOwnSummary = ({ paint }: Pick<FailureBlockOptions, "paint">): string[] =>
    formatSummary({ started, finished, counts, promisedSkips, cached }, paint);

  return {
    formatSummary: formatOwnSummary,
    add(event: RunEvent): void {
      if (event.type === "run-started") {
        // A rerun in the same process starts afresh.
        [started, finished, counts, bySuite, failures, untold, promisedSkips, cached] = [event, null, createCounts(), new Map(), [], 0, 0, 0];
        last = null;
      } else if (event.type === "test-finished") addTest(event);
      else if (event.type === "run-finished") finished = event;
    },
    get counts(): Readonly<Counts> {
      return counts;
    },
    isToldWithSuite,
    formatSuiteEnd(suite: SuiteFinished, paint: Paint): string[] {
      const { counts: own, skipped } = suiteOf(suite);
      return [formatSuite(suite, own, paint), ...formatSkips([...skipped.values()], own, paint)];
    },
    formatEnd(options: FailureBlockOptions): string[] {
      return [...formatFailureList(options), "", ...formatOwnSummary(options)];
    },
  };
}

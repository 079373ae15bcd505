// What a report for people has to remember of a run until its end: counts, by suite and in all, and the tests to tell again in full.
// Bounded: after a limit of failures only their number is kept, for in a run where everything fails nobody reads ten thousand blocks.
import { isGood, type RunEvent, type RunFinished, type RunStarted, type SuiteFinished, type TestFinished } from "../events.ts";
import { formatFailureBlock, type FailureBlockOptions } from "./failure-block.ts";
import { countNoun } from "./quantities.ts";
import { formatSummary } from "./result-line.ts";
import { createCounts, isOfSameSuite, suiteKey, type Counts } from "./tally.ts";

const FAILURES_TOLD = 50;

export interface RunLog {
  readonly add: (event: RunEvent) => void;
  readonly counts: Readonly<Counts>;
  readonly countsOf: (suite: SuiteFinished) => Readonly<Counts>;
  /** The failures in full, then the summary. */
  readonly formatEnd: (options: FailureBlockOptions) => string[];
  readonly formatSummary: (options: Pick<FailureBlockOptions, "paint">) => string[];
}

export function createRunLog(isVerbose: boolean): RunLog {
  let started: RunStarted | null = null;
  let finished: RunFinished | null = null;
  let counts = createCounts();
  let bySuite = new Map<string, Counts>();
  let failures: TestFinished[] = [];
  let untold = 0;
  let promisedSkips = 0;
  let cached = 0;
  /** Of the test before, mostly of the same suite. */
  let last: { readonly test: TestFinished; readonly counts: Counts } | null = null;

  const countsOf = (test: TestFinished): Counts => {
    const key = suiteKey(test);
    let suite = bySuite.get(key);
    if (suite === undefined) bySuite.set(key, (suite = createCounts()));
    return suite;
  };

  const addTest = (test: TestFinished): void => {
    counts[test.verdict]++;
    last = { test, counts: last !== null && isOfSameSuite(last.test, test) ? last.counts : countsOf(test) };
    last.counts[test.verdict]++;
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
    countsOf(suite: SuiteFinished): Readonly<Counts> {
      return bySuite.get(suiteKey(suite)) ?? createCounts();
    },
    formatEnd(options: FailureBlockOptions): string[] {
      return [...formatFailureList(options), "", ...formatOwnSummary(options)];
    },
  };
}

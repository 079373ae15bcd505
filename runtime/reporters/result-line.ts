// The lines that the human reporter and the TUI share: header, one line a finished test, one line a finished suite, the closing
// summary. Verdict words come first and in one column, so that the eye and grep find them; times are the guest's, then the host's.
import { isGood, type RunFinished, type RunStarted, type SuiteFinished, type TestFinished } from "../events.ts";
import { summariseFailure } from "./failure-block.ts";
import type { Paint } from "./paint.ts";
import { countNoun, formatGuestTime, formatWallTime, groupDigits } from "./quantities.ts";
import { describeCounts, failedOf, shownName, suiteId, totalOf, VERDICT_STYLE, type Counts } from "./tally.ts";
import { printable } from "./terminal-text.ts";

const WORD_WIDTH = 7;
/** Below the id of a result line. */
const DETAIL_INDENT = " ".repeat(WORD_WIDTH + 2);

function verdictWord(verdict: TestFinished["verdict"], paint: Paint): string {
  return paint[VERDICT_STYLE[verdict]](paint.bold(verdict.toUpperCase().padStart(WORD_WIDTH)));
}

function describeDeselected(count: number): string {
  return `${groupDigits(count)} deselected`;
}

export function formatHeader(event: RunStarted, paint: Paint): string[] {
  const targets = event.targets.length === 0 ? "" : ` on ${event.targets.map(printable).join(", ")}`;
  // Of a log that is read as it comes nobody knows the plan.
  if (event.tests === 0 && event.suites.length === 0) return [paint.bold(printable(event.tool))];
  const left = event.deselected === 0 ? "" : ` (${describeDeselected(event.deselected)})`;
  const seed = event.seed === "" ? "" : `, seed ${printable(event.seed)}`;
  const plan = `${countNoun(event.tests, "test")} in ${countNoun(event.suites.length, "suite")}${targets}${left}`;
  return [`${paint.bold(printable(event.tool))}  ${plan}${seed}`];
}

/** `fail, then pass: expected a == b, got 3`. */
function describeAttempts({ attempts = [] }: TestFinished): string {
  const verdicts = attempts.map(({ verdict, times }) => (times === 1 ? verdict : `${times} x ${verdict}`)).join(", then ");
  const message = attempts.find((attempt) => attempt.message !== null)?.message ?? null;
  return `${verdicts}${message === null ? "" : `: ${printable(message)}`}`;
}

/** The verdict and times of a test, and for what did not pass a second line with the reason. */
export function formatResult(test: TestFinished, paint: Paint): string[] {
  const times = `${formatGuestTime(test.guestNs).padStart(8)} guest ${formatWallTime(test.wallMs).padStart(8)}`;
  const lines = [`${verdictWord(test.verdict, paint)}  ${paint.dim(test.cached === true ? "cached".padStart(times.length) : times)}  ${printable(test.id)}`];
  if (!isGood(test.verdict)) lines.push(`${DETAIL_INDENT}${summariseFailure(test)}`);
  else if (test.verdict === "flaky") lines.push(`${DETAIL_INDENT}${describeAttempts(test)}`);
  else if (test.reason !== null) lines.push(`${DETAIL_INDENT}${printable(test.reason)}${test.promised ? paint.red(" (promised, so the run fails)") : ""}`);
  return lines;
}

export function formatInfos({ infos }: Pick<TestFinished, "infos">, paint: Paint): string[] {
  return infos.map(({ file, line, text, severity }) => {
    const word = severity === "warning" ? paint.yellow("warning") : paint.cyan("info");
    return `${DETAIL_INDENT}${word} ${printable(text)} ${paint.dim(`(${printable(file)}:${line})`)}`;
  });
}

export function formatSuite(suite: SuiteFinished, counts: Readonly<Counts>, paint: Paint): string {
  const times = formatWallTime(suite.wallMs);
  return `${verdictWord(suite.verdict, paint)}  ${printable(suiteId(suite))}  ${describeCounts(counts, paint)}  ${paint.dim(times)}`;
}

/** Tests of a suite that were skipped for one reason. */
export interface SkippedTests {
  readonly reason: string | null;
  readonly first: TestFinished;
  count: number;
}

/** Below the line of a suite: how many tests were skipped for which reason; a test that is alone with its reason is named. */
export function formatSkips(skipped: readonly SkippedTests[], counts: Readonly<Counts>, paint: Paint): string[] {
  return skipped.map(({ reason, first, count }) => {
    const why = reason === null ? "no reason was given" : printable(reason);
    if (count === totalOf(counts)) return `${DETAIL_INDENT}${why}`;
    const which = count === 1 ? `"${printable(shownName(first))}"` : countNoun(count, "test");
    return `${DETAIL_INDENT}${paint.yellow("skipped")} ${which}: ${why}`;
  });
}

export interface RunSummary {
  readonly started: RunStarted | null;
  readonly finished: RunFinished | null;
  /** Counted from the tests seen; the same as the run's own counts unless the stream broke off. */
  readonly counts: Readonly<Counts>;
  readonly promisedSkips: number;
  /** Results of earlier runs. */
  readonly cached: number;
}

export function formatSummary({ started, finished, counts, promisedSkips, cached }: RunSummary, paint: Paint): string[] {
  const tests = totalOf(counts);
  const suites = started === null || started.suites.length === 0 ? "" : ` in ${countNoun(started.suites.length, "suite")}`;
  const time = finished === null ? "" : `, ${formatWallTime(finished.wallMs)}`;
  const seed = started === null || started.seed === "" ? "" : `, seed ${printable(started.seed)}`;
  const isRed = failedOf(counts) > 0 || promisedSkips > 0 || finished === null || finished.exitCode !== 0;
  const lines = [`${paint[isRed ? "red" : "green"](paint.bold("Summary".padStart(WORD_WIDTH)))}  ${countNoun(tests, "test")}${suites}${time}${seed}`];
  const notRun = finished === null ? Math.max(0, (started?.tests ?? tests) - tests) : finished.notRun;
  if (finished === null) lines.push(`${DETAIL_INDENT}${paint.red("the run broke off")}: ${countNoun(notRun, "test")} not run`);
  else if (finished.interrupted) lines.push(`${DETAIL_INDENT}${paint.red("interrupted")}: ${countNoun(notRun, "test")} not run`);
  else if (notRun > 0) lines.push(`${DETAIL_INDENT}${paint.yellow("stopped early")}: ${countNoun(notRun, "test")} not run`);
  if (promisedSkips > 0)
    lines.push(`${DETAIL_INDENT}${paint.red(`${countNoun(promisedSkips, "promised test")} ${promisedSkips === 1 ? "was" : "were"} skipped`)}`);
  const reused = cached === 0 ? "" : `, ${groupDigits(cached)} cached`;
  const deselected = started === null || started.deselected === 0 ? "" : `, ${describeDeselected(started.deselected)}`;
  lines.push(`${DETAIL_INDENT}${describeCounts(counts, paint)}${reused}${deselected}`);
  return lines;
}

// GitHub Actions: an `::error` workflow command for each failed test as it fails, placed on the failing line, and at the end a step
// summary in Markdown. Escaping as "Workflow commands for GitHub Actions" has it. GitHub shows ten annotations of a kind for a step
// and 1 MiB of summary, so the summary tells the failures in full up to a limit and says how many it left out.
import { isGood, type RunEvent, type RunFinished, type RunStarted, type SuiteFinished, type TestFinished } from "../events.ts";
import { escapeHtml } from "./escape-html.ts";
import { formatFailures, summariseFailure } from "./failure-block.ts";
import { paintFor } from "./paint.ts";
import { countNoun, formatWallTime } from "./quantities.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { createCounts, describeCounts, failedOf, suiteKey, totalOf, type Counts } from "./tally.ts";
import { printable } from "./terminal-text.ts";

const SUMMARY_LIMIT = 900_000;
const SUMMARY_FAILURES = 50;

export function escapeData(text: string): string {
  return text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
}

export function escapeProperty(text: string): string {
  return escapeData(text).replace(/:/g, "%3A").replace(/,/g, "%2C");
}

function command(name: "error" | "warning", properties: Readonly<Record<string, string | number>>, message: string): string {
  const list = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(String(value))}`);
  return `::${name} ${list.join(",")}::${escapeData(message)}\n`;
}

/** These have a meaning in running text and in table cells; within an HTML block they have none. */
export function escapeMarkdown(text: string): string {
  return escapeHtml(printable(text)).replace(/[\\`*_{}[\]#|~]/g, "\\$&");
}

/** A fence longer than any run of backticks inside. */
function codeBlock(lines: readonly string[]): string {
  const text = lines.join("\n");
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

function annotate(test: TestFinished): string {
  const frame = test.failures[0]?.frame ?? null;
  const place: Record<string, string | number> =
    frame === null
      ? { file: test.file, line: test.line }
      : {
          file: frame.path,
          line: frame.line,
          col: frame.column,
          endColumn: Math.max(frame.column, frame.endColumn - 1),
        };
  const lines = formatFailures(test, { paint: paintFor(false), columns: Infinity, isFull: false }).map((line) => line.slice(2));
  return command("error", { ...place, title: `${test.verdict}: ${printable(test.id)}` }, lines.join("\n"));
}

interface SuiteRow {
  readonly event: SuiteFinished;
  readonly counts: Readonly<Counts>;
}

export function createGithubReporter(sink: Sink, summary: { write(text: string): void } | null): Reporter {
  let started: RunStarted | null = null;
  let finished: RunFinished | null = null;
  let counts = createCounts();
  let bySuite = new Map<string, Counts>();
  let rows: SuiteRow[] = [];
  let failures: TestFinished[] = [];

  const addTest = (test: TestFinished): void => {
    counts[test.verdict]++;
    let suite = bySuite.get(suiteKey(test));
    if (suite === undefined) bySuite.set(suiteKey(test), (suite = createCounts()));
    suite[test.verdict]++;
    if (!isGood(test.verdict)) {
      sink.write(annotate(test));
      if (failures.length < SUMMARY_FAILURES) failures.push(test);
    } else if (test.promised && test.verdict === "skip") {
      const message = `skipped, but promised: ${test.reason ?? "no reason given"}`;
      sink.write(command("warning", { file: test.file, line: test.line, title: printable(test.id) }, message));
    } else if (test.verdict === "flaky") {
      const bad = test.attempts?.find(({ verdict }) => !isGood(verdict));
      const message = `passed, but not at first: ${printable(bad?.message ?? bad?.verdict ?? "an earlier run failed")}`;
      sink.write(command("warning", { file: test.file, line: test.line, title: `flaky: ${printable(test.id)}` }, message));
    }
  };

  const formatSummary = (): string => {
    const paint = paintFor(false);
    const isRed = failedOf(counts) > 0 || finished === null || finished.exitCode !== 0;
    const lines = [
      `## ${isRed ? ":x:" : ":white_check_mark:"} ${describeCounts(counts, paint)}`,
      "",
      [
        countNoun(totalOf(counts), "test"),
        ...(finished === null ? ["the run broke off"] : [formatWallTime(finished.wallMs)]),
        ...(finished?.interrupted === true ? ["interrupted"] : []),
        ...(finished !== null && finished.notRun > 0 ? [`${finished.notRun} not run`] : []),
        ...(started === null ? [] : [`seed \`${started.seed}\``, `targets ${started.targets.map(escapeMarkdown).join(", ")}`]),
        ...(started === null || started.deselected === 0 ? [] : [`${started.deselected} deselected`]),
      ].join(" | "),
      "",
      "| suite | target | verdict | passed | failed | skipped | expected failures |",
      "| --- | --- | --- | ---: | ---: | ---: | ---: |",
      ...rows.map(
        ({ event, counts: of }) =>
          `| ${escapeMarkdown(`${event.file}::${event.suite}`)} | ${escapeMarkdown(`${event.target}/${event.engine}`)} | ${event.verdict} | ${of.pass} | ${failedOf(of)} | ${of.skip} | ${of.xfail} |`,
      ),
      "",
    ];
    let text = `${lines.join("\n")}\n`;
    let told = 0;
    for (const test of failures) {
      const block = formatFailures(test, { paint, columns: Infinity, isFull: true });
      const detail = `<details><summary><b>${test.verdict}</b> ${escapeHtml(printable(test.id))}: ${escapeHtml(summariseFailure(test))}</summary>\n\n${codeBlock(block)}\n\n</details>\n\n`;
      if (text.length + detail.length > SUMMARY_LIMIT) break;
      text += detail;
      told++;
    }
    const untold = failedOf(counts) - told;
    return untold > 0 ? `${text}... and ${countNoun(untold, "more failure")}, told in the log.\n` : text;
  };

  return {
    handle(event: RunEvent): void {
      switch (event.type) {
        case "run-started":
          [started, finished, counts, bySuite, rows, failures] = [event, null, createCounts(), new Map(), [], []];
          return;
        case "test-finished":
          return addTest(event);
        case "suite-finished":
          rows.push({ event, counts: bySuite.get(suiteKey(event)) ?? createCounts() });
          return;
        case "run-finished":
          finished = event;
          return;
        case "suite-started":
        case "coverage-measured":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      if (finished === null || finished.interrupted)
        sink.write(
          command("error", { title: "guestspec" }, finished === null ? "the run broke off" : `interrupted, ${countNoun(finished.notRun, "test")} not run`),
        );
      summary?.write(formatSummary());
    },
  };
}

// TAP version 13 (testanything.org): a plan, and one numbered line for each case of the run, because there are no subtests. The name of a line
// is that of its suite, test and row; suites are comments. What the plan announced and the run did not reach is told at the end.
import { isGood, type RunEvent, type RunStarted, type TestFinished } from "../events.ts";
import { formatFailures } from "./failure-block.ts";
import { DIALECTS, formatResultLine, formatTool, formatYaml, oneLine } from "./ktap-dialects.ts";
import { formatTotals } from "./ktap.ts";
import { paintFor } from "./paint.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { createCounts, failedOf, suiteId } from "./tally.ts";

export function createTap13Reporter(sink: Sink): Reporter {
  const dialect = DIALECTS.tap13;
  const counts = createCounts();
  let started: RunStarted | null = null;
  let number = 0;

  const writeLines = (lines: readonly string[]): void => sink.write(lines.map((line) => `${line.trimEnd()}\n`).join(""));

  const nameOf = ({ suite, test, row, target, engine }: TestFinished): string => {
    const isSingle = started !== null && new Set(started.suites.map((one) => `${one.target}/${one.engine}`)).size <= 1;
    return `${suite}::${test}${row === null ? "" : `[${row}]`}${isSingle ? "" : `@${target}/${engine}`}`;
  };

  const diagnosticsOf = (test: TestFinished): readonly string[] =>
    isGood(test.verdict)
      ? test.infos.map(({ file, line, text }) => `# info: ${oneLine(text)} (${oneLine(file)}:${line})`)
      : formatFailures(test, { paint: paintFor(false), columns: Infinity, isFull: true }).map((line) => `# ${line.slice(2)}`);

  return {
    handle(event: RunEvent): void {
      switch (event.type) {
        case "run-started":
          started = event;
          return writeLines([dialect.version, formatTool(event), `1..${event.tests}`]);
        case "suite-started":
          return writeLines([`# ${oneLine(suiteId(event))}`]);
        case "test-finished":
          counts[event.verdict]++;
          return writeLines([...diagnosticsOf(event), formatResultLine(dialect, ++number, nameOf(event), event), ...formatYaml(event)]);
        case "suite-finished":
        case "coverage-measured":
        case "run-finished":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      if (started === null) return;
      while (number < started.tests) {
        // Never green by omission: skipped only in a run that is red.
        const verdict = failedOf(counts) > 0 ? "skip" : "error";
        counts[verdict]++;
        writeLines([formatResultLine(dialect, ++number, "(not run)", { verdict, reason: "not run" })]);
      }
      writeLines([`# Totals: ${formatTotals(counts)}`]);
    },
  };
}

// The reporter for people and logs: a header, a line for each suite when it ends and for each test that did not simply pass or was
// skipped (with `-v` for each test), as they come; at the end the failures again in full, where nobody has to scroll for them, then the summary. Who
// wants less asks for what failed, or for the summary alone.
import { isGood, type CoverageMeasured, type RunEvent, type TestFinished } from "../events.ts";
import { describeCoverage } from "./coverage-totals.ts";
import { paintFor } from "./paint.ts";
import type { Reporter, ReporterOptions, Sink } from "./reporter.ts";
import { formatHeader, formatInfos, formatResult } from "./result-line.ts";
import { createRunLog } from "./run-log.ts";

export function createHumanReporter(sink: Sink, { verbose: isVerbose = false, show = "all" }: ReporterOptions = {}): Reporter {
  const paint = paintFor(sink.color);
  const log = createRunLog(isVerbose);
  const writeLines = (lines: readonly string[]): void => {
    if (lines.length > 0) sink.write(`${lines.join("\n")}\n`);
  };

  const linesOf = (test: TestFinished): string[] => {
    if (show !== "all" && (show === "summary" || isGood(test.verdict))) return [];
    if (log.isToldWithSuite(test)) return [];
    if (isVerbose) return [...formatResult(test, paint), ...formatInfos(test, paint)];
    const warnings = test.infos.filter(({ severity }) => severity === "warning");
    return test.verdict === "pass" && warnings.length === 0 ? [] : [...formatResult(test, paint), ...formatInfos({ infos: warnings }, paint)];
  };

  let coverage: CoverageMeasured | null = null;

  return {
    handle(event: RunEvent): void {
      if (event.type === "run-started") coverage = null;
      if (event.type === "coverage-measured" && event.test === null) coverage = event;
      log.add(event);
      switch (event.type) {
        case "run-started":
          return show === "summary" ? undefined : writeLines([...formatHeader(event, paint), ""]);
        case "test-finished":
          return writeLines(linesOf(event));
        case "suite-finished":
          return show === "all" ? writeLines(log.formatSuiteEnd(event, paint)) : undefined;
        case "suite-started":
        case "run-finished":
        case "coverage-measured":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      const columns = sink.isTty ? sink.columns : Infinity;
      writeLines(show === "summary" ? log.formatSummary({ paint }) : log.formatEnd({ paint, columns, isFull: isVerbose }));
      if (coverage !== null) writeLines([`         coverage: ${describeCoverage(coverage)}`]);
    },
  };
}

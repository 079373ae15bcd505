// One page that holds a whole run and needs nothing else: no server, no network, no file beside it. The page is its own reader: style and
// scripts (html-page/) come first, then the results as records, a line each, written as they come. So nothing is kept here, and a page
// whose runner was killed shows what it got, and that the rest is missing. Without scripts there is the summary in plain text.
import { readFileSync } from "node:fs";
import { isGood, type RunEvent, type TestFinished } from "../events.ts";
import { escapeHtml } from "./escape-html.ts";
import { formatFailures, summariseFailure } from "./failure-block.ts";
import { formatCoverage } from "./html-coverage.ts";
import type { PageRecord, TestRecord } from "./html-page/records.ts";
import { paintFor } from "./paint.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { createRunLog } from "./run-log.ts";
import { caseName, shownName, suiteKey } from "./tally.ts";
import { printable } from "./terminal-text.ts";

const FOLDER = new URL("./html-page/", import.meta.url);

function readPart(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

/** All of the page that stands before the records. */
function formatHead(tool: string): string {
  return readPart("page.html")
    .replaceAll("{{tool}}", () => escapeHtml(tool))
    .replace(/\/\* include ([\w.-]+) \*\//g, (_whole, name: string) => readPart(name));
}

/** The `<` of a name must not end the element that the records stand in. */
function formatRecord(record: PageRecord): string {
  return `${JSON.stringify(record).replaceAll("<", "\\u003c")}\n`;
}

/** To the microsecond: more would only be digits. */
function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function summaryOf(test: TestFinished): string | null {
  if (!isGood(test.verdict)) return summariseFailure(test);
  return test.reason === null ? null : printable(test.reason);
}

/** Where there is more than the verdict. */
function storyOf(test: TestFinished): readonly string[] | null {
  const isPlain = test.failures.length === 0 && test.infos.length === 0 && test.console === "" && isGood(test.verdict);
  if (isPlain) return null;
  return formatFailures(test, { paint: paintFor(true), columns: Infinity, isFull: true }).map((line) => line.replace(/^ {2}/, ""));
}

function recordOf(test: TestFinished, suite: number): TestRecord {
  const id = `${test.file}::${test.suite}::${caseName(test)}@${test.target}/${test.engine}`;
  const shown = shownName(test);
  const summary = summaryOf(test);
  const story = storyOf(test);
  return {
    type: "test",
    suite,
    test: printable(test.test),
    row: test.row === null ? null : printable(test.row),
    ...(shown === caseName(test) ? {} : { shown: printable(shown) }),
    ...(test.id === id && printable(id) === id ? {} : { id: printable(test.id) }),
    line: test.line,
    verdict: test.verdict,
    ...(summary === null ? {} : { summary }),
    ...(test.promised && test.verdict === "skip" ? { promised: true } : {}),
    checks: test.checks,
    ...(test.tags.length === 0 ? {} : { tags: test.tags }),
    guestNs: test.guestNs,
    instructions: test.instructions,
    wallMs: roundMs(test.wallMs),
    startMs: roundMs(test.wallStartMs),
    worker: test.wallWorker,
    ...(test.attempts === undefined
      ? {}
      : { attempts: test.attempts.map((one) => ({ ...one, message: one.message === null ? null : printable(one.message) })) }),
    ...(test.cached === undefined ? {} : { cached: true }),
    ...(story === null ? {} : { story }),
  };
}

export function createHtmlReporter(sink: Sink): Reporter {
  const log = createRunLog(false);
  let isBegun = false;
  let suites = new Map<string, number>();
  let coverage = "";

  const begin = (tool: string): void => {
    if (isBegun) return;
    isBegun = true;
    sink.write(`${formatHead(tool)}<script type="application/x-ndjson" id="records">\n`);
  };
  const write = (record: PageRecord): void => sink.write(formatRecord(record));

  const suiteOf = (test: TestFinished): number => {
    const key = suiteKey(test);
    const known = suites.get(key);
    if (known !== undefined) return known;
    const index = suites.size;
    suites.set(key, index);
    write({ type: "suite", name: printable(test.suite), file: printable(test.file), target: test.target, engine: test.engine });
    return index;
  };

  return {
    handle(event: RunEvent): void {
      log.add(event);
      switch (event.type) {
        case "run-started": {
          begin(event.tool);
          [suites, coverage] = [new Map(), ""];
          const { tool, seed, targets, tests, deselected, startedAt } = event;
          return write({ type: "run", tool, seed, targets, tests, deselected, startedAt });
        }
        case "test-finished":
          return write(recordOf(event, suiteOf(event)));
        case "coverage-measured":
          // That of single tests is for tools.
          if (event.test === null) coverage = formatCoverage(event);
          return;
        case "run-finished": {
          const { notRun, interrupted, exitCode, wallMs, wallBoots: boots, finishedAt } = event;
          return write({ type: "end", notRun, interrupted, exitCode, wallMs, boots, finishedAt });
        }
        case "suite-started":
        case "suite-finished":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      begin("guestspec");
      const plain = log.formatEnd({ paint: paintFor(false), columns: Infinity, isFull: false }).join("\n");
      sink.write(`</script>\n${coverage}<noscript><pre>${escapeHtml(plain)}</pre></noscript>\n</body>\n</html>\n`);
    },
  };
}

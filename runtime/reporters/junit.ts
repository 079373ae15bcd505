// JUnit XML, in the dialect that Jenkins, GitLab and Azure read alike: testsuites / testsuite / testcase with failure, error or skipped.
// The head carries the counts, so everything is held until `finish`, and told as a whole in drafts; a run that broke off still leaves
// a valid document, with an error in it. An expected failure is written as skipped, with its reason, because JUnit has no word for it.
import { isGood, type Attempt, type RunEvent, type RunFinished, type RunStarted, type SuiteFinished, type TestFinished, type Verdict } from "../events.ts";
import { formatFailures, summariseFailure } from "./failure-block.ts";
import { paintFor } from "./paint.ts";
import { countNoun } from "./quantities.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { caseName, suiteKey } from "./tally.ts";
import { HIDDEN } from "./terminal-text.ts";

type Element = "failure" | "error" | "skipped";

/** `error`: the test did not get to its end for a reason that none of its checks states. */
const ELEMENTS: Readonly<Record<Verdict, Element | null>> = {
  error: "error",
  nondeterministic: "error",
  crash: "error",
  hung: "error",
  timeout: "failure",
  fail: "failure",
  xpass: "failure",
  flaky: null,
  pass: null,
  xfail: "skipped",
  skip: "skipped",
};

/** What XML 1.0 section 2.2 does not allow even as a reference: most controls, lone surrogates, U+FFFE and U+FFFF. */
const FORBIDDEN = /(?![\t\n\r\x7f-\x9f])\p{Cc}|[\p{Cs}\ufffe\uffff]/gu;

export function escapeXml(text: string): string {
  return text
    .replace(FORBIDDEN, "")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/\r/g, "&#13;")
    .replace(HIDDEN, (character) => `&#x${character.charCodeAt(0).toString(16)};`);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value)).replace(/"/g, "&quot;").replace(/\n/g, "&#10;").replace(/\t/g, "&#9;")}"`)
    .join("");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

/** `specs/dev/edu.gspec`, `dma` -> `specs.dev.edu.dma`: readers of JUnit make a tree out of the dots. */
function className(file: string, suite: string): string {
  const path = file.replace(/\.[^./]*$/, "").replace(/^(\.{0,2}\/)+/, "");
  return [...path.split("/"), suite].map((part) => part.replace(/\./g, "_")).join(".");
}

interface SuiteReport {
  readonly name: string;
  readonly file: string;
  readonly target: string;
  readonly engine: string;
  readonly tests: TestFinished[];
  wallMs: number | null;
}

function countElements(tests: readonly TestFinished[], element: Element): number {
  return tests.filter(({ verdict }) => ELEMENTS[verdict] === element).length;
}

function formatOutcome(test: TestFinished): string[] {
  const element = ELEMENTS[test.verdict];
  if (element === null) return [];
  if (element === "skipped") {
    const reason = test.reason ?? "";
    const message = test.verdict === "xfail" ? `expected failure${reason === "" ? "" : `: ${reason}`}` : reason;
    return [`      <skipped${attributes({ type: test.verdict, message })}/>`];
  }
  const text = formatFailures(test, { paint: paintFor(false), columns: Infinity, isFull: true }).map((line) => line.slice(2));
  return [`      <${element}${attributes({ type: test.verdict, message: summariseFailure(test) })}>${escapeXml(text.join("\n"))}</${element}>`];
}

/**
 * Earlier runs of a test that ran again, in Surefire's words: `flaky..` of one that got through, `rerun..` of one that did not. The run
 * that the result tells in full is not told again.
 */
function formatAttempts({ verdict, attempts = [] }: TestFinished): string[] {
  const told = isGood(verdict) ? -1 : attempts.findIndex((attempt) => attempt.verdict === verdict);
  const prefix = isGood(verdict) ? "flaky" : "rerun";
  return attempts.flatMap((attempt, index) => {
    const element = ELEMENTS[attempt.verdict];
    if (index === told || element === null || element === "skipped") return [];
    const message = attempt.message ?? attempt.verdict;
    const name = `${prefix}${element === "failure" ? "Failure" : "Error"}`;
    return Array.from({ length: attempt.times }, () => `      <${name}${attributes({ type: attempt.verdict, message })}/>`);
  });
}

function describeAttempt({ verdict, times }: Attempt): string {
  return times === 1 ? verdict : `${times} x ${verdict}`;
}

function formatProperties(test: TestFinished): string[] {
  const values: Readonly<Record<string, string | number | null>> = {
    id: test.id,
    row: test.row,
    tags: test.tags.length === 0 ? null : test.tags.join(", "),
    checks: test.checks,
    guestNs: test.guestNs,
    instructions: test.instructions === 0 ? null : test.instructions,
    attempts: test.attempts?.map(describeAttempt).join(", ") ?? null,
    cached: test.cached === true ? "true" : null,
    rerun: test.repro === "" ? null : test.repro,
  };
  return [
    "      <properties>",
    ...Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [`        <property${attributes({ name, value })}/>`])),
    "      </properties>",
  ];
}

function formatTest(test: TestFinished, isSingleTarget: boolean): string[] {
  const target = isSingleTarget ? "" : `@${test.target}/${test.engine}`;
  const head = `    <testcase${attributes({
    name: `${caseName(test)}${target}`,
    classname: className(test.file, test.suite),
    file: test.file,
    line: test.line,
    time: seconds(test.wallMs),
  })}`;
  const output = test.console === "" ? [] : [`      <system-out>${escapeXml(test.console)}</system-out>`];
  return [`${head}>`, ...formatProperties(test), ...formatOutcome(test), ...formatAttempts(test), ...output, "    </testcase>"];
}

export function createJunitReporter(sink: Sink): Reporter {
  let started: RunStarted | null = null;
  let finished: RunFinished | null = null;
  let suites = new Map<string, SuiteReport>();

  const suiteOf = (event: TestFinished | SuiteFinished): SuiteReport => {
    const key = suiteKey(event);
    let suite = suites.get(key);
    if (suite === undefined) {
      suite = {
        name: event.suite,
        file: event.file,
        target: event.target,
        engine: event.engine,
        tests: [],
        wallMs: null,
      };
      suites.set(key, suite);
    }
    return suite;
  };

  const formatSuite = (suite: SuiteReport, isSingleTarget: boolean): string[] => {
    const { tests } = suite;
    const time = suite.wallMs ?? tests.reduce((sum, { wallMs }) => sum + wallMs, 0);
    const head = attributes({
      name: isSingleTarget ? suite.name : `${suite.name}@${suite.target}/${suite.engine}`,
      file: suite.file,
      tests: tests.length,
      failures: countElements(tests, "failure"),
      errors: countElements(tests, "error"),
      skipped: countElements(tests, "skipped"),
      time: seconds(time),
      ...(started === null ? {} : { timestamp: started.startedAt }),
    });
    const properties = {
      target: suite.target,
      engine: suite.engine,
      ...(started === null ? {} : { seed: started.seed, tool: started.tool }),
    };
    return [
      `  <testsuite${head}>`,
      "    <properties>",
      ...Object.entries(properties).map(([name, value]) => `      <property${attributes({ name, value })}/>`),
      "    </properties>",
      ...tests.flatMap((test) => formatTest(test, isSingleTarget)),
      "  </testsuite>",
    ];
  };

  /** An incomplete run must not look like a green one. */
  const formatBreak = (): string[] => {
    if (finished !== null && !finished.interrupted) return [];
    const seen = [...suites.values()].reduce((sum, { tests }) => sum + tests.length, 0);
    const notRun = finished?.notRun ?? Math.max(0, (started?.tests ?? seen) - seen);
    const message = `${finished === null ? "the run broke off" : "interrupted"}: ${countNoun(notRun, "test")} not run`;
    return [
      `  <testsuite${attributes({ name: "guestspec", tests: 1, failures: 0, errors: 1, skipped: 0, time: seconds(0) })}>`,
      `    <testcase${attributes({ name: "complete run", classname: "guestspec", time: seconds(0) })}>`,
      `      <error${attributes({ type: "interrupted", message })}/>`,
      "    </testcase>",
      "  </testsuite>",
    ];
  };

  const formatDocument = (): string => {
    const reports = [...suites.values()];
    const tests = reports.flatMap((suite) => suite.tests);
    const isSingleTarget = new Set(reports.map(({ target, engine }) => `${target}/${engine}`)).size <= 1;
    const broken = formatBreak();
    const extra = broken.length > 0 ? 1 : 0;
    const head = attributes({
      name: "guestspec",
      tests: tests.length + extra,
      failures: countElements(tests, "failure"),
      errors: countElements(tests, "error") + extra,
      skipped: countElements(tests, "skipped"),
      time: seconds(finished?.wallMs ?? tests.reduce((sum, { wallMs }) => sum + wallMs, 0)),
    });
    const lines = [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites${head}>`,
      ...reports.flatMap((suite) => formatSuite(suite, isSingleTarget)),
      ...broken,
      "</testsuites>",
    ];
    return `${lines.join("\n")}\n`;
  };

  return {
    handle(event: RunEvent): void {
      switch (event.type) {
        case "run-started":
          started = event;
          finished = null;
          suites = new Map();
          return;
        case "test-finished":
          suiteOf(event).tests.push(event);
          return;
        case "suite-finished":
          suiteOf(event).wallMs = event.wallMs;
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
    finish: () => sink.write(formatDocument()),
    draft: formatDocument,
  };
}

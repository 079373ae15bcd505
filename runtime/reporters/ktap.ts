// KTAP and TAP 14: the version line and a plan at every level, numbers from 1, suites at the top, tests below, rows as subtests of their test.
// Strict KTAP version 1 (Linux, Documentation/dev-tools/ktap.rst) unless another dialect is asked for; "# Subtest:" lines as KUnit prints
// them, so that kunit.py names the blocks. Written as results come; a suite that runs beside another one is held back until its turn.
import { isGood, type RunEvent, type SuiteFinished, type SuiteStarted, type TestFinished } from "../events.ts";
import { formatFailures } from "./failure-block.ts";
import { formatMetadata, formatResultLine, formatTool, formatYaml, nameIn, oneLine, type KtapDialect, type Outcome } from "./ktap-dialects.ts";
import { paintFor } from "./paint.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { createCounts, failedOf, suiteKey, totalOf, worstOf, type Counts } from "./tally.ts";

/** Rows of one test, told as subtests. */
interface RowGroup {
  readonly test: string;
  readonly planned: number;
  readonly counts: Counts;
  /** The reason that all rows so far share; undefined before the first. */
  reason: string | null | undefined;
}

interface OpenSuite {
  readonly started: SuiteStarted;
  readonly name: string;
  readonly counts: Counts;
  testNumber: number;
  group: RowGroup | null;
  /** Lines that wait for the suites before this one. */
  held: string[];
  isFinished: boolean;
}

export function createKtapReporter(sink: Sink, dialect: KtapDialect): Reporter {
  const open: OpenSuite[] = [];
  /** Verdicts of results that came, and of all results written. */
  const seen = createCounts();
  const written = createCounts();
  let names = new Map<string, string>();
  let hasStarted = false;
  let suiteNumber = 0;
  let suitesLeft: string[] = [];

  const write = (suite: OpenSuite, depth: number, line: string): void => {
    const text = `${dialect.indent.repeat(depth)}${line}`.trimEnd();
    if (open[0] === suite) sink.write(`${text}\n`);
    else suite.held.push(text);
  };

  const groupVerdict = (group: RowGroup): Outcome => {
    const verdict = worstOf(group.counts) ?? "skip";
    // A reason is worth a directive only when it is that of every row; a failed parent points at its rows.
    const isShared = verdict === "skip" || verdict === "xfail";
    if (isShared) return { verdict, reason: group.reason ?? null };
    return { verdict: isGood(verdict) ? "pass" : "fail", reason: null };
  };

  /** The first lines of a block, its plan apart. */
  const openBlock = (suite: OpenSuite, depth: number, name: string): void => {
    if (dialect.naming === "before") write(suite, depth - 1, `# Subtest: ${nameIn(dialect, name)}`);
    if (dialect.repeatsVersion) write(suite, depth, dialect.version);
    if (dialect.naming === "inside") write(suite, depth, `# Subtest: ${nameIn(dialect, name)}`);
  };

  const writeMetadata = (suite: OpenSuite, depth: number, name: string, rest: Readonly<Record<string, string>>): void => {
    if (dialect.naming === "metadata") for (const line of formatMetadata(name, rest)) write(suite, depth, line);
  };

  const endGroup = (suite: OpenSuite): void => {
    const { group } = suite;
    if (group === null) return;
    suite.group = null;
    fillGroup(suite, group);
    write(suite, 1, formatResultLine(dialect, ++suite.testNumber, group.test, groupVerdict(group)));
  };

  /** Results that the plan announced and the run did not reach. Never green by omission: they are skipped only in a run that is red. */
  const missing = (): Outcome => ({ verdict: failedOf(seen) > 0 ? "skip" : "error", reason: "not run" });

  const fillGroup = (suite: OpenSuite, group: RowGroup): void => {
    while (totalOf(group.counts) < group.planned) {
      const outcome = missing();
      group.counts[outcome.verdict]++;
      suite.counts[outcome.verdict]++;
      written[outcome.verdict]++;
      write(suite, 2, formatResultLine(dialect, totalOf(group.counts), `row ${totalOf(group.counts)}`, outcome));
    }
  };

  const beginGroup = (suite: OpenSuite, test: string, planned: number): RowGroup => {
    openBlock(suite, 2, test);
    writeMetadata(suite, 2, test, {});
    write(suite, 2, `1..${planned}`);
    return { test, planned, counts: createCounts(), reason: undefined };
  };

  const plannedRows = (suite: OpenSuite): number => suite.started.plan[suite.testNumber]?.rows ?? 1;

  const writeDiagnostics = (suite: OpenSuite, depth: number, test: TestFinished): void => {
    if (isGood(test.verdict)) {
      for (const { file, line, text, severity } of test.infos) write(suite, depth, `# ${severity ?? "info"}: ${oneLine(text)} (${oneLine(file)}:${line})`);
      return;
    }
    for (const line of formatFailures(test, { paint: paintFor(false), columns: Infinity, isFull: true })) write(suite, depth, `# ${line.slice(2)}`);
  };

  const writeTest = (suite: OpenSuite, depth: number, test: TestFinished, number: number, name: string): void => {
    writeMetadata(suite, depth, name, { ktap_duration: `${(test.wallMs / 1000).toFixed(6)}s`, ktap_test_file: test.file, guestspec_id: test.id });
    writeDiagnostics(suite, depth, test);
    write(suite, depth, formatResultLine(dialect, number, name, test));
    if (dialect.isTap) for (const line of formatYaml(test)) write(suite, depth, line);
  };

  const addTest = (test: TestFinished): void => {
    const suite = open.find(({ started, isFinished }) => !isFinished && suiteKey(started) === suiteKey(test));
    if (suite === undefined) throw new Error(`a result of ${test.id} outside its suite`);
    suite.counts[test.verdict]++;
    seen[test.verdict]++;
    written[test.verdict]++;
    if (test.row === null) {
      endGroup(suite);
      writeTest(suite, 1, test, ++suite.testNumber, test.test);
      return;
    }
    if (suite.group !== null && suite.group.test !== test.test) endGroup(suite);
    const group = (suite.group ??= beginGroup(suite, test.test, plannedRows(suite)));
    group.counts[test.verdict]++;
    group.reason = group.reason === undefined || group.reason === test.reason ? test.reason : null;
    writeTest(suite, 2, test, totalOf(group.counts), test.row);
    if (totalOf(group.counts) === group.planned) endGroup(suite);
  };

  const beginSuite = (started: SuiteStarted): void => {
    const name = names.get(suiteKey(started)) ?? started.suite;
    suitesLeft = suitesLeft.filter((key) => key !== suiteKey(started));
    const suite: OpenSuite = {
      started,
      name,
      counts: createCounts(),
      testNumber: 0,
      group: null,
      held: [],
      isFinished: false,
    };
    open.push(suite);
    openBlock(suite, 1, name);
    writeMetadata(suite, 1, name, { ktap_test_file: started.file, ktap_arch: started.target });
    write(suite, 1, `# file: ${oneLine(started.file)}`);
    write(suite, 1, `# target: ${oneLine(started.target)}/${oneLine(started.engine)}`);
    write(suite, 1, `1..${started.plan.length}`);
  };

  const completeSuite = (suite: OpenSuite): void => {
    endGroup(suite);
    while (suite.testNumber < suite.started.plan.length) {
      const next = suite.started.plan[suite.testNumber];
      const outcome = missing();
      suite.counts[outcome.verdict]++;
      written[outcome.verdict]++;
      write(suite, 1, formatResultLine(dialect, ++suite.testNumber, next?.test ?? "", outcome));
    }
    suite.isFinished = true;
    while (open[0]?.isFinished === true) {
      const [head] = open;
      closeHead(head);
      open.shift();
      const next = open[0];
      if (next === undefined) break;
      for (const line of next.held.splice(0)) sink.write(`${line}\n`);
    }
  };

  /** The head of the queue has all its results: its own line may follow. */
  const closeHead = (suite: OpenSuite): void => {
    write(suite, 0, `# ${nameIn(dialect, suite.name)}: ${formatTotals(suite.counts)}`);
    const verdict = worstOf(suite.counts) ?? "skip";
    const shown = verdict === "skip" ? "skip" : isGood(verdict) ? "pass" : "fail";
    write(suite, 0, formatResultLine(dialect, ++suiteNumber, suite.name, { verdict: shown, reason: null }));
  };

  const finishSuite = (event: SuiteFinished): void => {
    const suite = open.find(({ started, isFinished }) => !isFinished && suiteKey(started) === suiteKey(event));
    if (suite === undefined) throw new Error(`the end of suite ${event.suite} without its start`);
    completeSuite(suite);
  };

  return {
    handle(event: RunEvent): void {
      switch (event.type) {
        case "run-started": {
          hasStarted = true;
          const entries = event.suites.map((suite) => ({ ...suite, suite: suite.name }));
          const uses = new Map<string, number>();
          for (const { name } of event.suites) uses.set(name, (uses.get(name) ?? 0) + 1);
          names = new Map(
            entries.map((suite) => [suiteKey(suite), uses.get(suite.name) === 1 ? suite.name : `${suite.file}::${suite.name}@${suite.target}/${suite.engine}`]),
          );
          suitesLeft = entries.map(suiteKey);
          const head = dialect.naming === "metadata" ? formatMetadata("main", {}) : [];
          sink.write(`${[dialect.version, ...head, formatTool(event), `1..${event.suites.length}`].join("\n")}\n`);
          return;
        }
        case "suite-started":
          return beginSuite(event);
        case "test-finished":
          return addTest(event);
        case "suite-finished":
          return finishSuite(event);
        case "run-finished":
        case "coverage-measured":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      if (!hasStarted) return;
      for (const suite of open.filter(({ isFinished }) => !isFinished)) completeSuite(suite);
      for (const key of suitesLeft) sink.write(`${formatResultLine(dialect, ++suiteNumber, names.get(key) ?? "", missing())}\n`);
      sink.write(`# Totals: ${formatTotals(written)}\n`);
    },
  };
}

/** KUnit's form of a count: expected failures are passes to it, everything that fails a run is a failure. */
export function formatTotals(counts: Readonly<Counts>): string {
  return `pass:${counts.pass + counts.flaky + counts.xfail} fail:${failedOf(counts)} skip:${counts.skip} total:${totalOf(counts)}`;
}

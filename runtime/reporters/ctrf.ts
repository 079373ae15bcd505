// Common Test Report Format (ctrf.io), specification 0.1.0: one JSON document, so it is held until `finish` and for drafts. Its
// schema forbids unknown keys except below `extra`, where target, seed and guest times go. An expected failure has the status `other`: neither a
// pass nor a failure, and visible; `rawStatus` always tells our own verdict.
import { createHash } from "node:crypto";
import { VERDICTS, type RunEvent, type RunFinished, type RunStarted, type TestFinished, type Verdict } from "../events.ts";
import { formatFailures, summariseFailure } from "./failure-block.ts";
import { formatJson } from "./json-text.ts";
import { paintFor } from "./paint.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { caseName, createCounts, suiteKey, totalOf, type Counts } from "./tally.ts";
import { printableLines } from "./terminal-text.ts";

const SPEC_VERSION = "0.1.0";

type Status = "passed" | "failed" | "skipped" | "pending" | "other";

const STATUSES: Readonly<Record<Verdict, Status>> = {
  error: "failed",
  nondeterministic: "failed",
  crash: "failed",
  hung: "failed",
  timeout: "failed",
  fail: "failed",
  xpass: "failed",
  flaky: "passed",
  pass: "passed",
  xfail: "other",
  skip: "skipped",
};

/** RFC 9562 section 5.5, a name-based UUID, within a name space of our own. */
const NAMESPACE = Buffer.from("6f0d6b1e5c7c4f8f9c0a6775657374ff", "hex");

export function uuidOf(name: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(name).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Runs of a test that ran again, those alike told as one. */
function describeAttempts({ attempts = [] }: TestFinished): object {
  if (attempts.length < 2) return {};
  let run = 1;
  const retryAttempts = attempts.map(({ verdict, message, times, wallMs }) => {
    const attempt = run;
    run += times;
    return {
      attempt,
      status: STATUSES[verdict],
      duration: Math.round(wallMs),
      ...(message === null ? {} : { message }),
      extra: { rawStatus: verdict, times },
    };
  });
  return { retries: run - 2, retryAttempts };
}

/** `startedAt`: of the run. */
function describeTest(test: TestFinished, startedAt: number): object {
  const status = STATUSES[test.verdict];
  const isFailed = status === "failed";
  const frame = test.failures[0]?.frame ?? null;
  const message = isFailed ? summariseFailure(test) : test.reason;
  return {
    id: uuidOf(test.id),
    name: caseName(test),
    status,
    duration: Math.round(test.wallMs),
    start: Math.round(startedAt + test.wallStartMs),
    stop: Math.round(startedAt + test.wallStartMs + test.wallMs),
    threadId: `${test.engine} ${test.wallWorker}`,
    suite: [test.file, test.suite],
    ...(message === null ? {} : { message }),
    ...(isFailed
      ? {
          trace: formatFailures(test, { paint: paintFor(false), columns: Infinity, isFull: true })
            .map((line) => line.slice(2))
            .join("\n"),
        }
      : {}),
    ...(frame === null ? {} : { snippet: frame.lines.map(({ number, text }) => `${number} | ${text}`).join("\n") }),
    line: test.line,
    rawStatus: test.verdict,
    ...(test.verdict === "flaky" ? { flaky: true } : {}),
    ...describeAttempts(test),
    ...(test.row === null ? {} : { parameters: { row: test.row } }),
    tags: test.tags,
    filePath: test.file,
    ...(test.console === "" ? {} : { stdout: printableLines(test.console) }),
    extra: {
      id: test.id,
      target: test.target,
      engine: test.engine,
      checks: test.checks,
      guestNs: test.guestNs,
      instructions: test.instructions,
      promised: test.promised,
      repro: test.repro,
      ...(test.cached === undefined ? {} : { cached: true }),
    },
  };
}

function sumOf(counts: Readonly<Counts>, status: Status): number {
  return VERDICTS.reduce((sum, verdict) => sum + (STATUSES[verdict] === status ? counts[verdict] : 0), 0);
}

/** `guestspec 0.1.0` -> name and version. */
function describeTool(tool: string): object {
  const [name = "guestspec", version] = tool.split(" ");
  return { name, ...(version === undefined ? {} : { version }) };
}

export function createCtrfReporter(sink: Sink): Reporter {
  let started: RunStarted | null = null;
  let finished: RunFinished | null = null;
  let tests: TestFinished[] = [];

  const formatDocument = (): string => {
    const counts = createCounts();
    for (const { verdict } of tests) counts[verdict]++;
    const wallMs = finished?.wallMs ?? tests.reduce((sum, test) => sum + test.wallMs, 0);
    const start = started === null ? 0 : Date.parse(started.startedAt);
    const stop = finished === null ? start + Math.round(wallMs) : Date.parse(finished.finishedAt);
    const report = {
      reportFormat: "CTRF",
      specVersion: SPEC_VERSION,
      ...(started === null ? {} : { reportId: uuidOf(`${started.startedAt} ${started.seed}`) }),
      ...(finished === null ? {} : { timestamp: finished.finishedAt }),
      generatedBy: started?.tool ?? "guestspec",
      results: {
        tool: describeTool(started?.tool ?? "guestspec"),
        summary: {
          tests: totalOf(counts),
          passed: sumOf(counts, "passed"),
          failed: sumOf(counts, "failed"),
          skipped: sumOf(counts, "skipped"),
          pending: 0,
          other: sumOf(counts, "other"),
          flaky: counts.flaky,
          suites: new Set(tests.map(suiteKey)).size,
          start,
          stop,
          duration: Math.round(wallMs),
          extra: {
            notRun: finished?.notRun ?? Math.max(0, (started?.tests ?? tests.length) - tests.length),
            deselected: started?.deselected ?? 0,
            interrupted: finished === null || finished.interrupted,
            exitCode: finished?.exitCode ?? null,
          },
        },
        tests: tests.map((test) => describeTest(test, start)),
        ...(started === null ? {} : { extra: { seed: started.seed, targets: started.targets } }),
      },
    };
    return `${formatJson(report, 2)}\n`;
  };

  return {
    handle(event: RunEvent): void {
      if (event.type === "run-started") [started, finished, tests] = [event, null, []];
      else if (event.type === "test-finished") tests.push(event);
      else if (event.type === "run-finished") finished = event;
    },
    finish: () => sink.write(formatDocument()),
    draft: formatDocument,
  };
}

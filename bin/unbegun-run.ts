// What a run in which nothing ran leaves in its reports: a CI server that looks for results.xml must find why there are none, and not those of
// the run before. Each spec that does not compile is a test in error, as collection errors are with pytest; so is any other reason, but for
// a shard or `--last-failed` that leaves nothing, which is no error. On the terminal it has been said already: only files and formats for
// programs get it.

import type { Diagnostic } from "../grammar/diagnostic.ts";
import { positionAt } from "../grammar/source.ts";
import { createSourceLines, frameAt } from "../runtime/engines/code-frame.ts";
import { makeFailure } from "../runtime/engines/failure.ts";
import { untouchedResult } from "../runtime/engines/result.ts";
import { EVENT_VERSION, type Failure, type RunEvent, type TestFinished } from "../runtime/events.ts";
import { createCounts } from "../runtime/reporters/tally.ts";
import type { CommandError } from "./errors.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import type { ParsedOptions } from "./options.ts";
import { openReporters } from "./reporters.ts";
import { toolVersion } from "./version.ts";

/** What is compiled for if nobody says. */
const DEFAULT_TARGET = "bytecode";
const SUITE = "guestspec";
const ENGINE = "compiler";

interface Reason {
  readonly file: string;
  readonly line: number;
  readonly test: string;
  readonly failures: readonly Failure[];
}

function failureOf({ code, message, labels, notes = [], help }: Diagnostic): Failure {
  const [{ span, text }] = labels;
  const { path, text: source } = span.source;
  const { line, column } = positionAt(span.source, span.start);
  const frame = frameAt(
    createSourceLines(() => source),
    { path, line, column, length: span.end - span.start },
    text,
  );
  return makeFailure("error", `${message} (${code})`, { frame, details: notes, hints: help === undefined ? [] : [help] });
}

/** A file's errors are one test, which stands where the first of them does. */
function reasonsOf(error: CommandError): readonly Reason[] {
  const diagnostics = "diagnostics" in error ? (error.diagnostics as readonly Diagnostic[]) : [];
  if (diagnostics.length === 0) {
    const [message = "", ...details] = error.message.split("\n");
    const hints = error.help === null ? [] : [error.help];
    return [{ file: SUITE, line: 1, test: "begins", failures: [makeFailure("error", message, { details, hints })] }];
  }
  const byFile = Map.groupBy(diagnostics, ({ labels: [{ span }] }) => span.source.path);
  return [...byFile].map(([file, those]) => {
    const [first] = those;
    const line = first === undefined ? 1 : positionAt(first.labels[0].span.source, first.labels[0].span.start).line;
    return { file, line, test: "compiles", failures: those.map(failureOf) };
  });
}

function resultOf({ file, line, test, failures }: Reason, target: string): TestFinished {
  const id = `${file}::${SUITE}::${test}@${target}/${ENGINE}`;
  return { ...untouchedResult({ id, file, line, suite: SUITE, test, row: null, target, engine: ENGINE, tags: [] }), verdict: "error", failures };
}

/** What is known of a run without tests. */
export interface UnbegunRun {
  readonly seed: bigint;
  readonly exitCode: ExitCode;
  readonly deselected: number;
  readonly shard?: string;
}

function eventsOf(tests: readonly TestFinished[], targets: readonly string[], { seed, exitCode, deselected, shard }: UnbegunRun): readonly RunEvent[] {
  const at = new Date().toISOString();
  return [
    {
      type: "run-started",
      version: EVENT_VERSION,
      tool: `guestspec ${toolVersion()}`,
      seed: String(seed),
      targets,
      suites: tests.map(({ suite: name, file, target, engine }) => ({ name, file, target, engine, tests: 1 })),
      tests: tests.length,
      deselected,
      ...(shard === undefined ? {} : { shard }),
      startedAt: at,
    },
    ...tests.flatMap((test): readonly RunEvent[] => {
      const { suite, file, target, engine } = test;
      return [
        { type: "suite-started", suite, file, target, engine, tests: 1, plan: [{ test: test.test, rows: null }] },
        test,
        { type: "suite-finished", suite, file, target, engine, verdict: "error", wallMs: 0 },
      ];
    }),
    {
      type: "run-finished",
      counts: { ...createCounts(), error: tests.length },
      notRun: 0,
      interrupted: false,
      exitCode,
      wallMs: 0,
      wallBoots: [],
      finishedAt: at,
    },
  ];
}

/** The one that something does not compile for, behind which no other is compiled; else all that were asked for. */
async function targetsOf(error: CommandError | null, options: ParsedOptions): Promise<readonly string[]> {
  if (error !== null && "target" in error) return [error.target as string];
  if (!options.has("target")) return [DEFAULT_TARGET];
  return (await import("./load-targets.ts")).targetNames(options).map((name) => name ?? DEFAULT_TARGET);
}

/** `error`: why the run could not begin; null: it had nothing to do. */
export async function reportUnbegun(error: CommandError | null, unbegun: UnbegunRun, options: ParsedOptions, io: Io): Promise<void> {
  const targets = await targetsOf(error, options);
  const tests = error === null ? [] : reasonsOf(error).map((reason) => resultOf(reason, targets[0] ?? DEFAULT_TARGET));
  const reporters = await openReporters(options, io, null, "not for people");
  for (const event of eventsOf(tests, targets, unbegun)) reporters.handle(event);
  await reporters.finish();
}

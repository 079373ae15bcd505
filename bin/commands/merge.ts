// `guestspec merge FILE...`: result files of several runs as one run, in any report. The files are those of `--reporter ndjson`.

import type { RunEvent } from "../../runtime/events.ts";
import { mergeRuns, missingShards, readRun } from "../../runtime/runner/merge-runs.ts";
import { CommandError, usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { ParsedOptions } from "../options.ts";
import { readEvents } from "../read-events.ts";
import { openReporters } from "../reporters.ts";

/** Events of the past through the reporters of today. */
export async function reportEvents(events: readonly RunEvent[], options: ParsedOptions, io: Io): Promise<ExitCode> {
  const reporters = await openReporters(options, io, null);
  for (const event of events) reporters.handle(event);
  await reporters.finish();
  if (reporters.fault !== null) return reporters.fault;
  const last = events.at(-1);
  // A run without its end has not succeeded.
  if (last?.type !== "run-finished") return EXIT.testsFailed;
  return Object.values(EXIT).find((code) => code === last.exitCode) ?? EXIT.internal;
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const runs = options.positionals.map((path) => {
    const recorded = readRun(path, readEvents(path));
    if (recorded === null) throw usageError(`${path} holds no run`);
    return recorded;
  });
  const missing = missingShards(runs);
  if (missing.length > 0 && !options.has("partial"))
    throw new CommandError(EXIT.usage, `the results of shard ${missing.join(", ")} are missing`, "--partial reports what there is, and fails");
  const merged = mergeRuns(runs);
  if (!merged.ok) throw usageError(merged.message, merged.help);
  for (const note of merged.notes) io.err(`note: ${note}\n`);
  for (const shard of missing) io.err(`note: shard ${shard} is missing\n`);
  const exitCode = await reportEvents(merged.events, options, io);
  return missing.length > 0 && exitCode === EXIT.ok ? EXIT.testsFailed : exitCode;
}

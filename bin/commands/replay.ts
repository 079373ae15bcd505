// `guestspec replay [RUN]`: a run of the past, told again by any reporter, from what was kept of it or from a file of events; or, with
// `--again`, its failures run again with its options, to see whether they still fail and fail the same.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent, TestFinished } from "../../runtime/events.ts";
import { countNoun } from "../../runtime/reporters/quantities.ts";
import { CommandError, usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { parseOptions, type ParsedOptions } from "../options.ts";
import { applyProfiles } from "../profiles.ts";
import { readEvents } from "../read-events.ts";
import { findRecord, listRecords, readRecord, runsFolder, type RunRecord } from "../run-record.ts";
import { reportEvents } from "./merge.ts";
import { run as runTests } from "./run.ts";
import { COMMANDS } from "./table.ts";

function list(io: Io): ExitCode {
  const folder = runsFolder(io);
  for (const id of listRecords(folder)) {
    const record = readRecord(join(folder, id));
    io.out(`${id}  exit ${String(record.exitCode).padStart(3)}  ${record.failed.length}/${record.tests} failed  guestspec run ${record.arguments.join(" ")}\n`);
    io.out(`  ${join(folder, id)}\n`);
  }
  return EXIT.ok;
}

function isFile(name: string): boolean {
  return existsSync(name) && !existsSync(join(name, "run.json"));
}

function find(name: string | null, io: Io): string {
  const folder = findRecord(name, io);
  if (folder !== null) return folder;
  const kept = listRecords(runsFolder(io));
  throw new CommandError(
    EXIT.usage,
    name === null ? "no run of this folder is kept" : `there is no run or file \`${name}\``,
    kept.length === 0 ? "failed runs are kept, and others with `guestspec run --record=always`" : "`guestspec replay --list` lists runs",
  );
}

/** What a result is, without what may differ between two good runs. */
function storyOf({ verdict, failures }: TestFinished): string {
  return `${verdict}\n${failures.map(({ message }) => message).join("\n")}`;
}

function tellDifferences(record: RunRecord, before: readonly RunEvent[], after: ReadonlyMap<string, TestFinished>, io: Io): void {
  let same = 0;
  for (const event of before) {
    if (event.type !== "test-finished" || !record.failed.includes(event.id)) continue;
    const now = after.get(event.id);
    if (now !== undefined && storyOf(now) === storyOf(event)) same++;
    else if (now === undefined) io.err(`${event.id}: ${event.verdict} then, not run now\n`);
    else io.err(`${event.id}: ${event.verdict} then, ${now.verdict === event.verdict ? "the same verdict, another failure" : now.verdict} now\n`);
  }
  io.err(`${same} of ${countNoun(record.failed.length, "failure")} of run ${record.id} ${same === 1 ? "is" : "are"} the same\n`);
}

async function runAgain(folder: string, options: ParsedOptions, io: Io): Promise<ExitCode> {
  const record = readRecord(folder);
  if (record.failed.length === 0) throw usageError(`run ${record.id} has no failure to run again`);
  const command = COMMANDS.find(({ name }) => name === "run");
  if (command === undefined) throw new Error("there is no command `run`");
  if (record.folder !== process.cwd()) io.err(`note: run ${record.id} was in ${record.folder}\n`);
  const given = applyProfiles(parseOptions(command.options, record.arguments, "run", record.environment), command.options, command.options);
  /** Its options, its seed and its failures; reports as they are wanted now, and nothing to remember beside the run of then. */
  const valuesOf = (name: string): readonly string[] => {
    if (REPORTING.has(name)) return options.values(name);
    if (name === "seed") return [record.seed];
    if (name === "record") return ["never"];
    return CHOOSING.has(name) ? [] : given.values(name);
  };
  const again: ParsedOptions = {
    ...given,
    positionals: record.failed,
    has: (name) => valuesOf(name).length > 0,
    value: (name) => valuesOf(name).at(-1) ?? null,
    values: valuesOf,
    origin: (name) => (valuesOf(name).length > 0 ? `run ${record.id}` : null),
  };
  const results = new Map<string, TestFinished>();
  const exitCode = await runTests(again, io, { observe: (event) => void (event.type === "test-finished" && results.set(event.id, event)) });
  tellDifferences(record, readEvents(join(folder, "events.ndjson")), results, io);
  return exitCode;
}

/** Options that chose the tests then: now ids do. */
const CHOOSING: ReadonlySet<string> = new Set(["filter", "last-failed", "only-changed", "shard", "until-fail", "watch", "quarantine-verify"]);

const REPORTING: ReadonlySet<string> = new Set(["reporter", "verbose"]);

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const name = options.positionals[0] ?? null;
  if (options.has("list")) return list(io);
  if (name !== null && isFile(name)) {
    if (options.has("again") || options.has("path")) throw usageError(`${name} holds events only; \`--again\` and \`--path\` need the run's folder`);
    return reportEvents(readEvents(name), options, io);
  }
  const folder = find(name, io);
  if (options.has("path")) {
    io.out(`${folder}\n`);
    return EXIT.ok;
  }
  return options.has("again") ? runAgain(folder, options, io) : reportEvents(readEvents(join(folder, "events.ndjson")), options, io);
}

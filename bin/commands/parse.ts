// `guestspec parse`: reads a log that holds KTAP or TAP - of a kernel, of another tool, of ours - and reports it as a run. Results are told as
// their lines come where only people read them; formats that begin with a plan have to wait for the log's end.

import type { RunEvent, RunStarted } from "../../runtime/events.ts";
import { usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { ParsedOptions } from "../options.ts";
import { openKtapRun, readLog, STDIN } from "../read-ktap.ts";
import { openReporters } from "../reporters.ts";

/** How `--reporter ndjson` begins. */
const EVENTS_OF_A_RUN = '{"type":"run-started"';

/** Nothing is known yet of what will come. */
function openStart(): RunStarted {
  const { started } = openKtapRun(STDIN, true).end();
  return { ...started, suites: [], tests: 0, targets: [] };
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const file = options.positionals[0] ?? STDIN;
  const log = openKtapRun(file, options.has("lenient"));
  const reporters = await openReporters(options, io, null);
  const held: RunEvent[] = [];
  const send = (event: RunEvent): void => reporters.handle(event);
  const take = (events: readonly RunEvent[]): void => {
    if (reporters.isForPeopleOnly) events.forEach(send);
    else held.push(...events);
  };
  const lines = readLog(file);
  // A log that cannot be read is no run, and not told as one.
  let next = await lines.next();
  if (next.done !== true && next.value.startsWith(EVENTS_OF_A_RUN))
    throw usageError(`${file} has the events of a run, not KTAP or TAP`, "`guestspec replay` tells them");
  if (reporters.isForPeopleOnly) send(openStart());
  for (; next.done !== true; next = await lines.next()) take(log.push(next.value));
  const { events, started, finished } = log.end();
  take(events);
  if (!reporters.isForPeopleOnly) [started, ...held].forEach(send);
  send(finished);
  await reporters.finish();
  return reporters.fault ?? (finished.exitCode === 0 ? EXIT.ok : EXIT.testsFailed);
}

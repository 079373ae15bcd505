// `guestspec parse`: reads a log that holds KTAP or TAP - of a kernel, of another tool, of ours - and reports it as a run. Results are told as
// their lines come where only people read them; formats that begin with a plan have to wait for the log's end.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { RunEvent, RunStarted } from "../../runtime/events.ts";
import { engineHost } from "../../runtime/engines/host.ts";
import { createKtapRun, type KtapRun } from "../../runtime/ktap/ktap-events.ts";
import { CommandError, describeHostError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { ParsedOptions } from "../options.ts";
import { openReporters } from "../reporters.ts";
import { toolVersion } from "../version.ts";

export const STDIN = "-";

export function openKtapRun(file: string, isLenient: boolean): KtapRun {
  return createKtapRun({
    file: file === STDIN ? "stdin" : file,
    tool: `guestspec ${toolVersion()}`,
    isLenient,
    now: () => engineHost.now(),
    date: () => new Date().toISOString(),
  });
}

/** Line by line; bytes that are no UTF-8 become replacement characters. */
export async function* readLog(file: string): AsyncGenerator<string> {
  const input = file === STDIN ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_resolve, reject) => input.once("error", reject));
  // Awaited below; until then nobody listens.
  failed.catch(() => undefined);
  try {
    const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([lines.next(), failed]);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot read ${file}: ${describeHostError(error)}`);
  }
}

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
  if (reporters.isForPeopleOnly) send(openStart());
  for await (const line of readLog(file)) take(log.push(line));
  const { events, started, finished } = log.end();
  take(events);
  if (!reporters.isForPeopleOnly) [started, ...held].forEach(send);
  send(finished);
  await reporters.finish();
  return reporters.fault ?? (finished.exitCode === 0 ? EXIT.ok : EXIT.testsFailed);
}

// Recorded event streams from files: NDJSON as `--reporter ndjson` writes it. Each line is checked against the schema before anything
// relies on it, because a report made of half an event would be worse than none.

import { EVENT_VERSION, type RunEvent } from "../runtime/events.ts";
import { validate } from "../generated/validators/run-events.mjs";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { readText } from "./read-text.ts";

function complain(path: string, line: number, message: string, help: string | null = null): CommandError {
  return new CommandError(EXIT.usage, `${path}:${line}: ${message}`, help);
}

function parseEvent(path: string, line: number, text: string): RunEvent {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw complain(path, line, "this line is no JSON", "files with events are written by `guestspec run --reporter ndjson=FILE`");
  }
  const version =
    typeof data === "object" && data !== null && "type" in data && data.type === "run-started" && "version" in data ? data.version : EVENT_VERSION;
  if (version !== EVENT_VERSION) throw complain(path, line, `events of version ${String(version)}; this guestspec reads version ${EVENT_VERSION}`);
  if (validate(data)) return data as RunEvent;
  const [error] = validate.errors ?? [];
  throw complain(path, line, `this line is no event: ${error?.instancePath ?? ""} ${error?.message ?? "of an unknown type"}`.replace(": /", ": /").trimEnd());
}

/** Throws a CommandError that says what is wrong where. A last line that is cut, as by a killed process, is left out. */
export function readEvents(path: string): readonly RunEvent[] {
  const text = readText(path);
  if (text === null) throw new CommandError(EXIT.usage, `there is no file \`${path}\``);
  const lines = text.split("\n");
  // What follows the last line feed: nothing, or half a line.
  lines.pop();
  const events = lines.map((line, index) => parseEvent(path, index + 1, line));
  if (events[0]?.type !== "run-started") throw new CommandError(EXIT.usage, `${path} does not begin with a run: it is no file of \`--reporter ndjson\``);
  return events;
}

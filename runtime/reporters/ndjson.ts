// The event stream as a file: one JSON object a line (schemas/run-events.schema.json), in the order of the events, written at once.
// What only people watching want (`test-running`, `test-status`) stays out, so that two runs with one seed give one file.
import type { RunEvent } from "../events.ts";
import { formatJson } from "./json-text.ts";
import type { Reporter, Sink } from "./reporter.ts";

export function createNdjsonReporter(sink: Sink): Reporter {
  return {
    handle(event: RunEvent): void {
      if (event.type === "test-running" || event.type === "test-status") return;
      sink.write(`${formatJson(event)}\n`);
    },
    finish(): void {
      // Every line is complete when it is written.
    },
  };
}

// What the guests printed and nothing else, test after test in the order of the plan. The verdict is that of the run all the same: who looks at
// the raw text has not asked for a green one.
import type { RunEvent } from "../events.ts";
import type { Reporter, Sink } from "./reporter.ts";

export function createRawReporter(sink: Sink): Reporter {
  return {
    handle(event: RunEvent): void {
      if (event.type === "test-finished" && event.console !== "") sink.write(event.console.endsWith("\n") ? event.console : `${event.console}\n`);
    },
    finish(): void {
      // Nothing is owed: what a test printed was written with its result.
    },
  };
}

// The way of a run's events to whoever wants them: what is measured or comes from other tools is put in where it belongs, results are kept for
// what is judged behind the run, and events of a round that is one of many are held back until it is known that somebody wants to read them.

import { isGood, type CoverageMeasured, type RunEvent, type TestFinished } from "../runtime/events.ts";
import type { Comparison } from "../runtime/reporters/compare.ts";
import type { Coverage } from "./coverage.ts";
import type { Reporters } from "./reporters.ts";
import type { ForeignResults } from "./with-ktap.ts";

export interface RunListeners {
  readonly reporters: Reporters;
  readonly coverage: Coverage | null;
  readonly foreign: ForeignResults | null;
  readonly comparison: Comparison | null;
  readonly observe: ((event: RunEvent) => void) | null;
  /** The last round may be kept as a record. */
  readonly isRecorded: boolean;
}

export interface RunEvents {
  readonly emit: (event: RunEvent) => void;
  /** `isHeld`: nobody wants to read about this round unless `tellHeld` says so. */
  beginRound(isHeld: boolean): void;
  tellHeld(): void;
  /** Of all rounds, by id. */
  readonly results: ReadonlyMap<string, TestFinished>;
  /** Ids of the last round. */
  readonly failed: ReadonlySet<string>;
  /** The last round, without what only matters while it runs. */
  readonly recorded: readonly RunEvent[];
  /** Of the last round; null: nothing was. */
  readonly measured: CoverageMeasured | null;
}

export function createRunEvents({ reporters, coverage, foreign, comparison, observe, isRecorded }: RunListeners): RunEvents {
  const results = new Map<string, TestFinished>();
  let failed = new Set<string>();
  let recorded: RunEvent[] = [];
  let held: RunEvent[] | null = null;
  let measured: CoverageMeasured | null = null;

  function tell(event: RunEvent): void {
    if (held !== null) held.push(event);
    else reporters.handle(event);
  }

  return {
    emit(event) {
      if (event.type === "run-finished" && coverage !== null) tell((measured = coverage.total()));
      if (event.type === "run-started") recorded = [];
      if (isRecorded && event.type !== "test-running" && event.type !== "test-status") recorded.push(event);
      observe?.(event);
      if (event.type === "test-finished") {
        results.set(event.id, event);
        if (!isGood(event.verdict)) failed.add(event.id);
        comparison?.add(event);
      }
      if (foreign === null) tell(event);
      else for (const each of foreign.join(event)) tell(each);
      if (event.type === "test-finished" && coverage !== null) tell(coverage.takeTest(event.id));
    },
    beginRound(isHeld) {
      failed = new Set();
      held = isHeld ? [] : null;
    },
    tellHeld() {
      const events = held ?? [];
      held = null;
      for (const event of events) reporters.handle(event);
    },
    results,
    get failed() {
      return failed;
    },
    get recorded() {
      return recorded;
    },
    get measured() {
      return measured;
    },
  };
}

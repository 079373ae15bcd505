// `run --with-ktap FILE`: results of another tool, as suites of this run. The logs are read before the run begins, because a report's plan comes
// first, and told behind its own suites; a failure in them is one of the run.

import { isGood, VERDICTS, type RunEvent, type RunFinished } from "../runtime/events.ts";
import { EXIT } from "./exit-codes.ts";
import type { KtapRun } from "../runtime/ktap/ktap-events.ts";
import { openKtapRun, readLog } from "./read-ktap.ts";

export interface ForeignResults {
  /** An event of the run, with what belongs beside it. */
  join(event: RunEvent): readonly RunEvent[];
  finish(finished: RunFinished): RunFinished;
}

export async function readForeignResults(files: readonly string[], isLenient: boolean): Promise<ForeignResults> {
  const logs: ReturnType<KtapRun["end"]>[] = [];
  for (const file of files) {
    const log = openKtapRun(file, isLenient);
    const events: RunEvent[] = [];
    for await (const line of readLog(file)) events.push(...log.push(line));
    const end = log.end();
    logs.push({ ...end, events: [...events, ...end.events] });
  }
  const suites = logs.flatMap(({ started }) => started.suites);
  const tests = logs.reduce((sum, { started }) => sum + started.tests, 0);
  const targets = logs.flatMap(({ started }) => started.targets);

  function finish(finished: RunFinished): RunFinished {
    const counts = { ...finished.counts };
    for (const log of logs) for (const verdict of VERDICTS) counts[verdict] += log.finished.counts[verdict];
    const isRed = VERDICTS.some((verdict) => counts[verdict] > 0 && !isGood(verdict));
    // As the run alone would have it: failures before promises and flakes.
    const isWorse = isRed && !finished.interrupted && finished.exitCode !== EXIT.environment && finished.exitCode !== EXIT.internal;
    return { ...finished, counts, exitCode: isWorse ? EXIT.testsFailed : finished.exitCode };
  }

  return {
    finish,
    join(event) {
      if (event.type === "run-started")
        return [{ ...event, suites: [...event.suites, ...suites], tests: event.tests + tests, targets: [...new Set([...event.targets, ...targets])] }];
      if (event.type === "run-finished") return [...logs.flatMap(({ events }) => events), finish(event)];
      return [event];
    },
  };
}

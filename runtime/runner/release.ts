// Puts results back into the order of the plan. Workers finish when they finish; the recorded stream must not tell. A result waits
// here until all before it are out; suites open and close around their tests. `--fail-fast` counts here, in plan order, so that
// it stops at the same test for any number of workers.

import { isGood, VERDICTS, type RunEvent, type TestFinished, type Verdict } from "../events.ts";
import { worst } from "../engines/verdict.ts";
import type { RunPlan } from "./plan.ts";

export interface Release {
  /** A result may come in any order, each index once. */
  add(index: number, result: TestFinished): void;
  /** No more will come: lets out what waits behind gaps, in order. */
  finish(): void;
  /** The limit of failures is reached: nothing more is let out. */
  readonly isStopped: boolean;
  readonly released: number;
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly promisedSkips: number;
}

interface SuiteState {
  opened: boolean;
  left: number;
  wallMs: number;
  readonly verdicts: Set<Verdict>;
}

/** `failLimit`: Infinity for none. */
export function createRelease(plan: RunPlan, failLimit: number, emit: (event: RunEvent) => void): Release {
  const waiting: (TestFinished | undefined)[] = new Array<TestFinished | undefined>(plan.work.length).fill(undefined);
  const suites: SuiteState[] = plan.suites.map(({ tests }) => ({ opened: false, left: tests, wallMs: 0, verdicts: new Set() }));
  const counts = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  let next = 0;
  let released = 0;
  let failures = 0;
  let promisedSkips = 0;

  function closeSuite(index: number): void {
    const planned = plan.suites[index];
    const state = suites[index];
    if (planned === undefined || state === undefined || !state.opened) return;
    state.opened = false;
    const { name: suite, file, target, engine } = planned;
    emit({ type: "suite-finished", suite, file, target, engine, verdict: worst([...state.verdicts]), wallMs: state.wallMs });
  }

  function letOut(index: number, result: TestFinished): void {
    const suiteIndex = plan.suiteOf[index] ?? -1;
    const planned = plan.suites[suiteIndex];
    const state = suites[suiteIndex];
    if (planned === undefined || state === undefined) throw new Error(`unit of work ${index} has no suite`);
    if (!state.opened) {
      state.opened = true;
      const { name: suite, file, target, engine, tests, plan: listed } = planned;
      emit({ type: "suite-started", suite, file, target, engine, tests, plan: listed });
    }
    emit(result);
    released++;
    counts[result.verdict]++;
    if (result.promised && result.verdict === "skip") promisedSkips++;
    if (!isGood(result.verdict)) failures++;
    state.verdicts.add(result.verdict);
    state.wallMs += result.wallMs;
    state.left--;
    if (state.left === 0 || failures >= failLimit) closeSuite(suiteIndex);
  }

  return {
    add(index, result) {
      if (failures >= failLimit) return;
      waiting[index] = result;
      for (let ready = waiting[next]; ready !== undefined && failures < failLimit; ready = waiting[next]) {
        waiting[next] = undefined;
        letOut(next++, ready);
      }
    },
    finish() {
      let open = -1;
      for (let at = next; at < waiting.length && failures < failLimit; at++) {
        const result = waiting[at];
        if (result === undefined) continue;
        waiting[at] = undefined;
        const suiteIndex = plan.suiteOf[at] ?? -1;
        if (open >= 0 && open !== suiteIndex) closeSuite(open);
        open = suiteIndex;
        // The suite that was under way when the gap began closes before another opens.
        suites.forEach((state, index) => {
          if (state.opened && index !== suiteIndex) closeSuite(index);
        });
        letOut(at, result);
      }
      suites.forEach((_, index) => closeSuite(index));
    },
    get isStopped() {
      return failures >= failLimit;
    },
    get released() {
      return released;
    },
    counts,
    get promisedSkips() {
      return promisedSkips;
    },
  };
}

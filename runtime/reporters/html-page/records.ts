// What the page of the HTML report holds: one record a line, written as results come, read by the scripts beside this file. A projection of
// the event stream: what the page derives - ids, counts, order - is left out, so that ten thousand results make a page of a megabyte.

import type { Attempt, Boot, Verdict } from "../../events.ts";

export type PageRecord = RunRecord | SuiteRecord | TestRecord | EndRecord;

/** A run begins; all before it in the page belongs to an earlier one. */
export interface RunRecord {
  readonly type: "run";
  readonly tool: string;
  readonly seed: string;
  readonly targets: readonly string[];
  readonly tests: number;
  readonly deselected: number;
  readonly startedAt: string;
}

/** Comes before its tests, which name it by its place among the suites. */
export interface SuiteRecord {
  readonly type: "suite";
  readonly name: string;
  readonly file: string;
  readonly target: string;
  readonly engine: string;
}

export interface TestRecord {
  readonly type: "test";
  readonly suite: number;
  readonly test: string;
  readonly row: string | null;
  /** The name for people; absent: `test[row]`. */
  readonly shown?: string;
  /** Absent: `file::suite::test[row]@target/engine`. */
  readonly id?: string;
  readonly line: number;
  readonly verdict: Verdict;
  /** The failure in one line, or why it was skipped. */
  readonly summary?: string;
  readonly promised?: true;
  readonly checks: number;
  readonly tags?: readonly string[];
  readonly guestNs: number;
  readonly instructions: number;
  readonly wallMs: number;
  readonly startMs: number;
  readonly worker: number;
  readonly attempts?: readonly Attempt[];
  readonly cached?: true;
  /** All that there is to tell, as on a terminal, with its colours. */
  readonly story?: readonly string[];
}

export interface EndRecord {
  readonly type: "end";
  readonly notRun: number;
  readonly interrupted: boolean;
  readonly exitCode: number;
  readonly wallMs: number;
  readonly boots: readonly Boot[];
  readonly finishedAt: string;
}

/** What the script of the list tells that of the timeline. */
export interface PageData {
  readonly run: RunRecord | null;
  readonly end: EndRecord | null;
  readonly suites: readonly SuiteRecord[];
  readonly tests: readonly (TestRecord & { readonly id: string })[];
}

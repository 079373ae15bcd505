// RunEvent: the one stream that a run produces and that every reporter, the TUI and later tools read. Written down it is
// newline-delimited JSON (schemas/run-events.schema.json). With one seed two runs differ only in the fields named `wall…` and
// `…At`; live-only events never reach a file. Events carry all that a report prints: no reader needs the sources.

export const EVENT_VERSION = 1;

/** From worst to best; the verdict of a group is its worst child's. */
export const VERDICTS = ["error", "nondeterministic", "crash", "hung", "timeout", "fail", "xpass", "flaky", "pass", "xfail", "skip"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Verdicts that let a run succeed. */
export function isGood(verdict: Verdict): boolean {
  return verdict === "pass" || verdict === "flaky" || verdict === "xfail" || verdict === "skip";
}

export type RunEvent = RunStarted | SuiteStarted | TestFinished | SuiteFinished | CoverageMeasured | RunFinished | LiveEvent;

export interface RunStarted {
  readonly type: "run-started";
  readonly version: number;
  readonly tool: string;
  readonly seed: string;
  readonly targets: readonly string[];
  /** Suites and tests of the plan in order, so that a reader knows what must come. */
  readonly suites: readonly { readonly name: string; readonly file: string; readonly target: string; readonly engine: string; readonly tests: number }[];
  readonly tests: number;
  /** Left out by a filter. */
  readonly deselected: number;
  /** Which part of the selected tests this is: `slice:1/4`. Absent: all of them. */
  readonly shard?: string;
  readonly startedAt: string;
}

export interface SuiteStarted {
  readonly type: "suite-started";
  readonly suite: string;
  readonly file: string;
  readonly target: string;
  readonly engine: string;
  readonly tests: number;
  /** The selected tests in order, with how many of their rows are selected (null: a test without rows); KTAP prints plans first. */
  readonly plan: readonly { readonly test: string; readonly rows: number | null }[];
}

export interface TestFinished {
  readonly type: "test-finished";
  /** `file::suite::test[row]@target/engine` */
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly suite: string;
  readonly test: string;
  /** Null for a test without rows. Rows of one test follow each other. */
  readonly row: string | null;
  readonly target: string;
  readonly engine: string;
  readonly verdict: Verdict;
  /** Why it was skipped, or why its failure was expected. */
  readonly reason: string | null;
  /** A skip of something that was promised (needs marked required): exit code 6. */
  readonly promised: boolean;
  readonly checks: number;
  readonly failures: readonly Failure[];
  readonly infos: readonly Info[];
  /** What the test printed on the console, frames removed; cut in the middle beyond 64 KiB. */
  readonly console: string;
  readonly tags: readonly string[];
  readonly guestNs: number;
  readonly instructions: number;
  readonly wallMs: number;
  /** Since the run began, ms: where the test stands on a timeline. */
  readonly wallStartMs: number;
  /** Which of its engine's workers ran it: the runner's own thread is 0, other threads and virtual machines count from 1. */
  readonly wallWorker: number;
  readonly repro: string;
  /** Of a test that ran more than once, its runs in order; equal ones behind each other are one entry. Absent: it ran once. */
  readonly attempts?: readonly Attempt[];
  /** Taken from an earlier run of the same image, machine and seed. */
  readonly cached?: true;
}

/** Of a test that ran several times: so many runs one after the other that ended alike. */
export interface Attempt {
  readonly verdict: Verdict;
  /** The first failure, in one line. */
  readonly message: string | null;
  readonly times: number;
  readonly wallMs: number;
}

/** What a test said by `info`, or a warning about a test that has not failed for it. */
export interface Info {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly severity?: "warning";
}

export interface SuiteFinished {
  readonly type: "suite-finished";
  readonly suite: string;
  readonly file: string;
  readonly target: string;
  readonly engine: string;
  readonly verdict: Verdict;
  readonly wallMs: number;
}

/** What was executed and touched, of one test behind its result, or of the whole run before its end. Only when it was asked for. */
export interface CoverageMeasured {
  readonly type: "coverage-measured";
  /** The id of a test; null: the run. */
  readonly test: string | null;
  readonly files: readonly CoveredFile[];
  readonly registers: readonly CoveredRegisters[];
}

export interface CoveredFile {
  readonly path: string;
  /** The whole text by line, so that no reader needs the file; null where the run's own event has it. */
  readonly source: readonly string[] | null;
  /** Lines that have code, in order. */
  readonly lines: readonly { readonly line: number; readonly hits: number }[];
  /** Each way out of each decision, in order. */
  readonly branches: readonly { readonly line: number; readonly column: number; readonly way: string; readonly hits: number }[];
}

/** A `regs` block as far as devices were accessed through it. */
export interface CoveredRegisters {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly registers: readonly {
    readonly name: string;
    readonly reads: number;
    readonly writes: number;
    readonly fields: readonly { readonly name: string; readonly reads: number; readonly writes: number }[];
  }[];
}

/** A machine came up. */
export interface Boot {
  readonly engine: string;
  readonly worker: number;
  readonly target: string;
  readonly machine: string;
  /** Since the run began. */
  readonly startMs: number;
  readonly durationMs: number;
}

export interface RunFinished {
  readonly type: "run-finished";
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Tests of the plan that never ran: --fail-fast or an interruption. */
  readonly notRun: number;
  readonly interrupted: boolean;
  readonly exitCode: number;
  readonly wallMs: number;
  /** In the order in which they were done. */
  readonly wallBoots: readonly Boot[];
  readonly finishedAt: string;
}

/** For people watching: never part of a recorded stream. */
export type LiveEvent =
  | { readonly type: "test-running"; readonly id: string; readonly title: string; readonly worker: number }
  | {
      readonly type: "test-status";
      readonly worker: number;
      readonly id: string;
      /** Null: the thread that runs the guest answers nobody until the test ends. */
      readonly guest: { readonly pc: string; readonly guestNs: number; readonly console: string } | null;
    };

export interface Failure {
  readonly kind: "check" | "assert" | "fail" | "trap" | "timeout" | "deadlock" | "stack-overflow" | "double-fault" | "setup" | "teardown" | "hung" | "error";
  /** One line: `expected add(1, 1) == 3, got 0x0000_0002`. */
  readonly message: string;
  /** The text the author gave, interpolated. */
  readonly note: string | null;
  readonly frame: CodeFrame | null;
  /** Second places: the row that the expected value came from, the function that trapped. */
  readonly related: readonly { readonly text: string; readonly frame: CodeFrame }[];
  readonly values: readonly FailureValue[];
  /** Ready-made lines below the values: hexdumps, per-field diffs, `xor = ..`. */
  readonly details: readonly string[];
  readonly hints: readonly string[];
  readonly trap: { readonly class: string; readonly pc: string; readonly function: string | null; readonly address: string; readonly access: string } | null;
  readonly cpu: number;
  /** Oldest first: `12.3 us  read  uart0+5 (lsr) width 1 = 0x60 { thre, temt }`. */
  readonly accesses: readonly string[];
  readonly interrupts: readonly string[];
  /**
   * How the code that failed was reached, innermost first, up to the test's own or as far as it is known: code of the guest library is
   * left out. Absent: it stands in the test itself, or nobody knows.
   */
  readonly callers?: readonly Caller[];
}

export type Caller =
  /** It was called here, or interrupted what was here, or ran while a trap that was taken here was handled, or answered an access that was made here. */
  | {
      readonly kind: "call" | "interrupt" | "trap" | "access";
      /** As a sentence has it: `outer`, `test "it works"`, `fixture setup`. */
      readonly name: string;
      readonly path: string;
      readonly line: number;
      readonly column: number;
      /** Of the outermost one only. */
      readonly frame: CodeFrame | null;
    }
  /** So many calls that are not listed: of these functions, or of too many to name. */
  | { readonly kind: "more"; readonly calls: number; readonly names: readonly string[] }
  /** How it ends short of the test: where a CPU was started, or why nobody knows more. */
  | { readonly kind: "end"; readonly text: string };

export interface CodeFrame {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Columns [column, endColumn) of `line` are marked. */
  readonly endColumn: number;
  readonly label: string;
  readonly lines: readonly { readonly number: number; readonly text: string }[];
}

export interface FailureValue {
  readonly text: string;
  /** Rendered in the width of its type, with field or member names. */
  readonly value: string;
  readonly type: string;
}

// What a reporter is: a reader of the run's one event stream that writes to one sink. The contract is this small so that the
// terminal UI, a file for a CI server and a pipe are the same thing to the runner, and several can follow one run.
import type { RunEvent } from "../events.ts";

export interface Reporter {
  readonly handle: (event: RunEvent) => void;
  /** Called once, also after an interruption and when the stream broke off without `run-finished`. */
  readonly finish: () => void | Promise<void>;
  /** Of one document that `finish` writes at once: the same if the run broke off now, so that a killed runner leaves one too. */
  readonly draft?: () => string;
}

export interface Sink {
  readonly write: (text: string) => void;
  /** Width of the terminal; read at each use, because terminals are resized. */
  readonly columns: number;
  readonly color: boolean;
  readonly isTty: boolean;
}

/** What a person at the terminal can ask of the run. */
export interface RunActions {
  /** First call: stop starting tests; further calls: stop at once. */
  readonly interrupt: () => void;
  readonly rerunFailed: () => void;
  /** Null when the filter was taken, else one line that says what is wrong with it. */
  readonly setFilter: (text: string) => string | null;
  /** Asks for a `test-status` event of each running test. */
  readonly requestStatus: () => void;
}

export interface TerminalStreams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

export interface ReporterOptions {
  /** A line for each test, and failure blocks in full. */
  readonly verbose?: boolean;
  /** `human`: what is told beside the header; `failed`: tests that failed, and the summary. Absent: all. */
  readonly show?: "all" | "failed" | "summary";
  /** `github`: where the step summary in Markdown goes. */
  readonly summary?: { write(text: string): void };
  /** `tui`: required. */
  readonly actions?: RunActions;
  /** `tui`: by default those of the process. */
  readonly streams?: TerminalStreams;
}

// What ends a run before its time: ^C and its kin, the terminal that was closed, the run's own time limit, a key of the live view. The first
// lets the tests that run now be the last, a second one breaks them off, and both still write every report; a third one just exits.

import type { RunHandle } from "../runtime/runner/runner.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { duration, type ParsedOptions } from "./options.ts";

/** What tests that run when the run's time is over may still take. */
const RUN_TIMEOUT_GRACE_MS = 2000;

export interface Interruptions {
  interrupt(): void;
  readonly happened: boolean;
  /** What is interrupted from now on; null before the first round. */
  current: RunHandle | null;
  /** From here on the process ends by them, and the time of the run counts. */
  listen(): void;
  /** Signals stay ours to the end: a second ^C while reports are written must not end the process without our status. */
  stopClock(): void;
  /** The process goes on behind the run: signals are its own again. */
  stopListening(): void;
}

export function createInterruptions(options: ParsedOptions, io: Io): Interruptions {
  const runTimeout = duration(options, "run-timeout");
  let count = 0;
  let clock: NodeJS.Timeout | null = null;

  function interrupt(): void {
    count++;
    if (count > 2) process.exit(EXIT.interrupted);
    if (count === 2) void interruptions.current?.abandon();
    else interruptions.current?.interrupt();
  }

  /** As two ^C with time for what runs now in between. */
  function endOfTime(): void {
    io.err(`the run's time limit of ${options.value("run-timeout")} is reached\n`);
    interrupt();
    setTimeout(interrupt, RUN_TIMEOUT_GRACE_MS).unref();
  }

  const interruptions: Interruptions = {
    interrupt,
    get happened() {
      return count > 0;
    },
    current: null,
    listen() {
      process.on("SIGINT", interrupt);
      process.on("SIGTERM", interrupt);
      // The terminal was closed. Elsewhere it may be ignored on purpose (nohup), which a handler would undo.
      if (io.stdoutIsTty) process.on("SIGHUP", interrupt);
      if (runTimeout !== null) clock = setTimeout(endOfTime, runTimeout / 1e6);
    },
    stopClock() {
      if (clock !== null) clearTimeout(clock);
    },
    stopListening() {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, interrupt);
    },
  };
  return interruptions;
}

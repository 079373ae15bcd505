// The process as commands see it: where to write, whether in colour, which variables are set. One object, so that commands are
// functions of it, and so that the rules of NO_COLOR, FORCE_COLOR, CI and TTYs are told once.

import { fstatSync, statSync, writeSync } from "node:fs";

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** What takes a moment, on one line of a terminal that somebody watches, until something else is said on it or the text is null. */
  status(text: string | null): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdoutIsTty: boolean;
  readonly outColor: boolean;
  readonly errColor: boolean;
  /** Under a CI server: nobody watches. */
  readonly isCi: boolean;
  columns(): number;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** https://no-color.org and Node's FORCE_COLOR; an empty variable counts as unset. */
export function wantsColor(env: Io["env"], isTty: boolean): boolean {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return env.FORCE_COLOR !== "0";
  return isTty && env.TERM !== "dumb";
}

/** Whether a descriptor may be a terminal. Files, pipes, sockets and /dev/null are none, and the streams of `process` cost 3 ms to make. */
function mayBeTerminal(descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor);
    return found.isCharacterDevice() && found.rdev !== statSync("/dev/null", { throwIfNoEntry: false })?.rdev;
  } catch {
    // Closed: the stream knows what to say.
    return true;
  }
}

/** The reader has gone: `guestspec list | head`. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

const waiting = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes all of it now, also to a pipe whose reader is slow. Throws what the host says, except that nobody reads any more: whoever did
 * has seen enough, and the rest of the command - other reports, the exit status - is still wanted.
 */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (isReaderGone(error)) return;
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(waiting, 0, 0, 2);
    }
  }
}

/** A terminal without a size says 0. */
function columnsOf({ columns }: NodeJS.WriteStream): number {
  return columns > 0 ? columns : 80;
}

/** ECMA-48: carriage return, then EL. */
const CLEAR_LINE = "\r\x1b[K";

export function processIo(): Io {
  const { env } = process;
  const outMayBeTty = mayBeTerminal(1);
  const errMayBeTty = mayBeTerminal(2);
  const outIsTty = outMayBeTty && process.stdout.isTTY === true;
  // A terminal that was closed under us: the run ends by SIGHUP, and its reports are still written.
  if (outIsTty) process.stdout.on("error", () => undefined);
  const isCi = isSet(env.CI) && env.CI !== "false";
  let hasStatus = false;
  function status(text: string | null): void {
    if (!hasStatus && (text === null || isCi || env.TERM === "dumb" || !errMayBeTty || process.stderr.isTTY !== true)) return;
    // A line that wraps cannot be taken back.
    process.stderr.write(`${CLEAR_LINE}${text === null ? "" : text.slice(0, columnsOf(process.stderr) - 1)}`);
    hasStatus = text !== null;
  }
  function over(write: (text: string) => void): (text: string) => void {
    return (text) => {
      status(null);
      write(text);
    };
  }
  return {
    // Ink writes to the same stream.
    out: over(outIsTty ? (text) => void process.stdout.write(text) : (text) => writeAll(1, text)),
    err: over(errMayBeTty ? (text) => void process.stderr.write(text) : (text) => writeAll(2, text)),
    status,
    env,
    stdoutIsTty: outIsTty,
    outColor: wantsColor(env, outIsTty),
    // Looked at when there is something to say.
    get errColor() {
      return wantsColor(env, errMayBeTty && process.stderr.isTTY === true);
    },
    isCi,
    columns: () => (outIsTty ? columnsOf(process.stdout) : 80),
  };
}

// Which reporters follow a run, and where each writes. `--reporter NAME[=FILE]`; by default, and beside those that write to files, the
// live view on a terminal and lines elsewhere. Files are written as results come, documents as drafts now and then, so that an
// interrupted or killed run leaves what it had. A report that cannot be written costs that report and the exit status, never the run
// or another report.

import { appendFileSync, closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { makeFolder } from "../compiler/images/make-folder.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import type { RunEvent } from "../runtime/events.ts";
import { createReporter, REPORTER_NAMES, type Reporter, type RunActions, type Sink } from "../runtime/reporters/index.ts";
import { CommandError, describeHostError, isCommandError, usageError } from "./errors.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import type { ParsedOptions } from "./options.ts";

interface Wanted {
  readonly name: string;
  /** Null: standard output. */
  readonly file: string | null;
}

export interface Reporters {
  /** Somebody watches. */
  readonly isLive: boolean;
  /** What is written to standard output is read by people. */
  readonly isForPeople: boolean;
  /** Nothing else is written. */
  readonly isForPeopleOnly: boolean;
  /** Never throws. */
  handle(event: RunEvent): void;
  /** Once, also if called again. Never rejects. */
  finish(): Promise<void>;
  /** What became of the reports; null: all of them are complete so far. */
  readonly fault: ExitCode | null;
}

const FOR_PEOPLE: ReadonlySet<string> = new Set(["human", "tui"]);
/** Its lines on standard output are commands to GitHub's runner, which shows the others as they are. */
const GITHUB: Wanted = { name: "github", file: null };

/** As the name of a file, here as in other tools. */
const STANDARD_OUTPUT = "-";

/** Devices and pipes take what comes; a document is one report's. */
function refuseSharedFiles(wanted: readonly Wanted[]): void {
  const nameOf = new Map<string, string>();
  for (const { name, file } of wanted) {
    if (file === null || file.startsWith("/dev/")) continue;
    const path = resolve(file);
    const other = nameOf.get(path);
    if (other !== undefined) throw usageError(`reporters ${other} and ${name} cannot share ${file}`, "give each a file of its own");
    nameOf.set(path, name);
  }
}

function defaultReporters(io: Io, canAct: boolean): Wanted[] {
  if (io.env.GITHUB_ACTIONS === "true") return [{ name: "human", file: null }, GITHUB];
  return [{ name: canAct && io.stdoutIsTty && !io.isCi && io.env.TERM !== "dumb" ? "tui" : "human", file: null }];
}

/** What goes to files is for later: whoever runs wants to see the run, unless they have put the report for people into a file as well. */
function wantsDefault(wanted: readonly Wanted[]): boolean {
  return wanted.every(({ name, file }) => file !== null && !FOR_PEOPLE.has(name));
}

function readWanted(options: ParsedOptions, io: Io, canAct: boolean): Wanted[] {
  const given = options.values("reporter");
  if (options.has("failed") && options.has("summary")) throw usageError("`--failed` and `--summary` are two amounts of one report", "give one of them");
  const canFollow = canAct && !options.has("failed") && !options.has("summary");
  const wanted = given.map((text): Wanted => {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    if (!REPORTER_NAMES.includes(name))
      throw usageError(`there is no reporter \`${name}\``, didYouMean(name, REPORTER_NAMES, `reporters: ${REPORTER_NAMES.join(", ")}`));
    if (at >= 0 && text.length === at + 1) throw usageError(`\`--reporter ${text}\` names no file`);
    const file = at < 0 ? STANDARD_OUTPUT : text.slice(at + 1);
    return { name, file: file === STANDARD_OUTPUT ? null : file };
  });
  // What replays or merges into a file converts, and has been seen.
  if (given.length === 0 || (canAct && wantsDefault(wanted))) wanted.unshift(...defaultReporters(io, canFollow));
  const onOutput = wanted.filter(({ file }) => file === null);
  const isShared = onOutput.length === 2 && onOutput.every(({ name }) => name === "human" || name === GITHUB.name);
  if (onOutput.length > 1 && !isShared)
    throw usageError(`reporters ${onOutput.map(({ name }) => name).join(" and ")} cannot share standard output`, "send one to a file: --reporter NAME=FILE");
  refuseSharedFiles(wanted);
  for (const { name, file } of wanted) {
    if (name !== "tui") continue;
    if (!canAct) throw usageError("the tui reporter follows a run, not a log", "use --reporter human");
    if (file !== null) throw usageError("the tui reporter writes to a terminal, not to a file");
    if (!io.stdoutIsTty) throw usageError("the tui reporter needs a terminal", "use --reporter human");
  }
  return wanted;
}

/** A report that cannot be written, in the words of the exit code that it causes. */
function describeFault(name: string, error: unknown): { readonly code: ExitCode; readonly message: string } {
  if (isCommandError(error)) return { code: error.exitCode, message: `error: ${error.message}` };
  if (error instanceof Error && "syscall" in error && error.syscall === "write")
    return { code: EXIT.environment, message: `error: cannot write standard output: ${describeHostError(error)}` };
  const [first] = String(error instanceof Error ? error.message : error).split("\n");
  return { code: EXIT.internal, message: `guestspec: internal error in reporter ${name}: ${first} (a bug; GUESTSPEC_DEBUG=1 shows where)` };
}

function environmentError(file: string, error: unknown): CommandError {
  return new CommandError(EXIT.environment, `cannot write ${file}: ${describeHostError(error)}`);
}

/** Where a reporter writes. */
interface Output {
  readonly sink: Sink;
  /** Text that whatever is written next takes the place of; null where that cannot be. */
  readonly writeDraft: ((text: string) => void) | null;
  close(): void;
}

function openFile(file: string): Output {
  let descriptor: number;
  try {
    makeFolder(dirname(file));
    descriptor = openSync(file, "w");
  } catch (error) {
    throw environmentError(file, error);
  }
  const isRegular = fstatSync(descriptor).isFile();
  let end = 0;
  let isDraft = false;
  function write(text: string): void {
    if (isDraft) end = 0;
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) {
        const count = writeSync(descriptor, bytes, at, null, isRegular ? end : null);
        at += count;
        end += count;
      }
      // A draft is written over before its rest goes, so that at no time the file is empty.
      if (isDraft) ftruncateSync(descriptor, end);
    } catch (error) {
      throw environmentError(file, error);
    }
    isDraft = false;
  }
  function writeDraft(text: string): void {
    write(text);
    isDraft = true;
  }
  return { sink: { write, columns: Infinity, color: false, isTty: false }, writeDraft: isRegular ? writeDraft : null, close: () => closeSync(descriptor) };
}

function outputSink(io: Io): Sink {
  return {
    write: (text) => io.out(text),
    get columns() {
      return io.columns();
    },
    color: io.outColor,
    isTty: io.stdoutIsTty,
  };
}

/** GitHub's step summary; absent outside its runners. */
function summaryOf(io: Io): { write(text: string): void } | undefined {
  const file = io.env.GITHUB_STEP_SUMMARY;
  if (file === undefined || file === "") return undefined;
  return {
    write(text) {
      try {
        appendFileSync(file, text);
      } catch (error) {
        throw environmentError(file, error);
      }
    },
  };
}

interface Open {
  readonly name: string;
  readonly reporter: Reporter;
  readonly writeDraft?: Output["writeDraft"];
  close(): void;
  /** No: it has failed, and what follows would make no sense to it. */
  isGood: boolean;
}

const DRAFT_MS = 1000;
/** Time between drafts, in units of what one takes. */
const DRAFT_COST = 20;

/** Gives each event to each of the reporters that still work. `say`: where faults are told. `draftMs`: how old a draft may become. */
export function followRun(
  opened: readonly Omit<Open, "isGood">[],
  say: (text: string) => void,
  { isDebug = false, draftMs = DRAFT_MS }: { readonly isDebug?: boolean; readonly draftMs?: number } = {},
): Pick<Reporters, "handle" | "finish" | "fault"> {
  const all: Open[] = opened.map((each) => ({ ...each, isGood: true }));
  let fault: ExitCode | null = null;
  let finishing: Promise<void> | null = null;

  function drop(one: Open, error: unknown): void {
    one.isGood = false;
    const { code, message } = describeFault(one.name, error);
    // Our own fault is the worse one.
    if (fault !== EXIT.internal) fault = code;
    const trace = isDebug && error instanceof Error ? `\n${error.stack ?? ""}` : "";
    say(`${message}; this report is not complete, all else goes on${trace}\n`);
  }

  const drafted = all.filter(({ reporter, writeDraft }) => reporter.draft !== undefined && typeof writeDraft === "function");
  let clock: NodeJS.Timeout | null = null;
  let waitMs = draftMs;
  function writeDrafts(): void {
    const start = performance.now();
    for (const one of drafted) {
      try {
        if (one.isGood && one.reporter.draft !== undefined) one.writeDraft?.(one.reporter.draft());
      } catch (error) {
        drop(one, error);
      }
    }
    clock = null;
    // Documents grow with the run, and what drafts cost must not.
    waitMs = Math.max(draftMs, DRAFT_COST * (performance.now() - start));
  }

  async function finishAll(): Promise<void> {
    if (clock !== null) clearTimeout(clock);
    for (const one of all) {
      try {
        if (one.isGood) await one.reporter.finish();
      } catch (error) {
        drop(one, error);
      }
      try {
        one.close();
      } catch (error) {
        drop(one, error);
      }
    }
  }

  return {
    handle(event) {
      if (finishing !== null) return;
      if (drafted.length > 0) clock ??= setTimeout(writeDrafts, waitMs).unref();
      for (const one of all) {
        if (!one.isGood) continue;
        try {
          one.reporter.handle(event);
        } catch (error) {
          drop(one, error);
        }
      }
    },
    finish: () => (finishing ??= finishAll()),
    get fault() {
      return fault;
    },
  };
}

/** `actions`: null where nothing runs that could be asked for any. `which`: whoever looks at the screen may have been told already. */
export async function openReporters(options: ParsedOptions, io: Io, actions: RunActions | null, which: "all" | "not for people" = "all"): Promise<Reporters> {
  const asked = readWanted(options, io, actions !== null || which === "not for people");
  const wanted = which === "all" ? asked : asked.filter(({ name, file }) => file !== null || !FOR_PEOPLE.has(name));
  const opened: Omit<Open, "isGood">[] = [];
  for (const { name, file } of wanted) {
    const output: Output = file === null ? { sink: outputSink(io), writeDraft: null, close: () => undefined } : openFile(file);
    const summary = name === "github" ? summaryOf(io) : undefined;
    const reporter = await createReporter(name, output.sink, {
      verbose: options.has("verbose"),
      show: options.has("summary") ? "summary" : options.has("failed") ? "failed" : "all",
      ...(actions === null ? {} : { actions }),
      ...(summary === undefined ? {} : { summary }),
    });
    if (reporter === null) throw new Error(`reporter ${name} is listed and does not exist`);
    opened.push({ name, reporter, writeDraft: output.writeDraft, close: () => output.close() });
  }
  const isLive = wanted.some(({ name }) => name === "tui");
  /** Said below a live view, not into it. */
  let unsaid = "";
  const followed = followRun(
    opened,
    (text) => {
      if (isLive) unsaid += text;
      else io.err(text);
    },
    { isDebug: io.env.GUESTSPEC_DEBUG === "1" },
  );
  return {
    isLive,
    isForPeople: wanted.every(({ name, file }) => file !== null || FOR_PEOPLE.has(name) || name === GITHUB.name),
    isForPeopleOnly: wanted.every(({ name }) => FOR_PEOPLE.has(name)),
    handle: followed.handle,
    async finish() {
      await followed.finish();
      if (unsaid !== "") io.err(unsaid);
      unsaid = "";
    },
    get fault() {
      return followed.fault;
    },
  };
}

// Which reporters follow a run, and where each writes. `--reporter NAME[=FILE]`; by default the live view on a terminal and lines
// elsewhere. Files are written as results come, so that an interrupted run leaves what it had.

import { appendFileSync, closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { nearestName } from "../grammar/nearest-name.ts";
import { createReporter, REPORTER_NAMES, type Reporter, type RunActions, type Sink } from "../runtime/reporters/index.ts";
import { CommandError, describeHostError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import type { ParsedOptions } from "./options.ts";

interface Wanted {
  readonly name: string;
  /** Null: standard output. */
  readonly file: string | null;
}

export interface Reporters {
  readonly all: readonly Reporter[];
  /** Somebody watches. */
  readonly isLive: boolean;
  /** What is written to standard output is read by people. */
  readonly isForPeople: boolean;
  /** Nothing else is written. */
  readonly isForPeopleOnly: boolean;
  finish(): Promise<void>;
}

const FOR_PEOPLE: ReadonlySet<string> = new Set(["human", "tui"]);

function readWanted(options: ParsedOptions, io: Io, canAct: boolean): Wanted[] {
  const given = options.values("reporter");
  if (given.length === 0) return [{ name: canAct && io.stdoutIsTty && !io.isCi && io.env.TERM !== "dumb" ? "tui" : "human", file: null }];
  const wanted = given.map((text): Wanted => {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    if (!REPORTER_NAMES.includes(name)) {
      const nearest = nearestName(name, REPORTER_NAMES);
      throw usageError(`there is no reporter \`${name}\``, nearest === undefined ? `reporters: ${REPORTER_NAMES.join(", ")}` : `did you mean \`${nearest}\`?`);
    }
    if (at >= 0 && text.length === at + 1) throw usageError(`\`--reporter ${text}\` names no file`);
    return { name, file: at < 0 ? null : text.slice(at + 1) };
  });
  const onOutput = wanted.filter(({ file }) => file === null);
  if (onOutput.length > 1)
    throw usageError(`reporters ${onOutput.map(({ name }) => name).join(" and ")} cannot share standard output`, "send one to a file: --reporter NAME=FILE");
  for (const { name, file } of wanted) {
    if (name !== "tui") continue;
    if (!canAct) throw usageError("the tui reporter follows a run, not a log", "use --reporter human");
    if (file !== null) throw usageError("the tui reporter writes to a terminal, not to a file");
    if (!io.stdoutIsTty) throw usageError("the tui reporter needs a terminal", "use --reporter human");
  }
  return wanted;
}

function environmentError(file: string, error: unknown): CommandError {
  return new CommandError(EXIT.environment, `cannot write ${file}: ${describeHostError(error)}`);
}

function openFile(file: string): { readonly sink: Sink; close(): void } {
  let descriptor: number;
  try {
    mkdirSync(dirname(file), { recursive: true });
    descriptor = openSync(file, "w");
  } catch (error) {
    throw environmentError(file, error);
  }
  return {
    sink: {
      write(text) {
        try {
          const bytes = Buffer.from(text);
          for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
        } catch (error) {
          throw environmentError(file, error);
        }
      },
      columns: Infinity,
      color: false,
      isTty: false,
    },
    close: () => closeSync(descriptor),
  };
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

/** `actions`: null where nothing runs that could be asked for any. */
export async function openReporters(options: ParsedOptions, io: Io, actions: RunActions | null): Promise<Reporters> {
  const wanted = readWanted(options, io, actions !== null);
  const all: Reporter[] = [];
  const closers: (() => void)[] = [];
  for (const { name, file } of wanted) {
    const opened = file === null ? null : openFile(file);
    if (opened !== null) closers.push(() => opened.close());
    const summary = name === "github" ? summaryOf(io) : undefined;
    const reporter = await createReporter(name, opened?.sink ?? outputSink(io), {
      verbose: options.has("verbose"),
      ...(actions === null ? {} : { actions }),
      ...(summary === undefined ? {} : { summary }),
    });
    if (reporter === null) throw new Error(`reporter ${name} is listed and does not exist`);
    all.push(reporter);
  }
  return {
    all,
    isLive: wanted.some(({ name }) => name === "tui"),
    isForPeople: wanted.every(({ name, file }) => file !== null || FOR_PEOPLE.has(name)),
    isForPeopleOnly: wanted.every(({ name }) => FOR_PEOPLE.has(name)),
    async finish() {
      for (const reporter of all) await reporter.finish();
      for (const close of closers) close();
    },
  };
}

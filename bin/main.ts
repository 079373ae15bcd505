// The guestspec command: finds the command, reads its options by its table, runs it, and turns whatever comes back into an exit code.
// Nobody ever sees a stack trace unless they ask for one with GUESTSPEC_DEBUG=1.

import { nearestName } from "../grammar/nearest-name.ts";
import { RUN_OPTIONS } from "./commands/option-rows.ts";
import { COMMANDS, type CommandRow } from "./commands/table.ts";
import { CommandError, isCommandError, usageError } from "./errors.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { foreignCommand } from "./foreign-words.ts";
import { processIo, type Io } from "./io.ts";
import { saveAll } from "./last-words.ts";
import { projectHas } from "./load-specs.ts";
import { readOptions, type ParsedOptions } from "./options.ts";
import { warnOfProjectAbove } from "./project-above.ts";
import { toolVersion } from "./version.ts";

/** Options in front of a command belong to `run`, as does everything when no command is named. */
function splitCommand(args: readonly string[]): readonly [CommandRow, readonly string[]] {
  const [first, ...rest] = args;
  const named = COMMANDS.find(({ name }) => name === first);
  const run = COMMANDS[0];
  if (run === undefined) throw new Error("the table of commands is empty");
  return named === undefined ? [run, args] : [named, rest];
}

function checkPositionals(command: CommandRow, given: number): void {
  const [least, most] = command.positionals;
  if (given >= least && given <= most) return;
  const usage = `usage: guestspec ${command.name} ${command.usage}`.trimEnd();
  throw new CommandError(EXIT.usage, given < least ? "an argument is missing" : "too many arguments", usage);
}

/** Options of the project, for commands that take profiles. */
async function withProfiles(command: CommandRow, options: ParsedOptions, io: Io): Promise<ParsedOptions> {
  if (!command.options.some(({ name }) => name === "profile")) return options;
  const warning = warnOfProjectAbove(process.cwd());
  if (warning !== null) io.err(warning);
  if (options.value("profile") === null && !projectHas("profiles")) return options;
  const { applyProfiles } = await import("./profiles.ts");
  return applyProfiles(options, command.options, RUN_OPTIONS);
}

/** Whoever follows the command by its reports hears of a mistake there as well. */
async function optionsOf(command: CommandRow, args: readonly string[], io: Io): Promise<ParsedOptions> {
  const { options: given, mistake } = readOptions(command.options, args, command.name, io.env);
  try {
    if (mistake !== null) throw mistake;
    const options = await withProfiles(command, given, io);
    checkPositionals(command, options.positionals.length);
    return options;
  } catch (error) {
    if (isCommandError(error)) await (await command.load()).tellMistake?.(error, given, io);
    throw error;
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<ExitCode> {
  const [first] = args;
  if (first === "--version" || first === "-V" || first === "version") {
    io.out(`${toolVersion()}\n`);
    return EXIT.ok;
  }
  const isNamed = COMMANDS.some(({ name }) => name === first);
  const end = args.indexOf("--");
  const wantsHelp = (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
  if (wantsHelp || first === "help") {
    const { formatCommandHelp, formatMainHelp } = await import("./help.ts");
    const subject = first === "help" ? subjectOfHelp(args[1]) : isNamed ? subjectOfHelp(first) : null;
    io.out(subject === null ? formatMainHelp(io.columns()) : formatCommandHelp(subject, io.columns()));
    return EXIT.ok;
  }
  const [command, rest] = splitCommand(args);
  const options = await optionsOf(command, rest, io);
  try {
    return await (await command.load()).run(options, io);
  } catch (error) {
    throw isNamed || first === undefined ? error : withCommandMeant(error, first);
  }
}

/** `guestspec rn a.gspec` selects tests by the word `rn`: what finds none may be a command. */
function withCommandMeant(error: unknown, word: string): unknown {
  if (!isCommandError(error) || error.unknownWord !== word) return error;
  return new CommandError(error.exitCode, error.message, error.help ?? commandMeant(word), error.code);
}

function commandMeant(word: string): string | null {
  const near = nearestName(
    word,
    COMMANDS.map(({ name }) => name),
  );
  return foreignCommand(word) ?? (near === undefined ? null : `did you mean the command \`${near}\`?`);
}

/** What `guestspec help WORD` is about; null: everything. */
function subjectOfHelp(word: string | undefined): CommandRow | null {
  if (word === undefined || word.startsWith("-")) return null;
  const found = COMMANDS.find(({ name }) => name === word);
  if (found === undefined) throw usageError(`there is no command \`${word}\``, commandMeant(word) ?? "`guestspec --help` lists them");
  return found;
}

function reportError(error: unknown, io: Io): ExitCode {
  const hostError: NodeJS.ErrnoException | null = error instanceof Error ? error : null;
  if (hostError?.syscall === "write") {
    io.err(`error: cannot write: ${hostError.message}\n`);
    return EXIT.environment;
  }
  if (isCommandError(error)) {
    // Without a message everything has been said, as after diagnostics.
    if (error.message !== "") io.err(`error${error.code === null ? "" : `[${error.code}]`}: ${error.message}\n`);
    if (error.help !== null) io.err(`  = help: ${error.help}\n`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (io.env.GUESTSPEC_DEBUG === "1" && error instanceof Error) io.err(`${error.stack ?? message}\n`);
  else io.err(`guestspec: internal error: ${message.split("\n")[0]} (a bug; GUESTSPEC_DEBUG=1 shows where)\n`);
  return EXIT.internal;
}

const io = processIo();
// What happens outside of all that is awaited: a bug. What must not be lost with the process is saved first.
process.on("uncaughtException", (error) => {
  const status = reportError(error, io);
  void saveAll().finally(() => process.exit(status));
});
try {
  process.exitCode = await dispatch(process.argv.slice(2), io);
} catch (error) {
  process.exitCode = reportError(error, io);
}
// Nothing is left to do, and nobody needs the heap to be taken apart: an eighth of what an empty process of Node's computes.
process.once("beforeExit", () => process.exit());

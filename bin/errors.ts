// Errors that are not bugs: what the user or the environment got wrong, found far from where it can be reported. They carry their exit
// code and are printed as one message; every other exception that reaches main.ts is an internal error.

import type { Diagnostic } from "../grammar/diagnostic.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;
  /** Printed below the message. */
  readonly help: string | null;
  /** What `guestspec explain` knows it by. */
  readonly code: string | null;
  /** The word of the command line that selects nothing. */
  readonly unknownWord: string | null;

  constructor(exitCode: ExitCode, message: string, help: string | null = null, code: string | null = null, unknownWord: string | null = null) {
    super(message);
    this.exitCode = exitCode;
    this.help = help;
    this.code = code;
    this.unknownWord = unknownWord;
  }
}

/** Specs that do not compile; what is wrong has been printed, and is kept for reports. */
export class CompileError extends CommandError {
  readonly diagnostics: readonly Diagnostic[];
  readonly target: string;

  constructor(diagnostics: readonly Diagnostic[], target: string) {
    super(EXIT.compile, "");
    this.diagnostics = diagnostics.filter(({ severity }) => severity === "error");
    this.target = target;
  }
}

/** By name: the bundle has the class once in its hot path and once outside of it. */
export function isCommandError(error: unknown): error is CommandError {
  return error instanceof Error && error.name === "CommandError" && "exitCode" in error;
}

export function usageError(message: string, help: string | null = null): CommandError {
  return new CommandError(EXIT.usage, message, help);
}

/** Of a file that somebody named: one that is not there is a slip in its name, anything else is the environment's fault. */
export function readError(what: string, error: unknown): CommandError {
  const isAbsent = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
  return new CommandError(isAbsent ? EXIT.usage : EXIT.environment, `cannot read ${what}: ${describeHostError(error)}`);
}

/** The host's words for a failed file operation, without the code and the call. */
export function describeHostError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/^E[A-Z]+: /, "").replace(/, \w+( '.*')?$/, "");
}

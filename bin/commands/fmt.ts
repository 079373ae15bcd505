// `guestspec fmt`: one way to write a spec. Files with syntax errors are left as they are; --check changes nothing and shows what it
// would change, for CI.

import { writeFileSync } from "node:fs";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { formatText } from "../../grammar/format/format-text.ts";
import { CommandError, describeHostError, isCommandError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findReadableSpecs } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../load-specs.ts";
import { readText } from "../read-text.ts";
import type { ParsedOptions } from "../options.ts";

interface Change {
  readonly line: number;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** The first stretch of lines that differs, up to where both are the same again. */
function firstChange(before: string, after: string): Change {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return { line: start + 1, removed: a.slice(start, a.length - end), added: b.slice(start, b.length - end) };
}

const SHOWN_LINES = 3;

function showChange(path: string, before: string, after: string): string {
  const { line, removed, added } = firstChange(before, after);
  const show = (mark: string, lines: readonly string[]): string[] => [
    ...lines.slice(0, SHOWN_LINES).map((text) => `  ${mark} ${text}`),
    ...(lines.length > SHOWN_LINES ? [`  ${mark} .. ${lines.length - SHOWN_LINES} more lines`] : []),
  ];
  return `${[`${path}:${line}: not formatted`, ...show("-", removed), ...show("+", added)].join("\n")}\n`;
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const isCheck = options.has("check");
  const { files, problem } = findReadableSpecs(options.positionals);
  const paths = files.filter((path) => path.endsWith(".gspec"));
  if (paths.length === 0) throw problem ?? new CommandError(EXIT.nothingSelected, "there are no .gspec files here", "tables in YAML are not formatted");
  const diagnostics: Diagnostic[] = [];
  let changed = 0;
  let unread = 0;
  let isAtFault = problem !== null;
  /** One file that cannot be read or written hides no other. */
  function tell(error: unknown): void {
    if (!isCommandError(error)) throw error;
    isAtFault = true;
    io.err(`error: ${error.message}\n`);
  }
  function readOrTell(path: string): string | null {
    try {
      return readText(path);
    } catch (error) {
      tell(error);
      return null;
    }
  }
  if (problem !== null) tell(problem);
  for (const path of paths) {
    const before = readOrTell(path);
    const after = before === null ? null : formatText({ path, text: before }, (diagnostic) => diagnostics.push(diagnostic));
    if (after === null) unread++;
    if (before === null || after === null || after === before) continue;
    if (isCheck) {
      changed++;
      io.out(showChange(path, before, after));
      continue;
    }
    try {
      writeFileSync(path, after);
      changed++;
      io.out(`${path}\n`);
    } catch (error) {
      tell(new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`));
      unread++;
    }
  }
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  await printDiagnostics(errors, io);
  const same = paths.length - changed - unread;
  io.out(
    `${changed} ${isCheck ? "to format" : "formatted"}, ${same} unchanged${unread === 0 ? "" : `, ${unread} left alone for ${unread === 1 ? "its" : "their"} errors`}\n`,
  );
  if (isAtFault) return EXIT.environment;
  if (errors.length > 0) return EXIT.compile;
  return isCheck && changed > 0 ? EXIT.testsFailed : EXIT.ok;
}

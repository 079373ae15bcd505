// Help texts, made from the tables of commands, options and exit codes, and wrapped to the terminal: they are read where lines are short.

import { COMMANDS, type CommandRow } from "./commands/table.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { formatOptions, hangingLines, HELP_OPTION, wrapWords } from "./options.ts";

/** Longer lines are hard to read, however wide the terminal is. */
const WIDEST = 100;

export function formatMainHelp(terminal: number): string {
  const columns = Math.min(terminal, WIDEST);
  const indent = Math.max(...COMMANDS.map(({ name }) => name.length)) + 4;
  const lines = [
    ...wrapWords("guestspec - a specification language and runner for code and devices that live below an operating system", columns),
    "",
    "usage: guestspec [COMMAND] [OPTION...] [ARGUMENT...]",
    "",
    "commands:",
    ...COMMANDS.flatMap(({ name, summary }) => hangingLines(`  ${name}`, indent, summary, columns)),
    "",
    ...wrapWords("`guestspec COMMAND --help` shows a command's options, `guestspec --version` its version.", columns),
    "",
    "exit codes:",
    ...EXIT_CODES.flatMap(([code, meaning]) => hangingLines(`  ${String(code).padStart(3)}`, 7, meaning, columns)),
  ];
  return `${lines.join("\n")}\n`;
}

export function formatCommandHelp(command: CommandRow, terminal: number): string {
  const columns = Math.min(terminal, WIDEST);
  const rows = [...command.options, HELP_OPTION];
  const lines = [
    ...wrapWords(`guestspec ${command.name} - ${command.summary}`, columns),
    "",
    `usage: guestspec ${command.name} [OPTION...] ${command.usage}`.trimEnd(),
    "",
    ...(rows[0]?.heading === undefined ? ["options:"] : []),
    ...formatOptions(rows, columns),
    ...(command.notes ?? []).flatMap((note) => ["", ...wrapWords(note, columns)]),
  ];
  return `${lines.join("\n")}\n`;
}

// Help texts, made from the tables of commands, options and exit codes.

import { COMMANDS, type CommandRow } from "./commands/table.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { formatOptions, HELP_OPTION } from "./options.ts";

export function formatMainHelp(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = [
    "guestspec - a specification language and runner for code and devices that live below an operating system",
    "",
    "usage: guestspec [COMMAND] [OPTION...] [ARGUMENT...]",
    "",
    "commands:",
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "  guestspec COMMAND --help shows a command's options; guestspec --version its version",
    "",
    "exit codes:",
    ...EXIT_CODES.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
  ];
  return `${lines.join("\n")}\n`;
}

export function formatCommandHelp(command: CommandRow): string {
  const lines = [
    `guestspec ${command.name} - ${command.summary}`,
    "",
    `usage: guestspec ${command.name} [OPTION...] ${command.usage}`.trimEnd(),
    "",
    "options:",
    ...formatOptions([...command.options, HELP_OPTION]),
  ];
  if (command.notes !== undefined) lines.push("", ...command.notes);
  return `${lines.join("\n")}\n`;
}

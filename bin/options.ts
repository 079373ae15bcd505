// Option tables. A row is at once the option's help, its validation and its part in error messages; node:util's parseArgs splits the
// command line, and everything it would let pass or word badly (unknown names, missing or surplus values) is judged here.

import { parseArgs } from "node:util";
import { didYouMean, nearestName } from "../grammar/nearest-name.ts";
import { usageError, type CommandError } from "./errors.ts";
import { foreignOption } from "./foreign-words.ts";

export interface OptionRow {
  readonly name: string;
  readonly short?: string;
  /** What the value is, for help; absent: a flag. */
  readonly value?: string;
  /** The value when the option is given without one: `--fail-fast`. It then takes one by `=` only. */
  readonly implied?: string;
  readonly multiple?: true;
  readonly choices?: readonly string[];
  readonly isDuration?: true;
  /** Variable that is used when the option is absent. */
  readonly env?: string;
  readonly help: string;
  /** In a long help, the heading under which it stands; absent: that of the row before. */
  readonly heading?: string;
}

export interface ParsedOptions {
  /** The words that were parsed. */
  readonly given: readonly string[];
  readonly positionals: readonly string[];
  has(name: string): boolean;
  /** The last value given. */
  value(name: string): string | null;
  values(name: string): readonly string[];
  /** Where it comes from, in words; null: from nowhere. */
  origin(name: string): string | null;
  /** What a message calls it: by the option, the variable or the line of the project's file that gave it. */
  spelled(name: string): string;
}

interface Given {
  readonly values: readonly string[];
  readonly origin: string;
  /** Absent: the option itself. */
  readonly spelled?: string;
}

/** Values for options that have none yet; without values the option stays switched off. */
export type OptionLayer = ReadonlyMap<string, Given>;

const spellOption = (name: string): string => `\`--${name}\``;

/** Whether it was given by the option itself, and not by a variable or the project's file. */
export const isOnCommandLine = (options: ParsedOptions, name: string): boolean => options.spelled(name) === spellOption(name);

function createOptions(given: readonly string[], positionals: readonly string[], found: OptionLayer): ParsedOptions {
  const valuesOf = (name: string): readonly string[] => found.get(name)?.values ?? [];
  return {
    given,
    positionals,
    has: (name) => valuesOf(name).length > 0,
    value: (name) => valuesOf(name).at(-1) ?? null,
    values: valuesOf,
    origin: (name) => found.get(name)?.origin ?? null,
    spelled: (name) => found.get(name)?.spelled ?? spellOption(name),
  };
}

/** The options with a layer below them. */
export function withLayer(options: ParsedOptions, layer: OptionLayer): ParsedOptions {
  const below = createOptions(options.given, options.positionals, layer);
  const pick = (name: string): ParsedOptions => (options.origin(name) === null ? below : options);
  return {
    ...options,
    has: (name) => pick(name).has(name),
    value: (name) => pick(name).value(name),
    values: (name) => pick(name).values(name),
    origin: (name) => pick(name).origin(name),
    spelled: (name) => pick(name).spelled(name),
  };
}

export const HELP_OPTION: OptionRow = { name: "help", short: "h", help: "show this help" };

function spell(row: OptionRow): string {
  const value = row.value === undefined ? "" : row.implied === undefined ? ` ${row.value}` : `[=${row.value}]`;
  return `${row.short === undefined ? "    " : `-${row.short}, `}--${row.name}${value}`;
}

/** Words in lines of at most `width` columns; a longer word has a line of its own. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `columns` lines of a list: what it is about, then what is said, wrapped beside it. */
export function hangingLines(head: string, indent: number, text: string, columns: number): string[] {
  const [first = "", ...rest] = wrapWords(text, Math.max(20, columns - indent));
  const blank = " ".repeat(indent);
  const started = head.length > indent - 2 ? [head, `${blank}${first}`] : [`${head.padEnd(indent)}${first}`];
  return [...started, ...rest.map((line) => `${blank}${line}`)];
}

/** Lines of help for a table. */
export function formatOptions(rows: readonly OptionRow[], columns: number): string[] {
  const spelled = rows.map((row) => [spell(row), row] as const);
  const width = Math.min(30, Math.max(...spelled.map(([text]) => text.length)));
  return spelled.flatMap(([text, { help, env, choices, multiple, heading }], index) => {
    const notes = [
      ...(choices === undefined ? [] : [choices.join(", ")]),
      ...(multiple === undefined ? [] : ["repeatable"]),
      ...(env === undefined ? [] : [`or set ${env}`]),
    ];
    const line = notes.length === 0 ? help : help.endsWith(")") ? `${help.slice(0, -1)}; ${notes.join("; ")})` : `${help} (${notes.join("; ")})`;
    const above = heading === undefined ? [] : [...(index === 0 ? [] : [""]), `${heading}:`];
    return [...above, ...hangingLines(`  ${text}`, width + 4, line, columns)];
  });
}

function unknownOption(name: string, rows: readonly OptionRow[], command: string): CommandError {
  const written = name.length === 1 ? `-${name}` : `--${name}`;
  const nearest =
    name.length === 1
      ? undefined
      : nearestName(
          name,
          rows.map((row) => row.name),
        );
  // Most of what is written by habit is an option of running tests.
  const meant = command === "run" ? foreignOption(name) : null;
  const help = nearest === undefined ? `\`guestspec ${command} --help\` lists them` : `did you mean \`--${nearest}\`?`;
  return usageError(`there is no option \`${written}\``, meant ?? help);
}

/** A value that is read on some runs only is wrong on all of them. */
function mistakeIn(row: OptionRow, value: string, spelled: string): CommandError | null {
  if (row.isDuration === true && parseDuration(value) === null) return wrongDuration(spelled, value);
  if (row.choices === undefined || row.choices.includes(value)) return null;
  return usageError(`${spelled} takes ${row.choices.join(", ")}, not \`${value}\``, didYouMean(value, row.choices, null));
}

/** Of a token of the command line; `others`: values that the option has already. */
function mistakeInToken(row: OptionRow, given: string | undefined, others: readonly string[]): CommandError | null {
  const spelled = spellOption(row.name);
  if (row.value === undefined) return given === undefined ? null : usageError(`${spelled} takes no value`);
  const value = given ?? row.implied;
  if (value === undefined || value === "") return usageError(`${spelled} needs a value: ${row.value}`);
  return mistakeIn(row, value, spelled) ?? (others.length > 0 && row.multiple === undefined ? usageError(`${spelled} is given twice`) : null);
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What can be read, and the first mistake: who follows a run is to hear of it in the reports that were asked for. */
export function readOptions(
  rows: readonly OptionRow[],
  args: readonly string[],
  command: string,
  env: Environment,
): { readonly options: ParsedOptions; readonly mistake: CommandError | null } {
  const kinds = Object.fromEntries(
    rows.map((row) => {
      const type = row.value === undefined || row.implied !== undefined ? ("boolean" as const) : ("string" as const);
      return [row.name, row.short === undefined ? { type, multiple: true } : { type, short: row.short, multiple: true }];
    }),
  );
  const { tokens } = parseArgs({ args: [...args], options: kinds, strict: false, allowPositionals: true, tokens: true });
  const found = new Map<string, Given & { readonly values: string[] }>();
  let mistake: CommandError | null = null;
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const row = rows.find(({ name }) => name === token.name);
    if (row === undefined) {
      mistake ??= unknownOption(token.name, rows, command);
      continue;
    }
    const given = found.get(row.name) ?? { values: [], origin: "command line" };
    found.set(row.name, given);
    const wrong = mistakeInToken(row, token.value, given.values);
    mistake ??= wrong;
    if (wrong === null) given.values.push(token.value ?? row.implied ?? "");
  }
  for (const row of rows) {
    const value = row.env === undefined ? undefined : env[row.env];
    if (row.env === undefined || value === undefined || value === "" || found.has(row.name)) continue;
    const values = row.multiple === undefined ? [value] : value.split(",").map((part) => part.trim());
    const spelled = `\`${row.env}\``;
    for (const part of values) mistake ??= mistakeIn(row, part, spelled);
    found.set(row.name, { values, origin: `environment, ${row.env}`, spelled });
  }
  return { options: createOptions(args, positionals, found), mistake };
}

/** Throws the first mistake. */
export function parseOptions(rows: readonly OptionRow[], args: readonly string[], command: string, env: Environment): ParsedOptions {
  const { options, mistake } = readOptions(rows, args, command, env);
  if (mistake !== null) throw mistake;
  return options;
}

/** As the language writes numbers, `1_000` and `0x10`, or as reports do, `1,000`. Null: it is none. */
function parseNumber(text: string): bigint | null {
  const digits = text.replaceAll("_", "").replaceAll(/(?<=\d),(?=\d{3}(\D|$))/g, "");
  return /^(\d+|0x[0-9a-f]+)$/i.test(digits) ? BigInt(digits) : null;
}

/** A whole number from `least` to `most`, or an error that names who gave it. */
export function wholeNumber(options: ParsedOptions, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | null {
  const text = options.value(name);
  if (text === null) return null;
  const value = parseNumber(text);
  if (value === null || value < least || value > most) {
    throw usageError(`${options.spelled(name)} takes a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`}, not \`${text}\``);
  }
  return Number(value);
}

/** `--seed`, or null; `words`: what else it takes. */
export function seedNumber(options: ParsedOptions, words = ""): bigint | null {
  const text = options.value("seed");
  if (text === null) return null;
  const value = parseNumber(text);
  if (value === null || value >= 1n << 64n) throw usageError(`${options.spelled("seed")} takes a number of at most 64 bits${words}, not \`${text}\``);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9, m: 60e9, h: 3600e9 };

/** `10ms`, as the language writes it, and for runs `20m` and `1h`, as servers do; in ns. Null: it is none above zero. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)(ns|us|ms|s|min|m|h)$/.exec(text.replaceAll("_", "")) ?? [];
  const value = Math.round(Number(digits) * (UNITS[unit] ?? Number.NaN));
  return Number.isSafeInteger(value) && value > 0 ? value : null;
}

/** In ns. */
export function duration(options: ParsedOptions, name: string): number | null {
  const text = options.value(name);
  if (text === null) return null;
  const value = parseDuration(text);
  if (value === null) throw wrongDuration(options.spelled(name), text);
  return value;
}

const wrongDuration = (spelled: string, text: string): CommandError =>
  usageError(`${spelled} takes a duration such as 500us, 10ms, 2s or 20m, not \`${text}\``);

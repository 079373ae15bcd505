// `guestspec config show`: the options that a run would have, each with where it comes from: the command line, the environment, a profile of
// guestspec.yaml, or nowhere.

import { usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { ParsedOptions } from "../options.ts";
import { RUN_OPTIONS } from "./option-rows.ts";

const OWN: ReadonlySet<string> = new Set(["json"]);

export function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const [action] = options.positionals;
  if (action !== "show") throw usageError(`\`config\` knows how to show, not to \`${action}\``, "usage: guestspec config show [OPTION...]");
  const rows = RUN_OPTIONS.filter(({ name }) => !OWN.has(name)).map((row) => ({
    name: row.name,
    isFlag: row.value === undefined,
    values: options.values(row.name),
    origin: options.origin(row.name),
  }));
  if (options.has("json")) {
    const shown = rows.map(({ name, isFlag, values, origin }) => ({ name, value: isFlag ? values.length > 0 : values, origin: origin ?? "default" }));
    io.out(`${JSON.stringify({ version: 1, options: shown }, null, 2)}\n`);
    return Promise.resolve(EXIT.ok);
  }
  const text = rows.map(({ name, isFlag, values, origin }) => {
    const value = origin === null ? "-" : isFlag ? String(values.length > 0) : values.length === 0 ? "false" : values.join(", ");
    return [name, value, origin ?? "default"] as const;
  });
  const [nameWidth, valueWidth] = [0, 1].map((column) => Math.max(...text.map((cells) => cells[column]?.length ?? 0)));
  for (const [name, value, origin] of text) io.out(`${name.padEnd(nameWidth ?? 0)}  ${value.padEnd(valueWidth ?? 0)}  ${origin}\n`);
  return Promise.resolve(EXIT.ok);
}

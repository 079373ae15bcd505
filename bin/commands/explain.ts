// `guestspec explain CODE`: the text behind a diagnostic. Without a code, the list of all.

import { listCodes as listSpecCodes } from "../../compiler/diagnostics/codes.ts";
import { didYouMean } from "../../grammar/nearest-name.ts";
import { SNAPSHOT_CODES } from "../../runtime/exec/snapshot-codes.ts";
import { usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { ParsedOptions } from "../options.ts";

/** Warnings behind errors, as the compiler's table has them. */
const listCodes = () => [...listSpecCodes(), ...SNAPSHOT_CODES].toSorted((a, b) => (a.code < b.code ? -1 : 1));

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const [written] = options.positionals;
  if (written === undefined) {
    for (const { code, title } of listCodes()) io.out(`${code}  ${title}\n`);
    return EXIT.ok;
  }
  const code = written.toUpperCase();
  const entry = listCodes().find((known) => known.code === code);
  if (entry === undefined) {
    const known = listCodes().map((candidate) => candidate.code);
    throw usageError(`there is no diagnostic \`${written}\``, didYouMean(code, known, "`guestspec explain` lists them"));
  }
  io.out(`${entry.code}: ${entry.title}\n\n${entry.explanation.trim()}\n`);
  return EXIT.ok;
}

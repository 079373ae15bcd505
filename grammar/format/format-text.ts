// The formatter: text in, canonical text out. A file that does not parse is left alone, its errors reported; what comes out parses to the
// same tree (spans aside) and formats to itself. Used by `fmt` and by `fmt --check`.

import type { Report } from "../diagnostic.ts";
import { parseFile } from "../parser.ts";
import type { Source } from "../source.ts";
import { printSource } from "./print-source.ts";

/** Null when the text has errors, which have then been reported. */
export function formatText(source: Source, report: Report): string | null {
  let hasErrors = false;
  const file = parseFile(source, (diagnostic) => {
    hasErrors ||= diagnostic.severity === "error";
    report(diagnostic);
  });
  return hasErrors ? null : printSource(file);
}

// Is a file text at all? Asked before anything scans it: bytes that are no UTF-8 have been replaced when it was read, so what was written
// cannot be known any more. Reading on would pass over it silently inside strings, give a report for each byte elsewhere, and `fmt` would
// write the replacements back.

import type { Report } from "./diagnostic.ts";
import type { Source } from "./source.ts";

/** What a decoder puts for bytes that are no UTF-8. A text that means the character writes `\u{fffd}`. */
const REPLACEMENT = "\ufffd";

/** False, which has been reported, for a file that is not text in UTF-8. */
export function isText(source: Source, report: Report): boolean {
  const { text } = source;
  const zero = text.indexOf("\0");
  const broken = text.indexOf(REPLACEMENT);
  if (zero < 0 && broken < 0) return true;
  const isUtf16 = zero >= 0 && text.startsWith(REPLACEMENT);
  const at = zero < 0 || (broken >= 0 && broken < zero) ? broken : zero;
  report({
    code: "E0115",
    severity: "error",
    message: "the file is not text in UTF-8",
    labels: [{ span: { source, start: at, end: at + 1 }, text: at === zero ? "a zero byte" : "bytes that are no UTF-8" }],
    ...(isUtf16 ? { help: "it looks like UTF-16: save it as UTF-8" } : {}),
  });
  return false;
}

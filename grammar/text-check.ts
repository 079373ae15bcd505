// Is a file text at all? Asked before anything scans it: bytes that are no UTF-8 are marked when it is read, so what was written
// cannot be known any more. Reading on would pass over it silently inside strings, give a report for each byte elsewhere, and `fmt` would
// write replacements back.

import type { Report } from "./diagnostic.ts";
import type { Source } from "./source.ts";

/** Stands for bytes that are no UTF-8. No UTF-8 gives a half of a surrogate pair, and U+FFFD, which decoders put, may be meant. */
const BROKEN = "\udcff";
const REPLACEMENT = "\ufffd";

/** The text of a file's bytes, as `isText` judges it. A byte order mark stays. */
export function decodeText(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const text = decoder.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  // Between the characters U+FFFD that are written, none is one: their first byte begins a character wherever it stands.
  const parts: string[] = [];
  let start = 0;
  for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1)) {
    if (bytes[at + 1] !== 0xbf || bytes[at + 2] !== 0xbd) continue;
    parts.push(decoder.decode(bytes.subarray(start, at)));
    start = at + 3;
  }
  parts.push(decoder.decode(bytes.subarray(start)));
  return parts.map((part) => part.replaceAll(REPLACEMENT, BROKEN)).join(REPLACEMENT);
}

/** False, which has been reported, for a file that is not text in UTF-8. */
export function isText(source: Source, report: Report): boolean {
  const { text } = source;
  const zero = text.indexOf("\0");
  const broken = text.indexOf(BROKEN);
  if (zero < 0 && broken < 0) return true;
  const isUtf16 = zero >= 0 && text.startsWith(BROKEN);
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

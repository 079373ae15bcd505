// Classes of characters, and how far words, blanks and lines go: what the scanner and the search for closing brackets (skip-code.ts) both look at for
// every character. Tables and plain functions over the text, for they are the innermost loops of the front end.

export const wordStart = 1;
const wordPart = 2;
export const digit = 4;
const classOf = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const isLetter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95;
  const isDigit = c >= 48 && c <= 57;
  classOf[c] = (isLetter ? wordStart | wordPart : 0) | (isDigit ? digit | wordPart : 0);
}

export function isOf(code: number, wanted: number): boolean {
  return code < 128 && ((classOf[code] ?? 0) & wanted) !== 0;
}

/** The first place from `from` on that continues no word; `end` at most. */
export function wordEnd(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isOf(text.charCodeAt(at), wordPart)) at++;
  return at;
}

/** The first place from `from` on that is neither space nor tab; `end` at most. */
export function pastBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9)) at++;
  return at;
}

/** The end of the line that `from` is on; `end` at most. */
export function lineEnd(text: string, from: number, end: number): number {
  const found = text.indexOf("\n", from);
  return found === -1 || found > end ? end : found;
}

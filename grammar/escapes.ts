// What a backslash stands for in strings and characters: read by the scanner within strings, and by literals.ts. A malformed escape comes with
// its fault, and with the likeliest text, so that scanning goes on.

const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
  ["0", "\0"],
]);

export interface Escape {
  readonly text: string;
  /** Behind it. */
  readonly end: number;
  readonly fault: EscapeFault | null;
}

/** From the backslash to `end`. */
export interface EscapeFault {
  readonly message: string;
  readonly end: number;
  readonly label: string;
  readonly help: string;
}

/** Reads the escape whose backslash stands at `at`. */
export function readEscape(source: string, at: number): Escape {
  const letter = source[at + 1] ?? "";
  const simple = simpleEscapes.get(letter);
  if (simple !== undefined) return { text: simple, end: at + 2, fault: null };
  if (letter === "x") return readByte(source, at);
  if (letter === "u") return readCodePoint(source, at);
  const isLineEnd = letter === "" || letter === "\n";
  const end = at + (isLineEnd ? 1 : 2);
  const message = isLineEnd ? "a `\\` at the end of a line escapes nothing" : `unknown escape \`\\${letter}\``;
  return { text: isLineEnd ? "" : letter, end, fault: { message, end, label: "here", help: 'the escapes are `\\n \\t \\r \\\\ \\" \\0 \\xNN \\u{N}`' } };
}

function readByte(source: string, at: number): Escape {
  const end = at + 2;
  const digits = source.slice(end, end + 2);
  if (/^[0-7][0-9a-fA-F]$/.test(digits)) return { text: String.fromCharCode(Number.parseInt(digits, 16)), end: end + 2, fault: null };
  const message = "`\\x` takes two hexadecimal digits, at most `7f`";
  return { text: "", end, fault: { message, end, label: "malformed escape", help: 'other characters are written `\\u{e9}`, bytes `hex"e9"`' } };
}

function readCodePoint(source: string, at: number): Escape {
  const match = /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(source.slice(at, at + 10));
  const value = match === null ? Number.NaN : Number.parseInt(match[1] ?? "", 16);
  const end = at + (match === null ? 2 : match[0].length);
  if (value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff)) return { text: String.fromCodePoint(value), end, fault: null };
  const message = "`\\u` takes a code point in braces";
  return { text: "", end, fault: { message, end, label: "malformed escape", help: "write `\\u{e9}` for é" } };
}

// The tokens of bytecode's text form, each with its place. Ends of lines are tokens, for an instruction ends with its line; comments are
// none, but `;@N`, which names a location.

/** A mistake in a text, at a line and column from 1. The only thing that `parseText` throws. */
export class TextFormatError extends Error {
  readonly line: number;
  readonly column: number;
  constructor(message: string, line: number, column: number) {
    super(`${line}:${column}: ${message}`);
    this.name = "TextFormatError";
    this.line = line;
    this.column = column;
  }
}

export type TokenKind = "word" | "number" | "offset" | "register" | "name" | "index" | "string" | "at" | "mark" | "line" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** Source text, or the contents of a name, string, register number. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

const TOKEN = new RegExp(
  [
    /(?<space>[ \t\r]+)/,
    /;@(?<at>\d+)(?:[ \t][^\n]*)?/,
    /(?<comment>;[^\n]*)/,
    /(?<line>\n)/,
    /%(?<register>\d+)/,
    /@(?<quoted>"(?:[^"\\\n]|\\.)*")/,
    /@(?<name>[A-Za-z_$.][A-Za-z0-9_$.]*)/,
    /#(?<index>\d+)/,
    /(?<string>"(?:[^"\\\n]|\\.)*")/,
    /(?<offset>\+\d+)/,
    /(?<number>-?(?:0x[0-9a-fA-F]+|\d+))/,
    /(?<word>[A-Za-z_][A-Za-z0-9_.]*)/,
    /(?<mark>->|[(){},=:])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "y",
);

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let lineStart = 0;
  let position = 0;
  while (position < text.length) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(text);
    const column = position - lineStart + 1;
    if (match === null) throw new TextFormatError(`unexpected character ${JSON.stringify(text[position])}`, line, column);
    const groups = match.groups ?? {};
    const push = (kind: TokenKind, value: string): void => void tokens.push({ kind, text: value, line, column });
    if (groups["quoted"] !== undefined) push("name", unquote(groups["quoted"], line, column));
    else if (groups["string"] !== undefined) push("string", unquote(groups["string"], line, column));
    else {
      for (const kind of ["at", "line", "register", "name", "index", "offset", "number", "word", "mark"] as const) {
        const value = groups[kind];
        if (value !== undefined) push(kind, value);
      }
    }
    position = TOKEN.lastIndex;
    if (groups["line"] !== undefined) {
      line += 1;
      lineStart = position;
    }
  }
  const last = { text: "", line, column: position - lineStart + 1 };
  tokens.push({ kind: "line", ...last }, { kind: "end", ...last });
  return tokens;
}

function unquote(literal: string, line: number, column: number): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    throw new TextFormatError(`bad string ${literal}`, line, column);
  }
}

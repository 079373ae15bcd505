// Text -> tokens. The scanner is written by hand, not made by Chevrotain's `Lexer`, for four reasons: DSL code inside a YAML cell is
// scanned in place (a range of the file's text, with the file's offsets); strings nest code (`"{f("x")}"`); assembler text is taken raw;
// and there is no table of patterns to compile at start, which would cost more than scanning a usual spec. The tokens are
// Chevrotain's. A lexical error is reported and the scanner goes on with the likeliest token, so the parser still sees the rest.

import type { TokenType } from "chevrotain";
import type { Comment } from "./ast.ts";
import type { Diagnostic, Report } from "./diagnostic.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Source } from "./source.ts";
import * as T from "./tokens.ts";
import type { TextValue, Token } from "./tokens.ts";

/** What to scan. `text` is the source's own text, except for a YAML scalar with escapes: then it is the scalar's value and `offsets` maps back. */
export interface ScanInput {
  readonly source: Source;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Offset in the source of each index of `text` (one more entry than characters). */
  readonly offsets: Int32Array | null;
  /** The whole range is the inside of a string: no quotes, no backslash escapes, only holes. */
  readonly isTemplate: boolean;
  /** The bodies of functions are one token each, and their comments are left out. */
  readonly skipsBodies?: boolean;
}

export interface ScanResult {
  readonly tokens: Token[];
  readonly comments: Comment[];
}

class ScannedToken implements Token {
  image: string;
  startOffset: number;
  endOffset: number;
  tokenTypeIdx: number;
  tokenType: TokenType;
  newline: boolean;
  value: bigint | Uint8Array | TextValue | null;

  constructor(type: TokenType, image: string, start: number, end: number, newline: boolean, value: Token["value"]) {
    this.image = image;
    this.startOffset = start;
    this.endOffset = end - 1;
    // Chevrotain gives every token type its index when it is created; the type says optional.
    this.tokenTypeIdx = type.tokenTypeIdx ?? 0;
    this.tokenType = type;
    this.newline = newline;
    this.value = value;
  }
}

const nanosecondsOf: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1000n],
  ["ms", 1000_000n],
  ["s", 1000_000_000n],
]);
const bytesOf: ReadonlyMap<string, bigint> = new Map([
  ["KiB", 1n << 10n],
  ["MiB", 1n << 20n],
  ["GiB", 1n << 30n],
  ["TiB", 1n << 40n],
]);
const units = [...nanosecondsOf.keys(), ...bytesOf.keys()];

/** Suffixes of other languages. */
function helpForSuffix(suffix: string): string {
  if (/^([iu](8|16|32|64|size)|[ul]{1,3}|[ul]{1,2}z)$/i.test(suffix)) return "a number takes its type from its place, or by `as`: `1 as u32`";
  const time = /^(n|u|m)(sec|secs)$/.exec(suffix);
  if (time !== null) return `did you mean \`${time[1] ?? ""}s\`?`;
  if (/^(sec|secs)$/.test(suffix)) return "did you mean `s`?";
  const size = /^([kmgt])b?$/i.exec(suffix);
  if (size !== null) return `did you mean \`${(size[1] ?? "").toUpperCase()}iB\`?`;
  return didYouMean(suffix, units, `the units are ${units.map((unit) => `\`${unit}\``).join(", ")}`);
}
const formats = "xdbs";
const smallIntegers: readonly bigint[] = Array.from({ length: 1024 }, (_, value) => BigInt(value));
const maximum = 0xffff_ffff_ffff_ffffn;

// ---- Classes of characters ----

const wordStart = 1;
const wordPart = 2;
const digit = 4;
const classOf = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const isLetter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95;
  const isDigit = c >= 48 && c <= 57;
  classOf[c] = (isLetter ? wordStart | wordPart : 0) | (isDigit ? digit | wordPart : 0);
}

function isOf(code: number, wanted: number): boolean {
  return code < 128 && ((classOf[code] ?? 0) & wanted) !== 0;
}

const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
  ["0", "\0"],
]);

/** Marks longest first for each first character. */
const marks: (readonly (readonly [string, TokenType])[])[] = [];
for (const [first, list] of Object.entries({
  "{": [["{", T.LCurly]],
  "}": [["}", T.RCurly]],
  "(": [["(", T.LParen]],
  ")": [[")", T.RParen]],
  "[": [["[", T.LSquare]],
  "]": [["]", T.RSquare]],
  ",": [[",", T.Comma]],
  ";": [[";", T.Semi]],
  ":": [[":", T.Colon]],
  "@": [["@", T.At]],
  "#": [["#", T.Hash]],
  "~": [["~", T.Tilde]],
  ".": [
    ["..=", T.DotDotEqual],
    ["..", T.DotDot],
    [".*", T.DotStar],
    [".", T.Dot],
  ],
  "=": [
    ["==", T.EqualEqual],
    ["=", T.Equal],
  ],
  "+": [
    ["+=", T.PlusEqual],
    ["+", T.Plus],
  ],
  "-": [
    ["->", T.Arrow],
    ["-=", T.MinusEqual],
    ["-", T.Minus],
  ],
  "*": [
    ["*=", T.StarEqual],
    ["*", T.Star],
  ],
  "/": [
    ["/=", T.SlashEqual],
    ["/", T.Slash],
  ],
  "%": [
    ["%=", T.PercentEqual],
    ["%", T.Percent],
  ],
  "&": [
    ["&&", T.And],
    ["&=", T.AmpersandEqual],
    ["&", T.Ampersand],
  ],
  "|": [
    ["||", T.Or],
    ["|=", T.BarEqual],
    ["|", T.Bar],
  ],
  "^": [
    ["^=", T.CaretEqual],
    ["^", T.Caret],
  ],
  "<": [
    ["<<=", T.ShiftLeftEqual],
    ["<<", T.ShiftLeft],
    ["<=", T.LessEqual],
    ["<", T.Less],
  ],
  ">": [
    [">>=", T.ShiftRightEqual],
    [">>", T.ShiftRight],
    [">=", T.GreaterEqual],
    [">", T.Greater],
  ],
  "!": [
    ["!=", T.NotEqual],
    ["!", T.Not],
  ],
} satisfies Record<string, [string, TokenType][]>)) {
  marks[first.charCodeAt(0)] = list;
}

/** Spellings of other languages; each is reported and then read as ours. */
const foreignMarks: ReadonlyMap<string, string> = new Map([
  ["&&", "and"],
  ["||", "or"],
  ["!", "not"],
]);

/** What stands for characters that begin no token of ours. */
const foreignCharacters: ReadonlyMap<string, string> = new Map([
  ["`", 'strings stand between double quotes: `"..."`'],
  ["?", "a choice is `if condition { a } else { b }`"],
  ["\u2018", "characters stand between straight quotes: `'a'`"],
  ["\u2019", "characters stand between straight quotes: `'a'`"],
]);

/** What word processors make of a double quote. */
const bentQuotes = /[\u201c-\u201f\u00ab\u00bb]/;
/** A word of any script, from where it is asked on. */
const anyWord = /[\p{L}\p{M}\p{N}_]+/uy;
/** Blanks and characters without a shape: a report that shows them shows nothing. */
const shapeless = /[\p{C}\p{Z}]/u;
const namesOfShapeless: ReadonlyMap<string, string> = new Map([
  ["\u00a0", "a no-break space"],
  ["\u200b", "a space without width"],
  ["\ufeff", "a byte order mark"],
]);

/** The value of a small literal; the commonest ones are made once. */
export function smallInteger(value: number): bigint {
  return smallIntegers[value] ?? BigInt(value);
}

export function scan(input: ScanInput, report: Report): ScanResult {
  return new Scanner(input, report).run();
}

class Scanner {
  readonly #source: Source;
  readonly #text: string;
  readonly #end: number;
  readonly #offsets: Int32Array | null;
  readonly #isTemplate: boolean;
  readonly #skipsBodies: boolean;
  readonly #report: Report;
  readonly #tokens: Token[] = [];
  readonly #comments: Comment[] = [];
  /** Open brackets inside each open hole, innermost last. */
  readonly #holes: number[] = [];
  /** Where the open holes' braces stand. */
  readonly #holeStarts: number[] = [];
  #at: number;
  #newline = true;
  /** Where the operands of an `asm` end and its text may begin, -1 outside of them. */
  #operandsEnd = -1;
  /** Behind `fn name`, where bodies are skipped: the next `{` opens one. */
  #isBodyNext = false;
  readonly #shapelessTold = new Set<string>();

  constructor(input: ScanInput, report: Report) {
    this.#source = input.source;
    this.#text = input.text;
    this.#at = input.start;
    this.#end = input.end;
    this.#offsets = input.offsets;
    this.#isTemplate = input.isTemplate;
    this.#skipsBodies = input.skipsBodies === true;
    this.#report = report;
  }

  run(): ScanResult {
    const text = this.#text;
    const end = this.#end;
    if (this.#isTemplate) this.#scanText(this.#at, this.#at, null, false);
    while (this.#at < end) {
      if (this.#at === this.#operandsEnd) {
        this.#scanAsmText();
        continue;
      }
      const code = text.charCodeAt(this.#at);
      if (code === 32 || code === 9 || code === 13) this.#at++;
      else if (code === 10) {
        if (this.#holes.length > 0) this.#abandonHoles("a string ends on the line where it starts");
        this.#newline = true;
        this.#at++;
      } else if (isOf(code, wordStart)) this.#scanWord();
      else if (isOf(code, digit)) this.#scanNumber();
      else if (code === 34) this.#scanQuote();
      else if (code === 39) this.#scanCharacter();
      else if (code === 47 && text.charCodeAt(this.#at + 1) === 47) this.#scanComment();
      else if (code === 47 && text.charCodeAt(this.#at + 1) === 42) this.#scanBlockComment();
      else if (code === 123 && this.#isBodyNext) this.#skipBody();
      else this.#scanMark(code);
    }
    if (this.#holes.length > 0) this.#abandonHoles("the text ends inside the hole");
    this.#at = end;
    // The end counts as a new line, so that whatever a line ends, the end of the text ends too.
    this.#newline = true;
    this.#push(T.EndOfFile, end, end, null);
    return { tokens: this.#tokens, comments: this.#comments };
  }

  // ---- Output ----

  #offset(index: number): number {
    return this.#offsets === null ? index : (this.#offsets[index] ?? this.#source.text.length);
  }

  #push(type: TokenType, start: number, end: number, value: Token["value"], image = this.#text.slice(start, end)): void {
    this.#tokens.push(
      this.#offsets === null
        ? new ScannedToken(type, image, start, end, this.#newline, value)
        : new ScannedToken(type, image, this.#offset(start), this.#offset(end), this.#newline, value),
    );
    this.#newline = false;
  }

  #fault(code: string, message: string, start: number, end: number, label: string, more: Pick<Diagnostic, "help" | "notes"> = {}): void {
    const span = { source: this.#source, start: this.#offset(start), end: this.#offset(end) };
    this.#report({ code, severity: "error", message, labels: [{ span, text: label }], ...more });
  }

  // ---- Words ----

  #wordEnd(from: number): number {
    let at = from;
    while (at < this.#end && isOf(this.#text.charCodeAt(at), wordPart)) at++;
    return at;
  }

  #scanWord(): void {
    const start = this.#at;
    const end = this.#wordEnd(start + 1);
    if (this.#text.charCodeAt(end) >= 128 && this.#scanForeignWord()) return;
    this.#at = end;
    if (end - start === 3) {
      if (this.#text.startsWith("hex", start) && this.#text.charCodeAt(end) === 34) {
        this.#scanBytes(start);
        return;
      }
      if (this.#text.startsWith("asm", start) && this.#isAsm(end)) {
        this.#scanAsm(start);
        return;
      }
    }
    // The longest reserved word has eight letters.
    const reserved = end - start > 8 ? undefined : T.reservedWords.get(this.#text.slice(start, end));
    this.#push(reserved ?? T.Ident, start, end, null);
    if (reserved === T.Fn && this.#skipsBodies) this.#isBodyNext = isOf(this.#text.charCodeAt(this.#skipBlanks(end)), wordStart);
  }

  /** A word with letters that names do not have, read as the name that was meant; false when none begins here. */
  #scanForeignWord(): boolean {
    const start = this.#at;
    anyWord.lastIndex = start;
    const word = anyWord.exec(this.#text)?.[0] ?? "";
    const letter = /[^\0-\u007f]/u.exec(word)?.[0];
    const end = start + word.length;
    if (letter === undefined || end > this.#end) return false;
    const at = start + word.indexOf(letter);
    this.#at = end;
    this.#fault("E0101", `a name has letters from \`a\` to \`z\`, digits and \`_\`, found \`${letter}\``, at, at + letter.length, "not in a name");
    this.#push(T.Ident, start, end, null);
    return true;
  }

  /** A string between quotes that a word processor has bent, read as it was meant; false when no other one follows on the line. */
  #scanBentString(): boolean {
    const start = this.#at;
    const line = this.#text.slice(start + 1, this.#lineEnd(start));
    const length = line.search(bentQuotes);
    if (length === -1) return false;
    const text = line.slice(0, length);
    this.#at = start + length + 2;
    this.#fault("E0101", "a string stands between straight quotes", start, start + 1, "not a quote here", { help: `write \`"${text}"\`` });
    this.#push(T.Str, start, this.#at, { text, start: this.#offset(start + 1), end: this.#offset(start + 1 + length), format: null });
    return true;
  }

  /** `asm` followed on its line by a target's name and a bracket. */
  #isAsm(from: number): boolean {
    const target = this.#skipBlanks(from);
    if (target === from || !isOf(this.#text.charCodeAt(target), wordStart)) return false;
    const after = this.#text.charAt(this.#skipBlanks(this.#wordEnd(target)));
    return after === "(" || after === "{";
  }

  #skipBlanks(from: number): number {
    let at = from;
    while (at < this.#end && (this.#text.charCodeAt(at) === 32 || this.#text.charCodeAt(at) === 9)) at++;
    return at;
  }

  #scanAsm(start: number): void {
    this.#push(T.AsmWord, start, start + 3, null);
    const target = this.#skipBlanks(start + 3);
    const targetEnd = this.#wordEnd(target);
    this.#push(T.Ident, target, targetEnd, null);
    this.#at = this.#skipBlanks(targetEnd);
    if (this.#text[this.#at] === "{") {
      this.#scanAsmText();
      return;
    }
    // Operands are code like any other; but where they end decides what is text, even if they do not parse.
    const end = this.#matchingEnd(this.#at, "(", ")");
    if (end !== null) this.#operandsEnd = end;
    else this.#failOpen(this.#at, ")");
  }

  #scanAsmText(): void {
    this.#operandsEnd = -1;
    const start = this.#skipBlanks(this.#at);
    if (this.#text[start] !== "{") return;
    const end = this.#matchingEnd(start, "{", "}");
    this.#at = end ?? this.#end;
    if (end === null) this.#failOpen(start, "}");
    this.#push(T.RawText, start, this.#at, null);
  }

  #failOpen(start: number, close: string): void {
    this.#fault("E0110", `the ${close === "}" ? "assembler text has" : "operands of `asm` have"} no closing \`${close}\``, start, start + 1, "opened here");
  }

  /** Behind the bracket that closes the one at `start`, past strings and `//` comments; null: there is none. */
  #matchingEnd(start: number, open: string, close: string): number | null {
    let depth = 0;
    let at = start;
    while (at < this.#end) {
      const character = this.#text[at];
      if (character === "/" && this.#text[at + 1] === "/") {
        while (at < this.#end && this.#text[at] !== "\n") at++;
        continue;
      }
      if (character === '"') {
        at++;
        while (at < this.#end && this.#text[at] !== '"' && this.#text[at] !== "\n") at += this.#text[at] === "\\" ? 2 : 1;
      } else if (character === open) depth++;
      else if (character === close && --depth === 0) return at + 1;
      at++;
    }
    return null;
  }

  // ---- Bodies that are read later ----

  #skipBody(): void {
    this.#isBodyNext = false;
    const start = this.#at;
    const end = this.#pastBraces(start);
    if (end === null) this.#scanMark(123);
    else {
      this.#at = end;
      this.#push(T.Body, start, end, null);
    }
  }

  /** Behind the brace that closes the one at `start`, past comments, characters, assembler text, and strings with code in their holes; null: there is none. */
  #pastBraces(start: number): number | null {
    const text = this.#text;
    let depth = 0;
    let at = start;
    while (at < this.#end) {
      const code = text.charCodeAt(at);
      if (code === 123) depth++;
      else if (code === 125) {
        if (--depth === 0) return at + 1;
      } else if (code === 34) {
        const end = this.#pastString(at);
        if (end === null) return null;
        at = end;
        continue;
      } else if (code === 39) {
        // One character, or what a backslash stands before.
        at = text.indexOf("'", at + (text.charCodeAt(at + 1) === 92 ? 3 : 2));
        if (at < 0) return null;
      } else if (code === 47 && text.charCodeAt(at + 1) === 47) {
        at = this.#lineEnd(at);
        continue;
      } else if (isOf(code, wordStart)) {
        const end = this.#wordEnd(at + 1);
        const textEnd = end - at === 3 && text.startsWith("asm", at) && this.#isAsm(end) ? this.#pastAsm(end) : end;
        if (textEnd === null) return null;
        at = textEnd;
        continue;
      }
      at++;
    }
    return null;
  }

  #pastString(start: number): number | null {
    const text = this.#text;
    const end = this.#lineEnd(start);
    let at = start + 1;
    while (at < end) {
      const code = text.charCodeAt(at);
      if (code === 34) return at + 1;
      if (code === 92) at += 2;
      else if (code !== 123) at++;
      else if (text.charCodeAt(at + 1) === 123) at += 2;
      else {
        const hole = this.#pastBraces(at);
        if (hole === null) return null;
        at = hole;
      }
    }
    return null;
  }

  #pastAsm(from: number): number | null {
    let at: number | null = this.#skipBlanks(this.#wordEnd(this.#skipBlanks(from)));
    if (this.#text[at] === "(") at = this.#matchingEnd(at, "(", ")");
    if (at === null) return null;
    const open = this.#skipBlanks(at);
    return this.#text[open] === "{" ? this.#matchingEnd(open, "{", "}") : at;
  }

  // ---- Numbers ----

  #scanNumber(): void {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    let radix = 10;
    if (text.charCodeAt(at) === 48) {
      const letter = text.charCodeAt(at + 1) | 32;
      if (letter === 120) radix = 16;
      else if (letter === 98) radix = 2;
      else if (letter === 111) radix = 8;
      if (radix !== 10) at += 2;
    }
    const digits = at;
    let isDecimal = radix === 10;
    let small = 0;
    for (; at < this.#end; at++) {
      const code = text.charCodeAt(at);
      if (code >= 48 && code <= 57) small = small * 10 + code - 48;
      else if (code === 95) isDecimal = false;
      else if (!(radix === 16 && ((code >= 97 && code <= 102) || (code >= 65 && code <= 70)))) break;
    }
    const digitsEnd = at;
    const suffixEnd = this.#wordEnd(at);
    this.#at = suffixEnd;
    if (radix === 10 && suffixEnd === digitsEnd && text.charCodeAt(at) === 46 && isOf(text.charCodeAt(at + 1), digit)) {
      this.#at = this.#wordEnd(at + 1);
      this.#fault("E0106", "a number has no fraction here: there is no floating-point type", start, this.#at, "fractional number", {
        help: "write a smaller unit, as in `1500us` for 1.5 ms",
      });
      this.#push(T.Int, start, this.#at, 0n);
      return;
    }
    const isSmall = isDecimal && digitsEnd - digits <= 15;
    const value = isSmall ? smallInteger(small) : this.#integer(text.slice(digits, digitsEnd).replaceAll("_", ""), radix, start);
    if (suffixEnd === digitsEnd) {
      this.#push(T.Int, start, suffixEnd, value);
      return;
    }
    const suffix = text.slice(digitsEnd, suffixEnd);
    if (radix === 16 && !/^[iu]\d/.test(suffix) && !bytesOf.has(suffix)) {
      this.#fault("E0103", `\`${suffix.charAt(0)}\` is not a hexadecimal digit`, digitsEnd, digitsEnd + 1, "in this number");
      this.#push(T.Int, start, suffixEnd, value);
      return;
    }
    const nanoseconds = nanosecondsOf.get(suffix);
    const bytes = bytesOf.get(suffix);
    if (nanoseconds !== undefined) this.#push(T.Duration, start, suffixEnd, this.#checked(value * nanoseconds, start));
    else if (bytes !== undefined) this.#push(T.Int, start, suffixEnd, this.#checked(value * bytes, start));
    else {
      this.#fault("E0108", `\`${suffix}\` is not a unit`, digitsEnd, suffixEnd, "unknown unit", {
        help: helpForSuffix(suffix),
      });
      this.#push(T.Int, start, suffixEnd, value);
    }
  }

  #integer(digits: string, radix: number, start: number): bigint {
    if (digits === "") {
      this.#fault("E0103", `the number \`${this.#text.slice(start, this.#at)}\` has no digits`, start, this.#at, "no digits");
      return 0n;
    }
    if (radix < 10) {
      const bad = (radix === 2 ? /[^01]/ : /[^0-7]/).exec(digits);
      if (bad !== null) {
        this.#fault("E0103", `\`${bad[0]}\` is not ${radix === 2 ? "a binary" : "an octal"} digit`, start, this.#at, "malformed number");
        return 0n;
      }
    }
    if (radix === 10 ? digits.length <= 15 : digits.length <= 8) return smallInteger(Number.parseInt(digits, radix));
    const prefix = radix === 16 ? "0x" : radix === 8 ? "0o" : radix === 2 ? "0b" : "";
    return this.#checked(BigInt(prefix + digits), start);
  }

  #checked(value: bigint, start: number): bigint {
    if (value <= maximum) return value;
    this.#fault("E0113", "the number does not fit in 64 bits", start, this.#at, "too large", { help: "the largest is `0xffff_ffff_ffff_ffff`" });
    return maximum;
  }

  #scanCharacter(): void {
    const start = this.#at;
    let value = "";
    let at = start + 1;
    const code = this.#text.charCodeAt(at);
    if (code === 92) {
      const escape = this.#readEscape(at);
      value = escape.text;
      at = escape.end;
    } else if (at < this.#end && code !== 10 && code !== 39) {
      value = String.fromCodePoint(this.#text.codePointAt(at) ?? 0);
      at += value.length;
    }
    if (value !== "" && this.#text[at] === "'") {
      this.#at = at + 1;
      this.#push(T.Int, start, this.#at, BigInt(value.codePointAt(0) ?? 0));
      return;
    }
    const line = this.#lineEnd(start);
    const close = this.#text.indexOf("'", start + 1);
    this.#at = close !== -1 && close < line ? close + 1 : Math.max(at, start + 1);
    this.#fault("E0107", "a character literal is one character between single quotes", start, this.#at, "malformed character", {
      help: this.#at - start > 3 ? 'a string stands between double quotes: `"..."`' : "the quote itself is `'\\''`",
    });
    this.#push(T.Int, start, this.#at, 0n);
  }

  #lineEnd(from: number): number {
    const found = this.#text.indexOf("\n", from);
    return found === -1 || found > this.#end ? this.#end : found;
  }

  #scanBytes(start: number): void {
    const open = this.#at;
    const close = this.#text.indexOf('"', open + 1);
    const line = this.#lineEnd(open);
    if (close === -1 || close > line) {
      this.#at = line;
      this.#fault("E0102", "the byte string has no closing quote", start, open + 1, "opened here");
      this.#push(T.Bytes, start, line, new Uint8Array(0));
      return;
    }
    this.#at = close + 1;
    const digits = this.#text.slice(open + 1, close).replaceAll(/[ _]/g, "");
    const bad = /[^0-9a-fA-F]/.exec(digits);
    if (bad !== null) {
      const at = this.#text.indexOf(bad[0], open + 1);
      this.#fault("E0105", `\`${bad[0]}\` is not a hexadecimal digit`, at, at + 1, "in this byte string");
    } else if (digits.length % 2 !== 0) {
      this.#fault("E0105", `the byte string has ${digits.length} digits; every byte needs two`, start, this.#at, "odd number of digits");
    }
    const value = new Uint8Array(digits.length >> 1);
    if (bad === null) for (let i = 0; i < value.length; i++) value[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
    this.#push(T.Bytes, start, this.#at, value);
  }

  // ---- Strings ----

  /** A string; in a hole without another quote on its line it is the end of the string around, whose hole was not closed. */
  #scanQuote(): void {
    const start = this.#at;
    if (this.#holes.length > 0 && !this.#isTemplate) {
      const next = this.#text.indexOf('"', start + 1);
      if (next === -1 || next > this.#lineEnd(start)) {
        this.#at = start + 1;
        this.#abandonHoles("the string ends inside the hole");
        return;
      }
    }
    this.#scanText(start, start + 1, null, false);
  }

  /** Reads literal characters up to the closing quote or the next hole. `tokenStart` is the quote or the brace that ended a hole. */
  #scanText(tokenStart: number, contentStart: number, format: string | null, isContinued: boolean): void {
    const text = this.#text;
    if (isContinued) {
      this.#holes.pop();
      this.#holeStarts.pop();
    }
    let cooked = "";
    let from = contentStart;
    let at = contentStart;
    while (true) {
      const code = at < this.#end ? text.charCodeAt(at) : 10;
      if (code === 10 && !(this.#isOuterTemplate() && at < this.#end)) {
        const value: TextValue = { text: cooked + text.slice(from, at), start: this.#offset(contentStart), end: this.#offset(at), format };
        this.#at = at;
        if (!this.#isOuterTemplate()) {
          this.#fault("E0102", "the string has no closing quote on its line", tokenStart, Math.min(tokenStart + 1, at), "opened here", {
            help: "a line break in a string is written `\\n`",
          });
        }
        this.#push(isContinued ? T.StrTail : T.Str, tokenStart, at, value);
        return;
      }
      if (code === 34 && !this.#isOuterTemplate()) {
        const value: TextValue = { text: cooked + text.slice(from, at), start: this.#offset(contentStart), end: this.#offset(at), format };
        this.#at = at + 1;
        this.#push(isContinued ? T.StrTail : T.Str, tokenStart, this.#at, value);
        return;
      }
      if (code === 92 && !this.#isOuterTemplate()) {
        const escape = this.#readEscape(at);
        cooked += text.slice(from, at) + escape.text;
        from = at = escape.end;
      } else if (code === 123) {
        if (text.charCodeAt(at + 1) === 123) {
          cooked += text.slice(from, at + 1);
          from = at = at + 2;
          continue;
        }
        // `test "adds {`: the quote is missing, and the brace opens the block.
        if (!this.#isTemplate && /^\{[ \t\r]*(?:\n|$)/.test(text.slice(at, this.#lineEnd(at) + 1))) {
          const content = text.slice(contentStart, at).trimEnd();
          const contentEnd = contentStart + content.length;
          this.#at = at;
          this.#fault("E0102", "the string has no closing quote on its line", tokenStart, tokenStart + 1, "opened here");
          const value: TextValue = { text: content, start: this.#offset(contentStart), end: this.#offset(contentEnd), format };
          this.#push(isContinued ? T.StrTail : T.Str, tokenStart, contentEnd, value);
          return;
        }
        const value: TextValue = { text: cooked + text.slice(from, at), start: this.#offset(contentStart), end: this.#offset(at), format };
        this.#at = at + 1;
        this.#push(isContinued ? T.StrMiddle : T.StrHead, tokenStart, this.#at, value);
        this.#holes.push(0);
        this.#holeStarts.push(at);
        return;
      } else if (code === 125) {
        const isDouble = text.charCodeAt(at + 1) === 125;
        if (!isDouble) {
          this.#fault("E0109", "a single `}` in a string closes nothing", at, at + 1, "no hole is open here", {
            help: "a brace in a text is written twice: `}}`",
          });
        }
        cooked += text.slice(from, at + 1);
        from = at = at + (isDouble ? 2 : 1);
      } else at++;
    }
  }

  /** The text being read is the template itself, not a string in one of its holes. */
  #isOuterTemplate(): boolean {
    return this.#isTemplate && this.#holes.length === 0;
  }

  #readEscape(at: number): { readonly text: string; readonly end: number } {
    const letter = this.#text[at + 1] ?? "";
    const simple = simpleEscapes.get(letter);
    if (simple !== undefined) return { text: simple, end: at + 2 };
    if (letter === "x") {
      const digits = this.#text.slice(at + 2, at + 4);
      if (/^[0-7][0-9a-fA-F]$/.test(digits)) return { text: String.fromCharCode(Number.parseInt(digits, 16)), end: at + 4 };
      this.#fault("E0104", "`\\x` takes two hexadecimal digits, at most `7f`", at, at + 2, "malformed escape", {
        help: 'other characters are written `\\u{e9}`, bytes `hex"e9"`',
      });
      return { text: "", end: at + 2 };
    }
    if (letter === "u") {
      const match = /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(this.#text.slice(at, at + 10));
      const value = match === null ? Number.NaN : Number.parseInt(match[1] ?? "", 16);
      if (match !== null && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff)) return { text: String.fromCodePoint(value), end: at + match[0].length };
      const end = match === null ? at + 2 : at + match[0].length;
      this.#fault("E0104", "`\\u` takes a code point in braces", at, end, "malformed escape", { help: "write `\\u{e9}` for é" });
      return { text: "", end };
    }
    const isLineEnd = letter === "" || letter === "\n";
    this.#fault("E0104", isLineEnd ? "a `\\` at the end of a line escapes nothing" : `unknown escape \`\\${letter}\``, at, at + (isLineEnd ? 1 : 2), "here", {
      help: 'the escapes are `\\n \\t \\r \\\\ \\" \\0 \\xNN \\u{N}`',
    });
    return { text: isLineEnd ? "" : letter, end: at + (isLineEnd ? 1 : 2) };
  }

  #abandonHoles(why: string): void {
    const start = this.#holeStarts[0] ?? this.#at;
    this.#fault("E0109", "a hole in a string is not closed", start, start + 1, "opened here", {
      notes: [why],
      help: "a brace in a text is written twice: `{{`",
    });
    while (this.#holes.length > 0) {
      this.#holes.pop();
      this.#holeStarts.pop();
      const value: TextValue = { text: "", start: this.#offset(this.#at), end: this.#offset(this.#at), format: null };
      this.#push(T.StrTail, this.#at, this.#at, value);
    }
    // What follows in a template is text, not code.
    if (this.#isTemplate) this.#at = this.#end;
  }

  /** Inside a hole: follows brackets; true when the character ended the hole and the string has been read on. */
  #followHole(code: number): boolean {
    const last = this.#holes.length - 1;
    const depth = this.#holes[last] ?? 0;
    if (code === 123 || code === 40 || code === 91) this.#holes[last] = depth + 1;
    else if (code === 125 && depth === 0) {
      this.#scanText(this.#at, this.#at + 1, null, true);
      return true;
    } else if (code === 125 || code === 41 || code === 93) this.#holes[last] = Math.max(0, depth - 1);
    else if (code === 58 && depth === 0) {
      const start = this.#at;
      let at = start + 1;
      while (at < this.#lineEnd(start) && this.#text[at] !== "}" && this.#text[at] !== '"') at++;
      if (this.#text[at] !== "}") return false;
      const format = this.#text.slice(start + 1, at);
      if (format.length !== 1 || !formats.includes(format)) {
        this.#fault("E0114", `unknown format \`${format}\``, start + 1, Math.max(at, start + 2), "in this hole", {
          help: "the formats are `x` (hexadecimal), `d` (decimal), `b` (binary) and `s` (text)",
        });
      }
      this.#scanText(start, at + 1, format, true);
      return true;
    }
    return false;
  }

  // ---- Marks and comments ----

  #scanMark(code: number): void {
    if (this.#holes.length > 0 && this.#followHole(code)) return;
    const start = this.#at;
    for (const [text, type] of marks[code] ?? []) {
      if (text.length > 1 && !this.#text.startsWith(text, start)) continue;
      this.#at = start + text.length;
      const ours = foreignMarks.get(text);
      if (ours !== undefined) this.#fault("E0112", `\`${text}\` is written \`${ours}\``, start, this.#at, `write \`${ours}\``);
      this.#push(type, start, this.#at, null, ours);
      return;
    }
    const character = String.fromCodePoint(this.#text.codePointAt(start) ?? 0);
    this.#at = start + character.length;
    // A byte order mark at the start of a file says nothing about its content.
    if (character === "\ufeff" && start === 0) return;
    this.#at = start;
    if (character > "\u007f" && (this.#scanForeignWord() || (bentQuotes.test(character) && this.#scanBentString()))) return;
    this.#at = start + character.length;
    const details = foreignCharacters.has(character) ? { help: foreignCharacters.get(character) ?? "" } : {};
    if (!shapeless.test(character)) {
      this.#fault("E0101", `unexpected character \`${character}\``, start, this.#at, "no token starts with this", details);
      return;
    }
    // Text from a web page has hundreds of them, and each is read as the blank that it looks like.
    if (this.#shapelessTold.has(character)) return;
    this.#shapelessTold.add(character);
    const number = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
    const name = namesOfShapeless.get(character);
    const message = `unexpected character ${number}${name === undefined ? "" : `, ${name}`}`;
    this.#fault("E0101", message, start, this.#at, "no token starts with this", { help: "replace all of them, by a blank or by nothing" });
  }

  #scanComment(): void {
    const start = this.#at;
    let end = this.#lineEnd(start);
    this.#at = end;
    if (this.#text[end - 1] === "\r") end--;
    const isOwnLine = /^[ \t]*$/.test(this.#text.slice(this.#text.lastIndexOf("\n", start) + 1, start));
    const span = { source: this.#source, start: this.#offset(start), end: this.#offset(end) };
    this.#comments.push({ text: this.#text.slice(start, end).trimEnd(), span, ownLine: isOwnLine });
  }

  #scanBlockComment(): void {
    const start = this.#at;
    const close = this.#text.indexOf("*/", start + 2);
    this.#at = close === -1 || close > this.#end ? this.#end : close + 2;
    if (this.#text.slice(start, this.#at).includes("\n")) this.#newline = true;
    this.#fault("E0111", "there are no block comments", start, start + 2, "here", { help: "start every line of the comment with `//`" });
  }
}

// Text -> tokens. The scanner is written by hand, not made by Chevrotain's `Lexer`, for four reasons: DSL code inside a YAML cell is
// scanned in place (a range of the file's text, with the file's offsets); strings nest code (`"{f("x")}"`); assembler text is taken raw;
// and there is no table of patterns to compile at start, which would cost more than scanning a usual spec. The tokens are
// Chevrotain's. A lexical error is reported and the scanner goes on with the likeliest token, so the parser still sees the rest.

import type { TokenType } from "chevrotain";
import type { Comment } from "./ast.ts";
import { digit, isOf, lineEnd, pastBlanks, wordEnd, wordStart } from "./characters.ts";
import type { Diagnostic, Report } from "./diagnostic.ts";
import { readEscape, type Escape } from "./escapes.ts";
import { readHash } from "./foreign-words.ts";
import { readBytes, readCharacter, readNumber, type Literal } from "./literals.ts";
import { anyWord, bentQuotes, foreignCharacters, foreignMarks, marks, namesOfShapeless, shapeless, stringPrefixes } from "./marks.ts";
import { isAsm, matchingEnd, pastBraces } from "./skip-code.ts";
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

const formats = "xdbs";

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
  #isHashTold = false;
  /** Where the line of the last `::` ends: `use a::b::c` is one slip. */
  #pathsEnd = -1;

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
      else if (isOf(code, digit)) this.#scanLiteral(this.#at, readNumber(text, this.#at, end));
      else if (code === 34) this.#scanQuote();
      else if (code === 39) this.#scanLiteral(this.#at, readCharacter(text, this.#at, end));
      else if (code === 47 && text.charCodeAt(this.#at + 1) === 47) this.#scanComment();
      else if (code === 47 && text.charCodeAt(this.#at + 1) === 42) this.#scanBlockComment();
      else if (code === 35 && !isOf(text.charCodeAt(this.#at + 1), digit)) this.#scanHash();
      else if (code === 96) this.#scanBackticks();
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

  #scanWord(): void {
    const start = this.#at;
    const end = wordEnd(this.#text, start + 1, this.#end);
    if (this.#text.charCodeAt(end) >= 128 && this.#scanForeignWord()) return;
    this.#at = end;
    if (end - start === 3) {
      if (this.#text.startsWith("hex", start) && this.#text.charCodeAt(end) === 34) {
        this.#scanLiteral(start, readBytes(this.#text, start, this.#end));
        return;
      }
      if (this.#text.startsWith("asm", start) && isAsm(this.#text, end, this.#end)) {
        this.#scanAsm(start);
        return;
      }
    }
    if (end < this.#end && this.#text.charCodeAt(end) === 34 && this.#holes.length === 0 && stringPrefixes.has(this.#text.slice(start, end))) {
      const [prefix, help] = [this.#text.slice(start, end), 'texts that are printed have holes, `"{value}"`, and escapes; bytes are `hex"00 ff"`'];
      this.#fault("E0112", `\`${prefix}".."\` is written \`".."\``, start, end, "a string has no prefix", { help });
      return;
    }
    // The longest reserved word has eight letters.
    const reserved = end - start > 8 ? undefined : T.reservedWords.get(this.#text.slice(start, end));
    this.#push(reserved ?? T.Ident, start, end, null);
    if (reserved === T.Fn && this.#skipsBodies) this.#isBodyNext = isOf(this.#text.charCodeAt(pastBlanks(this.#text, end, this.#end)), wordStart);
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
    const line = this.#text.slice(start + 1, lineEnd(this.#text, start, this.#end));
    const length = line.search(bentQuotes);
    if (length === -1) return false;
    const text = line.slice(0, length);
    this.#at = start + length + 2;
    this.#fault("E0101", "a string stands between straight quotes", start, start + 1, "not a quote here", { help: `write \`"${text}"\`` });
    this.#push(T.Str, start, this.#at, { text, start: this.#offset(start + 1), end: this.#offset(start + 1 + length), format: null });
    return true;
  }

  #scanAsm(start: number): void {
    this.#push(T.AsmWord, start, start + 3, null);
    const target = pastBlanks(this.#text, start + 3, this.#end);
    const targetEnd = wordEnd(this.#text, target, this.#end);
    this.#push(T.Ident, target, targetEnd, null);
    this.#at = pastBlanks(this.#text, targetEnd, this.#end);
    if (this.#text[this.#at] === "{") {
      this.#scanAsmText();
      return;
    }
    // Operands are code like any other; but where they end decides what is text, even if they do not parse.
    const end = matchingEnd(this.#text, this.#at, this.#end, "(", ")");
    if (end !== null) this.#operandsEnd = end;
    else this.#failOpen(this.#at, ")");
  }

  #scanAsmText(): void {
    this.#operandsEnd = -1;
    const start = pastBlanks(this.#text, this.#at, this.#end);
    if (this.#text[start] !== "{") return;
    const end = matchingEnd(this.#text, start, this.#end, "{", "}");
    this.#at = end ?? this.#end;
    if (end === null) this.#failOpen(start, "}");
    this.#push(T.RawText, start, this.#at, null);
  }

  #failOpen(start: number, close: string): void {
    this.#fault("E0110", `the ${close === "}" ? "assembler text has" : "operands of `asm` have"} no closing \`${close}\``, start, start + 1, "opened here");
  }

  // ---- Bodies that are read later ----

  #skipBody(): void {
    this.#isBodyNext = false;
    const start = this.#at;
    const end = pastBraces(this.#text, start, this.#end);
    if (end === null) this.#scanMark(123);
    else {
      this.#at = end;
      this.#push(T.Body, start, end, null);
    }
  }

  // ---- Literals ----

  /** What is wrong with it is told, and the parser still gets a value. */
  #scanLiteral(start: number, literal: Literal): void {
    this.#at = literal.end;
    for (const { code, message, from, to, label, help } of literal.faults) this.#fault(code, message, from, to, label, help === undefined ? {} : { help });
    this.#push(literal.type, start, literal.end, literal.value);
  }

  // ---- Strings ----

  /** A string; in a hole without another quote on its line it is the end of the string around, whose hole was not closed. */
  #scanQuote(): void {
    const start = this.#at;
    if (this.#holes.length === 0 && this.#text.startsWith('"""', start)) {
      this.#scanTripleQuotes();
      return;
    }
    if (this.#holes.length > 0 && !this.#isTemplate) {
      const next = this.#text.indexOf('"', start + 1);
      if (next === -1 || next > lineEnd(this.#text, start, this.#end)) {
        this.#at = start + 1;
        this.#abandonHoles("the string ends inside the hole");
        return;
      }
    }
    this.#scanText(start, start + 1, null, false);
  }

  /** A text of several lines, as Python has it: one mistake, read as a text; one that is not closed ends with its line. */
  #scanTripleQuotes(): void {
    const start = this.#at;
    const close = this.#text.indexOf('"""', start + 3);
    const isClosed = close !== -1 && close + 3 <= this.#end;
    const end = isClosed ? close : lineEnd(this.#text, start, this.#end);
    this.#at = isClosed ? close + 3 : end;
    this.#fault("E0102", "a string ends on its line", start, start + 3, "no quotes of this kind", { help: "a line break in a string is written `\\n`" });
    this.#push(T.Str, start, this.#at, { text: this.#text.slice(start + 3, end), start: this.#offset(start + 3), end: this.#offset(end), format: null });
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
        const escape = this.#escape(at);
        cooked += text.slice(from, at) + escape.text;
        from = at = escape.end;
      } else if (code === 123) {
        if (text.charCodeAt(at + 1) === 123) {
          cooked += text.slice(from, at + 1);
          from = at = at + 2;
          continue;
        }
        // `test "adds {`: the quote is missing, and the brace opens the block.
        if (!this.#isTemplate && /^\{[ \t\r]*(?:\n|$)/.test(text.slice(at, lineEnd(this.#text, at, this.#end) + 1))) {
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
        // `{ expect "text }`: the quote is missing, and the brace ends the block.
        const isInText = this.#isOuterTemplate() || text.slice(at, lineEnd(text, at, this.#end)).includes('"');
        if (!isDouble && isInText) {
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

  #escape(at: number): Escape {
    const escape = readEscape(this.#text, at);
    if (escape.fault !== null) {
      const { message, end, label, help } = escape.fault;
      this.#fault("E0104", message, at, end, label, { help });
    }
    return escape;
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
      while (at < lineEnd(this.#text, start, this.#end) && this.#text[at] !== "}" && this.#text[at] !== '"') at++;
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
      if (ours !== undefined && !this.#isToldElsewhere(text, start))
        this.#fault("E0112", `\`${text}\` is written \`${ours}\``, start, this.#at, `write \`${ours}\``);
      this.#push(type, start, this.#at, null, ours);
      return;
    }
    const operator = /^\?[?.]/.exec(this.#text.slice(start, start + 2))?.[0];
    const character = operator ?? String.fromCodePoint(this.#text.codePointAt(start) ?? 0);
    this.#at = start + character.length;
    // A byte order mark at the start of a file says nothing about its content.
    if (character === "\ufeff" && start === 0) return;
    this.#at = start;
    if (character > "\u007f" && (this.#scanForeignWord() || (bentQuotes.test(character) && this.#scanBentString()))) return;
    this.#at = start + character.length;
    const details = foreignCharacters.has(character) ? { help: foreignCharacters.get(character) ?? "" } : {};
    if (!shapeless.test(character)) {
      this.#fault("E0101", `unexpected ${operator === undefined ? "character " : ""}\`${character}\``, start, this.#at, "no token starts with this", details);
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

  /** A path's second `::` on its line, and one in front of types in `<>`; a macro's `!`, which the parser tells together with its name. */
  #isToldElsewhere(mark: string, at: number): boolean {
    const before = this.#tokens.at(-1);
    const isWord = before?.tokenType === T.Ident || before?.tokenType === T.Assert;
    if (mark === "!") return isWord && before.endOffset + 1 === this.#offset(at) && /[([{]/.test(this.#text[at + 1] ?? "");
    if (mark !== "::") return false;
    const isTold = at < this.#pathsEnd || this.#text[at + 2] === "<";
    this.#pathsEnd = lineEnd(this.#text, at, this.#end);
    return isTold;
  }

  /** A comment of other languages, which is told once and left out like ours, a directive or an attribute. */
  #scanHash(): void {
    const start = this.#at;
    const end = lineEnd(this.#text, start, this.#end);
    const found = readHash(this.#text.slice(start, end));
    if (found !== null) {
      this.#at = start + found.length;
      this.#fault("E0101", `unexpected \`${found.what}\``, start, this.#at, "no token starts with this", { help: found.help });
      return;
    }
    this.#at = end;
    if (this.#isHashTold) return;
    this.#isHashTold = true;
    this.#fault("E0111", "a comment starts with `//`, not with `#`", start, start + 1, "write `//`");
  }

  /** A string between backticks is one mistake, and read as a string. */
  #scanBackticks(): void {
    const start = this.#at;
    const close = this.#text.indexOf("`", start + 1);
    if (close === -1 || close >= lineEnd(this.#text, start, this.#end)) {
      this.#scanMark(96);
      return;
    }
    this.#at = close + 1;
    this.#fault("E0101", "unexpected character ```", start, start + 1, "no token starts with this", { help: 'strings stand between double quotes: `"..."`' });
    this.#push(T.Str, start, this.#at, { text: this.#text.slice(start + 1, close), start: this.#offset(start + 1), end: this.#offset(close), format: null });
  }

  #scanComment(): void {
    const start = this.#at;
    let end = lineEnd(this.#text, start, this.#end);
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

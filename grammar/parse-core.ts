// Base of the parser: the token cursor, spans and faults. Recovery (parse-recovery.ts) and the rules, up to parse-items.ts, stand in classes
// that extend one another, because Chevrotain wants all rules on one object.
// Two decisions shape all of it. Rules build the AST directly (embedded actions). Recovery is ours, not Chevrotain's: a rule throws, and
// the nearest guard (a statement, table row, register or declaration) reports once and skips to the next one.
// Where a loop or an option is hot, or its end depends on lines, the rule asks the cursor itself; Chevrotain's own form of it is
// then used while the grammar is recorded (`RECORDING_PHASE`), so that lookahead and validation see the whole grammar.

import {
  EmbeddedActionsParser,
  type ILookaheadStrategy,
  isRecognitionException,
  type IParserErrorMessageProvider,
  LLkLookaheadStrategy,
  type ParserMethod,
  type TokenType,
} from "chevrotain";
import type { Block, Name } from "./ast.ts";
import type { Diagnostic, Report } from "./diagnostic.ts";
import { helpForMacro } from "./foreign-words.ts";
import { nearestName } from "./nearest-name.ts";
import type { Source, Span } from "./source.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

export type Rule<R> = ParserMethod<[], R>;

export interface ParserOptions {
  /** Check the grammar itself when the parser is made: slow, for the unit test. */
  readonly isValidating: boolean;
}

/** What a fault's report has beside its code, message and first label. */
export type FaultDetails = Partial<Pick<Diagnostic, "help" | "fix">> & {
  readonly notes?: readonly string[];
  readonly also?: readonly Diagnostic["labels"][number][];
};

/** Thrown by a rule that cannot go on; a guard turns it into a report. */
class SyntaxFault extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

/** `reading` is for the notes of faults. */
export type ReadLater = (span: Span, reading: string | null) => Block;

const noBodies: ReadLater = () => {
  throw new Error("internal: a body was skipped where bodies are read at once");
};

const noSource: Source = { path: "", text: "" };

/** Stands for every token outside the text; also for all tokens while the grammar is recorded. */
const endToken: Token = {
  image: "",
  startOffset: 0,
  endOffset: -1,
  tokenTypeIdx: T.EndOfFile.tokenTypeIdx ?? 1,
  tokenType: T.EndOfFile,
  newline: true,
  value: null,
};

// The rules check before they consume and word their faults themselves; these serve where the grammar has a hole.
const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) => `expected ${expected.LABEL ?? expected.name}, found ${describeImage(actual.image)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) => `expected the end, found ${describeImage(firstRedundant.image)}`,
  buildNoViableAltMessage: ({ actual }) => `${describeImage(actual[0]?.image ?? "")} cannot stand here`,
  buildEarlyExitMessage: ({ actual }) => `${describeImage(actual[0]?.image ?? "")} cannot stand here`,
};

function describeImage(image: string): string {
  if (image === "") return "the end of the text";
  const line = image.split("\n", 1)[0] ?? "";
  return `\`${line.length > 24 ? `${line.slice(0, 22)}..` : line}\``;
}

/**
 * Lookahead computed at its first use. Making it all at once is most of a parser's construction, and one text needs a part of it.
 * Options and loops need none: `when` and `repeat` ask the cursor.
 */
class LazyLookahead extends LLkLookaheadStrategy {
  override buildLookaheadForAlternation(
    options: Parameters<ILookaheadStrategy["buildLookaheadForAlternation"]>[0],
  ): ReturnType<ILookaheadStrategy["buildLookaheadForAlternation"]> {
    const build = super.buildLookaheadForAlternation.bind(this, options);
    let choose: ReturnType<typeof build> | undefined;
    return function (this: unknown, alternatives) {
      choose ??= build();
      return choose.call(this, alternatives);
    };
  }

  override buildLookaheadForOptional(): () => boolean {
    return () => {
      throw new Error("internal: an option or loop of the grammar goes past `when` and `repeat`");
    };
  }
}

export const openers: ReadonlySet<TokenType> = new Set([T.LParen, T.LSquare]);

export abstract class ParserCore extends EmbeddedActionsParser {
  /** Chevrotain's cursor: the index of the token consumed last. Its typings leave it out, its documentation does not. */
  declare protected readonly currIdx: number;

  protected source: Source = noSource;
  protected tokens: readonly Token[] = [];
  /** Inside parentheses or square brackets line breaks mean nothing. */
  protected inBrackets = false;
  /** False in the head of a statement, where `{` opens the block. */
  protected structsAllowed = true;
  /** Directly inside `[..]` after an operand, where a range may have open ends. */
  protected inIndex = false;
  /** What is being read, for the note of a fault: `test "adds"`. */
  protected reading: string | null = null;
  protected errorCount = 0;
  /** Gives the block of a `Body`. */
  protected readLater: ReadLater = noBodies;
  #report: Report = () => {};
  /** Token at which the last fault was reported: one place gives one report. */
  #faultAt = -1;

  constructor(options: ParserOptions) {
    super(T.vocabulary, {
      maxLookahead: 1,
      recoveryEnabled: false,
      skipValidations: !options.isValidating,
      lookaheadStrategy: new LazyLookahead({ maxLookahead: 1 }),
      errorMessageProvider: messages,
    });
  }

  /** Takes the tokens of one text; the next rule called reads them. */
  begin(source: Source, tokens: Token[], report: Report, reading: string | null, readLater: ReadLater = noBodies): void {
    this.input = tokens;
    this.readLater = readLater;
    this.source = source;
    this.tokens = tokens;
    this.inBrackets = false;
    this.structsAllowed = true;
    this.inIndex = false;
    this.reading = reading;
    this.errorCount = 0;
    this.#faultAt = -1;
    this.#report = report;
  }

  /** Lets go of the text, which the parser outlives. */
  finish(): void {
    this.input = [];
    this.source = noSource;
    this.tokens = [];
    this.readLater = noBodies;
    this.#report = () => {};
  }

  // ---- Cursor ----

  protected peek(distance: number): Token {
    return this.tokens[this.currIdx + distance] ?? endToken;
  }

  protected isNext(type: TokenType): boolean {
    return this.peek(1).tokenType === type;
  }

  /** The token is the word `text`, not reserved. */
  protected isWord(token: Token, text: string): boolean {
    return token.tokenType === T.Ident && token.image === text;
  }

  protected isAdjacent(first: Token, second: Token): boolean {
    return first.endOffset + 1 === second.startOffset;
  }

  // ---- Spans ----

  protected spanOf(token: Token): Span {
    return { source: this.source, start: token.startOffset, end: token.endOffset + 1 };
  }

  /** From `start` to the end of the token consumed last. */
  protected spanFrom(start: number): Span {
    return { source: this.source, start, end: this.peek(0).endOffset + 1 };
  }

  protected nameOf(token: Token): Name {
    return { text: token.image, span: this.spanOf(token) };
  }

  // ---- Brackets ----

  /** Runs a rule inside brackets, where lines mean nothing and struct literals are free. */
  protected bracketed<R>(parse: () => R, inIndex = false): R {
    const { inBrackets, structsAllowed, inIndex: outerIndex } = this;
    this.inBrackets = true;
    this.structsAllowed = true;
    this.inIndex = inIndex;
    const result = parse();
    this.inBrackets = inBrackets;
    this.structsAllowed = structsAllowed;
    this.inIndex = outerIndex;
    return result;
  }

  // ---- Faults ----

  protected describe(token: Token): string {
    if (token.tokenType === T.EndOfFile) return "the end of the text";
    if (token.tokenType === T.Str || token.tokenType === T.StrHead) return `the string ${describeImage(token.image)}`;
    if (token.tokenType === T.StrMiddle || token.tokenType === T.StrTail) return "the end of the hole";
    if (T.reservedWords.has(token.image)) return `the reserved word \`${token.image}\``;
    return describeImage(token.image);
  }

  protected faultAt(token: Token, code: string, message: string, label: string, details: FaultDetails = {}): SyntaxFault {
    const first = { span: this.spanOf(token), text: label };
    const notes = [...(details.notes ?? []), ...(this.reading === null ? [] : [`while reading ${this.reading}`])];
    return new SyntaxFault({
      code,
      severity: "error",
      message,
      labels: [first, ...(details.also ?? [])],
      ...(notes.length > 0 ? { notes } : {}),
      ...(details.help === undefined ? {} : { help: details.help }),
      ...(details.fix === undefined ? {} : { fix: details.fix }),
    });
  }

  /** The next token is not what the grammar wants. Where it stands on another line, the place is the end of the line before. */
  protected expected(what: string, details: FaultDetails = {}, code = "E0201"): SyntaxFault {
    const found = this.peek(1);
    const previous = this.peek(0);
    const message = `expected ${what}, found ${this.describe(found)}`;
    if (!found.newline || this.currIdx < 0) return this.faultAt(found, code, message, `expected ${what}`, details);
    const end = previous.endOffset + 1;
    const place: Token = { ...endToken, startOffset: end, endOffset: end - 1 };
    return this.faultAt(place, code, message, `expected ${what} here`, details);
  }

  /** Reports without giving up the rule. */
  protected complain(token: Token, code: string, message: string, label: string, details: FaultDetails = {}): void {
    this.#emit(this.faultAt(token, code, message, label, details).diagnostic);
  }

  #emit(diagnostic: Diagnostic): void {
    this.errorCount++;
    this.#report(diagnostic);
  }

  /** An error at the token that stopped a rule; silent when it stopped a rule inside this one before, whose recovery came no further. */
  #reportFault(error: unknown, from: number): void {
    let diagnostic: Diagnostic;
    if (error instanceof SyntaxFault) diagnostic = error.diagnostic;
    else if (error instanceof Error && isRecognitionException(error)) {
      diagnostic = this.faultAt(this.peek(1), "E0201", error.message, "here").diagnostic;
    } else throw error;
    if (this.#faultAt === this.currIdx && from !== this.currIdx) this.errorCount++;
    else this.#emit(diagnostic);
    this.#faultAt = this.currIdx;
  }

  /** Runs a rule; when it gives up, reports why, and `skip` moves on from the token where the rule began. */
  protected guarded<R>(parse: () => R, skip: (from: number) => void): R | null {
    if (this.RECORDING_PHASE) return parse();
    const from = this.currIdx;
    const { inBrackets, structsAllowed, inIndex } = this;
    try {
      return parse();
    } catch (error) {
      this.#reportFault(error, from);
      this.inBrackets = inBrackets;
      this.structsAllowed = structsAllowed;
      this.inIndex = inIndex;
      skip(from);
      return null;
    }
  }

  /** The `!` of `name!(..)`, which the scanner leaves to the parser: it is a macro's, or a `not` behind a word as `until`. */
  protected isMarkOfMacro(mark: Token, name: Token, open: Token): boolean {
    const isForeign = mark.tokenType === T.Not && mark.endOffset === mark.startOffset;
    const isWord = name.tokenType === T.Ident || name.tokenType === T.Assert;
    const isBracket = openers.has(open.tokenType) || open.tokenType === T.LCurly;
    return isForeign && isWord && isBracket && this.isAdjacent(name, mark) && this.isAdjacent(mark, open);
  }

  /** The next token and what follows, `name!(..)`, are a macro of another language. */
  protected judgeMacro(name: Token): void {
    if (!this.isMarkOfMacro(this.peek(2), name, this.peek(3))) return;
    throw this.faultAt(name, "E0112", `\`${name.image}!\` is a macro of another language`, "there are no macros", { help: helpForMacro(name.image) });
  }

  // ---- Consuming with our own messages. `index` tells Chevrotain the uses of one token in one rule apart. ----

  /** `what` overrides the token's label in the message. */
  protected need(index: number, type: TokenType, what?: string, details?: FaultDetails): Token {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && token.tokenType !== type) throw this.expected(what ?? type.LABEL ?? type.name, details);
    this.consume(index, type);
    return token;
  }

  /** A name that must not be reserved. */
  protected needName(index: number, what = "a name"): Name {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && token.tokenType !== T.Ident) {
      if (T.reservedWords.has(token.image)) {
        throw this.faultAt(token, "E0212", `\`${token.image}\` is a reserved word and cannot be ${what}`, "reserved", { help: `\`${token.image}_\` is free` });
      }
      throw this.expected(what);
    }
    this.consume(index, T.Ident);
    return this.nameOf(token);
  }

  /** Any word: after a dot and before a colon reserved words are names too. */
  protected needAnyWord(index: number, what = "a name"): Name {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isAnyWord(token)) throw this.expected(what);
    this.consume(index, T.Word);
    return this.nameOf(token);
  }

  protected isAnyWord(token: Token): boolean {
    return token.tokenType === T.Ident || T.reservedWords.has(token.image);
  }

  /** The contextual word `text`. */
  protected needWord(index: number, text: string, details?: FaultDetails): Token {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isWord(token, text)) {
      const near = token.tokenType === T.Ident ? nearestName(token.image, [text]) : undefined;
      throw this.expected(`\`${text}\``, near === undefined ? details : { help: `did you mean \`${text}\`?`, fix: { span: this.spanOf(token), text } });
    }
    this.consume(index, T.Ident);
    return token;
  }

  /** The bracket that closes `open`. */
  protected needClose(index: number, type: TokenType, open: Token, details: FaultDetails = {}): Token {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && token.tokenType !== type) {
      throw this.expected(type.LABEL ?? type.name, { ...details, also: [{ span: this.spanOf(open), text: "to close this" }] });
    }
    this.consume(index, type);
    return token;
  }

  /** `if` over the cursor; an option while recording. */
  protected when(index: number, condition: boolean, parse: () => void): void {
    if (this.RECORDING_PHASE) this.option(index, parse);
    else if (condition) parse();
  }

  /** A loop whose end the cursor tells. */
  protected repeat(index: number, condition: () => boolean, parse: () => void): void {
    if (this.RECORDING_PHASE) this.many(index, parse);
    else while (condition()) parse();
  }

  /** Elements separated by commas up to `close`, which it does not consume; the last comma may be followed by nothing. */
  protected commaList(index: number, close: TokenType, parse: () => void): void {
    if (this.RECORDING_PHASE) {
      this.many(index, () => {
        parse();
        this.option(index, () => this.consume(index, T.Comma));
      });
      return;
    }
    while (this.peek(1).tokenType !== close) {
      parse();
      if (this.peek(1).tokenType !== T.Comma) return;
      this.consume(index, T.Comma);
    }
  }
}

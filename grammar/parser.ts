// Entry to the grammar: text in, AST and reports out. One parser object serves the process, made at the first use (its construction is a
// good part of a short run); nothing of a parsed text stays in it. YAML cells come through here too, as ranges of the file's text.

import type { TokenType } from "chevrotain";
import type { Attribute, Block, Comment, Expr, File, Name, Need, StringLiteral, TypeExpr } from "./ast.ts";
import { DeferredBlock } from "./deferred-block.ts";
import type { Report } from "./diagnostic.ts";
import type { ReadLater } from "./parse-core.ts";
import { ItemParser } from "./parse-items.ts";
import { smallInteger } from "./literals.ts";
import { type ScanInput, scan } from "./scanner.ts";
import { positionAt, type Source, type Span } from "./source.ts";
import { isText } from "./text-check.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

export interface TextRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** A range of the source, or text that stands for it: `offsets` gives the place of each character (and of the end) in the source. */
export interface CodeRange extends TextRange {
  readonly cooked?: { readonly text: string; readonly offsets: Int32Array };
  /** For the note of an error: `test "adds"`. */
  readonly reading?: string;
}

let parser: ItemParser | undefined;

/** More brackets open at a time than anybody reads; what recurses without them ends at the host's stack, thousands of levels down. */
const MAX_NESTING = 128;

/** Mistakes behind which a line is read as it was meant: escapes, comments and operators of other languages. */
export const READ_AS_MEANT: ReadonlySet<string> = new Set(["E0104", "E0111", "E0112"]);

/**
 * What the parser says of a line that has an error already is mostly the same mistake again: where to go on is a guess. A place without
 * width is the end of a line, where something about the next one is told.
 */
function firstOfEachLine(report: Report): Report {
  const wrong = new Set<number>();
  return (diagnostic) => {
    const { source, start, end } = diagnostic.labels[0].span;
    const { line } = positionAt(source, start);
    if (diagnostic.code >= "E02" && start < end && wrong.has(line)) return;
    if (!READ_AS_MEANT.has(diagnostic.code)) wrong.add(line);
    report(diagnostic);
  };
}

/** `otherwise` stands for a text that is nested too deeply. */
function parse<R>(
  input: ScanInput,
  reportAll: Report,
  reading: string | null,
  rule: (parser: ItemParser) => R,
  otherwise: R,
  readLater?: ReadLater,
): { result: R; comments: Comment[] } {
  const report = firstOfEachLine(reportAll);
  const { tokens, comments } = scan(input, report);
  const { place, depth } = deepestPlace(tokens);
  const refuse = (): { result: R; comments: Comment[] } => {
    const span = { source: input.source, start: place?.startOffset ?? 0, end: (place?.endOffset ?? -1) + 1 };
    report({
      code: "E0223",
      severity: "error",
      message: "the text is nested too deeply",
      labels: [{ span, text: depth > MAX_NESTING ? `${depth} brackets are open here` : "in this text" }],
    });
    return { result: otherwise, comments };
  };
  if (depth > MAX_NESTING) return refuse();
  parser ??= new ItemParser({ isValidating: false });
  parser.begin(input.source, tokens, report, reading, readLater);
  try {
    return { result: rule(parser), comments };
  } catch (error) {
    if (error instanceof RangeError) return refuse();
    throw error;
  } finally {
    parser.finish();
  }
}

const openers: ReadonlySet<TokenType> = new Set([T.LParen, T.LSquare, T.LCurly, T.StrHead]);
const closers: ReadonlySet<TokenType> = new Set([T.RParen, T.RSquare, T.RCurly, T.StrTail]);

/** Where most brackets are open; the first token when none are. */
function deepestPlace(tokens: readonly Token[]): { readonly place: Token | undefined; readonly depth: number } {
  let open = 0;
  let depth = 0;
  let [place] = tokens;
  for (const token of tokens) {
    if (openers.has(token.tokenType)) {
      open++;
      if (open <= depth) continue;
      depth = open;
      place = token;
    } else if (closers.has(token.tokenType)) open--;
  }
  return { place, depth };
}

function inputOf(source: Source, range: CodeRange, isTemplate = false): ScanInput {
  if (range.cooked === undefined) return { source, text: source.text, start: range.start, end: range.end, offsets: null, isTemplate };
  return { source, text: range.cooked.text, start: 0, end: range.cooked.text.length, offsets: range.cooked.offsets, isTemplate };
}

/** A cell with a lexical error is given up: what the parser says of its likeliest tokens would be a second report of the same mistake. */
function parsePiece<R>(source: Source, range: CodeRange, report: Report, rule: (parser: ItemParser) => R | null, isTemplate = false): R | null {
  let hasErrors = false;
  const counting: Report = (diagnostic) => {
    if (hasErrors && diagnostic.code >= "E02") return;
    hasErrors = true;
    report(diagnostic);
  };
  const { result } = parse(inputOf(source, range, isTemplate), counting, range.reading ?? null, rule, null);
  return hasErrors ? null : result;
}

export function parseFile(source: Source, report: Report): File {
  const span = { source, start: 0, end: source.text.length };
  const nothing: File = { kind: "file", span, suite: null, items: [], comments: [] };
  if (!isText(source, report)) return nothing;
  const { result, comments } = parse(inputOf(source, span), report, null, (rules) => rules.file(), nothing);
  return { ...result, comments };
}

/**
 * The same file, whose functions' bodies are parsed when somebody looks at them: for a file that is known to parse. Comments are left out. What
 * does not parse after all is parsed at once, so that its reports are the usual ones; a mistake in a body is reported when it is found.
 */
export function parseFileOnDemand(source: Source, report: Report): File {
  const span = { source, start: 0, end: source.text.length };
  let isWrong = false;
  const readLater: ReadLater = (body, reading) => new DeferredBlock(body, () => parseBody(body, report, reading));
  const file = parse<File | null>(
    { ...inputOf(source, span), skipsBodies: true },
    () => (isWrong = true),
    null,
    (rules) => rules.file(),
    null,
    readLater,
  );
  return isWrong || file.result === null ? parseFile(source, report) : { ...file.result, comments: [] };
}

function parseBody(span: Span, report: Report, reading: string | null): Block {
  const nothing: Block = { kind: "block", statements: [], span, broken: true };
  return parse(inputOf(span.source, span), report, reading, (rules) => rules.block(), nothing).result;
}

/** The statements of a YAML `check`, `setup` or `teardown`. */
export function parseStatements(source: Source, range: CodeRange, report: Report): Block {
  const nothing: Block = { kind: "block", statements: [], span: { source, start: range.start, end: range.end }, broken: true };
  return parse(inputOf(source, range), report, range.reading ?? null, (rules) => rules.statements(), nothing).result;
}

/** Null when it did not parse, which has then been reported; so in all of the following. */
export function parseExpression(source: Source, range: CodeRange, report: Report): Expr | null {
  return parsePiece(source, range, report, (rules) => rules.wholeExpression());
}

export function parseTypeExpression(source: Source, range: CodeRange, report: Report): TypeExpr | null {
  return parsePiece(source, range, report, (rules) => rules.wholeType());
}

export function parseNeeds(source: Source, range: CodeRange, report: Report): readonly Need[] | null {
  return parsePiece(source, range, report, (rules) => rules.wholeNeeds());
}

export function parseTargets(source: Source, range: CodeRange, report: Report): readonly Name[] | null {
  return parsePiece(source, range, report, (rules) => rules.wholeTargets());
}

export function parseAttribute(source: Source, range: CodeRange, report: Report): Attribute | null {
  return parsePiece(source, range, report, (rules) => rules.wholeAttribute());
}

/** Text with `{holes}` but without quotes, such as a test's name in YAML. */
export function parseTemplate(source: Source, range: CodeRange, report: Report): StringLiteral | null {
  return parsePiece(source, range, report, (rules) => rules.wholeString(), true);
}

/**
 * The commonest cells of big tables, read without tokens: integers, `true`, `false` and byte strings. Null for everything else, which
 * `parseExpression` then reads or reports.
 */
export function parseLiteral(source: Source, start: number, end: number): Expr | null {
  const { text } = source;
  const first = text.charCodeAt(start);
  if (first === 45) {
    const operand = parseInteger(source, start + 1, end);
    return operand === null ? null : { kind: "unary", op: "-", operand, span: { source, start, end } };
  }
  if (first >= 48 && first <= 57) return parseInteger(source, start, end);
  const length = end - start;
  if (first === 116 && length === 4 && text.startsWith("true", start)) return { kind: "bool", value: true, span: { source, start, end } };
  if (first === 102 && length === 5 && text.startsWith("false", start)) return { kind: "bool", value: false, span: { source, start, end } };
  if (first !== 104) return null;
  const digits = /^hex"([0-9a-fA-F ]*)"$/.exec(text.slice(start, end))?.[1]?.replaceAll(" ", "");
  if (digits === undefined || digits.length % 2 !== 0) return null;
  const value = new Uint8Array(digits.length / 2);
  for (let i = 0; i < value.length; i++) value[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return { kind: "bytes", value, span: { source, start, end } };
}

/** Digits, at most 15 decimal or 16 hexadecimal ones, with underscores. */
function parseInteger(source: Source, start: number, end: number): Expr | null {
  const { text } = source;
  const isHexadecimal = text.charCodeAt(start) === 48 && text.charCodeAt(start + 1) === 120;
  let digits = 0;
  let value = 0;
  let at = isHexadecimal ? start + 2 : start;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) value = value * (isHexadecimal ? 16 : 10) + code - 48;
    else if (isHexadecimal && code >= 97 && code <= 102) value = value * 16 + code - 87;
    else if (isHexadecimal && code >= 65 && code <= 70) value = value * 16 + code - 55;
    else if (code === 95) continue;
    else return null;
    digits++;
  }
  if (digits === 0 || digits > (isHexadecimal ? 16 : 15)) return null;
  const written = text.slice(start, end);
  const exact = value <= Number.MAX_SAFE_INTEGER ? smallInteger(value) : BigInt(written.replaceAll("_", ""));
  return { kind: "int", value: exact, text: written, span: { source, start, end } };
}

// Entry to the grammar: text in, AST and reports out. One parser object serves the process, made at the first use (its construction is a
// good part of a short run); nothing of a parsed text stays in it. YAML cells come through here too, as ranges of the file's text.

import type { Attribute, Block, Comment, Expr, File, Name, Need, StringLiteral, TypeExpr } from "./ast.ts";
import type { Report } from "./diagnostic.ts";
import { ItemParser } from "./parse-items.ts";
import { type ScanInput, scan, smallInteger } from "./scanner.ts";
import type { Source } from "./source.ts";

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

function parse<R>(input: ScanInput, report: Report, reading: string | null, rule: (parser: ItemParser) => R): { result: R; comments: Comment[] } {
  const { tokens, comments } = scan(input, report);
  parser ??= new ItemParser({ isValidating: false });
  parser.begin(input.source, tokens, report, reading);
  try {
    return { result: rule(parser), comments };
  } finally {
    parser.finish();
  }
}

function inputOf(source: Source, range: CodeRange, isTemplate = false): ScanInput {
  if (range.cooked === undefined) return { source, text: source.text, start: range.start, end: range.end, offsets: null, isTemplate };
  return { source, text: range.cooked.text, start: 0, end: range.cooked.text.length, offsets: range.cooked.offsets, isTemplate };
}

function parseRange<R>(source: Source, range: CodeRange, report: Report, rule: (parser: ItemParser) => R): R {
  return parse(inputOf(source, range), report, range.reading ?? null, rule).result;
}

export function parseFile(source: Source, report: Report): File {
  const { result, comments } = parse(inputOf(source, { start: 0, end: source.text.length }), report, null, (rules) => rules.file());
  return { ...result, comments };
}

/** The statements of a YAML `check`, `setup` or `teardown`. */
export function parseStatements(source: Source, range: CodeRange, report: Report): Block {
  return parseRange(source, range, report, (rules) => rules.statements());
}

/** The same with the comments, which the formatter keeps. */
export function parseStatementsWithComments(source: Source, range: CodeRange, report: Report): { readonly block: Block; readonly comments: readonly Comment[] } {
  const { result, comments } = parse(inputOf(source, range), report, range.reading ?? null, (rules) => rules.statements());
  return { block: result, comments };
}

/** Null when it did not parse, which has then been reported; so in all of the following. */
export function parseExpression(source: Source, range: CodeRange, report: Report): Expr | null {
  return parseRange(source, range, report, (rules) => rules.wholeExpression());
}

export function parseTypeExpression(source: Source, range: CodeRange, report: Report): TypeExpr | null {
  return parseRange(source, range, report, (rules) => rules.wholeType());
}

export function parseNeeds(source: Source, range: CodeRange, report: Report): readonly Need[] | null {
  return parseRange(source, range, report, (rules) => rules.wholeNeeds());
}

export function parseTargets(source: Source, range: CodeRange, report: Report): readonly Name[] | null {
  return parseRange(source, range, report, (rules) => rules.wholeTargets());
}

export function parseAttribute(source: Source, range: CodeRange, report: Report): Attribute | null {
  return parseRange(source, range, report, (rules) => rules.wholeAttribute());
}

/** Text with `{holes}` but without quotes, such as a test's name in YAML. */
export function parseTemplate(source: Source, range: CodeRange, report: Report): StringLiteral | null {
  return parse(inputOf(source, range, true), report, range.reading ?? null, (rules) => rules.wholeString()).result;
}

const plainLiteral = /-?(?:0x[0-9a-fA-F_]+|[0-9][0-9_]*)|true|false|hex"[0-9a-fA-F ]*"/y;

/** The commonest cells of big tables, read without tokens; null for everything else, which `parseExpression` then reads or reports. */
export function parseLiteral(source: Source, range: TextRange): Expr | null {
  const { text } = source;
  const { start, end } = range;
  plainLiteral.lastIndex = start;
  const written = plainLiteral.exec(text)?.[0];
  if (written === undefined || plainLiteral.lastIndex !== end) return null;
  const span = { source, start, end };
  const first = written.charCodeAt(0);
  if (first === 116 || first === 102) return { kind: "bool", value: first === 116, span };
  if (first === 104) {
    const digits = written.slice(4, -1).replaceAll(" ", "");
    if (digits.length % 2 !== 0) return null;
    const value = new Uint8Array(digits.length / 2);
    for (let i = 0; i < value.length; i++) value[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
    return { kind: "bytes", value, span };
  }
  const digits = first === 45 ? written.slice(1) : written;
  const isHexadecimal = digits.charCodeAt(1) === 120;
  const bare = digits.includes("_") ? digits.replaceAll("_", "") : digits;
  if (bare.length > (isHexadecimal ? 18 : 19) || bare === "0x") return null;
  const value = bare.length <= 10 ? smallInteger(Number(bare)) : BigInt(bare);
  const literal: Expr = { kind: "int", value, text: digits, span: first === 45 ? { source, start: start + 1, end } : span };
  return first === 45 ? { kind: "unary", op: "-", operand: literal, span } : literal;
}

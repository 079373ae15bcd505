// The marks that are tokens, and what stands in their places in other languages: a table for the scanner, which looks up each first
// character. What is foreign is reported, and then read as ours where ours mean the same.

import type { TokenType } from "chevrotain";
import * as T from "./tokens.ts";

/** Marks longest first for each first character. */
export const marks: (readonly (readonly [string, TokenType])[])[] = [];
for (const [first, list] of Object.entries({
  "{": [["{", T.LCurly]],
  "}": [["}", T.RCurly]],
  "(": [["(", T.LParen]],
  ")": [[")", T.RParen]],
  "[": [["[", T.LSquare]],
  "]": [["]", T.RSquare]],
  ",": [[",", T.Comma]],
  ";": [[";", T.Semi]],
  ":": [
    ["::", T.Dot],
    [":", T.Colon],
  ],
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
    ["===", T.EqualEqual],
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
    [">>>", T.ShiftRight],
    [">>=", T.ShiftRightEqual],
    [">>", T.ShiftRight],
    [">=", T.GreaterEqual],
    [">", T.Greater],
  ],
  "!": [
    ["!==", T.NotEqual],
    ["!=", T.NotEqual],
    ["!", T.Not],
  ],
} satisfies Record<string, [string, TokenType][]>)) {
  marks[first.charCodeAt(0)] = list;
}

/** Spellings of other languages; each is reported and then read as ours. */
export const foreignMarks: ReadonlyMap<string, string> = new Map([
  ["&&", "and"],
  ["||", "or"],
  ["!", "not"],
  ["===", "=="],
  ["!==", "!="],
  [">>>", ">>"],
  ["::", "."],
]);

/** Letters that begin a string in Python, Rust and C. */
export const stringPrefixes: ReadonlySet<string> = new Set(["f", "r", "b", "u", "L", "F", "R", "fr", "rf", "br", "rb", "u8", "c"]);

/** What stands for characters that begin no token of ours. */
export const foreignCharacters: ReadonlyMap<string, string> = new Map([
  ["`", 'strings stand between double quotes: `"..."`'],
  ["??", "a choice is `if condition { a } else { b }`"],
  ["?.", "the null pointer is `0 as *T`: `if p != 0 as *T { p.x } else { 0 }`"],
  ["?", "a choice is `if condition { a } else { b }`"],
  ["\u2018", "characters stand between straight quotes: `'a'`"],
  ["\u2019", "characters stand between straight quotes: `'a'`"],
]);

/** What word processors make of a double quote. */
export const bentQuotes = /[\u201c-\u201f\u00ab\u00bb]/;
/** A word of any script, from where it is asked on. */
export const anyWord = /[\p{L}\p{M}\p{N}_]+/uy;
/** Blanks and characters without a shape: a report that shows them shows nothing. */
export const shapeless = /[\p{C}\p{Z}]/u;
export const namesOfShapeless: ReadonlyMap<string, string> = new Map([
  ["\u00a0", "a no-break space"],
  ["\u200b", "a space without width"],
  ["\ufeff", "a byte order mark"],
]);

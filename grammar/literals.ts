// Numbers, characters and byte strings: from where one begins in a text to its value. Each reader needs the text alone, knows no other token,
// and goes on after a mistake with the likeliest value. The scanner tells the mistakes and makes the token.

import type { TokenType } from "chevrotain";
import { digit, isOf, lineEnd, wordEnd } from "./characters.ts";
import { readEscape } from "./escapes.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";
import { bytesOf, helpForSuffix, nanosecondsOf } from "./units.ts";

export interface Literal {
  readonly type: TokenType;
  readonly value: Token["value"];
  /** Where the text goes on. */
  readonly end: number;
  readonly faults: readonly LiteralFault[];
}

interface LiteralFault {
  readonly code: string;
  readonly message: string;
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly help?: string;
}

const NO_FAULTS: readonly LiteralFault[] = [];

const smallIntegers: readonly bigint[] = Array.from({ length: 1024 }, (_, value) => BigInt(value));
const maximum = 0xffff_ffff_ffff_ffffn;

/** The value of a small literal; the commonest ones are made once. */
export function smallInteger(value: number): bigint {
  return smallIntegers[value] ?? BigInt(value);
}

// ---- Numbers ----

interface Radix {
  readonly radix: 2 | 8 | 10 | 16;
  readonly prefix: "" | "0b" | "0o" | "0x";
}

const DECIMAL: Radix = { radix: 10, prefix: "" };
/** By the small letter behind a 0. */
const RADIXES: readonly (readonly [code: number, Radix])[] = [
  [120, { radix: 16, prefix: "0x" }],
  [98, { radix: 2, prefix: "0b" }],
  [111, { radix: 8, prefix: "0o" }],
];

/** A number that is being read, and what is wrong with it so far. */
interface Reading {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly faults: LiteralFault[];
}

/** With the unit behind it, if there is one: `0x10`, `1_000`, `5us`, `64KiB`. */
export function readNumber(text: string, start: number, limit: number): Literal {
  const letter = text.charCodeAt(start + 1) | 32;
  const { radix, prefix } = text.charCodeAt(start) === 48 ? (RADIXES.find(([code]) => code === letter)?.[1] ?? DECIMAL) : DECIMAL;
  const digits = start + prefix.length;
  let isDecimal = radix === 10;
  let small = 0;
  let at = digits;
  for (; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) small = small * 10 + code - 48;
    else if (code === 95) isDecimal = false;
    else if (!(radix === 16 && ((code >= 97 && code <= 102) || (code >= 65 && code <= 70)))) break;
  }
  const digitsEnd = at;
  const end = wordEnd(text, at, limit);
  const hasUnit = end !== digitsEnd;
  if (radix === 10 && !hasUnit && text.charCodeAt(at) === 46 && isOf(text.charCodeAt(at + 1), digit)) return fraction(start, wordEnd(text, at + 1, limit));
  const isSmall = isDecimal && digitsEnd - digits <= 15;
  if (isSmall && !hasUnit) return { type: T.Int, value: smallInteger(small), end, faults: NO_FAULTS };
  const reading: Reading = { text, start, end, faults: [] };
  const value = isSmall ? smallInteger(small) : readInteger(reading, text.slice(digits, digitsEnd).replaceAll("_", ""), { radix, prefix });
  if (hasUnit) return readUnit(reading, digitsEnd, value, radix);
  return { type: T.Int, value, end, faults: reading.faults };
}

function fraction(start: number, end: number): Literal {
  const message = "a number has no fraction here: there is no floating-point type";
  const help = "write a smaller unit, as in `1500us` for 1.5 ms";
  return { type: T.Int, value: 0n, end, faults: [{ code: "E0106", message, from: start, to: end, label: "fractional number", help }] };
}

function readInteger(reading: Reading, digits: string, { radix, prefix }: Radix): bigint {
  const { text, start, end, faults } = reading;
  if (digits === "") {
    faults.push({ code: "E0103", message: `the number \`${text.slice(start, end)}\` has no digits`, from: start, to: end, label: "no digits" });
    return 0n;
  }
  const bad = radix < 10 ? (radix === 2 ? /[^01]/ : /[^0-7]/).exec(digits) : null;
  if (bad !== null) {
    const message = `\`${bad[0]}\` is not ${radix === 2 ? "a binary" : "an octal"} digit`;
    faults.push({ code: "E0103", message, from: start, to: end, label: "malformed number" });
    return 0n;
  }
  if (radix === 10 ? digits.length <= 15 : digits.length <= 8) return smallInteger(Number.parseInt(digits, radix));
  return fitting(reading, BigInt(prefix + digits));
}

function fitting({ start, end, faults }: Reading, value: bigint): bigint {
  if (value <= maximum) return value;
  const help = "the largest is `0xffff_ffff_ffff_ffff`";
  faults.push({ code: "E0113", message: "the number does not fit in 64 bits", from: start, to: end, label: "too large", help });
  return maximum;
}

function readUnit(reading: Reading, digitsEnd: number, value: bigint, radix: number): Literal {
  const { text, end, faults } = reading;
  const unit = text.slice(digitsEnd, end);
  const nanoseconds = nanosecondsOf.get(unit);
  const bytes = bytesOf.get(unit);
  if (radix === 16 && !/^[iu]\d/.test(unit) && bytes === undefined) {
    const message = `\`${unit.charAt(0)}\` is not a hexadecimal digit`;
    const details = /^u?l{0,2}$/i.test(unit) ? { help: "a number takes its type from its place, or by `as`: `0x10 as u64`" } : {};
    faults.push({ code: "E0103", message, from: digitsEnd, to: digitsEnd + 1, label: "in this number", ...details });
    return { type: T.Int, value, end, faults };
  }
  if (nanoseconds !== undefined) return { type: T.Duration, value: fitting(reading, value * nanoseconds), end, faults };
  if (bytes !== undefined) return { type: T.Int, value: fitting(reading, value * bytes), end, faults };
  faults.push({ code: "E0108", message: `\`${unit}\` is not a unit`, from: digitsEnd, to: end, label: "unknown unit", help: helpForSuffix(unit, value) });
  return { type: T.Int, value, end, faults };
}

// ---- Characters and bytes ----

/** `'x'`: its number. */
export function readCharacter(text: string, start: number, limit: number): Literal {
  const faults: LiteralFault[] = [];
  let value = "";
  let at = start + 1;
  const code = text.charCodeAt(at);
  if (code === 92) {
    const escape = readEscape(text, at);
    if (escape.fault !== null) {
      const { message, end, label, help } = escape.fault;
      faults.push({ code: "E0104", message, from: at, to: end, label, help });
    }
    value = escape.text;
    at = escape.end;
  } else if (at < limit && code !== 10 && code !== 39) {
    value = String.fromCodePoint(text.codePointAt(at) ?? 0);
    at += value.length;
  }
  if (value !== "" && text[at] === "'") return { type: T.Int, value: BigInt(value.codePointAt(0) ?? 0), end: at + 1, faults };
  const close = text.indexOf("'", start + 1);
  const end = close !== -1 && close < lineEnd(text, start, limit) ? close + 1 : Math.max(at, start + 1);
  const message = "a character literal is one character between single quotes";
  const help = end - start > 3 ? 'a string stands between double quotes: `"..."`' : "the quote itself is `'\\''`";
  faults.push({ code: "E0107", message, from: start, to: end, label: "malformed character", help });
  return { type: T.Int, value: 0n, end, faults };
}

/** `hex"00 ff"`, from its first letter on. */
export function readBytes(text: string, start: number, limit: number): Literal {
  const open = start + 3;
  const close = text.indexOf('"', open + 1);
  const line = lineEnd(text, open, limit);
  if (close === -1 || close > line) {
    const message = "the byte string has no closing quote";
    const faults = [{ code: "E0102", message, from: start, to: open + 1, label: "opened here" }];
    return { type: T.Bytes, value: new Uint8Array(0), end: line, faults };
  }
  const end = close + 1;
  const digits = text.slice(open + 1, close).replaceAll(/[ _]/g, "");
  const bad = /[^0-9a-fA-F]/.exec(digits);
  const faults: LiteralFault[] = [];
  if (bad !== null) {
    const at = text.indexOf(bad[0], open + 1);
    faults.push({ code: "E0105", message: `\`${bad[0]}\` is not a hexadecimal digit`, from: at, to: at + 1, label: "in this byte string" });
  } else if (digits.length % 2 !== 0) {
    const message = `the byte string has ${digits.length} digits; every byte needs two`;
    faults.push({ code: "E0105", message, from: start, to: end, label: "odd number of digits" });
  }
  const value = new Uint8Array(digits.length >> 1);
  if (bad === null) for (let i = 0; i < value.length; i++) value[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return { type: T.Bytes, value, end, faults };
}

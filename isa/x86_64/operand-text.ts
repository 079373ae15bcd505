// Text of one operand, in Intel syntax, to what the encoder takes: the part of the assembler that knows sizes, brackets and the
// order of their parts, and nothing of instructions. What depends on labels stays an expression; the operand then has a field of
// the width that any address needs, so that its form is settled before labels are.

import { readWhole } from "../assembly/output.ts";
import type { Scope } from "../assembly/output.ts";
import { AssemblyError } from "../assembly/text.ts";
import type { ResolveName, Token } from "../assembly/text.ts";
import type { MemoryOperand, MemoryWidth, Mode, Operand } from "./operands.ts";
import { findRegister, modeHasRegister } from "./registers.ts";

export interface ReadOperand {
  readonly operand: Operand;
  /** What the field holds, when it depends on labels. */
  readonly expression?: readonly Token[];
  readonly at: Token;
}

export interface OperandContext {
  /** The mnemonic's token, and the operand's first. */
  readonly head: Token;
  readonly start: Token;
  readonly scope: Scope;
  readonly mode: Mode;
  /** A plain expression is a place in the code. */
  readonly isBranch: boolean;
}

const SIZE_WORDS: Readonly<Record<string, MemoryWidth>> = {
  byte: 8,
  word: 16,
  dword: 32,
  fword: 48,
  qword: 64,
  tbyte: 80,
  oword: 128,
  xmmword: 128,
};

export function readOperand(tokens: readonly Token[], context: OperandContext): ReadOperand {
  if (tokens.length === 0) throw new AssemblyError(context.head, "an operand is missing");
  let rest = tokens;
  const word = (): string => rest[0]?.text.toLowerCase() ?? "";
  const isShort = word() === "short";
  if (isShort) rest = rest.slice(1);
  const isFar = word() === "far";
  if (isFar) rest = rest.slice(1);
  const width = context.scope.constants.has(word()) ? undefined : SIZE_WORDS[word()];
  if (width !== undefined) rest = rest.slice(1);
  if (width !== undefined || isFar) {
    if (word() === "ptr") rest = rest.slice(1);
    else if (width !== undefined) throw new AssemblyError(rest[0] ?? context.start, "`ptr` expected");
  }
  if (rest.length === 0) throw new AssemblyError(tokens.at(-1) ?? context.head, "an operand is missing");

  const register = width === undefined && !isFar && !isShort ? readRegister(context, rest) : undefined;
  if (register !== undefined) return register;
  const memory = readMemory(context, rest, width, isFar);
  if (memory !== undefined) return memory;
  if (word() === "offset" && width === undefined && !context.scope.constants.has(rest[0]?.text ?? "")) return readOffset(context, rest.slice(1));
  const colon = rest.findIndex(({ text }) => text === ":");
  if (colon >= 0) return readFar(context, rest.slice(0, colon), rest.slice(colon + 1), width);
  if (context.isBranch) return readTarget(context, rest, isShort ? 8 : width);
  return readImmediate(context, rest, width);
}

function readRegister(context: OperandContext, tokens: readonly Token[]): ReadOperand | undefined {
  const [token, ...rest] = tokens;
  if (token === undefined || context.scope.constants.has(token.text)) return undefined;
  const register = findRegister(token.text.toLowerCase());
  if (register === undefined || rest[0]?.text === ":") return undefined;
  if (register.kind === "st" && rest.length > 0) {
    const [open, number, close, extra] = rest;
    const isIndexed = open?.text === "(" && number !== undefined && /^[0-7]$/.test(number.text) && close?.text === ")" && extra === undefined;
    if (!isIndexed) throw new AssemblyError(token, "a floating-point register is written `st(0)` to `st(7)`");
    return { operand: { kind: "st", number: Number(number.text) }, at: token };
  }
  if (rest[0] !== undefined) throw new AssemblyError(rest[0], `unexpected \`${rest[0].text}\``);
  if (!modeHasRegister(context.mode, register)) throw new AssemblyError(token, `\`${token.text}\` does not exist in ${context.mode}-bit mode`);
  return { operand: register, at: token };
}

/** `[..]`, `fs:[..]`, `fs:expression`. */
function readMemory(context: OperandContext, tokens: readonly Token[], width: MemoryWidth | undefined, isFar: boolean): ReadOperand | undefined {
  let rest = tokens;
  const named = findRegister(rest[0]?.text.toLowerCase() ?? "");
  const segment = named?.kind === "sreg" && rest[1]?.text === ":" ? named.number : undefined;
  if (segment !== undefined) rest = rest.slice(2);
  const isBracketed = rest[0]?.text === "[";
  if (!isBracketed && segment === undefined) return undefined;
  const close = rest.at(-1);
  if (isBracketed && close?.text !== "]") throw new AssemblyError(close ?? context.start, "`]` expected");
  const inner = isBracketed ? rest.slice(1, -1) : rest;
  if (inner.length === 0) throw new AssemblyError(close ?? context.start, "an address is missing");

  const { place, sum } = readTerms(context, inner);
  const addressWidth = place.addressWidth ?? context.mode;
  const value = sum.length === 0 ? undefined : readValue(context, sum);
  const farWidth = isFar ? (width ?? (context.mode === 16 ? 32 : 48)) : width;
  const common: MemoryOperand = {
    kind: "mem",
    ...place,
    ...(farWidth !== undefined && { width: farWidth }),
    ...(isFar && { far: true }),
    ...(segment !== undefined && { segment }),
  };
  const isMovabs = context.head.text.toLowerCase() === "movabs";
  if (value === "address") {
    const displacementWidth = isMovabs ? addressWidth : addressWidth === 16 ? 16 : 32;
    return { operand: { ...common, displacementWidth }, expression: sum, at: inner[0] ?? context.start };
  }
  return { operand: { ...common, ...(value !== undefined && { disp: value }) }, at: inner[0] ?? context.start };
}

/** Registers of a sum, and the sum of everything else. */
function readTerms(context: OperandContext, tokens: readonly Token[]): { readonly place: Omit<MemoryOperand, "kind">; readonly sum: readonly Token[] } {
  const parts: { readonly number: number; readonly scale: 1 | 2 | 4 | 8 | undefined }[] = [];
  const sum: Token[] = [];
  let addressWidth: 16 | 32 | 64 | undefined;
  let ripRelative: true | undefined;
  const useWidth = (width: number, at: Token): void => {
    if (width === 8 || (addressWidth !== undefined && addressWidth !== width)) throw new AssemblyError(at, `\`${at.text}\` does not go into this address`);
    addressWidth = width === 16 ? 16 : width === 32 ? 32 : 64;
  };

  for (const { sign, term } of splitSum(tokens)) {
    const found = term.map((token) => (context.scope.constants.has(token.text) ? undefined : findRegister(token.text.toLowerCase())));
    const [first, second, third] = term;
    const at = term.find((_, index) => found[index] !== undefined);
    if (term.length === 1 && first !== undefined && /^[re]ip$/i.test(first.text)) {
      useWidth(/^r/i.test(first.text) ? 64 : 32, first);
      ripRelative = true;
      continue;
    }
    if (at === undefined) {
      sum.push(...(sign === undefined ? [] : [sign]), ...wrap(term));
      continue;
    }
    const register = found.find((one) => one !== undefined);
    const factor = second?.text === "*" && term.length === 3 ? (found[0] === undefined ? first : third) : undefined;
    const scale = factor === undefined ? undefined : readValue(context, [factor]);
    const isScale = scale === 1 || scale === 2 || scale === 4 || scale === 8;
    if (register?.kind !== "reg" || sign?.text === "-" || (term.length > 1 && !isScale)) {
      throw new AssemblyError(at, `\`${at.text}\` cannot be used like this`, "an address is `[base + index*scale + number]` with a scale of 1, 2, 4 or 8");
    }
    if (!modeHasRegister(context.mode, register)) throw new AssemblyError(at, `\`${at.text}\` does not exist in ${context.mode}-bit mode`);
    useWidth(register.width, at);
    parts.push({ number: register.number, scale: isScale ? scale : undefined });
  }
  if (parts.length > 2 || (ripRelative === true && parts.length > 0))
    throw new AssemblyError(tokens[0] ?? context.start, "an address has one base and one index");
  return { place: { ...placeRegisters(parts), ...(ripRelative && { ripRelative }), ...(addressWidth !== undefined && { addressWidth }) }, sum };
}

/** A number, or "address" when labels are in it. */
function readValue(context: OperandContext, tokens: readonly Token[]): number | bigint | "address" {
  let isAddress = false;
  const { constants, isOutsideSymbol } = context.scope;
  const resolve: ResolveName = (token) => {
    const constant = token.kind === "name" ? constants.get(token.text) : undefined;
    if (constant !== undefined) return { constant };
    if (findRegister(token.text.toLowerCase()) !== undefined) throw new AssemblyError(token, `a value expected, found register \`${token.text}\``);
    isAddress = true;
    // Which symbol it is decides what may be done with it, as in the second pass.
    return { constant: 0n, base: isOutsideSymbol?.(token.text) === true ? { kind: "outside", symbol: token.text } : { kind: "here" } };
  };
  const { constant } = readWhole(tokens, context.start, resolve);
  if (isAddress) return "address";
  return constant >= -0x8000_0000n && constant <= 0xffff_ffffn ? Number(constant) : constant;
}

function readOffset(context: OperandContext, tokens: readonly Token[]): ReadOperand {
  const value = readValue(context, tokens);
  if (value !== "address") return { operand: value, at: context.start };
  return { operand: { kind: "imm", value: 0, width: 64 }, expression: tokens, at: tokens[0] ?? context.start };
}

function readFar(context: OperandContext, selector: readonly Token[], offset: readonly Token[], width: MemoryWidth | undefined): ReadOperand {
  const number = readValue(context, selector);
  const place = readValue(context, offset);
  if (typeof number !== "number") throw new AssemblyError(context.start, "the selector of a far pointer is a number");
  const bits = width === 16 ? 16 : width === 32 ? 32 : context.mode === 16 ? 16 : 32;
  const operand = { kind: "far", selector: number, offset: typeof place === "number" ? place : 0, width: bits } as const;
  return place === "address" ? { operand, expression: offset, at: offset[0] ?? context.start } : { operand, at: context.start };
}

function readTarget(context: OperandContext, tokens: readonly Token[], width: MemoryWidth | undefined): ReadOperand {
  readValue(context, tokens);
  const forced = width === 8 || width === 16 || width === 32 ? { width } : {};
  return { operand: { kind: "target", distance: 2, ...forced }, expression: tokens, at: tokens[0] ?? context.start };
}

function readImmediate(context: OperandContext, tokens: readonly Token[], width: MemoryWidth | undefined): ReadOperand {
  const value = readValue(context, tokens);
  if (value !== "address") {
    const forced = width === 8 || width === 16 || width === 32 || width === 64 ? width : undefined;
    return { operand: forced === undefined ? value : { kind: "imm", value, width: forced }, at: context.start };
  }
  const isDifference = tokens.some(({ text }) => text === "-");
  if (isDifference) return { operand: { kind: "imm", value: 0, width: 64 }, expression: tokens, at: context.start };
  const { text } = context.start;
  throw new AssemblyError(context.start, `\`${text}\` is an address`, `write \`offset ${text}\` for the address or \`[${text}]\` for what is there`);
}
/** Splits at the plus and minus signs that stand between terms. */
function splitSum(tokens: readonly Token[]): readonly { readonly sign: Token | undefined; readonly term: readonly Token[] }[] {
  const terms: { readonly sign: Token | undefined; readonly term: Token[] }[] = [{ sign: undefined, term: [] }];
  let depth = 0;
  for (const token of tokens) {
    if (token.text === "(") depth++;
    if (token.text === ")") depth--;
    const last = terms.at(-1)?.term.at(-1);
    const isBetween = depth === 0 && (token.text === "+" || token.text === "-") && (last === undefined || last.kind !== "punctuation" || last.text === ")");
    if (isBetween) terms.push({ sign: token, term: [] });
    else terms.at(-1)?.term.push(token);
  }
  return terms.filter(({ sign, term }) => sign !== undefined || term.length > 0);
}

/** Parentheses keep a term together that has other operators in it. */
function wrap(term: readonly Token[]): readonly Token[] {
  const [first] = term;
  const last = term.at(-1);
  if (first === undefined || last === undefined || term.length === 1) return term;
  return [{ ...first, kind: "punctuation", text: "(" }, ...term, { ...last, kind: "punctuation", text: ")" }];
}

/** A scale makes an index; of two plain registers the second is, but the stack pointer cannot be. */
function placeRegisters(
  parts: readonly { readonly number: number; readonly scale: 1 | 2 | 4 | 8 | undefined }[],
): Pick<MemoryOperand, "base" | "index" | "scale"> {
  const [first, second] = parts;
  if (first === undefined) return {};
  if (second === undefined) return first.scale === undefined ? { base: first.number } : { index: first.number, scale: first.scale };
  const isSwapped = first.scale !== undefined || (second.scale === undefined && second.number === 4);
  const [base, index] = isSwapped ? [second, first] : [first, second];
  return { base: base.number, index: index.number, scale: index.scale ?? 1 };
}

// The text level of the assemblers: lines to statements of tokens with columns, and integer expressions over them.
// Notation is GNU as': `//` starts a comment, `;` ends a statement, `label:` or a number `1:` with `1b` and `1f`; what differs
// between instruction sets is the `Notation`. It knows no mnemonic, no register and no directive.
// Left out: strings, block comments, macros, conditional assembly.

import type { AssemblyProblem } from "./instruction-set.ts";

/** What an instruction set decides about its text. */
export interface Notation {
  /** `#` starts a comment, or an immediate; then it is a comment at the start of a line only, as GNU as has it for AArch64. */
  readonly hash: "comment" | "immediate";
  /** Punctuation beside that of expressions, such as `[]`. */
  readonly marks: string;
}

export interface Token {
  readonly kind: "name" | "number" | "local" | "punctuation";
  readonly text: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface Statement {
  readonly labels: readonly Token[];
  /** Mnemonic or directive first; empty when there are labels only. */
  readonly tokens: readonly Token[];
}

/** Thrown inside the assembler, where a statement cannot be read on; `assemble` turns it into a value. */
export class AssemblyError extends Error {
  readonly problem: AssemblyProblem;

  constructor(at: Token, message: string, help?: string) {
    super(message);
    const { line, column, text } = at;
    this.problem = { line, column, length: Math.max(1, text.length), message, ...(help !== undefined && { help }) };
  }
}

function tokenPattern({ hash, marks }: Notation): RegExp {
  const parts = [
    /(?<space>[ \t\r]+)/.source,
    hash === "comment" ? /(?<comment>#.*|\/\/.*)/.source : /(?<comment>(?<=^[ \t]*)#.*|\/\/.*)/.source,
    /(?<number>0[xX][0-9a-fA-F_]+|0[bB][01][01_]*|'(?:[ -&(-[\]-~]|\\[ -~])')/.source,
    /(?<local>\d+[bf]\b)/.source,
    /(?<decimal>\d[\d_]*\b)/.source,
    /(?<name>[A-Za-z_.$][\w.$]*)/.source,
    `(?<punctuation><<|>>|[,()+\\-*/%&|^~:;${hash === "immediate" ? "#" : ""}${marks.replace(/[\]\\^-]/g, "\\$&")}])`,
  ];
  return new RegExp(parts.join("|"), "y");
}

const patterns = new WeakMap<Notation, RegExp>();

export function readStatements(
  text: string,
  notation: Notation,
): {
  readonly statements: readonly Statement[];
  readonly problems: readonly AssemblyProblem[];
} {
  const pattern = patterns.get(notation) ?? tokenPattern(notation);
  patterns.set(notation, pattern);
  const statements: Statement[] = [];
  const problems: AssemblyProblem[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    let tokens: Token[] = [];
    pattern.lastIndex = 0;
    while (pattern.lastIndex < line.length) {
      const column = pattern.lastIndex + 1;
      const match = pattern.exec(line);
      const groups = match?.groups;
      if (match === null || groups === undefined) {
        const at: Token = { kind: "punctuation", text: line[column - 1] ?? "", line: index + 1, column };
        problems.push(new AssemblyError(at, `unexpected \`${at.text}\``).problem);
        tokens = [];
        break;
      }
      if (groups["space"] !== undefined || groups["comment"] !== undefined) continue;
      if (match[0] === ";") {
        statements.push(splitLabels(tokens));
        tokens = [];
        continue;
      }
      const kind =
        groups["name"] !== undefined ? "name" : groups["local"] !== undefined ? "local" : groups["punctuation"] !== undefined ? "punctuation" : "number";
      tokens.push({ kind, text: match[0], line: index + 1, column });
    }
    statements.push(splitLabels(tokens));
  }
  return { statements: statements.filter(({ labels, tokens }) => labels.length + tokens.length > 0), problems };
}

function splitLabels(tokens: readonly Token[]): Statement {
  let rest = tokens;
  const labels: Token[] = [];
  for (;;) {
    const [first, colon] = rest;
    if (first === undefined || colon?.text !== ":") return { labels, tokens: rest };
    labels.push(first);
    rest = rest.slice(2);
  }
}

const OPENING = new Set(["(", "[", "{"]);
const CLOSING = new Set([")", "]", "}"]);

/** Splits at the commas outside parentheses, brackets and braces. */
export function splitOperands(tokens: readonly Token[]): readonly (readonly Token[])[] {
  if (tokens.length === 0) return [];
  const operands: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (OPENING.has(token.text)) depth++;
    if (CLOSING.has(token.text)) depth--;
    if (token.text === "," && depth === 0) operands.push([]);
    else operands.at(-1)?.push(token);
  }
  return operands;
}

/** An expression's value: a number, plus the place of at most one symbol. */
export interface Value {
  readonly constant: bigint;
  /** undefined: a plain number; "here": counted from the first byte assembled; else the name of an outside symbol. */
  readonly base?: { readonly kind: "here" } | { readonly kind: "outside"; readonly symbol: string };
}

/** What a name or a numbered label stands for; throws an AssemblyError when it stands for nothing. */
export type ResolveName = (token: Token) => Value;

// Binding strength as in C, which is the one people expect, not GNU as'.
const BINARY: Readonly<Record<string, { readonly strength: number; readonly apply: (a: bigint, b: bigint) => bigint }>> = {
  "|": { strength: 1, apply: (a, b) => a | b },
  "^": { strength: 2, apply: (a, b) => a ^ b },
  "&": { strength: 3, apply: (a, b) => a & b },
  "<<": { strength: 4, apply: (a, b) => a << b },
  ">>": { strength: 4, apply: (a, b) => a >> b },
  "+": { strength: 5, apply: (a, b) => a + b },
  "-": { strength: 5, apply: (a, b) => a - b },
  "*": { strength: 6, apply: (a, b) => a * b },
  "/": { strength: 6, apply: (a, b) => a / b },
  "%": { strength: 6, apply: (a, b) => a % b },
};

/** Reads an expression from tokens[start]; the answer's `end` is the first token that is not part of it. */
export function readExpression(tokens: readonly Token[], start: number, after: Token, resolve: ResolveName): { readonly value: Value; readonly end: number } {
  let at = start;

  const readUnary = (): Value => {
    const token = tokens[at];
    if (token === undefined) throw new AssemblyError(after, `a value is missing after \`${after.text}\``);
    at++;
    if (token.kind === "number") return { constant: readNumber(token) };
    if (token.kind === "name" || token.kind === "local") return resolve(token);
    switch (token.text) {
      case "-":
        return { constant: -plain(readUnary(), token) };
      case "+":
        return readUnary();
      case "~":
        return { constant: ~plain(readUnary(), token) };
      case "(": {
        const value = readBinary(1);
        const close = tokens[at];
        if (close?.text !== ")") throw new AssemblyError(close ?? token, "`)` expected");
        at++;
        return value;
      }
      default:
        throw new AssemblyError(token, `a value expected, found \`${token.text}\``);
    }
  };

  const readBinary = (strength: number): Value => {
    let left = readUnary();
    for (;;) {
      const operator = tokens[at];
      const rule = operator?.kind === "punctuation" ? BINARY[operator.text] : undefined;
      if (operator === undefined || rule === undefined || rule.strength < strength) return left;
      at++;
      left = combine(left, operator, readBinary(rule.strength + 1), rule.apply);
    }
  };

  const value = readBinary(1);
  return { value, end: at };
}

function plain(value: Value, operator: Token): bigint {
  if (value.base !== undefined) throw new AssemblyError(operator, `\`${operator.text}\` does not work on a label`);
  return value.constant;
}

function combine(left: Value, operator: Token, right: Value, apply: (a: bigint, b: bigint) => bigint): Value {
  if (operator.text === "-" && left.base?.kind === "here" && right.base?.kind === "here") {
    return { constant: left.constant - right.constant };
  }
  if ((operator.text === "+" || operator.text === "-") && left.base !== undefined && right.base === undefined) {
    return { constant: apply(left.constant, right.constant), base: left.base };
  }
  if (operator.text === "+" && left.base === undefined && right.base !== undefined) {
    return { constant: left.constant + right.constant, base: right.base };
  }
  const a = plain(left, operator);
  const b = plain(right, operator);
  if ((operator.text === "/" || operator.text === "%") && b === 0n) throw new AssemblyError(operator, "division by 0");
  if ((operator.text === "<<" || operator.text === ">>") && (b < 0n || b > 63n)) {
    throw new AssemblyError(operator, `shift by ${b}, can be 0..63`);
  }
  return { constant: apply(a, b) };
}

function readNumber(token: Token): bigint {
  if (!token.text.startsWith("'")) {
    try {
      return BigInt(token.text.replaceAll("_", ""));
    } catch {
      throw new AssemblyError(token, `\`${token.text}\` is no number`);
    }
  }
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", "\\": "\\", "'": "'" };
  // The token is 'c' or '\\c' with a printable ASCII character.
  const character = token.text.length === 4 ? escapes[token.text.charAt(2)] : token.text.charAt(1);
  if (character === undefined) throw new AssemblyError(token, `unknown escape \`${token.text}\``);
  return BigInt(character.codePointAt(0) ?? 0);
}

// Expressions and types as canonical text: one space around operators, none inside brackets. The author's own parentheses, line breaks
// after an opening bracket and line breaks at an operator stay, because they carry meaning to a reader; what is then too wide is broken
// at its brackets or before `and` and `or`. Parentheses that the tree needs are added, so that any tree prints to text that means it.

import type { BinaryOp, Comment, Expr, StringLiteral, TypeExpr } from "../ast.ts";
import type { Source, Span } from "../source.ts";

export const lineWidth = 120;

export interface PrintContext {
  /** The text that was parsed, whose literals are kept as written. */
  readonly source: Source;
  readonly comments: readonly Comment[];
}

export function pad(indent: number): string {
  return " ".repeat(indent);
}

const binaryStrength: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  "==": 4,
  "!=": 4,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  in: 4,
  "not in": 4,
  matches: 4,
  near: 4,
  by: 5,
  "|": 6,
  "^": 7,
  "&": 8,
  "<<": 9,
  ">>": 9,
  "+": 10,
  "-": 10,
  "*": 11,
  "/": 11,
  "%": 11,
};
const comparison = 4;
const rangeStrength = 5;
const castStrength = 12;
const prefixStrength = 13;
const atomStrength = 15;
const kindStrength: { readonly [kind in Expr["kind"]]?: number } = {
  range: rangeStrength,
  "regs-at": comparison,
  "is-error": comparison,
  cast: castStrength,
  unary: prefixStrength,
};

function strengthOf(expr: Expr): number {
  if (expr.kind === "binary") return binaryStrength[expr.op];
  if (expr.kind === "unary" && expr.op === "not") return 3;
  return kindStrength[expr.kind] ?? atomStrength;
}

/** The operand with which an expression's text begins, if it begins with one. */
function firstOperand(expr: Expr): Expr | null {
  switch (expr.kind) {
    case "binary":
      return expr.left;
    case "range":
      return expr.start;
    case "call":
      return expr.callee;
    case "member":
    case "index":
    case "slice":
      return expr.object;
    case "deref":
      return expr.pointer;
    case "cast":
    case "is-error":
      return expr.operand;
    case "regs-at":
      return expr.block;
    case "array":
    case "array-fill":
    case "bool":
    case "bytes":
    case "duration":
    case "if-expr":
    case "int":
    case "name":
    case "string":
    case "struct-literal":
    case "type-value":
    case "unary":
      return null;
  }
}

/** The author put parentheses around it: its span begins with one that is not its first operand's. */
function isParenthesized(context: PrintContext, expr: Expr): boolean {
  if (context.source.text.charAt(expr.span.start) !== "(") return false;
  const first = firstOperand(expr);
  return first === null || expr.span.start < first.span.start;
}

const atoms: ReadonlySet<Expr["kind"]> = new Set([
  "int",
  "duration",
  "bool",
  "bytes",
  "string",
  "name",
  "member",
  "call",
  "index",
  "slice",
  "deref",
  "array",
  "array-fill",
]);

function hasLineBreak(context: PrintContext, from: number, to: number): boolean {
  const at = context.source.text.indexOf("\n", from);
  return at !== -1 && at < to;
}

function hasComment(context: PrintContext, { start, end }: Span): boolean {
  return context.comments.some(({ span }) => span.start >= start && span.start < end);
}

/** Source lines as they are, indented anew: for what holds comments. */
function verbatim(context: PrintContext, span: Span, indent: number): string {
  const lines = context.source.text
    .slice(span.start, span.end)
    .split("\n")
    .map((line) => line.trim());
  return lines.map((line, i) => (i === 0 ? line : /^[)\]}]/.test(line) ? pad(indent) + line : line === "" ? "" : pad(indent + 2) + line)).join("\n");
}

/** `column` is where the text begins on its line, `indent` that of the statement it belongs to, `tail` the width of what follows it on the line. */
export function printExpr(context: PrintContext, expr: Expr, indent: number, column: number, tail = 0): string {
  return new ExprPrinter(context).print(expr, indent, column, tail);
}

/** The same where a `{` after the expression opens a block: a struct literal there stands in parentheses. */
export function printCondition(context: PrintContext, expr: Expr, indent: number, column: number, tail = 0): string {
  const text = printExpr(context, expr, indent, column, tail);
  return hasBareStruct(context, expr) ? `(${text})` : text;
}

function hasBareStruct(context: PrintContext, expr: Expr): boolean {
  if (isParenthesized(context, expr)) return false;
  const inside = (child: Expr | null): boolean => child !== null && hasBareStruct(context, child);
  if (expr.kind === "struct-literal") return true;
  if (expr.kind === "unary") return inside(expr.operand);
  if (expr.kind === "binary") return inside(expr.left) || inside(expr.right);
  if (expr.kind === "range") return inside(expr.start) || inside(expr.end);
  if (expr.kind === "regs-at") return inside(expr.block) || inside(expr.address);
  return inside(firstOperand(expr));
}

class ExprPrinter {
  readonly #context: PrintContext;

  constructor(context: PrintContext) {
    this.#context = context;
  }

  print(expr: Expr, indent: number, column: number, tail: number): string {
    if (hasComment(this.#context, expr.span)) return verbatim(this.#context, expr.span, indent);
    const text = this.#loose(expr, 0, indent, false);
    if (text.includes("\n") || column + text.length + tail <= lineWidth) return text;
    const broken = this.#loose(expr, 0, indent, true);
    return broken;
  }

  /** In parentheses where the author or the surrounding operator wants them. */
  #loose(expr: Expr, least: number, indent: number, isBreaking: boolean): string {
    const text = this.#bare(expr, indent, isBreaking);
    const needed = strengthOf(expr) < least;
    const kept = isParenthesized(this.#context, expr) && !atoms.has(expr.kind);
    return needed || kept ? `(${text})` : text;
  }

  /** `isBreaking`: the line is too wide, so break the outermost thing that can be broken. */
  #bare(expr: Expr, indent: number, isBreaking: boolean): string {
    switch (expr.kind) {
      case "int":
      case "duration":
        return expr.text;
      case "bool":
        return String(expr.value);
      case "bytes":
        return printBytes(this.#context, expr.value, expr.span);
      case "string":
        return this.string(expr, indent);
      case "name":
        return expr.name;
      case "unary": {
        const operand = this.#loose(expr.operand, expr.op === "not" ? 3 : prefixStrength, indent, isBreaking);
        // `- -x` must not run together with another sign.
        const isSplit = expr.op === "not" || (expr.operand.kind === "unary" && operand.startsWith(expr.op));
        return `${expr.op}${isSplit ? " " : ""}${operand}`;
      }
      case "binary":
        return this.#binary(expr, indent, isBreaking);
      case "range": {
        const start = expr.start === null ? "" : this.#loose(expr.start, rangeStrength + 1, indent, false);
        const end = expr.end === null ? "" : this.#loose(expr.end, rangeStrength + 1, indent, false);
        return `${start}${expr.inclusive ? "..=" : ".."}${end}`;
      }
      case "call":
        return `${this.#postfix(expr.callee, indent)}${this.#list("(", ")", expr.args, expr.callee.span.end, expr.span.end, indent, isBreaking)}`;
      case "member":
        return `${this.#postfix(expr.object, indent, isBreaking)}.${expr.name.text}`;
      case "deref":
        return `${this.#postfix(expr.pointer, indent)}.*`;
      case "index":
        return `${this.#postfix(expr.object, indent)}[${this.#loose(expr.index, 0, indent, false)}]`;
      case "slice": {
        const start = expr.start === null ? "" : this.#loose(expr.start, rangeStrength + 1, indent, false);
        const end = expr.end === null ? "" : this.#loose(expr.end, rangeStrength + 1, indent, false);
        return `${this.#postfix(expr.object, indent)}[${start}..${end}]`;
      }
      case "cast":
        return `${this.#loose(expr.operand, castStrength, indent, isBreaking)} as ${printType(this.#context, expr.type)}`;
      case "is-error": {
        const name = expr.name === null ? "" : ` ${expr.name.text}`;
        return `${this.#loose(expr.operand, comparison + 1, indent, isBreaking)} is ${expr.negated ? "not " : ""}error${name}`;
      }
      case "regs-at": {
        const word = expr.space === "ports" ? "in ports" : "at";
        const address = this.#loose(expr.address, comparison + 1, indent, isBreaking);
        // After `ports` these would read as operators on a variable of that name; a contextual word would read as itself.
        const isTaken = expr.space === "ports" && /^([-*&[]|(as|at|within)\b)/.test(address);
        return `${this.#loose(expr.block, comparison + 1, indent, false)} ${word} ${isTaken ? `(${address})` : address}`;
      }
      case "array":
        return this.#list("[", "]", expr.elements, expr.span.start, expr.span.end, indent, isBreaking);
      case "array-fill":
        return `[${this.#loose(expr.element, 0, indent, false)}; ${this.#loose(expr.count, 0, indent, false)}]`;
      case "struct-literal":
        return this.#structLiteral(expr, indent, isBreaking);
      case "type-value":
        return printType(this.#context, expr.type);
      case "if-expr": {
        const bare = this.#loose(expr.condition, 0, indent, false);
        const condition = hasBareStruct(this.#context, expr.condition) ? `(${bare})` : bare;
        const otherwise = this.#loose(expr.otherwise, 0, indent, false);
        return `if ${condition} { ${this.#loose(expr.consequent, 0, indent, false)} } else ${expr.otherwise.kind === "if-expr" ? otherwise : `{ ${otherwise} }`}`;
      }
    }
  }

  #postfix(expr: Expr, indent: number, isBreaking = false): string {
    const text = this.#loose(expr, atomStrength, indent, isBreaking);
    return expr.kind === "if-expr" || expr.kind === "type-value" ? (text.startsWith("(") || expr.kind === "type-value" ? text : `(${text})`) : text;
  }

  #binary(expr: Extract<Expr, { kind: "binary" }>, indent: number, isBreaking: boolean): string {
    const strength = binaryStrength[expr.op];
    const isLogical = expr.op === "and" || expr.op === "or";
    // Comparisons do not chain, so neither side may be one.
    const left = this.#loose(expr.left, strength === comparison ? strength + 1 : strength, indent, isBreaking && isLogical);
    const wasBroken = hasLineBreak(this.#context, expr.left.span.end, expr.right.span.start);
    const isBroken = wasBroken || (isBreaking && isLogical);
    const right = this.#loose(expr.right, strength + 1, indent, isBreaking && !isBroken);
    if (!isBroken) return `${left} ${expr.op} ${right}`;
    // A line that begins with one of these would be a new statement.
    const breaksAfter = expr.op === "-" || expr.op === "*" || expr.op === "&";
    return breaksAfter ? `${left} ${expr.op}\n${pad(indent + 4)}${right}` : `${left}\n${pad(indent + 4)}${expr.op} ${right}`;
  }

  /** Elements between brackets: on the author's lines if there is a break after the bracket, packed into lines if too wide. */
  #list(open: string, close: string, elements: readonly Expr[], from: number, to: number, indent: number, isBreaking: boolean): string {
    const [first] = elements;
    if (first === undefined) return open + close;
    const wasBroken = hasLineBreak(this.#context, from, first.span.start) && to > first.span.start;
    if (!wasBroken && !isBreaking) return open + elements.map((element) => this.#loose(element, 0, indent, false)).join(", ") + close;
    const inner = indent + 2;
    const lines: string[] = [];
    let previous: Expr | undefined;
    for (const element of elements) {
      const text = this.#loose(element, 0, inner, false);
      const last = lines.at(-1);
      const startsLine =
        previous === undefined ||
        last === undefined ||
        (wasBroken ? hasLineBreak(this.#context, previous.span.end, element.span.start) : inner + last.length + 2 + text.length >= lineWidth);
      if (startsLine || last === undefined) lines.push(text);
      else lines[lines.length - 1] = `${last}, ${text}`;
      previous = element;
    }
    return `${open}\n${lines.map((line) => `${pad(inner)}${line},\n`).join("")}${pad(indent)}${close}`;
  }

  #structLiteral(expr: Extract<Expr, { kind: "struct-literal" }>, indent: number, isBreaking: boolean): string {
    const name = expr.type.module === null ? expr.type.name.text : `${expr.type.module.text}.${expr.type.name.text}`;
    const [first] = expr.fields;
    if (first === undefined) return `${name} {}`;
    const isBroken = isBreaking || hasLineBreak(this.#context, expr.type.name.span.end, first.name.span.start);
    const fields = expr.fields.map((field) => `${field.name.text}: ${this.#loose(field.value, 0, indent + (isBroken ? 2 : 0), false)}`);
    if (!isBroken) return `${name} { ${fields.join(", ")} }`;
    return `${name} {\n${fields.map((field) => `${pad(indent + 2)}${field},\n`).join("")}${pad(indent)}}`;
  }

  string(literal: StringLiteral, indent: number): string {
    const parts = literal.parts.map((part) => {
      if (part.kind === "hole") return `{${this.#loose(part.expr, 0, indent, false)}${part.format === null ? "" : `:${part.format}`}}`;
      return isWritten(this.#context, literal.span) ? this.#context.source.text.slice(part.span.start, part.span.end) : escapeText(part.text);
    });
    return `"${parts.join("")}"`;
  }
}

/** The literal stands in the text between double quotes, so its escapes can be kept. */
function isWritten(context: PrintContext, span: Span): boolean {
  return span.source === context.source && context.source.text.charAt(span.start) === '"';
}

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"', "\0": "\\0", "{": "{{", "}": "}}" };

function escapeText(text: string): string {
  return text.replaceAll(/[\p{Cc}\\"{}]/gu, (character) => escapes[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

function printBytes(context: PrintContext, value: Uint8Array, span: Span): string {
  const written = context.source.text
    .slice(span.start, span.end)
    .replace(/^\(+|\)+$/g, "")
    .trim();
  return written.startsWith('hex"') ? written : `hex"${Buffer.from(value).toString("hex")}"`;
}

export function printString(context: PrintContext, literal: StringLiteral): string {
  return new ExprPrinter(context).string(literal, 0);
}

export function printType(context: PrintContext, type: TypeExpr): string {
  switch (type.kind) {
    case "named-type":
      return type.module === null ? type.name.text : `${type.module.text}.${type.name.text}`;
    case "array-type":
      return `[${printExpr(context, type.length, 0, 0)}]${printType(context, type.element)}`;
    case "slice-type":
      return `[]${printType(context, type.element)}`;
    case "pointer-type":
      return `*${printType(context, type.target)}`;
    case "fn-type":
      return `fn(${type.params.map((param) => printType(context, param)).join(", ")})${type.result === null ? "" : ` -> ${printType(context, type.result)}`}`;
  }
}

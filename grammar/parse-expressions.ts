// Rules for expressions: operators between operands (parse-operands.ts). They are read by precedence climbing in one rule, not by a rule a level, because most
// expressions are one operand long and a rule call costs more than a token.
// From loose to tight: or, and, not, comparisons (not chained), .. ..=, |, ^, &, shifts, + -, * / %, as, unary - ~ &, postfix.
// Lines: outside brackets a line that begins with ( [ - * & begins a new statement; with any other operator it continues the expression.

import type { TokenType } from "chevrotain";
import type { BinaryOp, Expr } from "./ast.ts";
import type { Rule } from "./parse-core.ts";
import { OperandParser, startsExpression } from "./parse-operands.ts";
import { joinSpans } from "./source.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

type Operator = BinaryOp | ".." | "..=" | "at" | "in ports";

const precedence = { or: 1, and: 2, not: 3, comparison: 4, range: 5, bitOr: 6, bitXor: 7, bitAnd: 8, shift: 9, sum: 10, product: 11, unary: 12 } as const;

const precedenceOf = new Map<TokenType, number>([
  [T.Or, precedence.or],
  [T.And, precedence.and],
  ...[T.EqualEqual, T.NotEqual, T.Less, T.LessEqual, T.Greater, T.GreaterEqual, T.In].map((type): [TokenType, number] => [type, precedence.comparison]),
  [T.DotDot, precedence.range],
  [T.DotDotEqual, precedence.range],
  [T.Bar, precedence.bitOr],
  [T.Caret, precedence.bitXor],
  [T.Ampersand, precedence.bitAnd],
  [T.ShiftLeft, precedence.shift],
  [T.ShiftRight, precedence.shift],
  [T.Plus, precedence.sum],
  [T.Minus, precedence.sum],
  [T.Star, precedence.product],
  [T.Slash, precedence.product],
  [T.Percent, precedence.product],
]);

/** The same by Chevrotain's index of the token type: this is asked after every operand. */
const precedenceByIndex = new Uint8Array(256);
for (const [type, value] of precedenceOf) precedenceByIndex[type.tokenTypeIdx ?? 0] = value;
/** Comparisons that are words, and names elsewhere. */
const wordOperators: ReadonlySet<string> = new Set(["at", "matches", "near"]);
/** Operators that could also start a statement. */
const ambiguousAtLineStart: ReadonlySet<TokenType> = new Set([T.Minus, T.Star, T.Ampersand]);
export class ExpressionParser extends OperandParser {
  readonly expr: Rule<Expr> = this.RULE("expr", (): Expr => {
    if (this.RECORDING_PHASE) {
      this.option(0, () => this.consume(0, T.Not));
      const operand = this.subrule(0, this.operand);
      this.many(0, () => {
        this.consume(0, T.BinaryOperator);
        this.subrule(1, this.operand);
      });
      return operand;
    }
    return this.#climb(1);
  });

  #climb(least: number): Expr {
    let left = this.#prefixed(least);
    while (true) {
      const operator = this.peek(1);
      const strength = this.#infixPrecedence(operator);
      if (strength === 0 || strength < least) return left;
      left = this.#infix(left, operator, strength);
      if (strength === precedence.comparison) this.#checkChain(left);
    }
  }

  #prefixed(least: number): Expr {
    const token = this.peek(1);
    if (token.tokenType === T.Not) {
      if (least > precedence.not) {
        this.complain(token, "E0208", "`not` binds loosely and needs parentheses here", "not an operand", { help: "write `(not ..)`" });
      }
      if (this.isMarkOfMacro(token, this.peek(0), this.peek(2))) this.complain(token, "E0112", "`!` is written `not`", "write `not`");
      this.consume(0, T.Not);
      const operand = this.#climb(precedence.not);
      return { kind: "unary", op: "not", operand, span: { source: this.source, start: token.startOffset, end: operand.span.end } };
    }
    if ((token.tokenType === T.DotDot || token.tokenType === T.DotDotEqual) && least <= precedence.range) {
      this.CONSUME(token.tokenType);
      return this.#range(null, token, token.startOffset);
    }
    return this.subrule(0, this.operand);
  }

  /** 0 when the expression ends before the token. */
  #infixPrecedence(token: Token): number {
    const strength = precedenceByIndex[token.tokenTypeIdx] ?? 0;
    if (strength > 0) return token.newline && !this.inBrackets && ambiguousAtLineStart.has(token.tokenType) ? 0 : strength;
    if (token.tokenType === T.Not) return this.peek(2).tokenType === T.In ? precedence.comparison : 0;
    if (token.tokenType !== T.Ident) return 0;
    if (token.image === "is") return this.#isErrorNext() ? precedence.comparison : 0;
    return wordOperators.has(token.image) && this.#continues(token) ? precedence.comparison : 0;
  }

  /** `is error`, `is not error`: nothing else begins so. */
  #isErrorNext(): boolean {
    return this.isWord(this.peek(2), "error") || (this.peek(2).tokenType === T.Not && this.isWord(this.peek(3), "error"));
  }

  #isError(operand: Expr): Expr {
    this.consume(0, T.Ident);
    const negated = this.isNext(T.Not);
    if (negated) this.consume(0, T.Not);
    this.consume(0, T.Ident);
    const next = this.peek(1);
    // On the same line, and neither `within` nor a statement such as `info ".."`.
    const hasName = next.tokenType === T.Ident && !next.newline && next.image !== "within" && this.peek(2).tokenType !== T.Str;
    const name = hasName ? this.needName(0, "the name of an error") : null;
    return { kind: "is-error", operand, negated, name, span: this.spanFrom(operand.span.start) };
  }

  /** The contextual word joins what stands before and after it: it is not a name that begins a statement of its own. */
  #continues(word: Token): boolean {
    const next = this.peek(2);
    if (next.newline || !startsExpression(next)) return false;
    const couldBeSuffix = next.tokenType === T.LParen || next.tokenType === T.LSquare || ambiguousAtLineStart.has(next.tokenType);
    return word.newline && !this.inBrackets ? !couldBeSuffix : !(couldBeSuffix && this.isAdjacent(word, next));
  }

  /** `within`, which follows the condition of a check. */
  protected atWithin(): boolean {
    return this.isWord(this.peek(1), "within") && this.#continues(this.peek(1));
  }

  #infix(left: Expr, operator: Token, strength: number): Expr {
    if (operator.tokenType === T.Ident && operator.image === "is") return this.#isError(left);
    const opStart = operator.startOffset;
    let op: Operator = operator.image as Operator;
    if (operator.tokenType === T.Not) {
      this.consume(0, T.Not);
      op = "not in";
    }
    // The table of precedences holds just these types; the one loop over operators consumes whichever is next.
    this.CONSUME(this.peek(1).tokenType);
    if (operator.tokenType === T.In && this.#isPortsNext()) {
      this.consume(0, T.Ident);
      op = "in ports";
    }
    if (op === ".." || op === "..=") return this.#range(left, operator, left.span.start);
    const opSpan = this.spanFrom(opStart);
    const operand = this.#climb(strength + 1);
    const right = op === "near" ? this.#by(operand) : operand;
    const span = joinSpans(left.span, right.span);
    if (op === "at") return { kind: "regs-at", block: left, address: right, space: "memory", span };
    if (op === "in ports") return { kind: "regs-at", block: left, address: right, space: "ports", span };
    return { kind: "binary", op, left, right, opSpan, span };
  }

  /** What follows `near`: the value and, behind `by`, how far off it may be. */
  #by(left: Expr): Expr {
    const by = this.needWord(0, "by", { help: "say how far off it may be: `near 10ms by 1ms`" });
    const opSpan = this.spanFrom(by.startOffset);
    const right = this.#climb(precedence.range);
    return { kind: "binary", op: "by", left, right, opSpan, span: joinSpans(left.span, right.span) };
  }

  /** After `in`: the word `ports` with an operand after it, not a variable of that name. */
  #isPortsNext(): boolean {
    const word = this.peek(1);
    const next = this.peek(2);
    if (!this.isWord(word, "ports") || next.newline) return false;
    if (next.tokenType === T.LParen) return !this.isAdjacent(word, next);
    if (next.tokenType === T.LSquare || next.tokenType === T.Not || ambiguousAtLineStart.has(next.tokenType)) return false;
    return startsExpression(next) && !["at", "as", "within"].includes(next.image);
  }

  #range(start: Expr | null, operator: Token, from: number): Expr {
    const next = this.peek(1);
    const hasEnd = startsExpression(next) && (!next.newline || this.inBrackets);
    const isOpen = start === null || !hasEnd;
    const inIndex = this.inIndex;
    const end = hasEnd ? this.#climb(precedence.range + 1) : null;
    if (isOpen && !inIndex) {
      this.complain(operator, "E0218", "a range needs both ends here", "one end is missing", { help: "only a slice leaves ends out: `xs[2..]`" });
    }
    return { kind: "range", start, end, inclusive: operator.tokenType === T.DotDotEqual, span: this.spanFrom(from) };
  }

  #checkChain(left: Expr): void {
    const next = this.peek(1);
    if (this.#infixPrecedence(next) !== precedence.comparison || left.kind !== "binary") return;
    const middle = this.source.text.slice(left.right.span.start, left.right.span.end);
    // Nobody means by `a < b != c` what mathematics means by `a < b < c`.
    const comparesTruth = /^[=!]=$/.test(left.op) || /^[=!]=$/.test(next.image);
    const isWordy = comparesTruth || /[a-z]/.test(left.op) || next.tokenType === T.Ident || next.tokenType === T.In || next.tokenType === T.Not;
    this.complain(next, "E0207", "comparisons cannot be chained", "a second comparison", {
      also: [{ span: left.opSpan, text: "the first one" }],
      help: isWordy ? "put one of them in parentheses" : `compare twice: \`.. ${left.op} ${middle} and ${middle} ${next.image} ..\``,
    });
  }
}

// Rules for types and expressions. Operators are read by precedence climbing in one rule, not by a rule a level, because most
// expressions are one operand long and a rule call costs more than a token.
// From loose to tight: or, and, not, comparisons (not chained), .. ..=, |, ^, &, shifts, + -, * / %, as, unary - ~ &, postfix.
// Lines: outside brackets a line that begins with ( [ - * & begins a new statement; with any other operator it continues the expression.

import type { IOrAlt, TokenType } from "chevrotain";
import type { BinaryOp, Expr, Name, StringLiteral, StringPart, TypeExpr, UnaryOp } from "./ast.ts";
import { ParserCore, type Rule } from "./parse-core.ts";
import { joinSpans, type Span } from "./source.ts";
import * as T from "./tokens.ts";
import type { TextValue, Token } from "./tokens.ts";

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
const startsOperand = new Uint8Array(256);
for (const [type, value] of precedenceOf) precedenceByIndex[type.tokenTypeIdx ?? 0] = value;
for (const type of [
  T.Ident,
  T.Int,
  T.Duration,
  T.Bytes,
  T.Str,
  T.StrHead,
  T.True,
  T.False,
  T.Not,
  T.Minus,
  T.Tilde,
  T.Ampersand,
  T.LParen,
  T.LSquare,
  T.Star,
  T.Fn,
  T.If,
]) {
  startsOperand[type.tokenTypeIdx ?? 0] = 1;
}

/** Comparisons that are words, and names elsewhere. */
const wordOperators: ReadonlySet<string> = new Set(["at", "matches", "near"]);
/** Operators that could also start a statement. */
const ambiguousAtLineStart: ReadonlySet<TokenType> = new Set([T.Minus, T.Star, T.Ampersand]);
const typeStarts: ReadonlySet<TokenType> = new Set([T.Ident, T.LSquare, T.Star, T.Fn]);
const emptyText: TextValue = { text: "", start: 0, end: 0, format: null };
const noBytes = new Uint8Array(0);
/** Stands for an operand while the grammar is recorded. */
const placeholder: Expr = { kind: "bool", value: false, span: { source: { path: "", text: "" }, start: 0, end: 0 } };

export function integerOf(token: Token): bigint {
  return typeof token.value === "bigint" ? token.value : 0n;
}

function textValueOf(token: Token): TextValue {
  const { value } = token;
  return value === null || typeof value === "bigint" || value instanceof Uint8Array ? emptyText : value;
}

export class ExpressionParser extends ParserCore {
  // ---- Types ----

  readonly type: Rule<TypeExpr> = this.RULE("type", (): TypeExpr => {
    const first = this.peek(1);
    if (!this.RECORDING_PHASE && !typeStarts.has(first.tokenType))
      throw this.expected("a type", this.isNext(T.Ampersand) ? { help: "a pointer's type is `*T`" } : {}, "E0209");
    return this.or(
      0,
      (this.#typeAlternatives ??= [
        { ALT: () => this.#namedType() },
        { ALT: () => this.SUBRULE(this.bracketType) },
        { ALT: () => this.SUBRULE(this.pointerType) },
        { ALT: () => this.SUBRULE(this.fnType) },
      ]),
    );
  });

  #typeAlternatives: IOrAlt<TypeExpr>[] | undefined;

  #namedType(): TypeExpr {
    const start = this.peek(1).startOffset;
    let module: Name | null = null;
    let name = this.needName(0, "a type");
    this.when(0, this.isNext(T.Dot), () => {
      this.consume(0, T.Dot);
      module = name;
      name = this.needAnyWord(0, "a type's name");
    });
    return { kind: "named-type", module, name, span: this.spanFrom(start) };
  }

  readonly pointerType: Rule<TypeExpr> = this.RULE("pointerType", (): TypeExpr => {
    const start = this.need(0, T.Star).startOffset;
    const target = this.SUBRULE(this.type);
    return { kind: "pointer-type", target, span: this.spanFrom(start) };
  });

  readonly bracketType: Rule<TypeExpr> = this.RULE("bracketType", (): TypeExpr => {
    const open = this.need(0, T.LSquare);
    let length: Expr | null = null;
    this.when(0, !this.isNext(T.RSquare), () => {
      length = this.bracketed(() => this.SUBRULE(this.expr));
    });
    if (!this.RECORDING_PHASE && length !== null && this.isNext(T.Semi)) return this.#elementFirst(open, length);
    this.needClose(0, T.RSquare, open);
    const element = this.SUBRULE(this.type);
    const span = this.spanFrom(open.startOffset);
    return length === null ? { kind: "slice-type", element, span } : { kind: "array-type", length, element, span };
  });

  /** `[u8; 4]`, as Rust has it: reported, and read as the array that was meant. */
  #elementFirst(open: Token, element: Expr): TypeExpr {
    const semicolon = this.need(0, T.Semi);
    const length = this.bracketed(() => this.SUBRULE1(this.expr));
    const lengthText = this.source.text.slice(length.span.start, length.span.end);
    const elementText = this.source.text.slice(element.span.start, element.span.end);
    this.complain(semicolon, "E0201", "expected `]`, found `;`", "expected `]`", {
      help: `the length of an array stands first: \`[${lengthText}]${elementText}\``,
    });
    this.needClose(1, T.RSquare, open);
    const span = this.spanFrom(open.startOffset);
    if (element.kind !== "name") throw this.expected("a type", {}, "E0209");
    return {
      kind: "array-type",
      length,
      element: { kind: "named-type", module: null, name: { text: element.name, span: element.span }, span: element.span },
      span,
    };
  }

  readonly fnType: Rule<TypeExpr> = this.RULE("fnType", (): TypeExpr => {
    const start = this.need(0, T.Fn).startOffset;
    const open = this.need(0, T.LParen);
    const params: TypeExpr[] = [];
    this.commaList(0, T.RParen, () => params.push(this.SUBRULE(this.type)));
    if (!this.RECORDING_PHASE && this.isNext(T.Colon)) {
      throw this.expected("`)`", { help: "a function's type has no names; a function itself is a `fn` of the file, named here" });
    }
    this.needClose(0, T.RParen, open);
    let result: TypeExpr | null = null;
    this.when(1, this.isNext(T.Arrow), () => {
      this.CONSUME(T.Arrow);
      result = this.SUBRULE1(this.type);
    });
    return { kind: "fn-type", params, result, span: this.spanFrom(start) };
  });

  // ---- Operators ----

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

  /** An expression whose `{` belongs to the statement: no bare struct literals. */
  protected condition(index: number): Expr {
    const outer = this.structsAllowed;
    this.structsAllowed = false;
    const expr = this.subrule(index, this.expr);
    this.structsAllowed = outer;
    return expr;
  }

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
    if (next.newline || !startsOperand[next.tokenTypeIdx]) return false;
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
    return startsOperand[next.tokenTypeIdx] === 1 && !["at", "as", "within"].includes(next.image);
  }

  #range(start: Expr | null, operator: Token, from: number): Expr {
    const next = this.peek(1);
    const hasEnd = startsOperand[next.tokenTypeIdx] === 1 && (!next.newline || this.inBrackets);
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
    const isWordy = /[a-z]/.test(left.op) || next.tokenType === T.Ident || next.tokenType === T.In || next.tokenType === T.Not;
    this.complain(next, "E0207", "comparisons cannot be chained", "a second comparison", {
      also: [{ span: left.opSpan, text: "the first one" }],
      help: isWordy ? "put one of them in parentheses" : `compare twice: \`.. ${left.op} ${middle} and ${middle} ${next.image} ..\``,
    });
  }

  // ---- Operands ----

  readonly operand: Rule<Expr> = this.RULE("operand", (): Expr => {
    const prefixes: Token[] = [];
    this.repeat(
      0,
      () => {
        const type = this.peek(1).tokenType;
        return type === T.Minus || type === T.Tilde || type === T.Ampersand;
      },
      () =>
        this.or(
          0,
          (this.#prefixAlternatives ??= [
            { ALT: () => this.consume(0, T.Minus) },
            { ALT: () => this.consume(0, T.Tilde) },
            { ALT: () => this.consume(0, T.Ampersand) },
          ]),
        ) && prefixes.push(this.peek(0)),
    );
    const first = this.peek(1);
    if (!this.RECORDING_PHASE && !startsOperand[first.tokenTypeIdx]) throw this.#noOperand(first);
    // An unclosed bracket must not swallow the next declaration.
    if (first.newline && this.inBrackets && this.isItemBoundary()) throw this.expected("an expression", {}, "E0202");
    let expr: Expr = this.or(
      1,
      (this.#primaryAlternatives ??= [
        { ALT: () => this.#named() },
        { ALT: () => this.#integer() },
        { ALT: () => this.#duration() },
        { ALT: () => this.#bytes() },
        { ALT: () => this.#truth(this.consume(0, T.True), true) },
        { ALT: () => this.#truth(this.consume(0, T.False), false) },
        { ALT: () => this.subrule(0, this.string) },
        { ALT: () => this.#parenthesized() },
        { ALT: () => this.subrule(0, this.bracketExpr) },
        { ALT: () => this.#typeValue(this.subrule(0, this.pointerType)) },
        { ALT: () => this.#typeValue(this.subrule(0, this.fnType)) },
        { ALT: () => this.subrule(0, this.ifExpr) },
      ]),
    );
    if (this.RECORDING_PHASE) {
      expr = placeholder;
      this.many(1, () =>
        this.or(2, [
          { ALT: () => this.#member(expr) },
          { ALT: () => this.#deref(expr) },
          { ALT: () => this.#call(expr) },
          { ALT: () => this.#index(expr) },
          { ALT: () => this.#structLiteral(expr) },
        ]),
      );
    } else expr = this.#suffixed(expr);
    for (let i = prefixes.length - 1; i >= 0; i--) {
      const prefix = prefixes[i] ?? first;
      expr = { kind: "unary", op: prefix.image as UnaryOp, operand: expr, span: { source: this.source, start: prefix.startOffset, end: expr.span.end } };
    }
    this.repeat(
      2,
      () => this.#isCastNext(),
      () => {
        this.consume(1, T.Ident);
        const type = this.subrule(0, this.type);
        expr = { kind: "cast", operand: expr, type, span: this.spanFrom(expr.span.start) };
      },
    );
    return expr;
  });

  #prefixAlternatives: IOrAlt<unknown>[] | undefined;
  #primaryAlternatives: IOrAlt<Expr>[] | undefined;

  #suffixed(operand: Expr): Expr {
    let expr = operand;
    while (true) {
      const token = this.peek(1);
      switch (token.tokenType) {
        case T.Dot:
          expr = this.#member(expr);
          break;
        case T.DotStar:
          expr = this.#deref(expr);
          break;
        case T.LParen:
          if (token.newline && !this.inBrackets) return expr;
          expr = this.#call(expr);
          break;
        case T.LSquare:
          if (token.newline && !this.inBrackets) return expr;
          expr = this.#index(expr);
          break;
        case T.LCurly:
          if (!this.#isStructLiteral(expr, token)) return expr;
          expr = this.#structLiteral(expr);
          break;
        case T.Arrow:
          throw this.faultAt(token, "E0112", "`->` is written `.`", "write `.`", { help: "a member is reached through a pointer as through its target" });
        default:
          return expr;
      }
    }
  }

  #isCastNext(): boolean {
    const word = this.peek(1);
    if (word.tokenType !== T.Ident || word.image !== "as" || (word.newline && !this.inBrackets)) return false;
    return typeStarts.has(this.peek(2).tokenType);
  }

  #noOperand(token: Token): Error {
    if (token.tokenType === T.Bar) {
      return this.faultAt(token, "E0202", "expected an expression, found `|`", "not an operand", {
        help: "there are no functions inside expressions: declare a `fn` and name it here",
      });
    }
    if (token.tokenType === T.Equal)
      return this.faultAt(token, "E0202", "expected an expression, found `=`", "not an operand", { help: "equality is written `==`" });
    if (token.tokenType === T.Plus && this.peek(0).tokenType === T.Plus && this.isAdjacent(this.peek(0), token)) {
      return this.faultAt(token, "E0202", "there is no `++` operator", "not an operand", { help: "write `+= 1`" });
    }
    if (token.newline && this.currIdx >= 0) return this.expected("an expression", {}, "E0202");
    return this.faultAt(token, "E0202", `expected an expression, found ${this.describe(token)}`, "not an operand");
  }

  #named(): Expr {
    const token = this.peek(1);
    this.consume(0, T.Ident);
    return { kind: "name", name: token.image, span: this.spanOf(token) };
  }

  #integer(): Expr {
    const token = this.peek(1);
    this.consume(0, T.Int);
    return { kind: "int", value: integerOf(token), text: token.image, span: this.spanOf(token) };
  }

  #duration(): Expr {
    const token = this.peek(1);
    this.consume(0, T.Duration);
    return { kind: "duration", nanoseconds: integerOf(token), text: token.image, span: this.spanOf(token) };
  }

  #bytes(): Expr {
    const token = this.peek(1);
    this.consume(0, T.Bytes);
    return { kind: "bytes", value: token.value instanceof Uint8Array ? token.value : noBytes, span: this.spanOf(token) };
  }

  #truth(token: { startOffset: number }, value: boolean): Expr {
    return { kind: "bool", value, span: this.spanFrom(token.startOffset) };
  }

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

  #parenthesized(): Expr {
    const open = this.peek(1);
    this.consume(0, T.LParen);
    const inside = this.bracketed(() => {
      const expr = this.subrule(0, this.expr);
      this.needClose(0, T.RParen, open);
      return expr;
    });
    if (this.RECORDING_PHASE) return placeholder;
    const next = this.peek(1);
    if (inside.kind === "name" && !next.newline && (next.tokenType === T.Int || next.tokenType === T.Ident) && this.isAdjacent(this.peek(0), next)) {
      throw this.faultAt(next, "E0201", `expected an operator after \`(${inside.name})\`, found ${this.describe(next)}`, "left over", {
        help: `a conversion is written \`${next.image} as ${inside.name}\``,
      });
    }
    // The parentheses belong to the span, so that the source text of what contains them is whole.
    return { ...inside, span: this.spanFrom(open.startOffset) };
  }

  #typeValue(type: TypeExpr): Expr {
    return { kind: "type-value", type, span: this.RECORDING_PHASE ? this.spanFrom(0) : type.span };
  }

  #member(object: Expr): Expr {
    this.consume(0, T.Dot);
    const name = this.needAnyWord(0, "a member's name");
    return { kind: "member", object, name, span: this.spanFrom(object.span.start) };
  }

  #deref(pointer: Expr): Expr {
    this.consume(0, T.DotStar);
    return { kind: "deref", pointer, span: this.spanFrom(pointer.span.start) };
  }

  #call(callee: Expr): Expr {
    const open = this.peek(1);
    this.consume(1, T.LParen);
    const args: Expr[] = [];
    this.bracketed(() => {
      this.commaList(3, T.RParen, () => args.push(this.subrule(1, this.expr)));
      this.needClose(1, T.RParen, open);
    });
    return { kind: "call", callee, args, span: this.spanFrom(callee.span.start) };
  }

  #index(object: Expr): Expr {
    const open = this.peek(1);
    this.consume(1, T.LSquare);
    const index = this.bracketed(() => {
      const inside = this.subrule(2, this.expr);
      this.needClose(1, T.RSquare, open);
      return inside;
    }, true);
    const span = this.spanFrom(object.span.start);
    if (index.kind !== "range") return { kind: "index", object, index, span };
    if (index.inclusive) this.complain(open, "E0218", "a slice ends before its second bound", "`..=` inside", { help: "write `xs[a..b + 1]`" });
    return { kind: "slice", object, start: index.start, end: index.end, span };
  }

  // ---- Struct literals ----

  /** `Name {` on one line, followed by `}` or by `field:`. */
  #isStructLiteral(expr: Expr, open: Token): boolean {
    if (!this.structsAllowed || open.newline || this.peek(0).tokenType === T.RParen) return false;
    if (expr.kind !== "name" && !(expr.kind === "member" && expr.object.kind === "name")) return false;
    const first = this.peek(2);
    return first.tokenType === T.RCurly || (this.isAnyWord(first) && this.peek(3).tokenType === T.Colon);
  }

  #structLiteral(type: Expr): Expr {
    const fields = this.subrule(0, this.structFields);
    const module = type.kind === "member" && type.object.kind === "name" ? { text: type.object.name, span: type.object.span } : null;
    const name = type.kind === "member" ? type.name : { text: type.kind === "name" ? type.name : "", span: type.span };
    return { kind: "struct-literal", type: { module, name }, fields, span: this.spanFrom(type.span.start) };
  }

  readonly structFields: Rule<{ name: Name; value: Expr }[]> = this.RULE("structFields", () => {
    const open = this.need(0, T.LCurly);
    const fields: { name: Name; value: Expr }[] = [];
    this.bracketed(() => {
      this.commaList(0, T.RCurly, () => {
        const name = this.needAnyWord(0, "a field's name");
        this.need(0, T.Colon);
        fields.push({ name, value: this.subrule(0, this.expr) });
      });
      this.needClose(0, T.RCurly, open);
    });
    return fields;
  });

  // ---- Arrays ----

  readonly bracketExpr: Rule<Expr> = this.RULE("bracketExpr", (): Expr => {
    if (!this.RECORDING_PHASE && this.#isBracketType(this.currIdx + 1)) {
      const type = this.subrule(0, this.bracketType);
      return { kind: "type-value", type, span: type.span };
    }
    const open = this.need(0, T.LSquare);
    return this.bracketed((): Expr => {
      const elements: Expr[] = [];
      let count: Expr | null = null;
      this.commaList(0, T.RSquare, () => {
        elements.push(this.subrule(0, this.expr));
        this.when(1, elements.length === 1 && this.isNext(T.Semi), () => {
          this.consume(0, T.Semi);
          count = this.subrule(1, this.expr);
        });
      });
      this.needClose(0, T.RSquare, open);
      const span = this.spanFrom(open.startOffset);
      const [element] = elements;
      if (count !== null && element !== undefined) return { kind: "array-fill", element, count, span };
      return { kind: "array", elements, span };
    });
  });

  /** `[..]` with a type's first token touching its end. */
  #isBracketType(open: number): boolean {
    let depth = 0;
    for (let i = open; i < this.tokens.length; i++) {
      const token = this.tokens[i];
      if (token === undefined) return false;
      const type = token.tokenType;
      if (type === T.LSquare || type === T.LParen || type === T.LCurly) depth++;
      else if (type === T.RSquare || type === T.RParen || type === T.RCurly) {
        depth--;
        if (depth > 0) continue;
        const next = this.tokens[i + 1];
        if (next === undefined || !this.isAdjacent(token, next)) return false;
        if (next.tokenType === T.LSquare) return this.#isBracketType(i + 1);
        return next.tokenType === T.Ident || next.tokenType === T.Star || next.tokenType === T.Fn;
      }
    }
    return false;
  }

  // ---- `if` as an expression ----

  readonly ifExpr: Rule<Expr> = this.RULE("ifExpr", (): Expr => {
    const start = this.need(0, T.If).startOffset;
    const condition = this.condition(0);
    const chosen = this.#branch(1);
    this.need(0, T.Else, "`else`", { help: "an `if` that gives a value needs both branches" });
    let otherwise: Expr = chosen;
    this.or(0, [
      {
        ALT: () => {
          otherwise = this.subrule(3, this.ifExpr);
        },
      },
      {
        ALT: () => {
          otherwise = this.#branch(2);
        },
      },
    ]);
    return { kind: "if-expr", condition, consequent: chosen, otherwise, span: this.spanFrom(start) };
  });

  #branch(index: number): Expr {
    const open = this.need(index, T.LCurly);
    return this.bracketed(() => {
      const value = this.subrule(index, this.expr);
      this.needClose(index, T.RCurly, open);
      return value;
    });
  }

  // ---- Strings ----

  readonly string: Rule<StringLiteral> = this.RULE("string", (): StringLiteral => {
    const first = this.peek(1);
    if (!this.RECORDING_PHASE && first.tokenType !== T.Str && first.tokenType !== T.StrHead) throw this.expected("a string");
    return this.or(0, (this.#stringAlternatives ??= [{ ALT: () => this.#plainString() }, { ALT: () => this.#stringWithHoles() }]));
  });

  #stringAlternatives: IOrAlt<StringLiteral>[] | undefined;

  #plainString(): StringLiteral {
    const token = this.peek(1);
    this.consume(0, T.Str);
    const parts: StringPart[] = [];
    this.#pushText(parts, token);
    return { kind: "string", parts, span: this.spanOf(token) };
  }

  #pushText(parts: StringPart[], token: Token): void {
    const { text, start, end } = textValueOf(token);
    if (text !== "") parts.push({ kind: "text", text, span: { source: this.source, start, end } });
  }

  #stringWithHoles(): StringLiteral {
    const head = this.peek(1);
    this.consume(0, T.StrHead);
    const parts: StringPart[] = [];
    this.#pushText(parts, head);
    this.#hole(parts, 0);
    this.repeat(
      0,
      () => this.isNext(T.StrMiddle),
      () => {
        this.consume(0, T.StrMiddle);
        this.#closeHole(parts);
        this.#hole(parts, 1);
      },
    );
    const tail = this.need(0, T.StrTail, "`}` at the end of the hole", { also: [{ span: this.spanOf(head), text: "in this string" }] });
    this.#closeHole(parts);
    return { kind: "string", parts, span: { source: this.source, start: head.startOffset, end: tail.endOffset + 1 } };
  }

  #hole(parts: StringPart[], index: number): void {
    const brace = this.peek(0).endOffset;
    const next = this.peek(1);
    if (next.tokenType === T.StrMiddle || next.tokenType === T.StrTail) {
      throw this.faultAt(next, "E0109", "a hole in a string holds an expression", "empty hole", { help: "a brace in a text is written twice: `{{`" });
    }
    const expr = this.bracketed(() => this.subrule(index, this.expr));
    parts.push({ kind: "hole", expr, format: null, span: { source: this.source, start: brace, end: brace } });
  }

  /** The piece of text after a hole brings the hole's format and end. */
  #closeHole(parts: StringPart[]): void {
    const piece = this.peek(0);
    const { format, start } = textValueOf(piece);
    const last = parts.pop();
    if (last?.kind === "hole") {
      const span: Span = { source: this.source, start: last.span.start, end: start };
      parts.push({ kind: "hole", expr: last.expr, format, span });
    }
    this.#pushText(parts, piece);
  }

  /** A string without holes, where a name or a path is wanted before anything runs. */
  protected needPlainString(index: number, what: string): StringLiteral {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE && token.tokenType !== T.Str) {
      if (token.tokenType === T.StrHead)
        throw this.faultAt(token, "E0211", `${what} cannot have holes`, "has a hole", { help: "a brace in a text is written twice: `{{`" });
      throw this.expected(what);
    }
    this.consume(index, T.Str);
    const parts: StringPart[] = [];
    this.#pushText(parts, token);
    return { kind: "string", parts, span: this.spanOf(token) };
  }
}

export function startsExpression(token: Token): boolean {
  return startsOperand[token.tokenTypeIdx] === 1;
}

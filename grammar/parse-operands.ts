// Rules for operands: what stands between operators. An operand is a primary (a name, a literal, something in brackets, an `if`), with prefixes
// before it and members, calls, indexes, fields and casts behind it. Those are read by loops over tokens, not by a rule each: most operands
// are one token long. Lines: outside brackets a line that begins with `(` or `[` begins a new statement.

import type { IOrAlt, TokenType } from "chevrotain";
import type { Expr, Name, TypeExpr, UnaryOp } from "./ast.ts";
import type { Rule } from "./parse-core.ts";
import { StringParser } from "./parse-strings.ts";
import { typeStarts } from "./parse-types.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

/** By Chevrotain's index of the token type: this is asked before every operand. */
const startsOperand = new Uint8Array(256);
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

/** Where an operand stands in other languages. */
const helpWithOperand: ReadonlyMap<TokenType, string> = new Map([
  [T.Match, "`match` is a statement: assign to a variable in its arms, or `return` from them"],
  [T.Dot, "a member stands behind its enum or value: `Color.green`"],
]);

const noBytes = new Uint8Array(0);
/** Stands for an operand while the grammar is recorded. */
const placeholder: Expr = { kind: "bool", value: false, span: { source: { path: "", text: "" }, start: 0, end: 0 } };

export function startsExpression(token: Token): boolean {
  return startsOperand[token.tokenTypeIdx] === 1;
}

export function integerOf(token: Token): bigint {
  return typeof token.value === "bigint" ? token.value : 0n;
}

export abstract class OperandParser extends StringParser {
  /** An expression whose `{` belongs to the statement: no bare struct literals. */
  protected condition(index: number): Expr {
    const outer = this.structsAllowed;
    this.structsAllowed = false;
    const expr = this.subrule(index, this.expr);
    this.structsAllowed = outer;
    return expr;
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
    if (!this.RECORDING_PHASE && !startsExpression(first)) throw this.#noOperand(first);
    if (first.tokenType === T.Star && this.#isDoubled(T.Star, first)) {
      throw this.faultAt(first, "E0202", "there is no `**` operator", "not an operand", { help: "a power of two is a shift: `1 << 8`" });
    }
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
    if (token.tokenType === T.Plus && this.#isDoubled(T.Plus, token)) {
      return this.faultAt(token, "E0202", "there is no `++` operator", "not an operand", { help: "write `+= 1`" });
    }
    if (this.#isDoubled(T.Minus, this.peek(0))) {
      return this.faultAt(this.peek(0), "E0202", "there is no `--` operator", "not an operand", { help: "write `-= 1`" });
    }
    if (token.tokenType === T.Greater && this.peek(0).tokenType === T.LessEqual && this.isAdjacent(this.peek(0), token)) {
      return this.faultAt(token, "E0202", "there is no `<=>` operator", "not an operand", { help: "compare by `<` and `==`" });
    }
    if (token.tokenType === T.At) {
      return this.faultAt(token, "E0202", "expected an expression, found `@`", "not an operand", {
        help: 'attributes stand before a test; a module of the library comes by `use pci`, another file by `use "./other.gspec"`',
      });
    }
    if (token.newline && this.currIdx >= 0) return this.expected("an expression", {}, "E0202");
    const help = helpWithOperand.get(token.tokenType);
    return this.faultAt(token, "E0202", `expected an expression, found ${this.describe(token)}`, "not an operand", help === undefined ? {} : { help });
  }

  /** The second of two marks that touch: an operator of other languages. */
  #isDoubled(type: TokenType, second: Token): boolean {
    const first = this.tokens[this.tokens.indexOf(second, Math.max(0, this.currIdx - 1)) - 1];
    return second.tokenType === type && first?.tokenType === type && this.isAdjacent(first, second);
  }

  #named(): Expr {
    const token = this.peek(1);
    if (!this.RECORDING_PHASE) this.judgeMacro(token);
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

  #parenthesized(): Expr {
    const open = this.peek(1);
    this.consume(0, T.LParen);
    const inside = this.bracketed(() => {
      const expr = this.subrule(0, this.expr);
      const isTuple = this.peek(1).tokenType === T.Comma;
      this.needClose(0, T.RParen, open, isTuple ? { help: "there are no tuples: a struct holds several values" } : {});
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
    if (!this.RECORDING_PHASE && this.isNext(T.Less)) throw this.expected("a member's name", { help: "there are no generic types and functions" });
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
}

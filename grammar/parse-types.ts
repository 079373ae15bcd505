// Rules for types. They stand under those of expressions, since a type may be a value (`size_of(*u8)`), and hold expressions themselves: the length of an
// array. What other languages write instead is reported and read as what was meant.

import type { IOrAlt, TokenType } from "chevrotain";
import type { Expr, Name, TypeExpr } from "./ast.ts";
import type { Rule } from "./parse-core.ts";
import { RecoveringParser } from "./parse-recovery.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

/** What begins a type of other languages. */
const foreignTypes: ReadonlyMap<TokenType, { readonly help: string }> = new Map([
  [T.Ampersand, { help: "a pointer's type is `*T`" }],
  [T.LParen, { help: "there are no tuples: a `struct` holds several values; and a number becomes a pointer by `0x1000 as *u32`" }],
  [T.Const, { help: "a pointer's type is `*T`" }],
]);

export const typeStarts: ReadonlySet<TokenType> = new Set([T.Ident, T.LSquare, T.Star, T.Fn]);

export abstract class TypeParser extends RecoveringParser {
  /** Types hold expressions, and expressions hold types. */
  abstract readonly expr: Rule<Expr>;

  // ---- Types ----

  readonly type: Rule<TypeExpr> = this.RULE("type", (): TypeExpr => {
    const first = this.peek(1);
    if (!this.RECORDING_PHASE && !typeStarts.has(first.tokenType)) throw this.expected("a type", foreignTypes.get(first.tokenType) ?? {}, "E0209");
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
}

// Rules for strings: pieces of text, and between them holes with expressions. The scanner has found where the holes are; a hole's format comes with the
// piece of text behind it.

import type { IOrAlt } from "chevrotain";
import type { StringLiteral, StringPart } from "./ast.ts";
import type { Rule } from "./parse-core.ts";
import { TypeParser } from "./parse-types.ts";
import type { Span } from "./source.ts";
import * as T from "./tokens.ts";
import type { TextValue, Token } from "./tokens.ts";

const emptyText: TextValue = { text: "", start: 0, end: 0, format: null };

function textValueOf(token: Token): TextValue {
  const { value } = token;
  return value === null || typeof value === "bigint" || value instanceof Uint8Array ? emptyText : value;
}

export abstract class StringParser extends TypeParser {
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

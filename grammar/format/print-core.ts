// The layout that all of the printer shares: comments, which are taken as the text is passed, lists of elements below each other, headers,
// braces, and expressions that may break. Statements (print-statements.ts) and declarations (print-source.ts) extend it, as the parser's rules
// extend each other.

import type { Comment, Expr } from "../ast.ts";
import { positionAt, type Source, type Span } from "../source.ts";
import { pad, type PrintContext, printExpr } from "./print-expressions.ts";

/** Something in a list that gets lines of its own. */
export interface Element {
  readonly start: number;
  readonly end: number;
  /** Prints it, taking the comments inside it. Several lines are joined by `\n`, the later ones with their indent. */
  readonly print: () => string;
}

export class PrintCore {
  protected readonly context: PrintContext;
  protected readonly source: Source;
  readonly #comments: readonly Comment[];
  /** Index of the first comment not printed yet. */
  #next = 0;

  constructor(source: Source, comments: readonly Comment[]) {
    this.source = source;
    this.#comments = comments;
    this.context = { source, comments };
  }

  protected lineOf(offset: number): number {
    return positionAt(this.source, offset).line;
  }

  protected hasCommentsBefore(offset: number): boolean {
    const comment = this.#comments[this.#next];
    return comment !== undefined && comment.span.start < offset;
  }

  protected takeBefore(offset: number): Comment[] {
    const taken: Comment[] = [];
    for (let comment = this.#comments[this.#next]; comment !== undefined && comment.span.start < offset; comment = this.#comments[++this.#next])
      taken.push(comment);
    return taken;
  }

  /** The comments of an expression that is printed as written are part of its text. */
  protected passExpr(span: Span): void {
    this.takeBefore(span.end);
  }

  /** Elements one below the other with the comments between them, up to the offset `end`; `openLine` is the line of the bracket before. */
  protected lines(
    elements: readonly Element[],
    indent: number,
    openLine: number,
    end: number,
    areSpaced: boolean,
  ): { readonly head: string; readonly lines: string[] } {
    const lines: string[] = [];
    let head = "";
    let previousLine = openLine;
    let wasTall = false;
    const put = (text: string, line: number, needsBlank: boolean): void => {
      if (lines.length > 0 && (line > previousLine + 1 || needsBlank)) lines.push("");
      lines.push(pad(indent) + text);
    };
    const comments = (upTo: number): boolean => {
      let isFirst = true;
      for (const comment of this.takeBefore(upTo)) {
        const line = this.lineOf(comment.span.start);
        const last = lines.length - 1;
        if (!comment.ownLine && line === previousLine && last >= 0) lines[last] = `${lines[last]} ${comment.text}`;
        else if (!comment.ownLine && line === openLine && last < 0 && openLine > 0 && head === "") head = ` ${comment.text}`;
        else {
          put(comment.text, line, isFirst && wasTall);
          isFirst = false;
        }
        previousLine = line;
      }
      return !isFirst;
    };
    for (const element of elements) {
      const hasLeading = comments(element.start);
      const text = element.print();
      const isTall = areSpaced && text.includes("\n");
      put(text, this.lineOf(element.start), !hasLeading && (isTall || wasTall));
      previousLine = this.lineOf(Math.max(element.start, element.end - 1));
      wasTall = isTall;
    }
    comments(end);
    return { head, lines };
  }

  /** Comments inside a header come out before it. */
  protected header(text: string, until: number, indent: number): string {
    const comments = this.takeBefore(until);
    return comments.map((comment) => `${comment.text}\n${pad(indent)}`).join("") + text;
  }

  /** `{ .. }` around lines. */
  protected braces(elements: readonly Element[], span: Span, indent: number): string {
    const { head, lines } = this.lines(elements, indent + 2, this.lineOf(span.start), span.end, false);
    if (lines.length === 0) return head === "" ? "{}" : `{${head}\n${pad(indent)}}`;
    return `{${head}\n${lines.join("\n")}\n${pad(indent)}}`;
  }

  protected isOneLine({ start, end }: { readonly start: number; readonly end: number }): boolean {
    const at = this.source.text.indexOf("\n", start);
    return at === -1 || at >= end;
  }

  /** Where the braces of a declaration open: after all of its header. */
  protected braceAfter(offset: number): number {
    const found = this.source.text.indexOf("{", offset);
    return found === -1 ? offset : found;
  }

  protected withValue(head: string, value: Expr, indent: number): string {
    const before = this.header(head, value.span.start, indent);
    const text = before + this.expr(value, indent, indent + head.length);
    return text;
  }

  protected expr(expr: Expr, indent: number, column: number, tail = 0): string {
    const text = printExpr(this.context, expr, indent, column, tail);
    this.passExpr(expr.span);
    return text;
  }

  protected hasCommentsInside({ start, end }: Span): boolean {
    return this.#comments.some(({ span }) => span.start >= start && span.start < end);
  }

  /** What `print` makes if `isGood`; else null, and the comments that it took are there again. */
  protected attempt(print: () => string, isGood: (text: string) => boolean): string | null {
    const saved = this.#next;
    const text = print();
    if (isGood(text)) return text;
    this.#next = saved;
    return null;
  }
}

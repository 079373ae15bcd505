// Where a rule that gave up goes on: at the next statement, line or declaration, judging by lines, columns and braces, for these are what is
// still right in most broken texts. Nothing in here reports; `guarded` of parse-core.ts has done that.

import type { TokenType } from "chevrotain";
import { foreignContinuations } from "./foreign-words.ts";
import { openers, ParserCore } from "./parse-core.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

const closers: ReadonlySet<TokenType> = new Set([T.RParen, T.RSquare]);
/** Reserved words that only ever start a statement. (`if` may stand in an expression, `var` starts declarations, too.) */
export const statementWords: readonly TokenType[] = [T.Let, T.While, T.For, T.Match, T.Return, T.Break, T.Continue, T.Expect, T.Assert];
/** Reserved words that only ever start a statement or a declaration: a line that begins so is a new one whatever brackets are open. */
const startWords: ReadonlySet<TokenType> = new Set([...statementWords, T.Var, T.Const, T.Fn, T.Struct, T.Enum]);
/** Those of them that start a declaration wherever they stand. */
const itemWords: ReadonlySet<TokenType> = new Set([T.Var, T.Const, T.Fn, T.Struct, T.Enum]);

/** Brackets that are open, curly and other ones. */
interface Nesting {
  curly: number;
  other: number;
}

/** Past a token: closing brackets that nothing opened close nothing. */
function step(open: Nesting, type: TokenType): void {
  if (type === T.LCurly) open.curly++;
  else if (type === T.RCurly) open.curly = Math.max(0, open.curly - 1);
  else if (openers.has(type)) open.other++;
  else if (closers.has(type)) open.other = Math.max(0, open.other - 1);
}

export abstract class RecoveringParser extends ParserCore {
  protected isAtColumnOne(token: Token): boolean {
    return token.startOffset === 0 || this.source.text.charCodeAt(token.startOffset - 1) === 10;
  }

  /** A declaration's first words at the very start of a line: nothing else looks so, even where braces do not balance. */
  protected isItemBoundary(): boolean {
    const token = this.peek(1);
    if (!token.newline || !this.isAtColumnOne(token)) return false;
    const next = this.peek(2);
    const isNamed = next.tokenType === T.Ident && !next.newline;
    switch (token.tokenType) {
      case T.Fn:
        // A method is a member wherever its line begins.
        return isNamed && !(this.peek(3).tokenType === T.LParen && this.peek(4).image === "self");
      case T.Struct:
      case T.Enum:
      case T.Const:
        return isNamed;
      case T.Ident:
        break;
      default:
        return false;
    }
    switch (token.image) {
      case "test":
      case "litmus":
        return !next.newline && (next.tokenType === T.Str || next.tokenType === T.StrHead);
      case "suite":
        return !next.newline && (next.tokenType === T.Str || next.tokenType === T.Ident);
      case "regs":
      case "table":
      case "interface":
      case "fake":
      case "device":
      case "use":
        return isNamed || (token.image === "use" && next.tokenType === T.Str);
      case "fixture":
        return next.tokenType === T.LCurly;
      default:
        return false;
    }
  }

  /** Between two tokens. */
  #nesting(from: number, to: number): Nesting {
    const open: Nesting = { curly: 0, other: 0 };
    for (let i = from + 1; i <= to; i++) {
      const type = this.tokens[i]?.tokenType;
      if (type !== undefined) step(open, type);
    }
    return open;
  }

  /** To the next statement: past `;`, past the block that a broken head opens, or to the next line; never past the enclosing `}`. */
  protected skipStatement(from: number): void {
    const open = this.#nesting(from, this.currIdx);
    let isFirst = this.currIdx === from;
    while (true) {
      const token = this.peek(1);
      const type = token.tokenType;
      if (type === T.EndOfFile || this.isItemBoundary()) return;
      if (open.curly === 0 && type === T.RCurly) return;
      if (open.curly === 0 && !isFirst && token.newline && (open.other === 0 || startWords.has(type))) return;
      isFirst = false;
      this.SKIP_TOKEN();
      step(open, type);
      if (open.curly > 0) continue;
      if (type === T.Semi) return;
      if (type === T.RCurly) {
        if (open.other > 0) this.#skipClosers();
        open.other = 0;
        if (!this.#isBlockGoingOn(from)) return;
      }
    }
  }

  /** Behind the `}` of a block: `})` and `});` close what was opened before it. */
  #skipClosers(): void {
    while (!this.peek(1).newline && (closers.has(this.peek(1).tokenType) || this.isNext(T.Semi))) this.SKIP_TOKEN();
  }

  /** Behind the `}` of a statement that began after `from`: `else`, `catch`, the `while` of a `do`. */
  #isBlockGoingOn(from: number): boolean {
    const next = this.peek(1);
    if (next.tokenType === T.While) return this.tokens[from + 1]?.image === "do" && !next.newline;
    return next.tokenType === T.Else || (next.tokenType === T.Ident && foreignContinuations.has(next.image));
  }

  /** To the end of the line, inside the enclosing braces. */
  protected skipLine(from: number): void {
    const open = this.#nesting(from, this.currIdx);
    let isFirst = this.currIdx === from;
    while (true) {
      const token = this.peek(1);
      const type = token.tokenType;
      if (type === T.EndOfFile || this.isItemBoundary()) return;
      if (open.curly === 0 && type === T.RCurly) return;
      if (open.curly === 0 && open.other === 0 && token.newline && !isFirst) return;
      isFirst = false;
      this.SKIP_TOKEN();
      step(open, type);
    }
  }

  /** At the start of a line: an indented statement belongs to the declaration above it, and so does a block. */
  #startsItem(token: Token, openBrackets: number): boolean {
    if (itemWords.has(token.tokenType)) return true;
    if (token.tokenType === T.LCurly || !this.isAtColumnOne(token)) return false;
    return openBrackets === 0 || startWords.has(token.tokenType);
  }

  /** Past the declaration that began after `from`: its braces if it has any, else its lines. */
  protected skipItem(from: number): void {
    let { curly, other } = this.#nesting(from, this.currIdx);
    let isFirst = this.currIdx === from;
    while (true) {
      const token = this.peek(1);
      const type = token.tokenType;
      if (type === T.EndOfFile) return;
      if (!isFirst && this.isItemBoundary()) return;
      if (!isFirst && curly === 0 && token.newline && this.#startsItem(token, other)) return;
      isFirst = false;
      this.SKIP_TOKEN();
      if (type === T.LCurly) curly++;
      else if (type === T.RCurly) {
        curly = Math.max(0, curly - 1);
        if (curly === 0 && !this.isNext(T.Else)) {
          if (other > 0) this.#skipClosers();
          return;
        }
      } else if (openers.has(type)) other++;
      else if (closers.has(type)) other = Math.max(0, other - 1);
    }
  }
}

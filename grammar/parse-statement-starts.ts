// How statements begin. Few words are reserved; a contextual word becomes a keyword token here, at the start of a statement, when what follows it
// shows that it is meant (`cpu 1 {` against `cpu.start()`). So one token chooses the statement's rule. What begins no statement is told
// what it looks like: a word of another language, a misspelt one, a declaration in a block, what is left over from the statement before.

import type { TokenType } from "chevrotain";
import { foreignStatements, typeCalled, typesOfC } from "./foreign-words.ts";
import { nearestName } from "./nearest-name.ts";
import { CheckParser } from "./parse-checks.ts";
import { statementWords } from "./parse-recovery.ts";
import { startsExpression } from "./parse-operands.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

/** When a contextual word starts a statement: judged by the token after it. */
const contextualStarts: ReadonlyMap<string, { readonly type: TokenType; readonly isMeant: (next: Token) => boolean; readonly wants: string }> = new Map([
  ["defer", { type: T.DeferWord, isMeant: (next) => next.tokenType === T.LCurly, wants: "a block" }],
  ["fail", { type: T.FailWord, isMeant: T.isText, wants: "a message between quotes" }],
  ["info", { type: T.InfoWord, isMeant: T.isText, wants: "a message between quotes" }],
  ["warn", { type: T.WarnWord, isMeant: T.isText, wants: "a message between quotes" }],
  [
    "skip",
    {
      type: T.SkipWord,
      isMeant: (next) => T.isText(next) || next.tokenType === T.If || isIdent(next, "unless"),
      wants: "`if`, `unless` or a reason between quotes",
    },
  ],
  ["on", { type: T.OnWord, isMeant: (next) => isIdent(next, "irq"), wants: "`irq`" }],
  ["cpu", { type: T.CpuWord, isMeant: (next) => next.tokenType === T.Int || next.tokenType === T.Ident, wants: "a CPU's number" }],
  ["user", { type: T.UserWord, isMeant: (next) => next.tokenType === T.LCurly, wants: "a block" }],
  ["wait", { type: T.WaitWord, isMeant: (next) => isIdent(next, "until"), wants: "`until`" }],
  ["when", { type: T.WhenWord, isMeant: (next) => isIdent(next, "target"), wants: "`target`" }],
  ["shared", { type: T.SharedWord, isMeant: (next) => next.tokenType === T.Var, wants: "`var`" }],
  ["stub", { type: T.StubWord, isMeant: (next) => next.tokenType === T.Fn || next.tokenType === T.Ident, wants: "`fn` or a function's name" }],
  ["fault", { type: T.LaterWord, isMeant: (next) => next.tokenType === T.Ident, wants: "a device" }],
]);

function isIdent(next: Token, text: string): boolean {
  return next.tokenType === T.Ident && next.image === text;
}

export const statementStarts: ReadonlySet<TokenType> = new Set([
  ...statementWords,
  T.LCurly,
  T.Var,
  T.SharedWord,
  T.If,
  T.DeferWord,
  T.StubWord,
  T.FailWord,
  T.InfoWord,
  T.WarnWord,
  T.SkipWord,
  T.OnWord,
  T.CpuWord,
  T.UserWord,
  T.WaitWord,
  T.WhenWord,
  T.AsmWord,
  T.LaterWord,
]);

const continuing: ReadonlySet<TokenType> = new Set([T.LParen, T.Dot, T.LSquare]);
const itemStarts: ReadonlySet<TokenType> = new Set([T.Fn, T.Const, T.Struct, T.Enum]);

/** Behind a name: `f(..)`, `a.b`, `a[i]`, `a = ..`. */
function readsOn(next: { readonly tokenType: TokenType }): boolean {
  return continuing.has(next.tokenType) || next.tokenType.CATEGORIES?.includes(T.AssignOperator) === true;
}

export abstract class StatementStartParser extends CheckParser {
  /**
   * On the line of another statement, a keyword or what reads as a call or an assignment may begin one without `;`. Any other
   * expression is left over from the statement before.
   */
  protected judgeSeparation(): void {
    const first = this.peek(1);
    const { tokenType: before } = this.peek(0);
    if (first.newline || before === T.Semi || before === T.RCurly || before === T.RawText) return;
    if (statementStarts.has(first.tokenType) || !startsExpression(first)) return;
    const next = this.peek(2);
    if (first.tokenType === T.Ident && !next.newline && contextualStarts.get(first.image)?.isMeant(next) === true) return;
    if (first.tokenType === T.Ident && !next.newline && readsOn(next)) return;
    const word = this.peek(0);
    const help =
      word.image === "mut" && this.peek(-1).tokenType === T.Ampersand
        ? `the address of a variable is \`&${first.image}\``
        : word.image === "lambda"
          ? "there are no functions inside expressions: declare a `fn` and name it here"
          : first.image === "is"
            ? "equality is written `==`"
            : before === T.Ident && /^(raises?|throws?)$/.test(word.image)
              ? "a trap is expected by `expect trap { .. }`"
              : "statements on one line are separated by `;`";
    throw this.faultAt(first, "E0201", `expected a new line or \`;\` after the statement, found ${this.describe(first)}`, "left over", { help });
  }

  /** Turns a contextual word into its keyword, and says what is wrong with a token that starts no statement. */
  protected judgeStart(first: Token): void {
    const next = this.peek(2);
    if (first.tokenType === T.Ident) {
      this.judgeMacro(first);
      const contextual = contextualStarts.get(first.image);
      if (contextual !== undefined && !next.newline && contextual.isMeant(next)) {
        this.retype(first, contextual.type);
        if (contextual.type === T.LaterWord) throw this.notYet(first);
      } else if (!next.newline && (this.#isForeignBlock(first) || !this.#isExpressionGoingOn(first, next))) throw this.#unknownStatement(first, next);
      return;
    }
    if (first.tokenType === T.Assert) this.judgeMacro(first);
    if (statementStarts.has(first.tokenType) || (startsExpression(first) && first.tokenType !== T.Fn)) return;
    const { tokenType: type } = first;
    if (type === T.Else) throw this.faultAt(first, "E0204", "`else` without `if`", "no `if` before it", { help: "`else` follows the `}` of its `if`" });
    if (itemStarts.has(type)) {
      const help = type === T.Const ? "inside a block write `let`" : "move it out of the block";
      throw this.faultAt(first, "E0213", `\`${first.image}\` declares something at file level, not inside a block`, "inside a block", { help });
    }
    if (type === T.RCurly || type === T.RParen || type === T.RSquare) {
      throw this.faultAt(first, "E0206", `\`${first.image}\` closes nothing`, "no bracket is open here");
    }
    const help = this.#helpForLeftOver(type);
    throw this.faultAt(first, "E0204", `expected a statement, found ${this.describe(first)}`, "no statement starts so", help === null ? {} : { help });
  }

  /** A mark behind what reads as a whole statement. */
  #helpForLeftOver(type: TokenType): string | null {
    const { tokenType: before } = this.peek(0);
    if (type === T.Equal && this.isAdjacent(this.peek(1), this.peek(2)) && this.peek(2).tokenType === T.Greater) {
      return "there are no functions inside expressions: declare a `fn` and name it here";
    }
    if (type === T.Equal) return "equality is written `==`";
    if (type === T.At) return "registers at an address are `Uart at 0x1000`";
    if (type === T.Comma && (before === T.Str || before === T.StrTail)) return 'values go into the text: `"v is {v:x}"`';
    if (type === T.Colon) return 'a block stands between braces, and the message of a check behind a comma: `expect a == b, "why"`';
    return null;
  }

  /** `switch (x) {`, `try {`: a word of another language that takes a block, and no call. */
  #isForeignBlock(first: Token): boolean {
    if (!foreignStatements.has(first.image)) return false;
    let at = 2;
    for (let depth = 0; this.peek(at).tokenType === T.LParen || depth > 0; at++) {
      const { tokenType: type } = this.peek(at);
      if (type === T.EndOfFile) return false;
      depth += type === T.LParen ? 1 : type === T.RParen ? -1 : 0;
    }
    return this.peek(at).tokenType === T.LCurly && !this.peek(at).newline && this.peek(at + 1).newline;
  }

  protected retype(token: Token, type: TokenType): void {
    token.tokenType = type;
    token.tokenTypeIdx = type.tokenTypeIdx ?? 0;
  }

  protected notYet(word: Token): Error {
    const meanwhile = T.laterWords.get(word.image);
    return this.faultAt(
      word,
      "E0290",
      `\`${word.image}\` is not supported yet`,
      "comes in a later version",
      meanwhile === undefined ? {} : { help: meanwhile },
    );
  }

  /** After a name that starts a statement, on the same line: anything but another operand or a block. */
  #isExpressionGoingOn(first: Token, next: Token): boolean {
    switch (next.tokenType) {
      case T.Ident:
        return next.image === "as" || next.image === "at";
      case T.LCurly:
        if (foreignStatements.has(first.image)) return false;
        return this.peek(3).tokenType === T.RCurly || this.peek(4).tokenType === T.Colon;
      case T.Colon:
        throw this.faultAt(
          first,
          "E0204",
          "a variable is declared with `let` or `var`",
          "a name and a type declare nothing",
          this.peek(3).tokenType === T.Equal && this.isAdjacent(next, this.peek(3))
            ? { help: `write \`var ${first.image} = ..\`, or \`let\` for what does not change` }
            : {
                help: `write \`var ${first.image}: ..\``,
                fix: { span: { source: this.source, start: first.startOffset, end: first.startOffset }, text: "var " },
              },
        );
      case T.Int:
      case T.Duration:
      case T.Bytes:
      case T.Str:
      case T.StrHead:
      case T.True:
      case T.False:
      case T.Not:
        return next.tokenType === T.Not && this.peek(3).tokenType === T.In;
      default:
        // A keyword that starts the next statement of the line may follow a whole statement, but a name alone is none.
        return !statementStarts.has(next.tokenType);
    }
  }

  /** `u32`, or `[16]u8` of `u8 buffer[16]`. */
  #typeBehind(type: Token): string {
    const [open, length, close] = [this.peek(3), this.peek(4), this.peek(5)];
    const isArray = open.tokenType === T.LSquare && length.tokenType === T.Int && close.tokenType === T.RSquare;
    return `${isArray ? `[${length.image}]` : ""}${typeCalled(type.image)}`;
  }

  #unknownStatement(first: Token, next: Token): Error {
    const wanted = contextualStarts.get(first.image)?.wants;
    if (wanted !== undefined) {
      return this.faultAt(
        next,
        "E0201",
        `expected ${wanted} after \`${first.image}\`, found ${this.describe(next)}`,
        `expected ${wanted}`,
        first.image === "wait" && next.tokenType === T.Duration
          ? { help: `to let time pass is \`time.sleep(${next.image})\`` }
          : first.image === "defer"
            ? { help: "also a single call has braces: `defer { release(p) }`" }
            : {},
      );
    }
    if (typesOfC.test(first.image) && next.tokenType === T.Ident) {
      return this.faultAt(first, "E0204", "a variable is declared with `let` or `var`", "a type and a name declare nothing", {
        help: `write \`var ${next.image}: ${this.#typeBehind(first)}\``,
      });
    }
    const message = `\`${first.image}\` starts no statement`;
    const foreign = foreignStatements.get(first.image);
    if (foreign !== undefined) return this.faultAt(first, "E0204", message, "unknown word", { help: foreign.help });
    if (first.tokenType === T.AsmWord || first.image === "asm") {
      return this.faultAt(first, "E0204", "`asm` names its target", "no target", {
        help: "write `asm riscv64 { .. }`, inside of `when target riscv64 { .. }`",
      });
    }
    const near = nearestName(first.image, T.statementWords);
    if (near === undefined)
      return this.faultAt(next, "E0204", `expected an operator or a new line after \`${first.image}\`, found ${this.describe(next)}`, "cannot follow a name");
    return this.faultAt(first, "E0204", message, "unknown word", { help: `did you mean \`${near}\`?`, fix: { span: this.spanOf(first), text: near } });
  }
}

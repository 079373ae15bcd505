// Rules for checks: conditions, traps, calls and lines of the log that are expected. They stand apart from the other statements because
// each tells by a few words of its own which one it is, and because of statements they need blocks only.

import type { Block, CheckStmt, ExpectCallStmt, ExpectedCall, ExpectLogStmt, ExpectTrapStmt, Expr, Name, Stmt, StringLiteral } from "./ast.ts";
import type { Rule } from "./parse-core.ts";
import { ExpressionParser } from "./parse-expressions.ts";
import * as T from "./tokens.ts";

export abstract class CheckParser extends ExpressionParser {
  /** Statements hold checks, and checks hold statements. */
  abstract readonly block: Rule<Block>;

  readonly check: Rule<Stmt> = this.RULE("check", (): Stmt => {
    if (this.RECORDING_PHASE) {
      this.or(0, [{ ALT: () => this.consume(0, T.Expect) }, { ALT: () => this.consume(0, T.Assert) }]);
      return this.or(1, [
        { ALT: () => this.subrule(0, this.conditionCheck), IGNORE_AMBIGUITIES: true },
        { ALT: () => this.subrule(0, this.trapCheck), IGNORE_AMBIGUITIES: true },
        { ALT: () => this.subrule(0, this.callCheck), IGNORE_AMBIGUITIES: true },
        { ALT: () => this.subrule(0, this.logCheck) },
      ]);
    }
    const keyword = this.peek(1);
    const word = keyword.tokenType === T.Assert ? "assert" : "expect";
    this.CONSUME(keyword.tokenType);
    const stmt: CheckStmt | ExpectTrapStmt | ExpectCallStmt | ExpectLogStmt = this.#isTrapNext()
      ? this.subrule(0, this.trapCheck)
      : this.#isCallNext()
        ? this.subrule(0, this.callCheck)
        : this.#isLogNext()
          ? this.subrule(0, this.logCheck)
          : this.subrule(0, this.conditionCheck);
    return { ...stmt, word, span: this.spanFrom(keyword.startOffset) };
  });

  /** `[no] trap` and then a trap's class, `as` with a block, or a block: not a variable called `trap` or `no`. */
  #isTrapNext(): boolean {
    const first = this.peek(1);
    const distance = this.isWord(first, "no") ? 2 : 1;
    if (!this.isWord(this.peek(distance), "trap")) return false;
    const next = this.peek(distance + 1);
    if (distance === 2 || next.tokenType === T.LCurly) return true;
    if (next.newline || next.tokenType !== T.Ident || next.image === "within" || next.image === "at") return false;
    return next.image !== "as" || this.peek(distance + 3).tokenType === T.LCurly;
  }

  /** `[no] call` and a name on the same line: not a variable called `call` or `no`. */
  #isCallNext(): boolean {
    const distance = this.isWord(this.peek(1), "no") ? 2 : 1;
    const next = this.peek(distance + 1);
    if (!this.isWord(this.peek(distance), "call") || next.newline || next.tokenType !== T.Ident) return false;
    return next.image !== "as" && next.image !== "at" && next.image !== "within";
  }

  readonly callCheck: Rule<ExpectCallStmt> = this.RULE("callCheck", (): ExpectCallStmt => {
    const negated = this.isWord(this.peek(1), "no");
    this.when(0, negated, () => this.needWord(0, "no"));
    this.needWord(1, "call");
    const calls = [this.subrule(0, this.expectedCall)];
    this.repeat(
      0,
      () => this.isWord(this.peek(1), "then"),
      () => {
        this.needWord(2, "then");
        calls.push(this.subrule(1, this.expectedCall));
      },
    );
    const message = this.#message();
    return { kind: "expect-call", word: "expect", negated, calls, message, span: this.spanFrom(0) };
  });

  readonly expectedCall: Rule<ExpectedCall> = this.RULE("expectedCall", (): ExpectedCall => {
    const callee = this.subrule(0, this.expr);
    let returns: Expr | null = null;
    let times: Expr | null = null;
    this.when(0, this.isWord(this.peek(1), "returns"), () => {
      this.needWord(0, "returns");
      returns = this.subrule(1, this.expr);
    });
    this.when(1, this.isWord(this.peek(1), "times"), () => {
      this.needWord(1, "times");
      times = this.subrule(2, this.expr);
    });
    return { callee, returns, times, span: this.spanFrom(this.RECORDING_PHASE ? 0 : callee.span.start) };
  });

  /** `[no] log "pattern"`: behind a variable of that name no text can stand. */
  #isLogNext(): boolean {
    const distance = this.isWord(this.peek(1), "no") ? 2 : 1;
    return this.isWord(this.peek(distance), "log") && T.isText(this.peek(distance + 1));
  }

  readonly logCheck: Rule<ExpectLogStmt> = this.RULE("logCheck", (): ExpectLogStmt => {
    const { startOffset } = this.peek(1);
    const negated = this.isWord(this.peek(1), "no");
    this.when(0, negated, () => this.needWord(0, "no"));
    this.needWord(1, "log");
    const pattern = this.subrule(0, this.string);
    let binding: Name | null = null;
    this.when(1, this.isWord(this.peek(1), "as"), () => {
      this.needWord(2, "as");
      binding = this.needName(3, "a variable's name");
    });
    const body = this.subrule(0, this.block);
    const message = this.#message();
    return { kind: "expect-log", word: "expect", negated, pattern, binding, body, message, span: this.spanFrom(startOffset) };
  });

  readonly conditionCheck: Rule<CheckStmt> = this.RULE("conditionCheck", (): CheckStmt => {
    const condition = this.subrule(0, this.expr);
    if (!this.RECORDING_PHASE && this.isNext(T.Equal) && this.isAdjacent(this.peek(1), this.peek(2)) && this.peek(2).tokenType === T.Greater)
      throw this.expected("`>=`", { help: "`=>` is written `>=`" });
    if (!this.RECORDING_PHASE && this.isNext(T.Equal)) throw this.expected("`==`", { help: "`=` assigns; equality is written `==`" });
    if (!this.RECORDING_PHASE && !this.peek(1).newline && T.isText(this.peek(1))) {
      throw this.expected("a new line, or `,` and a message", { help: 'a message stands behind a comma: `expect a == b, "why"`' });
    }
    const { within, message } = this.checkTail();
    return { kind: "check", word: "expect", condition, within, message, span: this.spanFrom(0) };
  });

  /** `[within d] [, "message"]`. */
  protected checkTail(): { within: Expr | null; message: StringLiteral | null } {
    let within: Expr | null = null;
    this.when(8, this.atWithin(), () => {
      this.consume(8, T.Ident);
      within = this.subrule(8, this.expr);
    });
    return { within, message: this.#message() };
  }

  #message(): StringLiteral | null {
    let message: StringLiteral | null = null;
    this.when(9, this.isNext(T.Comma), () => {
      this.consume(9, T.Comma);
      const next = this.peek(1);
      if (!this.RECORDING_PHASE && !T.isText(next)) {
        const help =
          next.tokenType === T.Duration
            ? "a time limit is `within 1ms`"
            : 'behind a comma stands the message of a check: `expect a == b, "why"`, with values in holes: `"v is {v:x}"`';
        throw this.expected("a message between quotes", { help });
      }
      message = this.subrule(9, this.string);
    });
    return message;
  }

  readonly trapCheck: Rule<ExpectTrapStmt> = this.RULE("trapCheck", (): ExpectTrapStmt => {
    const { startOffset } = this.peek(1);
    const negated = this.isWord(this.peek(1), "no");
    this.when(0, negated, () => this.needWord(0, "no"));
    this.needWord(1, "trap");
    let trap: { module: Name | null; name: Name } | null = null;
    const fields: { name: Name; value: Expr }[] = [];
    const next = this.peek(1);
    if (negated && next.tokenType !== T.LCurly) throw this.expected("`{` after `no trap`", { help: "any trap fails it: it takes neither a class nor a name" });
    this.when(1, next.tokenType === T.Ident && next.image !== "as", () => {
      let name = this.needName(2, "a trap's class");
      let module: Name | null = null;
      this.when(2, this.isNext(T.Dot), () => {
        this.consume(0, T.Dot);
        module = name;
        name = this.needAnyWord(0, "a trap's class");
      });
      trap = { module, name };
      const open = this.peek(1);
      this.when(3, open.tokenType === T.LParen, () => {
        this.consume(0, T.LParen);
        const outer = this.inBrackets;
        this.inBrackets = true;
        this.commaList(4, T.RParen, () => {
          const field = this.needAnyWord(1, "a trap's field");
          this.need(0, T.Colon);
          fields.push({ name: field, value: this.subrule(0, this.expr) });
        });
        this.needClose(0, T.RParen, open);
        this.inBrackets = outer;
      });
    });
    let binding: Name | null = null;
    this.when(5, this.isWord(this.peek(1), "as"), () => {
      this.needWord(3, "as");
      binding = this.needName(4, "a variable's name");
    });
    const body = this.subrule(0, this.block);
    const message = this.#message();
    return { kind: "expect-trap", word: "expect", negated, trap, fields, binding, body, message, span: this.spanFrom(startOffset) };
  });
}

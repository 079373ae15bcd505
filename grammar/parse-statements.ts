// Rules for blocks and statements. A statement is guarded: when it does not parse it is reported, left out of its block (which is
// then marked broken), and the next one is read. Which statement it is shows by its first token, which parse-statement-starts.ts has made
// a keyword where a contextual word was meant.

import type { IOrAlt } from "chevrotain";
import type { ArithmeticOp, AssignStmt, Block, Expr, IfStmt, MatchStmt, Name, NamedType, Param, SkipStmt, Stmt, TypeExpr } from "./ast.ts";
import type { FaultDetails, Rule } from "./parse-core.ts";
import { nameAndType, typeCalled } from "./foreign-words.ts";
import { MachineStatementParser } from "./parse-machine-statements.ts";
import { statementStarts } from "./parse-statement-starts.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

type MatchArm = MatchStmt["arms"][number];

const NEEDS_BRACES: FaultDetails = { help: "a block has braces, also one of a single statement" };

export class StatementParser extends MachineStatementParser {
  /** Parameters and result; `owner` is what `self` points to. */
  readonly signature = this.RULE("signature", (owner: NamedType | null): { params: readonly Param[]; result: TypeExpr | null } => {
    const open = this.need(
      0,
      T.LParen,
      "`(` and the parameters",
      this.isNext(T.Less) ? { help: "there are no generic functions: write one for each type, or take an interface" } : undefined,
    );
    const params: Param[] = [];
    this.commaList(0, T.RParen, () => params.push(this.#param(owner)));
    if (!this.RECORDING_PHASE && this.isNext(T.Equal)) {
      throw this.expected("`,` or `)`", { help: "a parameter has no value of its own: each call gives all of them" });
    }
    this.needClose(0, T.RParen, open);
    let result: TypeExpr | null = null;
    this.when(1, this.isNext(T.Arrow), () => {
      this.consume(0, T.Arrow);
      result = this.subrule(0, this.type);
    });
    if (
      !this.RECORDING_PHASE &&
      result === null &&
      (this.isNext(T.Colon) || (this.isNext(T.Ident) && !this.isWord(this.peek(1), "on") && !this.peek(1).newline))
    ) {
      throw this.expected("`->` and the result's type, or `{`", { help: "what a function gives back is `fn f(a: u32) -> u32 { .. }`" });
    }
    return { params, result };
  });

  /** `name: T`; in a method the first one may be `self`, whose type is a pointer to the struct. */
  #param(owner: NamedType | null): Param {
    const name = this.needName(2, "a parameter's name");
    let type: TypeExpr | null = null;
    this.when(3, owner === null || name.text !== "self" || this.isNext(T.Colon), () => {
      const next = this.peek(1);
      const isTypeFirst = next.tokenType === T.Ident && !next.newline;
      this.need(0, T.Colon, "`:` and the parameter's type", isTypeFirst ? { help: `write \`${nameAndType(name.text, next.image)}\`` } : {});
      type = this.subrule(1, this.type);
    });
    if (type !== null || owner === null) return { name, type: type ?? this.typeNamed(null, name) };
    const target = { ...owner, name: { ...owner.name, span: name.span }, span: name.span };
    return { name, type: { kind: "pointer-type", target, span: name.span } };
  }

  protected typeNamed(module: Name | null, name: Name): NamedType {
    return { kind: "named-type", module, name, span: this.RECORDING_PHASE ? this.spanFrom(0) : name.span };
  }

  /** Statements up to the end of the text: the code of a YAML cell. */
  readonly statements: Rule<Block> = this.RULE("statements", (): Block => {
    const list: Stmt[] = [];
    const errors = this.errorCount;
    const { start } = this.#wholeRange();
    this.repeat(
      0,
      () => !this.isNext(T.EndOfFile),
      () => this.#statementInto(list, false),
    );
    const span = { source: this.source, start, end: this.#wholeRange().end };
    return { kind: "block", statements: list, span, ...(this.errorCount > errors ? { broken: true } : {}) };
  });

  #wholeRange(): { start: number; end: number } {
    return { start: this.tokens[0]?.startOffset ?? 0, end: this.peek(0).endOffset + 1 };
  }

  readonly block: Rule<Block> = this.RULE("block", (): Block => {
    const open = this.need(0, T.LCurly, "`{`", this.#noBlock(this.peek(1)));
    const { inBrackets, structsAllowed, inIndex } = this;
    this.inBrackets = false;
    this.structsAllowed = true;
    this.inIndex = false;
    const statements: Stmt[] = [];
    const errors = this.errorCount;
    this.repeat(
      0,
      () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(),
      () => this.#statementInto(statements, true),
    );
    if (this.RECORDING_PHASE || this.isNext(T.RCurly)) this.consume(0, T.RCurly);
    else this.#reportUnclosed(open);
    this.inBrackets = inBrackets;
    this.structsAllowed = structsAllowed;
    this.inIndex = inIndex;
    return { kind: "block", statements, span: this.spanFrom(open.startOffset), ...(this.errorCount > errors ? { broken: true } : {}) };
  });

  /** What stands where a block begins. */
  #noBlock(token: Token): FaultDetails | undefined {
    if (token.tokenType === T.Equal) {
      return this.isAdjacent(token, this.peek(2)) && this.peek(2).tokenType === T.Greater
        ? { help: "an arm of a `match` is a block: `1 { .. }`" }
        : { help: "equality is written `==`" };
    }
    if (token.tokenType === T.Colon) return { help: "a block stands between braces: `{ .. }`" };
    return statementStarts.has(token.tokenType) ? NEEDS_BRACES : undefined;
  }

  #unclosedAt = -1;

  /** One report for all blocks that are still open at the same place. */
  #reportUnclosed(open: Token): void {
    if (this.#unclosedAt === this.currIdx) {
      this.errorCount++;
      return;
    }
    this.#unclosedAt = this.currIdx;
    this.complain(open, "E0205", "this block is never closed", "opened here", {
      also: [{ span: this.spanOf(this.peek(1)), text: this.isNext(T.EndOfFile) ? "the text ends here" : "the next declaration starts here" }],
      help: "add the missing `}`",
    });
  }

  override begin(...args: Parameters<MachineStatementParser["begin"]>): void {
    this.#unclosedAt = -1;
    super.begin(...args);
  }

  #statementInto(list: Stmt[], inBlock: boolean): void {
    if (this.RECORDING_PHASE) {
      this.or(0, [{ ALT: () => this.consume(0, T.Semi) }, { ALT: () => this.subrule(0, this.statement) }]);
      return;
    }
    if (this.isNext(T.Semi)) {
      this.consume(0, T.Semi);
      return;
    }
    const from = this.currIdx;
    const isFirst = list.length === 0;
    const statement = this.guarded(
      () => {
        if (!isFirst) this.judgeSeparation();
        return this.subrule(0, this.statement);
      },
      (start) => this.skipStatement(start),
    );
    if (statement !== null) list.push(statement);
    // Outside a block nothing else consumes a stray brace.
    else if (!inBlock && this.currIdx === from) this.SKIP_TOKEN();
  }

  readonly statement: Rule<Stmt> = this.RULE("statement", (): Stmt => {
    if (!this.RECORDING_PHASE) this.judgeStart(this.peek(1));
    return this.or(
      0,
      (this.#statementAlternatives ??= [
        { ALT: () => this.subrule(0, this.block) },
        { ALT: () => this.subrule(0, this.binding) },
        { ALT: () => this.subrule(0, this.ifStatement), IGNORE_AMBIGUITIES: true },
        { ALT: () => this.subrule(0, this.whileStatement) },
        { ALT: () => this.subrule(0, this.forStatement) },
        { ALT: () => this.subrule(0, this.matchStatement) },
        { ALT: () => this.subrule(0, this.returnStatement) },
        { ALT: () => this.subrule(0, this.jump) },
        { ALT: () => this.subrule(0, this.deferStatement) },
        { ALT: () => this.subrule(0, this.stub) },
        { ALT: () => this.subrule(0, this.check) },
        { ALT: () => this.subrule(0, this.wordStatement) },
        { ALT: () => this.subrule(0, this.skipStatementRule) },
        { ALT: () => this.subrule(0, this.onIrq) },
        { ALT: () => this.subrule(0, this.cpuBlock) },
        { ALT: () => this.subrule(0, this.userBlock) },
        { ALT: () => this.subrule(0, this.waitUntil) },
        { ALT: () => this.subrule(0, this.whenTarget) },
        { ALT: () => this.subrule(0, this.asm) },
        { ALT: () => this.subrule(0, this.expressionStatement) },
      ]),
    );
  });

  #statementAlternatives: IOrAlt<Stmt>[] | undefined;

  // ---- Variables and assignment ----

  readonly binding: Rule<Stmt> = this.RULE("binding", (): Stmt => {
    const first = this.peek(1);
    this.when(0, first.tokenType === T.SharedWord, () => this.consume(0, T.SharedWord));
    const keyword = this.peek(1);
    this.or(0, [{ ALT: () => this.consume(0, T.Let) }, { ALT: () => this.consume(0, T.Var) }]);
    if (this.isNext(T.LParen)) throw this.expected("a variable's name", { help: "there are no tuples: declare one variable after the other, or a `struct`" });
    const name = this.needName(0, "a variable's name");
    let type = null;
    this.when(1, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    let value: Expr | null = null;
    const mutable = keyword.tokenType === T.Var;
    if (!this.RECORDING_PHASE && !this.isNext(T.Equal) && (!mutable || type === null)) {
      throw this.expected(type === null ? "`:` and a type, or `=` and a value" : "`=` and a value", this.#bindingHelp(mutable, name.text));
    }
    this.when(2, this.isNext(T.Equal), () => {
      this.consume(0, T.Equal);
      value = this.subrule(0, this.expr);
    });
    return { kind: "let", mutable, shared: first.tokenType === T.SharedWord, name, type, value, span: this.spanFrom(first.startOffset) };
  });

  /** What stands where a binding goes on, as other languages have it. */
  #bindingHelp(mutable: boolean, name: string): FaultDetails {
    if (name === "mut" && this.isNext(T.Ident)) return { help: "what changes is declared with `var`" };
    if (this.isNext(T.LSquare)) return { help: "the length of an array stands before its elements: `[4]u8`" };
    if (this.isNext(T.Less)) return { help: "there are no generic types: `[]u32` is a slice, `[4]u32` an array, `*T` a pointer, which may be zero" };
    const next = this.peek(1);
    if (!next.newline && (next.tokenType === T.Ident || next.tokenType === T.LSquare || next.tokenType === T.Star)) {
      return { help: `a type stands after a colon: \`${mutable ? "var" : "let"} ${name}: ${typeCalled(next.image)}\`` };
    }
    return mutable ? {} : { help: "a `let` has its value from the start; `var` may get it later" };
  }

  readonly expressionStatement: Rule<Stmt> = this.RULE("expressionStatement", (): Stmt => {
    const expr = this.subrule(0, this.expr);
    let assignment: AssignStmt | null = null;
    const operator = this.peek(1);
    this.when(0, operator.tokenType.CATEGORIES?.includes(T.AssignOperator) === true, () => {
      this.consume(0, T.AssignOperator);
      const value = this.subrule(1, this.expr);
      const op = operator.tokenType === T.Equal ? null : (operator.image.slice(0, -1) as ArithmeticOp);
      assignment = { kind: "assign", target: expr, op, value, span: this.spanFrom(this.RECORDING_PHASE ? 0 : expr.span.start) };
    });
    if (assignment !== null) return assignment;
    return { kind: "expr-stmt", expr, span: this.RECORDING_PHASE ? this.spanFrom(0) : expr.span };
  });

  // ---- Control flow ----

  readonly ifStatement: Rule<IfStmt> = this.RULE("ifStatement", (): IfStmt => {
    const { startOffset } = this.need(0, T.If);
    const condition = this.condition(0);
    const body = this.subrule(0, this.block);
    let otherwise: Block | IfStmt | null = null;
    this.when(0, this.isNext(T.Else), () => {
      this.consume(0, T.Else);
      this.or(0, [
        {
          ALT: () => {
            otherwise = this.subrule(0, this.ifStatement);
          },
        },
        {
          ALT: () => {
            otherwise = this.subrule(1, this.block);
          },
        },
      ]);
    });
    return { kind: "if", condition, consequent: body, otherwise, span: this.spanFrom(startOffset) };
  });

  readonly whileStatement: Rule<Stmt> = this.RULE("whileStatement", (): Stmt => {
    const { startOffset } = this.need(0, T.While);
    const condition = this.condition(0);
    const body = this.subrule(0, this.block);
    return { kind: "while", condition, body, span: this.spanFrom(startOffset) };
  });

  /** Behind the variable of a loop or a test, which has no type of its own. */
  protected needIn(index: number, help?: string): void {
    const typed = "a variable has the type of what it goes over: `in [1 as u32, 2]`, `in 0 as u32..4`";
    const said = this.isNext(T.Colon) && this.peek(2).tokenType === T.Ident ? typed : help;
    this.need(index, T.In, "`in`", said === undefined ? {} : { help: said });
  }

  readonly forStatement: Rule<Stmt> = this.RULE("forStatement", (): Stmt => {
    const { startOffset } = this.need(0, T.For);
    if (this.isNext(T.LParen)) throw this.expected("a variable's name", { help: "a loop that counts is `for i in 0..4 { .. }`" });
    let name = this.needName(0, "a variable's name");
    let index: Name | null = null;
    this.when(0, this.isNext(T.Comma), () => {
      this.consume(0, T.Comma);
      index = name;
      name = this.needName(1, "a variable's name");
    });
    this.needIn(0, "a loop that counts is `for i in 0..4 { .. }`");
    const source = this.condition(0);
    const body = this.subrule(0, this.block);
    return { kind: "for", index, name, source, body, span: this.spanFrom(startOffset) };
  });

  readonly matchStatement: Rule<Stmt> = this.RULE("matchStatement", (): Stmt => {
    const { startOffset } = this.need(0, T.Match);
    const value = this.condition(0);
    const open = this.need(0, T.LCurly, "`{`");
    const arms: MatchArm[] = [];
    let otherwise: Block | null = null;
    const errors = this.errorCount;
    this.repeat(
      0,
      () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(),
      () => {
        this.or(0, [
          {
            ALT: () => {
              const token = this.need(0, T.Else);
              if (otherwise !== null) this.complain(token, "E0220", "this `match` has two `else`", "the second one");
              otherwise = this.subrule(0, this.block);
            },
          },
          {
            ALT: () => {
              const arm = this.guarded(
                () => this.subrule(0, this.matchArm),
                (from) => this.skipStatement(from),
              );
              if (arm !== null) arms.push(arm);
            },
          },
        ]);
        // Arms need nothing between them; a comma is what other languages put there.
        this.when(0, this.isNext(T.Comma), () => this.consume(0, T.Comma));
      },
    );
    this.needClose(0, T.RCurly, open);
    return { kind: "match", value, arms, otherwise, span: this.spanFrom(startOffset), ...(this.errorCount > errors ? { broken: true } : {}) };
  });

  readonly matchArm: Rule<MatchArm> = this.RULE("matchArm", (): MatchArm => {
    const { startOffset } = this.peek(1);
    const patterns: Expr[] = [];
    patterns.push(this.condition(0));
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        patterns.push(this.condition(1));
      },
    );
    const body = this.subrule(0, this.block);
    return { patterns, body, span: this.spanFrom(startOffset) };
  });

  readonly returnStatement: Rule<Stmt> = this.RULE("returnStatement", (): Stmt => {
    const { startOffset } = this.need(0, T.Return);
    let value: Expr | null = null;
    const next = this.peek(1);
    this.when(0, !next.newline && next.tokenType !== T.RCurly && next.tokenType !== T.Semi, () => {
      value = this.subrule(0, this.expr);
    });
    return { kind: "return", value, span: this.spanFrom(startOffset) };
  });

  readonly jump: Rule<Stmt> = this.RULE("jump", (): Stmt => {
    const token = this.peek(1);
    this.or(0, [{ ALT: () => this.consume(0, T.Break) }, { ALT: () => this.consume(0, T.Continue) }]);
    return { kind: token.tokenType === T.Break ? "break" : "continue", span: this.spanOf(token) };
  });

  readonly deferStatement: Rule<Stmt> = this.RULE("deferStatement", (): Stmt => {
    const { startOffset } = this.need(0, T.DeferWord);
    const body = this.subrule(0, this.block);
    return { kind: "defer", body, span: this.spanFrom(startOffset) };
  });

  readonly stub: Rule<Stmt> = this.RULE("stub", (): Stmt => {
    const { startOffset } = this.need(0, T.StubWord);
    let answers: Stmt | null = null;
    this.when(1, !this.isNext(T.Fn), () => {
      answers = this.subrule(0, this.answers);
    });
    if (answers !== null && !this.RECORDING_PHASE) return { ...(answers as Stmt), span: this.spanFrom(startOffset) };
    this.need(0, T.Fn);
    const names = [this.needName(0, "the name of a function")];
    this.repeat(
      0,
      () => this.isNext(T.Dot),
      () => {
        this.consume(0, T.Dot);
        names.push(this.needAnyWord(0, "a function's name"));
      },
    );
    // What `self` points to, if this is a method: `Struct.method`, `module.Struct.method`.
    const [struct, module] = names.slice(0, -1).toReversed();
    const owner = struct === undefined ? null : this.typeNamed(module ?? null, struct);
    const { params, result } = this.subrule(0, this.signature, { ARGS: [owner] });
    const body = this.subrule(0, this.block);
    return { kind: "stub", target: this.#path(names), params, result, body, span: this.spanFrom(startOffset) };
  });

  /** `target returns a, b`. */
  readonly answers: Rule<Stmt> = this.RULE("answers", (): Stmt => {
    const target = this.subrule(0, this.expr);
    this.needWord(0, "returns", { help: "`stub f returns ..` answers calls of f; `stub fn f(..) { .. }` replaces it" });
    const answers = [this.subrule(1, this.expr)];
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        answers.push(this.subrule(2, this.expr));
      },
    );
    return { kind: "answer", target, answers, span: this.spanFrom(0) };
  });

  /** `a.b.c` as an expression. */
  #path([first, ...rest]: readonly Name[]): Expr {
    if (first === undefined) throw new Error("a path without names");
    const root: Expr = { kind: "name", name: first.text, span: first.span };
    if (this.RECORDING_PHASE) return root;
    return rest.reduce<Expr>((object, name) => ({ kind: "member", object, name, span: { ...first.span, end: name.span.end } }), root);
  }

  readonly wordStatement: Rule<Stmt> = this.RULE("wordStatement", (): Stmt => {
    const token = this.peek(1);
    this.or(0, [{ ALT: () => this.consume(0, T.FailWord) }, { ALT: () => this.consume(0, T.InfoWord) }, { ALT: () => this.consume(0, T.WarnWord) }]);
    const message = this.subrule(0, this.string);
    const word = token.tokenType === T.FailWord ? "fail" : token.tokenType === T.WarnWord ? "warn" : "info";
    return { kind: "word", word, message, span: this.spanFrom(token.startOffset) };
  });

  readonly skipStatementRule: Rule<SkipStmt> = this.RULE("skipStatementRule", (): SkipStmt => {
    const { startOffset } = this.need(0, T.SkipWord);
    let condition: Expr | null = null;
    const unless = this.isWord(this.peek(1), "unless");
    this.when(0, unless || this.isNext(T.If), () => {
      this.or(0, [{ ALT: () => this.consume(0, T.If) }, { ALT: () => this.consume(0, T.Ident) }]);
      condition = this.subrule(0, this.expr);
      this.need(0, T.Comma, "`,` and the reason", { help: 'a skip says why: `skip if c, "why"`' });
    });
    const message = this.subrule(0, this.string);
    return { kind: "skip", condition, unless, message, span: this.spanFrom(startOffset) };
  });
}

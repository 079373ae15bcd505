// Rules for files and their declarations. Only here may a contextual word such as `test` or `table` start something, so nothing else
// has to avoid it. A declaration is guarded: one that does not parse is reported once and left out, its name kept in `File.lost`.
// Rows, fields and registers have guards of their own, so that a list with three mistakes gives three reports.

import type { IOrAlt, TokenType } from "chevrotain";
import type {
  AccessWord, Attribute, Block, ConstItem, Expr, FieldDecl, File, FixtureItem, FnItem, Item, Mark, Name, Need, Param, PciId, RegisterDecl, StringLiteral,
  SuiteHeader, TableItem, TableRow, TestItem, TestSource, TypeExpr, UseItem, VarItem,
} from "./ast.ts";
import { nearestName } from "./nearest-name.ts";
import type { Rule } from "./parse-core.ts";
import { integerOf } from "./parse-expressions.ts";
import { StatementParser } from "./parse-statements.ts";
import { positionAt } from "./source.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

const contextualItems: ReadonlyMap<string, TokenType> = new Map([
  ["suite", T.SuiteWord], ["use", T.UseWord], ["regs", T.RegsWord], ["table", T.TableWord], ["test", T.TestWord], ["fixture", T.FixtureWord],
  ["shared", T.SharedWord],
]);

const statementTypes: ReadonlySet<TokenType> = new Set([
  T.Let, T.If, T.While, T.For, T.Match, T.Return, T.Break, T.Continue, T.Expect, T.Assert, T.Else, T.AsmWord,
]);

/** What other languages call our declarations. */
const foreignItems: ReadonlyMap<string, string> = new Map([
  ["import", "use"], ["include", "use"], ["func", "fn"], ["def", "fn"], ["function", "fn"], ["class", "struct"], ["describe", "suite"], ["it", "test"],
  ["static", "var"], ["type", "struct"], ["registers", "regs"],
]);

const accessWords: ReadonlySet<string> = new Set(["ro", "wo", "rw", "w1c", "w1s", "rc"] satisfies AccessWord[]);

function isAccessWord(text: string): text is AccessWord {
  return accessWords.has(text);
}

interface TestHeader {
  readonly sources: TestSource[];
  readonly needs: Need[];
  readonly on: Name[];
  mark: Mark | null;
}

export class ItemParser extends StatementParser {
  #attributes: readonly Attribute[] = [];
  #suite: SuiteHeader | null = null;
  /** The declaration being read: kept in `lost` when it fails. */
  #declaring: string | null = null;

  constructor(options: ConstructorParameters<typeof StatementParser>[0]) {
    super(options);
    this.performSelfAnalysis();
  }

  override begin(...args: Parameters<StatementParser["begin"]>): void {
    this.#attributes = [];
    this.#suite = null;
    this.#declaring = null;
    super.begin(...args);
  }

  readonly file: Rule<File> = this.RULE("file", (): File => {
    const items: Item[] = [];
    const lost: string[] = [];
    this.repeat(0, () => !this.isNext(T.EndOfFile), () => {
      this.reading = null;
      this.#declaring = null;
      const item = this.guarded(() => this.#itemWithAttributes(), (from) => {
        if (this.#declaring !== null) lost.push(this.#declaring);
        this.skipItem(from);
      });
      if (item !== null) items.push(item);
    });
    const span = { source: this.source, start: 0, end: this.source.text.length };
    return { kind: "file", span, suite: this.#suite, items, comments: [], ...(lost.length > 0 ? { lost } : {}) };
  });

  /** Null for the suite's header, which is no item, and for a stray `;`. */
  #itemWithAttributes(): Item | null {
    const attributes: Attribute[] = [];
    this.repeat(1, () => this.isNext(T.At), () => attributes.push(this.subrule(0, this.attribute)));
    this.#attributes = attributes;
    if (this.RECORDING_PHASE) {
      this.or(0, [{ ALT: () => this.consume(0, T.Semi) }, { ALT: () => this.subrule(0, this.item) }]);
      return null;
    }
    if (this.isNext(T.Semi)) {
      this.consume(0, T.Semi);
      return null;
    }
    this.#judgeStart(this.peek(1));
    const [first] = attributes;
    if (first !== undefined && !this.isNext(T.TestWord) && !this.#isSuiteHeader()) {
      this.complain(this.#tokenAt(first.span.start), "E0210", "an attribute stands before a suite, a test or a table row", "nothing here takes it");
    }
    return this.subrule(0, this.item);
  }

  #tokenAt(offset: number): Token {
    return this.tokens.find((token) => token.startOffset === offset) ?? this.peek(1);
  }

  #isSuiteHeader(): boolean {
    return this.isNext(T.SuiteWord) && (this.peek(2).tokenType === T.Str || this.peek(2).tokenType === T.StrHead);
  }

  /** Turns a contextual word into its keyword, and says what is wrong with a token that starts no declaration. */
  #judgeStart(first: Token): void {
    const type = first.tokenType;
    if (type === T.Ident) {
      const keyword = contextualItems.get(first.image);
      if (keyword !== undefined) {
        this.retype(first, keyword);
        return;
      }
      if (T.laterWords.has(first.image)) throw this.notYet(first);
      throw this.#unknownItem(first);
    }
    if (type === T.Fn || type === T.Const || type === T.Var || type === T.Struct || type === T.Enum) return;
    if (statementTypes.has(type)) {
      const help = type === T.Let ? "at file level write `const` or `var`" : "put it into a `test` or a `fn`";
      throw this.faultAt(first, "E0216", `\`${first.image}\` is a statement and cannot stand at file level`, "not inside a test or function", { help });
    }
    if (type === T.RCurly || type === T.RParen || type === T.RSquare) {
      throw this.faultAt(first, "E0206", `\`${first.image}\` closes nothing`, "no bracket is open here");
    }
    const help = type === T.Hash ? { help: "a comment starts with `//`" } : {};
    throw this.faultAt(first, "E0203", `expected a declaration, found ${this.describe(first)}`, "no declaration starts so", help);
  }

  #unknownItem(first: Token): Error {
    const isStatement = T.statementWords.some((word) => word === first.image);
    if (isStatement) {
      return this.faultAt(first, "E0216", `\`${first.image}\` is a statement and cannot stand at file level`, "not inside a test or function", {
        help: "put it into a `test` or a `fn`",
      });
    }
    const foreign = foreignItems.get(first.image);
    const near = foreign ?? nearestName(first.image, [...T.itemWords, ...T.laterWords.keys()]);
    return this.faultAt(first, "E0203", `\`${first.image}\` starts no declaration`, "unknown word", {
      help: near === undefined ? `declarations start with ${T.itemWords.map((word) => `\`${word}\``).join(", ")}` : `did you mean \`${near}\`?`,
      ...(near === undefined ? {} : { fix: { span: this.spanOf(first), text: near } }),
    });
  }

  readonly item: Rule<Item | null> = this.RULE("item", (): Item | null =>
    this.or(0, (this.#itemAlternatives ??= [
      { ALT: () => this.subrule(0, this.suite) },
      { ALT: () => this.subrule(0, this.use) },
      { ALT: () => this.subrule(0, this.fn) },
      { ALT: () => this.subrule(0, this.constant) },
      { ALT: () => this.subrule(0, this.fileVariable) },
      { ALT: () => this.subrule(0, this.struct) },
      { ALT: () => this.subrule(0, this.enumeration) },
      { ALT: () => this.subrule(0, this.regs) },
      { ALT: () => this.subrule(0, this.table) },
      { ALT: () => this.subrule(0, this.test) },
      { ALT: () => this.subrule(0, this.fixture) },
    ])),
  );

  #itemAlternatives: IOrAlt<Item | null>[] | undefined;

  /** Names the declaration for notes and for `lost`. */
  #declare(kind: string, name: Name): void {
    this.reading = `${kind} \`${name.text}\``;
    this.#declaring = name.text;
  }

  // ---- Headers ----

  readonly attribute: Rule<Attribute> = this.RULE("attribute", (): Attribute => {
    const { startOffset } = this.need(0, T.At);
    const name = this.needAnyWord(0, "an attribute's name");
    const args: Expr[] = [];
    const open = this.peek(1);
    this.when(0, open.tokenType === T.LParen && this.isAdjacent(this.peek(0), open), () => {
      this.consume(0, T.LParen);
      const outer = this.inBrackets;
      this.inBrackets = true;
      this.commaList(1, T.RParen, () => args.push(this.subrule(0, this.expr)));
      this.needClose(0, T.RParen, open);
      this.inBrackets = outer;
    });
    return { kind: "attribute", name, args, span: this.spanFrom(startOffset) };
  });

  /** `needs a, b(..)`, after the word `needs`. */
  readonly needs: Rule<Need[]> = this.RULE("needs", (): Need[] => {
    const needs: Need[] = [this.subrule(0, this.needItem)];
    this.repeat(0, () => this.isNext(T.Comma), () => {
      this.consume(0, T.Comma);
      needs.push(this.subrule(1, this.needItem));
    });
    return needs;
  });

  readonly needItem: Rule<Need> = this.RULE("needItem", (): Need => {
    const name = this.needName(0, "a capability");
    const args: (Expr | PciId)[] = [];
    const open = this.peek(1);
    this.when(0, open.tokenType === T.LParen && !open.newline, () => {
      this.consume(0, T.LParen);
      const outer = this.inBrackets;
      this.inBrackets = true;
      this.commaList(1, T.RParen, () => {
        const first = this.peek(1);
        let arg: Expr | PciId = this.subrule(0, this.expr);
        this.when(2, this.isNext(T.Colon), () => {
          this.consume(0, T.Colon);
          const second = this.need(0, T.Int, "a device number");
          if (!this.RECORDING_PHASE && arg.kind !== "int") throw this.faultAt(first, "E0201", "a PCI id is two numbers", "not a number", { help: "write `pci(0x1b36:0x0005)`" });
          arg = { kind: "pci-id", vendor: integerOf(first), device: integerOf(second), span: this.spanFrom(first.startOffset) };
        });
        args.push(arg);
      });
      this.needClose(0, T.RParen, open);
      this.inBrackets = outer;
    });
    return { name, args, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) };
  });

  /** Names after the word `on`. */
  readonly targets: Rule<Name[]> = this.RULE("targets", (): Name[] => {
    const names = [this.needName(0, "a target")];
    this.repeat(0, () => this.isNext(T.Comma), () => {
      this.consume(0, T.Comma);
      names.push(this.needName(1, "a target"));
    });
    return names;
  });

  readonly mark: Rule<Mark> = this.RULE("mark", (): Mark => {
    const word = this.peek(1);
    this.consume(0, T.Ident);
    const reason = this.#reason(word);
    return { kind: word.image === "skip" ? "skip" : "xfail", reason, span: this.spanFrom(word.startOffset) };
  });

  #reason(word: Token): StringLiteral {
    return this.needPlainString(0, `the reason after \`${word.image}\``);
  }

  #isMark(token: Token): boolean {
    return this.isWord(token, "xfail") || this.isWord(token, "skip");
  }

  // ---- suite, use ----

  readonly suite: Rule<Item | null> = this.RULE("suite", (): Item | null => {
    const attributes = this.#attributes;
    const first = this.need(0, T.SuiteWord);
    const word = this.peek(1);
    const isHook = word.tokenType === T.Ident;
    if (!this.RECORDING_PHASE && isHook && nearestName(word.image, ["setup", "teardown"]) === undefined) {
      throw this.expected("the suite's name between quotes", { help: `write \`suite "${word.image}"\`` });
    }
    let hook: Item | null = null;
    let header: SuiteHeader | null = null;
    this.when(0, isHook, () => {
      hook = this.subrule(0, this.suiteHook);
    });
    this.when(1, !isHook, () => {
      header = this.#header(attributes, first);
    });
    if (header === null) return hook;
    if (this.#suite === null) this.#suite = header;
    else this.complain(first, "E0219", "a file has one suite", "a second header", { also: [{ span: this.#suite.span, text: "the first one" }], help: "put the second suite into a file of its own" });
    return null;
  });

  #header(attributes: readonly Attribute[], first: Token): SuiteHeader {
    const name = this.needPlainString(0, "the suite's name");
    const needs: Need[] = [];
    const on: Name[] = [];
    this.repeat(0, () => this.isWord(this.peek(1), "needs") || this.isWord(this.peek(1), "on"), () => {
      const word = this.peek(1);
      this.consume(0, T.Ident);
      this.when(2, word.image === "needs", () => needs.push(...this.#recorded(this.subrule(0, this.needs))));
      this.when(3, word.image === "on", () => on.push(...this.#recorded(this.subrule(0, this.targets))));
    });
    return { name, attributes, needs, on, span: this.spanFrom(first.startOffset) };
  }

  /** While the grammar is recorded a rule gives a placeholder instead of its list. */
  #recorded<E>(list: readonly E[]): readonly E[] {
    return this.RECORDING_PHASE ? [] : list;
  }

  readonly suiteHook: Rule<Item> = this.RULE("suiteHook", (): Item => {
    const word = this.peek(1);
    const when = this.#needHookWord(0);
    this.reading = `suite ${when}`;
    const body = this.subrule(0, this.block);
    return { kind: "suite-hook", when, body, span: this.spanFrom(word.startOffset) };
  });

  #needHookWord(index: number): "setup" | "teardown" {
    const word = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isWord(word, "setup") && !this.isWord(word, "teardown")) {
      const near = nearestName(word.image, ["setup", "teardown"]);
      throw this.expected("`setup` or `teardown`", near === undefined ? {} : { help: `did you mean \`${near}\`?` });
    }
    this.consume(index, T.Ident);
    return word.image === "teardown" ? "teardown" : "setup";
  }

  readonly use: Rule<UseItem> = this.RULE("use", (): UseItem => {
    const { startOffset } = this.need(0, T.UseWord);
    const token = this.peek(1);
    const quoted = token.tokenType === T.Str || token.tokenType === T.StrHead;
    if (!this.RECORDING_PHASE && !quoted && token.tokenType !== T.Ident) throw this.expected("a module's name or a file's path between quotes");
    let path = this.nameOf(token);
    this.or(0, [
      {
        ALT: () => {
          const literal = this.needPlainString(0, "the path of a file");
          const [part] = literal.parts;
          path = { text: part?.kind === "text" ? part.text : "", span: literal.span };
        },
      },
      { ALT: () => this.consume(0, T.Ident) },
    ]);
    let alias: Name | null = null;
    this.when(0, this.isWord(this.peek(1), "as") && !this.peek(1).newline, () => {
      this.needWord(1, "as");
      alias = this.needName(2, "the name for the module");
    });
    return { kind: "use", path, quoted, alias, span: this.spanFrom(startOffset) };
  });

  // ---- Functions, constants, variables ----

  readonly fn: Rule<FnItem> = this.RULE("fn", (): FnItem => {
    const { startOffset } = this.need(0, T.Fn);
    const name = this.needName(0, "a function's name");
    this.#declare("fn", name);
    return this.#fnAfterName(name, startOffset, null);
  });

  #fnAfterName(name: Name, start: number, owner: Name | null): FnItem {
    const open = this.need(0, T.LParen, "`(` and the parameters");
    const params: Param[] = [];
    this.commaList(0, T.RParen, () => params.push(this.#param(owner)));
    this.needClose(0, T.RParen, open);
    let result: TypeExpr | null = null;
    this.when(1, this.isNext(T.Arrow), () => {
      this.consume(0, T.Arrow);
      result = this.subrule(0, this.type);
    });
    const on: Name[] = [];
    this.when(2, this.isWord(this.peek(1), "on"), () => {
      this.needWord(1, "on");
      on.push(...this.#recorded(this.subrule(0, this.targets)));
    });
    const body: Block = this.subrule(0, this.block);
    return { kind: "fn", name, params, result, body, on, span: this.spanFrom(start) };
  }

  /** `name: T`; in a method the first one may be `self`, whose type is a pointer to the struct. */
  #param(owner: Name | null): Param {
    const name = this.needName(2, "a parameter's name");
    let type: TypeExpr | null = null;
    this.when(3, owner === null || name.text !== "self" || this.isNext(T.Colon), () => {
      this.need(0, T.Colon, "`:` and the parameter's type");
      type = this.subrule(1, this.type);
    });
    if (type !== null) return { name, type };
    const target: TypeExpr = { kind: "named-type", module: null, name: { text: owner?.text ?? "", span: name.span }, span: name.span };
    return { name, type: { kind: "pointer-type", target, span: name.span } };
  }

  readonly constant: Rule<ConstItem> = this.RULE("constant", (): ConstItem => {
    const { startOffset } = this.need(0, T.Const);
    const name = this.needName(0, "a constant's name");
    this.#declare("const", name);
    let type: TypeExpr | null = null;
    this.when(0, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    this.need(0, T.Equal, "`=` and the constant's value");
    const value = this.subrule(0, this.expr);
    return { kind: "const", name, type, value, span: this.spanFrom(startOffset) };
  });

  readonly fileVariable: Rule<VarItem> = this.RULE("fileVariable", (): VarItem => {
    const first = this.peek(1);
    this.when(0, first.tokenType === T.SharedWord, () => this.consume(0, T.SharedWord));
    return this.#variable(first);
  });

  #variable(first: Token): VarItem {
    this.need(0, T.Var);
    const name = this.needName(0, "a variable's name");
    if (this.reading !== "fixture") this.#declare("var", name);
    let type: TypeExpr | null = null;
    this.when(1, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    let value: Expr | null = null;
    if (!this.RECORDING_PHASE && type === null && !this.isNext(T.Equal)) throw this.expected("`:` and a type, or `=` and a value");
    this.when(2, this.isNext(T.Equal), () => {
      this.consume(0, T.Equal);
      value = this.subrule(0, this.expr);
    });
    return { kind: "var", name, type, value, shared: first.tokenType === T.SharedWord, span: this.spanFrom(first.startOffset) };
  }

  // ---- struct, enum, regs ----

  /** Members between braces, each guarded, with or without commas between them. */
  #members(open: Token, parse: () => void): void {
    this.repeat(5, () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(), () => {
      this.guarded(() => {
        parse();
        this.when(6, this.isNext(T.Comma) || this.isNext(T.Semi), () => this.or(5, [{ ALT: () => this.consume(5, T.Comma) }, { ALT: () => this.consume(5, T.Semi) }]));
      }, (from) => this.skipLine(from));
    });
    this.needClose(5, T.RCurly, open);
  }

  readonly struct: Rule<Item> = this.RULE("struct", (): Item => {
    const { startOffset } = this.need(0, T.Struct);
    const name = this.needName(0, "a struct's name");
    this.#declare("struct", name);
    const open = this.need(0, T.LCurly, "`{`");
    const fields: Param[] = [];
    const methods: FnItem[] = [];
    this.#members(open, () => {
      const isMethod = this.isNext(T.Fn) && this.peek(2).tokenType !== T.Colon;
      if (this.RECORDING_PHASE) {
        this.or(0, [{ ALT: () => this.subrule(0, this.method) }, { ALT: () => this.subrule(0, this.typedMember), IGNORE_AMBIGUITIES: true }]);
      } else if (isMethod) methods.push(this.subrule(0, this.method, { ARGS: [name] }));
      else fields.push(this.subrule(0, this.typedMember));
    });
    return { kind: "struct", name, fields, methods, span: this.spanFrom(startOffset) };
  });

  readonly method = this.RULE("method", (owner: Name): FnItem => {
    const { startOffset } = this.need(0, T.Fn);
    const name = this.needAnyWord(0, "a method's name");
    return this.#fnAfterName(name, startOffset, owner);
  });

  readonly typedMember: Rule<Param> = this.RULE("typedMember", (): Param => {
    const name = this.needAnyWord(0, "a field's name");
    this.need(0, T.Colon, "`:` and the field's type");
    return { name, type: this.subrule(0, this.type) };
  });

  readonly enumeration: Rule<Item> = this.RULE("enumeration", (): Item => {
    const { startOffset } = this.need(0, T.Enum);
    const name = this.needName(0, "an enum's name");
    this.#declare("enum", name);
    let type: TypeExpr | null = null;
    this.when(0, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    const open = this.need(0, T.LCurly, "`{`");
    const members: { name: Name; value: Expr | null }[] = [];
    this.#members(open, () => {
      const member = this.needAnyWord(0, "a member's name");
      let value: Expr | null = null;
      this.when(1, this.isNext(T.Equal), () => {
        this.consume(0, T.Equal);
        value = this.subrule(0, this.expr);
      });
      members.push({ name: member, value });
    });
    return { kind: "enum", name, type, members, span: this.spanFrom(startOffset) };
  });

  readonly regs: Rule<Item> = this.RULE("regs", (): Item => {
    const { startOffset } = this.need(0, T.RegsWord);
    const name = this.needName(0, "the name of a register block");
    this.#declare("regs", name);
    const open = this.need(0, T.LCurly, "`{`");
    const registers: RegisterDecl[] = [];
    this.#members(open, () => registers.push(this.subrule(0, this.register)));
    return { kind: "regs", name, registers, span: this.spanFrom(startOffset) };
  });

  readonly register: Rule<RegisterDecl> = this.RULE("register", (): RegisterDecl => {
    const name = this.needAnyWord(0, "a register's name");
    this.need(0, T.Colon, "`:` and the register's type");
    const type = this.subrule(0, this.type);
    this.need(0, T.At, "`@` and the register's offset");
    const offset = this.condition(0);
    const access = this.#access();
    let reset: Expr | null = null;
    this.when(0, this.isWord(this.peek(1), "reset") && !this.peek(1).newline, () => {
      this.needWord(0, "reset");
      this.need(0, T.Equal);
      reset = this.condition(1);
    });
    const fields: FieldDecl[] = [];
    const open = this.peek(1);
    this.when(1, open.tokenType === T.LCurly && !open.newline, () => {
      this.consume(0, T.LCurly);
      this.#members(open, () => fields.push(this.subrule(0, this.field)));
    });
    return { name, type, offset, access, reset, fields, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) };
  });

  /** An access word; another word in its place on the same line is a slip. */
  #access(): AccessWord | null {
    const token = this.peek(1);
    const isWord = token.tokenType === T.Ident && !token.newline;
    let access: AccessWord | null = null;
    this.when(8, isWord && token.image !== "reset" && this.peek(2).tokenType !== T.Colon, () => {
      this.consume(8, T.Ident);
      if (isAccessWord(token.image)) access = token.image;
      else if (!this.RECORDING_PHASE) {
        const near = nearestName(token.image, [...accessWords, "reset"]);
        this.complain(token, "E0221", `unknown access word \`${token.image}\``, "not an access word", {
          help: near === undefined ? "the access words are `ro`, `wo`, `rw`, `w1c`, `w1s` and `rc`" : `did you mean \`${near}\`?`,
        });
      }
    });
    return access;
  }

  readonly field: Rule<FieldDecl> = this.RULE("field", (): FieldDecl => {
    const name = this.needAnyWord(0, "a field's name");
    this.need(0, T.Colon, "`:` and the field's bits");
    const bits = this.condition(0);
    const access = this.#access();
    const span = this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start);
    if (this.RECORDING_PHASE || bits.kind !== "range") return { name, high: bits, low: null, access, span };
    if (bits.start === null || bits.end === null) throw this.faultAt(this.#tokenAt(bits.span.start), "E0222", "a field has bits `high..low`", "one end is missing");
    if (bits.inclusive) this.complain(this.#tokenAt(bits.span.start), "E0222", "the bits of a field are written `high..low`, both inclusive", "`..=` inside");
    return { name, high: bits.start, low: bits.end, access, span };
  });

  // ---- Tables ----

  readonly table: Rule<Item> = this.RULE("table", (): Item => {
    const { startOffset } = this.need(0, T.TableWord);
    const word = this.peek(1);
    const isHook = (this.isWord(word, "setup") || this.isWord(word, "teardown")) && this.peek(2).tokenType === T.For;
    if (this.RECORDING_PHASE) {
      return this.or(0, [{ ALT: () => this.subrule(0, this.tableHook), IGNORE_AMBIGUITIES: true }, { ALT: () => this.subrule(0, this.tableBody) }]);
    }
    const item: Item = isHook ? this.subrule(0, this.tableHook) : this.subrule(0, this.tableBody);
    return { ...item, span: this.spanFrom(startOffset) };
  });

  readonly tableHook: Rule<Item> = this.RULE("tableHook", (): Item => {
    const { startOffset } = this.peek(1);
    const when = this.#needHookWord(0);
    this.need(0, T.For);
    const table = this.needName(1, "a table's name");
    this.reading = `table ${when} for \`${table.text}\``;
    const body = this.subrule(0, this.block);
    return { kind: "table-hook", when, table, body, span: this.spanFrom(startOffset) };
  });

  readonly tableBody: Rule<TableItem> = this.RULE("tableBody", (): TableItem => {
    const { startOffset } = this.peek(1);
    const name = this.needName(0, "a table's name");
    this.#declare("table", name);
    let columns: Param[] | null = null;
    const open = this.peek(1);
    this.when(0, open.tokenType === T.LParen, () => {
      this.consume(0, T.LParen);
      const list: Param[] = [];
      this.commaList(1, T.RParen, () => list.push(this.subrule(0, this.typedMember)));
      this.needClose(0, T.RParen, open);
      columns = list;
    });
    let like: Name | null = null;
    this.when(2, this.isWord(this.peek(1), "like"), () => {
      this.needWord(1, "like");
      like = this.needName(2, "a table's name");
    });
    let from: StringLiteral | null = null;
    let fromTable: Name | null = null;
    this.when(3, this.isWord(this.peek(1), "from"), () => {
      this.needWord(3, "from");
      from = this.needPlainString(0, "the path of a YAML file");
      this.when(4, this.isWord(this.peek(1), "table") && !this.peek(1).newline, () => {
        this.needWord(4, "table");
        fromTable = this.needName(5, "a table's name");
      });
    });
    if (!this.RECORDING_PHASE && columns === null && like === null && from === null) {
      throw this.expected("the columns between parentheses, `like` or `from`", { help: `write \`table ${name.text} (a: u32, b: u32) { .. }\`` });
    }
    const rows: TableRow[] = [];
    const brace = this.peek(1);
    if (!this.RECORDING_PHASE && from === null && brace.tokenType !== T.LCurly) throw this.expected("`{` and the rows");
    this.when(5, from === null && brace.tokenType === T.LCurly, () => {
      this.consume(0, T.LCurly);
      this.repeat(6, () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(), () => {
        const row = this.guarded(() => this.subrule(0, this.row), (begin) => this.skipLine(begin));
        if (row !== null) rows.push(row);
      });
      this.needClose(0, T.RCurly, brace);
    });
    return { kind: "table", name, columns, like, from, fromTable, rows, span: this.spanFrom(startOffset) };
  });

  /** Cells up to the end of the line; a comma at the end of a line goes on with the next. */
  readonly row: Rule<TableRow> = this.RULE("row", (): TableRow => {
    const { startOffset } = this.peek(1);
    const attributes: Attribute[] = [];
    this.repeat(0, () => this.isNext(T.At), () => attributes.push(this.subrule(0, this.attribute)));
    const cells: Expr[] = [this.subrule(0, this.expr)];
    this.repeat(1, () => this.isNext(T.Comma), () => {
      this.consume(0, T.Comma);
      cells.push(this.subrule(1, this.expr));
    });
    let name: StringLiteral | null = null;
    this.when(0, this.isWord(this.peek(1), "as"), () => {
      this.needWord(0, "as");
      name = this.needPlainString(0, "the row's name");
    });
    let mark: Mark | null = null;
    this.when(1, this.#isMark(this.peek(1)), () => {
      mark = this.subrule(0, this.mark);
    });
    const span = this.spanFrom(startOffset);
    const end = this.peek(1);
    this.when(2, end.tokenType === T.Semi, () => this.consume(0, T.Semi));
    if (!this.RECORDING_PHASE && end.tokenType !== T.Semi && !end.newline && end.tokenType !== T.RCurly) {
      throw this.faultAt(end, "E0201", `expected \`,\` or the end of the row, found ${this.describe(end)}`, "cannot follow a cell", {
        help: 'cells are separated by commas; a row ends with its line; its name is written `as "name"`',
      });
    }
    return { cells, name, attributes, mark, span };
  });

  // ---- Tests and fixtures ----

  readonly test: Rule<TestItem> = this.RULE("test", (): TestItem => {
    const attributes = this.#attributes;
    const { startOffset } = this.need(0, T.TestWord);
    const nameStart = this.peek(1);
    if (!this.RECORDING_PHASE && nameStart.tokenType !== T.Str && nameStart.tokenType !== T.StrHead) {
      throw this.expected("the test's name between quotes", nameStart.tokenType === T.Ident ? { help: `write \`test "${nameStart.image}"\`` } : {});
    }
    const name = this.subrule(0, this.string);
    if (!this.RECORDING_PHASE) this.reading = `test ${this.source.text.slice(nameStart.startOffset, name.span.end)}`;
    const header: TestHeader = { sources: [], needs: [], on: [], mark: null };
    this.repeat(0, () => !this.isNext(T.LCurly) && !this.isNext(T.EndOfFile), () => this.#testClause(header));
    const body = this.subrule(0, this.block);
    return { kind: "test", name, ...header, attributes, body, span: this.spanFrom(startOffset) };
  });

  #testClause(header: TestHeader): void {
    if (this.RECORDING_PHASE) {
      this.or(0, [
        { ALT: () => this.subrule(0, this.sources) },
        { ALT: () => this.subrule(0, this.mark) },
        {
          ALT: () => {
            this.consume(0, T.Ident);
            this.or(1, [{ ALT: () => this.subrule(0, this.needs) }, { ALT: () => this.subrule(0, this.targets), IGNORE_AMBIGUITIES: true }]);
          },
          IGNORE_AMBIGUITIES: true,
        },
      ]);
      return;
    }
    const word = this.peek(1);
    if (word.tokenType === T.For) header.sources.push(...this.subrule(0, this.sources));
    else if (this.#isMark(word)) {
      if (header.mark !== null) this.complain(word, "E0220", "a test has one `xfail` or `skip`", "the second one", { also: [{ span: header.mark.span, text: "the first one" }] });
      header.mark = this.subrule(0, this.mark);
    } else if (this.isWord(word, "needs")) {
      this.consume(0, T.Ident);
      header.needs.push(...this.subrule(0, this.needs));
    } else if (this.isWord(word, "on")) {
      this.consume(0, T.Ident);
      header.on.push(...this.subrule(0, this.targets));
    } else {
      const near = word.tokenType === T.Ident ? nearestName(word.image, ["for", "needs", "on", "xfail", "skip"]) : undefined;
      throw this.expected("`for`, `needs`, `on`, `xfail` or `{`", near === undefined ? {} : { help: `did you mean \`${near}\`?`, fix: { span: this.spanOf(word), text: near } });
    }
  }

  readonly sources: Rule<TestSource[]> = this.RULE("sources", (): TestSource[] => {
    this.need(0, T.For);
    const sources: TestSource[] = [];
    const one = (index: number): void => {
      const name = this.needName(index, "a variable's name");
      this.need(index, T.In, "`in`");
      sources.push({ name, source: this.condition(index) });
    };
    one(0);
    this.repeat(0, () => this.isNext(T.Comma), () => {
      this.consume(0, T.Comma);
      one(1);
    });
    return sources;
  });

  readonly fixture: Rule<FixtureItem> = this.RULE("fixture", (): FixtureItem => {
    const { startOffset } = this.need(0, T.FixtureWord);
    this.reading = "fixture";
    const open = this.need(0, T.LCurly, "`{`");
    const vars: VarItem[] = [];
    const hooks: { setup: Block | null; teardown: Block | null } = { setup: null, teardown: null };
    this.#members(open, () => {
      if (this.RECORDING_PHASE) {
        this.or(0, [{ ALT: () => this.subrule(0, this.fixtureVariable) }, { ALT: () => this.subrule(0, this.fixtureHook), IGNORE_AMBIGUITIES: true }]);
        return;
      }
      const word = this.peek(1);
      const isShared = this.isWord(word, "shared") && this.peek(2).tokenType === T.Var;
      if (isShared) this.retype(word, T.SharedWord);
      if (isShared || word.tokenType === T.Var) {
        vars.push(this.subrule(0, this.fixtureVariable));
        return;
      }
      const { when, body } = this.subrule(0, this.fixtureHook);
      const earlier = hooks[when];
      if (earlier !== null) {
        this.complain(word, "E0220", `a fixture has one \`${when}\``, "the second one", { notes: [`the first one is at line ${positionAt(this.source, earlier.span.start).line}`] });
      }
      hooks[when] = body;
    });
    return { kind: "fixture", vars, ...hooks, span: this.spanFrom(startOffset) };
  });

  readonly fixtureVariable: Rule<VarItem> = this.RULE("fixtureVariable", (): VarItem => {
    const first = this.peek(1);
    this.when(0, first.tokenType === T.SharedWord, () => this.consume(0, T.SharedWord));
    return this.#variable(first);
  });

  readonly fixtureHook: Rule<{ when: "setup" | "teardown"; body: Block }> = this.RULE("fixtureHook", () => {
    const word = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isWord(word, "setup") && !this.isWord(word, "teardown")) {
      const near = nearestName(word.image, ["setup", "teardown", "var"]);
      throw this.expected("`var`, `setup` or `teardown`", near === undefined ? {} : { help: `did you mean \`${near}\`?` });
    }
    const when = this.#needHookWord(0);
    return { when, body: this.subrule(0, this.block) };
  });

  // ---- Roots for pieces of code in YAML ----

  readonly wholeExpression: Rule<Expr | null> = this.RULE("wholeExpression", () => this.guarded(() => this.#whole(this.subrule(0, this.expr)), () => this.#drop()));

  readonly wholeType: Rule<TypeExpr | null> = this.RULE("wholeType", () => this.guarded(() => this.#whole(this.subrule(0, this.type)), () => this.#drop()));

  readonly wholeNeeds: Rule<Need[] | null> = this.RULE("wholeNeeds", () => this.guarded(() => this.#whole(this.subrule(0, this.needs)), () => this.#drop()));

  readonly wholeTargets: Rule<Name[] | null> = this.RULE("wholeTargets", () => this.guarded(() => this.#whole(this.subrule(0, this.targets)), () => this.#drop()));

  readonly wholeString: Rule<StringLiteral | null> = this.RULE("wholeString", () => this.guarded(() => this.#whole(this.subrule(0, this.string)), () => this.#drop()));

  /** One attribute as YAML writes it: without the `@`. */
  readonly wholeAttribute: Rule<Attribute | null> = this.RULE("wholeAttribute", () =>
    this.guarded((): Attribute => {
      const name = this.needAnyWord(0, "an attribute's name");
      const args: Expr[] = [];
      const open = this.peek(1);
      this.when(0, open.tokenType === T.LParen, () => {
        this.consume(0, T.LParen);
        this.commaList(1, T.RParen, () => args.push(this.subrule(0, this.expr)));
        this.needClose(0, T.RParen, open);
      });
      return this.#whole({ kind: "attribute", name, args, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) });
    }, () => this.#drop()),
  );

  #whole<R>(result: R): R {
    const next = this.peek(1);
    if (next.tokenType !== T.EndOfFile) throw this.faultAt(next, "E0201", `expected the end, found ${this.describe(next)}`, "left over");
    return result;
  }

  #drop(): void {
    while (!this.isNext(T.EndOfFile)) this.SKIP_TOKEN();
  }
}

// Rules for files: which declaration starts here, the suite's header, `use`, and the roots for pieces of code in YAML. Only here may a
// contextual word such as `test` or `table` start something, so nothing else has to avoid it. A declaration is guarded: one that
// does not parse is reported once and left out, its name kept in `File.lost`.

import type { IOrAlt, TokenType } from "chevrotain";
import type { Attribute, Expr, File, Item, Name, Need, StringLiteral, SuiteHeader, TypeExpr, UseItem } from "./ast.ts";
import { declaresTest, foreignItems, HOW_TO_TEST, typesOfC } from "./foreign-words.ts";
import { nearestName } from "./nearest-name.ts";
import type { Rule } from "./parse-core.ts";
import { statementWords } from "./parse-recovery.ts";
import { TestParser } from "./parse-tests.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

const contextualItems: ReadonlyMap<string, TokenType> = new Map([
  ["suite", T.SuiteWord],
  ["use", T.UseWord],
  ["regs", T.RegsWord],
  ["interface", T.InterfaceWord],
  ["fake", T.FakeWord],
  ["table", T.TableWord],
  ["test", T.TestWord],
  ["fixture", T.FixtureWord],
  ["shared", T.SharedWord],
]);

const statementTypes: ReadonlySet<TokenType> = new Set([...statementWords, T.If, T.Else, T.AsmWord]);

export class ItemParser extends TestParser {
  #suite: SuiteHeader | null = null;
  /** A brace behind the header, which has been reported, waits for the one that closes it. */
  #isSuiteOpen = false;

  constructor(options: ConstructorParameters<typeof TestParser>[0]) {
    super(options);
    this.performSelfAnalysis();
  }

  override begin(...args: Parameters<TestParser["begin"]>): void {
    this.#suite = null;
    this.#isSuiteOpen = false;
    super.begin(...args);
  }

  readonly file: Rule<File> = this.RULE("file", (): File => {
    const items: Item[] = [];
    const lost: string[] = [];
    this.repeat(
      0,
      () => !this.isNext(T.EndOfFile),
      () => {
        this.reading = null;
        this.declaring = null;
        const item = this.guarded(
          () => this.#itemWithAttributes(),
          (from) => {
            if (this.declaring !== null) lost.push(this.declaring);
            this.skipItem(from);
          },
        );
        if (item !== null) items.push(item);
      },
    );
    const span = { source: this.source, start: 0, end: this.source.text.length };
    return { kind: "file", span, suite: this.#suite, items, comments: [], ...(lost.length > 0 ? { lost } : {}) };
  });

  /** Null for the suite's header, which is no item, and for a stray `;`. */
  #itemWithAttributes(): Item | null {
    const attributes: Attribute[] = [];
    this.repeat(
      1,
      () => this.isNext(T.At),
      () => attributes.push(this.subrule(0, this.attribute)),
    );
    this.attributes = attributes;
    if (this.RECORDING_PHASE) {
      this.or(0, [{ ALT: () => this.consume(0, T.Semi) }, { ALT: () => this.subrule(0, this.item) }]);
      return null;
    }
    if (this.isNext(T.Semi)) {
      this.consume(0, T.Semi);
      return null;
    }
    if (this.isNext(T.RCurly) && this.#isSuiteOpen) {
      this.#isSuiteOpen = false;
      this.SKIP_TOKEN();
      return null;
    }
    this.#judgeStart(this.peek(1));
    const [first] = attributes;
    if (first !== undefined && !this.isNext(T.TestWord) && !this.#isSuiteHeader()) {
      this.complain(this.tokenAt(first.span.start), "E0210", "an attribute stands before a suite, a test or a table row", "nothing here takes it");
    }
    return this.subrule(0, this.item);
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
    const details = this.#suite === null ? { help: 'a spec begins with `suite "name"`, and a test is `test "what it shows" { .. }`' } : {};
    throw this.faultAt(first, "E0203", `expected a declaration, found ${this.describe(first)}`, "no declaration starts so", details);
  }

  #unknownItem(first: Token): Error {
    const isStatement = T.statementWords.some((word) => word === first.image);
    if (isStatement) {
      return this.faultAt(first, "E0216", `\`${first.image}\` is a statement and cannot stand at file level`, "not inside a test or function", {
        help: "put it into a `test` or a `fn`",
      });
    }
    this.declaring = this.#nameAhead();
    const message = `\`${first.image}\` starts no declaration`;
    const foreign = foreignItems.get(first.image);
    if (foreign?.ours === "fn" && declaresTest(this.peek(2).image)) return this.faultAt(first, "E0203", message, "unknown word", { help: HOW_TO_TEST });
    if (foreign !== undefined && foreign.ours === null) return this.faultAt(first, "E0203", message, "unknown word", { help: foreign.help });
    const near = foreign?.ours ?? this.#foreignDeclaration(first) ?? nearestName(first.image, [...T.itemWords, ...T.laterWords.keys()]);
    return this.faultAt(first, "E0203", message, "unknown word", {
      help: near === undefined ? `declarations start with ${T.itemWords.map((word) => `\`${word}\``).join(", ")}` : `did you mean \`${near}\`?`,
      ...(near === undefined ? {} : { fix: { span: this.spanOf(first), text: near } }),
    });
  }

  /** What a declaration that begins with an unknown word declares: in `pub fn f(`, `int f(`, `static u32 x =` the last word before a mark. */
  #nameAhead(): string | null {
    let at = 1;
    while (!this.peek(at + 1).newline && this.isAnyWord(this.peek(at + 1))) at++;
    return at > 1 && this.peek(at).tokenType === T.Ident ? this.peek(at).image : null;
  }

  /** `int add(`, `u32 limit =`: a type and a name, as C has it. */
  #foreignDeclaration(first: Token): string | undefined {
    if (!typesOfC.test(first.image) || this.peek(2).tokenType !== T.Ident || this.peek(2).newline) return undefined;
    const { tokenType: mark } = this.peek(3);
    return mark === T.LParen ? "fn" : mark === T.Equal || mark === T.Semi ? "var" : undefined;
  }

  readonly item: Rule<Item | null> = this.RULE("item", (): Item | null =>
    this.or(
      0,
      (this.#itemAlternatives ??= [
        { ALT: () => this.subrule(0, this.suite) },
        { ALT: () => this.subrule(0, this.use) },
        { ALT: () => this.subrule(0, this.fn) },
        { ALT: () => this.subrule(0, this.constant) },
        { ALT: () => this.subrule(0, this.fileVariable) },
        { ALT: () => this.subrule(0, this.struct) },
        { ALT: () => this.subrule(0, this.interface) },
        { ALT: () => this.subrule(0, this.fake) },
        { ALT: () => this.subrule(0, this.enumeration) },
        { ALT: () => this.subrule(0, this.regs) },
        { ALT: () => this.subrule(0, this.table) },
        { ALT: () => this.subrule(0, this.test) },
        { ALT: () => this.subrule(0, this.fixture) },
      ]),
    ),
  );

  #itemAlternatives: IOrAlt<Item | null>[] | undefined;

  // ---- suite, use ----

  readonly suite: Rule<Item | null> = this.RULE("suite", (): Item | null => {
    const attributes = this.attributes;
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
    else
      this.complain(first, "E0219", "a file has one suite", "a second header", {
        also: [{ span: this.#suite.span, text: "the first one" }],
        help: "put the second suite into a file of its own",
      });
    return null;
  });

  #header(attributes: readonly Attribute[], first: Token): SuiteHeader {
    const name = this.needPlainString(0, "the suite's name");
    const needs: Need[] = [];
    const on: Name[] = [];
    this.repeat(
      0,
      () => this.isWord(this.peek(1), "needs") || this.isWord(this.peek(1), "on"),
      () => {
        const word = this.peek(1);
        this.consume(0, T.Ident);
        this.when(2, word.image === "needs", () => needs.push(...this.recorded(this.subrule(0, this.needs))));
        this.when(3, word.image === "on", () => on.push(...this.recorded(this.subrule(0, this.targets))));
      },
    );
    const span = this.spanFrom(first.startOffset);
    const brace = this.peek(1);
    if (!this.RECORDING_PHASE && brace.tokenType === T.LCurly) {
      this.complain(brace, "E0201", "a suite has no braces", "no brace here", {
        help: "the suite is the whole file: what belongs to it stands below its header",
      });
      this.SKIP_TOKEN();
      this.#isSuiteOpen = true;
    }
    return { name, attributes, needs, on, span };
  }

  readonly suiteHook: Rule<Item> = this.RULE("suiteHook", (): Item => {
    const word = this.peek(1);
    const when = this.needHookWord(0);
    this.reading = `suite ${when}`;
    const body = this.subrule(0, this.block);
    return { kind: "suite-hook", when, body, span: this.spanFrom(word.startOffset) };
  });

  readonly use: Rule<UseItem | null> = this.RULE("use", (): UseItem | null => {
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
    if (!this.RECORDING_PHASE && !quoted && this.isNext(T.Dot)) {
      this.#skipPath(path);
      return null;
    }
    let alias: Name | null = null;
    this.when(0, this.isWord(this.peek(1), "as") && !this.peek(1).newline, () => {
      this.needWord(1, "as");
      alias = this.needName(2, "the name for the module");
    });
    return { kind: "use", path, quoted, alias, span: this.spanFrom(startOffset) };
  });

  /** `use std.mem`: a module is one word. What `::` has been reported for is left out silently. */
  #skipPath(module: Name): void {
    if (this.peek(1).endOffset === this.peek(1).startOffset) {
      throw this.expected("the end of the line", {
        help: `a module of the library is one word, \`use ${module.text}\`; another file is \`use "./other.gspec"\``,
      });
    }
    while (!this.peek(1).newline) this.SKIP_TOKEN();
  }

  // ---- Roots for pieces of code in YAML ----

  readonly wholeExpression: Rule<Expr | null> = this.RULE("wholeExpression", () =>
    this.guarded(
      () => this.#whole(this.subrule(0, this.expr)),
      () => this.#drop(),
    ),
  );

  readonly wholeType: Rule<TypeExpr | null> = this.RULE("wholeType", () =>
    this.guarded(
      () => this.#whole(this.subrule(0, this.type)),
      () => this.#drop(),
    ),
  );

  readonly wholeNeeds: Rule<Need[] | null> = this.RULE("wholeNeeds", () =>
    this.guarded(
      () => this.#whole(this.subrule(0, this.needs)),
      () => this.#drop(),
    ),
  );

  readonly wholeTargets: Rule<Name[] | null> = this.RULE("wholeTargets", () =>
    this.guarded(
      () => this.#whole(this.subrule(0, this.targets)),
      () => this.#drop(),
    ),
  );

  readonly wholeString: Rule<StringLiteral | null> = this.RULE("wholeString", () =>
    this.guarded(
      () => this.#whole(this.subrule(0, this.string)),
      () => this.#drop(),
    ),
  );

  /** One attribute as YAML writes it: without the `@`. */
  readonly wholeAttribute: Rule<Attribute | null> = this.RULE("wholeAttribute", () =>
    this.guarded(
      (): Attribute => {
        const name = this.needAnyWord(0, "an attribute's name");
        const args: Expr[] = [];
        const open = this.peek(1);
        this.when(0, open.tokenType === T.LParen, () => {
          this.consume(0, T.LParen);
          this.commaList(1, T.RParen, () => args.push(this.subrule(0, this.expr)));
          this.needClose(0, T.RParen, open);
        });
        return this.#whole({ kind: "attribute", name, args, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) });
      },
      () => this.#drop(),
    ),
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

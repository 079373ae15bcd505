// Rules for tests and what stands around them: attributes, `needs`, marks, hooks, tables and their rows, tests, fixtures. Rows are
// guarded one by one, so that a table with three mistakes gives three reports.

import type {
  Attribute,
  Block,
  Expr,
  FixtureItem,
  Item,
  Mark,
  Name,
  Need,
  Param,
  PciId,
  StringLiteral,
  TableItem,
  TableRow,
  TestItem,
  TestSource,
  VarItem,
} from "./ast.ts";
import { foreignAttributes, foreignClauses } from "./foreign-words.ts";
import { nearestName } from "./nearest-name.ts";
import type { TokenType } from "chevrotain";
import type { Rule } from "./parse-core.ts";
import { DeclarationParser } from "./parse-declarations.ts";
import { integerOf } from "./parse-operands.ts";
import { positionAt } from "./source.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

/** What stands behind a test's name in other languages. */
const clauseMarks: ReadonlyMap<TokenType, string> = new Map([
  [T.LParen, "a test has no parameters: its cases are `for row in rows`, of a table, or `for n in [1, 2]`"],
  [T.Colon, "a block stands between braces: `{ .. }`"],
  [T.Comma, 'a test is `test "what it shows" { .. }`'],
]);

interface TestHeader {
  readonly sources: TestSource[];
  readonly needs: Need[];
  readonly on: Name[];
  mark: Mark | null;
}

export class TestParser extends DeclarationParser {
  /** Those before the item being read. */
  protected attributes: readonly Attribute[] = [];

  override begin(...args: Parameters<DeclarationParser["begin"]>): void {
    this.attributes = [];
    super.begin(...args);
  }

  // ---- Headers ----

  readonly attribute: Rule<Attribute> = this.RULE("attribute", (): Attribute => {
    const { startOffset } = this.need(0, T.At);
    const name = this.needAnyWord(0, "an attribute's name");
    const args: Expr[] = [];
    const open = this.peek(1);
    if (!this.RECORDING_PHASE && open.tokenType === T.Dot) {
      const help = foreignAttributes.get(name.text)?.help ?? "an attribute is one word, with values between parentheses: `@tags(slow)`";
      throw this.expected("an attribute's end", { help });
    }
    this.when(0, open.tokenType === T.LParen && this.isAdjacent(this.peek(0), open), () => {
      this.consume(0, T.LParen);
      const outer = this.inBrackets;
      this.inBrackets = true;
      this.commaList(1, T.RParen, () => args.push(this.subrule(0, this.expr)));
      const foreign = foreignAttributes.get(name.text);
      if (!this.RECORDING_PHASE && !this.isNext(T.RParen) && foreign !== undefined) throw this.expected("`)`", { help: foreign.help });
      this.needClose(0, T.RParen, open);
      this.inBrackets = outer;
    });
    return { kind: "attribute", name, args, span: this.spanFrom(startOffset) };
  });

  /** `needs a, b(..)`, after the word `needs`. */
  readonly needs: Rule<Need[]> = this.RULE("needs", (): Need[] => {
    const needs: Need[] = [this.subrule(0, this.needItem)];
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        needs.push(this.subrule(1, this.needItem));
      },
    );
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
          if (!this.RECORDING_PHASE && arg.kind !== "int")
            throw this.faultAt(first, "E0201", "a PCI id is two numbers", "not a number", { help: "write `pci(0x1b36:0x0005)`" });
          arg = { kind: "pci-id", vendor: integerOf(first), device: integerOf(second), span: this.spanFrom(first.startOffset) };
        });
        args.push(arg);
      });
      this.needClose(0, T.RParen, open);
      this.inBrackets = outer;
    });
    return { name, args, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) };
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

  protected needHookWord(index: number): "setup" | "teardown" {
    const word = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isWord(word, "setup") && !this.isWord(word, "teardown")) {
      const near = nearestName(word.image, ["setup", "teardown"]);
      throw this.expected("`setup` or `teardown`", near === undefined ? {} : { help: `did you mean \`${near}\`?` });
    }
    this.consume(index, T.Ident);
    return word.image === "teardown" ? "teardown" : "setup";
  }

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
    const when = this.needHookWord(0);
    this.need(0, T.For);
    const table = this.needName(1, "a table's name");
    this.reading = `table ${when} for \`${table.text}\``;
    const body = this.subrule(0, this.block);
    return { kind: "table-hook", when, table, body, span: this.spanFrom(startOffset) };
  });

  readonly tableBody: Rule<TableItem> = this.RULE("tableBody", (): TableItem => {
    const { startOffset } = this.peek(1);
    const name = this.needName(0, "a table's name");
    this.startDeclaration("table", name);
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
      this.repeat(
        6,
        () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(),
        () => {
          const row = this.guarded(
            () => this.subrule(0, this.row),
            (begin) => this.skipLine(begin),
          );
          if (row !== null) rows.push(row);
        },
      );
      this.needClose(0, T.RCurly, brace);
    });
    return { kind: "table", name, columns, like, from, fromTable, rows, span: this.spanFrom(startOffset) };
  });

  /** Cells up to the end of the line; a comma at the end of a line goes on with the next. */
  readonly row: Rule<TableRow> = this.RULE("row", (): TableRow => {
    const { startOffset } = this.peek(1);
    const attributes: Attribute[] = [];
    this.repeat(
      0,
      () => this.isNext(T.At),
      () => attributes.push(this.subrule(0, this.attribute)),
    );
    const cells: Expr[] = [this.subrule(0, this.expr)];
    this.repeat(
      1,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        cells.push(this.subrule(1, this.expr));
      },
    );
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
    const attributes = this.attributes;
    const { startOffset } = this.need(0, T.TestWord);
    const nameStart = this.peek(1);
    if (!this.RECORDING_PHASE && nameStart.tokenType !== T.Str && nameStart.tokenType !== T.StrHead) {
      const help =
        nameStart.tokenType === T.Ident
          ? `write \`test "${nameStart.image}"\``
          : 'a test is `test "what it shows" { .. }`, its cases `test ".." for row in rows { .. }`';
      throw this.expected("the test's name between quotes", { help });
    }
    const name = this.subrule(0, this.string);
    if (!this.RECORDING_PHASE) this.reading = `test ${this.source.text.slice(nameStart.startOffset, name.span.end)}`;
    const header: TestHeader = { sources: [], needs: [], on: [], mark: null };
    this.repeat(
      0,
      () => !this.isNext(T.LCurly) && !this.isNext(T.EndOfFile),
      () => this.#testClause(header),
    );
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
      if (header.mark !== null)
        this.complain(word, "E0220", "a test has one `xfail` or `skip`", "the second one", { also: [{ span: header.mark.span, text: "the first one" }] });
      header.mark = this.subrule(0, this.mark);
    } else if (this.isWord(word, "needs")) {
      this.consume(0, T.Ident);
      header.needs.push(...this.subrule(0, this.needs));
    } else if (this.isWord(word, "on")) {
      this.consume(0, T.Ident);
      header.on.push(...this.subrule(0, this.targets));
    } else {
      const help = foreignClauses.get(word.image)?.help ?? clauseMarks.get(word.tokenType);
      if (help !== undefined) throw this.expected("`for`, `needs`, `on`, `xfail` or `{`", { help });
      const near = word.tokenType === T.Ident ? nearestName(word.image, ["for", "needs", "on", "xfail", "skip"]) : undefined;
      throw this.expected(
        "`for`, `needs`, `on`, `xfail` or `{`",
        word.tokenType === T.At
          ? { help: `attributes stand before the test: \`@${this.peek(2).image} test ..\`` }
          : near === undefined
            ? {}
            : { help: `did you mean \`${near}\`?`, fix: { span: this.spanOf(word), text: near } },
      );
    }
  }

  readonly sources: Rule<TestSource[]> = this.RULE("sources", (): TestSource[] => {
    this.need(0, T.For);
    const sources: TestSource[] = [];
    const one = (index: number): void => {
      const name = this.needName(index, "a variable's name");
      this.needIn(index);
      sources.push({ name, source: this.condition(index) });
    };
    one(0);
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        one(1);
      },
    );
    return sources;
  });

  readonly fixture: Rule<FixtureItem> = this.RULE("fixture", (): FixtureItem => {
    const { startOffset } = this.need(0, T.FixtureWord);
    this.reading = "fixture";
    const open = this.need(0, T.LCurly, "`{`");
    const vars: VarItem[] = [];
    const hooks: { setup: Block | null; teardown: Block | null } = { setup: null, teardown: null };
    this.members(open, () => {
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
        this.complain(word, "E0220", `a fixture has one \`${when}\``, "the second one", {
          notes: [`the first one is at line ${positionAt(this.source, earlier.span.start).line}`],
        });
      }
      hooks[when] = body;
    });
    return { kind: "fixture", vars, ...hooks, span: this.spanFrom(startOffset) };
  });

  readonly fixtureVariable: Rule<VarItem> = this.RULE("fixtureVariable", (): VarItem => {
    const first = this.peek(1);
    this.when(0, first.tokenType === T.SharedWord, () => this.consume(0, T.SharedWord));
    return this.variable(first);
  });

  readonly fixtureHook: Rule<{ when: "setup" | "teardown"; body: Block }> = this.RULE("fixtureHook", () => {
    const word = this.peek(1);
    if (!this.RECORDING_PHASE && !this.isWord(word, "setup") && !this.isWord(word, "teardown")) {
      const near = nearestName(word.image, ["setup", "teardown", "var"]);
      throw this.expected("`var`, `setup` or `teardown`", near === undefined ? {} : { help: `did you mean \`${near}\`?` });
    }
    const when = this.needHookWord(0);
    return { when, body: this.subrule(0, this.block) };
  });
}

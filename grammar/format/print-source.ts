// A file's AST and comments as canonical text: two blanks of indent, 120 columns, cells of tables and registers in columns, at most one
// blank line where the author left any. Printing goes through the text in its order and takes each comment when it passes it,
// so none is lost: on its own line, at the end of the line it stood on, or (inside a header) on a line before it.

import type {
  AsmStmt,
  Attribute,
  Block,
  Comment,
  EnumItem,
  Expr,
  FieldDecl,
  File,
  FixtureItem,
  FnItem,
  IfStmt,
  InterfaceItem,
  Item,
  Mark,
  MatchStmt,
  MethodSignature,
  Name,
  Need,
  Param,
  RegisterDecl,
  RegsItem,
  Stmt,
  StructItem,
  SuiteHeader,
  TableItem,
  TableRow,
  TestItem,
  VarItem,
} from "../ast.ts";
import { positionAt, type Source, type Span } from "../source.ts";
import { lineWidth, pad, type PrintContext, printCondition, printExpr, printString, printType } from "./print-expressions.ts";

/** Something in a list that gets lines of its own. */
interface Element {
  readonly start: number;
  readonly end: number;
  /** Prints it, taking the comments inside it. Several lines are joined by `\n`, the later ones with their indent. */
  readonly print: () => string;
}

export function printSource(file: File): string {
  const printer = new SourcePrinter(file.span.source, file.comments);
  return printer.file(file);
}

class SourcePrinter {
  readonly #context: PrintContext;
  readonly #source: Source;
  readonly #comments: readonly Comment[];
  /** Index of the first comment not printed yet. */
  #next = 0;

  constructor(source: Source, comments: readonly Comment[]) {
    this.#source = source;
    this.#comments = comments;
    this.#context = { source, comments };
  }

  // ---- Comments and lists ----

  #lineOf(offset: number): number {
    return positionAt(this.#source, offset).line;
  }

  #hasCommentsBefore(offset: number): boolean {
    const comment = this.#comments[this.#next];
    return comment !== undefined && comment.span.start < offset;
  }

  #takeBefore(offset: number): Comment[] {
    const taken: Comment[] = [];
    for (let comment = this.#comments[this.#next]; comment !== undefined && comment.span.start < offset; comment = this.#comments[++this.#next])
      taken.push(comment);
    return taken;
  }

  /** The comments of an expression that is printed as written are part of its text. */
  #passExpr(span: Span): void {
    this.#takeBefore(span.end);
  }

  /** Elements one below the other with the comments between them, up to the offset `end`; `openLine` is the line of the bracket before. */
  #lines(elements: readonly Element[], indent: number, openLine: number, end: number, areSpaced: boolean): { readonly head: string; readonly lines: string[] } {
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
      for (const comment of this.#takeBefore(upTo)) {
        const line = this.#lineOf(comment.span.start);
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
      put(text, this.#lineOf(element.start), !hasLeading && (isTall || wasTall));
      previousLine = this.#lineOf(Math.max(element.start, element.end - 1));
      wasTall = isTall;
    }
    comments(end);
    return { head, lines };
  }

  /** Comments inside a header come out before it. */
  #header(text: string, until: number, indent: number): string {
    const comments = this.#takeBefore(until);
    return comments.map((comment) => `${comment.text}\n${pad(indent)}`).join("") + text;
  }

  /** `{ .. }` around lines. */
  #braces(elements: readonly Element[], span: Span, indent: number): string {
    const { head, lines } = this.#lines(elements, indent + 2, this.#lineOf(span.start), span.end, false);
    if (lines.length === 0) return head === "" ? "{}" : `{${head}\n${pad(indent)}}`;
    return `{${head}\n${lines.join("\n")}\n${pad(indent)}}`;
  }

  #isOneLine({ start, end }: { readonly start: number; readonly end: number }): boolean {
    const at = this.#source.text.indexOf("\n", start);
    return at === -1 || at >= end;
  }

  /** Where the braces of a declaration open: after all of its header. */
  #braceAfter(offset: number): number {
    const found = this.#source.text.indexOf("{", offset);
    return found === -1 ? offset : found;
  }

  // ---- File ----

  file(file: File): string {
    const items: Element[] = file.items.map((item) => ({ start: this.#startOf(item), end: item.span.end, print: () => this.#item(item) }));
    const { suite } = file;
    if (suite !== null) {
      const start = suite.attributes[0]?.span.start ?? suite.span.start;
      items.push({ start, end: suite.span.end, print: () => this.#suite(suite) });
    }
    items.sort((a, b) => a.start - b.start);
    const { lines } = this.#lines(items, 0, 0, Number.POSITIVE_INFINITY, true);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }

  #startOf(item: Item): number {
    const attributes = item.kind === "test" ? item.attributes : [];
    return attributes[0]?.span.start ?? item.span.start;
  }

  #suite(suite: SuiteHeader): string {
    const text = `${this.#attributes(suite.attributes, 0)}suite ${printString(this.#context, suite.name)}${this.#clauses([], suite.needs, suite.on, null)
      .map((clause) => ` ${clause}`)
      .join("")}`;
    return this.#header(text, suite.span.end, 0);
  }

  #item(item: Item): string {
    switch (item.kind) {
      case "use": {
        const path = item.quoted ? `"${item.path.text}"` : item.path.text;
        return this.#header(`use ${path}${item.alias === null ? "" : ` as ${item.alias.text}`}`, item.span.end, 0);
      }
      case "fn":
        return this.#fn(item, 0);
      case "const": {
        const head = `const ${item.name.text}${item.type === null ? "" : `: ${printType(this.#context, item.type)}`} = `;
        return this.#withValue(head, item.value, 0);
      }
      case "var":
        return this.#variable(item, 0);
      case "struct":
        return this.#struct(item);
      case "interface":
        return this.#interface(item);
      case "enum":
        return this.#enum(item);
      case "regs":
        return this.#regs(item);
      case "table":
        return this.#table(item);
      case "test":
        return this.#test(item);
      case "fixture":
        return this.#fixture(item);
      case "suite-hook":
        return `${this.#header(`suite ${item.when}`, item.body.span.start, 0)} ${this.#block(item.body, 0, 0)}`;
      case "table-hook":
        return `${this.#header(`table ${item.when} for ${item.table.text}`, item.body.span.start, 0)} ${this.#block(item.body, 0, 0)}`;
    }
  }

  #withValue(head: string, value: Expr, indent: number): string {
    const before = this.#header(head, value.span.start, indent);
    const text = before + this.#expr(value, indent, indent + head.length);
    return text;
  }

  #expr(expr: Expr, indent: number, column: number, tail = 0): string {
    const text = printExpr(this.#context, expr, indent, column, tail);
    this.#passExpr(expr.span);
    return text;
  }

  /** One attribute a line before a declaration, all on one where they are short. */
  #attributes(attributes: readonly Attribute[], indent: number): string {
    if (attributes.length === 0) return "";
    return `${attributes.map((attribute) => this.#attribute(attribute)).join(" ")}\n${pad(indent)}`;
  }

  #attribute({ name, args }: Attribute): string {
    return `@${name.text}${args.length === 0 ? "" : `(${args.map((arg) => printExpr(this.#context, arg, 0, 0)).join(", ")})`}`;
  }

  #need({ name, args }: Need): string {
    const list = args.map((arg) => (arg.kind === "pci-id" ? `0x${hex4(arg.vendor)}:0x${hex4(arg.device)}` : printExpr(this.#context, arg, 0, 0)));
    return list.length === 0 ? name.text : `${name.text}(${list.join(", ")})`;
  }

  #mark({ kind, reason }: Mark): string {
    return `${kind} ${printString(this.#context, reason)}`;
  }

  #clauses(sources: TestItem["sources"], needs: readonly Need[], on: readonly Name[], mark: Mark | null): string[] {
    return [
      sources.length === 0 ? "" : `for ${sources.map(({ name, source }) => `${name.text} in ${printCondition(this.#context, source, 0, 0)}`).join(", ")}`,
      needs.length === 0 ? "" : `needs ${needs.map((need) => this.#need(need)).join(", ")}`,
      on.length === 0 ? "" : `on ${on.map(({ text }) => text).join(", ")}`,
      mark === null ? "" : this.#mark(mark),
    ].filter((clause) => clause !== "");
  }

  #test(test: TestItem): string {
    const attributes = this.#attributes(test.attributes, 0);
    const name = `test ${printString(this.#context, test.name)}`;
    const clauses = this.#clauses(test.sources, test.needs, test.on, test.mark);
    const flat = [name, ...clauses].join(" ");
    const isWide = flat.length + 2 > lineWidth && clauses.length > 0;
    const head = isWide ? [name, ...clauses.map((clause) => `    ${clause}`)].join("\n") : flat;
    const text = this.#header(attributes + head, test.body.span.start, 0);
    return `${text} ${this.#block(test.body, 0, (isWide ? (head.split("\n").at(-1) ?? "") : flat).length + 1)}`;
  }

  #params(params: readonly Param[]): string {
    return params
      .map(({ name, type }) => (type.span.start === name.span.start && name.text === "self" ? "self" : `${name.text}: ${printType(this.#context, type)}`))
      .join(", ");
  }

  #fn(fn: FnItem, indent: number): string {
    const head = this.#signature(fn, fn.on.length === 0 ? "" : ` on ${fn.on.map(({ text }) => text).join(", ")}`, indent);
    const text = this.#header(head, fn.body.span.start, indent);
    return `${text} ${this.#block(fn.body, indent, indent + (head.split("\n").at(-1) ?? "").length + 1)}`;
  }

  /** `end` is what stands behind it on its line. */
  #signature({ name, params, result }: MethodSignature, end: string, indent: number): string {
    const tail = `${result === null ? "" : ` -> ${printType(this.#context, result)}`}${end}`;
    const head = `fn ${name.text}(${this.#params(params)})${tail}`;
    if (indent + head.length + 2 <= lineWidth || params.length === 0) return head;
    return `fn ${name.text}(\n${params.map((param) => `${pad(indent + 2)}${this.#params([param])},\n`).join("")}${pad(indent)})${tail}`;
  }

  #variable(item: VarItem, indent: number): string {
    const head = `${item.shared ? "shared " : ""}var ${item.name.text}${item.type === null ? "" : `: ${printType(this.#context, item.type)}`}`;
    return item.value === null ? this.#header(head, item.span.end, indent) : this.#withValue(`${head} = `, item.value, indent);
  }

  // ---- Declarations with members ----

  #struct(item: StructItem): string {
    const parents = item.parents ?? [];
    const brace = this.#braceAfter(parents.at(-1)?.span.end ?? item.name.span.end);
    const after = parents.length === 0 ? "" : `: ${parents.map((parent) => printType(this.#context, parent)).join(", ")}`;
    const head = this.#header(`${item.isFake === true ? "fake" : "struct"} ${item.name.text}${after}`, brace, 0);
    const word = item.isFake === true ? "var " : "";
    const fields = item.fields.map(({ name, type }) => `${name.text}: ${printType(this.#context, type)}`);
    const flat = `${head} { ${fields.join(", ")} }`;
    const span = { ...item.span, start: brace };
    if (
      word === "" &&
      fields.length > 0 &&
      item.methods.length === 0 &&
      this.#isOneLine(span) &&
      flat.length <= lineWidth &&
      !this.#hasCommentsBefore(span.end)
    )
      return flat;
    const width = Math.max(0, ...item.fields.map(({ name }) => name.text.length));
    const elements: Element[] = [
      ...item.fields.map(({ name, type }): Element => ({
        start: name.span.start,
        end: type.span.end,
        print: () => `${word}${`${name.text}:`.padEnd(width + 1)} ${printType(this.#context, type)}`,
      })),
      ...item.methods.map((method): Element => ({ start: method.span.start, end: method.span.end, print: () => this.#fn(method, 2) })),
    ].toSorted((a, b) => a.start - b.start);
    return `${head} ${this.#braces(elements, span, 0)}`;
  }

  #interface(item: InterfaceItem): string {
    const brace = this.#braceAfter(item.name.span.end);
    const head = this.#header(`interface ${item.name.text}`, brace, 0);
    const elements = item.methods.map((method): Element => ({
      start: method.span.start,
      end: method.span.end,
      print: () => this.#header(this.#signature(method, "", 2), method.span.end, 2),
    }));
    return `${head} ${this.#braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #enum(item: EnumItem): string {
    const brace = this.#braceAfter(item.type?.span.end ?? item.name.span.end);
    const head = this.#header(`enum ${item.name.text}${item.type === null ? "" : `: ${printType(this.#context, item.type)}`}`, brace, 0);
    const textOf = ({ name, value }: EnumItem["members"][number]): string =>
      `${name.text}${value === null ? "" : ` = ${printExpr(this.#context, value, 2, 2)}`}`;
    const span = { ...item.span, start: brace };
    const flat = `${head} { ${item.members.map(textOf).join(", ")} }`;
    if (item.members.length > 0 && this.#isOneLine(span) && flat.length <= lineWidth && !this.#hasCommentsBefore(span.end)) return flat;
    const elements = item.members.map((member): Element => ({
      start: member.name.span.start,
      end: member.value?.span.end ?? member.name.span.end,
      print: () => `${textOf(member)},`,
    }));
    return `${head} ${this.#braces(elements, span, 0)}`;
  }

  #regs(item: RegsItem): string {
    const brace = this.#braceAfter(item.name.span.end);
    const head = this.#header(`regs ${item.name.text}`, brace, 0);
    const cells = item.registers.map((register) => [
      `${register.name.text}:`,
      printType(this.#context, register.type),
      `@${printCondition(this.#context, register.offset, 2, 2)}`,
      [register.access ?? "", register.reset === null ? "" : `reset = ${printCondition(this.#context, register.reset, 2, 2)}`]
        .filter((text) => text !== "")
        .join(" "),
    ]);
    const widths = columnWidths(cells);
    const elements = item.registers.map((register, index): Element => {
      const line = alignCells(cells[index] ?? [], widths, " ");
      return { start: register.span.start, end: register.span.end, print: () => this.#register(register, line) };
    });
    return `${head} ${this.#braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #register(register: RegisterDecl, line: string): string {
    if (register.fields.length === 0) return this.#header(line.trimEnd(), register.span.end, 2);
    const first = register.fields[0];
    const brace = this.#source.text.lastIndexOf("{", first?.span.start ?? register.span.end);
    const textOf = ({ name, high, low, access }: FieldDecl): string =>
      `${name.text}: ${printCondition(this.#context, high, 4, 4)}${low === null ? "" : `..${printCondition(this.#context, low, 4, 4)}`}${access === null ? "" : ` ${access}`}`;
    const head = this.#header(line.trimEnd(), brace, 2);
    const flat = `${head} { ${register.fields.map(textOf).join(", ")} }`;
    const span = { ...register.span, start: brace };
    if (this.#isOneLine(span) && 2 + flat.length <= lineWidth && !this.#hasCommentsBefore(span.end)) return flat;
    const elements = register.fields.map((field): Element => ({ start: field.span.start, end: field.span.end, print: () => textOf(field) }));
    return `${head} ${this.#braces(elements, span, 2)}`;
  }

  #table(item: TableItem): string {
    const columns = item.columns === null ? "" : ` (${this.#params(item.columns)})`;
    const like = item.like === null ? "" : ` like ${item.like.text}`;
    const from = item.from === null ? "" : ` from ${printString(this.#context, item.from)}${item.fromTable === null ? "" : ` table ${item.fromTable.text}`}`;
    const text = `table ${item.name.text}${columns}${like}${from}`;
    if (item.from !== null) return this.#header(text, item.span.end, 0);
    const brace = this.#braceAfter(Math.max(item.name.span.end, item.like?.span.end ?? 0, ...(item.columns ?? []).map(({ type }) => type.span.end)));
    const head = this.#header(text, brace, 0);
    const cells = item.rows.map((row) => row.cells.map((cell) => printExpr(this.#context, cell, 2, 2)));
    const widths = columnWidths(cells.map((row) => row.map((cell, index) => (index < row.length - 1 ? `${cell},` : cell))));
    const elements = item.rows.map((row, index): Element => ({
      start: row.span.start,
      end: row.span.end,
      print: () => this.#row(row, cells[index] ?? [], widths),
    }));
    return `${head} ${this.#braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #row(row: TableRow, cells: readonly string[], widths: readonly number[]): string {
    const attributes = row.attributes.map((attribute) => `${this.#attribute(attribute)} `).join("");
    const padded = alignCells(
      cells.map((cell, index) => (index < cells.length - 1 ? `${cell},` : cell)),
      widths,
      " ",
    );
    const tail = [row.name === null ? "" : `as ${printString(this.#context, row.name)}`, row.mark === null ? "" : this.#mark(row.mark)]
      .filter((text) => text !== "")
      .join(" ");
    const text = attributes + (tail === "" ? padded.trimEnd() : `${padded}  ${tail}`);
    const lastCell = row.cells.at(-1);
    if (row.cells.some((cell) => this.#comments.some(({ span }) => span.start >= cell.span.start && span.start < cell.span.end)) && lastCell !== undefined)
      this.#passExpr(lastCell.span);
    return this.#header(text, row.span.end, 2);
  }

  #fixture(item: FixtureItem): string {
    const brace = this.#braceAfter(item.span.start);
    const head = this.#header("fixture", brace, 0);
    const elements: Element[] = item.vars.map((variable): Element => ({
      start: variable.span.start,
      end: variable.span.end,
      print: () => this.#variable(variable, 2),
    }));
    for (const when of ["setup", "teardown"] as const) {
      const body = item[when];
      if (body === null) continue;
      const start = this.#source.text.lastIndexOf(when, body.span.start);
      elements.push({ start, end: body.span.end, print: () => `${this.#header(when, body.span.start, 2)} ${this.#block(body, 2, 2 + when.length + 1)}` });
    }
    return `${head} ${this.#braces(
      elements.toSorted((a, b) => a.start - b.start),
      { ...item.span, start: brace },
      0,
    )}`;
  }

  // ---- Statements ----

  /** On one line where the author had it so and it fits. */
  #block(block: Block, indent: number, column: number, mayBeFlat = true): string {
    if (block.statements.length === 0 && !this.#hasCommentsBefore(block.span.end)) return "{}";
    if (mayBeFlat && block.statements.length > 0 && this.#isOneLine(block.span)) {
      const saved = this.#next;
      const flat = `{ ${block.statements.map((statement) => this.#statement(statement, indent)).join("; ")} }`;
      if (!flat.includes("\n") && column + flat.length <= lineWidth) return flat;
      this.#next = saved;
    }
    const elements = block.statements.map((statement): Element => ({
      start: statement.span.start,
      end: statement.span.end,
      print: () => this.#statement(statement, indent + 2),
    }));
    return this.#braces(elements, block.span, indent);
  }

  #headed(head: string, body: Block, indent: number, mayBeFlat = true): string {
    const text = this.#header(head, body.span.start, indent);
    return `${text} ${this.#block(body, indent, indent + head.length + 1, mayBeFlat)}`;
  }

  #statement(statement: Stmt, indent: number): string {
    const context = this.#context;
    switch (statement.kind) {
      case "block":
        return this.#block(statement, indent, indent);
      case "let": {
        const word = `${statement.shared ? "shared " : ""}${statement.mutable ? "var" : "let"}`;
        const head = `${word} ${statement.name.text}${statement.type === null ? "" : `: ${printType(context, statement.type)}`}`;
        return statement.value === null ? this.#header(head, statement.span.end, indent) : this.#withValue(`${head} = `, statement.value, indent);
      }
      case "assign": {
        const head = `${this.#expr(statement.target, indent, indent)} ${statement.op ?? ""}= `;
        return this.#withValue(head, statement.value, indent);
      }
      case "expr-stmt":
        return this.#expr(statement.expr, indent, indent);
      case "if":
        return this.#if(statement, indent);
      case "while":
        return this.#headed(`while ${printCondition(context, statement.condition, indent, indent + 6, 2)}`, statement.body, indent);
      case "for": {
        const names = statement.index === null ? statement.name.text : `${statement.index.text}, ${statement.name.text}`;
        return this.#headed(`for ${names} in ${printCondition(context, statement.source, indent, indent + names.length + 8, 2)}`, statement.body, indent);
      }
      case "match":
        return this.#match(statement, indent);
      case "return":
        return statement.value === null ? "return" : this.#withValue("return ", statement.value, indent);
      case "break":
      case "continue":
        return statement.kind;
      case "defer":
        return this.#headed("defer", statement.body, indent);
      case "stub": {
        const head = this.#signature(
          { ...statement, name: { text: printExpr(context, statement.target, indent, 0), span: statement.target.span } },
          "",
          indent,
        );
        return this.#headed(`stub ${head}`, statement.body, indent);
      }
      case "user":
        return this.#headed("user", statement.body, indent);
      case "check": {
        const tail =
          (statement.within === null ? "" : ` within ${printExpr(context, statement.within, indent, 0)}`) +
          (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
        const head = `${statement.word} `;
        return this.#header(head + this.#expr(statement.condition, indent, indent + head.length, tail.length) + tail, statement.span.end, indent);
      }
      case "answer": {
        const answers = statement.answers.map((answer) => printExpr(context, answer, indent, 0)).join(", ");
        return this.#header(`stub ${printExpr(context, statement.target, indent, 0)} returns ${answers}`, statement.span.end, indent);
      }
      case "expect-call": {
        const calls = statement.calls.map(({ callee, returns, times }) => {
          const answer = returns === null ? "" : ` returns ${printExpr(context, returns, indent, 0)}`;
          return `${printExpr(context, callee, indent, 0)}${answer}${times === null ? "" : ` times ${printExpr(context, times, indent, 0)}`}`;
        });
        const head = `${statement.word}${statement.negated ? " no" : ""} call `;
        const message = statement.message === null ? "" : `, ${printString(context, statement.message)}`;
        const flat = `${head}${calls.join(" then ")}${message}`;
        const wide = `${head}${calls.join(`\n${pad(indent + 2)}then `)}${message}`;
        return this.#header(indent + flat.length <= lineWidth && this.#isOneLine(statement.span) ? flat : wide, statement.span.end, indent);
      }
      case "expect-trap": {
        const trap = statement.trap === null ? "" : ` ${statement.trap.module === null ? "" : `${statement.trap.module.text}.`}${statement.trap.name.text}`;
        const fields =
          statement.fields.length === 0
            ? ""
            : `(${statement.fields.map(({ name, value }) => `${name.text}: ${printExpr(context, value, indent, 0)}`).join(", ")})`;
        const head = `${statement.word}${statement.negated ? " no" : ""} trap${trap}${fields}${statement.binding === null ? "" : ` as ${statement.binding.text}`}`;
        return this.#headed(head, statement.body, indent) + (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
      }
      case "expect-log": {
        const head = `${statement.word}${statement.negated ? " no" : ""} log ${printString(context, statement.pattern)}`;
        const body = this.#headed(`${head}${statement.binding === null ? "" : ` as ${statement.binding.text}`}`, statement.body, indent);
        return body + (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
      }
      case "word":
        return this.#header(`${statement.word} ${printString(context, statement.message)}`, statement.span.end, indent);
      case "skip": {
        const condition =
          statement.condition === null ? "" : `${statement.unless ? "unless" : "if"} ${printExpr(context, statement.condition, indent, indent + 12)}, `;
        return this.#header(`skip ${condition}${printString(context, statement.message)}`, statement.span.end, indent);
      }
      case "on-irq":
        return this.#headed(`on irq ${printCondition(context, statement.irq, indent, 0)}`, statement.body, indent);
      case "cpu":
        return this.#headed(`cpu ${printCondition(context, statement.cpu, indent, 0)}`, statement.body, indent);
      case "wait-until": {
        const tail =
          (statement.within === null ? "" : ` within ${printExpr(context, statement.within, indent, 0)}`) +
          (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
        return this.#header(`wait until ${this.#expr(statement.condition, indent, indent + 11, tail.length)}${tail}`, statement.span.end, indent);
      }
      case "when-target": {
        const text = this.#headed(`when target ${statement.targets.map(({ text: name }) => name).join(", ")}`, statement.consequent, indent);
        return statement.otherwise === null
          ? text
          : `${this.#joinElse(text, statement.otherwise.span.start, indent)}${this.#block(statement.otherwise, indent, indent + 7)}`;
      }
      case "asm":
        return this.#asm(statement, indent);
    }
  }

  /** The operands on one line, the text as the author has it. */
  #asm(statement: AsmStmt, indent: number): string {
    const operands = statement.operands.map((operand) => {
      const head = `${operand.kind} ${operand.register.text}`;
      return operand.kind === "clobber" ? head : `${head} = ${printExpr(this.#context, operand.value, indent, 0)}`;
    });
    const list = operands.length === 0 ? "" : ` (${operands.join(", ")})`;
    return this.#header(`asm ${statement.target.text}${list}`, statement.textSpan.start - 1, indent) + ` {${statement.text}}`;
  }

  /** `} else `, with what comments stand before the else. */
  #joinElse(text: string, until: number, indent: number): string {
    const comments = this.#takeBefore(until);
    if (comments.length === 0) return `${text} else `;
    return `${text}\n${comments.map((comment) => `${pad(indent)}${comment.text}\n`).join("")}${pad(indent)}else `;
  }

  /** A chain with `else` is flat as a whole or not at all. */
  #if(statement: IfStmt, indent: number, mayBeFlat = statement.otherwise === null || this.#isOneLine(statement.span)): string {
    const text = this.#headed(`if ${printCondition(this.#context, statement.condition, indent, indent + 3, 2)}`, statement.consequent, indent, mayBeFlat);
    const { otherwise } = statement;
    if (otherwise === null) return text;
    const joined = this.#joinElse(text, otherwise.span.start, indent);
    return joined + (otherwise.kind === "if" ? this.#if(otherwise, indent, mayBeFlat) : this.#block(otherwise, indent, indent + 7, mayBeFlat));
  }

  #match(statement: MatchStmt, indent: number): string {
    const brace = this.#braceAfter(statement.value.span.end);
    const head = this.#header(`match ${printCondition(this.#context, statement.value, indent, indent + 6, 2)}`, brace, indent);
    const elements: Element[] = statement.arms.map((arm): Element => ({
      start: arm.span.start,
      end: arm.span.end,
      print: () => this.#headed(arm.patterns.map((pattern) => printCondition(this.#context, pattern, indent + 2, indent + 2)).join(", "), arm.body, indent + 2),
    }));
    const { otherwise } = statement;
    if (otherwise !== null) {
      const start = this.#source.text.lastIndexOf("else", otherwise.span.start);
      elements.push({ start, end: otherwise.span.end, print: () => this.#headed("else", otherwise, indent + 2) });
    }
    return `${head} ${this.#braces(
      elements.toSorted((a, b) => a.start - b.start),
      { ...statement.span, start: brace },
      indent,
    )}`;
  }
}

function hex4(value: bigint): string {
  return value.toString(16).padStart(4, "0");
}

/** A column with a very wide cell is left ragged. */
const widestAligned = 48;

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      const width = cell.includes("\n") ? Number.POSITIVE_INFINITY : cell.length;
      widths[index] = Math.max(widths[index] ?? 0, width);
    });
  }
  return widths.map((width) => (width > widestAligned ? 0 : width));
}

function alignCells(cells: readonly string[], widths: readonly number[], separator: string): string {
  return cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(separator);
}

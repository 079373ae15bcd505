// A file's AST and comments as canonical text: two blanks of indent, 120 columns, cells of tables and registers in columns, at most one
// blank line where the author left any. Printing goes through the text in its order and takes each comment when it passes it,
// so none is lost: on its own line, at the end of the line it stood on, or (inside a header) on a line before it.

import type {
  Attribute,
  EnumItem,
  FieldDecl,
  File,
  FixtureItem,
  FnItem,
  InterfaceItem,
  Item,
  Mark,
  Name,
  Need,
  RegisterDecl,
  RegsItem,
  StructItem,
  SuiteHeader,
  TableItem,
  TableRow,
  TestItem,
  VarItem,
} from "../ast.ts";
import type { Element } from "./print-core.ts";
import { lineWidth, pad, printCondition, printExpr, printString, printType } from "./print-expressions.ts";
import { StatementPrinter } from "./print-statements.ts";

export function printSource(file: File): string {
  const printer = new SourcePrinter(file.span.source, file.comments);
  return printer.file(file);
}

class SourcePrinter extends StatementPrinter {
  file(file: File): string {
    const items: Element[] = file.items.map((item) => ({ start: this.#startOf(item), end: item.span.end, print: () => this.#item(item) }));
    const { suite } = file;
    if (suite !== null) {
      const start = suite.attributes[0]?.span.start ?? suite.span.start;
      items.push({ start, end: suite.span.end, print: () => this.#suite(suite) });
    }
    items.sort((a, b) => a.start - b.start);
    const { lines } = this.lines(items, 0, 0, Number.POSITIVE_INFINITY, true);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }

  #startOf(item: Item): number {
    const attributes = item.kind === "test" ? item.attributes : [];
    return attributes[0]?.span.start ?? item.span.start;
  }

  #suite(suite: SuiteHeader): string {
    const text = `${this.#attributes(suite.attributes, 0)}suite ${printString(this.context, suite.name)}${this.#clauses([], suite.needs, suite.on, null)
      .map((clause) => ` ${clause}`)
      .join("")}`;
    return this.header(text, suite.span.end, 0);
  }

  #item(item: Item): string {
    switch (item.kind) {
      case "use": {
        const path = item.quoted ? `"${item.path.text}"` : item.path.text;
        return this.header(`use ${path}${item.alias === null ? "" : ` as ${item.alias.text}`}`, item.span.end, 0);
      }
      case "fn":
        return this.#fn(item, 0);
      case "const": {
        const head = `const ${item.name.text}${item.type === null ? "" : `: ${printType(this.context, item.type)}`} = `;
        return this.withValue(head, item.value, 0);
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
        return `${this.header(`suite ${item.when}`, item.body.span.start, 0)} ${this.block(item.body, 0, 0)}`;
      case "table-hook":
        return `${this.header(`table ${item.when} for ${item.table.text}`, item.body.span.start, 0)} ${this.block(item.body, 0, 0)}`;
    }
  }

  /** One attribute a line before a declaration, all on one where they are short. */
  #attributes(attributes: readonly Attribute[], indent: number): string {
    if (attributes.length === 0) return "";
    return `${attributes.map((attribute) => this.#attribute(attribute)).join(" ")}\n${pad(indent)}`;
  }

  #attribute({ name, args }: Attribute): string {
    return `@${name.text}${args.length === 0 ? "" : `(${args.map((arg) => printExpr(this.context, arg, 0, 0)).join(", ")})`}`;
  }

  #need({ name, args }: Need): string {
    const list = args.map((arg) => (arg.kind === "pci-id" ? `0x${hex4(arg.vendor)}:0x${hex4(arg.device)}` : printExpr(this.context, arg, 0, 0)));
    return list.length === 0 ? name.text : `${name.text}(${list.join(", ")})`;
  }

  #mark({ kind, reason }: Mark): string {
    return `${kind} ${printString(this.context, reason)}`;
  }

  #clauses(sources: TestItem["sources"], needs: readonly Need[], on: readonly Name[], mark: Mark | null): string[] {
    return [
      sources.length === 0 ? "" : `for ${sources.map(({ name, source }) => `${name.text} in ${printCondition(this.context, source, 0, 0)}`).join(", ")}`,
      needs.length === 0 ? "" : `needs ${needs.map((need) => this.#need(need)).join(", ")}`,
      on.length === 0 ? "" : `on ${on.map(({ text }) => text).join(", ")}`,
      mark === null ? "" : this.#mark(mark),
    ].filter((clause) => clause !== "");
  }

  #test(test: TestItem): string {
    const attributes = this.#attributes(test.attributes, 0);
    const name = `test ${printString(this.context, test.name)}`;
    const clauses = this.#clauses(test.sources, test.needs, test.on, test.mark);
    const flat = [name, ...clauses].join(" ");
    const isWide = flat.length + 2 > lineWidth && clauses.length > 0;
    const head = isWide ? [name, ...clauses.map((clause) => `    ${clause}`)].join("\n") : flat;
    const text = this.header(attributes + head, test.body.span.start, 0);
    return `${text} ${this.block(test.body, 0, (isWide ? (head.split("\n").at(-1) ?? "") : flat).length + 1)}`;
  }

  #fn(fn: FnItem, indent: number): string {
    const head = this.signature(fn, fn.on.length === 0 ? "" : ` on ${fn.on.map(({ text }) => text).join(", ")}`, indent);
    const text = this.header(head, fn.body.span.start, indent);
    return `${text} ${this.block(fn.body, indent, indent + (head.split("\n").at(-1) ?? "").length + 1)}`;
  }

  #variable(item: VarItem, indent: number): string {
    const head = `${item.shared ? "shared " : ""}var ${item.name.text}${item.type === null ? "" : `: ${printType(this.context, item.type)}`}`;
    return item.value === null ? this.header(head, item.span.end, indent) : this.withValue(`${head} = `, item.value, indent);
  }

  #struct(item: StructItem): string {
    const parents = item.parents ?? [];
    const brace = this.braceAfter(parents.at(-1)?.span.end ?? item.name.span.end);
    const after = parents.length === 0 ? "" : `: ${parents.map((parent) => printType(this.context, parent)).join(", ")}`;
    const head = this.header(`${item.isFake === true ? "fake" : "struct"} ${item.name.text}${after}`, brace, 0);
    const word = item.isFake === true ? "var " : "";
    const fields = item.fields.map(({ name, type }) => `${name.text}: ${printType(this.context, type)}`);
    const flat = `${head} { ${fields.join(", ")} }`;
    const span = { ...item.span, start: brace };
    if (word === "" && fields.length > 0 && item.methods.length === 0 && this.isOneLine(span) && flat.length <= lineWidth && !this.hasCommentsBefore(span.end))
      return flat;
    const width = Math.max(0, ...item.fields.map(({ name }) => name.text.length));
    const elements: Element[] = [
      ...item.fields.map(({ name, type }): Element => ({
        start: name.span.start,
        end: type.span.end,
        print: () => `${word}${`${name.text}:`.padEnd(width + 1)} ${printType(this.context, type)}`,
      })),
      ...item.methods.map((method): Element => ({ start: method.span.start, end: method.span.end, print: () => this.#fn(method, 2) })),
    ].toSorted((a, b) => a.start - b.start);
    return `${head} ${this.braces(elements, span, 0)}`;
  }

  #interface(item: InterfaceItem): string {
    const brace = this.braceAfter(item.name.span.end);
    const head = this.header(`interface ${item.name.text}`, brace, 0);
    const elements = item.methods.map((method): Element => ({
      start: method.span.start,
      end: method.span.end,
      print: () => this.header(this.signature(method, "", 2), method.span.end, 2),
    }));
    return `${head} ${this.braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #enum(item: EnumItem): string {
    const brace = this.braceAfter(item.type?.span.end ?? item.name.span.end);
    const head = this.header(`enum ${item.name.text}${item.type === null ? "" : `: ${printType(this.context, item.type)}`}`, brace, 0);
    const textOf = ({ name, value }: EnumItem["members"][number]): string =>
      `${name.text}${value === null ? "" : ` = ${printExpr(this.context, value, 2, 2)}`}`;
    const span = { ...item.span, start: brace };
    const flat = `${head} { ${item.members.map(textOf).join(", ")} }`;
    if (item.members.length > 0 && this.isOneLine(span) && flat.length <= lineWidth && !this.hasCommentsBefore(span.end)) return flat;
    const elements = item.members.map((member): Element => ({
      start: member.name.span.start,
      end: member.value?.span.end ?? member.name.span.end,
      print: () => `${textOf(member)},`,
    }));
    return `${head} ${this.braces(elements, span, 0)}`;
  }

  #regs(item: RegsItem): string {
    const brace = this.braceAfter(item.name.span.end);
    const head = this.header(`regs ${item.name.text}`, brace, 0);
    const cells = item.registers.map((register) => [
      `${register.name.text}:`,
      printType(this.context, register.type),
      `@${printCondition(this.context, register.offset, 2, 2)}`,
      [register.access ?? "", register.reset === null ? "" : `reset = ${printCondition(this.context, register.reset, 2, 2)}`]
        .filter((text) => text !== "")
        .join(" "),
    ]);
    const widths = columnWidths(cells);
    const elements = item.registers.map((register, index): Element => {
      const line = alignCells(cells[index] ?? [], widths, " ");
      return { start: register.span.start, end: register.span.end, print: () => this.#register(register, line) };
    });
    return `${head} ${this.braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #register(register: RegisterDecl, line: string): string {
    if (register.fields.length === 0) return this.header(line.trimEnd(), register.span.end, 2);
    const first = register.fields[0];
    const brace = this.source.text.lastIndexOf("{", first?.span.start ?? register.span.end);
    const textOf = ({ name, high, low, access }: FieldDecl): string =>
      `${name.text}: ${printCondition(this.context, high, 4, 4)}${low === null ? "" : `..${printCondition(this.context, low, 4, 4)}`}${access === null ? "" : ` ${access}`}`;
    const head = this.header(line.trimEnd(), brace, 2);
    const flat = `${head} { ${register.fields.map(textOf).join(", ")} }`;
    const span = { ...register.span, start: brace };
    if (this.isOneLine(span) && 2 + flat.length <= lineWidth && !this.hasCommentsBefore(span.end)) return flat;
    const elements = register.fields.map((field): Element => ({ start: field.span.start, end: field.span.end, print: () => textOf(field) }));
    return `${head} ${this.braces(elements, span, 2)}`;
  }

  #table(item: TableItem): string {
    const columns = item.columns === null ? "" : ` (${this.params(item.columns)})`;
    const like = item.like === null ? "" : ` like ${item.like.text}`;
    const from = item.from === null ? "" : ` from ${printString(this.context, item.from)}${item.fromTable === null ? "" : ` table ${item.fromTable.text}`}`;
    const text = `table ${item.name.text}${columns}${like}${from}`;
    if (item.from !== null) return this.header(text, item.span.end, 0);
    const brace = this.braceAfter(Math.max(item.name.span.end, item.like?.span.end ?? 0, ...(item.columns ?? []).map(({ type }) => type.span.end)));
    const head = this.header(text, brace, 0);
    const cells = item.rows.map((row) => row.cells.map((cell) => printExpr(this.context, cell, 2, 2)));
    const widths = columnWidths(cells.map((row) => row.map((cell, index) => (index < row.length - 1 ? `${cell},` : cell))));
    const elements = item.rows.map((row, index): Element => ({
      start: row.span.start,
      end: row.span.end,
      print: () => this.#row(row, cells[index] ?? [], widths),
    }));
    return `${head} ${this.braces(elements, { ...item.span, start: brace }, 0)}`;
  }

  #row(row: TableRow, cells: readonly string[], widths: readonly number[]): string {
    const attributes = row.attributes.map((attribute) => `${this.#attribute(attribute)} `).join("");
    const padded = alignCells(
      cells.map((cell, index) => (index < cells.length - 1 ? `${cell},` : cell)),
      widths,
      " ",
    );
    const tail = [row.name === null ? "" : `as ${printString(this.context, row.name)}`, row.mark === null ? "" : this.#mark(row.mark)]
      .filter((text) => text !== "")
      .join(" ");
    const text = attributes + (tail === "" ? padded.trimEnd() : `${padded}  ${tail}`);
    const lastCell = row.cells.at(-1);
    if (row.cells.some((cell) => this.hasCommentsInside(cell.span)) && lastCell !== undefined) this.passExpr(lastCell.span);
    return this.header(text, row.span.end, 2);
  }

  #fixture(item: FixtureItem): string {
    const brace = this.braceAfter(item.span.start);
    const head = this.header("fixture", brace, 0);
    const elements: Element[] = item.vars.map((variable): Element => ({
      start: variable.span.start,
      end: variable.span.end,
      print: () => this.#variable(variable, 2),
    }));
    for (const when of ["setup", "teardown"] as const) {
      const body = item[when];
      if (body === null) continue;
      const start = this.source.text.lastIndexOf(when, body.span.start);
      elements.push({ start, end: body.span.end, print: () => `${this.header(when, body.span.start, 2)} ${this.block(body, 2, 2 + when.length + 1)}` });
    }
    return `${head} ${this.braces(
      elements.toSorted((a, b) => a.start - b.start),
      { ...item.span, start: brace },
      0,
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

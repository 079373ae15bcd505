// Columns and rows of tables: rows as lists, as maps or as a text with pipes, each with its name, its marks and its attributes. They become
// the table declarations that the DSL has.

import { isMap, isScalar, isSeq } from "yaml";
import type { Expr, Name, Param, StringLiteral, TableItem, TableRow } from "../ast.ts";
import { parseTypeExpression } from "../parser.ts";
import type { Span } from "../source.ts";
import { reservedWords } from "../tokens.ts";
import { readCell, textLiteral, type Column } from "./cells.ts";
import { readPipeTable } from "./pipe-table.ts";
import {
  codeOf,
  complain,
  contentRange,
  firstLineOf,
  readList,
  readMap,
  reportUnknown,
  resolve,
  spanOf,
  textOfScalar,
  type Entry,
  type YamlContext,
  type YamlNode,
} from "./yaml-nodes.ts";
import { isFreeName, nameExpr, readAttributes, readMark, readText } from "./yaml-values.ts";

interface Rows {
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
}

/** What a row given as a map may say beside its cells. A column of the same name goes before. */
export const rowKeys = ["name", "tags", "attributes", "timeout", "xfail", "skip"] as const;

/** Null when there is no such key. A column whose type does not parse stays, so that its cells are not called unknown. */
export function readColumns(context: YamlContext, entry: Entry | undefined): readonly Column[] | null {
  const entries = entry === undefined ? null : readMap(context, entry.value, "`columns`", null);
  if (entries === null) return null;
  const columns: Column[] = [];
  for (const column of entries.values()) {
    if (!isFreeName(column.key)) {
      complain(
        context,
        "E0304",
        `\`${column.key}\` cannot name a column`,
        column.keySpan,
        reservedWords.has(column.key) ? "a reserved word" : "letters, digits and `_`",
      );
    }
    const scalar = readText(context, column);
    const type = scalar === null ? null : parseTypeExpression(context.source, codeOf(context, scalar, "`columns`"), context.report);
    columns.push({ name: column.key, nameSpan: column.keySpan, type });
  }
  return columns;
}

export function readRows(context: YamlContext, entry: Entry, declared: readonly Column[] | null): Rows | null {
  const { value } = entry;
  if (isScalar(value) && (value.type === "BLOCK_LITERAL" || value.type === "BLOCK_FOLDED")) {
    const { start, end } = contentRange(context, value);
    return readPipeTable(context, start, end, declared, ["name", "tags", "xfail", "skip"], readPipeMeta);
  }
  if (declared === null) {
    complain(context, "E0303", "these rows need the key `columns`", entry.keySpan, "rows of which columns?", { help: "add `columns: { a: u32, .. }`" });
    return null;
  }
  const rows: TableRow[] = [];
  for (const node of readList(context, value, "`rows`", false) ?? []) {
    const row = readRow(context, node, declared);
    if (row !== null) rows.push(row);
  }
  return { columns: declared, rows };
}

function readPipeMeta(row: TableRow, key: string, text: string, span: Span): TableRow {
  switch (key) {
    case "name":
      return { ...row, name: textLiteral(text, span) };
    case "tags": {
      const args = [...text.matchAll(/[^\s,]+/g)].map((match): Expr => {
        const start = span.start + match.index;
        return nameExpr(match[0], { source: span.source, start, end: start + match[0].length });
      });
      return { ...row, attributes: [...row.attributes, { kind: "attribute", name: { text: "tags", span }, args, span }] };
    }
    default:
      return { ...row, mark: { kind: key === "skip" ? "skip" : "xfail", reason: textLiteral(text, span), span } };
  }
}

export function readRow(context: YamlContext, node: YamlNode, columns: readonly Column[]): TableRow | null {
  const span = spanOf(context, node);
  if (isMap(node)) return readRowMap(context, node, columns);
  const nodes = isSeq(node) ? node.items : [node];
  if (nodes.length !== columns.length) {
    const count = `${nodes.length} cell${nodes.length === 1 ? "" : "s"}`;
    complain(context, "E0305", `this row has ${count}, the table ${columns.length} columns`, firstLineOf(context, node), "wrong number of cells", {
      help: `the columns are ${columns.map(({ name }) => `\`${name}\``).join(", ")}`,
    });
    return null;
  }
  const cells: Expr[] = [];
  for (let i = 0; i < columns.length; i++) {
    const cellNode = resolve(context, nodes[i]);
    const column = columns[i];
    const cell = cellNode === null || column === undefined ? null : readCell(context, cellNode, column);
    if (cell !== null) cells.push(cell);
  }
  return cells.length === columns.length ? { cells, name: null, attributes: [], mark: null, span } : null;
}

function readRowMap(context: YamlContext, node: YamlNode, columns: readonly Column[]): TableRow | null {
  const names = columns.map(({ name }) => name);
  const extra = rowKeys.filter((key) => !names.includes(key));
  const entries = readMap(context, node, "a row", null);
  if (entries === null) return null;
  let isGood = true;
  const meta = new Map<string, Entry>();
  for (const entry of entries.values()) {
    if (names.includes(entry.key)) continue;
    if (extra.some((key) => key === entry.key)) meta.set(entry.key, entry);
    else {
      reportUnknown(context, "E0308", `unknown column \`${entry.key}\``, entry.keySpan, [...names, ...extra]);
      isGood = false;
    }
  }
  const cells: Expr[] = [];
  const missing: string[] = [];
  for (const column of columns) {
    const entry = entries.get(column.name);
    if (entry === undefined) missing.push(`\`${column.name}\``);
    const cell = entry === undefined ? null : readCell(context, entry.value, column);
    if (cell === null) isGood = false;
    else cells.push(cell);
  }
  // A misspelt column is both unknown and missing: one report is enough.
  if (missing.length > 0 && entries.size - meta.size < columns.length) {
    complain(context, "E0303", `this row has no ${missing.join(" and no ")}`, firstLineOf(context, node), "every column needs a value");
  }
  if (!isGood) return null;
  const nameEntry = meta.get("name");
  const scalar = nameEntry === undefined ? null : readText(context, nameEntry);
  const name: StringLiteral | null = scalar === null ? null : textLiteral(textOfScalar(scalar), { source: context.source, ...contentRange(context, scalar) });
  return { cells, name, attributes: readAttributes(context, meta), mark: readMark(context, meta), span: spanOf(context, node) };
}

/** A name is part of the row's id, so it must be the table's only one. */
function reportDuplicateNames(context: YamlContext, rows: readonly TableRow[]): void {
  const seen = new Map<string, Span>();
  for (const { name } of rows) {
    if (name === null) continue;
    const [part] = name.parts;
    const text = part?.kind === "text" ? part.text : "";
    const first = seen.get(text);
    if (first === undefined) seen.set(text, name.span);
    else complain(context, "E0306", `two rows are named \`${text}\``, name.span, "the second one", {}, [{ span: first, text: "the first one" }]);
  }
}

function paramsOf(columns: readonly Column[]): readonly Param[] | null {
  const params: Param[] = [];
  for (const { name, nameSpan, type } of columns) {
    if (type === null) return null;
    params.push({ name: { text: name, span: nameSpan }, type });
  }
  return params;
}

export function tableItem(context: YamlContext, name: Name, { columns, rows }: Rows, span: Span): TableItem | null {
  reportDuplicateNames(context, rows);
  const params = paramsOf(columns);
  return params === null ? null : { kind: "table", name, columns: params, like: null, from: null, fromTable: null, rows, span };
}

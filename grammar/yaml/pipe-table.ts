// Rows written as one block scalar with pipe columns. A YAML node costs about a tenth of a millisecond, a cell here well under a microsecond:
// this is the form for big tables. Positions are those of the file, because the scalar is scanned where it stands.
//   | a | b | sum |        the header names the columns, in any order; `name`, `tags`, `xfail`, `skip` may be among them
//   | 1 | 2 | 3   |        `\|` is a pipe in a cell; in a `str` column a cell between double quotes is a string of the language
// Blank lines, lines that begin with `#`, and a rule `|---|---|` are left out.

import type { Expr, TableRow } from "../ast.ts";
import { nearestName } from "../nearest-name.ts";
import { type CodeRange, parseExpression, parseLiteral, parseTypeExpression } from "../parser.ts";
import type { Span } from "../source.ts";
import { type Column, isText, textLiteral } from "./cells.ts";
import { complain, type YamlContext } from "./yaml-nodes.ts";

interface PipeCell {
  readonly start: number;
  readonly end: number;
  /** It holds `\|`. */
  readonly isEscaped: boolean;
}

/** A column of the header: one of the table's or one that says something about the row. */
type Place = { readonly index: number; readonly column: Column } | { readonly meta: string };

export interface PipeRows {
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
}

/** What the row's own keys (`name`, `tags` ..) mean is the reader's business. */
export type ReadMeta = (row: TableRow, key: string, text: string, span: Span) => TableRow;

export function readPipeTable(
  context: YamlContext,
  start: number,
  end: number,
  declared: readonly Column[] | null,
  metaKeys: readonly string[],
  readMeta: ReadMeta,
): PipeRows {
  const { text } = context.source;
  let places: Place[] | null = null;
  let columns: readonly Column[] = declared ?? [];
  const rows: TableRow[] = [];
  for (let line = start; line < end;) {
    const newline = text.indexOf("\n", line);
    const lineEnd = newline === -1 || newline > end ? end : newline;
    let first = line;
    while (first < lineEnd && isBlank(text.charCodeAt(first))) first++;
    line = lineEnd + 1;
    let last = lineEnd;
    while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
    if (first === last || text.charCodeAt(first) === 35) continue;
    if (text.charCodeAt(first) !== 124) {
      complain(context, "E0311", "a row of a pipe table starts with `|`", { source: context.source, start: first, end: last }, "not a row");
      continue;
    }
    const cells = splitCells(text, first, last);
    if (places === null) {
      const header = readHeader(context, cells, declared, metaKeys);
      if (header === null) return { columns, rows };
      ({ places, columns } = header);
      continue;
    }
    if (isRule(text, first, last)) continue;
    const row = readRow(context, cells, places, columns, { source: context.source, start: first, end: last }, readMeta);
    if (row !== null) rows.push(row);
  }
  if (places === null)
    complain(context, "E0311", "the table has no header line", { source: context.source, start, end: Math.min(end, start + 1) }, "expected `| column | .. |`");
  return { columns, rows };
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13;
}

function isRule(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code !== 124 && code !== 45 && code !== 58 && !isBlank(code)) return false;
  }
  return text.slice(start, end).includes("--");
}

/** The trimmed ranges between the pipes; the last pipe may be missing. */
function splitCells(text: string, start: number, end: number): PipeCell[] {
  const cells: PipeCell[] = [];
  let from = start + 1;
  let isEscaped = false;
  for (let at = from; at <= end; at++) {
    const code = at < end ? text.charCodeAt(at) : 124;
    if (code === 92 && text.charCodeAt(at + 1) === 124) {
      isEscaped = true;
      at++;
    } else if (code === 124) {
      if (at === end && text.charCodeAt(end - 1) === 124 && from === end) break;
      let first = from;
      let last = at;
      while (first < last && isBlank(text.charCodeAt(first))) first++;
      while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
      cells.push({ start: first, end: last, isEscaped });
      isEscaped = false;
      from = at + 1;
    }
  }
  return cells;
}

function readHeader(
  context: YamlContext,
  cells: readonly PipeCell[],
  declared: readonly Column[] | null,
  metaKeys: readonly string[],
): { places: Place[]; columns: readonly Column[] } | null {
  const { text } = context.source;
  const columns: Column[] = [...(declared ?? [])];
  const places: Place[] = [];
  const used = new Set<string>();
  let isGood = true;
  for (const cell of cells) {
    const written = text.slice(cell.start, cell.end);
    const colon = written.indexOf(":");
    const name = (colon === -1 ? written : written.slice(0, colon)).trim();
    const span: Span = { source: context.source, start: cell.start, end: cell.start + name.length };
    const index = columns.findIndex((column) => column.name === name);
    if (used.has(name)) {
      complain(context, "E0311", `column \`${name}\` stands twice in the header`, span, "the second one");
      isGood = false;
    } else if (index !== -1) {
      const column = columns[index];
      if (column !== undefined) places.push({ index, column });
    } else if (metaKeys.includes(name)) places.push({ meta: name });
    else if (declared === null && colon !== -1) {
      const type = parseTypeExpression(context.source, { start: cell.start + colon + 1, end: cell.end }, context.report);
      const column: Column = { name, nameSpan: span, type };
      isGood &&= type !== null;
      places.push({ index: columns.length, column });
      columns.push(column);
    } else {
      const known = columns.map((column) => column.name);
      const near = nearestName(name, [...known, ...metaKeys]);
      complain(context, "E0308", `unknown column \`${name}\``, span, declared === null ? "its type is not known" : "not among `columns`", {
        help:
          near !== undefined
            ? `did you mean \`${near}\`?`
            : declared === null
              ? "write `name: type` here, or list the types under `columns`"
              : `the columns are ${known.map((column) => `\`${column}\``).join(", ")}`,
      });
      isGood = false;
    }
    used.add(name);
  }
  const first = cells[0];
  for (const { name, nameSpan } of declared ?? []) {
    if (used.has(name) || first === undefined) continue;
    complain(
      context,
      "E0303",
      `the header has no column \`${name}\``,
      { source: context.source, start: first.start, end: cells.at(-1)?.end ?? first.end },
      "missing here",
      {},
      [{ span: nameSpan, text: "declared here" }],
    );
    isGood = false;
  }
  return isGood ? { places, columns } : null;
}

function readRow(
  context: YamlContext,
  cells: readonly PipeCell[],
  places: readonly Place[],
  columns: readonly Column[],
  span: Span,
  readMeta: ReadMeta,
): TableRow | null {
  if (cells.length !== places.length) {
    const details = cells.length > places.length ? { help: "a pipe in a cell is written `\\|`" } : {};
    complain(
      context,
      "E0305",
      `this row has ${cells.length} cell${cells.length === 1 ? "" : "s"}, the header ${places.length}`,
      span,
      "wrong number of cells",
      details,
    );
    return null;
  }
  const values: Expr[] = Array.from({ length: columns.length });
  let isGood = true;
  let row: TableRow = { cells: values, name: null, attributes: [], mark: null, span };
  for (let i = 0; i < places.length; i++) {
    const place = places[i];
    const cell = cells[i];
    if (place === undefined || cell === undefined) continue;
    if ("meta" in place) {
      if (cell.start < cell.end) row = readMeta(row, place.meta, unescape(context, cell), { source: context.source, start: cell.start, end: cell.end });
      continue;
    }
    const value = readPipeCell(context, cell, place.column);
    if (value === null) isGood = false;
    else values[place.index] = value;
  }
  return isGood ? row : null;
}

function unescape(context: YamlContext, cell: PipeCell): string {
  const written = context.source.text.slice(cell.start, cell.end);
  return cell.isEscaped ? written.replaceAll("\\|", "|") : written;
}

function rangeOf(context: YamlContext, cell: PipeCell, column: Column): CodeRange {
  const { start, end } = cell;
  const reading = `column \`${column.name}\``;
  if (!cell.isEscaped) return { start, end, reading };
  const text = unescape(context, cell);
  const offsets = new Int32Array(text.length + 1);
  for (let i = 0, at = start; i <= text.length; i++, at++) {
    if (context.source.text.startsWith("\\|", at)) at++;
    offsets[i] = Math.min(at, end);
  }
  return { start, end, cooked: { text, offsets }, reading };
}

function readPipeCell(context: YamlContext, cell: PipeCell, column: Column): Expr | null {
  if (column.type === null) return null;
  if (isText(column.type)) {
    const text = unescape(context, cell);
    const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
    if (isQuoted) return parseExpression(context.source, rangeOf(context, cell, column), context.report);
    return textLiteral(text, { source: context.source, start: cell.start, end: cell.end });
  }
  if (cell.start === cell.end) {
    complain(context, "E0307", `column \`${column.name}\` has no value here`, { source: context.source, start: cell.start, end: cell.start + 1 }, "empty cell");
    return null;
  }
  const literal = cell.isEscaped ? null : parseLiteral(context.source, cell.start, cell.end);
  return literal ?? parseExpression(context.source, rangeOf(context, cell, column), context.report);
}

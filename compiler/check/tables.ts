// Tables: rows of constants, typed by their columns. A row is a struct, so that guest code reads `p.sum` like any field. Rows may
// stand in the file, or come from a YAML file's table, whose cells then point into that file.

import { literalText, type TableItem, type TableRow } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { ConstValue, HRow, HTable } from "../hir.ts";
import { joinPath } from "../paths.ts";
import { makeStruct, type StructType } from "../types.ts";
import { checkAttributes } from "./attributes.ts";
import { counted, fail, failTwice, listNames, moduleContext, suggest, type Context } from "./context.ts";
import { failCycle } from "./on-demand.ts";
import { resolveSized } from "./resolve-types.ts";
import { isLost, lookUp, visibleTables, type Module, type TableEntry } from "./scope.ts";
import { checkConstant } from "./values.ts";

/** The table behind a declaration; null when it is too wrong to use (reported). */
function resolveTable(context: Context, item: TableItem): HTable | null {
  const origin = item.from === null ? null : originOf(context, item);
  if (item.from !== null && origin === null) return null;
  const row = rowType(context, item, origin);
  if (row === null) return null;
  const rows = item.rows.map((written) => resolveRow(context, written, row));
  if (origin !== null) {
    const inner = moduleContext(context, origin.module);
    if (origin.item.columns !== null) checkSameColumns(context, origin.item, row);
    rows.push(...origin.item.rows.map((written) => resolveRow(inner, written, row)));
  }
  const kept = rows.filter((candidate) => candidate !== null);
  checkRowNames(context, kept);
  return { name: item.name.text, row, rows: kept, setup: null, teardown: null };
}

function originOf(context: Context, item: TableItem): { readonly module: Module; readonly item: TableItem } | null {
  const from = item.from;
  if (from === null) return null;
  const path = literalText(from);
  const module = context.modules.file(context.scope.module, path);
  if (module === null) {
    fail(context, from.span, "E0406", `there is no file \`${path}\``, { notes: [`looked for ${joinPath(context.scope.module.source.path, path)}`] });
    return null;
  }
  const tables = module.file.items.filter((candidate) => candidate.kind === "table");
  const wanted = item.fromTable?.text;
  const found =
    wanted === undefined
      ? tables.length === 1
        ? tables[0]
        : tables.find((table) => table.name.text === item.name.text || table.name.text === item.like?.text)
      : tables.find((table) => table.name.text === wanted);
  if (found === undefined) {
    const at = item.fromTable?.span ?? from.span;
    const names = tables.map((table) => table.name.text);
    const has = names.length === 0 ? undefined : `it has ${listNames(names)}`;
    fail(
      context,
      at,
      "E0413",
      wanted === undefined
        ? `\`${path}\` has ${counted(tables.length, "table")}, and none is called \`${item.name.text}\``
        : `\`${path}\` has no table \`${wanted}\``,
      {
        help: wanted === undefined ? (has === undefined ? undefined : `${has}: say which with \`table NAME\``) : (suggest(wanted, names) ?? has),
      },
    );
    return null;
  }
  return { module, item: found };
}

function rowType(context: Context, item: TableItem, origin: ReturnType<typeof originOf>): StructType | null {
  if (item.like !== null) {
    const symbol = lookUp(context.scope, item.like.text);
    if (symbol?.kind !== "table") {
      if (!isLost(context.scope, item.like.text))
        fail(context, item.like.span, "E0413", `there is no table \`${item.like.text}\``, { help: suggest(item.like.text, visibleTables(context.scope)) });
      return null;
    }
    const like = tableOf(context, symbol, item.like.span);
    return like?.row.kind === "struct" ? like.row : null;
  }
  const columns = item.columns ?? origin?.item.columns ?? null;
  if (columns === null) {
    fail(context, item.name.span, "E0413", `table \`${item.name.text}\` has no columns`, { help: "name them: `table t (a: u32, b: u32) { .. }`" });
    return null;
  }
  const inner = item.columns === null && origin !== null ? moduleContext(context, origin.module) : context;
  const fields = columns.map((column) => ({ name: column.name.text, type: resolveSized(inner, column.type), declared: column.name.span }));
  const seen = new Map<string, Span>();
  for (const field of fields) {
    const before = seen.get(field.name);
    if (before !== undefined) failTwice(context, field.declared, `column \`${field.name}\``, before);
    else seen.set(field.name, field.declared);
  }
  if (seen.size < fields.length || fields.some((field) => field.type.kind === "error")) return null;
  return { ...makeStruct(`row of ${item.name.text}`, item.name.span, fields, context.target.layout), table: item.name.text };
}

function checkSameColumns(context: Context, item: TableItem, row: StructType): void {
  const columns = item.columns ?? [];
  const names = columns.map((column) => column.name.text);
  const wanted = row.fields.map((field) => field.name);
  if (names.length === wanted.length && names.every((name, i) => name === wanted[i])) return;
  fail(context, row.declared, "E0413", `the columns are ${listNames(wanted)}, and its rows come from a table with ${listNames(names)}`, {
    label: `has ${listNames(wanted)}`,
    related: [{ span: columns[0]?.name.span ?? item.name.span, text: "the table of the rows" }],
  });
}

function resolveRow(context: Context, row: TableRow, type: StructType): HRow | null {
  if (row.cells.length !== type.fields.length) {
    fail(context, row.span, "E0704", `this row has ${counted(row.cells.length, "cell")}, the table ${counted(type.fields.length, "column")}`, {
      label: `the columns are ${listNames(type.fields.map((field) => field.name))}`,
      related: [{ span: type.declared, text: "declared here" }],
    });
    return null;
  }
  const attributes = row.attributes.length === 0 ? null : checkAttributes(context, row.attributes, "row");
  const fields: ConstValue[] = [];
  for (const [i, field] of type.fields.entries()) {
    const cell = row.cells[i];
    const constant = cell === undefined ? null : checkConstant(context, cell, field.type, "a cell of a table");
    if (constant !== null) fields.push(constant.value);
  }
  if (fields.length < type.fields.length) return null;
  return {
    value: { kind: "struct", fields },
    name: row.name === null ? null : literalText(row.name),
    span: row.span,
    xfail: row.mark?.kind === "xfail" ? literalText(row.mark.reason) : null,
    skip: row.mark?.kind === "skip" ? literalText(row.mark.reason) : null,
    cells: row.cells.map((cell) => cell.span),
    attributes,
  };
}

function checkRowNames(context: Context, rows: readonly HRow[]): void {
  const seen = new Map<string, HRow>();
  for (const row of rows) {
    if (row.name === null) continue;
    const before = seen.get(row.name);
    if (before !== undefined)
      fail(context, row.span, "E0703", `two rows are called "${row.name}"`, { related: [{ span: before.span, text: "the first one" }] });
    seen.set(row.name, row);
  }
}

export function tableOf(context: Context, entry: TableEntry, usedAt: Span | null = null): HTable | null {
  if (entry.state === "done") return entry.table;
  if (entry.state === "working") {
    failCycle(context, `table \`${textOf(entry.span)}\``, entry.span, usedAt);
    return null;
  }
  entry.state = "working";
  entry.table = resolveTable({ ...moduleContext(context, entry.module), reach: entry.reach }, entry.item);
  entry.state = "done";
  return entry.table;
}

// A spec file in YAML -> the same AST that the DSL gives. Each test becomes a test over a table of its own whose columns its body sees by
// their names (`TestSource.unpack`); code in cells and checks is parsed in place. The keys below are the format's authority, with
// schemas/table.schema.json as its copy for editors (a test keeps them equal): shapes are judged here and not by a schema validator,
// because here each mistake is seen once, with its place, and ten thousand rows cost nothing more.

import { isMap, isScalar, isSeq, type Scalar } from "yaml";
import type {
  Attribute,
  Block,
  Expr,
  File,
  Item,
  Mark,
  Name,
  Need,
  Param,
  StringLiteral,
  SuiteHeader,
  TableItem,
  TableRow,
  TestItem,
  TestSource,
  UseItem,
} from "../ast.ts";
import type { Report } from "../diagnostic.ts";
import { parseAttribute, parseExpression, parseNeeds, parseStatements, parseTargets, parseTemplate, parseTypeExpression } from "../parser.ts";
import type { Source, Span } from "../source.ts";
import { reservedWords } from "../tokens.ts";
import { isText } from "../text-check.ts";
import { type Column, readCell, textLiteral } from "./cells.ts";
import { type Axis, expandMatrix, readAxes } from "./matrix.ts";
import { readPipeTable } from "./pipe-table.ts";
import {
  codeOf,
  complain,
  contentRange,
  type Entry,
  firstLineOf,
  isEmpty,
  kindOf,
  readDocument,
  readList,
  readMap,
  readScalar,
  reportUnknown,
  resolve,
  spanOf,
  textOfScalar,
  type YamlContext,
  type YamlNode,
} from "./yaml-nodes.ts";

export const fileKeys = ["suite", "use", "needs", "on", "tags", "attributes", "setup", "teardown", "tables", "tests"] as const;
export const tableKeys = ["columns", "rows"] as const;
export const testKeys = [
  "test",
  "columns",
  "rows",
  "table",
  "matrix",
  "exclude",
  "include",
  "check",
  "needs",
  "on",
  "tags",
  "attributes",
  "timeout",
  "xfail",
  "skip",
] as const;
/** What a row given as a map may say beside its cells. A column of the same name goes before. */
export const rowKeys = ["name", "tags", "attributes", "timeout", "xfail", "skip"] as const;

type Entries = ReadonlyMap<string, Entry>;

interface Rows {
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
}

export function parseYamlFile(source: Source, report: Report): File {
  const empty: File = { kind: "file", span: { source, start: 0, end: source.text.length }, suite: null, items: [], comments: [] };
  if (!isText(source, report)) return empty;
  const context = readDocument(source, report);
  if (context === null) return empty;
  const root = resolve(context, context.document.contents);
  if (root === null || isEmpty(root)) {
    complain(context, "E0303", "the file holds nothing", { source, start: 0, end: 0 }, "expected `suite:` and `tests:`, or `tables:`");
    return empty;
  }
  const entries = readMap(context, root, "a spec file", fileKeys);
  if (entries === null) return empty;
  const tests = entries.get("tests");
  const tables = entries.get("tables");
  // A misspelt key is unknown and what it stands for missing: the first report is enough.
  const isComplete = isMap(root) && root.items.length === entries.size;
  if (tests === undefined && tables === undefined && isComplete) {
    complain(context, "E0303", "the file has neither `tests` nor `tables`", firstLineOf(context, root), "in this map");
  }
  if (tests !== undefined && !entries.has("suite") && isComplete) {
    complain(context, "E0303", "a file with tests needs the key `suite`", tests.keySpan, "tests of which suite?", { help: "add `suite: name` at the top" });
  }
  const items: Item[] = [
    ...readUses(context, entries.get("use")),
    ...readHooks(context, entries),
    ...(tables === undefined ? [] : readTables(context, tables)),
    ...(tests === undefined ? [] : readTests(context, tests)),
  ];
  return { ...empty, suite: readSuite(context, entries), items };
}

// ---- Head of the file ----

function readSuite(context: YamlContext, entries: Entries): SuiteHeader | null {
  const suite = entries.get("suite");
  const scalar = suite === undefined ? null : readText(context, suite);
  if (suite === undefined || scalar === null) return null;
  return {
    name: textLiteral(textOfScalar(scalar), { source: context.source, ...contentRange(context, scalar) }),
    attributes: readAttributes(context, entries),
    needs: readNeeds(context, entries.get("needs")),
    on: readTargets(context, entries.get("on")),
    span: { ...suite.keySpan, end: spanOf(context, suite.value).end },
  };
}

function readUses(context: YamlContext, use: Entry | undefined): UseItem[] {
  if (use === undefined) return [];
  const items: UseItem[] = [];
  for (const node of readList(context, use.value, "`use`", true) ?? []) {
    const entries = isMap(node) ? readMap(context, node, "an entry of `use`", ["path", "as"]) : null;
    const path = isScalar(node) ? node : entries?.get("path")?.value;
    if (path === undefined || !isScalar(path)) {
      complain(context, "E0304", "`use` names modules and files", firstLineOf(context, node), `${kindOf(node)} instead`, {
        help: "write `use: [pci, ./sha1.gspec]`, or `{ path: ./sha1.gspec, as: s }`",
      });
      continue;
    }
    const text = textOfScalar(path);
    const alias = entries?.get("as");
    items.push({
      kind: "use",
      path: { text, span: spanOf(context, path) },
      quoted: /[./]/.test(text),
      alias: alias === undefined ? null : readName(context, alias),
      span: spanOf(context, node),
    });
  }
  return items;
}

function readHooks(context: YamlContext, entries: Entries): Item[] {
  const items: Item[] = [];
  for (const when of ["setup", "teardown"] as const) {
    const entry = entries.get(when);
    const body = entry === undefined ? null : readCode(context, entry, `suite ${when}`);
    if (entry !== undefined && body !== null) items.push({ kind: "suite-hook", when, body, span: entry.keySpan });
  }
  return items;
}

// ---- Small values ----

function readText(context: YamlContext, entry: Entry): Scalar | null {
  const scalar = readScalar(context, entry.value, `\`${entry.key}\``);
  if (scalar !== null && isEmpty(scalar)) {
    complain(context, "E0303", `\`${entry.key}\` has no value`, entry.keySpan, "nothing follows");
    return null;
  }
  return scalar;
}

function readName(context: YamlContext, entry: Entry): Name | null {
  const scalar = readText(context, entry);
  if (scalar === null) return null;
  const text = textOfScalar(scalar);
  const span = spanOf(context, scalar);
  if (isFreeName(text)) return { text, span };
  complain(context, "E0304", `\`${text}\` is no name`, span, reservedWords.has(text) ? "a reserved word" : "letters, digits and `_`");
  return null;
}

function isFreeName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !reservedWords.has(text);
}

function readCode(context: YamlContext, entry: Entry, reading: string): Block | null {
  const scalar = readText(context, entry);
  return scalar === null ? null : parseStatements(context.source, codeOf(context, scalar, reading), context.report);
}

function readNeeds(context: YamlContext, entry: Entry | undefined): readonly Need[] {
  return scalarsOf(context, entry).flatMap((scalar) => parseNeeds(context.source, codeOf(context, scalar, "`needs`"), context.report) ?? []);
}

function readTargets(context: YamlContext, entry: Entry | undefined): readonly Name[] {
  return scalarsOf(context, entry).flatMap((scalar) => parseTargets(context.source, codeOf(context, scalar, "`on`"), context.report) ?? []);
}

function scalarsOf(context: YamlContext, entry: Entry | undefined): readonly Scalar[] {
  if (entry === undefined) return [];
  const nodes = readList(context, entry.value, `\`${entry.key}\``, true) ?? [];
  return nodes.map((node) => readScalar(context, node, `an element of \`${entry.key}\``)).filter((scalar) => scalar !== null);
}

/** `tags`, `attributes` and `timeout` of a file, test or row. */
function readAttributes(context: YamlContext, entries: Entries): readonly Attribute[] {
  const attributes: Attribute[] = [];
  const tags = entries.get("tags");
  if (tags !== undefined)
    attributes.push(
      attributeOf(
        tags,
        scalarsOf(context, tags).map((scalar) => nameExpr(textOfScalar(scalar), spanOf(context, scalar))),
      ),
    );
  for (const scalar of scalarsOf(context, entries.get("attributes"))) {
    const attribute = parseAttribute(context.source, codeOf(context, scalar, "`attributes`"), context.report);
    if (attribute !== null) attributes.push(attribute);
  }
  const timeout = entries.get("timeout");
  const scalar = timeout === undefined ? null : readText(context, timeout);
  const value = scalar === null ? null : parseExpression(context.source, codeOf(context, scalar, "`timeout`"), context.report);
  if (timeout !== undefined && value !== null) attributes.push(attributeOf(timeout, [value]));
  return attributes;
}

function attributeOf({ key, keySpan }: Entry, args: readonly Expr[]): Attribute {
  return { kind: "attribute", name: { text: key, span: keySpan }, args, span: keySpan };
}

function nameExpr(name: string, span: Span): Expr {
  return { kind: "name", name, span };
}

function readMark(context: YamlContext, entries: Entries): Mark | null {
  const [first, second] = (["xfail", "skip"] as const).map((kind) => entries.get(kind)).filter((entry) => entry !== undefined);
  if (first === undefined) return null;
  if (second !== undefined) {
    complain(context, "E0310", "`xfail` and `skip` exclude each other", second.keySpan, "the second one", {}, [{ span: first.keySpan, text: "the first one" }]);
  }
  const scalar = readText(context, first);
  if (scalar === null) return null;
  const reason = textLiteral(textOfScalar(scalar), { source: context.source, ...contentRange(context, scalar) });
  return { kind: first.key === "skip" ? "skip" : "xfail", reason, span: first.keySpan };
}

// ---- Columns and rows ----

/** Null when there is no such key. A column whose type does not parse stays, so that its cells are not called unknown. */
function readColumns(context: YamlContext, entry: Entry | undefined): readonly Column[] | null {
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

function readRows(context: YamlContext, entry: Entry, declared: readonly Column[] | null): Rows | null {
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

function readRow(context: YamlContext, node: YamlNode, columns: readonly Column[]): TableRow | null {
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

function tableItem(context: YamlContext, name: Name, { columns, rows }: Rows, span: Span): TableItem | null {
  reportDuplicateNames(context, rows);
  const params = paramsOf(columns);
  return params === null ? null : { kind: "table", name, columns: params, like: null, from: null, fromTable: null, rows, span };
}

function readTables(context: YamlContext, tables: Entry): Item[] {
  const items: Item[] = [];
  for (const entry of readMap(context, tables.value, "`tables`", null)?.values() ?? []) {
    if (!isFreeName(entry.key)) complain(context, "E0304", `\`${entry.key}\` cannot name a table`, entry.keySpan, "letters, digits and `_`");
    const fields = readMap(context, entry.value, `the table \`${entry.key}\``, tableKeys);
    const rows = fields?.get("rows");
    if (fields !== null && rows === undefined && isMap(entry.value) && entry.value.items.length === fields.size)
      complain(context, "E0303", `the table \`${entry.key}\` has no \`rows\``, entry.keySpan, "this table");
    const content = fields === null || rows === undefined ? null : readRows(context, rows, readColumns(context, fields.get("columns")));
    const item = content === null ? null : tableItem(context, { text: entry.key, span: entry.keySpan }, content, entry.keySpan);
    if (item !== null) items.push(item);
  }
  return items;
}

// ---- Tests ----

function readTests(context: YamlContext, tests: Entry): Item[] {
  const nodes = readList(context, tests.value, "`tests`", false) ?? [];
  return nodes.flatMap((node, index) => {
    const entries = readMap(context, node, "a test", testKeys);
    return entries === null ? [] : readTest(context, node, entries, index);
  });
}

function readTest(context: YamlContext, node: YamlNode, entries: Entries, index: number): Item[] {
  const title = entries.get("test");
  const check = entries.get("check");
  const missing = [title === undefined ? "`test`, its name" : "", check === undefined ? "`check`, its code" : ""].filter((text) => text !== "");
  if (missing.length > 0 && isMap(node) && node.items.length === entries.size) {
    complain(context, "E0303", `this test has no ${missing.join(" and no ")}`, title?.keySpan ?? firstLineOf(context, node), "this test");
  }
  const titleScalar = title === undefined ? null : readText(context, title);
  const written = titleScalar === null ? `tests[${index}]` : `"${textOfScalar(titleScalar)}"`;
  const name = titleScalar === null ? null : parseTemplate(context.source, codeOf(context, titleScalar, `test ${written}`), context.report);
  const body = check === undefined ? null : readCode(context, check, `test ${written}`);
  const data = readData(context, entries, { text: `tests[${index}]`, span: title?.keySpan ?? spanOf(context, node) });
  // Read even where the test is lost: its other mistakes are worth a report in the same run.
  const header = {
    needs: readNeeds(context, entries.get("needs")),
    on: readTargets(context, entries.get("on")),
    attributes: readAttributes(context, entries),
    mark: readMark(context, entries),
  };
  if (name === null || body === null || data === null) return [];
  const test: TestItem = { kind: "test", name, sources: data.sources, ...header, body, span: spanOf(context, node) };
  return [...data.items, test];
}

interface TestData {
  readonly items: readonly Item[];
  readonly sources: readonly TestSource[];
}

/** The rows of a test: its own, a named table's, or a matrix's. */
function readData(context: YamlContext, entries: Entries, tableName: Name): TestData | null {
  const declared = readColumns(context, entries.get("columns"));
  const [given, second] = (["rows", "table", "matrix"] as const).map((key) => entries.get(key)).filter((entry) => entry !== undefined);
  if (given !== undefined && second !== undefined) {
    complain(context, "E0310", `\`${given.key}\` and \`${second.key}\` exclude each other`, second.keySpan, "the second source of rows", {}, [
      { span: given.keySpan, text: "the first one" },
    ]);
  }
  for (const key of ["exclude", "include"]) {
    const entry = entries.get(key);
    if (entry !== undefined && given?.key !== "matrix") complain(context, "E0310", `\`${key}\` belongs to a \`matrix\``, entry.keySpan, "there is no matrix");
  }
  if (given === undefined) {
    const columns = entries.get("columns");
    if (columns !== undefined)
      complain(context, "E0303", "this test has columns and no rows", columns.keySpan, "columns of what?", { help: "add `rows` or `matrix`" });
    return columns === undefined ? { items: [], sources: [] } : null;
  }
  if (given.key === "table") {
    const name = readName(context, given);
    return name === null ? null : { items: [], sources: [rowSource(given.keySpan, nameExpr(name.text, name.span))] };
  }
  if (given.key === "matrix") return readMatrix(context, entries, given, declared, tableName);
  const content = readRows(context, given, declared);
  const item = content === null ? null : tableItem(context, tableName, content, given.keySpan);
  return item === null ? null : { items: [item], sources: [rowSource(given.keySpan, nameExpr(tableName.text, given.keySpan))] };
}

function rowSource(span: Span, source: Expr): TestSource {
  return { name: { text: "row", span }, source, unpack: true };
}

function readMatrix(context: YamlContext, entries: Entries, matrix: Entry, declared: readonly Column[] | null, tableName: Name): TestData | null {
  const map = readMap(context, matrix.value, "`matrix`", null);
  const axes = map === null ? null : readAxes(context, map, declared);
  for (const { name, nameSpan } of declared ?? []) {
    if (map !== null && !map.has(name)) {
      complain(context, "E0303", `\`matrix\` has no values for column \`${name}\``, matrix.keySpan, "missing here", {}, [
        { span: nameSpan, text: "declared here" },
      ]);
      return null;
    }
  }
  if (axes === null) return null;
  const listed = axes.filter((axis): axis is Extract<Axis, { kind: "values" }> => axis.kind === "values");
  const sources: TestSource[] = [];
  const items: Item[] = [];
  const columns = listed.map(({ column }) => column);
  if (listed.length > 0) {
    const rows = [...expandMatrix(context, listed, entries.get("exclude"), matrix.keySpan)];
    const include = entries.get("include");
    for (const node of include === undefined ? [] : (readList(context, include.value, "`include`", false) ?? [])) {
      const row = readRow(context, node, columns);
      if (row !== null) rows.push(row);
    }
    const item = tableItem(context, tableName, { columns, rows }, matrix.keySpan);
    if (item === null) return null;
    items.push(item);
    sources.push(rowSource(matrix.keySpan, nameExpr(tableName.text, matrix.keySpan)));
  }
  for (const axis of axes) {
    if (axis.kind !== "source" || !isScalar(axis.node)) continue;
    const source = parseExpression(context.source, codeOf(context, axis.node, `column \`${axis.name}\``), context.report);
    if (source === null) return null;
    sources.push({ name: { text: axis.name, span: axis.nameSpan }, source });
  }
  return { items, sources };
}

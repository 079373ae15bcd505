// A spec file in YAML -> the same AST that the DSL gives. Each test becomes a test over a table of its own whose columns its body sees by
// their names (`TestSource.unpack`); code in cells and checks is parsed in place. The keys below are the format's authority, with
// schemas/table.schema.json as its copy for editors (a test keeps them equal): shapes are judged here and not by a schema validator,
// because here each mistake is seen once, with its place, and ten thousand rows cost nothing more.

import { isMap, isScalar } from "yaml";
import type { Expr, File, Item, Name, SuiteHeader, TestItem, TestSource, UseItem } from "../ast.ts";
import type { Report } from "../diagnostic.ts";
import { parseExpression, parseTemplate } from "../parser.ts";
import type { Source, Span } from "../source.ts";
import { isText } from "../text-check.ts";
import { textLiteral, type Column } from "./cells.ts";
import { expandMatrix, readAxes, type Axis } from "./matrix.ts";
import {
  codeOf,
  complain,
  contentRange,
  firstLineOf,
  isEmpty,
  kindOf,
  readDocument,
  readList,
  readMap,
  resolve,
  spanOf,
  textOfScalar,
  type Entry,
  type YamlContext,
  type YamlNode,
} from "./yaml-nodes.ts";
import { readColumns, readRow, readRows, tableItem } from "./yaml-rows.ts";
import { isFreeName, nameExpr, readAttributes, readCode, readMark, readName, readNeeds, readTargets, readText, type Entries } from "./yaml-values.ts";

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

// ---- Tables ----

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

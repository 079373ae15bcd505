// `matrix`, `exclude` and `include` of a YAML test -> the rows of a table. Every combination becomes a row, the last column varying fastest;
// what an `exclude` entry matches in all its columns is taken out; `include` rows come last. An entry that matches nothing is an error,
// because it says that the author thinks of a row that is not there.

import { isScalar, isSeq } from "yaml";
import type { Expr, TableRow, TypeExpr } from "../ast.ts";
import type { Span } from "../source.ts";
import { type Column, keyOf, readCell } from "./cells.ts";
import { complain, type Entry, firstLineOf, readList, readMap, reportUnknown, spanOf, textOfScalar, type YamlContext, type YamlNode } from "./yaml-nodes.ts";

/** One column of the matrix with its values; a scalar such as `edges(u64)` is a source that the compiler expands. */
export type Axis =
  | { readonly kind: "values"; readonly column: Column; readonly values: readonly Expr[] }
  | { readonly kind: "source"; readonly name: string; readonly nameSpan: Span; readonly node: YamlNode };

export function readAxes(context: YamlContext, matrix: ReadonlyMap<string, Entry>, declared: readonly Column[] | null): readonly Axis[] | null {
  const axes: Axis[] = [];
  let isGood = true;
  for (const { key, keySpan, value } of matrix.values()) {
    const column = declared?.find(({ name }) => name === key);
    if (declared !== null && column === undefined) {
      reportUnknown(
        context,
        "E0308",
        `unknown column \`${key}\` in \`matrix\``,
        keySpan,
        declared.map(({ name }) => name),
      );
      isGood = false;
    } else if (isScalar(value) && column === undefined) axes.push({ kind: "source", name: key, nameSpan: keySpan, node: value });
    else {
      const nodes = readList(context, value, `the values of \`${key}\``, false);
      const typed = nodes === null ? null : (column ?? inferColumn(context, key, keySpan, nodes));
      const values = typed === null ? [] : (nodes ?? []).map((node) => readCell(context, node, typed));
      if (typed === null || values.includes(null)) isGood = false;
      else if (values.length === 0) {
        complain(context, "E0303", `\`${key}\` has no values, so there would be no test`, keySpan, "an empty list");
        isGood = false;
      } else axes.push({ kind: "values", column: typed, values: values.filter((cell) => cell !== null) });
    }
  }
  return isGood ? axes : null;
}

/** Types of values without a declared one; byte strings are arrays of their length. */
const naturalTypes = { unsigned: "u64", signed: "i64", duration: "u64", bool: "bool", str: "str" } as const;
type Natural = keyof typeof naturalTypes | "bytes";

function naturalOf(node: YamlNode): Natural | null {
  if (!isScalar(node)) return null;
  const text = textOfScalar(node);
  if (/^hex"[^"]*"$/.test(text)) return "bytes";
  const isPlain = node.type === undefined || node.type === "PLAIN";
  if (!isPlain) return "str";
  if (text === "true" || text === "false") return "bool";
  if (/^[0-9][0-9_]*(ns|us|ms|s)$/.test(text)) return "duration";
  if (/^-\s*[0-9]/.test(text)) return "signed";
  return /^[0-9]/.test(text) ? "unsigned" : "str";
}

/** The natural type of the values: `u64` (`i64` if one is negative), `bool`, `str` or bytes. */
function inferColumn(context: YamlContext, name: string, nameSpan: Span, nodes: readonly YamlNode[]): Column | null {
  const kinds = new Set(nodes.map(naturalOf));
  if (kinds.has("signed")) kinds.delete("unsigned");
  const [kind] = kinds;
  const help = "give the type under `columns`";
  if (kinds.size > 1 || kind === null) {
    complain(context, "E0313", `the values of \`${name}\` have no common type`, nameSpan, kind === null ? "not all are scalars" : [...kinds].join(", "), {
      help,
    });
    return null;
  }
  const named = (text: string): TypeExpr => ({ kind: "named-type", module: null, name: { text, span: nameSpan }, span: nameSpan });
  if (kind === "bytes") {
    const lengths = new Set(nodes.map((node) => (isScalar(node) ? textOfScalar(node).slice(4, -1).replaceAll(" ", "").length / 2 : 0)));
    const [length] = lengths;
    if (lengths.size > 1 || length === undefined) {
      complain(context, "E0313", `the values of \`${name}\` have different lengths`, nameSpan, "byte strings", { help });
      return null;
    }
    return {
      name,
      nameSpan,
      type: { kind: "array-type", length: { kind: "int", value: BigInt(length), text: String(length), span: nameSpan }, element: named("u8"), span: nameSpan },
    };
  }
  // A list without values is reported by the caller.
  return { name, nameSpan, type: named(kind === undefined ? "u64" : naturalTypes[kind]) };
}

interface Exclusion {
  readonly span: Span;
  /** Key of the value by column index. */
  readonly keys: ReadonlyMap<number, string>;
  hits: number;
}

/** All rows, without the `include` ones, which the caller reads as it reads any row. */
export function expandMatrix(
  context: YamlContext,
  axes: readonly Extract<Axis, { kind: "values" }>[],
  exclude: Entry | undefined,
  span: Span,
): readonly TableRow[] {
  const columns = axes.map(({ column }) => column);
  const exclusions = exclude === undefined ? [] : readExclusions(context, exclude, columns);
  const rows: TableRow[] = [];
  const keys = axes.map(({ values }) => values.map(keyOf));
  const indices = axes.map(() => 0);
  while (true) {
    const current = indices.map((index, axis) => keys[axis]?.[index] ?? "");
    let isExcluded = false;
    for (const exclusion of exclusions) {
      if ([...exclusion.keys].every(([axis, key]) => current[axis] === key)) {
        exclusion.hits++;
        isExcluded = true;
      }
    }
    if (!isExcluded) {
      const cells = axes.map(({ values }, axis) => values[indices[axis] ?? 0]).filter((cell) => cell !== undefined);
      rows.push({ cells, name: null, attributes: [], mark: null, span });
    }
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const next = (indices[axis] ?? 0) + 1;
      if (next < (axes[axis]?.values.length ?? 0)) {
        indices[axis] = next;
        break;
      }
      indices[axis] = 0;
    }
    if (axis < 0) break;
  }
  for (const { hits, span: place } of exclusions) {
    if (hits === 0) complain(context, "E0309", "this `exclude` matches no row of the matrix", place, "matches nothing");
  }
  return rows;
}

function readExclusions(context: YamlContext, exclude: Entry, columns: readonly Column[]): Exclusion[] {
  const exclusions: Exclusion[] = [];
  for (const node of readList(context, exclude.value, "`exclude`", false) ?? []) {
    const entries = readMap(context, node, "an entry of `exclude`", null);
    if (entries === null) continue;
    const keys = new Map<number, string>();
    let isGood = true;
    for (const { key, keySpan, value } of entries.values()) {
      const index = columns.findIndex(({ name }) => name === key);
      const column = columns[index];
      if (column === undefined) {
        reportUnknown(
          context,
          "E0308",
          `unknown column \`${key}\` in \`exclude\``,
          keySpan,
          columns.map(({ name }) => name),
        );
        isGood = false;
        continue;
      }
      const cell = isSeq(value) && value.flow !== true ? null : readCell(context, value, column);
      if (cell === null) isGood = false;
      else keys.set(index, keyOf(cell));
    }
    if (entries.size === 0) complain(context, "E0304", "an empty `exclude` entry would take out every row", firstLineOf(context, node), "names no column");
    else if (isGood) exclusions.push({ span: spanOf(context, node), keys, hits: 0 });
  }
  return exclusions;
}

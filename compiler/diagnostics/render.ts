// Diagnostics as text, in the manner of rustc: message, place, code frame with marks under the text, then notes and help; and as JSON for
// tools. The last stage of every failing `check`, `run` or `build`; a reader of `Diagnostic` values only, so DSL and YAML look alike.
// What is long is cut, never wrapped: a frame line that wraps puts its marks under the wrong text.

import type { Diagnostic, Label } from "../../grammar/diagnostic.ts";
import { offsetOfLine, positionAt, type Source } from "../../grammar/source.ts";
import { layLine, sliceColumns } from "./text-width.ts";

export interface RenderOptions {
  readonly color: boolean;
  /** Columns of the terminal; frames are cut to it. */
  readonly width?: number;
  /** How many to show before `.. and N more`. */
  readonly limit?: number;
}

type Style = "error" | "warning" | "frame" | "second" | "strong" | "plain";

const codes: Readonly<Record<Style, string>> = { error: "1;31", warning: "1;33", frame: "34", second: "36", strong: "1", plain: "" };

interface Painter {
  (style: Style, text: string): string;
}

/** In the order of the files as first reported and of the places in them. */
function sortDiagnostics(list: readonly Diagnostic[]): readonly Diagnostic[] {
  const order = new Map<Source, number>();
  for (const { labels } of list) if (!order.has(labels[0].span.source)) order.set(labels[0].span.source, order.size);
  const keyOf = ({ labels }: Diagnostic): number => order.get(labels[0].span.source) ?? 0;
  return list.toSorted((a, b) => keyOf(a) - keyOf(b) || a.labels[0].span.start - b.labels[0].span.start);
}

export function renderDiagnostics(list: readonly Diagnostic[], options: RenderOptions): string {
  const paint: Painter = (style, text) => (options.color && codes[style] !== "" && text !== "" ? `\x1b[${codes[style]}m${text}\x1b[0m` : text);
  const limit = options.limit ?? 20;
  // Errors are not pushed out by warnings.
  const sorted = sortDiagnostics(list);
  const shown = new Set([...sorted.filter(isError), ...sorted.filter((diagnostic) => !isError(diagnostic))].slice(0, limit));
  const blocks = sorted.filter((diagnostic) => shown.has(diagnostic)).map((diagnostic) => renderOne(diagnostic, options.width ?? 120, paint));
  const hidden = list.length - shown.size;
  if (hidden > 0) blocks.push(`.. and ${hidden} more`);
  if (list.length > 0) blocks.push(paint("strong", countLine(list)));
  return blocks.length === 0 ? "" : `${blocks.join("\n\n")}\n`;
}

function isError(diagnostic: Diagnostic): boolean {
  return diagnostic.severity === "error";
}

/** `2 errors, 1 warning`. */
function countLine(list: readonly Diagnostic[]): string {
  const errors = list.filter(isError).length;
  const warnings = list.length - errors;
  const counts = [errors > 0 ? `${errors} error${errors === 1 ? "" : "s"}` : "", warnings > 0 ? `${warnings} warning${warnings === 1 ? "" : "s"}` : ""];
  return counts.filter((count) => count !== "").join(", ");
}

function renderOne(diagnostic: Diagnostic, width: number, paint: Painter): string {
  const { code, severity, message, labels, notes, help } = diagnostic;
  const files = groupByFile(labels);
  const lastLine = Math.max(...labels.map(({ span }) => positionAt(span.source, span.start).line));
  const gutter = String(lastLine).length;
  const bar = paint("frame", "|");
  const blank = `${" ".repeat(gutter)} ${bar}`;
  const lines = [`${paint(severity, `${severity}[${code}]`)}${paint("strong", `: ${message}`)}`];
  files.forEach(([source, inFile], index) => {
    const first = inFile[0];
    if (first === undefined) return;
    const place = positionAt(source, first.span.start);
    lines.push(`${" ".repeat(gutter)}${paint("frame", index === 0 ? "-->" : ":::")} ${source.path}:${place.line}:${place.column}`);
    lines.push(blank, ...frame(source, inFile, labels[0], severity, gutter, width, paint));
  });
  const footer: [string, string][] = [
    ...(notes ?? []).map((note): [string, string] => ["note", note]),
    ...(help === undefined ? [] : [["help", help] satisfies [string, string]]),
    ["see", `guestspec explain ${code}`],
  ];
  lines.push(blank);
  for (const [kind, text] of footer) {
    const [head = "", ...rest] = text.split("\n");
    lines.push(`${" ".repeat(gutter)} ${paint("frame", "=")} ${paint("strong", `${kind}:`)} ${head}`);
    lines.push(...rest.map((line) => `${" ".repeat(gutter + 5 + kind.length)}${line}`));
  }
  return lines.join("\n");
}

function groupByFile(labels: readonly Label[]): readonly (readonly [Source, readonly Label[]])[] {
  const groups = new Map<Source, Label[]>();
  for (const label of labels) {
    const group = groups.get(label.span.source);
    if (group === undefined) groups.set(label.span.source, [label]);
    else group.push(label);
  }
  return [...groups];
}

interface Mark {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly isPrimary: boolean;
}

/** The lines with labels and the marks below each. */
function frame(
  source: Source,
  labels: readonly Label[],
  primary: Label,
  severity: Diagnostic["severity"],
  gutter: number,
  width: number,
  paint: Painter,
): string[] {
  const byLine = new Map<number, Label[]>();
  for (const label of labels) {
    const { line } = positionAt(source, label.span.start);
    byLine.set(line, [...(byLine.get(line) ?? []), label]);
  }
  const output: string[] = [];
  let previous: number | undefined;
  for (const line of [...byLine.keys()].toSorted((a, b) => a - b)) {
    if (previous !== undefined && line > previous + 1) output.push(paint("frame", line === previous + 2 ? `${" ".repeat(gutter)} |` : "..."));
    previous = line;
    const start = offsetOfLine(source, line);
    const newline = source.text.indexOf("\n", start);
    const raw = source.text.slice(start, newline === -1 ? source.text.length : newline).replace(/\r$/, "");
    const laid = layLine(raw);
    const end = laid.columns[raw.length] ?? 0;
    const marks = (byLine.get(line) ?? []).map((label): Mark => {
      const from = laid.columns[Math.min(label.span.start - start, raw.length)] ?? end;
      const to = laid.columns[Math.min(label.span.end - start, raw.length)] ?? end;
      return { from, to: Math.max(to, from + 1), text: label.text, isPrimary: label === primary };
    });
    const window = chooseWindow(end, marks, width - gutter - 3);
    const number = paint("frame", `${String(line).padStart(gutter)} |`);
    output.push(`${number} ${cut(laid.text, end, window)}`.trimEnd());
    for (const markLine of drawMarks(
      marks.map((mark) => shift(mark, window)),
      severity,
      paint,
    )) {
      output.push(`${" ".repeat(gutter)} ${paint("frame", "|")} ${markLine}`);
    }
  }
  return output;
}

interface Window {
  readonly from: number;
  readonly to: number;
}

/** The columns to show: from the line's start where the first mark fits so, else around it. */
function chooseWindow(lineWidth: number, marks: readonly Mark[], available: number): Window {
  const room = Math.max(20, available);
  const focus = marks.find((mark) => mark.isPrimary) ?? marks[0];
  const needed = focus === undefined ? 0 : Math.min(focus.to, focus.from + room - 20) + Math.min(20, focus.text.length + 1);
  if (lineWidth <= room || focus === undefined) return { from: 0, to: Math.max(lineWidth, room) };
  if (needed <= room) return { from: 0, to: room };
  const from = Math.max(0, focus.from - Math.floor(room / 3));
  return { from, to: from + room };
}

function cut(text: string, lineWidth: number, window: Window): string {
  const before = window.from > 0 ? ".." : "";
  const after = window.to < lineWidth ? ".." : "";
  return before + sliceColumns(text, window.from + before.length, window.to - after.length) + after;
}

function shift(mark: Mark, window: Window): Mark {
  const size = window.to - window.from;
  const from = Math.min(Math.max(0, mark.from - window.from), size - 1);
  return { ...mark, from, to: Math.min(Math.max(from + 1, mark.to - window.from), size) };
}

/** Underlines in one row with the last label's text behind it; the other texts below, each under a bar from its mark. */
function drawMarks(marks: readonly Mark[], severity: Diagnostic["severity"], paint: Painter): string[] {
  const ordered = marks.toSorted((a, b) => a.from - b.from || b.to - a.to);
  const styleOf = (mark: Mark): Style => (mark.isPrimary ? severity : "second");
  // A later mark overwrites an earlier, wider one, except that the primary stays whole.
  const cells: { character: string; style: Style }[] = [];
  const put = (column: number, character: string, style: Style): void => {
    while (cells.length <= column) cells.push({ character: " ", style: "plain" });
    cells[column] = { character, style };
  };
  for (const mark of [...ordered.filter(({ isPrimary }) => !isPrimary), ...ordered.filter(({ isPrimary }) => isPrimary)]) {
    for (let column = mark.from; column < mark.to; column++) put(column, mark.isPrimary ? "^" : "-", styleOf(mark));
  }
  const last = ordered.at(-1);
  if (last === undefined) return [];
  const isLastFree = ordered.every((mark) => mark === last || mark.to <= last.to);
  const trailing = isLastFree ? last : undefined;
  const rows = [paintCells(cells, paint) + (trailing === undefined || trailing.text === "" ? "" : ` ${paint(styleOf(trailing), trailing.text)}`)];
  const below = ordered.filter((mark) => mark !== trailing && mark.text !== "");
  while (below.length > 0) {
    const mark = below.pop();
    if (mark === undefined) break;
    const bars = [...below, mark];
    if (rows.length === 1) rows.push(barRow(bars, styleOf, paint));
    const left = barRow(below, styleOf, paint, mark.from);
    rows.push(left + paint(styleOf(mark), mark.text));
  }
  return rows;
}

function paintCells(cells: readonly { character: string; style: Style }[], paint: Painter): string {
  let result = "";
  let run = "";
  let style: Style = "plain";
  for (const cell of cells) {
    if (cell.style !== style) {
      result += paint(style, run);
      run = "";
      style = cell.style;
    }
    run += cell.character;
  }
  return result + paint(style, run);
}

/** Bars under the marks, padded to `until` when given. */
function barRow(marks: readonly Mark[], styleOf: (mark: Mark) => Style, paint: Painter, until = 0): string {
  let result = "";
  let column = 0;
  for (const mark of marks) {
    if (mark.from < column || (until > 0 && mark.from >= until)) continue;
    result += " ".repeat(mark.from - column) + paint(styleOf(mark), "|");
    column = mark.from + 1;
  }
  return result + " ".repeat(Math.max(0, until - column));
}

// ---- JSON ----

interface JsonPlace {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

interface JsonDiagnostic {
  readonly code: string;
  readonly severity: Diagnostic["severity"];
  readonly message: string;
  readonly labels: readonly (JsonPlace & { readonly text: string })[];
  readonly notes: readonly string[];
  readonly help: string | null;
  readonly fix: (JsonPlace & { readonly text: string }) | null;
}

function placeOf({ span }: { readonly span: Label["span"] }): JsonPlace {
  const from = positionAt(span.source, span.start);
  const to = positionAt(span.source, span.end);
  return { path: span.source.path, line: from.line, column: from.column, endLine: to.line, endColumn: to.column };
}

/** All of them, for `guestspec check --json`. */
export function diagnosticsAsJson(list: readonly Diagnostic[]): readonly JsonDiagnostic[] {
  return sortDiagnostics(list).map(({ code, severity, message, labels, notes, help, fix }) => ({
    code,
    severity,
    message,
    labels: labels.map((label) => ({ ...placeOf(label), text: label.text })),
    notes: notes ?? [],
    help: help ?? null,
    fix: fix === undefined ? null : { ...placeOf(fix), text: fix.text },
  }));
}

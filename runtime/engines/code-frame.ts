// Cuts code frames out of source files for the failure report. The run's events carry them, so that no reader needs the sources;
// the sources are read here, once each, and only when something failed. A file that is gone costs its frame, not the report.

import type { CodeFrame } from "../events.ts";

export interface SourceLines {
  /** The lines of a file, null if it cannot be read. */
  linesOf(path: string): readonly string[] | null;
}

export function createSourceLines(readText: (path: string) => string | null): SourceLines {
  const known = new Map<string, readonly string[] | null>();
  return {
    linesOf(path) {
      let lines = known.get(path);
      if (lines === undefined) {
        const text = readText(path);
        lines = text === null ? null : text.split(/\r?\n/);
        known.set(path, lines);
      }
      return lines;
    },
  };
}

export interface FramePlace {
  readonly path: string;
  readonly line: number;
  /** From 1; 0: the whole line is marked. */
  readonly column: number;
  /** Characters that are marked, cut at the end of the line; 0: to the end of the word at the column. */
  readonly length: number;
}

const BEFORE = 2;
const AFTER = 1;

export function frameAt(sources: SourceLines, place: FramePlace, label: string): CodeFrame | null {
  const lines = sources.linesOf(place.path);
  const marked = lines?.[place.line - 1];
  if (lines === null || marked === undefined) return null;
  const indent = marked.length - marked.trimStart().length;
  const end = marked.trimEnd().length + 1;
  const column = Math.min(place.column === 0 ? indent + 1 : place.column, Math.max(1, end));
  let endColumn = column + place.length;
  if (place.column === 0) endColumn = end;
  else if (place.length === 0) endColumn = column + (/^[\w.]+/.exec(marked.slice(column - 1))?.[0].length ?? 1);
  const first = Math.max(1, place.line - BEFORE);
  const last = Math.min(lines.length, place.line + AFTER);
  const shown = lines.slice(first - 1, last).map((text, index) => ({ number: first + index, text }));
  // Blank lines at the edges say nothing.
  while (shown[0] !== undefined && shown[0].number < place.line && shown[0].text.trim() === "") shown.shift();
  while (shown.length > 0 && (shown.at(-1)?.number ?? 0) > place.line && shown.at(-1)?.text.trim() === "") shown.pop();
  return {
    path: place.path,
    line: place.line,
    column,
    endColumn: Math.max(column + 1, Math.min(endColumn, Math.max(end, column + 1))),
    label,
    lines: shown,
  };
}

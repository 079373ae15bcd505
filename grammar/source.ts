// Source text and places in it. Every AST node and every diagnostic points into a `Source`; offsets are UTF-16 indices into its
// text, also for DSL code inside a YAML cell (the cell is parsed with its offset in the YAML file), so that one renderer serves both.

export interface Source {
  /** As the user should read it: relative to the working directory where possible. */
  readonly path: string;
  readonly text: string;
}

export interface Span {
  readonly source: Source;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

const lineStarts = new WeakMap<Source, readonly number[]>();

function linesOf(source: Source): readonly number[] {
  let starts = lineStarts.get(source);
  if (starts === undefined) {
    const found = [0];
    for (let at = source.text.indexOf("\n"); at !== -1; at = source.text.indexOf("\n", at + 1)) found.push(at + 1);
    starts = found;
    lineStarts.set(source, starts);
  }
  return starts;
}

/** Line and column (from 1) of an offset. */
export function positionAt(source: Source, offset: number): Position {
  const starts = linesOf(source);
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

/** Offset of the first character of a line (from 1); the text's length when there is no such line. */
export function offsetOfLine(source: Source, line: number): number {
  return linesOf(source)[line - 1] ?? source.text.length;
}

export function textOf(span: Span): string {
  return span.source.text.slice(span.start, span.end);
}

export function joinSpans(first: Span, last: Span): Span {
  return { source: first.source, start: first.start, end: last.end };
}

// Two pieces of memory that should be equal, shown so that the eye finds the difference: rows of sixteen bytes, only those that
// differ, with the differing bytes marked underneath. Marks are characters, not colours: the report must read the same in a log.

import { hexBytes } from "../../isa/hex.ts";

const ROW = 16;
const SHOWN_ROWS = 4;

export interface MemoryPiece {
  /** The bytes at hand; the first of `length`. */
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Sixteen cells with a gap in the middle. */
function joinCells(cells: readonly string[]): string {
  const padded = Array.from({ length: ROW }, (_, index) => cells[index] ?? "  ");
  return `${padded.slice(0, ROW / 2).join(" ")}  ${padded.slice(ROW / 2).join(" ")}`;
}

function asciiOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
}

function rowLine(head: string, bytes: Uint8Array): string {
  return `${head} ${joinCells(hexBytes(bytes))}  |${asciiOf(bytes)}|`;
}

/** Offsets in [0, limit) where the pieces differ; a byte that only one has counts. */
function differingOffsets(a: Uint8Array, b: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = 0; at < Math.max(a.length, b.length); at++) if (a[at] !== b[at]) offsets.push(at);
  return offsets;
}

/** Lines for a report; empty when nothing at hand differs. */
export function diffBytes(expected: MemoryPiece, got: MemoryPiece): string[] {
  const lines: string[] = [];
  if (expected.length !== got.length) lines.push(`length: expected ${expected.length} bytes, got ${got.length}`);
  // Beyond what was sent of either piece nothing is known.
  const known = Math.min(
    expected.bytes.length < expected.length ? expected.bytes.length : Infinity,
    got.bytes.length < got.length ? got.bytes.length : Infinity,
  );
  const a = expected.bytes.subarray(0, known);
  const b = got.bytes.subarray(0, known);
  const offsets = differingOffsets(a, b);
  const rows = [...new Set(offsets.map((at) => Math.floor(at / ROW)))];
  for (const row of rows.slice(0, SHOWN_ROWS)) {
    const start = row * ROW;
    const head = start.toString(16).padStart(4, "0");
    lines.push(rowLine(`${head} expected`, a.subarray(start, start + ROW)));
    lines.push(rowLine("          got", b.subarray(start, start + ROW)));
    const marks = Array.from({ length: ROW }, (_, index) => (offsets.includes(start + index) ? "^^" : "  "));
    lines.push(`${" ".repeat(14)}${joinCells(marks)}`.trimEnd());
  }
  if (rows.length > SHOWN_ROWS) lines.push(`.. ${rows.length - SHOWN_ROWS} more rows differ`);
  if (offsets.length > 0) {
    const total = known === Infinity ? Math.max(a.length, b.length) : known;
    lines.push(`${offsets.length} of ${total} bytes differ, the first at offset ${offsets[0]}`);
  }
  if (known !== Infinity) lines.push(`only the first ${known} bytes were compared here`);
  return lines;
}

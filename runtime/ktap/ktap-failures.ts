// The story of a failed result as its producer wrote it, in the diagnostics and lines above it: KUnit's, kselftest's harness, and our own reports'.
// A table of their first lines; what follows one belongs to it. What nobody knows is still told, line by line.

import { makeFailure } from "../engines/failure.ts";
import type { CodeFrame, Failure } from "../events.ts";
import type { NodeLine } from "./ktap-node.ts";

interface Opening {
  readonly pattern: RegExp;
  /** Null: the message is the line behind it. */
  readonly read: (match: RegExpExecArray) => { readonly kind: Failure["kind"]; readonly message: string | null; readonly place: string | null };
}

const OPENINGS: readonly Opening[] = [
  {
    // KUnit: `# case: EXPECTATION FAILED at lib/list-test.c:12`
    pattern: /^(?:.+: )?(EXPECTATION|ASSERTION) FAILED at (.+:\d+)$/,
    read: ([, word, place = ""]) => ({ kind: word === "ASSERTION" ? "assert" : "check", message: null, place }),
  },
  {
    // kselftest_harness.h: `# access.c:41:global.denied:Expected 0 (0) == ret (-1)`
    pattern: /^([\w./-]+\.(?:c|h|cc|cpp|rs|S|py|sh):\d+):[\w.-]+:\s*(.*)$/,
    read: ([, place = "", message = ""]) => ({ kind: "check", message, place }),
  },
  {
    // Our own KTAP.
    pattern: /^x (.*)$/,
    read: ([, message = ""]) => ({ kind: "check", message, place: null }),
  },
];

/** Our own reports: the first place below a message. */
const ARROW = /^\s*--> (.+:\d+):\d+$/;

interface Told {
  readonly kind: Failure["kind"];
  message: string | null;
  place: string | null;
  readonly lines: string[];
}

function frameOf(place: string | null): CodeFrame | null {
  const [, path, line] = /^(.+):(\d+)$/.exec(place ?? "") ?? [];
  return path === undefined || Number(line) < 1 ? null : { path, line: Number(line), column: 1, endColumn: 1, label: "", lines: [] };
}

export function dedent(lines: readonly string[]): string[] {
  const widths = lines.filter((line) => line.trim() !== "").map((line) => /^\s*/.exec(line)?.[0].length ?? 0);
  const width = widths.length === 0 ? 0 : Math.min(...widths);
  return lines.map((line) => line.slice(width).trimEnd());
}

function finish({ kind, message, place, lines }: Told): Failure {
  const [first, ...rest] = lines;
  return makeFailure(kind, message ?? first?.trim() ?? "failed", { frame: frameOf(place), details: dedent(message === null ? rest : lines) });
}

/** `rest`: lines before the first failure, which are no part of any. */
export function readFailures(lines: readonly NodeLine[]): { readonly failures: readonly Failure[]; readonly rest: readonly NodeLine[] } {
  const told: Told[] = [];
  const rest: NodeLine[] = [];
  for (const line of lines) {
    const [opened] =
      line.kind === "text"
        ? []
        : OPENINGS.flatMap(({ pattern, read }) => {
            const match = pattern.exec(line.text);
            return match === null ? [] : [read(match)];
          });
    const current = told.at(-1);
    if (opened !== undefined) told.push({ ...opened, lines: [] });
    else if (current === undefined) rest.push(line);
    else {
      current.place ??= ARROW.exec(line.text)?.[1] ?? null;
      current.lines.push(line.text);
    }
  }
  return { failures: told.map(finish), rest };
}

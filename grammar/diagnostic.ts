// A user's error as a value: what every phase from the lexer to the plan reports, and what the renderers print. It lives with
// the grammar because the parser is the first to need it; codes and explanations are the table in compiler/diagnostics/codes.ts.

import type { Span } from "./source.ts";

export interface Label {
  readonly span: Span;
  readonly text: string;
}

export interface Diagnostic {
  /** E01xx lexical, E02xx syntax, E03xx YAML, E04xx names, E05xx types, E06xx needs and targets, E07xx tests and tables, E08xx lowering; W… warnings. */
  readonly code: string;
  readonly severity: "error" | "warning";
  /** One lower-case sentence: what was expected and what was found; names in backticks. */
  readonly message: string;
  /** The first label is where it happened, further ones say why ("declared here"). */
  readonly labels: readonly [Label, ...Label[]];
  readonly notes?: readonly string[];
  readonly help?: string;
  /** A mechanical repair. */
  readonly fix?: { readonly span: Span; readonly text: string };
}

/** Where phases put what they find. */
export type Report = (diagnostic: Diagnostic) => void;

/** The candidate nearest to `name` by edit distance (transpositions count one), if it is near enough to be a slip. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // Any single letter is one step from any other.
  if (name.length < 2) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.min(3, Math.floor(name.length / 2))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

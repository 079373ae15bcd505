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

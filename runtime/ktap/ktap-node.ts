// A result that was read from a log, with the results below it, and everything that was said about it: what ktap-parser.ts makes and
// its readers look at.

import type { Directive } from "./ktap-line.ts";

export interface KtapNode {
  readonly name: string;
  readonly isOk: boolean;
  readonly directive: Directive | null;
  /** What stood behind `#` without being a directive. */
  readonly data: string;
  /**
   * `told`: by its result line. `crashed`, `missing`: it has none; the first was what ran when the log ended or the kernel died, the others
   * come behind it. `empty`: a block without a result.
   */
  readonly state: "told" | "crashed" | "missing" | "empty";
  /** Of its result line, or where that was missed. */
  readonly line: number;
  readonly children: readonly KtapNode[];
  /** Diagnostics before its first child: attributes. */
  readonly header: readonly string[];
  /** All lines since the result before it, those of KTAP left out, in their order. */
  readonly lines: readonly NodeLine[];
  readonly metadata: ReadonlyMap<string, string>;
  /** By the log's time stamps; 0: it has none. */
  readonly seconds: number;
}

export interface NodeLine {
  /** `yaml`: of the block behind the result. */
  readonly kind: "diagnostic" | "text" | "yaml";
  readonly text: string;
}

/** Fails what it belongs to. */
export function isBad({ isOk, directive, state }: KtapNode): boolean {
  if (state === "crashed" || state === "missing") return true;
  const kind = directive?.kind ?? null;
  if (kind === "TIMEOUT" || kind === "ERROR" || kind === "XPASS") return true;
  return !isOk && kind !== "SKIP" && kind !== "TODO" && kind !== "XFAIL";
}

// What one line of KTAP or TAP is, its indentation and any console prefix cut off. The one place that knows the words of the formats:
// KTAP 1 and its KTAP 2 draft (Linux, Documentation/dev-tools/ktap.rst), TAP 13 and 14 (testanything.org). Whoever reads documents asks here
// and judges the order of lines by himself: ktap-parser.ts for documents of anybody, engines/command/ktap-reader.ts for those of a plan.

export type DirectiveKind = "SKIP" | "TODO" | "XFAIL" | "XPASS" | "TIMEOUT" | "ERROR";

export interface Directive {
  readonly kind: DirectiveKind;
  readonly reason: string;
}

export interface ResultLine {
  readonly kind: "result";
  readonly isOk: boolean;
  /** Null where it is missing, as TAP allows. */
  readonly number: number | null;
  readonly name: string;
  readonly directive: Directive | null;
  /** What follows `#` without being a directive; `""`: nothing. */
  readonly data: string;
}

export type KtapLine =
  | { readonly kind: "version"; readonly family: "ktap" | "tap"; readonly version: number }
  | { readonly kind: "plan"; readonly count: number; readonly skipReason: string | null }
  | ResultLine
  | { readonly kind: "subtest"; readonly name: string }
  | { readonly kind: "metadata"; readonly key: string; readonly value: string }
  | { readonly kind: "diagnostic"; readonly text: string }
  | { readonly kind: "bail-out"; readonly reason: string }
  | { readonly kind: "pragma" }
  | { readonly kind: "text" };

const VERSION = /^(K?TAP) version (\d+)\s*$/;
const PLAN = /^1\.\.(\d+)(?:\s*#\s*(.*))?$/;
const RESULT = /^(not ok|ok)(?:\s+(\d+)(?=\s|$))?(?:\s+-(?=\s|$))?(?:\s+(.*))?$/;
const SUBTEST = /^# Subtest(?:: (.*))?$/;
const METADATA = /^#:\s?([\w.-]+): (.*)$/;
const BAIL_OUT = /^Bail out!\s*(.*)$/;
const PRAGMA = /^pragma [+-]/;
/** The kernel writes directives in capitals; TAP's own two come in any case and with an ending: `# skipped: no device`. */
const DIRECTIVE = /^(?:(XFAIL|XPASS|TIMEOUT|ERROR)|((?:SKIP|TODO)\S*|(?:skip|todo)\S*))(?:[\s:]+(.*))?$/i;

function readDirective(data: string): Directive | null {
  const [, kernel, tap = "", reason = ""] = DIRECTIVE.exec(data) ?? [];
  if (kernel !== undefined) return kernel === kernel.toUpperCase() ? { kind: kernel as DirectiveKind, reason } : null;
  if (tap === "") return null;
  return { kind: tap.slice(0, 4).toUpperCase() === "SKIP" ? "SKIP" : "TODO", reason };
}

/** TAP 14: `\#` and `\\` stand for themselves. */
function unescape(text: string): string {
  return text.replace(/\\([#\\])/g, "$1");
}

/** Where the `#` that ends a description stands; -1: nowhere. KTAP has no escapes, but names that hold `\#` come from TAP 14 only. */
function findHash(text: string): number {
  const [before] = /^(?:#|(?:[^\\]|\\.)*?\s#)(?=\s|$|skip|todo)/i.exec(text) ?? [];
  return before === undefined ? -1 : before.length - 1;
}

function readResult(line: string): ResultLine | null {
  const [, status, number, rest = ""] = RESULT.exec(line) ?? [];
  if (status === undefined) return null;
  const hash = findHash(rest);
  const data = hash < 0 ? "" : unescape(rest.slice(hash + 1).trim());
  return {
    kind: "result",
    isOk: status === "ok",
    number: number === undefined ? null : Number(number),
    name: unescape((hash < 0 ? rest : rest.slice(0, hash)).trim()),
    directive: readDirective(data),
    data,
  };
}

/** `content` begins at the line's own column. */
export function readKtapLine(content: string): KtapLine {
  switch (content.charCodeAt(0)) {
    case 0x23: {
      const [, key, value = ""] = METADATA.exec(content) ?? [];
      if (key !== undefined) return { kind: "metadata", key, value };
      const subtest = SUBTEST.exec(content);
      if (subtest !== null) return { kind: "subtest", name: unescape((subtest[1] ?? "").trim()) };
      return { kind: "diagnostic", text: content.replace(/^# ?/, "") };
    }
    case 0x31: {
      const [, count, note] = PLAN.exec(content) ?? [];
      if (count === undefined) break;
      const directive = readDirective(note?.trim() ?? "");
      return { kind: "plan", count: Number(count), skipReason: directive?.kind === "SKIP" ? directive.reason : null };
    }
    case 0x6e:
    case 0x6f: {
      const result = readResult(content);
      if (result !== null) return result;
      break;
    }
    default: {
      const [, family, version] = VERSION.exec(content) ?? [];
      if (version !== undefined) return { kind: "version", family: family === "KTAP" ? "ktap" : "tap", version: Number(version) };
      const [, reason] = BAIL_OUT.exec(content) ?? [];
      if (reason !== undefined) return { kind: "bail-out", reason };
    }
  }
  return PRAGMA.test(content) ? { kind: "pragma" } : { kind: "text" };
}

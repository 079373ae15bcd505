// Access to YAML nodes with places: the layer between the `yaml` package and the reader of spec files. Documents are read with the failsafe
// schema, in which every scalar stays text: a YAML reader's own numbers round 64-bit integers silently, so numbers are left to the DSL's
// literal rule. A scalar becomes a `CodeRange`, in place wherever its characters stand in the file as they are.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import type { Diagnostic, Report } from "../diagnostic.ts";
import { nearestName } from "../nearest-name.ts";
import type { CodeRange } from "../parser.ts";
import type { Source, Span } from "../source.ts";

export interface YamlContext {
  readonly source: Source;
  readonly report: Report;
  readonly document: Document.Parsed;
}

export type YamlNode = Scalar | YAMLMap | YAMLSeq;

/** A key of a map with its value; the value is an empty scalar where nothing stands after the colon. */
export interface Entry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlNode;
}

const quoteHelp = "a value that holds `: `, ` #`, or begins with one of `[ ] { } , & * ! | > ' \" % @ ` goes between quotes";

/** The package's words for the commonest mistakes speak of its inside. */
const yamlErrors: Readonly<Record<string, { readonly message?: string; readonly help?: string }>> = {
  DUPLICATE_KEY: { message: "the key is written twice in one map" },
  TAB_AS_INDENT: { message: "tabs cannot indent YAML", help: "indent with spaces" },
  BLOCK_AS_IMPLICIT_KEY: { message: "`: ` begins a map inside a value", help: quoteHelp },
  UNEXPECTED_TOKEN: { help: quoteHelp },
  BAD_ALIAS: { help: quoteHelp },
  MULTIPLE_DOCS: { message: "a file holds one YAML document", help: "put what stands behind `---` into a file of its own" },
  // Its reader goes down by recursion.
  RESOURCE_EXHAUSTION: { message: "the text is nested too deeply" },
  MISSING_CHAR: { help: "a quote or bracket is not closed" },
};

/** The document, or null when it is no YAML; then that has been reported. */
export function readDocument(source: Source, report: Report): YamlContext | null {
  // Below this level the reader would pass over further documents.
  const document = parseDocument(source.text, { schema: "failsafe", prettyErrors: false, logLevel: "error", uniqueKeys: true, merge: false });
  const broken = document.errors.find(({ code }) => code !== "DUPLICATE_KEY");
  for (const { code, message, pos } of document.errors) {
    // After the first real error a YAML reader is out of step; what it says then helps nobody.
    if (code !== "DUPLICATE_KEY" && broken?.pos[0] !== pos[0]) continue;
    const start = Math.min(pos[0], source.text.length);
    const word = /[\w.-]*/y;
    word.lastIndex = start;
    const end = code === "DUPLICATE_KEY" ? start + (word.exec(source.text)?.[0].length ?? 1) : Math.max(start, Math.min(pos[1], endOfLine(source, start)));
    const own = yamlErrors[code];
    report({
      code: "E0301",
      severity: "error",
      message: own?.message ?? `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
      labels: [{ span: { source, start, end }, text: code === "DUPLICATE_KEY" ? "the second one" : "here" }],
      ...(own?.help === undefined ? {} : { help: own.help }),
    });
    if (code !== "DUPLICATE_KEY") break;
  }
  for (const { code, message, pos } of document.warnings) {
    if (code !== "TAG_RESOLVE_FAILED") continue;
    report({
      code: "E0312",
      severity: "error",
      message: `tags such as \`!name\` mean nothing here: ${message}`,
      labels: [{ span: { source, start: pos[0], end: pos[1] }, text: "a tag" }],
    });
  }
  return broken === undefined ? { source, report, document } : null;
}

function endOfLine(source: Source, offset: number): number {
  const found = source.text.indexOf("\n", offset);
  return found === -1 ? source.text.length : found;
}

export function spanOf(context: YamlContext, node: YamlNode): Span {
  const [start, end] = node.range ?? [0, 0];
  return { source: context.source, start, end };
}

/** The part of a node's span on its first line: what a mark underlines. */
export function firstLineOf(context: YamlContext, node: YamlNode): Span {
  const span = spanOf(context, node);
  return { ...span, end: Math.min(span.end, endOfLine(context.source, span.start)) };
}

export function complain(
  context: YamlContext,
  code: string,
  message: string,
  span: Span,
  label: string,
  more: Pick<Diagnostic, "help" | "notes" | "fix"> = {},
  also: readonly Diagnostic["labels"][number][] = [],
): void {
  context.report({ code, severity: "error", message, labels: [{ span, text: label }, ...also], ...more });
}

/** The node itself; an alias gives what it stands for, or null when there is no such anchor, which is reported. */
export function resolve(context: YamlContext, node: unknown): YamlNode | null {
  if (isScalar(node) || isMap(node) || isSeq(node)) return node;
  if (!isAlias(node)) return null;
  const target: Node | undefined = node.resolve(context.document);
  if (target !== undefined && !isAlias(target)) return resolve(context, target);
  const [start, end] = node.range ?? [0, 0];
  complain(context, "E0312", `there is no anchor \`&${node.source}\` before this alias`, { source: context.source, start, end }, "unknown anchor");
  return null;
}

/** The entries of a map in their order; keys outside `known` are reported with the nearest known one. */
export function readMap(context: YamlContext, node: YamlNode, what: string, known: readonly string[] | null): ReadonlyMap<string, Entry> | null {
  if (!isMap(node)) {
    complain(context, "E0304", `${what} is a map`, firstLineOf(context, node), `${kindOf(node)} instead`);
    return null;
  }
  const entries = new Map<string, Entry>();
  for (const pair of node.items) {
    const keyNode = resolve(context, pair.key);
    if (keyNode === null) continue;
    const keySpan = spanOf(context, keyNode);
    if (!isScalar(keyNode)) {
      complain(context, "E0304", "a key is a name", keySpan, `${kindOf(keyNode)} instead`);
      continue;
    }
    const key = textOfScalar(keyNode);
    const value = resolve(context, pair.value);
    if (value === null) {
      if (pair.value === null) complain(context, "E0303", `\`${key}\` has no value`, keySpan, "nothing follows");
      continue;
    }
    if (known !== null && !known.includes(key)) {
      reportUnknown(context, "E0302", `unknown key \`${key}\` in ${what}`, keySpan, known);
      continue;
    }
    if (!entries.has(key)) entries.set(key, { key, keySpan, value });
  }
  return entries;
}

/** Keys of other test systems, and of our own other form. */
const FOREIGN_KEYS: ReadonlyMap<string, string> = new Map([
  ["name", "test"],
  ["title", "test"],
  ["body", "check"],
  ["expect", "check"],
  ["assert", "check"],
  ["steps", "check"],
  ["code", "check"],
  ["for", "table"],
  ["cases", "rows"],
  ["params", "columns"],
  ["data", "rows"],
  ["tag", "tags"],
]);

export function reportUnknown(context: YamlContext, code: string, message: string, span: Span, known: readonly string[]): void {
  const written = context.source.text.slice(span.start, span.end);
  const near = known.find((key) => key === FOREIGN_KEYS.get(written)) ?? nearestName(written, known);
  complain(context, code, message, span, "unknown", {
    help: near === undefined ? `known are ${known.map((name) => `\`${name}\``).join(", ")}` : `did you mean \`${near}\`?`,
    ...(near === undefined ? {} : { fix: { span, text: near } }),
  });
}

export function kindOf(node: YamlNode): string {
  return isMap(node) ? "a map" : isSeq(node) ? "a list" : "a scalar";
}

/** The elements of a list; a single scalar counts as a list of one where `isOneEnough`. */
export function readList(context: YamlContext, node: YamlNode, what: string, isOneEnough: boolean): readonly YamlNode[] | null {
  if (isSeq(node)) return node.items.map((item) => resolve(context, item)).filter((item) => item !== null);
  if (isOneEnough && isScalar(node) && textOfScalar(node) !== "") return [node];
  complain(context, "E0304", `${what} is a list`, firstLineOf(context, node), `${kindOf(node)} instead`);
  return null;
}

export function readScalar(context: YamlContext, node: YamlNode, what: string): Scalar | null {
  if (isScalar(node)) return node;
  complain(context, "E0304", `${what} is a scalar`, firstLineOf(context, node), `${kindOf(node)} instead`);
  return null;
}

export function textOfScalar(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? "");
}

/** A key without value is an empty plain scalar. */
export function isEmpty(node: YamlNode): boolean {
  return isScalar(node) && (node.type === undefined || node.type === "PLAIN") && textOfScalar(node) === "";
}

// ---- Scalars as code ----

/** Where the scalar's characters stand: without quotes or block header. */
export function contentRange(context: YamlContext, scalar: Scalar): { readonly start: number; readonly end: number } {
  const [start, end] = scalar.range ?? [0, 0];
  switch (scalar.type) {
    case "QUOTE_DOUBLE":
    case "QUOTE_SINGLE":
      return { start: start + 1, end: Math.max(start + 1, end - 1) };
    case "BLOCK_FOLDED":
    case "BLOCK_LITERAL":
      return { start: Math.min(endOfLine(context.source, start) + 1, end), end };
    case "PLAIN":
    case undefined:
      return { start, end };
  }
}

/** The scalar as code: in place, except where quotes hide characters; then its value with the place of each character. */
export function codeOf(context: YamlContext, scalar: Scalar, reading?: string): CodeRange {
  const { start, end } = contentRange(context, scalar);
  const note = reading === undefined ? {} : { reading };
  const raw = context.source.text.slice(start, end);
  const value = textOfScalar(scalar);
  const isQuoted = scalar.type === "QUOTE_DOUBLE" || scalar.type === "QUOTE_SINGLE";
  // Folding only turns line breaks into blanks, and both are white space in code.
  if (!isQuoted || raw === value) return { start, end, ...note };
  return { start, end, cooked: { text: value, offsets: alignQuoted(raw, value, start, scalar.type === "QUOTE_DOUBLE") }, ...note };
}

const longEscapes: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

/** Place of each character of a quoted scalar's value. Where folded lines put them out of step, the rest is placed at the scalar's start. */
function alignQuoted(raw: string, value: string, start: number, isDouble: boolean): Int32Array {
  const offsets = new Int32Array(value.length + 1).fill(start);
  let at = 0;
  for (let i = 0; i < value.length;) {
    const character = value.charAt(i);
    offsets[i] = start + at;
    const isEscape = isDouble ? raw.charAt(at) === "\\" : raw.startsWith("''", at);
    if (isEscape) {
      const produced = (value.codePointAt(i) ?? 0) > 0xffff ? 2 : 1;
      for (let k = 1; k < produced; k++) offsets[i + k] = start + at;
      at += isDouble ? (longEscapes[raw.charAt(at + 1)] ?? 2) : 2;
      i += produced;
    } else if (raw.charAt(at) === character) {
      at++;
      i++;
    } else return offsets.fill(start, i);
  }
  offsets[value.length] = start + raw.length;
  return offsets;
}

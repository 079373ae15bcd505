// Values of the keys that suites, tests and rows have in common: texts, names, code, needs, targets, attributes, marks. Code goes to the same
// parser as .gspec files, as a range of the file, so that its diagnostics point into the YAML.

import type { Scalar } from "yaml";
import type { Attribute, Block, Expr, Mark, Name, Need } from "../ast.ts";
import { parseAttribute, parseExpression, parseNeeds, parseStatements, parseTargets } from "../parser.ts";
import type { Span } from "../source.ts";
import { reservedWords } from "../tokens.ts";
import { textLiteral } from "./cells.ts";
import { codeOf, complain, contentRange, isEmpty, readList, readScalar, spanOf, textOfScalar, type Entry, type YamlContext } from "./yaml-nodes.ts";

export function readText(context: YamlContext, entry: Entry): Scalar | null {
  const scalar = readScalar(context, entry.value, `\`${entry.key}\``);
  if (scalar !== null && isEmpty(scalar)) {
    complain(context, "E0303", `\`${entry.key}\` has no value`, entry.keySpan, "nothing follows");
    return null;
  }
  return scalar;
}

export function readName(context: YamlContext, entry: Entry): Name | null {
  const scalar = readText(context, entry);
  if (scalar === null) return null;
  const text = textOfScalar(scalar);
  const span = spanOf(context, scalar);
  if (isFreeName(text)) return { text, span };
  complain(context, "E0304", `\`${text}\` is no name`, span, reservedWords.has(text) ? "a reserved word" : "letters, digits and `_`");
  return null;
}

export function isFreeName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !reservedWords.has(text);
}

export function readCode(context: YamlContext, entry: Entry, reading: string): Block | null {
  const scalar = readText(context, entry);
  return scalar === null ? null : parseStatements(context.source, codeOf(context, scalar, reading), context.report);
}

export function readNeeds(context: YamlContext, entry: Entry | undefined): readonly Need[] {
  return scalarsOf(context, entry).flatMap((scalar) => parseNeeds(context.source, codeOf(context, scalar, "`needs`"), context.report) ?? []);
}

export function readTargets(context: YamlContext, entry: Entry | undefined): readonly Name[] {
  return scalarsOf(context, entry).flatMap((scalar) => parseTargets(context.source, codeOf(context, scalar, "`on`"), context.report) ?? []);
}

function scalarsOf(context: YamlContext, entry: Entry | undefined): readonly Scalar[] {
  if (entry === undefined) return [];
  const nodes = readList(context, entry.value, `\`${entry.key}\``, true) ?? [];
  return nodes.map((node) => readScalar(context, node, `an element of \`${entry.key}\``)).filter((scalar) => scalar !== null);
}

/** `tags`, `attributes` and `timeout` of a file, test or row. */
export function readAttributes(context: YamlContext, entries: Entries): readonly Attribute[] {
  const attributes: Attribute[] = [];
  const tags = entries.get("tags");
  if (tags !== undefined)
    attributes.push(
      attributeOf(
        tags,
        scalarsOf(context, tags).map((scalar) => nameExpr(textOfScalar(scalar), spanOf(context, scalar))),
      ),
    );
  for (const scalar of scalarsOf(context, entries.get("attributes"))) {
    const attribute = parseAttribute(context.source, codeOf(context, scalar, "`attributes`"), context.report);
    if (attribute !== null) attributes.push(attribute);
  }
  const timeout = entries.get("timeout");
  const scalar = timeout === undefined ? null : readText(context, timeout);
  const value = scalar === null ? null : parseExpression(context.source, codeOf(context, scalar, "`timeout`"), context.report);
  if (timeout !== undefined && value !== null) attributes.push(attributeOf(timeout, [value]));
  return attributes;
}

function attributeOf({ key, keySpan }: Entry, args: readonly Expr[]): Attribute {
  return { kind: "attribute", name: { text: key, span: keySpan }, args, span: keySpan };
}

export function nameExpr(name: string, span: Span): Expr {
  return { kind: "name", name, span };
}

export function readMark(context: YamlContext, entries: Entries): Mark | null {
  const [first, second] = (["xfail", "skip"] as const).map((kind) => entries.get(kind)).filter((entry) => entry !== undefined);
  if (first === undefined) return null;
  if (second !== undefined) {
    complain(context, "E0310", "`xfail` and `skip` exclude each other", second.keySpan, "the second one", {}, [{ span: first.keySpan, text: "the first one" }]);
  }
  const scalar = readText(context, first);
  if (scalar === null) return null;
  const reason = textLiteral(textOfScalar(scalar), { source: context.source, ...contentRange(context, scalar) });
  return { kind: first.key === "skip" ? "skip" : "xfail", reason, span: first.keySpan };
}

export type Entries = ReadonlyMap<string, Entry>;

// The AST as indented text: what `show ast` prints and what the parser's goldens compare. One line a node; what is a leaf (names, types,
// literals, plain strings) stands on its parent's line. It walks records generically, so a new field shows up here by itself.

import type { Name, StringLiteral, TypeExpr } from "./ast.ts";
import { positionAt, type Span } from "./source.ts";

export interface PrintAstOptions {
  /** Line and column of each node's start. */
  readonly positions: boolean;
}

type Fields = { readonly [field: string]: unknown };

export function printAst(root: object, options: PrintAstOptions = { positions: false }): string {
  const lines: string[] = [];
  printNode("", root, 0, options, lines);
  return `${lines.join("\n")}\n`;
}

const hidden: ReadonlySet<string> = new Set(["kind", "span", "opSpan", "textSpan", "comments"]);
const literalKinds: ReadonlySet<string> = new Set(["int", "duration", "bool", "bytes", "name"]);
const typeKinds: ReadonlySet<string> = new Set(["named-type", "array-type", "slice-type", "pointer-type", "fn-type"]);

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isSpan(value: unknown): value is Span {
  return isFields(value) && "source" in value && typeof value["start"] === "number" && typeof value["end"] === "number";
}

function isName(value: Fields): value is Fields & Name {
  return typeof value["text"] === "string" && isSpan(value["span"]) && value["kind"] === undefined && !("ownLine" in value);
}

function isPlainString(value: Fields): value is Fields & StringLiteral {
  return value["kind"] === "string" && Array.isArray(value["parts"]) && value["parts"].every((part) => isFields(part) && part["kind"] === "text");
}

function isType(value: Fields): value is Fields & TypeExpr {
  return typeof value["kind"] === "string" && typeKinds.has(value["kind"]);
}

/** Text for a value that needs no line of its own. */
function inline(value: unknown): string | undefined {
  if (value === null) return "-";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return `hex"${Buffer.from(value).toString("hex")}"`;
  if (Array.isArray(value)) {
    const list = value.map((element) => (isFields(element) && (isName(element) || isType(element)) ? inline(element) : undefined));
    return list.every((element) => element !== undefined) ? `[${list.join(", ")}]` : undefined;
  }
  if (!isFields(value)) return undefined;
  if (isName(value)) return value.text;
  if (isPlainString(value)) return JSON.stringify(value.parts.map((part) => (part.kind === "text" ? part.text : "")).join(""));
  if (isType(value)) return inlineType(value);
  const { kind } = value;
  if (typeof kind !== "string" || !literalKinds.has(kind)) return undefined;
  if (kind === "name") return String(value["name"]);
  if (kind === "duration") return `${String(value["nanoseconds"])}ns`;
  return inline(value["value"]);
}

function inlineType(type: TypeExpr): string | undefined {
  switch (type.kind) {
    case "named-type":
      return type.module === null ? type.name.text : `${type.module.text}.${type.name.text}`;
    case "array-type": {
      const length = inline(type.length);
      const element = inlineType(type.element);
      return length === undefined || element === undefined ? undefined : `[${length}]${element}`;
    }
    case "slice-type":
    case "pointer-type": {
      const inner = inlineType(type.kind === "slice-type" ? type.element : type.target);
      return inner === undefined ? undefined : `${type.kind === "slice-type" ? "[]" : "*"}${inner}`;
    }
    case "fn-type": {
      const params = type.params.map(inlineType);
      const result = type.result === null ? "" : inlineType(type.result);
      if (params.includes(undefined) || result === undefined) return undefined;
      return `fn(${params.join(", ")})${result === "" ? "" : ` -> ${result}`}`;
    }
  }
}

function printNode(label: string, value: unknown, depth: number, options: PrintAstOptions, lines: string[]): void {
  const indent = "  ".repeat(depth) + label;
  const text = inline(value);
  if (text !== undefined) {
    lines.push(indent + text + positionOf(value, options));
    return;
  }
  if (Array.isArray(value)) {
    if (label !== "") lines.push(indent.trimEnd());
    for (const element of value) printNode("- ", element, label === "" ? depth : depth + 1, options, lines);
    return;
  }
  if (!isFields(value)) throw new Error(`print-ast: no text for ${typeof value}`);
  const inlined: string[] = [];
  const nested: [string, unknown][] = [];
  for (const [field, child] of Object.entries(value)) {
    if (hidden.has(field) || child === null || child === undefined || child === false || (Array.isArray(child) && child.length === 0)) continue;
    const childText = options.positions && isFields(child) && child["kind"] !== undefined ? undefined : inline(child);
    if (childText === undefined) nested.push([field, child]);
    else inlined.push(child === true ? field : `${field}=${childText}`);
  }
  const kind = typeof value["kind"] === "string" ? value["kind"] : "";
  lines.push((indent + [kind, ...inlined].filter((part) => part !== "").join(" ") + positionOf(value, options)).trimEnd());
  for (const [field, child] of nested) printNode(`${field}: `, child, depth + 1, options, lines);
}

function positionOf(value: unknown, options: PrintAstOptions): string {
  if (!options.positions || !isFields(value) || !isSpan(value["span"])) return "";
  const { line, column } = positionAt(value["span"].source, value["span"].start);
  return ` @${line}:${column}`;
}

// How a checked expression meets the type that its place wants: literals adapt and must fit, arrays become slices, and nothing
// else changes silently. Casts (`as`) live here too, so that all conversions of the language stand in one file.

import type { Expr } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { ConstValue, Global, Guess, HExpr, Local } from "../hir.ts";
import {
  I64,
  integerRange,
  isAggregate,
  sameType,
  showType,
  U64,
  U8,
  USIZE,
  VOID,
  wrapInteger,
  type InterfaceType,
  type IntType,
  type StructType,
  type Type,
} from "../types.ts";
import { asInteger, evaluate, evaluateInteger, intValue } from "./constants.ts";
import { counted, errorExpr, fail, type Context, type Extra } from "./context.ts";
import { implementsInterface, isBaseOf, methodOf } from "./structs.ts";

/** The expression as `type`, or an error. What is wrong already is not reported again, whatever type it would have had. */
export function coerce(context: Context, expr: HExpr, type: Type, extra: Extra = {}): HExpr {
  const from = expr.type;
  if (expr.kind === "error" || from.kind === "error" || type.kind === "error") return errorExpr(expr.span, type);
  if (sameType(from, type)) return expr;
  if (from.kind === "comptime-int") return adaptLiteral(context, expr, type, extra);
  if (type.kind === "slice" && from.kind === "array" && sameType(from.element, type.element)) {
    return { kind: "array-to-slice", operand: expr, type, span: expr.span };
  }
  if (type.kind === "slice" && from.kind === "str" && sameType(type.element, U8)) {
    return { kind: "convert", operand: expr, type, span: expr.span };
  }
  const pointer = convertPointer(context, expr, type);
  if (pointer !== null) return pointer;
  if (isComptimeArray(from) && !isComptimeArray(type) && (type.kind === "array" || type.kind === "slice")) return adaptArray(context, expr, type, extra);
  const guess = guessOf(expr, type);
  fail(context, expr.span, "E0501", `expected ${quote(type)}, found ${quote(from)}`, {
    ...extra,
    label: extra.label ?? `this is ${quote(from)}`,
    related: [...(extra.related ?? []), ...(guess?.related ?? [])],
    help: extra.help ?? guess?.help ?? castHelp(from, type),
  });
  return errorExpr(expr.span, type);
}

/** Where the fault is a variable that took its type from a bare number, and another was meant: what to say there. */
export function guessOf(expr: HExpr, wanted: Type): Pick<Extra, "related" | "help"> | null {
  const local = wanted.kind === "int" ? guessedLocal(expr) : null;
  if (local?.guessedFrom === undefined || sameType(local.type, wanted)) return null;
  const { name, span, guessedFrom } = local;
  const type = showType(wanted);
  return {
    related: [{ span, text: `nothing tells its type here: ${quote(local.type)}` }],
    help: GUESS_HELP[guessedFrom.kind](name, type, textOf(guessedFrom.span)),
  };
}

const GUESS_HELP: Readonly<Record<Guess["kind"], (name: string, type: string, number: string) => string>> = {
  value: (name, type) => `say its type where it begins: \`${name}: ${type} = ..\``,
  range: (name, type, number) => `say its type where it is counted: \`${name} in ${number} as ${type}..\``,
  list: (name, type, number) => `say its type in the list: \`${name} in [${number} as ${type}, ..]\``,
};

/** Of the variable that goes over a list of bare numbers. */
export function guessFromList(source: Expr): Guess | undefined {
  const elements = source.kind === "array" ? source.elements : [];
  const [first] = elements;
  return first !== undefined && elements.every(({ kind }) => kind === "int") ? { kind: "list", span: first.span } : undefined;
}

function guessedLocal(expr: HExpr): Local | null {
  if (expr.kind === "local") return expr.local.guessedFrom === undefined ? null : expr.local;
  if (expr.kind === "arithmetic") return guessedLocal(expr.left) ?? guessedLocal(expr.right);
  return expr.kind === "unary" ? guessedLocal(expr.operand) : null;
}

/** The type as a message names it. */
export function quote(type: Type): string {
  if (type.kind === "comptime-int") return type.duration ? "a duration" : "an integer";
  if (isComptimeArray(type) && type.kind === "array") return `an array of ${counted(type.length, type.element.kind === "array" ? "array" : "integer")}`;
  return type.kind === "void" ? "nothing" : `\`${showType(type)}\``;
}

function castHelp(from: Type, to: Type): string | undefined {
  if (to.kind === "interface" && from.kind === "pointer" && from.target.kind === "struct")
    return `\`${from.target.name}\` implements it if its declaration says so: \`struct ${from.target.name}: ${to.name}\``;
  if (to.kind === "interface" && from.kind === "struct") return "take its address with `&`";
  if (from.kind === "pointer" && sameType(from.target, to)) return "reach what it points to with `.*`";
  if (to.kind === "pointer" && sameType(to.target, from)) return "take its address with `&`";
  if (to.kind === "bool" && (from.kind === "int" || from.kind === "comptime-int")) return "compare it: `!= 0`";
  if ((to.kind === "pointer" || to.kind === "interface") && from.kind === "comptime-int") return `the null pointer is \`0 as ${showType(to)}\``;
  if (from.kind === "int" && to.kind === "int") return `widths never mix silently: write \`as ${showType(to)}\``;
  if (from.kind === "array" && to.kind === "array") return undefined;
  if (from.kind === "str" && to.kind === "array") return "text is a slice of bytes: `[]u8`";
  return canCast(from, to) && from.kind !== "comptime-int" ? `convert it with \`as ${showType(to)}\`` : undefined;
}

function isComptimeArray(type: Type): boolean {
  return type.kind === "array" && (type.element.kind === "comptime-int" || isComptimeArray(type.element));
}

/** Elements of an array literal whose integers had no type yet. */
function adaptArray(context: Context, expr: HExpr, type: Type, extra: Extra): HExpr {
  if (type.kind !== "array" && type.kind !== "slice") return errorExpr(expr.span, type);
  const from = expr.type.kind === "array" ? expr.type : null;
  const array: Type = { kind: "array", length: from?.length ?? 0, element: type.element };
  let adapted: HExpr;
  if (expr.kind === "array") {
    adapted = { ...expr, elements: expr.elements.map((element) => coerce(context, element, type.element, extra)), type: array };
  } else if (expr.kind === "array-fill") {
    adapted = { ...expr, element: coerce(context, expr.element, type.element, extra), type: array };
  } else if (expr.kind === "if") {
    return { ...expr, consequent: coerce(context, expr.consequent, type, extra), otherwise: coerce(context, expr.otherwise, type, extra), type };
  } else {
    const value = evaluate(expr, context.target.layout);
    if (value?.kind !== "list" || !isIntegerElement(type.element)) {
      fail(context, expr.span, "E0501", `expected ${quote(type)}, found ${quote(expr.type)}`, {
        ...extra,
        label: extra.label ?? `this is ${quote(expr.type)}`,
      });
      return errorExpr(expr.span, type);
    }
    for (const item of value.items) if (!checkFits(context, item, type.element, expr.span)) return errorExpr(expr.span, type);
    adapted = { kind: "const", value, type: array, span: expr.span };
  }
  return coerce(context, adapted, type, extra);
}

/** A list of untyped integers can become a list of integers only. */
function isIntegerElement(type: Type): boolean {
  return type.kind === "int" || ((type.kind === "array" || type.kind === "slice") && isIntegerElement(type.element));
}

function adaptLiteral(context: Context, expr: HExpr, type: Type, extra: Extra): HExpr {
  if (type.kind !== "int") {
    fail(context, expr.span, "E0501", `expected ${quote(type)}, found ${quote(expr.type)}`, {
      ...extra,
      label: extra.label ?? `this is ${quote(expr.type)}`,
      help: extra.help ?? literalHelp(expr, type) ?? castHelp(expr.type, type),
    });
    return errorExpr(expr.span, type);
  }
  // A conditional between literals: each branch adapts.
  if (expr.kind === "if") {
    return { ...expr, consequent: coerce(context, expr.consequent, type, extra), otherwise: coerce(context, expr.otherwise, type, extra), type };
  }
  const typed = hasComplement(expr) ? retype(context, expr, type, extra) : expr;
  const value = evaluate(typed, context.target.layout);
  const integer = asInteger(value);
  if (integer === null || value === null) {
    if (typed.kind === "error") return typed;
    fail(context, expr.span, "E0507", "this must be known when compiling", {
      label: "depends on the running guest",
      help: `give its parts a type, as in \`0 as ${type.name}\``,
    });
    return errorExpr(expr.span, type);
  }
  if (!checkFits(context, value, type, expr.span)) return errorExpr(expr.span, type);
  return { kind: "const", value: intValue(integer), type, span: expr.span };
}

function literalHelp(expr: HExpr, type: Type): string | undefined {
  if (type.kind === "enum") return `name a member: \`${type.name}.${[...type.members.keys()][0] ?? ".."}\``;
  const written = textOf(expr.span);
  return type.kind === "str" && /^'.+'$/.test(written) ? `text stands between double quotes: \`"${written.slice(1, -1)}"\`` : undefined;
}

/** `~` has no value before it has a width: `~3` is 0xfc in eight bits. */
function hasComplement(expr: HExpr): boolean {
  if (expr.kind === "unary") return expr.op === "~" || hasComplement(expr.operand);
  return expr.kind === "arithmetic" && (hasComplement(expr.left) || hasComplement(expr.right));
}

/** An untyped expression whose literals take the type, so that its operations wrap at the type's width. */
function retype(context: Context, expr: HExpr, type: IntType, extra: Extra): HExpr {
  if (expr.kind === "unary") {
    const operand = coerce(context, expr.operand, type, extra);
    return operand.kind === "error" ? operand : { ...expr, operand, type };
  }
  if (expr.kind !== "arithmetic") return coerce(context, expr, type, extra);
  const left = coerce(context, expr.left, type, extra);
  const right = coerce(context, expr.right, type, extra);
  return left.kind === "error" || right.kind === "error" ? errorExpr(expr.span, type) : { ...expr, left, right, type };
}

function checkFits(context: Context, value: ConstValue, type: Type, span: Span): boolean {
  if (value.kind === "list" && (type.kind === "array" || type.kind === "slice")) {
    return value.items.every((item) => checkFits(context, item, type.element, span));
  }
  const integer = asInteger(value);
  if (type.kind !== "int" || integer === null) return true;
  const range = integerRange(type, context.target.layout);
  if (integer >= range.min && integer <= range.max) return true;
  fail(context, span, "E0502", `${showBig(integer)} does not fit \`${type.name}\``, {
    label: `\`${type.name}\` holds ${showBig(range.min)} to ${showBig(range.max)}`,
    help: integer === -1n && !type.signed && type.bits !== "address" ? `all bits set is \`${type.name}.max\`` : undefined,
  });
  return false;
}

/** An integer as messages show it: small ones in decimal, the others in hexadecimal, the absurd ones by their size. */
export function showBig(value: bigint): string {
  const magnitude = value < 0n ? -value : value;
  if (magnitude < 65536n) return String(value);
  const digits = magnitude.toString(16);
  return digits.length > 32 ? `a number of ${digits.length * 4} bits` : `${value < 0n ? "-" : ""}0x${digits}`;
}

/** The type that a literal takes when nothing tells: u64, or i64 when it is negative. */
export function defaultType(context: Context, expr: HExpr): HExpr {
  if (expr.type.kind === "comptime-int") {
    const value = evaluateInteger(expr, context.target.layout);
    return coerce(context, expr, value !== null && value < 0n ? I64 : U64);
  }
  if (isComptimeArray(expr.type) && expr.type.kind === "array") return coerce(context, expr, withElement(expr.type, hasNegative(context, expr) ? I64 : U64));
  return expr;
}

/** Untyped integers that meet each other: they take the one default type that holds all of them. */
export function settleLiterals<Parts extends readonly HExpr[]>(context: Context, parts: Parts): Parts {
  if (!parts.every((part) => part.type.kind === "comptime-int" && !part.type.duration)) return parts;
  const type = parts.some((part) => hasNegative(context, part)) ? I64 : U64;
  return parts.map((part) => coerce(context, part, type)) as readonly HExpr[] as Parts;
}

/** Two lists of untyped integers that meet each other: slices of the one default type, as their lengths may differ. */
export function settleLists(context: Context, left: HExpr, right: HExpr): readonly [HExpr, HExpr] {
  if (!isComptimeArray(left.type) || !isComptimeArray(right.type)) return [left, right];
  const element = hasNegative(context, left) || hasNegative(context, right) ? I64 : U64;
  const settle = (list: HExpr): HExpr => coerce(context, list, withElement(list.type, element));
  return [settle(left), settle(right)];
}

function withElement(type: Type, element: IntType): Type {
  return type.kind === "array" ? { kind: "array", length: type.length, element: withElement(type.element, element) } : element;
}

function hasNegative(context: Context, expr: HExpr): boolean {
  const negative = (value: ConstValue | null): boolean => (value?.kind === "list" ? value.items.some(negative) : (asInteger(value) ?? 0n) < 0n);
  if (expr.kind === "if") return hasNegative(context, expr.consequent) || hasNegative(context, expr.otherwise);
  if (expr.kind === "array") return expr.elements.some((element) => hasNegative(context, element));
  if (expr.kind === "array-fill") return hasNegative(context, expr.element);
  return !hasComplement(expr) && negative(evaluate(expr, context.target.layout));
}

/** Casts: between integers, enums and their integers, bool to integer, usize to and from pointers and functions, regs to usize. */
function canCast(from: Type, to: Type): boolean {
  if (sameType(from, to)) return true;
  const isAddress = (type: Type): boolean => type.kind === "int" && type.bits === "address";
  if (to.kind === "int") {
    if (from.kind === "int" || from.kind === "comptime-int" || from.kind === "bool" || from.kind === "enum") return true;
    return isAddress(to) && (from.kind === "pointer" || from.kind === "interface" || from.kind === "fn" || from.kind === "regs");
  }
  if (to.kind === "enum") return from.kind === "int" || from.kind === "comptime-int";
  // Its address is all that the null pointer of an interface has.
  if (to.kind === "interface") return from.kind === "comptime-int";
  if (to.kind === "pointer" && from.kind === "interface") return to.target.kind === "struct" && implementsInterface(to.target, from);
  if (to.kind === "pointer" || to.kind === "fn") {
    return isAddress(from) || from.kind === "comptime-int" || (to.kind === "pointer" && from.kind === "pointer");
  }
  if (to.kind === "slice") return from.kind === "array" || from.kind === "str";
  return false;
}

export function cast(context: Context, operand: HExpr, type: Type, span: Span): HExpr {
  const from = operand.type;
  if (operand.kind === "error" || from.kind === "error" || type.kind === "error") return errorExpr(span, type);
  if (sameType(from, type)) return operand;
  const pointer = type.kind === "interface" ? convertPointer(context, operand, type) : null;
  if (pointer !== null) return pointer;
  if (!canCast(from, type)) {
    fail(context, span, "E0514", `${quote(from)} cannot be converted to ${quote(type)}`, {
      help: noCastHelp(from, type),
    });
    return errorExpr(span, type);
  }
  if (type.kind === "slice") return coerce(context, operand, type);
  if (type.kind === "interface" && evaluateInteger(operand, context.target.layout) !== 0n) {
    fail(context, span, "E0514", `only 0 can be converted to ${quote(type)}`, { help: "the null pointer is `0`; anything else is the address of a struct" });
    return errorExpr(span, type);
  }
  if (from.kind === "comptime-int") {
    const value = evaluateInteger(operand, context.target.layout);
    if (value === null) return cast(context, defaultType(context, operand), type, span);
    const integer = integerBehind(type);
    return { kind: "const", value: intValue(wrapInteger(value, integer, context.target.layout)), type, span };
  }
  return { kind: "convert", operand, type, span };
}

function noCastHelp(from: Type, to: Type): string | undefined {
  if (to.kind === "bool" && (from.kind === "int" || from.kind === "comptime-int")) return "compare it: `!= 0`";
  if (from.kind === "int" && (to.kind === "pointer" || to.kind === "fn")) return "an address is a `usize`: write `as usize` first";
  if ((from.kind === "pointer" || from.kind === "fn" || from.kind === "regs") && to.kind === "int") return "an address is a `usize`: write `as usize` first";
  if (isAggregate(from) && to.kind === "pointer") return "take its address with `&`";
  return undefined;
}

/** The integer that a value of the type is: pointers and functions are addresses. */
function integerBehind(type: Type): IntType {
  if (type.kind === "int") return type;
  return type.kind === "enum" ? type.base : USIZE;
}

// ---- Pointers to structs ----

const methodTables = new WeakMap<InterfaceType, Map<StructType, Global>>();

/** The addresses of a struct's methods in the order of the interface. */
function methodTable(context: Context, type: StructType, wanted: InterfaceType): Global {
  let known = methodTables.get(wanted);
  if (known === undefined) methodTables.set(wanted, (known = new Map<StructType, Global>()));
  const before = known.get(type);
  const entries = wanted.methods.flatMap(({ name }) => methodOf(type, name) ?? []);
  for (const entry of entries) context.reach?.functions.add(entry);
  if (before !== undefined) return before;
  const table: Global = {
    name: `${type.name} as ${wanted.name}`,
    type: { kind: "array", length: entries.length, element: { kind: "fn", params: [], result: VOID } },
    span: type.declared,
    initial: { kind: "list", items: entries.map((entry) => ({ kind: "function", function: entry.function })) },
    shared: false,
    perTest: false,
    isConstant: true,
  };
  known.set(type, table);
  return table;
}

/** `*Struct` as the interface that it implements, or as its base; null: it is neither. */
export function convertPointer(context: Context, expr: HExpr, type: Type): HExpr | null {
  const struct = expr.type.kind === "pointer" ? expr.type.target : null;
  if (struct?.kind !== "struct") return null;
  if (type.kind === "interface") {
    if (!implementsInterface(struct, type)) return null;
    return { kind: "to-interface", operand: expr, table: methodTable(context, struct, type), type, span: expr.span };
  }
  if (type.kind !== "pointer" || type.target.kind !== "struct" || !isBaseOf(type.target, struct)) return null;
  return { kind: "convert", operand: expr, type, span: expr.span };
}

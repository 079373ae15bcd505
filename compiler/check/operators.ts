// Operators: both sides of one type, literals adapting to the other side, and what each operator wants. What is said about a wrong
// operand names both sides, because one of them alone is rarely the mistake.

import type { ArithmeticOp, BinaryOp, CompareOp, Expr } from "../../grammar/ast.ts";
import { ERROR_NUMBERS } from "../../grammar/error-numbers.ts";
import type { Span } from "../../grammar/source.ts";
import type { HExpr } from "../hir.ts";
import { bitsOf, BOOL, COMPTIME_INT, DURATION, ERROR, sameType, showType, U8, type Type } from "../types.ts";
import { evaluate, evaluateInteger } from "./constants.ts";
import { errorExpr, fail, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, guessOf, quote, settleLists, settleLiterals, showBig } from "./convert.ts";
import { checkPlace } from "./places.ts";
import { checkCondition, checkExpr } from "./values.ts";

export function checkUnary(context: Context, expr: Expr & { kind: "unary" }, expected: Type | null): HExpr {
  const { span } = expr;
  if (expr.op === "&") {
    const place = checkPlace(context, expr.operand, "address");
    if (place === null) return errorExpr(span);
    if (place.kind === "register" || place.kind === "register-field" || place.kind === "system-register") {
      fail(context, span, "E0510", "a register has no address of its own", {
        help: place.kind === "system-register" ? "read it into a variable" : "take the block's base: `block as usize`",
      });
      return errorExpr(span);
    }
    return { kind: "address-of", place, type: { kind: "pointer", target: place.type }, span };
  }
  if (expr.op === "not") return { kind: "unary", op: "not", operand: checkCondition(context, expr.operand), type: BOOL, span };
  const operand = checkExpr(context, expr.operand, expected);
  if (operand.kind === "error" || operand.type.kind === "error") return errorExpr(span);
  if (operand.type.kind !== "int" && operand.type.kind !== "comptime-int") {
    fail(context, operand.span, "E0506", `\`${expr.op}\` needs an integer, found ${quote(operand.type)}`, {
      label: `this is ${quote(operand.type)}`,
      help: operand.type.kind === "bool" ? "write `not`" : undefined,
    });
    return errorExpr(span);
  }
  return { kind: "unary", op: expr.op, operand, type: operand.type, span };
}

const COMPARISONS: ReadonlySet<BinaryOp> = new Set<CompareOp>(["==", "!=", "<", "<=", ">", ">="]);

function isComparison(op: BinaryOp): op is CompareOp {
  return COMPARISONS.has(op);
}

export function checkBinary(context: Context, expr: Expr & { kind: "binary" }, expected: Type | null): HExpr {
  const { op, span } = expr;
  if (op === "and" || op === "or") {
    return { kind: "logic", op, left: checkCondition(context, expr.left), right: checkCondition(context, expr.right), type: BOOL, span };
  }
  if (op === "in" || op === "not in") return checkMembership(context, expr);
  if (op === "matches") return checkMatches(context, expr);
  if (op === "near" || op === "by") return checkNear(context, expr);
  const compares = isComparison(op);
  let left = checkExpr(context, expr.left, compares ? null : expected);
  let right = checkExpr(context, expr.right, left.type.kind === "comptime-int" ? null : left.type);
  if ([left, right].some((side) => side.kind === "error" || side.type.kind === "error")) return errorExpr(span, compares ? BOOL : ERROR);
  const unfit = compares ? undefined : [left, right].find(({ type }) => type.kind !== "int" && type.kind !== "comptime-int");
  if (unfit !== undefined && op !== "<<" && op !== ">>") {
    fail(context, expr.opSpan, "E0506", `\`${op}\` needs integers, found ${quote(unfit.type)}`, {
      related: [
        { span: left.span, text: `this is ${quote(left.type)}` },
        { span: right.span, text: `this is ${quote(right.type)}` },
      ],
      help: arithmeticHelp(unfit.type),
    });
    return errorExpr(span);
  }
  // A literal whose value the guest picks (`if c { 1 } else { 2 }`) needs a width before it is computed with.
  if ([left, right].some((side) => side.type.kind === "comptime-int" && evaluate(side, context.target.layout) === null))
    [left, right] = settleLiterals(context, [left, right] as const);
  if (op === "<<" || op === ">>") return checkShift(context, op, left, right, span, expected);
  if (left.type.kind === "comptime-int" && right.type.kind !== "comptime-int") left = coerce(context, left, right.type);
  else if (right.type.kind === "comptime-int" && left.type.kind !== "comptime-int") right = coerce(context, right, left.type);
  else [left, right] = unifySequences(context, left, right);
  if (left.kind === "error" || right.kind === "error") return errorExpr(span, compares ? BOOL : ERROR);
  if (!sameType(left.type, right.type)) {
    const guess = guessOf(left, right.type) ?? guessOf(right, left.type);
    fail(context, expr.opSpan, "E0505", `\`${op}\` needs both sides of one type, found ${quote(left.type)} and ${quote(right.type)}`, {
      related: [
        { span: left.span, text: `this is ${quote(left.type)}` },
        { span: right.span, text: `this is ${quote(right.type)}` },
        ...(guess?.related ?? []),
      ],
      help: characterHelp(left, right) ?? guess?.help ?? widerHelp(context, left.type, right.type),
    });
    return errorExpr(span, compares ? BOOL : ERROR);
  }
  if (compares) return checkComparison(context, op, left, right, span);
  const type: Type = left.type.kind === "comptime-int" && right.type.kind === "comptime-int" && right.type.duration ? DURATION : left.type;
  return constantFolded(context, { kind: "arithmetic", op, left, right, type, span });
}

/** `s[0] == "a"`: an element of text is a number. */
function characterHelp(left: HExpr, right: HExpr): string | undefined {
  const [number, text] = left.type.kind === "str" ? [right, left] : [left, right];
  if (!sameType(number.type, U8) || text.kind !== "const" || text.value.kind !== "bytes" || text.value.bytes.length !== 1) return undefined;
  return `one character is written \`'${new TextDecoder().decode(text.value.bytes)}'\``;
}

function widerHelp(context: Context, left: Type, right: Type): string | undefined {
  if (left.kind !== "int" || right.kind !== "int") return undefined;
  const { layout } = context.target;
  const wider = bitsOf(right, layout) > bitsOf(left, layout) ? right : left;
  return `widths and signs never mix silently: convert one side with \`as ${showType(wider)}\``;
}

const ARITHMETIC_HELP: { readonly [kind in Type["kind"]]?: string } = {
  bool: "write `and`, `or` or `!=`",
  pointer: "an address is counted in bytes: convert with `as usize` first",
  str: 'texts are put together where they are printed: `"{a}{b}"`',
};

function arithmeticHelp(type: Type): string | undefined {
  return type.kind === "enum" ? `convert with \`as ${type.base.name}\` first` : ARITHMETIC_HELP[type.kind];
}

/** A constant division by zero is a mistake of the author; in the guest it would be a trap. */
function constantFolded(context: Context, expr: HExpr & { kind: "arithmetic" }): HExpr {
  if (expr.type.kind !== "comptime-int" || evaluate(expr, context.target.layout) !== null) return expr;
  if (expr.op === "/" || expr.op === "%")
    fail(context, expr.span, "E0516", "this constant is divided by zero", { related: [{ span: expr.right.span, text: "this is 0" }] });
  else if (expr.op === "*") fail(context, expr.span, "E0516", "this constant has more than 8192 bits");
  else fail(context, expr.span, "E0516", "this constant is shifted too far", { related: [{ span: expr.right.span, text: "0 to 4096 bits" }] });
  return errorExpr(expr.span);
}

function checkShift(context: Context, op: ArithmeticOp, left: HExpr, right: HExpr, span: Span, expected: Type | null): HExpr {
  const isInteger = (type: Type): boolean => type.kind === "int" || type.kind === "comptime-int";
  if (!isInteger(left.type) || !isInteger(right.type)) {
    const wrong = isInteger(left.type) ? right : left;
    fail(context, wrong.span, "E0506", `\`${op}\` needs integers, found ${quote(wrong.type)}`, {
      label: `this is ${quote(wrong.type)}`,
      help: arithmeticHelp(wrong.type),
    });
    return errorExpr(span);
  }
  if (left.type.kind === "comptime-int") {
    if (right.type.kind === "comptime-int") return constantFolded(context, { kind: "arithmetic", op, left, right, type: left.type, span });
    left = expected?.kind === "int" ? coerce(context, left, expected) : defaultType(context, left);
  }
  if (left.type.kind !== "int") return errorExpr(span);
  const count = evaluateInteger(right, context.target.layout);
  const bits = bitsOf(left.type, context.target.layout);
  if (right.type.kind === "comptime-int" && count !== null && (count < 0n || count >= BigInt(bits))) {
    fail(context, right.span, "E0516", `a shift by ${showBig(count)} is beyond the ${bits} bits of \`${left.type.name}\``, { label: `0 to ${bits - 1}` });
    return errorExpr(span, left.type);
  }
  const amount = right.type.kind === "comptime-int" ? coerce(context, right, left.type) : cast(context, right, left.type, right.span);
  return { kind: "arithmetic", op, left, right: amount, type: left.type, span };
}

/** Arrays and strings compare as slices where their types differ. */
function unifySequences(context: Context, first: HExpr, second: HExpr): readonly [HExpr, HExpr] {
  const [left, right] = settleLists(context, first, second);
  if (sameType(left.type, right.type)) return [left, right];
  const bytes: Type = { kind: "slice", element: U8 };
  const isText = (type: Type): boolean => type.kind === "str";
  const target = (mine: HExpr, other: HExpr): Type | null => {
    if (mine.type.kind === "array" && other.type.kind === "slice") return other.type;
    if (mine.type.kind === "array" && other.type.kind === "array" && mine.type.element.kind === "comptime-int") return other.type;
    if (mine.type.kind === "array" && other.type.kind === "array" && sameType(mine.type.element, other.type.element))
      return { kind: "slice", element: mine.type.element };
    if (isText(mine.type) && (other.type.kind === "slice" || other.type.kind === "array")) return bytes;
    if (isText(other.type) && mine.type.kind === "array") return bytes;
    return null;
  };
  const leftTarget = target(left, right);
  const rightTarget = target(right, left);
  return [leftTarget === null ? left : coerce(context, left, leftTarget), rightTarget === null ? right : coerce(context, right, rightTarget)];
}

function checkComparison(context: Context, op: CompareOp, left: HExpr, right: HExpr, span: Span): HExpr {
  const { kind } = left.type;
  const ordered = op !== "==" && op !== "!=";
  const orderable = kind === "int" || kind === "comptime-int" || kind === "pointer";
  if (kind === "void" || kind === "regs" || (ordered && !orderable)) {
    const help =
      left.type.kind === "enum"
        ? `only integers and pointers have an order: convert both sides with \`as ${left.type.base.name}\``
        : "only integers and pointers have an order";
    fail(context, span, "E0506", `\`${op}\` cannot compare ${quote(left.type)}`, {
      label: `both sides are ${quote(left.type)}`,
      help: kind === "regs" ? "compare registers of the block" : help,
    });
    return errorExpr(span, BOOL);
  }
  const [first, second] = settleLiterals(context, [left, right] as const);
  return { kind: "compare", op, left: first, right: second, type: BOOL, span };
}

function checkMembership(context: Context, expr: Expr & { kind: "binary" }): HExpr {
  const { span } = expr;
  const negated = expr.op === "not in";
  let value = checkExpr(context, expr.left);
  if (expr.right.kind === "range") {
    const { start, end, inclusive } = expr.right;
    // The parser has reported an open end.
    if (start === null || end === null) return errorExpr(span, BOOL);
    let low = checkExpr(context, start);
    let high = checkExpr(context, end);
    if ([value, low, high].some((part) => part.type.kind === "error")) return errorExpr(span, BOOL);
    const typed = [value, low, high].find((part) => part.type.kind !== "comptime-int");
    const type = typed?.type ?? COMPTIME_INT;
    if (typed !== undefined && type.kind !== "int") {
      fail(context, typed.span, "E0506", `a range holds integers, found ${quote(type)}`, { label: `this is ${quote(type)}` });
      return errorExpr(span, BOOL);
    }
    if (type.kind === "int") [value, low, high] = [coerce(context, value, type), coerce(context, low, type), coerce(context, high, type)];
    else [value, low, high] = settleLiterals(context, [value, low, high] as const);
    return { kind: "in-range", value, start: low, end: high, inclusive, negated, type: BOOL, span };
  }
  const list = checkExpr(context, expr.right, value.type.kind === "comptime-int" ? null : { kind: "slice", element: value.type });
  if (list.type.kind === "error" || value.type.kind === "error") return errorExpr(span, BOOL);
  if (list.type.kind !== "array" && list.type.kind !== "slice") {
    fail(context, list.span, "E0506", `\`in\` needs a range or a list, found ${quote(list.type)}`, { label: `this is ${quote(list.type)}` });
    return errorExpr(span, BOOL);
  }
  if (value.type.kind === "comptime-int") {
    const { element } = list.type;
    const typed = element.kind === "comptime-int" ? defaultType(context, list).type : list.type;
    value = coerce(context, value, typed.kind === "array" || typed.kind === "slice" ? typed.element : element);
  }
  return { kind: "in-list", value, list: coerce(context, list, { kind: "slice", element: value.type }), negated, type: BOOL, span };
}

/** `line matches "ttyS*"`: text or bytes against text with wildcards. */
function checkMatches(context: Context, expr: Expr & { kind: "binary" }): HExpr {
  const { span } = expr;
  const bytes: Type = { kind: "slice", element: U8 };
  const [left, right] = [checkExpr(context, expr.left, bytes), checkExpr(context, expr.right)].map((side) =>
    side.type.kind === "array" ? coerce(context, side, bytes) : side,
  ) as [HExpr, HExpr];
  if (left.type.kind === "error" || right.type.kind === "error") return errorExpr(span, BOOL);
  const wrong = [left, right].find(({ type }) => type.kind !== "str" && !sameType(type, bytes));
  if (wrong === undefined) return { kind: "matches", left, right, type: BOOL, span };
  fail(context, expr.opSpan, "E0506", `\`matches\` needs texts, found ${quote(wrong.type)}`, {
    related: [{ span: wrong.span, text: `this is ${quote(wrong.type)}` }],
    help: 'for example `line matches "eth0: link *"`',
  });
  return errorExpr(span, BOOL);
}

/** `elapsed near 10ms by 100us`. */
function checkNear(context: Context, expr: Expr & { kind: "binary" }): HExpr {
  const { span, right } = expr;
  // `by` cannot be written anywhere else.
  if (right.kind !== "binary" || right.op !== "by") return errorExpr(span, BOOL);
  const parts = [expr.left, right.left, right.right].map((part) => checkExpr(context, part));
  if (parts.some(({ type }) => type.kind === "error")) return errorExpr(span, BOOL);
  const wrong = parts.find(({ type }) => type.kind !== "int" && type.kind !== "comptime-int");
  if (wrong !== undefined) {
    fail(context, expr.opSpan, "E0506", `\`near\` needs integers, found ${quote(wrong.type)}`, {
      related: [{ span: wrong.span, text: `this is ${quote(wrong.type)}` }],
    });
    return errorExpr(span, BOOL);
  }
  const typed = parts.find(({ type }) => type.kind === "int");
  const [left, center, tolerance] =
    typed === undefined ? parts.map((part) => defaultType(context, part)) : parts.map((part) => coerce(context, part, typed.type));
  if (left === undefined || center === undefined || tolerance === undefined) return errorExpr(span, BOOL);
  return { kind: "near", left, right: center, tolerance, type: BOOL, span };
}

/** `result is error ENOENT`: of signed and unsigned integers and of pointers, as kernels return errors. */
export function checkIsError(context: Context, expr: Expr & { kind: "is-error" }): HExpr {
  const { span, negated, name } = expr;
  const number = name === null ? null : ERROR_NUMBERS.get(name.text);
  if (name !== null && number === undefined)
    fail(context, name.span, "E0401", `there is no error \`${name.text}\``, {
      label: "unknown name",
      help: suggest(name.text, ERROR_NUMBERS.keys()) ?? "they have Linux's names, such as `EINVAL`",
    });
  const value = defaultType(context, checkExpr(context, expr.operand));
  if (value.type.kind === "error" || number === undefined) return errorExpr(span, BOOL);
  if (value.type.kind !== "int" && value.type.kind !== "pointer") {
    fail(context, value.span, "E0506", `\`is error\` needs an integer or a pointer, found ${quote(value.type)}`, { label: `this is ${quote(value.type)}` });
    return errorExpr(span, BOOL);
  }
  return { kind: "is-error", value, number: number === null ? null : BigInt(number), negated, type: BOOL, span };
}

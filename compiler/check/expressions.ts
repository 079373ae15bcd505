// Expressions: AST to typed HIR. `expected` is what the place around wants, where it is known; it only steers literals and array
// literals: the place itself calls `coerce`, so that every mismatch is reported once, where it can name both sides.

import type { BinaryOp, Expr, FnItem } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import type { ArithmeticOp, CompareOp, FunctionBody, HExpr, Local } from "../hir.ts";
import {
  BOOL, BUILTIN_TYPES, COMPTIME_INT, DURATION, ERROR, STR, U8, USIZE, VOID, bitsOf, sameType, showType, type Type,
} from "../types.ts";
import { BUILTIN_FUNCTIONS, checkCall } from "./calls.ts";
import { asInteger, evaluate, intValue, type ConstValue } from "./constants.ts";
import { errorExpr, fail, listNames, nested, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, quote, settleLiterals, settleLists, showBig } from "./convert.ts";
import { constantOf, globalOf, resolveSignature, tableOf } from "./declarations.ts";
import { checkMember, moduleNamed } from "./members.ts";
import { checkPlace, failUnindexed } from "./places.ts";
import { completeType, resolveSized, resolveType } from "./resolve-types.ts";
import { isLost, lookUp, lookUpInModule, visibleNames, visibleTypes, type Symbol } from "./scope.ts";

/** An expression whose value is used. */
export function checkExpr(context: Context, expr: Expr, expected: Type | null = null): HExpr {
  const checked = checkOperand(context, expr, expected);
  requireReadable(context, checked);
  if (checked.type.kind !== "void") return checked;
  const called = checked.kind === "call" ? checked.function : null;
  fail(context, checked.span, "E0525", called === null ? "this call gives no value" : `\`${called.name}\` gives no value`, {
    label: "a value is needed here",
    related: called === null ? [] : [{ span: called.span, text: "declared without a result" }],
  });
  return errorExpr(checked.span);
}

/** A write-only register has no value to use. */
export function requireReadable(context: Context, expr: HExpr): void {
  if (expr.kind !== "register" && expr.kind !== "register-field") return;
  const access = expr.kind === "register-field" ? expr.field.access : expr.register.access;
  if (access === "wo") {
    const [name, declared] = expr.kind === "register-field" ? [`${expr.register.name}.${expr.field.name}`, expr.field.declared] : [expr.register.name, expr.register.declared];
    fail(context, expr.span, "E0518", `\`${name}\` is write-only`, { related: [{ span: declared, text: "declared `wo` here" }] });
  } else if (expr.register.count !== null && expr.index === null) {
    failUnindexed(context, expr.span, expr.register);
  }
}

/** An expression that may be a place: assigned, or reached into, without being read as a whole. */
export function checkOperand(context: Context, expr: Expr, expected: Type | null = null): HExpr {
  return nested(context, expr.span, null, () => checkKind(context, expr, expected)) ?? errorExpr(expr.span);
}

function checkKind(context: Context, expr: Expr, expected: Type | null): HExpr {
  const { span } = expr;
  switch (expr.kind) {
    case "int":
      return { kind: "const", value: intValue(expr.value), type: COMPTIME_INT, span };
    case "duration":
      return { kind: "const", value: intValue(expr.nanoseconds), type: DURATION, span };
    case "bool":
      return { kind: "const", value: intValue(expr.value ? 1n : 0n), type: BOOL, span };
    case "bytes":
      return { kind: "const", value: { kind: "bytes", bytes: expr.value }, type: { kind: "array", length: expr.value.length, element: U8 }, span };
    case "string":
      return checkString(context, expr);
    case "name":
      return checkName(context, expr.name, span);
    case "unary":
      return checkUnary(context, expr, expected);
    case "binary":
      return checkBinary(context, expr, expected);
    case "call":
      return checkCall(context, expr);
    case "member":
      return checkMember(context, expr);
    case "deref": {
      const pointer = checkExpr(context, expr.pointer);
      if (pointer.type.kind === "error") return errorExpr(span);
      if (pointer.type.kind !== "pointer") {
        fail(context, pointer.span, "E0506", `\`.*\` needs a pointer, found ${quote(pointer.type)}`, { label: `this is ${quote(pointer.type)}` });
        return errorExpr(span);
      }
      completeType(context, pointer.type.target);
      return { kind: "deref", pointer, type: pointer.type.target, span };
    }
    case "index":
      return checkIndex(context, expr);
    case "slice":
      return checkSlice(context, expr);
    case "cast": {
      const type = resolveType(context, expr.type);
      return cast(context, checkExpr(context, expr.operand, type), type, span);
    }
    case "regs-at":
      return checkRegsAt(context, expr);
    case "array":
      return checkArray(context, expr, expected);
    case "array-fill": {
      const count = evaluateLength(context, expr.count);
      const wanted = expected?.kind === "array" || expected?.kind === "slice" ? expected.element : null;
      let element = checkExpr(context, expr.element, wanted);
      if (wanted !== null) element = coerce(context, element, wanted);
      if (count === null || element.type.kind === "error") return errorExpr(span);
      return { kind: "array-fill", element, type: { kind: "array", length: count, element: element.type }, span };
    }
    case "struct-literal":
      return checkStructLiteral(context, expr);
    case "if-expr": {
      const condition = checkCondition(context, expr.condition);
      const then = checkExpr(context, expr.then, expected);
      const otherwise = checkExpr(context, expr.otherwise, expected ?? then.type);
      if ([then, otherwise].some((branch) => branch.kind === "error" || branch.type.kind === "error")) return errorExpr(span);
      if (then.type.kind === "comptime-int" && otherwise.type.kind !== "comptime-int") {
        return { kind: "if", condition, then: coerce(context, then, otherwise.type), otherwise, type: otherwise.type, span };
      }
      const unified = coerce(context, otherwise, then.type, { related: [{ span: then.span, text: `the other branch is ${quote(then.type)}` }] });
      return { kind: "if", condition, then, otherwise: unified, type: then.type, span };
    }
    case "range":
      fail(context, span, "E0506", "a range is not a value", { help: "ranges stand after `in`, in slices, in `match` and in `for`" });
      return errorExpr(span);
    case "type-value":
      fail(context, span, "E0506", "a type is not a value", { help: "use `.max`, `.min`, `.bits` or `.size` of it" });
      return errorExpr(span);
  }
}

/** An expression used as a value of this type. */
export function checkAs(context: Context, expr: Expr, type: Type): HExpr {
  return coerce(context, checkExpr(context, expr, type), type);
}

/** An expression whose own type decides; literals take their default type. */
export function checkValue(context: Context, expr: Expr): HExpr {
  return defaultType(context, checkExpr(context, expr));
}

export function checkCondition(context: Context, expr: Expr): HExpr {
  const condition = checkExpr(context, expr, BOOL);
  if (condition.type.kind === "bool" || condition.type.kind === "error") return condition;
  fail(context, expr.span, "E0511", `a condition is a \`bool\`, found ${quote(condition.type)}`, {
    label: `this is ${quote(condition.type)}`,
    help: condition.type.kind === "int" || condition.type.kind === "comptime-int" ? "compare it: `!= 0`" : undefined,
  });
  return errorExpr(expr.span, BOOL);
}

/** A constant expression; reports when it is none. */
export function checkConstant(context: Context, expr: Expr, expected: Type | null, what = "this", help?: string): { readonly value: ConstValue; readonly type: Type; readonly expr: HExpr } | null {
  const checked = expected === null ? checkExpr(context, expr) : checkAs(context, expr, expected);
  if (checked.type.kind === "error" || checked.kind === "error") return null;
  const value = evaluate(checked, context.target.layout);
  if (value === null) {
    fail(context, expr.span, "E0507", `${what} must be known when compiling`, { label: "depends on the running guest", help });
    return null;
  }
  return { value, type: checked.type, expr: checked };
}

export function evaluateInteger(context: Context, expr: Expr, what: string, help?: string): bigint | null {
  const constant = checkConstant(context, expr, null, what, help);
  if (constant === null) return null;
  const value = asInteger(constant.value);
  if (value !== null && (constant.type.kind === "int" || constant.type.kind === "comptime-int")) return value;
  fail(context, expr.span, "E0501", `${what} is an integer, found ${quote(constant.type)}`, { label: `this is ${quote(constant.type)}` });
  return null;
}

export function evaluateLength(context: Context, expr: Expr): number | null {
  const value = evaluateInteger(context, expr, "an array length", "memory of any length is a slice: `alloc([]u8, n)`");
  if (value === null) return null;
  if (value < 0n || value > 0x1000_0000n) {
    fail(context, expr.span, "E0502", `${showBig(value)} is no array length`, { label: "an array has 0 to 0x10000000 elements" });
    return null;
  }
  return Number(value);
}

function checkString(context: Context, expr: Expr & { kind: "string" }): HExpr {
  const hole = expr.parts.find((part) => part.kind === "hole");
  if (hole !== undefined) {
    fail(context, hole.span, "E0523", "text with holes can stand only where text is printed", {
      help: "in names, messages, `info`, `skip`, `fail` and `print(..)`",
    });
    return errorExpr(expr.span, STR);
  }
  const text = expr.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
  return { kind: "const", value: { kind: "bytes", bytes: new TextEncoder().encode(text) }, type: STR, span: expr.span };
}

function checkName(context: Context, name: string, span: Span): HExpr {
  const symbol = lookUp(context.scope, name);
  if (symbol === undefined) {
    if (BUILTIN_TYPES.has(name)) fail(context, span, "E0401", `\`${name}\` is a type, not a value`, { help: `it has \`${name}.max\` and the like; a value is converted with \`as ${name}\`` });
    else if (!isLost(context.scope, name)) failUnknown(context, name, span);
    return errorExpr(span);
  }
  return symbolValue(context, symbol, name, span);
}

/** Statements whose name alone is none. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["fail", 'it takes a message: `fail "why"`'], ["info", 'it takes a message: `info "what"`'], ["skip", 'it takes a reason: `skip "why"`'], ["defer", "it takes a block: `defer { .. }`"],
]);

function failUnknown(context: Context, name: string, span: Span): void {
  const word = WORDS.get(name);
  if (word !== undefined) return fail(context, span, "E0401", `\`${name}\` is not a value`, { label: "a statement", help: word });
  if (context.modules.lib(name) !== null) return fail(context, span, "E0401", `\`${name}\` is a module, not a value`, { help: `what is in it stands behind its name: \`${name}.\`` });
  const elsewhere = context.scope.module.file.items.find((item): item is FnItem => item.kind === "fn" && item.name.text === name);
  if (elsewhere !== undefined && elsewhere.on.length > 0) {
    const targets = listNames(elsewhere.on.map((target) => target.text));
    fail(context, span, "E0602", `\`${name}\` does not exist on target \`${context.target.name}\``, {
      label: `only on ${targets}`,
      related: [{ span: elsewhere.name.span, text: "declared here" }],
      help: `call it in \`when target ${elsewhere.on[0]?.text ?? ""} { .. }\`, or declare it for \`${context.target.name}\` too`,
    });
    return;
  }
  const near = suggest(name, [...visibleNames(context.scope), ...context.modules.libNames(), ...BUILTIN_FUNCTIONS]);
  fail(context, span, "E0401", `there is no \`${name}\` here`, { label: "unknown name", help: near });
}

/** The value of a symbol, wherever it was found. */
export function symbolValue(context: Context, symbol: Symbol, name: string, span: Span): HExpr {
  switch (symbol.kind) {
    case "local":
      return localValue(context, symbol.local, span);
    case "const": {
      const { value, type } = constantOf(context, symbol, span);
      return value === null ? errorExpr(span) : { kind: "const", value, type, span };
    }
    case "global": {
      const global = globalOf(context, symbol, span);
      return global === null ? errorExpr(span) : { kind: "global", global, type: global.type, span };
    }
    case "fn":
      resolveSignature(context, symbol);
      return { kind: "function", function: symbol.function, type: { kind: "fn", ...symbol.function.type }, span };
    case "table": {
      const table = tableOf(context, symbol, span);
      if (table === null) return errorExpr(span);
      return { kind: "const", value: { kind: "list", items: table.rows.map((row) => row.value) }, type: { kind: "slice", element: table.row }, span };
    }
    case "type":
    case "namespace":
      fail(context, span, "E0401", `\`${name}\` is a ${symbol.kind === "type" ? "type" : "module"}, not a value`);
      return errorExpr(span);
  }
}

function localValue(context: Context, local: Local, span: Span): HExpr {
  local.used = true;
  if (context.body !== null && local.owner !== context.body) capture(context.body, local);
  return { kind: "local", local, type: local.type, span };
}

/** The local is reached from a closure: it lives in its owner's frame, and the bodies in between keep their way out to it. */
function capture(from: FunctionBody, local: Local): void {
  local.inMemory = true;
  for (let body: FunctionBody | null = from.parent; body !== null && body !== local.owner; body = body.parent) body.keepsEnvironment = true;
}

function checkUnary(context: Context, expr: Expr & { kind: "unary" }, expected: Type | null): HExpr {
  const { span } = expr;
  if (expr.op === "&") {
    const place = checkPlace(context, expr.operand, "address");
    if (place === null) return errorExpr(span);
    if (place.kind === "register" || place.kind === "register-field") {
      fail(context, span, "E0510", "a register has no address of its own", { help: "take the block's base: `block as usize`" });
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

const COMPARISONS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["==", "!=", "<", "<=", ">", ">="]);

function checkBinary(context: Context, expr: Expr & { kind: "binary" }, expected: Type | null): HExpr {
  const { op, span } = expr;
  if (op === "and" || op === "or") {
    return { kind: "logic", op, left: checkCondition(context, expr.left), right: checkCondition(context, expr.right), type: BOOL, span };
  }
  if (op === "in" || op === "not in") return checkMembership(context, expr);
  const compares = COMPARISONS.has(op);
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
  if ([left, right].some((side) => side.type.kind === "comptime-int" && evaluate(side, context.target.layout) === null)) [left, right] = settleLiterals(context, [left, right] as const);
  if (op === "<<" || op === ">>") return checkShift(context, op, left, right, span, expected);
  if (left.type.kind === "comptime-int" && right.type.kind !== "comptime-int") left = coerce(context, left, right.type);
  else if (right.type.kind === "comptime-int" && left.type.kind !== "comptime-int") right = coerce(context, right, left.type);
  else [left, right] = unifySequences(context, left, right);
  if (left.kind === "error" || right.kind === "error") return errorExpr(span, compares ? BOOL : ERROR);
  if (!sameType(left.type, right.type)) {
    fail(context, expr.opSpan, "E0505", `\`${op}\` needs both sides of one type, found ${quote(left.type)} and ${quote(right.type)}`, {
      related: [
        { span: left.span, text: `this is ${quote(left.type)}` },
        { span: right.span, text: `this is ${quote(right.type)}` },
      ],
      help: characterHelp(left, right) ?? widerHelp(context, left.type, right.type),
    });
    return errorExpr(span, compares ? BOOL : ERROR);
  }
  if (compares) return checkComparison(context, op as CompareOp, left, right, span);
  const type: Type = left.type.kind === "comptime-int" && right.type.kind === "comptime-int" && right.type.duration ? DURATION : left.type;
  return constantFolded(context, { kind: "arithmetic", op: op as ArithmeticOp, left, right, type, span });
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

function arithmeticHelp(type: Type): string | undefined {
  switch (type.kind) {
    case "bool":
      return "write `and`, `or` or `!=`";
    case "enum":
      return `convert with \`as ${type.base.name}\` first`;
    case "pointer":
      return "an address is counted in bytes: convert with `as usize` first";
    case "str":
      return "texts are put together where they are printed: `\"{a}{b}\"`";
    default:
      return undefined;
  }
}

/** A constant division by zero is a mistake of the author; in the guest it would be a trap. */
function constantFolded(context: Context, expr: HExpr & { kind: "arithmetic" }): HExpr {
  if (expr.type.kind !== "comptime-int" || evaluate(expr, context.target.layout) !== null) return expr;
  if (expr.op === "/" || expr.op === "%") fail(context, expr.span, "E0516", "this constant is divided by zero", { related: [{ span: expr.right.span, text: "this is 0" }] });
  else if (expr.op === "*") fail(context, expr.span, "E0516", "this constant has more than 8192 bits");
  else fail(context, expr.span, "E0516", "this constant is shifted too far", { related: [{ span: expr.right.span, text: "0 to 4096 bits" }] });
  return errorExpr(expr.span);
}

function checkShift(context: Context, op: ArithmeticOp, left: HExpr, right: HExpr, span: Span, expected: Type | null): HExpr {
  const isInteger = (type: Type): boolean => type.kind === "int" || type.kind === "comptime-int";
  if (!isInteger(left.type) || !isInteger(right.type)) {
    const wrong = isInteger(left.type) ? right : left;
    fail(context, wrong.span, "E0506", `\`${op}\` needs integers, found ${quote(wrong.type)}`, { label: `this is ${quote(wrong.type)}`, help: arithmeticHelp(wrong.type) });
    return errorExpr(span);
  }
  if (left.type.kind === "comptime-int") {
    if (right.type.kind === "comptime-int") return constantFolded(context, { kind: "arithmetic", op, left, right, type: left.type, span });
    left = expected?.kind === "int" ? coerce(context, left, expected) : defaultType(context, left);
  }
  if (left.type.kind !== "int") return errorExpr(span);
  const count = asInteger(evaluate(right, context.target.layout));
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
    if (mine.type.kind === "array" && other.type.kind === "array" && sameType(mine.type.element, other.type.element)) return { kind: "slice", element: mine.type.element };
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
    const help = left.type.kind === "enum" ? `only integers and pointers have an order: convert both sides with \`as ${left.type.base.name}\`` : "only integers and pointers have an order";
    fail(context, span, "E0506", `\`${op}\` cannot compare ${quote(left.type)}`, { label: `both sides are ${quote(left.type)}`, help: kind === "regs" ? "compare registers of the block" : help });
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

/** An index or length: any integer type, made usize. */
export function checkIndexValue(context: Context, expr: Expr): HExpr {
  const index = checkExpr(context, expr, USIZE);
  if (index.type.kind === "int" && index.type.bits !== "address") return { kind: "convert", operand: index, type: USIZE, span: index.span };
  return coerce(context, index, USIZE);
}

function checkIndex(context: Context, expr: Expr & { kind: "index" }): HExpr {
  const { span } = expr;
  let object = checkOperand(context, expr.object);
  if (object.kind === "register" && object.register.count !== null && object.index === null) {
    const index = checkIndexValue(context, expr.index);
    const at = asInteger(evaluate(index, context.target.layout));
    if (at !== null && at >= BigInt(object.register.count)) {
      fail(context, index.span, "E0519", `index ${showBig(at)} is beyond the ${object.register.count} registers of \`${object.register.name}\``, { related: [{ span: object.register.declared, text: "declared here" }] });
    }
    return { ...object, index, span };
  }
  if (object.type.kind === "pointer" && object.type.target.kind === "array") {
    object = { kind: "deref", pointer: object, type: object.type.target, span: object.span };
  }
  const index = checkIndexValue(context, expr.index);
  if (object.kind === "error" || index.kind === "error" || object.type.kind === "error") return errorExpr(span);
  const element = object.type.kind === "array" || object.type.kind === "slice" ? object.type.element : object.type.kind === "str" ? U8 : null;
  if (element === null) {
    fail(context, object.span, "E0506", `${quote(object.type)} has no elements to index`, { label: `this is ${quote(object.type)}` });
    return errorExpr(span);
  }
  const at = asInteger(evaluate(index, context.target.layout));
  if (at !== null && object.type.kind === "array" && at >= BigInt(object.type.length)) {
    const { length } = object.type;
    fail(context, index.span, "E0519", `index ${showBig(at)} is beyond the ${length} elements of ${quote(object.type)}`, { label: length === 0 ? "there are none" : `the last one is ${length - 1}` });
    return errorExpr(span, element);
  }
  if (element.kind === "comptime-int") object = defaultType(context, object);
  const type = object.type.kind === "array" || object.type.kind === "slice" ? object.type.element : element;
  return { kind: "index", object, index, type, span };
}

function checkSlice(context: Context, expr: Expr & { kind: "slice" }): HExpr {
  const object = defaultType(context, checkExpr(context, expr.object));
  const start = expr.start === null ? null : checkIndexValue(context, expr.start);
  const end = expr.end === null ? null : checkIndexValue(context, expr.end);
  if (object.kind === "error" || object.type.kind === "error") return errorExpr(expr.span);
  if (object.type.kind === "str") return { kind: "slice-of", object, start, end, type: STR, span: expr.span };
  if (object.type.kind !== "array" && object.type.kind !== "slice") {
    fail(context, object.span, "E0506", `${quote(object.type)} cannot be sliced`, { label: `this is ${quote(object.type)}`, help: "arrays, slices and strings can" });
    return errorExpr(expr.span);
  }
  if (!isSliceInside(context, object.type, start, end)) return errorExpr(expr.span, { kind: "slice", element: object.type.element });
  return { kind: "slice-of", object, start, end, type: { kind: "slice", element: object.type.element }, span: expr.span };
}

function checkRegsAt(context: Context, expr: Expr & { kind: "regs-at" }): HExpr {
  const type = typeNamed(context, expr.block);
  if (type === null || type.kind !== "regs") {
    if (expr.block.kind !== "name" || !isLost(context.scope, expr.block.name)) failNoBlock(context, expr.block, type);
    checkExpr(context, expr.address, USIZE);
    return errorExpr(expr.span);
  }
  const { span } = expr;
  const constant = (value: bigint): HExpr => ({ kind: "const", value: intValue(value), type: { kind: "int", name: "u32", signed: false, bits: 32 }, span });
  let address = checkExpr(context, expr.address, USIZE);
  let space = constant(expr.space === "ports" ? 1n : 0n);
  if (address.type.kind === "struct") {
    // A BAR knows its own space: any struct with `base: usize` and `space` (0 memory, 1 ports).
    const base = address.type.fields.find((field) => field.name === "base");
    const where = address.type.fields.find((field) => field.name === "space");
    if (base !== undefined && where !== undefined && sameType(base.type, USIZE) && where.type.kind === "int" && where.type.bits === 32) {
      space = { kind: "field", object: address, field: where, type: where.type, span };
      address = { kind: "field", object: address, field: base, type: base.type, span };
    }
  } else if (address.type.kind === "int" && address.type.bits !== "address") {
    address = cast(context, address, USIZE, address.span);
  }
  return { kind: "regs-at", address: coerce(context, address, USIZE), space, type, span };
}

/** Reports bounds that are known when compiling and cannot be right. */
function isSliceInside(context: Context, type: Type, start: HExpr | null, end: HExpr | null): boolean {
  const known = (bound: HExpr | null): bigint | null => (bound === null ? null : asInteger(evaluate(bound, context.target.layout)));
  const length = type.kind === "array" ? BigInt(type.length) : null;
  const [low, high] = [known(start), known(end)];
  const limit = high ?? length;
  const beyond = [end, start].find((bound) => length !== null && bound !== null && (known(bound) ?? 0n) > length);
  if (beyond != null) {
    fail(context, beyond.span, "E0519", `index ${showBig(known(beyond) ?? 0n)} is beyond the ${length ?? 0n} elements of ${quote(type)}`, { label: `at most ${length ?? 0n}` });
    return false;
  }
  if (low === null || limit === null || low <= limit || start === null) return true;
  fail(context, start.span, "E0519", `the slice begins at ${showBig(low)}, after its end ${showBig(limit)}`, { label: "beyond the end", related: end === null ? [] : [{ span: end.span, text: "the end" }] });
  return false;
}

function failNoBlock(context: Context, block: Expr, type: Type | null): void {
  const near = block.kind === "name" && type === null ? suggest(block.name, visibleTypes(context.scope)) : undefined;
  const isUnknown = type === null && block.kind === "name" && lookUp(context.scope, block.name) === undefined;
  const message = isUnknown ? `there is no register block \`${block.name}\`` : "expected the name of a register block";
  fail(context, block.span, "E0405", message, { label: isUnknown ? "" : type === null ? "this is a value" : `this is ${quote(type)}`, help: near ?? "declare one with `regs NAME { .. }`" });
}

function checkArray(context: Context, expr: Expr & { kind: "array" }, expected: Type | null): HExpr {
  const { span } = expr;
  const wanted = expected?.kind === "array" || expected?.kind === "slice" ? expected.element : null;
  let elements = expr.elements.map((element) => checkExpr(context, element, wanted));
  const element = wanted ?? elements.find((item) => item.type.kind !== "comptime-int" && item.type.kind !== "error")?.type ?? COMPTIME_INT;
  if (elements.some((item) => item.type.kind === "error")) return errorExpr(span);
  if (element.kind !== "comptime-int") elements = elements.map((item) => coerce(context, item, element));
  if (elements.some((item) => item.kind === "error")) return errorExpr(span);
  return { kind: "array", elements, type: { kind: "array", length: elements.length, element }, span };
}

function checkStructLiteral(context: Context, expr: Expr & { kind: "struct-literal" }): HExpr {
  const { span } = expr;
  const nameSpan = expr.type.name.span;
  const type = resolveSized(context, { kind: "named-type", module: expr.type.module, name: expr.type.name, span: nameSpan });
  if (type.kind === "error") return errorExpr(span);
  if (type.kind !== "struct") {
    fail(context, nameSpan, "E0405", `expected a struct, found ${quote(type)}`, { label: `not a struct` });
    return errorExpr(span);
  }
  const seen = new Map<string, Span>();
  const fields = expr.fields.flatMap((given) => {
    const field = type.fields.find((candidate) => candidate.name === given.name.text);
    if (field === undefined) {
      fail(context, given.name.span, "E0407", `\`${type.name}\` has no field \`${given.name.text}\``, {
        related: [{ span: type.declared, text: "declared here" }],
        help: suggest(given.name.text, type.fields.map((f) => f.name)),
      });
      checkExpr(context, given.value);
      return [];
    }
    const before = seen.get(field.name);
    if (before !== undefined) fail(context, given.name.span, "E0409", `field \`${field.name}\` is given twice`, { related: [{ span: before, text: "first given here" }] });
    seen.set(field.name, given.name.span);
    return [{ field, value: coerce(context, checkExpr(context, given.value, field.type), field.type, { related: [{ span: field.declared, text: "the field" }] }) }];
  });
  return { kind: "struct", fields, type, span };
}

/** The type that an expression names (`i32`, `Color`, `pci.Device`, `[4]u8`), or null. */
export function typeNamed(context: Context, expr: Expr): Type | null {
  if (expr.kind === "type-value") return resolveSized(context, expr.type);
  const isName = expr.kind === "name";
  const isPath = expr.kind === "member" && expr.object.kind === "name";
  if (!isName && !isPath) return null;
  const type = isName ? (BUILTIN_TYPES.get(expr.name) ?? namedType(lookUp(context.scope, expr.name))) : namedType(memberOfModule(context, expr));
  if (type === null || type.kind === "error" || type === VOID) return null;
  completeType(context, type);
  return type;
}

function namedType(symbol: Symbol | undefined): Type | null {
  return symbol?.kind === "type" ? symbol.type : null;
}

function memberOfModule(context: Context, expr: Expr): Symbol | undefined {
  if (expr.kind !== "member") return undefined;
  const module = moduleNamed(context, expr.object);
  return module === null ? undefined : lookUpInModule(module, expr.name.text);
}

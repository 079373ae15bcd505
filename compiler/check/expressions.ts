// Expressions: AST to typed HIR. `expected` is what the place around wants, where it is known; it only steers literals and array
// literals: the place itself calls `coerce`, so that every mismatch is reported once, where it can name both sides.

import { literalText, type Expr, type FnItem } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { SYSTEM_REGISTER_PATHS } from "../../isa/machine-language.ts";
import type { FunctionBody, HExpr, Local } from "../hir.ts";
import { BOOL, BUILTIN_TYPES, COMPTIME_INT, DURATION, STR, U8, VOID, integerRange, type Type } from "../types.ts";
import { checkIndex, checkRegsAt, checkSlice } from "./access.ts";
import { BUILTIN_FUNCTIONS, checkCall } from "./calls.ts";
import { asInteger, evaluate, intValue, type ConstValue } from "./constants.ts";
import { errorExpr, fail, listNames, nested, suggest, type Context } from "./context.ts";
import { cast, coerce, defaultType, quote, showBig } from "./convert.ts";
import { constantOf, globalOf, resolveSignature, tableOf } from "./declarations.ts";
import { failModuleElsewhere } from "./elsewhere.ts";
import { suggestName } from "./foreign-names.ts";
import { convertPointer } from "./interfaces.ts";
import { checkMember, moduleNamed } from "./members.ts";
import { checkBinary, checkIsError, checkUnary } from "./operators.ts";
import { failUnindexed } from "./places.ts";
import { completeType, resolveSized, resolveType } from "./resolve-types.ts";
import { failAbsent, useReach } from "./reach.ts";
import { isLost, lookUp, lookUpInModule, visibleNames, type Symbol } from "./scope.ts";

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
    const [name, declared] =
      expr.kind === "register-field" ? [`${expr.register.name}.${expr.field.name}`, expr.field.declared] : [expr.register.name, expr.register.declared];
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
    case "is-error":
      return checkIsError(context, expr);
    case "regs-at":
      return checkRegsAt(context, expr);
    case "array":
      return checkArray(context, expr, expected);
    case "array-fill": {
      const count = checkLength(context, expr.count);
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
      // Pointers to two structs meet in the interface or base that is wanted.
      const branch = (part: Expr, wanted: Type | null): HExpr => {
        const value = checkExpr(context, part, wanted);
        return (expected === null ? null : convertPointer(context, value, expected)) ?? value;
      };
      const consequent = branch(expr.consequent, expected);
      const otherwise = branch(expr.otherwise, expected ?? consequent.type);
      if ([consequent, otherwise].some(({ kind, type }) => kind === "error" || type.kind === "error")) return errorExpr(span);
      if (consequent.type.kind === "comptime-int" && otherwise.type.kind !== "comptime-int") {
        return { kind: "if", condition, consequent: coerce(context, consequent, otherwise.type), otherwise, type: otherwise.type, span };
      }
      const unified = coerce(context, otherwise, consequent.type, {
        related: [{ span: consequent.span, text: `the other branch is ${quote(consequent.type)}` }],
      });
      return { kind: "if", condition, consequent, otherwise: unified, type: consequent.type, span };
    }
    case "range":
      fail(context, span, "E0506", "a range is not a value", { help: "ranges stand after `in`, in slices, in `match` and in `for`" });
      return errorExpr(span);
    case "type-value":
      // `*p` reads as the type of a pointer to `p`.
      fail(context, span, "E0506", "a type is not a value", {
        help:
          expr.type.kind === "pointer-type"
            ? `what a pointer points to is \`${textOf(expr.type.target.span)}.*\``
            : "use `.max`, `.min`, `.bits` or `.size` of it",
      });
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
export function checkConstant(
  context: Context,
  expr: Expr,
  expected: Type | null,
  what = "this",
  help?: string,
): { readonly value: ConstValue; readonly type: Type; readonly expr: HExpr } | null {
  if (expr.kind === "int" && expected?.kind === "int") {
    const { min, max } = integerRange(expected, context.target.layout);
    if (expr.value >= min && expr.value <= max) {
      // What the rest would come to, without the rest: tables have many such cells.
      const known = intValue(expr.value);
      return { value: known, type: expected, expr: { kind: "const", value: known, type: expected, span: expr.span } };
    }
  }
  const checked = expected === null ? checkExpr(context, expr) : checkAs(context, expr, expected);
  if (checked.type.kind === "error" || checked.kind === "error") return null;
  const value = evaluate(checked, context.target.layout);
  if (value === null) {
    fail(context, expr.span, "E0507", `${what} must be known when compiling`, { label: "depends on the running guest", help });
    return null;
  }
  return { value, type: checked.type, expr: checked };
}

/** A constant integer; reports when it is none. */
export function checkInteger(context: Context, expr: Expr, what: string, help?: string): bigint | null {
  const constant = checkConstant(context, expr, null, what, help);
  if (constant === null) return null;
  const value = asInteger(constant.value);
  if (value !== null && (constant.type.kind === "int" || constant.type.kind === "comptime-int")) return value;
  fail(context, expr.span, "E0501", `${what} is an integer, found ${quote(constant.type)}`, { label: `this is ${quote(constant.type)}` });
  return null;
}

export function checkLength(context: Context, expr: Expr): number | null {
  const value = checkInteger(context, expr, "an array length", "memory of any length is a slice: `alloc([]u8, n)`");
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
  return { kind: "const", value: { kind: "bytes", bytes: new TextEncoder().encode(literalText(expr)) }, type: STR, span: expr.span };
}

function checkName(context: Context, name: string, span: Span): HExpr {
  const symbol = lookUp(context.scope, name);
  if (symbol === undefined) {
    if (BUILTIN_TYPES.has(name))
      fail(context, span, "E0401", `\`${name}\` is a type, not a value`, {
        help: `it has \`${name}.max\` and the like; a value is converted with \`as ${name}\``,
      });
    else if (!isLost(context.scope, name)) failUnknown(context, name, span);
    return errorExpr(span);
  }
  return symbolValue(context, symbol, name, span);
}

/** Statements whose name alone is none. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["fail", 'it takes a message: `fail "why"`'],
  ["info", 'it takes a message: `info "what"`'],
  ["warn", 'it takes a message: `warn "what"`'],
  ["skip", 'it takes a reason: `skip "why"`'],
  ["defer", "it takes a block: `defer { .. }`"],
]);

function failUnknown(context: Context, name: string, span: Span): void {
  const word = WORDS.get(name);
  if (word !== undefined) return fail(context, span, "E0401", `\`${name}\` is not a value`, { label: "a statement", help: word });
  if (context.modules.lib(name) !== null)
    return fail(context, span, "E0401", `\`${name}\` is a module, not a value`, {
      help: suggestName(name) ?? `what is in it stands behind its name: \`${name}.\``,
    });
  if (failModuleElsewhere(context, name, span)) return;
  const elsewhere = context.scope.module.file.items.find((item): item is FnItem => item.kind === "fn" && item.name.text === name);
  if (elsewhere !== undefined && elsewhere.on.length > 0) {
    const targets = listNames(elsewhere.on.map((target) => target.text));
    failAbsent(context, span, "E0602", `\`${name}\` does not exist on target \`${context.target.name}\``, {
      label: `only on ${targets}`,
      related: [{ span: elsewhere.name.span, text: "declared here" }],
      help: `call it in \`when target ${elsewhere.on[0]?.text ?? ""} { .. }\`, or declare it for \`${context.target.name}\` too`,
    });
    return;
  }
  const registers = SYSTEM_REGISTER_PATHS.get(name);
  if (registers !== undefined)
    return fail(context, span, "E0401", `there is no \`${name}\` here`, {
      label: "unknown name",
      help: `registers of the CPU are \`${name}.${registers}.NAME\``,
    });
  const near = suggestName(name) ?? suggest(name, [...visibleNames(context.scope), ...context.modules.libNames(), ...BUILTIN_FUNCTIONS]);
  fail(context, span, "E0401", `there is no \`${name}\` here`, { label: "unknown name", help: near });
}

/** The value of a symbol, wherever it was found. */
export function symbolValue(context: Context, symbol: Symbol, name: string, span: Span): HExpr {
  switch (symbol.kind) {
    case "local":
      return localValue(context, symbol.local, span);
    case "const": {
      const { value, type } = constantOf(context, symbol, span);
      useReach(context, symbol.reach, span);
      return value === null ? errorExpr(span) : { kind: "const", value, type, span };
    }
    case "global": {
      const global = globalOf(context, symbol, span);
      useReach(context, symbol.reach, span);
      return global === null ? errorExpr(span) : { kind: "global", global, type: global.type, span };
    }
    case "fn":
      resolveSignature(context, symbol);
      context.reach?.functions.add(symbol);
      return { kind: "function", function: symbol.function, type: { kind: "fn", ...symbol.function.type }, span };
    case "table": {
      const table = tableOf(context, symbol, span);
      useReach(context, symbol.reach, span);
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
  from.captures ??= local;
  for (let body: FunctionBody | null = from.parent; body !== null && body !== local.owner; body = body.parent) {
    body.keepsEnvironment = true;
    body.captures ??= local;
  }
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
        help: suggest(
          given.name.text,
          type.fields.map((f) => f.name),
        ),
      });
      checkExpr(context, given.value);
      return [];
    }
    const before = seen.get(field.name);
    if (before !== undefined)
      fail(context, given.name.span, "E0409", `field \`${field.name}\` is given twice`, { related: [{ span: before, text: "first given here" }] });
    seen.set(field.name, given.name.span);
    return [
      { field, value: coerce(context, checkExpr(context, given.value, field.type), field.type, { related: [{ span: field.declared, text: "the field" }] }) },
    ];
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
  return symbol?.kind === "type" && symbol.type.kind !== "interface" ? symbol.type : null;
}

function memberOfModule(context: Context, expr: Expr): Symbol | undefined {
  if (expr.kind !== "member") return undefined;
  const module = moduleNamed(context, expr.object);
  return module === null ? undefined : lookUpInModule(module, expr.name.text);
}

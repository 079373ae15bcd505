// `a.b`: fields, lengths, registers and their bits, enum members, limits of types, names in modules and the machine's constants.
// What stands before the dot decides; a pointer to a struct is followed silently.

import type { Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import type { HExpr } from "../hir.ts";
import { BASE_FIELD, bitsOf, BOOL, COMPTIME_INT, integerRange, sizeOf, U8, USIZE, type StructField, type StructType, type Type } from "../types.ts";
import { intValue } from "./constants.ts";
import { errorExpr, fail, listNames, suggest, type Context } from "./context.ts";
import { quote } from "./convert.ts";
import { constantElsewhere, failNameElsewhere } from "./elsewhere.ts";
import { findIntrinsic, INTRINSICS } from "./intrinsics.ts";
import { functionNamed, isIntrinsicNamespace, moduleNamed, typeNamed } from "./named.ts";
import { completeType } from "./resolve-types.ts";
import { isLost, lookUp, moduleScope } from "./scope.ts";
import { hasField, methodOf, namesIn } from "./structs.ts";
import { checkCalls } from "./stub-points.ts";
import { symbolValue } from "./symbol-values.ts";
import { systemRegister } from "./system-registers.ts";
import { checkOperand } from "./values.ts";

type Member = Expr & { kind: "member" };

export function checkMember(context: Context, expr: Member): HExpr {
  const { span } = expr;
  const path = machinePath(context, expr);
  if (path !== null) return machineConstant(context, path, expr);
  const register = systemRegister(context, expr);
  if (register !== null) return register;
  const called = expr.name.text === "calls" ? functionNamed(context, expr.object) : null;
  if (called !== null) return checkCalls(context, called, span);
  const module = moduleNamed(context, expr.object);
  if (module !== null) {
    const symbol = module.names.get(expr.name.text);
    if (symbol !== undefined) return symbolValue({ ...context, scope: moduleScope(module), body: context.body }, symbol, expr.name.text, span);
    if (module.libName !== null && failNameElsewhere(context, module.libName, expr.name.text, span)) return errorExpr(span);
    if (!isLost(moduleScope(module), expr.name.text)) {
      fail(context, expr.name.span, "E0401", `module \`${module.libName ?? module.source.path}\` has no \`${expr.name.text}\``, {
        help: suggest(expr.name.text, module.names.keys()),
      });
    }
    return errorExpr(span);
  }
  if (isIntrinsicNamespace(context, expr.object)) {
    const name = `${expr.object.name}.${expr.name.text}`;
    const row = findIntrinsic(name);
    if (row === undefined)
      fail(context, span, "E0401", `there is no function \`${name}\``, {
        help: suggest(
          name,
          INTRINSICS.map((candidate) => candidate.name),
        ),
      });
    else
      fail(context, span, "E0503", `\`${name}\` is not a value: it can only be called`, { help: `write \`${name}(${row.params.length === 0 ? "" : ".."})\`` });
    return errorExpr(span);
  }
  const type = symbolIsValue(context, expr.object) ? null : typeNamed(context, expr.object);
  if (type !== null) return typeMember(context, type, expr);
  return valueMember(context, checkOperand(context, expr.object), expr);
}

/** A variable hides a type of the same name. */
function symbolIsValue(context: Context, expr: Expr): boolean {
  if (expr.kind !== "name") return false;
  const symbol = lookUp(context.scope, expr.name);
  return symbol !== undefined && symbol.kind !== "type";
}

function machinePath(context: Context, expr: Member): string | null {
  let at: Expr = expr;
  while (at.kind === "member") at = at.object;
  // Hardly any is: the others are asked nothing more.
  if (at.kind !== "name" || at.name !== "machine" || lookUp(context.scope, "machine") !== undefined) return null;
  const names: string[] = [];
  for (at = expr; at.kind === "member"; at = at.object) names.unshift(at.name.text);
  return names.join(".");
}

function machineConstant(context: Context, path: string, expr: Member): HExpr {
  if (path === "little_endian") return { kind: "const", value: intValue(context.target.layout.endian === "little" ? 1n : 0n), type: BOOL, span: expr.span };
  const value = context.target.constants.get(path) ?? constantElsewhere(context, path, expr.span);
  if (value !== null) return { kind: "const", value: intValue(value), type: COMPTIME_INT, span: expr.span };
  const [device = ""] = path.split(".");
  const own = [...context.target.constants.keys()].filter((name) => name.startsWith(`${device}.`));
  const help = own.length > 0 ? `\`machine.${device}\` has ${listNames(own.map((name) => name.slice(device.length + 1)))}` : undefined;
  const near = suggest(
    `machine.${path}`,
    [...context.target.constants.keys()].map((name) => `machine.${name}`),
  );
  fail(context, expr.span, "E0414", `the machine has no \`${path}\``, { help: near ?? help ?? machineHelp(context) });
  return errorExpr(expr.span);
}

function machineHelp(context: Context): string {
  return `it has ${listNames(new Set([...context.target.constants.keys()].map((name) => name.split(".")[0] ?? name)))}`;
}

function typeMember(context: Context, type: Type, expr: Member): HExpr {
  const { span } = expr;
  const name = expr.name.text;
  const { layout } = context.target;
  const constant = (value: bigint, as: Type): HExpr => ({ kind: "const", value: intValue(value), type: as, span });
  if (type.kind === "enum") {
    const member = type.members.get(name);
    if (member !== undefined) return constant(member, type);
    fail(context, expr.name.span, "E0412", `\`${type.name}\` has no member \`${name}\``, {
      related: [{ span: type.declared, text: "declared here" }],
      help: suggest(name, type.members.keys()),
    });
    return errorExpr(span, type);
  }
  if (type.kind === "int") {
    const range = integerRange(type, layout);
    if (name === "max") return constant(range.max, type);
    if (name === "min") return constant(range.min, type);
    if (name === "bits") return constant(BigInt(bitsOf(type, layout)), COMPTIME_INT);
  }
  if (name === "size") return constant(BigInt(sizeOf(type, layout).size), COMPTIME_INT);
  const known = type.kind === "int" ? ["max", "min", "bits", "size"] : ["size"];
  const isPart = type.kind === "struct" && (methodOf(type, name) !== undefined || hasField(type, name));
  fail(context, expr.name.span, "E0407", `type ${quote(type)} has no \`${name}\``, {
    help:
      type.kind === "regs" && type.registers.has(name)
        ? `say where the registers are: \`let r = ${type.name} at ADDRESS\``
        : isPart
          ? `only a value of ${quote(type)} has it`
          : (suggest(name, known) ?? `it has ${listNames(known)}`),
  });
  return errorExpr(span);
}

function valueMember(context: Context, given: HExpr, expr: Member): HExpr {
  const { span } = expr;
  const name = expr.name.text;
  let object = given;
  if (object.kind === "error" || object.type.kind === "error") return errorExpr(span);
  if (object.kind === "register") return registerField(context, object, expr);
  if (object.type.kind === "pointer" && (object.type.target.kind === "struct" || object.type.target.kind === "array")) {
    completeType(context, object.type.target);
    object = { kind: "deref", pointer: object, type: object.type.target, span: object.span };
  }
  const { type } = object;
  switch (type.kind) {
    case "struct": {
      const field = fieldOf(context, object, type, name, span);
      if (field !== undefined) return field;
      const isMethod = methodOf(type, name) !== undefined;
      const what = type.table === undefined ? `\`${type.name}\` has no field \`${name}\`` : `a row of \`${type.table}\` has no column \`${name}\``;
      fail(context, expr.name.span, "E0407", what, {
        related: [{ span: type.declared, text: "declared here" }],
        help: isMethod ? `it is a method: call it, \`.${name}(..)\`` : (suggest(name, namesIn(type, "fields")) ?? fieldsHelp(type.fields)),
      });
      return errorExpr(span);
    }
    case "interface": {
      const isMethod = type.methods.some((method) => method.name === name);
      fail(context, expr.name.span, "E0407", `interface \`${type.name}\` has no field \`${name}\``, {
        related: [{ span: type.declared, text: "declared here" }],
        help: isMethod ? `it is a method: call it, \`.${name}(..)\`` : "an interface has methods only",
      });
      return errorExpr(span);
    }
    case "regs": {
      const register = type.registers.get(name);
      if (register !== undefined) return { kind: "register", block: object, regs: type, register, index: null, type: register.type, span };
      fail(context, expr.name.span, "E0411", `register block \`${type.name}\` has no register \`${name}\``, {
        related: [{ span: type.declared, text: "declared here" }],
        help: suggest(name, type.registers.keys()),
      });
      return errorExpr(span);
    }
    case "array":
    case "slice":
    case "str":
      if (name === "len") return { kind: "length", object, type: USIZE, span };
      if (name === "ptr" && type.kind !== "array")
        return { kind: "slice-pointer", object, type: { kind: "pointer", target: type.kind === "slice" ? type.element : U8 }, span };
      fail(context, expr.name.span, "E0407", `${quote(type)} has no \`${name}\``, {
        help: name === "length" || name === "size" ? "the number of elements is `.len`" : (suggest(name, ["len", "ptr"]) ?? "it has `.len`"),
      });
      return errorExpr(span);
    case "int":
    case "bool":
    case "void":
    case "comptime-int":
    case "pointer":
    case "enum":
    case "fn":
    case "error":
      fail(context, expr.name.span, "E0407", `${quote(type)} has no \`${name}\``, {
        label: "has no members",
        help: MATCHERS.test(name) ? "a check is `expect a == b`" : type.kind === "pointer" ? "reach what it points to with `.*`" : undefined,
      });
      return errorExpr(span);
  }
}

/** How other test systems go on behind `expect(value)`. */
const MATCHERS = /^(to|not|toBe\w*|toEqual|toStrictEqual|toThrow|should|is_?equal\w*|equals?|eq|isEqualTo)$/i;

/** All fields, where they are few enough to read. */
function fieldsHelp(fields: readonly { readonly name: string }[]): string | undefined {
  return fields.length > 0 && fields.length <= 8 ? `it has ${listNames(fields.map(({ name }) => name))}` : undefined;
}

function registerField(context: Context, object: HExpr & { kind: "register" }, expr: Member): HExpr {
  const name = expr.name.text;
  const field = object.register.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    fail(context, expr.name.span, "E0411", `register \`${object.register.name}\` has no field \`${name}\``, {
      related: [{ span: object.register.declared, text: "declared here" }],
      help:
        suggest(
          name,
          object.register.fields.map((candidate) => candidate.name),
        ) ??
        fieldsHelp(object.register.fields) ??
        (object.register.fields.length === 0 ? "it is declared without fields" : undefined),
    });
    return errorExpr(expr.span);
  }
  return {
    kind: "register-field",
    block: object.block,
    regs: object.regs,
    register: object.register,
    index: object.index,
    field,
    type: object.type,
    span: expr.span,
  };
}

/** A field of a struct or of what it extends, as a part of `object`. */
export function fieldOf(context: Context, object: HExpr, type: StructType, name: string, span: Span): HExpr | undefined {
  completeType(context, type);
  const part = (at: HExpr, field: StructField): HExpr => ({ kind: "field", object: at, field, type: field.type, span });
  const own = type.fields.find((field) => field.name === name);
  if (own !== undefined) return part(object, own);
  const base = type.base === undefined ? undefined : type.fields.find((field) => field.name === BASE_FIELD);
  return base?.type.kind === "struct" ? fieldOf(context, part(object, base), base.type, name, span) : undefined;
}

// Compile-time values: what `const` declarations, table cells, array lengths, enum members and test names are made of. The
// evaluator runs over checked expressions, so that a constant means exactly what the same expression means in the guest: it
// wraps at its type's width. What cannot be known before the guest runs gives null, and the caller says where that matters.

import type { ArithmeticOp, CompareOp } from "../../grammar/ast.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { ConstValue, HExpr } from "../hir.ts";
import { bitsOf, sizeOf, U8, wrapInteger, type IntType, type Type } from "../types.ts";

export function intValue(value: bigint): ConstValue {
  return { kind: "int", value };
}

const TRUE = intValue(1n);
const FALSE = intValue(0n);
const ZERO: ConstValue = { kind: "zero" };
const truth = (value: boolean): ConstValue => (value ? TRUE : FALSE);

/** The integer behind a constant, or null when it is not one. */
export function asInteger(value: ConstValue | null): bigint | null {
  if (value?.kind === "int") return value.value;
  return value?.kind === "zero" ? 0n : null;
}

/** The type at which an operation's integers wrap. */
function integerTypeOf(type: Type): IntType | null {
  if (type.kind === "int") return type;
  return type.kind === "enum" ? type.base : null;
}

function wrapTo(value: bigint, type: Type, layout: DataLayout): bigint {
  const integer = integerTypeOf(type);
  return integer === null ? value : wrapInteger(value, integer, layout);
}

function listOf(value: ConstValue): readonly ConstValue[] | null {
  if (value.kind === "list") return value.items;
  return value.kind === "bytes" ? Array.from(value.bytes, (byte) => intValue(BigInt(byte))) : null;
}

/** Integers without a type are exact, within reason. */
const MAX_UNTYPED = 1n << 8192n;

/** More elements than this are filled in by the guest. */
const MAX_ITEMS = 1 << 20;

/** The elements of a constant array, slice or string; null when it is none, or too long to be written out. */
export function itemsOf(value: ConstValue, type: Type): readonly ConstValue[] | null {
  if (value.kind !== "zero") return listOf(value);
  if (type.kind === "slice" || type.kind === "str") return [];
  return type.kind === "array" && type.length <= MAX_ITEMS ? Array.from({ length: type.length }, () => ZERO) : null;
}

/** Equality of two constants of a type, which tells what `zero` stands for. */
export function equalConst(a: ConstValue, b: ConstValue, type: Type): boolean {
  if (a.kind === "zero" && b.kind === "zero") return true;
  switch (type.kind) {
    case "struct": {
      const fieldOf = (value: ConstValue, i: number): ConstValue => (value.kind === "struct" ? (value.fields[i] ?? ZERO) : ZERO);
      return type.fields.every((field, i) => equalConst(fieldOf(a, i), fieldOf(b, i), field.type));
    }
    case "array":
    case "slice":
    case "str": {
      const element: Type = type.kind === "str" ? U8 : type.element;
      const [left, right] = [listOf(a) ?? [], listOf(b) ?? []];
      const length = type.kind === "array" ? Math.max(left.length, right.length) : left.length;
      if (type.kind !== "array" && left.length !== right.length) return false;
      for (let i = 0; i < length; i++) if (!equalConst(left[i] ?? ZERO, right[i] ?? ZERO, element)) return false;
      return true;
    }
    case "fn":
      return a.kind === "function" && b.kind === "function" && a.function === b.function;
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "interface":
    case "regs":
    case "void":
    case "comptime-int":
    case "error": {
      const left = asInteger(a);
      return left !== null && left === asInteger(b);
    }
  }
}

/** Result of an integer operation, or null where the guest would trap. `bits` is null for literals that have no width yet. */
export function arithmetic(op: ArithmeticOp, left: bigint, right: bigint, bits: number | null, signed: boolean): bigint | null {
  const count = bits === null ? right : right & BigInt(bits - 1);
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0n ? null : left / right;
    case "%":
      return right === 0n ? null : left % right;
    case "&":
      return left & right;
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "<<":
      return count < 0n || count > 4096n ? null : left << count;
    case ">>":
      return count < 0n || count > 4096n ? null : (signed || bits === null ? left : BigInt.asUintN(bits, left)) >> count;
  }
}

function compare(op: CompareOp, a: ConstValue, b: ConstValue, type: Type): boolean | null {
  if (op === "==") return equalConst(a, b, type);
  if (op === "!=") return !equalConst(a, b, type);
  const left = asInteger(a);
  const right = asInteger(b);
  if (left === null || right === null) return null;
  switch (op) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

/** The number behind an integer, boolean or member of an enum that is known when compiling, else null. */
export function evaluateInteger(expr: HExpr, layout: DataLayout): bigint | null {
  return asInteger(evaluate(expr, layout));
}

/** The value of an expression that does not depend on the guest, else null. */
export function evaluate(expr: HExpr, layout: DataLayout): ConstValue | null {
  switch (expr.kind) {
    case "const":
      return expr.value;
    case "function":
      return { kind: "function", function: expr.function };
    case "unary": {
      const operand = evaluateInteger(expr.operand, layout);
      if (operand === null) return null;
      if (expr.op === "not") return truth(operand === 0n);
      return intValue(wrapTo(expr.op === "-" ? -operand : ~operand, expr.type, layout));
    }
    case "arithmetic": {
      const left = evaluateInteger(expr.left, layout);
      const right = evaluateInteger(expr.right, layout);
      if (left === null || right === null) return null;
      const integer = integerTypeOf(expr.type);
      const result = arithmetic(expr.op, left, right, integer === null ? null : bitsOf(integer, layout), integer?.signed ?? true);
      if (result === null || (integer === null && (result > MAX_UNTYPED || result < -MAX_UNTYPED))) return null;
      return intValue(wrapTo(result, expr.type, layout));
    }
    case "compare": {
      const left = evaluate(expr.left, layout);
      const right = evaluate(expr.right, layout);
      const result = left === null || right === null ? null : compare(expr.op, left, right, expr.left.type);
      return result === null ? null : truth(result);
    }
    case "logic": {
      const left = evaluateInteger(expr.left, layout);
      if (left === null) return null;
      if (expr.op === "and" ? left === 0n : left !== 0n) return truth(left !== 0n);
      return evaluate(expr.right, layout);
    }
    case "convert": {
      const operand = evaluate(expr.operand, layout);
      const value = asInteger(operand);
      // Where a function lies is known when the image is placed.
      if (operand?.kind === "function") return expr.type.kind === "fn" ? operand : null;
      return value === null ? operand : intValue(wrapTo(value, expr.type, layout));
    }
    case "array-to-slice": {
      const operand = evaluate(expr.operand, layout);
      if (operand?.kind !== "zero") return operand;
      const items = itemsOf(operand, expr.operand.type);
      return items === null ? null : { kind: "list", items };
    }
    case "array": {
      const items = expr.elements.map((element) => evaluate(element, layout));
      return items.every((item) => item !== null) ? { kind: "list", items } : null;
    }
    case "array-fill": {
      const item = evaluate(expr.element, layout);
      if (item === null || expr.type.kind !== "array") return null;
      if (asInteger(item) === 0n) return ZERO;
      if (expr.type.length > MAX_ITEMS || sizeOf(expr.type, layout).size > 8 * MAX_ITEMS) return null;
      return { kind: "list", items: Array.from({ length: expr.type.length }, () => item) };
    }
    case "struct": {
      if (expr.type.kind !== "struct") return null;
      const given = new Map(expr.fields.map((field) => [field.field.name, field.value]));
      const fields = expr.type.fields.map((field): ConstValue | null => {
        const value = given.get(field.name);
        return value === undefined ? { kind: "zero" } : evaluate(value, layout);
      });
      return fields.every((field) => field !== null) ? { kind: "struct", fields } : null;
    }
    case "if": {
      const condition = evaluateInteger(expr.condition, layout);
      return condition === null ? null : evaluate(condition !== 0n ? expr.consequent : expr.otherwise, layout);
    }
    case "length": {
      if (expr.object.type.kind === "array") return intValue(BigInt(expr.object.type.length));
      const object = evaluate(expr.object, layout);
      const items = object === null ? null : itemsOf(object, expr.object.type);
      return items === null ? null : intValue(BigInt(items.length));
    }
    case "field": {
      const object = evaluate(expr.object, layout);
      const type = expr.object.type;
      if (object === null || type.kind !== "struct") return null;
      if (object.kind === "zero") return object;
      return object.kind === "struct" ? (object.fields[type.fields.indexOf(expr.field)] ?? null) : null;
    }
    case "index": {
      const object = evaluate(expr.object, layout);
      const index = evaluateInteger(expr.index, layout);
      if (object === null || index === null) return null;
      if (object.kind === "zero") return object;
      return listOf(object)?.[Number(index)] ?? null;
    }
    case "in-range": {
      const value = evaluateInteger(expr.value, layout);
      const start = evaluateInteger(expr.start, layout);
      const end = evaluateInteger(expr.end, layout);
      if (value === null || start === null || end === null) return null;
      return truth((value >= start && (expr.inclusive ? value <= end : value < end)) !== expr.negated);
    }
    case "in-list": {
      const value = evaluate(expr.value, layout);
      const list = evaluate(expr.list, layout);
      const items = list === null ? null : itemsOf(list, expr.list.type);
      if (value === null || items === null) return null;
      return truth(items.some((item) => equalConst(item, value, expr.value.type)) !== expr.negated);
    }
    case "local":
    case "global":
    case "deref":
    case "register":
    case "register-field":
    case "system-register":
    case "call":
    case "call-indirect":
    case "call-method":
    case "to-interface":
    case "matches":
    case "near":
    case "is-error":
    case "intrinsic":
    case "slice-pointer":
    case "slice-of":
    case "address-of":
    case "regs-at":
    case "error":
      return null;
  }
}

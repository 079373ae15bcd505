// Arithmetic by operator and type: which instruction of the bytecode it is. Most do not care for signs, since numbers wrap; those that do come
// in two.

import type { ArithmeticOp } from "../../grammar/ast.ts";
import { scalarOf, type Type } from "../types.ts";
import type { FunctionBuilder } from "./function-builder.ts";

export function isSigned(type: Type): boolean {
  if (type.kind === "int") return type.signed;
  if (type.kind === "enum") return type.base.signed;
  return type.kind === "comptime-int" && !type.duration;
}

const PLAIN: ReadonlyMap<ArithmeticOp, string> = new Map<ArithmeticOp, string>([
  ["+", "add"],
  ["-", "sub"],
  ["*", "mul"],
  ["&", "and"],
  ["|", "or"],
  ["^", "xor"],
  ["<<", "shl"],
]);

const BY_SIGN: ReadonlyMap<ArithmeticOp, string> = new Map<ArithmeticOp, string>([
  ["/", "div"],
  ["%", "rem"],
  [">>", "shr"],
]);

export function arithmetic(b: FunctionBuilder, op: ArithmeticOp, type: Type, left: number, right: number): number {
  const name = PLAIN.get(op) ?? `${BY_SIGN.get(op) ?? ""}_${isSigned(type) ? "s" : "u"}`;
  return b.binary(name, scalarOf(type), left, right);
}

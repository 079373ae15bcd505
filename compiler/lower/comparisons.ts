// Questions about values that lie in registers already: each gives the i8 register that holds the answer. What `==` means for whatever has
// contents is equality.ts.

import type { CompareOp } from "../../grammar/ast.ts";
import { MOST_ERROR } from "../../grammar/error-numbers.ts";
import { scalarOf, sizeOf, type Type } from "../types.ts";
import { isSigned } from "./arithmetic.ts";
import { lowerEquality } from "./equality.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { loadFrom, scaled } from "./guest-memory.ts";

export function compareValues(b: FunctionBuilder, op: CompareOp, type: Type, left: Value, right: Value): number {
  if (op === "==" || op === "!=") {
    const equal = lowerEquality(b, type, left, right);
    return op === "==" ? equal : b.opposite(equal);
  }
  const suffix = isSigned(type) ? "s" : "u";
  const [x, y] = op === "<" || op === "<=" ? [left[0], right[0]] : [right[0], left[0]];
  return b.binary(`${op === "<" || op === ">" ? "lt" : "le"}_${suffix}`, scalarOf(type), x ?? 0, y ?? 0);
}

interface RangeEnds {
  readonly start: number;
  readonly end: number;
  readonly inclusive: boolean;
}

export function isInRange(b: FunctionBuilder, type: Type, value: number, { start, end, inclusive }: RangeEnds): number {
  const scalar = scalarOf(type);
  const suffix = isSigned(type) ? "s" : "u";
  const above = b.binary(`le_${suffix}`, scalar, start, value);
  const below = b.binary(inclusive ? `le_${suffix}` : `lt_${suffix}`, scalar, value, end);
  return b.binary("and", "i8", above, below);
}

/** `type` is that of the value and of the list's elements. */
export function isInList(b: FunctionBuilder, type: Type, value: Value, list: number, length: number): number {
  const { size } = sizeOf(type, b.module.layout);
  const found = b.temp("i8");
  b.emit("const", { type: "i8", dst: [found], imm: [0n] });
  b.countedLoop(length, (index, done) => {
    const element = loadFrom(b, type, b.binary("add", "addr", list, scaled(b, index, size)), 0);
    b.copy("i8", found, lowerEquality(b, type, value, element));
    b.branchIf(found, done);
  });
  return found;
}

/** The distance is what subtraction gives from the larger to the smaller, as an unsigned number of the width. */
export function isNear(b: FunctionBuilder, type: Type, value: number, center: number, tolerance: number): number {
  const scalar = scalarOf(type);
  const isAbove = compareValues(b, ">=", type, [value], [center]);
  const distance = b.temp(scalar);
  b.emit("select", { type: scalar, dst: [distance], src: [isAbove, b.binary("sub", scalar, value, center), b.binary("sub", scalar, center, value)] });
  return b.binary("le_u", scalar, distance, tolerance);
}

/** A kernel's way to tell errors: the number negated. Null: any of them. */
export function isErrorNumber(b: FunctionBuilder, type: Type, value: number, number: bigint | null): number {
  const wide = b.convert(value, scalarOf(type), "i64", true);
  if (number !== null) return b.binary("eq", "i64", wide, b.constant("i64", -number));
  return b.binary("lt_u", "i64", b.binary("add", "i64", wide, b.constant("i64", BigInt(MOST_ERROR))), b.constant("i64", BigInt(MOST_ERROR)));
}

// Short words for expressions (expressions.ts), for descriptions of instructions that are made of many of them: floating point and privileged
// instructions read like their formulas in the manual then.

import { I32, I64 } from "../../wasm/encoder.ts";
import { binary, constant, unary, type BinaryName, type Expression } from "./expressions.ts";

export const wide = (value: bigint): Expression => constant(value, I64);
export const word = (value: number): Expression => constant(value, I32);
const all =
  (name: BinaryName) =>
  (first: Expression, ...rest: readonly Expression[]): Expression =>
    rest.reduce((a, b) => binary(name, a, b), first);
export const and = all("i64_and");
export const or = all("i64_or");
export const both = all("i32_and");
export const either = all("i32_or");
export const isZero = (a: Expression): Expression => unary("i64_eqz", a);
export const narrow = (a: Expression): Expression => unary("i32_wrap_i64", a);

// Computes an expression's value in TypeScript: how the cold path executes what the generated code left to it, and an oracle for that
// code which shares nothing with WebAssembly. Values are canonical: unsigned, of the width of their type.

import { I32, type ValueType } from "../../wasm/encoder.ts";
import type { BinaryName, Expression, Leaf, UnaryName } from "./expressions.ts";

type Plain<Name extends string> = Name extends `i64_${infer Rest}` ? Rest : never;

/** By the operation's name without its type; arguments unsigned, results of any sign. */
const BINARY: Readonly<Record<Plain<BinaryName>, (a: bigint, b: bigint, bits: number) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_s: (a, b, bits) => BigInt.asIntN(bits, a) / BigInt.asIntN(bits, b),
  div_u: (a, b) => a / b,
  rem_s: (a, b, bits) => BigInt.asIntN(bits, a) % BigInt.asIntN(bits, b),
  rem_u: (a, b) => a % b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, bits) => a << (b % BigInt(bits)),
  shr_u: (a, b, bits) => a >> (b % BigInt(bits)),
  shr_s: (a, b, bits) => BigInt.asIntN(bits, a) >> (b % BigInt(bits)),
  rotl: (a, b, bits) => rotateLeft(a, Number(b % BigInt(bits)), bits),
  rotr: (a, b, bits) => rotateLeft(a, (bits - Number(b % BigInt(bits))) % bits, bits),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt_u: (a, b) => truth(a < b),
  gt_u: (a, b) => truth(a > b),
  le_u: (a, b) => truth(a <= b),
  ge_u: (a, b) => truth(a >= b),
  lt_s: (a, b, bits) => truth(BigInt.asIntN(bits, a) < BigInt.asIntN(bits, b)),
  gt_s: (a, b, bits) => truth(BigInt.asIntN(bits, a) > BigInt.asIntN(bits, b)),
  le_s: (a, b, bits) => truth(BigInt.asIntN(bits, a) <= BigInt.asIntN(bits, b)),
  ge_s: (a, b, bits) => truth(BigInt.asIntN(bits, a) >= BigInt.asIntN(bits, b)),
};

const UNARY: Readonly<Record<Plain<UnaryName> | "wrap_i64", (a: bigint, bits: number) => bigint>> = {
  eqz: (a) => truth(a === 0n),
  clz: (a, bits) => BigInt(bits - bitLength(a)),
  ctz: (a, bits) => BigInt(a === 0n ? bits : bitLength(a & -a) - 1),
  popcnt: (a) => BigInt(a.toString(2).replaceAll("0", "").length),
  extend8_s: (a) => BigInt.asIntN(8, a),
  extend16_s: (a) => BigInt.asIntN(16, a),
  extend32_s: (a) => BigInt.asIntN(32, a),
  extend_i32_s: (a) => BigInt.asIntN(32, a),
  extend_i32_u: (a) => a,
  wrap_i64: (a) => a,
};

const truth = (value: boolean): bigint => (value ? 1n : 0n);
const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);
const rotateLeft = (value: bigint, count: number, bits: number): bigint => (value << BigInt(count)) | (value >> BigInt(bits - count));

const widthOf = (type: ValueType): number => (type === I32 ? 32 : 64);
const operandWidth = (name: UnaryName | BinaryName): number => (name.startsWith("i32") ? 32 : 64);

function entryOf<T>(table: Readonly<Record<string, T>>, name: string): T {
  const entry = table[name.slice(4)];
  if (entry === undefined) throw new Error(`no meaning for ${name}`);
  return entry;
}

export type Leaves = Readonly<Partial<Record<Leaf, bigint>>>;

export function evaluate(expression: Expression, leaves: Leaves, bound: ReadonlyMap<symbol, bigint> = new Map()): bigint {
  const width = widthOf(expression.type);
  switch (expression.kind) {
    case "leaf": {
      const value = leaves[expression.leaf];
      if (value === undefined) throw new Error(`no value for ${expression.leaf}`);
      return BigInt.asUintN(width, value);
    }
    case "constant":
      return BigInt.asUintN(width, expression.value);
    case "unary":
      return BigInt.asUintN(width, entryOf(UNARY, expression.name)(evaluate(expression.a, leaves, bound), operandWidth(expression.name)));
    case "binary": {
      const a = evaluate(expression.a, leaves, bound);
      const b = evaluate(expression.b, leaves, bound);
      return BigInt.asUintN(width, entryOf(BINARY, expression.name)(a, b, operandWidth(expression.name)));
    }
    case "choose":
      return evaluate(evaluate(expression.test, leaves, bound) !== 0n ? expression.chosen : expression.otherwise, leaves, bound);
    case "bind":
      return evaluate(expression.body, leaves, new Map(bound).set(expression.name, evaluate(expression.value, leaves, bound)));
    case "bound": {
      const value = bound.get(expression.name);
      if (value === undefined) throw new Error("a value is used outside of its binding");
      return value;
    }
  }
}

// Computes an expression's value in TypeScript: how the cold path executes what the generated code left to it, and an oracle for that
// code which shares nothing with WebAssembly. Values are canonical: unsigned, of the width of their type.

import { F32, I32, type ValueType } from "../../wasm/encoder.ts";
import type { BinaryName, Expression, Leaf, UnaryName } from "./expressions.ts";
import type { Shared } from "./guarded.ts";

type Plain<Name extends string> = Name extends `i64_${infer Rest}` ? (Rest extends `${"trunc" | "reinterpret"}${string}` ? never : Rest) : never;

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

const cells = new DataView(new ArrayBuffer(8));

function toNumber(bits: bigint, width: number): number {
  if (width === 32) cells.setUint32(0, Number(bits));
  else cells.setBigUint64(0, bits);
  return width === 32 ? cells.getFloat32(0) : cells.getFloat64(0);
}

function fromNumber(value: number, width: number): bigint {
  if (width === 32) cells.setFloat32(0, value);
  else cells.setFloat64(0, value);
  return width === 32 ? BigInt(cells.getUint32(0)) : cells.getBigUint64(0);
}

/** Rounding a result of doubles once more to a single is harmless for one operation on singles (Figueroa 1995). */
const FLOAT_BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

const FLOAT_COMPARISON: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};

function nearest(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

const FLOAT_UNARY: Readonly<Record<string, (a: number) => number>> = {
  abs: Math.abs,
  neg: (a) => -a,
  sqrt: Math.sqrt,
  trunc: Math.trunc,
  nearest,
  promote_f32: (a) => a,
  demote_f64: Math.fround,
};

/** Of integers that doubles hold; the rest is rounded, to nearest even, by `Number`. */
const FROM_INTEGER = /^f(32|64)_convert_i(32|64)_([su])$/;
const TO_INTEGER = /^i(32|64)_trunc_f64_[su]$/;
const REINTERPRET = /_reinterpret_/;

const isFloat = (name: string): boolean => name.startsWith("f");

function evaluateUnary(name: UnaryName, a: bigint, from: number, to: number): bigint {
  const integer = FROM_INTEGER.exec(name);
  if (integer !== null) return fromNumber(Number(integer[3] === "s" ? BigInt.asIntN(from, a) : a), to);
  if (TO_INTEGER.test(name)) return BigInt.asUintN(to, BigInt(Math.trunc(toNumber(a, from))));
  if (REINTERPRET.test(name)) return a;
  if (isFloat(name)) return fromNumber(entryOf(FLOAT_UNARY, name)(toNumber(a, from)), to);
  return BigInt.asUintN(to, entryOf(UNARY, name)(a, operandWidth(name)));
}

function evaluateBinary(name: BinaryName, a: bigint, b: bigint, from: number, to: number): bigint {
  if (!isFloat(name)) return BigInt.asUintN(to, entryOf(BINARY, name)(a, b, operandWidth(name)));
  const comparison = FLOAT_COMPARISON[name.slice(4)];
  const [x, y] = [toNumber(a, from), toNumber(b, from)];
  return comparison === undefined ? fromNumber(entryOf(FLOAT_BINARY, name)(x, y), to) : truth(comparison(x, y));
}

const widthOf = (type: ValueType): number => (type === I32 || type === F32 ? 32 : 64);
const operandWidth = (name: UnaryName | BinaryName): number => (name.startsWith("i32") ? 32 : 64);

function entryOf<T>(table: Readonly<Record<string, T>>, name: string): T {
  const entry = table[name.slice(4)];
  if (entry === undefined) throw new Error(`no meaning for ${name}`);
  return entry;
}

export type Leaves = Readonly<Partial<Record<Leaf, bigint>>>;

/** The values of these names, for `evaluate`. */
export function evaluateShared(shared: readonly Shared[] | undefined, leaves: Leaves): ReadonlyMap<symbol, bigint> {
  const bound = new Map<symbol, bigint>();
  for (const { name, value } of shared ?? []) bound.set(name, evaluate(value, leaves, bound));
  return bound;
}

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
      return evaluateUnary(expression.name, evaluate(expression.a, leaves, bound), widthOf(expression.a.type), width);
    case "binary": {
      const a = evaluate(expression.a, leaves, bound);
      const b = evaluate(expression.b, leaves, bound);
      return evaluateBinary(expression.name, a, b, widthOf(expression.a.type), width);
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

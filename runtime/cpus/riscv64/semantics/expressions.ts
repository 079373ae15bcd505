// The small language in which instructions say what they compute: trees over integers and numbers of 32 and 64 bits whose operations are those of
// WebAssembly, by its names. Three readers: the generator of the interpreter, the generator of regions, and `evaluate`, which the
// cold path and the tests use. One description, so that they cannot come to different meanings.

import { F32, F64, I32, I64, type OP, type ValueType } from "../../wasm/encoder.ts";
import { stateCell, type StateName } from "../state.ts";

/** What a tree stands on; each reader knows where these are. */
export type Leaf =
  | "rs1"
  | "rs2"
  | "imm"
  | "pc"
  /** Atomics: what memory held. */
  | "old"
  /** Floating-point registers, all 64 bits of them. */
  | "fs1"
  | "fs2"
  | "fs3"
  /** Instructions that may still be executed, this one among them: what is left of the budget. */
  | "remaining"
  /** A cell of the hart's state, by its name. */
  | StateName;

type Typed = `${"i32" | "i64" | "f32" | "f64"}_`;
type Conversion = `${"extend" | "wrap" | "trunc" | "convert" | "promote" | "demote" | "reinterpret"}${string}`;
export type UnaryName = Extract<keyof typeof OP, `${Typed}${"eqz" | "clz" | "ctz" | "popcnt" | "abs" | "neg" | "sqrt" | "nearest" | Conversion}`>;
export type BinaryName = Exclude<Extract<keyof typeof OP, `${Typed}${string}`>, UnaryName | `${string}${"load" | "store" | "const"}${string}`>;

export type Expression =
  | { readonly kind: "leaf"; readonly type: ValueType; readonly leaf: Leaf }
  | { readonly kind: "constant"; readonly type: ValueType; readonly value: bigint }
  | { readonly kind: "unary"; readonly type: ValueType; readonly name: UnaryName; readonly a: Expression }
  | { readonly kind: "binary"; readonly type: ValueType; readonly name: BinaryName; readonly a: Expression; readonly b: Expression }
  /** Only the branch that is chosen is computed. */
  | { readonly kind: "choose"; readonly type: ValueType; readonly test: Expression; readonly chosen: Expression; readonly otherwise: Expression }
  /** `body` may use the value several times. */
  | { readonly kind: "bind"; readonly type: ValueType; readonly name: symbol; readonly value: Expression; readonly body: Expression }
  | { readonly kind: "bound"; readonly type: ValueType; readonly name: symbol };

/** Their results are 0 or 1. */
export const COMPARISON = /_(eqz|eq|ne|[lg][te](_[su])?)$/;
const TYPES: Readonly<Record<string, ValueType>> = { i32: I32, i64: I64, f32: F32, f64: F64 };

function resultType(name: UnaryName | BinaryName): ValueType {
  return COMPARISON.test(name) ? I32 : (TYPES[name.slice(0, 3)] ?? I64);
}

export function leaf(name: Leaf, type: ValueType): Expression {
  return { kind: "leaf", type, leaf: name };
}

export function state(name: StateName): Expression {
  return leaf(name, stateCell(name).isWord ? I32 : I64);
}

export function constant(value: bigint | number, type: ValueType): Expression {
  return { kind: "constant", type, value: BigInt(value) };
}

export function unary(name: UnaryName, a: Expression): Expression {
  return { kind: "unary", type: resultType(name), name, a };
}

export function binary(name: BinaryName, a: Expression, b: Expression): Expression {
  return { kind: "binary", type: resultType(name), name, a, b };
}

export function choose(test: Expression, chosen: Expression, otherwise: Expression): Expression {
  return { kind: "choose", type: chosen.type, test, chosen, otherwise };
}

export function bind(value: Expression, body: (bound: Expression) => Expression): Expression {
  if (value.kind === "leaf" || value.kind === "constant" || value.kind === "bound") return body(value);
  const name = Symbol("bound");
  const inside = body({ kind: "bound", type: value.type, name });
  return { kind: "bind", type: inside.type, name, value, body: inside };
}

// The small language in which instructions say what they compute: trees over 32- and 64-bit integers whose operations are those of
// WebAssembly, by its names. Three readers: the generator of the interpreter, the generator of regions, and `evaluate`, which the
// cold path and the tests use. One description, so that they cannot come to different meanings.

import { I32, I64, type OP, type ValueType } from "../../wasm/encoder.ts";
import { stateCell, type StateName } from "../state.ts";

/** What a tree stands on; each reader knows where these are. */
export type Leaf =
  | "rs1"
  | "rs2"
  | "imm"
  | "pc"
  /** Atomics: what memory held. */
  | "old"
  /** A cell of the hart's state, by its name. */
  | StateName;

export type UnaryName = Extract<keyof typeof OP, `${"i32" | "i64"}_${"eqz" | "clz" | "ctz" | "popcnt" | `extend${string}` | "wrap_i64"}`>;
export type BinaryName = Exclude<Extract<keyof typeof OP, `${"i32" | "i64"}_${string}`>, UnaryName | `${string}${"load" | "store" | "const"}${string}`>;

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

const COMPARISON = /_(eqz|eq|ne|lt_s|lt_u|gt_s|gt_u|le_s|le_u|ge_s|ge_u)$/;

function resultType(name: UnaryName | BinaryName): ValueType {
  return name.startsWith("i32") || COMPARISON.test(name) ? I32 : I64;
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

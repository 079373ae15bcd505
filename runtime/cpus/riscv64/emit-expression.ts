// Writes an expression as WebAssembly. Where leaves are is the caller's business: the interpreter finds them by the fields of a decoded
// instruction, a region has them in locals. Names become locals, which the caller lends.

import { F32, F64, I32, OP, type ByteWriter, type ValueType } from "../wasm/encoder.ts";
import type { Expression, Leaf } from "./semantics/expressions.ts";
import type { Shared } from "./semantics/guarded.ts";

export interface Emitter {
  readonly w: ByteWriter;
  /** Of the type that the description wants: the low half of a register, where that has 64 bits. */
  readonly leaf: (leaf: Leaf, type: ValueType) => void;
  /** A local that nothing else uses as long as this instruction is written. */
  readonly borrow: (type: ValueType) => number;
}

/** Computes the values into locals; their names are for `emitExpression`. */
export function emitShared(e: Emitter, shared: readonly Shared[]): ReadonlyMap<symbol, number> {
  const bound = new Map<symbol, number>();
  for (const { name, value } of shared) {
    emitExpression(e, value, bound);
    const local = e.borrow(value.type);
    e.w.localSet(local);
    bound.set(name, local);
  }
  return bound;
}

export function emitExpression(e: Emitter, expression: Expression, bound: ReadonlyMap<symbol, number> = new Map()): void {
  const { w } = e;
  switch (expression.kind) {
    case "leaf":
      e.leaf(expression.leaf, expression.type);
      return;
    case "constant":
      // Numbers are written as the bits of integers, which is what they are in registers.
      if (expression.type === F32 || expression.type === F64) throw new Error("a constant of a floating-point type");
      if (expression.type === I32) w.i32Const(Number(BigInt.asIntN(32, expression.value)));
      else w.i64Const(expression.value);
      return;
    case "unary":
      emitExpression(e, expression.a, bound);
      w.byte(OP[expression.name]);
      return;
    case "binary":
      emitExpression(e, expression.a, bound);
      emitExpression(e, expression.b, bound);
      w.byte(OP[expression.name]);
      return;
    case "choose":
      emitExpression(e, expression.test, bound);
      w.byte(OP.if);
      w.byte(expression.type);
      emitExpression(e, expression.chosen, bound);
      w.byte(OP.else);
      emitExpression(e, expression.otherwise, bound);
      w.byte(OP.end);
      return;
    case "bind": {
      const local = e.borrow(expression.value.type);
      emitExpression(e, expression.value, bound);
      w.localSet(local);
      emitExpression(e, expression.body, new Map(bound).set(expression.name, local));
      return;
    }
    case "bound": {
      const local = bound.get(expression.name);
      if (local === undefined) throw new Error("a value is used outside of its binding");
      w.localGet(local);
      return;
    }
  }
}

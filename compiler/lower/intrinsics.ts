// Calls of intrinsics, whose arguments lie in registers already: the instruction that each stands for, by the table in compiler/check/intrinsics.ts.
// The heap's two are calls of the library, which wants to know who asked for memory (heap.ts).

import { findIntrinsic } from "../check/intrinsics.ts";
import type { HExpr } from "../hir.ts";
import { BUILTIN_TYPES, registersOf, scalarOf } from "../types.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { lowerAlloc, lowerRelease } from "./heap.ts";

export function emitIntrinsic(b: FunctionBuilder, expr: HExpr & { kind: "intrinsic" }, src: readonly number[]): Value {
  if (expr.name === "heap.acquire") return lowerAlloc(b, expr.span, src);
  // Of a slice, where it lies.
  if (expr.name === "heap.release") return lowerRelease(b, expr.span, src[0] ?? 0);
  const mulh = /^bits\.(mulh_[su])$/.exec(expr.name);
  const row = findIntrinsic(mulh === null ? expr.name : "bits.mulh");
  if (row === undefined) throw new Error(`no intrinsic ${expr.name}`);
  const op = mulh?.[1] ?? row.op;
  const generic = expr.args
    .map((arg) => arg.type)
    .map((type) => (type.kind === "pointer" ? type.target : type))
    .find((type) => type.kind === "int");
  const at = row.at === undefined ? (row.params.some((param) => param.includes("T")) ? generic : undefined) : BUILTIN_TYPES.get(row.at);
  const dst = registersOf(expr.type).map((type) => b.temp(type));
  const imm = row.imm ?? (op === "load_volatile" || op === "store_volatile" ? [0] : []);
  b.emit(op, { ...(at === undefined ? {} : { type: scalarOf(at) }), dst, src, imm });
  return dst;
}

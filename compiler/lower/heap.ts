// `alloc` and `release`: calls of the library's heap that carry the number of their site, so that memory which is misused is told with
// the place where it was asked for, and a refused release with its own.

import type { HExpr } from "../hir.ts";
import { lowerExpr, lowerScalar } from "./expressions.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { siteAt } from "./sites.ts";

type Intrinsic = HExpr & { kind: "intrinsic" };

/** Its place is told at the test's end, if the memory was misused. */
export function lowerAlloc(b: FunctionBuilder, expr: Intrinsic): Value {
  const [size, align, count] = expr.args.map((arg) => lowerScalar(b, arg));
  b.span = expr.span;
  const site = b.constant("i32", BigInt(b.module.addSite(siteAt(b, "alloc", expr.span))));
  const bytes = count === undefined ? (size ?? 0) : b.binary("mul", "addr", count, size ?? 0);
  const [address] = b.callRuntime("heap.acquire", [bytes, align ?? 0, site], ["addr"]);
  return count === undefined ? [address ?? 0] : [address ?? 0, count];
}

export function lowerRelease(b: FunctionBuilder, expr: Intrinsic): Value {
  const [memory] = expr.args;
  if (memory === undefined) throw new Error("`release` without its argument");
  const [address] = lowerExpr(b, memory);
  b.span = expr.span;
  const [refusal] = b.callRuntime("heap.release", [address ?? 0], ["i32"]);
  b.open("if", b.binary("ne", "i32", refusal ?? 0, b.constant("i32", 0n)));
  b.callRuntime("report.failed", [b.constant("i32", BigInt(b.module.addSite(siteAt(b, "release", expr.span))))]);
  b.callRuntime("report.begin_message", []);
  b.callRuntime("heap.put_refusal", [refusal ?? 0]);
  b.callRuntime("report.end_message", []);
  b.callRuntime("report.end_failed", []);
  b.close();
  return [];
}

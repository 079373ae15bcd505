// `alloc` and `release`: calls of the library's heap that carry the number of their site, so that memory which is misused is told with
// the place where it was asked for, and a refused release with its own.

import type { Span } from "../../grammar/source.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { siteAt } from "./sites.ts";

/** Its place is told at the test's end, if the memory was misused. */
export function lowerAlloc(b: FunctionBuilder, span: Span, [size = 0, align = 0, count]: readonly number[]): Value {
  const site = b.constant("i32", BigInt(b.module.addSite(siteAt(b, "alloc", span))));
  const bytes = count === undefined ? size : b.binary("mul", "addr", count, size);
  const [address] = b.callRuntime("heap.acquire", [bytes, align, site], ["addr"]);
  return count === undefined ? [address ?? 0] : [address ?? 0, count];
}

export function lowerRelease(b: FunctionBuilder, span: Span, address: number): Value {
  const [refusal] = b.callRuntime("heap.release", [address], ["i32"]);
  b.open("if", b.binary("ne", "i32", refusal ?? 0, b.constant("i32", 0n)));
  b.callRuntime("report.failed", [b.constant("i32", BigInt(b.module.addSite(siteAt(b, "release", span))))]);
  b.callRuntime("report.begin_message", []);
  b.callRuntime("heap.put_refusal", [refusal ?? 0]);
  b.callRuntime("report.end_message", []);
  b.callRuntime("report.end_failed", []);
  b.close();
  return [];
}

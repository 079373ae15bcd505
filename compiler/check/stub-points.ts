// The two variables of a function that some test stubs: the slot through which its calls go, and the log of the calls that stubs got.
// Whoever needs one makes it; stubs.ts says what a stub is.

import type { Span } from "../../grammar/source.ts";
import type { Global, HExpr, StubPoint } from "../hir.ts";
import { layOutFields, USIZE, type StructType, type Type } from "../types.ts";
import { libraryModule, type Context } from "./context.ts";
import { resolveSignature } from "./on-demand.ts";
import { completeType } from "./resolve-types.ts";
import type { FnEntry } from "./scope.ts";

function structOf(
  context: Context,
  name: string,
  declared: Span,
  fields: readonly { readonly name: string; readonly type: Type; readonly span: Span }[],
): StructType {
  const placed = layOutFields(
    fields.map(({ name: field, type, span }) => ({ name: field, type, declared: span })),
    context.target.layout,
  );
  return { kind: "struct", name, declared, ...placed };
}

function variable(name: string, type: Type, span: Span): Global {
  return { name, type, span, initial: null, shared: true, perTest: false };
}

/** Where the calls of a function go while it is stubbed. Its variables belong to the spec, so every test finds them as they were. */
export function pointOf(context: Context, entry: FnEntry, span: Span): StubPoint {
  const { function: fn } = entry;
  if (fn.stub !== undefined) return fn.stub;
  const words = ["function", "environment", "saved", "saved_function", "saved_environment"].map((name) => ({ name, type: USIZE, span }));
  const { name } = fn;
  const record = structOf(context, `call of ${name}`, fn.span, [
    { name: "sequence", type: USIZE, span: fn.span },
    ...fn.type.params.map((type, i) => ({ name: entry.item.params[i]?.name.text ?? "", type, span: entry.item.params[i]?.name.span ?? fn.span })),
  ]);
  const log = structOf(context, `calls of ${name}`, fn.span, [
    { name: "calls", type: { kind: "slice", element: record }, span: fn.span },
    { name: "capacity", type: USIZE, span: fn.span },
  ]);
  fn.stub = {
    function: fn,
    slot: variable(`${name}: stub`, structOf(context, `stub of ${name}`, fn.span, words), span),
    record,
    log: variable(`${name}: calls`, log, span),
  };
  return fn.stub;
}

/** `f.calls`: the calls that stubs of a function got in this test. */
export function checkCalls(context: Context, entry: FnEntry, span: Span): HExpr {
  resolveSignature(context, entry);
  const point = pointOf(context, entry, span);
  // Lowering calls it; a module that nothing else names is loaded here.
  libraryModule(context, "call_log");
  context.reach?.functions.add(entry);
  context.reach?.logs.set(entry.function, context.reach.logs.get(entry.function) ?? span);
  const object: HExpr = { kind: "global", global: point.log, type: point.log.type, span };
  const field = point.log.type.kind === "struct" ? point.log.type.fields[0] : undefined;
  if (field === undefined) throw new Error("a log without calls");
  completeType(context, point.record);
  return { kind: "field", object, field, type: field.type, span };
}

// The two variables of a function that some test stubs: the slot through which its calls go, and the log of the calls that stubs got.
// Whoever needs one makes it; stubs.ts says what a stub is.

import type { Span } from "../../grammar/source.ts";
import type { Global, HExpr, StubPoint } from "../hir.ts";
import { makeStruct, USIZE, type Type } from "../types.ts";
import { libraryModule, type Context } from "./context.ts";
import { resolveSignature } from "./on-demand.ts";
import { completeType } from "./resolve-types.ts";
import type { FnEntry } from "./scope.ts";

function variable(name: string, type: Type, span: Span): Global {
  return { name, type, span, initial: null, shared: true, perTest: false };
}

/** Where the calls of a function go while it is stubbed. Its variables belong to the spec, so every test finds them as they were. */
export function pointOf(context: Context, entry: FnEntry, span: Span): StubPoint {
  const { function: fn } = entry;
  if (fn.stub !== undefined) return fn.stub;
  const { name } = fn;
  const { layout } = context.target;
  const words = ["function", "environment", "saved", "saved_function", "saved_environment"].map((word) => ({ name: word, type: USIZE, declared: span }));
  const args = fn.type.params.map((type, i) => {
    const param = entry.item.params[i]?.name;
    return { name: param?.text ?? "", type, declared: param?.span ?? fn.span };
  });
  const record = makeStruct(`call of ${name}`, fn.span, [{ name: "sequence", type: USIZE, declared: fn.span }, ...args], layout);
  const calls: Type = { kind: "slice", element: record };
  const log = makeStruct(
    `calls of ${name}`,
    fn.span,
    [
      { name: "calls", type: calls, declared: fn.span },
      { name: "capacity", type: USIZE, declared: fn.span },
    ],
    layout,
  );
  fn.stub = {
    function: fn,
    slot: variable(`${name}: stub`, makeStruct(`stub of ${name}`, fn.span, words, layout), span),
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

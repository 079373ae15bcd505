// Fakes: structs that implement interfaces for tests. Each call of a method is logged in the fake itself, in its last field `calls`:
// a log for each method, with the arguments, and one of all calls in their order. A method that the fake leaves out is made here: it
// says that nothing answers for it, until a test scripts an answer or expects a call (expected-calls.ts).

import type { FnItem } from "../../grammar/ast.ts";
import { textOf } from "../../grammar/source.ts";
import { createBody, createLocal, type FunctionBody, type HExpr, type HStmt } from "../hir.ts";
import { CALLS_FIELD, type InterfaceMethod, type StructType, type Type } from "../types.ts";
import { fail, libraryModule, moduleContext, type Context } from "./context.ts";
import { ALL, methodsFor } from "./fake-logs.ts";
import { createReach } from "./reach.ts";
import { completeType } from "./resolve-types.ts";
import type { FnEntry, Module } from "./scope.ts";
import { methodOf, parentsOf } from "./structs.ts";

/** What a fake leaves out of its interfaces. All signatures are resolved. */
export function completeFakes(context: Context, module: Module): void {
  for (const { type, isFake } of module.structs) {
    if (!isFake) continue;
    const own = module.methods.get(type);
    for (const wanted of methodsFor(type)) {
      if (wanted.name === ALL) {
        fail(context, type.declared, "E0560", `a fake cannot log the calls of method \`${ALL}\` by its name`, {
          label: `\`calls.${ALL}\` is the log of all calls`,
          related: [{ span: wanted.declared, text: "the method" }],
        });
      }
      if (methodOf(type, wanted.name) === undefined) own?.set(wanted.name, unanswered(moduleContext(context, module), module, type, wanted));
    }
  }
}

/** A method without an answer: where one is asked for, the test fails and goes on with zero. */
function unanswered(context: Context, module: Module, type: StructType, wanted: InterfaceMethod): FnEntry {
  const span = type.declared;
  const self: Type = { kind: "pointer", target: type };
  const body: FunctionBody = createBody(`${type.name}.${wanted.name}`, span, null, wanted.result);
  body.isUnanswered = true;
  body.params = [self, ...wanted.params].map((param, i) => createLocal(body, i === 0 ? "self" : `${i}`, param, span));
  const answer: HExpr = { kind: "const", value: { kind: "zero" }, type: wanted.result, span };
  const text = `\`${type.name}.${wanted.name}\` was called, and nothing answers for it`;
  const isAsked = wanted.result.kind !== "void";
  const statements: HStmt[] = isAsked
    ? [
        { kind: "word", word: "fail", message: { parts: [{ kind: "text", text }], span }, span },
        { kind: "return", value: answer, span },
      ]
    : [];
  body.block = { statements, hasCleanups: false };
  const params: FnItem["params"] = [span, ...wanted.places].map((place, i) => ({
    name: { text: i === 0 ? "self" : textOf(place), span: place },
    type: { kind: "named-type", module: null, name: { text: type.name, span }, span },
  }));
  const item: FnItem = {
    kind: "fn",
    name: { text: wanted.name, span: wanted.declared },
    params,
    result: null,
    body: { kind: "block", statements: [], span },
    on: [],
    span,
  };
  const entry: FnEntry = {
    kind: "fn",
    item,
    module,
    function: { name: body.name, span: wanted.declared, type: { params: [self, ...wanted.params], result: wanted.result }, body },
    owner: type,
    state: "done",
    reach: createReach(),
  };
  logCalls(context, type, entry);
  return entry;
}

/** A fake's method that an interface has begins with a line in its log. */
export function logCalls(context: Context, owner: StructType, entry: FnEntry): void {
  const { body } = entry.function;
  if (body === null || parentsOf(owner)?.isFake !== true) return;
  completeType(context, owner);
  const { calls } = owner;
  const name = entry.item.name.text;
  const place = owner.fields.find((field) => field.name === CALLS_FIELD && field.type === calls);
  const [own, all] = [name, ALL].map((log) => calls?.fields.find((field) => field.name === log));
  if (place === undefined || own?.type.kind !== "slice" || all?.type.kind !== "slice") return;
  if (own.type.element.kind !== "struct" || all.type.element.kind !== "struct") return;
  // Lowering calls it.
  libraryModule(context, "call_log");
  body.log = {
    method: name,
    offset: place.offset + own.offset,
    record: own.type.element,
    allOffset: place.offset + all.offset,
    allRecord: all.type.element,
  };
}

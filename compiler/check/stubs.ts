// Stubs: a function of the program gives way to another until the test's body ends, from anywhere, without a word at the function. A
// function that some test of the suite stubs gets a slot, through which all its calls go in that suite's image (lower/stubs.ts); in
// others it is what it was. What a suite stubs, and whose calls it asks for, is part of what its tests reach.

import type { Expr, StubStmt } from "../../grammar/ast.ts";
import { textOf } from "../../grammar/source.ts";
import { createBody, createLocal, type FunctionBody, type HFunction, type HStmt } from "../hir.ts";
import { ERROR, sameType, showType, VOID, type Type } from "../types.ts";
import { checkBody } from "./blocks.ts";
import { BUILTIN_FUNCTIONS } from "./calls.ts";
import { fail, suggest, type Context } from "./context.ts";
import { functionNamed, isIntrinsicNamespace, moduleNamed, typeNamed } from "./named.ts";
import { resolveSignature } from "./on-demand.ts";
import { resolveSized } from "./resolve-types.ts";
import { innerScope, lookUp, type FnEntry } from "./scope.ts";
import { methodOf, namesIn } from "./structs.ts";
import { pointOf } from "./stub-points.ts";
import { checkOperand } from "./values.ts";

/** Modules that run and report tests: a stub of theirs would keep the report from coming out. */
const REPORTING: ReadonlySet<string> = new Set(["agent", "call_log", "console", "format", "native", "platform", "report", "runtime", "trap"]);

/** What a stub may replace; reports what it may not. */
export function stubbedFunction(context: Context, target: Expr): FnEntry | null {
  const entry = functionNamed(context, target);
  if (entry === null) {
    failNoFunction(context, target);
    return null;
  }
  resolveSignature(context, entry);
  context.reach?.functions.add(entry);
  const { libName } = entry.module;
  if (libName === null || !REPORTING.has(libName)) return entry;
  fail(context, target.span, "E0552", `\`${entry.function.name}\` runs and reports tests and cannot be stubbed`, {
    label: "the report would not come out",
    help: "stub the function that calls it",
  });
  return null;
}

/** Says what the target is, as it is no function or method by name. */
function failNoFunction(context: Context, target: Expr): void {
  const tell = (label: string, help = "a stub replaces `NAME`, `module.NAME` or the method `Struct.NAME`"): void => {
    fail(context, target.span, "E0550", `\`${textOf(target.span)}\` is no function of the program`, { label, help });
  };
  if (target.kind === "name") {
    if (lookUp(context.scope, target.name) === undefined && BUILTIN_FUNCTIONS.includes(target.name)) return tell("built in");
  } else if (target.kind === "member") {
    const { object, name } = target;
    if (isIntrinsicNamespace(context, object)) return tell("an instruction", "stub the function that uses it");
    const type = typeNamed(context, object);
    if (type !== null) return tell("there is no such method", type.kind === "struct" ? suggest(name.text, namesIn(type, "methods")) : undefined);
    const symbol = object.kind === "name" ? lookUp(context.scope, object.name) : undefined;
    if (symbol?.kind === "type" && symbol.type.kind === "interface") {
      return tell("a method of an interface, which has no code", "stub the method of a struct that implements it");
    }
    if (moduleNamed(context, object) === null) {
      const owner = checkOperand(context, object).type;
      const struct = owner.kind === "pointer" ? owner.target : owner;
      const method = struct.kind === "struct" ? methodOf(struct, name.text) : undefined;
      if (method !== undefined)
        return tell("a method of one value", `a stub stands for all values: \`stub fn ${method.owner?.name ?? ""}.${name.text}(self, ..)\``);
    }
  }
  if (checkOperand(context, target).kind !== "error") tell("a value, which may be any function", "give another function as the value");
}

export function checkStub(context: Context, parent: FunctionBody, statement: StubStmt): readonly HStmt[] {
  const { span } = statement;
  const entry = stubbedFunction(context, statement.target);
  const params = statement.params.map((param) => resolveSized(context, param.type));
  const result = statement.result === null ? VOID : resolveSized(context, statement.result);
  const name = textOf(statement.target.span);
  if (entry !== null) checkSignature(context, entry, statement, { params, result });
  const body = createBody(`${parent.name}.stub ${name}`, statement.target.span, parent, result);
  body.isStub = true;
  body.params = statement.params.map((param, i) => createLocal(body, param.name.text, params[i] ?? ERROR, param.name.span));
  const scope = innerScope(context.scope);
  if (entry !== null) {
    const { function: fn } = entry;
    const real: HFunction = { name: fn.name, span: fn.span, type: fn.type, body: null, realOf: fn };
    scope.names.set("real", { ...entry, function: real });
  }
  checkBody({ ...context, scope, inferred: { cpus: 0, checks: false } }, body, statement.body);
  const captured = body.captures;
  if (captured !== undefined && parent.isTest !== true) {
    fail(context, span, "E0553", `a stub outlives \`${parent.name}\`, whose variable \`${captured.name}\` it uses`, {
      label: "stands until the test's body ends",
      related: [{ span: captured.span, text: "gone before that" }],
      help: "keep it in a variable of the file or of the fixture",
    });
  }
  if (entry === null) return [];
  const point = pointOf(context, entry, span);
  context.reach?.stubs.add(entry.function);
  return [{ kind: "stub", point, body, span }];
}

function checkSignature(context: Context, entry: FnEntry, statement: StubStmt, own: { readonly params: readonly Type[]; readonly result: Type }): void {
  if ([...own.params, own.result].some(({ kind }) => kind === "error")) return;
  const wanted: Type = { kind: "fn", ...entry.function.type };
  const given: Type = { kind: "fn", ...own };
  if (sameType(wanted, given)) return;
  fail(context, statement.target.span, "E0551", `a stub has the parameters and result of \`${entry.item.name.text}\``, {
    label: `this is \`${showType(given)}\``,
    related: [{ span: entry.item.name.span, text: `wanted is \`${showType(wanted)}\`` }],
  });
}

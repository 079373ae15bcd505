// Names as values: what a local, a constant, a variable, a function or a table is worth where it is named, and what to say of a name that
// is none of them. A local that is named in a closure moves into memory here.

import type { FnItem } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { SYSTEM_REGISTER_PATHS } from "../../isa/machine-language.ts";
import type { FunctionBody, HExpr, Local } from "../hir.ts";
import { BUILTIN_TYPES } from "../types.ts";
import { BUILTIN_FUNCTIONS } from "./calls.ts";
import { errorExpr, fail, listNames, suggest, type Context } from "./context.ts";
import { failModuleElsewhere } from "./elsewhere.ts";
import { suggestName } from "./foreign-names.ts";
import { constantOf, globalOf, resolveSignature } from "./on-demand.ts";
import { failAbsent, useReach } from "./reach.ts";
import { isLost, lookUp, visibleNames, type Symbol } from "./scope.ts";
import { tableOf } from "./tables.ts";

export function checkName(context: Context, name: string, span: Span): HExpr {
  const symbol = lookUp(context.scope, name);
  if (symbol === undefined) {
    if (BUILTIN_TYPES.has(name))
      fail(context, span, "E0401", `\`${name}\` is a type, not a value`, {
        help: `it has \`${name}.max\` and the like; a value is converted with \`as ${name}\``,
      });
    else if (!isLost(context.scope, name)) failUnknown(context, name, span);
    return errorExpr(span);
  }
  return symbolValue(context, symbol, name, span);
}

/** Statements whose name alone is none. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["fail", 'it takes a message: `fail "why"`'],
  ["info", 'it takes a message: `info "what"`'],
  ["warn", 'it takes a message: `warn "what"`'],
  ["skip", 'it takes a reason: `skip "why"`'],
  ["defer", "it takes a block: `defer { .. }`"],
]);

function failUnknown(context: Context, name: string, span: Span): void {
  const word = WORDS.get(name);
  if (word !== undefined) return fail(context, span, "E0401", `\`${name}\` is not a value`, { label: "a statement", help: word });
  if (context.modules.lib(name) !== null)
    return fail(context, span, "E0401", `\`${name}\` is a module, not a value`, {
      help: suggestName(name) ?? `what is in it stands behind its name: \`${name}.\``,
    });
  if (failModuleElsewhere(context, name, span)) return;
  const elsewhere = context.scope.module.file.items.find((item): item is FnItem => item.kind === "fn" && item.name.text === name);
  if (elsewhere !== undefined && elsewhere.on.length > 0) {
    const targets = listNames(elsewhere.on.map((target) => target.text));
    failAbsent(context, span, "E0602", `\`${name}\` does not exist on target \`${context.target.name}\``, {
      label: `only on ${targets}`,
      related: [{ span: elsewhere.name.span, text: "declared here" }],
      help: `call it in \`when target ${elsewhere.on[0]?.text ?? ""} { .. }\`, or declare it for \`${context.target.name}\` too`,
    });
    return;
  }
  const registers = SYSTEM_REGISTER_PATHS.get(name);
  if (registers !== undefined)
    return fail(context, span, "E0401", `there is no \`${name}\` here`, {
      label: "unknown name",
      help: `registers of the CPU are \`${name}.${registers}.NAME\``,
    });
  const near = suggestName(name) ?? suggest(name, [...visibleNames(context.scope), ...context.modules.libNames(), ...BUILTIN_FUNCTIONS]);
  fail(context, span, "E0401", `there is no \`${name}\` here`, { label: "unknown name", help: near });
}

/** The value of a symbol, wherever it was found. */
export function symbolValue(context: Context, symbol: Symbol, name: string, span: Span): HExpr {
  switch (symbol.kind) {
    case "local":
      return localValue(context, symbol.local, span);
    case "const": {
      const { value, type } = constantOf(context, symbol, span);
      useReach(context, symbol.reach, span);
      return value === null ? errorExpr(span) : { kind: "const", value, type, span };
    }
    case "global": {
      const global = globalOf(context, symbol, span);
      useReach(context, symbol.reach, span);
      return global === null ? errorExpr(span) : { kind: "global", global, type: global.type, span };
    }
    case "fn":
      resolveSignature(context, symbol);
      context.reach?.functions.add(symbol);
      return { kind: "function", function: symbol.function, type: { kind: "fn", ...symbol.function.type }, span };
    case "table": {
      const table = tableOf(context, symbol, span);
      useReach(context, symbol.reach, span);
      if (table === null) return errorExpr(span);
      return { kind: "const", value: { kind: "list", items: table.rows.map((row) => row.value) }, type: { kind: "slice", element: table.row }, span };
    }
    case "type":
    case "namespace":
      fail(context, span, "E0401", `\`${name}\` is a ${symbol.kind === "type" ? "type" : "module"}, not a value`);
      return errorExpr(span);
  }
}

function localValue(context: Context, local: Local, span: Span): HExpr {
  local.used = true;
  if (context.body !== null && local.owner !== context.body) capture(context.body, local);
  return { kind: "local", local, type: local.type, span };
}

/** The local is reached from a closure: it lives in its owner's frame, and the bodies in between keep their way out to it. */
function capture(from: FunctionBody, local: Local): void {
  local.inMemory = true;
  from.captures ??= local;
  for (let body: FunctionBody | null = from.parent; body !== null && body !== local.owner; body = body.parent) {
    body.keepsEnvironment = true;
    body.captures ??= local;
  }
}

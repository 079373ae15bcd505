// Type expressions to types, and the layout of structs. Structs are completed on demand, so that order in the file does not
// matter and a struct that contains itself is found as a cycle.

import type { NamedType, TypeExpr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { BASE_FIELD, BUILTIN_TYPES, CALLS_FIELD, ERROR, layOutFields, showType, sizeOf, VOID, type StructType, type Type } from "../types.ts";
import { fail, failTwice, libraryModule, nested, suggest, type Context } from "./context.ts";
import { failModuleElsewhere, failNameElsewhere } from "./elsewhere.ts";
import { callsOf, methodsFor } from "./fake-logs.ts";
import { suggestType } from "./foreign-names.ts";
import { isLost, lookUp, lookUpInModule, moduleScope, visibleTypes, type Symbol } from "./scope.ts";
import { owners } from "./structs.ts";
import { checkLength } from "./values.ts";

/** The symbol that a type names; undefined when there is none, which is reported unless it is lost. */
function namedSymbol(context: Context, type: NamedType): Symbol | undefined {
  const name = type.name.text;
  let symbol: Symbol | undefined;
  let candidates: () => Iterable<string>;
  if (type.module !== null) {
    const space = lookUp(context.scope, type.module.text);
    const module = space?.kind === "namespace" ? space.module : libraryModule(context, type.module.text);
    if (module === null && failModuleElsewhere(context, type.module.text, type.module.span)) return undefined;
    if (module === null) {
      fail(context, type.module.span, "E0406", `there is no module \`${type.module.text}\` in the library`, {
        help: suggest(type.module.text, context.modules.libNames()),
      });
      return undefined;
    }
    symbol = lookUpInModule(module, name);
    candidates = () => module.names.keys();
  } else {
    symbol = lookUp(context.scope, name);
    candidates = () => visibleTypes(context.scope);
  }
  if (symbol?.kind === "type") return symbol;
  if (symbol !== undefined) {
    fail(context, type.name.span, "E0405", `expected a type, found \`${name}\``, { label: describeSymbol(symbol), help: suggest(name, candidates()) });
  } else if (type.module !== null && failNameElsewhere(context, type.module.text, name, type.name.span)) {
    return undefined;
  } else if (!isLost(context.scope, name)) {
    const where = type.module === null ? "" : ` in module \`${type.module.text}\``;
    fail(context, type.name.span, "E0405", `there is no type \`${name}\`${where}`, { help: suggestType(name) ?? suggest(name, candidates()) });
  }
  return undefined;
}

/** What a name stands for as a type. An interface is given as it is: only `*Iface` has values. */
export function resolveNamed(context: Context, type: NamedType): Type {
  const builtin = type.module === null ? BUILTIN_TYPES.get(type.name.text) : undefined;
  if (builtin !== undefined) return builtin;
  const symbol = namedSymbol(context, type);
  return symbol?.kind === "type" ? symbol.type : ERROR;
}

export function resolveType(context: Context, type: TypeExpr): Type {
  // The commonest types need no depth.
  return type.kind === "named-type" ? resolveKind(context, type) : nested(context, type.span, ERROR, () => resolveKind(context, type));
}

function resolveKind(context: Context, type: TypeExpr): Type {
  switch (type.kind) {
    case "named-type": {
      const named = resolveNamed(context, type);
      if (named.kind !== "interface") return named;
      fail(context, type.span, "E0542", `\`${named.name}\` is an interface and has no values of its own`, {
        related: [{ span: named.declared, text: "declared here" }],
        help: `point to what implements it: \`*${named.name}\``,
      });
      return ERROR;
    }
    case "array-type": {
      const element = resolveSized(context, type.element);
      const length = checkLength(context, type.length);
      if (element.kind === "error" || length === null) return ERROR;
      const bytes = sizeOf(element, context.target.layout).size * length;
      if (bytes > MAX_BYTES) {
        fail(context, type.span, "E0502", `\`${showType({ kind: "array", length, element })}\` takes ${bytes} bytes`, { label: "a value has at most 256 MiB" });
        return ERROR;
      }
      return { kind: "array", length, element };
    }
    case "slice-type": {
      const element = resolveType(context, type.element);
      return element.kind === "error" ? ERROR : { kind: "slice", element };
    }
    case "pointer-type": {
      const target = type.target.kind === "named-type" ? resolveNamed(context, type.target) : resolveType(context, type.target);
      if (target.kind === "interface" && type.target.kind === "named-type") return target;
      return target.kind === "error" ? ERROR : { kind: "pointer", target };
    }
    case "fn-type":
      return {
        kind: "fn",
        params: type.params.map((param) => resolveType(context, param)),
        result: type.result === null ? VOID : resolveType(context, type.result),
      };
  }
}

/** Far above what a machine has, and low enough that sizes and offsets are exact numbers. */
const MAX_BYTES = 0x1000_0000;

function describeSymbol(symbol: Symbol): string {
  switch (symbol.kind) {
    case "local":
    case "global":
      return "this is a variable";
    case "const":
      return "this is a constant";
    case "fn":
      return "this is a function";
    case "table":
      return "this is a table";
    case "namespace":
      return "this is a module";
    case "type":
      return "this is a type";
  }
}

/** A type whose size is needed now: completes the struct it names. */
export function resolveSized(context: Context, expr: TypeExpr): Type {
  const type = resolveType(context, expr);
  completeType(context, type, expr.span);
  return type;
}

/** Structs found to contain themselves: told once each. */
const endless = new WeakSet<StructType>();

/** `wantedAt` is where the size is needed, for the report of a struct that contains itself. */
export function completeType(context: Context, type: Type, wantedAt: Span | null = null): void {
  if (type.kind === "array") completeType(context, type.element, wantedAt);
  if (type.kind === "struct" && owners.get(type)?.entry.state !== "done")
    nested(context, type.declared, undefined, () => completeStruct(context, type, wantedAt));
}

function completeStruct(context: Context, type: StructType, wantedAt: Span | null): void {
  const owner = owners.get(type);
  if (owner === undefined || owner.entry.state === "done") return;
  if (owner.entry.state === "working") {
    if (endless.has(type)) return;
    endless.add(type);
    fail(context, type.declared, "E0517", `struct \`${type.name}\` contains itself`, {
      label: "has no finite size",
      related: wantedAt === null ? [] : [{ span: wantedAt, text: "contained here" }],
      help: `hold it by pointer: \`*${type.name}\``,
    });
    return;
  }
  owner.entry.state = "working";
  const inner: Context = { ...context, scope: moduleScope(owner.module), reach: null };
  const seen = new Map<string, Span>();
  const { base } = type;
  if (base !== undefined) {
    completeType(inner, base, owner.entry.parents[0]?.span);
    seen.set(BASE_FIELD, base.declared);
  }
  const fields = owner.entry.fields.flatMap((field) => {
    const fieldType = resolveSized(inner, field.type);
    const before = seen.get(field.name);
    if (before !== undefined) {
      failTwice(inner, field.span, `field \`${field.name}\``, before, `in \`${type.name}\``);
      return [];
    }
    seen.set(field.name, field.span);
    return [{ name: field.name, type: fieldType, declared: field.span }];
  });
  let calls: StructType | null = null;
  if (owner.entry.isFake) {
    for (const { params } of methodsFor(type)) for (const param of params) completeType(inner, param);
    calls = type.calls = callsOf(type, context.target.layout);
  }
  if (calls !== null) {
    const before = seen.get(CALLS_FIELD);
    if (before !== undefined) failTwice(inner, before, `field \`${CALLS_FIELD}\``, type.declared, `in fake \`${type.name}\``);
  }
  const all = [
    ...(base === undefined ? [] : [{ name: BASE_FIELD, type: base, declared: base.declared }]),
    ...fields,
    ...(calls === null ? [] : [{ name: CALLS_FIELD, type: calls, declared: type.declared }]),
  ];
  const placed = layOutFields(all, context.target.layout);
  type.fields = placed.fields;
  type.size = placed.size;
  type.align = placed.align;
  owner.entry.state = "done";
  if (placed.size <= MAX_BYTES) return;
  fail(inner, type.declared, "E0502", `\`${type.name}\` takes ${placed.size} bytes`, { label: "a value has at most 256 MiB" });
  type.size = 0;
}

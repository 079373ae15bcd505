// Type expressions to types, and the layout of structs. Structs are completed on demand, so that order in the file does not
// matter and a struct that contains itself is found as a cycle.

import type { TypeExpr } from "../../grammar/ast.ts";
import { BUILTIN_TYPES, ERROR, VOID, layOutFields, showType, type StructType, type Type } from "../types.ts";
import { fail, suggest, type Context } from "./context.ts";
import { evaluateLength } from "./expressions.ts";
import { lookUp, lookUpInModule, visibleNames, type Module, type Symbol } from "./scope.ts";

export function resolveType(context: Context, type: TypeExpr): Type {
  switch (type.kind) {
    case "named-type": {
      const name = type.name.text;
      let symbol: Symbol | undefined;
      let candidates: () => Iterable<string>;
      if (type.module !== null) {
        const space = lookUp(context.scope, type.module.text);
        const module = space?.kind === "namespace" ? space.module : context.modules.lib(type.module.text);
        if (module === null) {
          fail(context, type.module.span, "E0406", `there is no module \`${type.module.text}\``, {
            help: suggest(type.module.text, context.modules.libNames()),
          });
          return ERROR;
        }
        symbol = lookUpInModule(module, name);
        candidates = () => module.names.keys();
      } else {
        const builtin = BUILTIN_TYPES.get(name);
        if (builtin !== undefined) return builtin;
        symbol = lookUp(context.scope, name);
        candidates = () => [...BUILTIN_TYPES.keys(), ...visibleNames(context.scope)];
      }
      if (symbol?.kind === "type") return symbol.type;
      if (symbol !== undefined) {
        fail(context, type.name.span, "E0405", `expected a type, found \`${name}\`, which is a ${symbol.kind}`);
      } else {
        fail(context, type.name.span, "E0405", `there is no type \`${name}\``, { help: suggest(name, candidates()) });
      }
      return ERROR;
    }
    case "array-type": {
      const element = resolveSized(context, type.element);
      const length = evaluateLength(context, type.length);
      return element.kind === "error" || length === null ? ERROR : { kind: "array", length, element };
    }
    case "slice-type": {
      const element = resolveType(context, type.element);
      return element.kind === "error" ? ERROR : { kind: "slice", element };
    }
    case "pointer-type": {
      const target = resolveType(context, type.target);
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

/** A type whose size is needed now: completes the struct it names. */
export function resolveSized(context: Context, expr: TypeExpr): Type {
  const type = resolveType(context, expr);
  completeType(context, type);
  return type;
}

const owners = new WeakMap<StructType, { readonly module: Module; readonly entry: Module["structs"][number] }>();

export function registerStruct(module: Module, entry: Module["structs"][number]): void {
  owners.set(entry.type, { module, entry });
}

export function completeType(context: Context, type: Type): void {
  if (type.kind === "array") completeType(context, type.element);
  if (type.kind === "struct") completeStruct(context, type);
}

function completeStruct(context: Context, type: StructType): void {
  const owner = owners.get(type);
  if (owner === undefined || owner.entry.state === "done") return;
  if (owner.entry.state === "working") {
    fail(context, type.declared, "E0517", `struct \`${type.name}\` contains itself`, {
      help: `hold it by pointer: \`*${type.name}\``,
    });
    return;
  }
  owner.entry.state = "working";
  const inner: Context = { ...context, scope: { parent: null, module: owner.module, names: new Map() } };
  const seen = new Set<string>();
  const fields = owner.entry.fields.flatMap((field) => {
    const fieldType = resolveSized(inner, field.type);
    if (seen.has(field.name)) {
      fail(inner, field.span, "E0409", `field \`${field.name}\` is declared twice in \`${type.name}\``);
      return [];
    }
    seen.add(field.name);
    if (fieldType.kind === "void") fail(inner, field.span, "E0525", `field \`${field.name}\` has type ${showType(fieldType)}`);
    return [{ name: field.name, type: fieldType, declared: field.span }];
  });
  const placed = layOutFields(fields, context.target.layout);
  type.fields = placed.fields;
  type.size = placed.size;
  type.align = placed.align;
  owner.entry.state = "done";
}

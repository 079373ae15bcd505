// Functions and variables of the guest library by the names that they have in images: `pci.find`, `heap.Block.split`. Lowering calls some that
// no spec names, and what is kept of the library (library-store.ts) knows all it refers to by them.

import { textOf } from "../../grammar/source.ts";
import { formatNeed } from "../../machines/needs.ts";
import type { ConstValue, FunctionBody, Global } from "../hir.ts";
import type { KeptReach } from "../library-store.ts";
import type { Type } from "../types.ts";
import type { Context } from "./context.ts";
import { constantOf, globalOf } from "./on-demand.ts";
import type { FnEntry, Module, Symbol } from "./scope.ts";

function librarySymbol(context: Context, name: string): Symbol | undefined {
  const [moduleName = "", symbolName = ""] = name.split(".");
  return context.modules.lib(moduleName)?.names.get(symbolName);
}

export function libraryFunction(context: Context, name: string): FnEntry | null {
  const [moduleName = "", symbolName = "", methodName] = name.split(".");
  const module = context.modules.lib(moduleName);
  const symbol = module?.names.get(symbolName);
  if (methodName === undefined) return symbol?.kind === "fn" ? symbol : null;
  return symbol?.kind === "type" && symbol.type.kind === "struct" ? (module?.methods.get(symbol.type)?.get(methodName) ?? null) : null;
}

export function libraryVariable(context: Context, name: string): Global | null {
  const symbol = librarySymbol(context, name);
  return symbol?.kind === "global" ? globalOf(context, symbol) : null;
}

/** Null: the body is not that of a function of the library, but of a closure, say. */
export function nameOfBody(context: Context, body: FunctionBody): string | null {
  return body.parent === null && libraryFunction(context, body.name)?.function.body === body ? body.name : null;
}

/** By its place: the name in images may lack the module's (`boot_info`). */
export function nameOfVariable(context: Context, global: Global): string | null {
  const moduleName = /([^/]*)\.gspec$/.exec(global.span.source.path)?.[1] ?? "";
  const name = `${moduleName}.${textOf(global.span)}`;
  return global.isConstant !== true && libraryVariable(context, name) === global ? name : null;
}

/** By the items of a list that constants of the library have, the constant that is it, or null for one inside of another value. */
export type LibraryLists = ReadonlyMap<readonly ConstValue[], string | null>;

/** Functions that name the same list share its symbol; one that is in no constant stands in one function. */
export function libraryLists(modules: Iterable<Module>): LibraryLists {
  const lists = new Map<readonly ConstValue[], string | null>();
  const add = (value: ConstValue | null, name: string | null): void => {
    if (value?.kind === "struct") for (const field of value.fields) add(field, null);
    if (value?.kind !== "list") return;
    if (name !== null || !lists.has(value.items)) lists.set(value.items, name);
    for (const item of value.items) add(item, null);
  };
  for (const { libName, names } of modules) {
    if (libName === null) continue;
    for (const [name, symbol] of names) {
      if (symbol.kind === "const") add(symbol.value, `${libName}.${name}`);
      if (symbol.kind === "global") add(symbol.global?.initial ?? null, null);
      if (symbol.kind === "table") for (const { value } of symbol.table?.rows ?? []) add(value, null);
    }
  }
  return lists;
}

export function libraryList(context: Context, name: string): { readonly element: Type; readonly value: ConstValue & { readonly kind: "list" } } | null {
  const symbol = librarySymbol(context, name);
  const { type, value } = symbol?.kind === "const" ? constantOf(context, symbol) : { type: null, value: null };
  return value?.kind === "list" && (type?.kind === "array" || type?.kind === "slice") ? { element: type.element, value } : null;
}

// ---- What a function depends on, by name ----

export function consultedBy(context: Context, module: Module): readonly string[] {
  const names = new Set<string>();
  const seen = new Set([module]);
  for (const each of seen) {
    for (const name of each.consulted) {
      names.add(name);
      const found = context.modules.lib(name);
      if (found !== null) seen.add(found);
    }
    for (const symbol of each.names.values()) if (symbol.kind === "namespace") seen.add(symbol.module);
  }
  return [...names];
}

export function consult(context: Context, names: readonly string[]): void {
  for (const name of names) context.modules.lib(name);
}

/** Null: something of it has no name, or depends on the spec. */
export function keepReach({ module, reach }: FnEntry): KeptReach | null {
  if (reach.absent.size + reach.stubs.size + reach.logs.size > 0) return null;
  const needs = [...reach.needs.values()];
  const functions = [...reach.functions];
  if (needs.some(({ span }) => span.source !== module.source) || functions.some((entry) => entry.module.libName === null)) return null;
  return {
    functions: functions.map((entry) => entry.function.name),
    needs: needs.map(({ name, args, span: { start, end } }) => ({ name, args, start, end })),
  };
}

export function recallReach(context: Context, { module, reach }: FnEntry, kept: KeptReach): void {
  for (const name of kept.functions) {
    const entry = libraryFunction(context, name);
    if (entry === null) throw new Error(`what is kept of the library calls ${name}, which it does not have`);
    reach.functions.add(entry);
  }
  for (const { name, args, start, end } of kept.needs) {
    reach.needs.set(formatNeed({ name, args }), { name, args, span: { source: module.source, start, end } });
  }
}

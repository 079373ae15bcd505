// What an expression names when it is no value: a type, a module, a function by name. Nothing is reported; a miss may still be a value.

import type { Expr } from "../../grammar/ast.ts";
import { BUILTIN_TYPES, VOID, type Type } from "../types.ts";
import { libraryModule, type Context } from "./context.ts";
import { INTRINSIC_NAMESPACES } from "./intrinsics.ts";
import { completeType, resolveSized } from "./resolve-types.ts";
import { lookUp, lookUpInModule, type FnEntry, type Module, type Symbol } from "./scope.ts";
import { methodOf } from "./structs.ts";

/** The type that an expression names (`i32`, `Color`, `pci.Device`, `[4]u8`), or null. */
export function typeNamed(context: Context, expr: Expr): Type | null {
  if (expr.kind === "type-value") return resolveSized(context, expr.type);
  const isName = expr.kind === "name";
  const isPath = expr.kind === "member" && expr.object.kind === "name";
  if (!isName && !isPath) return null;
  const type = isName ? (BUILTIN_TYPES.get(expr.name) ?? namedType(lookUp(context.scope, expr.name))) : namedType(memberOfModule(context, expr));
  if (type === null || type.kind === "error" || type === VOID) return null;
  completeType(context, type);
  return type;
}

function namedType(symbol: Symbol | undefined): Type | null {
  return symbol?.kind === "type" && symbol.type.kind !== "interface" ? symbol.type : null;
}

function memberOfModule(context: Context, expr: Expr): Symbol | undefined {
  if (expr.kind !== "member") return undefined;
  const module = moduleNamed(context, expr.object);
  return module === null ? undefined : lookUpInModule(module, expr.name.text);
}

/** The module that an expression names, if it names one and nothing nearer has that name. */
export function moduleNamed(context: Context, expr: Expr): Module | null {
  if (expr.kind !== "name" || BUILTIN_TYPES.has(expr.name)) return null;
  const symbol = lookUp(context.scope, expr.name);
  if (symbol?.kind === "namespace") return symbol.module;
  return symbol === undefined ? libraryModule(context, expr.name) : null;
}

/** `peek`, `atomic`, ...: true when nothing in the program hides it. */
export function isIntrinsicNamespace(context: Context, expr: Expr): expr is Expr & { kind: "name" } {
  return expr.kind === "name" && INTRINSIC_NAMESPACES.has(expr.name) && lookUp(context.scope, expr.name) === undefined;
}

/** The function or method that an expression names, if it names one. */
export function functionNamed(context: Context, expr: Expr): FnEntry | null {
  if (expr.kind === "name") {
    const symbol = lookUp(context.scope, expr.name);
    return symbol?.kind === "fn" ? symbol : null;
  }
  if (expr.kind !== "member") return null;
  const module = moduleNamed(context, expr.object);
  if (module !== null) {
    const symbol = module.names.get(expr.name.text);
    return symbol?.kind === "fn" ? symbol : null;
  }
  const type = typeNamed(context, expr.object);
  return type?.kind === "struct" ? (methodOf(type, expr.name.text) ?? null) : null;
}

// What a struct is by its declarations: its parents, its methods, what it has from the structs that it extends. Nothing here checks or
// completes a type; whoever needs sizes has completed it (resolve-types.ts).

import type { NamedType } from "../../grammar/ast.ts";
import type { InterfaceType, StructType, Type } from "../types.ts";
import type { FnEntry, Module } from "./scope.ts";

export const owners = new WeakMap<StructType, { readonly module: Module; readonly entry: Module["structs"][number] }>();

export function registerStruct(module: Module, entry: Module["structs"][number]): void {
  owners.set(entry.type, { module, entry });
}

/** A struct's own methods, by name; other types have none. */
function methodsOf(type: Type): ReadonlyMap<string, FnEntry> | undefined {
  return type.kind === "struct" ? owners.get(type)?.module.methods.get(type) : undefined;
}

/** What stands after a struct's colon, and the module in which it does. */
export function parentsOf(type: StructType): { readonly module: Module; readonly parents: readonly NamedType[]; readonly isFake: boolean } | undefined {
  const owner = owners.get(type);
  return owner === undefined ? undefined : { module: owner.module, parents: owner.entry.parents, isFake: owner.entry.isFake };
}

export function isBaseOf(base: StructType, type: StructType): boolean {
  for (const each of lineOf(type)) if (each === base) return true;
  return false;
}

/** The struct, what it extends, and so on. */
export function* lineOf(type: StructType): Generator<StructType> {
  for (let at: StructType | undefined = type; at !== undefined; at = at.base) yield at;
}

/** A method that a struct has, its own or its base's. */
export function methodOf(type: StructType, name: string): FnEntry | undefined {
  for (const each of lineOf(type)) {
    const method = methodsOf(each)?.get(name);
    if (method !== undefined) return method;
  }
  return undefined;
}

export function hasField(type: StructType, name: string): boolean {
  for (const each of lineOf(type)) if (each.fields.some((field) => field.name === name)) return true;
  return false;
}

/** The names of fields or methods, those of bases included. */
export function namesIn(type: StructType, part: "fields" | "methods"): readonly string[] {
  return [...lineOf(type)].flatMap((each) => (part === "fields" ? each.fields.map(({ name }) => name) : [...(methodsOf(each)?.keys() ?? [])]));
}

export function implementsInterface(type: StructType, wanted: InterfaceType): boolean {
  for (const each of lineOf(type)) if (each.interfaces?.includes(wanted) === true) return true;
  return false;
}

/** All interfaces of a struct, those of its bases included, each once. */
export function interfacesOf(type: StructType): readonly InterfaceType[] {
  return [...new Set([...lineOf(type)].flatMap((each) => each.interfaces ?? []))];
}

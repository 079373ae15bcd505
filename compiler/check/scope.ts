// Names and what they stand for. Every file has a module scope; a block adds a scope of its own; `use` of a file brings its
// names in behind the file's own. Looking a name up marks nothing and reports nothing: the checker decides what a miss means.

import type { ConstItem, File, FnItem, TableItem, TypeExpr, VarItem } from "../../grammar/ast.ts";
import type { Source, Span } from "../../grammar/source.ts";
import type { Global, HFunction, HTable, Local } from "../hir.ts";
import type { EnumType, RegsType, StructType, Type } from "../types.ts";
import type { ConstValue } from "./constants.ts";

/** A declaration whose value is worked out when first needed, so that order in the file does not matter. */
export interface ConstEntry {
  readonly kind: "const";
  readonly item: ConstItem;
  readonly module: Module;
  state: "waiting" | "working" | "done";
  type: Type;
  value: ConstValue | null;
}

export interface FnEntry {
  readonly kind: "fn";
  readonly item: FnItem;
  readonly module: Module;
  readonly function: HFunction;
  /** The struct whose method it is; `self` is its first parameter. */
  readonly owner: StructType | null;
}

export interface GlobalEntry {
  readonly kind: "global";
  readonly item: VarItem;
  readonly module: Module;
  state: "waiting" | "working" | "done";
  global: Global | null;
}

export interface TableEntry {
  readonly kind: "table";
  readonly item: TableItem;
  readonly module: Module;
  readonly span: Span;
  state: "waiting" | "working" | "done";
  table: HTable | null;
}

export type Symbol =
  | { readonly kind: "local"; readonly local: Local }
  | ConstEntry
  | FnEntry
  | GlobalEntry
  | TableEntry
  | { readonly kind: "type"; readonly type: Type; readonly span: Span }
  | { readonly kind: "namespace"; readonly module: Module; readonly span: Span };

/** One source file with its declarations. */
export interface Module {
  readonly source: Source;
  readonly file: File;
  /** `pci` for lib/pci.gspec, else null. */
  readonly libName: string | null;
  readonly names: Map<string, Symbol>;
  /** Modules whose names are visible unqualified. */
  readonly opened: Module[];
  readonly structs: { readonly type: StructType; readonly fields: readonly { readonly name: string; readonly type: TypeExpr; readonly span: Span }[]; state: "waiting" | "working" | "done" }[];
  readonly enums: EnumType[];
  readonly regs: RegsType[];
  readonly methods: Map<StructType, Map<string, FnEntry>>;
}

export interface Scope {
  readonly parent: Scope | null;
  readonly module: Module;
  readonly names: Map<string, Symbol>;
}

export function createModule(source: Source, file: File, libName: string | null): Module {
  return { source, file, libName, names: new Map(), opened: [], structs: [], enums: [], regs: [], methods: new Map() };
}

export function innerScope(parent: Scope): Scope {
  return { parent, module: parent.module, names: new Map() };
}

export function lookUpInModule(module: Module, name: string): Symbol | undefined {
  const own = module.names.get(name);
  if (own !== undefined) return own;
  for (const opened of module.opened) {
    const found = opened.names.get(name);
    if (found !== undefined && found.kind !== "namespace") return found;
  }
  return undefined;
}

export function lookUp(scope: Scope, name: string): Symbol | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    const found = at.names.get(name);
    if (found !== undefined) return found;
  }
  return lookUpInModule(scope.module, name);
}

/** Every name visible from here, for suggestions. */
export function* visibleNames(scope: Scope): Generator<string> {
  for (let at: Scope | null = scope; at !== null; at = at.parent) yield* at.names.keys();
  yield* scope.module.names.keys();
  for (const opened of scope.module.opened) yield* opened.names.keys();
}

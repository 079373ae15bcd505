// Names and what they stand for. Every file has a module scope; a block adds a scope of its own; `use` of a file brings its
// names in behind the file's own. Looking a name up marks nothing and reports nothing: the checker decides what a miss means.

import type { ConstItem, File, FnItem, NamedType, TableItem, TypeExpr, VarItem } from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { textOf, type Source, type Span } from "../../grammar/source.ts";
import type { CheckedNeed, ConstValue, Global, HFunction, HTable, Local } from "../hir.ts";
import { BUILTIN_TYPES, type EnumType, type RegsType, type StructType, type Type } from "../types.ts";

/** A declaration whose value is worked out when first needed, so that order in the file does not matter. */
export interface ConstEntry {
  readonly kind: "const";
  readonly item: ConstItem;
  readonly module: Module;
  state: "waiting" | "working" | "done";
  type: Type;
  value: ConstValue | null;
  readonly reach: Reach;
}

export interface FnEntry {
  readonly kind: "fn";
  readonly item: FnItem;
  readonly module: Module;
  readonly function: HFunction;
  /** The struct whose method it is; `self` is its first parameter. */
  readonly owner: StructType | null;
  /** Whether the types of its parameters and result have been looked up. */
  state: "waiting" | "done";
  /** Of a function of the library valid once it is found (`findReach`). */
  readonly reach: Reach;
  findReach?: (() => void) | undefined;
}

export interface GlobalEntry {
  readonly kind: "global";
  readonly item: VarItem;
  readonly module: Module;
  state: "waiting" | "working" | "done";
  global: Global | null;
  readonly reach: Reach;
}

export interface TableEntry {
  readonly kind: "table";
  readonly item: TableItem;
  readonly module: Module;
  readonly span: Span;
  state: "waiting" | "working" | "done";
  table: HTable | null;
  readonly reach: Reach;
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
  readonly structs: {
    readonly type: StructType;
    readonly fields: readonly { readonly name: string; readonly type: TypeExpr; readonly span: Span }[];
    readonly isFake: boolean;
    /** What stands after its colon. */
    readonly parents: readonly NamedType[];
    state: "waiting" | "working" | "done";
  }[];
  readonly enums: EnumType[];
  readonly regs: RegsType[];
  readonly methods: Map<StructType, Map<string, FnEntry>>;
  /** Names by which it has asked for modules of the library without a `use`, also in vain. */
  readonly consulted: Set<string>;
}

export interface Scope {
  readonly parent: Scope | null;
  readonly module: Module;
  readonly names: Map<string, Symbol>;
  /** The block's place when some of its statements did not parse, else null. */
  readonly broken: Span | null;
}

export function moduleScope(module: Module): Scope {
  return { parent: null, module, names: new Map(), broken: null };
}

export function createModule(source: Source, file: File, libName: string | null): Module {
  return { source, file, libName, names: new Map(), opened: [], structs: [], enums: [], regs: [], methods: new Map(), consulted: new Set() };
}

export function innerScope(parent: Scope, broken: Span | null = null): Scope {
  return { parent, module: parent.module, names: new Map(), broken };
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

/** Words that a name may follow which is no new one. */
const USING_WORDS = "(?:expect|assert|return|if|while|match|and|or|not|in|at|within|until|unless|wait|call|then|returns|times|stub|irq)\\b";

/**
 * The name belongs to a declaration that did not parse, which has been reported: a file's, or a statement's of a block around
 * here. What is said about its use would only be confusing.
 */
export function isLost(scope: Scope, name: string): boolean {
  const { module } = scope;
  if ([module, ...module.opened].some(({ file }) => file.lost?.includes(name) === true)) return true;
  // Also `x := 1`, `let (a, b) =`, `lett x = 1`, `let mut x`, `int x;` and `fn f()` in a block; but not what is only used there.
  const declared = new RegExp(
    `\\b${name}\\s*:=|\\b(?:let|var)\\s*\\([^()]*\\b${name}\\b|\\b(?:(?:let|var|for|as)\\s+(?:\\w+\\s*,\\s*)?${name}\\b|(?!${USING_WORDS})[a-zA-Z_]\\w*[ \\t]+${name}\\s*[=:;(])`,
  );
  for (let at: Scope | null = scope; at !== null; at = at.parent) if (at.broken !== null && declared.test(textOf(at.broken))) return true;
  return false;
}

function* visibleSymbols(scope: Scope): Generator<readonly [string, Symbol]> {
  for (let at: Scope | null = scope; at !== null; at = at.parent) yield* at.names;
  yield* scope.module.names;
  for (const opened of scope.module.opened) yield* opened.names;
}

/** The types among the names visible from here, the built-in ones first. */
export function* visibleTypes(scope: Scope): Generator<string> {
  yield* BUILTIN_TYPES.keys();
  for (const [name, symbol] of visibleSymbols(scope)) if (symbol.kind === "type") yield name;
}

/** The tables visible from here. */
export function* visibleTables(scope: Scope): Generator<string> {
  for (const [name, symbol] of visibleSymbols(scope)) if (symbol.kind === "table") yield name;
}

/** Every name visible from here, for suggestions. */
export function* visibleNames(scope: Scope): Generator<string> {
  for (const [name] of visibleSymbols(scope)) yield name;
}

export interface Reach {
  /** By their written form: `device(uart1)`. */
  readonly needs: Map<string, CheckedNeed>;
  /** Told where a test that runs here reaches them. */
  readonly absent: Set<Diagnostic>;
  readonly functions: Set<FnEntry>;
  /** Functions that it stubs. */
  readonly stubs: Set<HFunction>;
  /** Functions whose calls it asks for, and where first. */
  readonly logs: Map<HFunction, Span>;
}

export function spanOfSymbol(symbol: Symbol): Span {
  switch (symbol.kind) {
    case "local":
      return symbol.local.span;
    case "const":
    case "fn":
    case "global":
      return symbol.item.name.span;
    case "table":
    case "type":
    case "namespace":
      return symbol.span;
  }
}

export function* functionsOf(module: Module): Generator<FnEntry> {
  for (const symbol of module.names.values()) if (symbol.kind === "fn") yield symbol;
  for (const methods of module.methods.values()) yield* methods.values();
}

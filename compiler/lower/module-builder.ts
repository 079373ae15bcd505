// The module under construction: functions by need, data symbols by content, source locations, and the sites that the manifest
// lists. Lowering starts at the image's entry points; whatever they reach gets an index and a place in the queue, nothing else does.

import { positionAt, type Source, type Span } from "../../grammar/source.ts";
import type { AssemblyBlock, BytecodeFunction, DataLayout, DataSymbol, Module, Relocation, Signature, SourceLocation } from "../../isa/bytecode/module.ts";
import { BYTECODE_VERSION } from "../../isa/bytecode/module.ts";
import type { Site } from "../images/manifest.ts";
import type { FunctionBody, Global, HFunction, Local } from "../hir.ts";
import { sizeOf, type Type } from "../types.ts";
import type { ConstValue } from "../check/constants.ts";
import { writeConst } from "./data.ts";

/** Bytes as a key: each becomes one character, another one for another byte. */
const latin1 = new TextDecoder("latin1");

/** Gives the function's code when its turn comes. */
type MakeFunction = () => BytecodeFunction;

export class ModuleBuilder {
  readonly layout: DataLayout;
  readonly sites: Site[] = [];
  private readonly assembly: AssemblyBlock[] = [];
  /** Frame offsets of locals in memory; closures read their owners' here. */
  readonly frameOffsets = new Map<Local, number>();
  /** Where a body keeps the environment it was given, for closures inside it. */
  readonly environmentSlots = new Map<FunctionBody, number>();
  /** Register blocks whose space (memory or ports) is known when compiling. */
  readonly knownSpaces = new Map<Local, number>();
  /** The same list (a table, a const) named in several places is one symbol. */
  readonly listSymbols = new Map<readonly ConstValue[], number>();
  private readonly lowerBody: (body: FunctionBody) => BytecodeFunction;
  private readonly langItem: (name: string) => HFunction;
  private readonly functions: (BytecodeFunction | null)[] = [];
  private readonly pending: { readonly index: number; readonly make: MakeFunction }[] = [];
  private readonly indices = new Map<FunctionBody, number>();
  private readonly symbols: DataSymbol[] = [];
  private readonly symbolNames = new Map<string, number>();
  private readonly globals = new Map<Global, number>();
  private readonly interned = new Map<string, number>();
  private readonly signatures: Signature[] = [];
  private readonly signatureIndices = new Map<string, number>();
  private readonly files: Source[] = [];
  private readonly fileIndices = new Map<Source, number>();
  private readonly locations: SourceLocation[] = [];
  private readonly locationIndices = new Map<number, number>();
  private readonly exports: { readonly name: string; readonly function: number }[] = [];

  /** Functions of the library that stand for instructions, by `op` or `op.type` (docs/native.md, 2). */
  readonly libraryOperations: ReadonlyMap<string, string>;

  constructor(
    layout: DataLayout,
    lowerBody: (builder: ModuleBuilder, body: FunctionBody) => BytecodeFunction,
    langItem: (name: string) => HFunction,
    libraryOperations: ReadonlyMap<string, string>,
  ) {
    this.layout = layout;
    this.libraryOperations = libraryOperations;
    this.lowerBody = (body) => lowerBody(this, body);
    this.langItem = langItem;
  }

  /** Index of a body's function; asks for its code the first time. */
  functionOf(body: FunctionBody): number {
    return this.functionMade(body, () => this.lowerBody(body));
  }

  /** The same for a body whose code does not come from its statements. */
  functionMade(body: FunctionBody, make: MakeFunction): number {
    const known = this.indices.get(body);
    if (known !== undefined) return known;
    const index = this.functions.length;
    this.functions.push(null);
    this.indices.set(body, index);
    this.pending.push({ index, make });
    return index;
  }

  functionOfDeclared(fn: HFunction): number {
    if (fn.body === null) throw new Error(`function ${fn.name} has no checked body`);
    return this.functionOf(fn.body);
  }

  /** A function of the library that lowering itself calls, `report.failed`. */
  runtime(name: string): HFunction {
    return this.langItem(name);
  }

  exportFunction(name: string, index: number): void {
    this.exports.push({ name, function: index });
  }

  addSymbol(symbol: DataSymbol): number {
    const uses = this.symbolNames.get(symbol.name) ?? 0;
    this.symbolNames.set(symbol.name, uses + 1);
    this.symbols.push(uses === 0 ? symbol : { ...symbol, name: `${symbol.name}#${uses + 1}` });
    return this.symbols.length - 1;
  }

  replaceSymbol(index: number, symbol: DataSymbol): void {
    this.symbols[index] = { ...symbol, name: this.symbols[index]?.name ?? symbol.name };
  }

  symbolOf(global: Global): number {
    const known = this.globals.get(global);
    if (known !== undefined) return known;
    const index = this.addSymbol({ name: global.name, size: 0, align: 1, writable: true, bytes: new Uint8Array(0), relocations: [] });
    this.globals.set(global, index);
    this.replaceSymbol(index, this.constantSymbol(global.name, global.type, global.initial ?? { kind: "zero" }, true));
    return index;
  }

  /** Variables that the image has so far. */
  variables(): readonly Global[] {
    return [...this.globals.keys()];
  }

  /** Read-only bytes; equal contents share a symbol. */
  bytesSymbol(bytes: Uint8Array, align = 1): number {
    const key = `${align}:${latin1.decode(bytes)}`;
    const known = this.interned.get(key);
    if (known !== undefined) return known;
    const index = this.addSymbol({ name: `const.${this.interned.size}`, size: bytes.length, align, writable: false, bytes, relocations: [] });
    this.interned.set(key, index);
    return index;
  }

  constantSymbol(name: string, type: Type, value: ConstValue, writable: boolean): DataSymbol {
    const shape = sizeOf(type, this.layout);
    const zero = value.kind === "zero";
    const bytes = new Uint8Array(zero ? 0 : shape.size);
    const relocations: Relocation[] = [];
    if (!zero) writeConst(this, bytes, relocations, 0, type, value);
    return { name, size: shape.size, align: shape.align, writable, bytes, relocations };
  }

  /** Read-only data of a type. */
  dataSymbol(name: string, type: Type, value: ConstValue): number {
    return this.addSymbol(this.constantSymbol(name, type, value, false));
  }

  signature(signature: Signature): number {
    const key = `${signature.params.join(",")}>${signature.results.join(",")}`;
    const known = this.signatureIndices.get(key);
    if (known !== undefined) return known;
    this.signatures.push(signature);
    this.signatureIndices.set(key, this.signatures.length - 1);
    return this.signatures.length - 1;
  }

  file(source: Source): number {
    const known = this.fileIndices.get(source);
    if (known !== undefined) return known;
    this.files.push(source);
    this.fileIndices.set(source, this.files.length - 1);
    return this.files.length - 1;
  }

  location(span: Span): number {
    const file = this.file(span.source);
    const key = file * 0x1_0000_0000 + span.start;
    const known = this.locationIndices.get(key);
    if (known !== undefined) return known;
    const { line, column } = positionAt(span.source, span.start);
    this.locations.push({ file, line, column });
    this.locationIndices.set(key, this.locations.length - 1);
    return this.locations.length - 1;
  }

  addAssembly(block: AssemblyBlock): number {
    this.assembly.push(block);
    return this.assembly.length - 1;
  }

  addSite(site: Site): number {
    this.sites.push(site);
    return this.sites.length - 1;
  }

  /** Lowers whatever is still asked for, then gives the whole. */
  finish(vectors: { readonly trap: number; readonly interrupt: number }): Module {
    for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) this.functions[next.index] = next.make();
    return {
      version: BYTECODE_VERSION,
      layout: this.layout,
      functions: uniqueNames(this.functions.filter((fn) => fn !== null)),
      symbols: this.symbols,
      signatures: this.signatures,
      files: this.files.map((source) => source.path),
      locations: this.locations,
      assembly: this.assembly,
      exports: this.exports,
      trapVector: vectors.trap,
      interruptVector: vectors.interrupt,
    };
  }

  /** Paths in the order of their indices; valid after `finish`. */
  filePaths(): readonly string[] {
    return this.files.map((source) => source.path);
  }
}

/** Closures and tests may share a name; in a module every function has its own. */
function uniqueNames(functions: readonly BytecodeFunction[]): readonly BytecodeFunction[] {
  const uses = new Map<string, number>();
  return functions.map((fn) => {
    const before = uses.get(fn.name) ?? 0;
    uses.set(fn.name, before + 1);
    return before === 0 ? fn : { ...fn, name: `${fn.name}#${before + 1}` };
  });
}

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
import { addressedFunctions, reuseUnit, type LoweringCache, type NumberedKind, type Numbers, type Origin, type Request, type UnitLocation } from "./units.ts";

/** Bytes as a key: each becomes one character, another one for another byte. */
const latin1 = new TextDecoder("latin1");

interface MadeFunction {
  readonly fn: BytecodeFunction;
  readonly origin: Origin | null;
}

/** Gives the function's code when its turn comes. */
type MakeFunction = () => MadeFunction;

/** What is known of a function while it is lowered, for other images. */
interface Recording {
  readonly requests: Request[];
  readonly locations: Map<number, UnitLocation>;
  isShareable: boolean;
}

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
  private readonly cache: LoweringCache;
  private recording: Recording | null = null;
  private readonly functions: (BytecodeFunction | null)[] = [];
  /** By function. */
  private readonly origins: (Origin | null)[] = [];
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
  /** Instructions come in rows from one place. */
  private lastSpan: Span | null = null;
  private lastLocation = 0;
  private readonly exports: { readonly name: string; readonly function: number }[] = [];

  /** Functions of the library that stand for instructions, by `op` or `op.type` (docs/native.md, 2). */
  readonly libraryOperations: ReadonlyMap<string, string>;
  /** The `op`s among them that stand there by type. */
  readonly typedOperations: ReadonlySet<string>;

  constructor(
    layout: DataLayout,
    lowerBody: (builder: ModuleBuilder, body: FunctionBody) => BytecodeFunction,
    langItem: (name: string) => HFunction,
    libraryOperations: ReadonlyMap<string, string>,
    cache: LoweringCache,
  ) {
    this.layout = layout;
    this.libraryOperations = libraryOperations;
    this.typedOperations = new Set([...libraryOperations.keys()].flatMap((name) => (name.includes(".") ? [name.slice(0, name.indexOf("."))] : [])));
    this.lowerBody = (body) => lowerBody(this, body);
    this.langItem = langItem;
    this.cache = cache;
  }

  /** Index of a body's function; asks for its code the first time. */
  functionOf(body: FunctionBody): number {
    return this.request(
      "function",
      (builder) => builder.functionOf(body),
      () => this.indexOf(body, () => this.makeFunction(body)),
    );
  }

  private makeFunction(body: FunctionBody): MadeFunction {
    const { units } = this.cache;
    const known = units.get(body);
    if (known !== undefined && known !== null) return reuseUnit(known, this);
    if (known === null) return { fn: this.lowerBody(body), origin: null };
    const counts = [this.frameOffsets.size, this.environmentSlots.size, this.knownSpaces.size] as const;
    const recording: Recording = { requests: [], locations: new Map(), isShareable: true };
    this.recording = recording;
    this.lastSpan = null;
    const fn = this.lowerBody(body);
    this.recording = null;
    if (!recording.isShareable) {
      units.set(body, null);
      return { fn, origin: null };
    }
    const unit = {
      fn,
      requests: recording.requests,
      locations: [...recording.locations.values()],
      addressed: addressedFunctions(fn),
      frameOffsets: [...this.frameOffsets].slice(counts[0]),
      environmentSlots: [...this.environmentSlots].slice(counts[1]),
      knownSpaces: [...this.knownSpaces].slice(counts[2]),
    };
    units.set(body, unit);
    return { fn, origin: { unit, numbers: null } };
  }

  /** A number of this module, noted with the function that is being lowered. What it asks for itself goes without saying. */
  private request(kind: NumberedKind, ask: (builder: ModuleBuilder, numbers: Numbers) => number, make: () => number): number {
    const { recording } = this;
    if (recording === null) return make();
    this.recording = null;
    const number = make();
    this.recording = recording;
    recording.requests.push({ kind, number, ask });
    return number;
  }

  /** The same for a body whose code does not come from its statements. */
  functionMade(body: FunctionBody, make: () => BytecodeFunction): number {
    return this.indexOf(body, () => ({ fn: make(), origin: null }));
  }

  private indexOf(body: FunctionBody, make: MakeFunction): number {
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
    return this.request(
      "symbol",
      (builder) => builder.symbolOf(global),
      () => this.makeSymbol(global),
    );
  }

  private makeSymbol(global: Global): number {
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
    return this.request(
      "symbol",
      (builder) => builder.bytesSymbol(bytes, align),
      () => this.makeBytes(bytes, align),
    );
  }

  private makeBytes(bytes: Uint8Array, align: number): number {
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
    return this.request(
      "symbol",
      (builder) => builder.dataSymbol(name, type, value),
      () => this.addSymbol(this.constantSymbol(name, type, value, false)),
    );
  }

  signature(signature: Signature): number {
    return this.request(
      "signature",
      (builder) => builder.signature(signature),
      () => this.makeSignature(signature),
    );
  }

  private makeSignature(signature: Signature): number {
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
    if (span === this.lastSpan) return this.lastLocation;
    const { source, start } = span;
    const number = this.locationAt({ source, start });
    const { recording } = this;
    if (recording !== null && !recording.locations.has(number)) {
      recording.locations.set(number, { number, source, start, position: positionAt(source, start) });
    }
    this.lastSpan = span;
    this.lastLocation = number;
    return number;
  }

  locationAt({ source, start, position }: Pick<UnitLocation, "source" | "start"> & Partial<UnitLocation>): number {
    const file = this.file(source);
    const key = file * 0x1_0000_0000 + start;
    const known = this.locationIndices.get(key);
    if (known !== undefined) return known;
    const { line, column } = position ?? positionAt(source, start);
    this.locations.push({ file, line, column });
    this.locationIndices.set(key, this.locations.length - 1);
    return this.locations.length - 1;
  }

  addAssembly(block: AssemblyBlock): number {
    const again = (builder: ModuleBuilder, { location: places }: Numbers): number =>
      builder.addAssembly({ ...block, lines: block.lines.map(({ offset, location }) => ({ offset, location: places.get(location) ?? location })) });
    return this.request("assembly", again, () => this.assembly.push(block) - 1);
  }

  /** Its number is a constant in the code, so such code belongs to this image. */
  addSite(site: Site): number {
    if (this.recording !== null) this.recording.isShareable = false;
    this.sites.push(site);
    return this.sites.length - 1;
  }

  /** Lowers whatever is still asked for, then gives the whole. */
  finish(vectors: { readonly trap: number; readonly interrupt: number }): Module {
    for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) {
      const { fn, origin } = next.make();
      this.functions[next.index] = fn;
      this.origins[next.index] = origin;
    }
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

  /** By function; null: it belongs to this module alone. Valid after `finish`. */
  originsOfFunctions(): readonly (Origin | null)[] {
    return this.origins;
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

// The module under construction: functions by need, data symbols by content, source locations, and the sites that the manifest
// lists. Lowering starts at the image's entry points; whatever they reach gets an index and a place in the queue, nothing else does.

import type { Source, Span } from "../../grammar/source.ts";
import {
  BYTECODE_VERSION,
  type AssemblyBlock,
  type BytecodeFunction,
  type DataLayout,
  type DataSymbol,
  type Module,
  type Relocation,
  type Signature,
  type SourceLocation,
} from "../../isa/bytecode/module.ts";
import type { ConstValue, FunctionBody, Global, HFunction, Local } from "../hir.ts";
import type { Site } from "../images/manifest.ts";
import { sizeOf, type Type } from "../types.ts";
import type { CoverageNotes } from "./coverage-notes.ts";
import { writeConst, type ConstantPool } from "./data.ts";
import {
  addressedFunctions,
  orderRequests,
  ReusedFunction,
  reuseUnit,
  type LoweringCache,
  type NumberPool,
  type Origin,
  type Request,
  type UnitHost,
} from "./units.ts";

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
  /** Numbers that have been asked for, of kinds that give one thing one number. */
  readonly functions: Set<number>;
  readonly symbols: Set<number>;
  readonly signatures: Set<number>;
  /** By number, the place. */
  readonly locations: Map<number, number>;
  isShareable: boolean;
}

/** What a map has got since it had so many entries. */
function entriesSince<K, V>(map: ReadonlyMap<K, V>, count: number): readonly (readonly [K, V])[] {
  return map.size === count ? [] : [...map].slice(count);
}

export class ModuleBuilder implements ConstantPool, UnitHost {
  readonly layout: DataLayout;
  readonly sites: Site[] = [];
  private readonly assembly: AssemblyBlock[] = [];
  /** Frame offsets of locals in memory; closures read their owners' here. */
  readonly frameOffsets = new Map<Local, number>();
  /** Where a body keeps the environment it was given, for closures inside it. */
  readonly environmentSlots = new Map<FunctionBody, number>();
  /** Register blocks whose space (memory or ports) is known when compiling. */
  readonly knownSpaces = new Map<Local, number>();
  /** What the units that others have made have for numbers here. */
  readonly unitNumbers: NumberPool;
  /** The same list (a table, a const) named in several places is one symbol. */
  private readonly listSymbols = new Map<readonly ConstValue[], { readonly number: number; readonly symbol: DataSymbol }>();
  private readonly lowerBody: (body: FunctionBody) => BytecodeFunction;
  private readonly langItem: (name: string) => HFunction;
  private readonly cache: LoweringCache;
  private recording: Recording | null = null;
  private readonly functions: (BytecodeFunction | null)[] = [];
  /** By function. */
  private readonly origins: (Origin | null)[] = [];
  private readonly pending: { readonly index: number; readonly make: MakeFunction }[] = [];
  private readonly indices = new Map<FunctionBody, number>();
  private readonly stubs = new Map<FunctionBody, (real: number) => BytecodeFunction>();
  private readonly reals = new Map<FunctionBody, number>();
  private readonly symbols: DataSymbol[] = [];
  private readonly symbolNames = new Map<string, number>();
  private readonly globals = new Map<Global, number>();
  private readonly interned = new Map<string, number>();
  private readonly signatures: Signature[] = [];
  private readonly signatureIndices = new Map<string, number>();
  private readonly files: Source[] = [];
  private readonly fileIndices = new Map<Source, number>();
  private readonly locations: SourceLocation[] = [];
  /** What this image is to the places of the compilation. */
  private readonly placed: number;
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
    this.unitNumbers = cache.numbers;
    this.placed = cache.places.beginImage();
  }

  /** Index of a body's function; asks for its code the first time. */
  functionOf(body: FunctionBody): number {
    const number = this.indices.get(body) ?? this.addLowered(body);
    const { recording } = this;
    if (recording !== null && !recording.functions.has(number)) {
      recording.functions.add(number);
      recording.requests.push({ kind: "function", number, body });
    }
    return number;
  }

  /** Apart from those who ask, nearly all of whom ask again: a function with a closure in it makes room for that in every call. */
  private addLowered(body: FunctionBody): number {
    return this.addFunction(body, () => this.makeChoice(body) ?? this.makeFunction(body));
  }

  /** The function itself, where `functionOf` gives what chooses between it and its stubs. */
  private realFunctionOf(body: FunctionBody): number {
    if (!this.stubs.has(body)) return this.functionOf(body);
    // Units know functions by their bodies, and this one's stands for the choice.
    this.keepForItself();
    const known = this.reals.get(body);
    if (known !== undefined) return known;
    const index = this.functions.length;
    this.functions.push(null);
    this.reals.set(body, index);
    // A fake's method is another one here: the choice logs its calls.
    this.pending.push({ index, make: () => (body.log === undefined ? this.makeFunction(body) : { fn: this.lowerBody(body), origin: null }) });
    return index;
  }

  isStubbed(body: FunctionBody): boolean {
    return this.stubs.has(body);
  }

  private makeFunction(body: FunctionBody): MadeFunction {
    const { units } = this.cache;
    const known = units.get(body);
    if (known !== undefined && known !== null) return reuseUnit(known, this);
    const kept = known === undefined ? this.cache.recall(body) : undefined;
    if (kept !== undefined) {
      units.set(body, kept);
      return reuseUnit(kept, this);
    }
    if (known === null) return { fn: this.lowerBody(body), origin: null };
    const counts = [this.frameOffsets.size, this.environmentSlots.size, this.knownSpaces.size] as const;
    const recording: Recording = { requests: [], functions: new Set(), symbols: new Set(), signatures: new Set(), locations: new Map(), isShareable: true };
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
      instructionCount: fn.body.length,
      isKept: false,
      libraryName: null,
      requests: recording.requests,
      requestOrder: orderRequests(recording.requests),
      places: [...recording.locations.values()],
      locationOrder: new Map([...recording.locations.keys()].map((number, order) => [number, order])),
      addressed: addressedFunctions(fn),
      frameOffsets: entriesSince(this.frameOffsets, counts[0]),
      environmentSlots: entriesSince(this.environmentSlots, counts[1]),
      knownSpaces: entriesSince(this.knownSpaces, counts[2]),
    };
    units.set(body, unit);
    return { fn, origin: { unit, numbers: null } };
  }

  /** The code in the place of a function that is stubbed. */
  private makeChoice(body: FunctionBody): MadeFunction | null {
    const choose = this.stubs.get(body);
    return choose === undefined ? null : { fn: choose(this.realFunctionOf(body)), origin: null };
  }

  /** From here on all calls of the body's function go to what `choose` makes; it is given the number of the function itself. */
  addStub(body: FunctionBody, choose: (real: number) => BytecodeFunction): void {
    this.stubs.set(body, choose);
  }

  /** The function that is being lowered is no unit: what it asks for need not be noted any more. */
  private keepForItself(): void {
    if (this.recording !== null) this.recording.isShareable = false;
    this.recording = null;
  }

  /** Makes something without noting what it asks for itself: that goes without saying. */
  private apart<Made>(make: () => Made): Made {
    const { recording } = this;
    this.recording = null;
    const made = make();
    this.recording = recording;
    return made;
  }

  /** The function that is being lowered asks for the symbol for the first time, or nothing is noted: null. */
  private requestsFor(symbol: number): Request[] | null {
    const { recording } = this;
    if (recording === null || recording.symbols.has(symbol)) return null;
    recording.symbols.add(symbol);
    return recording.requests;
  }

  /** The same for a body whose code does not come from its statements. */
  functionMade(body: FunctionBody, make: () => BytecodeFunction): number {
    return this.indices.get(body) ?? this.addFunction(body, () => ({ fn: make(), origin: null }));
  }

  private addFunction(body: FunctionBody, make: MakeFunction): number {
    const index = this.functions.length;
    this.functions.push(null);
    this.indices.set(body, index);
    this.pending.push({ index, make });
    return index;
  }

  functionOfDeclared(fn: HFunction): number {
    const { body } = fn.realOf ?? fn;
    if (body === null) throw new Error(`function ${fn.name} has no checked body`);
    return fn.realOf === undefined ? this.functionOf(body) : this.realFunctionOf(body);
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
    const number = this.globals.get(global) ?? this.makeSymbolApart(global);
    this.requestsFor(number)?.push({ kind: "symbol", number, global });
    return number;
  }

  private makeSymbolApart(global: Global): number {
    return this.apart(() => this.makeSymbol(global));
  }

  private makeSymbol(global: Global): number {
    const known = this.cache.symbols.get(global);
    const index = this.addSymbol(known ?? { name: global.name, size: 0, align: 1, writable: true, bytes: new Uint8Array(0), relocations: [] });
    this.globals.set(global, index);
    if (known !== undefined) return index;
    const symbol = this.constantSymbol(global.name, global.type, global.initial ?? { kind: "zero" }, global.isConstant !== true);
    if (symbol.relocations.length === 0) this.cache.symbols.set(global, symbol);
    this.replaceSymbol(index, symbol);
    return index;
  }

  /** Variables that the image has so far. */
  variables(): readonly Global[] {
    return [...this.globals.keys()].filter((global) => global.isConstant !== true);
  }

  /** Read-only bytes; equal contents share a symbol. */
  bytesSymbol(bytes: Uint8Array, align = 1): number {
    const key = `${align}:${latin1.decode(bytes)}`;
    const number = this.interned.get(key) ?? this.makeBytes(bytes, align, key);
    this.requestsFor(number)?.push({ kind: "bytes", number, bytes, align });
    return number;
  }

  private makeBytes(bytes: Uint8Array, align: number, key: string): number {
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
    const symbol = this.apart(() => this.constantSymbol(name, type, value, false));
    const number = this.addSymbol(symbol);
    this.requestsFor(number)?.push(symbol.relocations.length === 0 ? { kind: "constant", number, symbol } : { kind: "data", number, name, type, value });
    return number;
  }

  /** The elements of a constant slice. */
  listSymbol(element: Type, value: ConstValue & { readonly kind: "list" }): number {
    const { items } = value;
    let list = this.listSymbols.get(items);
    if (list === undefined) {
      const symbol = this.apart(() => this.constantSymbol("const.list", { kind: "array", length: items.length, element }, value, false));
      this.listSymbols.set(items, (list = { number: this.addSymbol(symbol), symbol }));
    }
    const { number, symbol } = list;
    this.requestsFor(number)?.push({ kind: "list", number, element, value, symbol });
    return number;
  }

  signature(signature: Signature): number {
    const key = `${signature.params.join(",")}>${signature.results.join(",")}`;
    let number = this.signatureIndices.get(key);
    if (number === undefined) {
      number = this.signatures.push(signature) - 1;
      this.signatureIndices.set(key, number);
    }
    const { recording } = this;
    if (recording !== null && !recording.signatures.has(number)) {
      recording.signatures.add(number);
      recording.requests.push({ kind: "signature", number, signature });
    }
    return number;
  }

  file(source: Source): number {
    const known = this.fileIndices.get(source);
    if (known !== undefined) return known;
    this.files.push(source);
    this.fileIndices.set(source, this.files.length - 1);
    return this.files.length - 1;
  }

  get notes(): CoverageNotes | null {
    return this.cache.notes;
  }

  location(span: Span): number {
    if (span === this.lastSpan) return this.lastLocation;
    const place = this.cache.places.numberOf(span.source, span.start);
    const number = this.locationOfPlace(place);
    this.recording?.locations.set(number, place);
    this.lastSpan = span;
    this.lastLocation = number;
    return number;
  }

  /** By the compilation's number of the place. */
  locationOfPlace(place: number): number {
    const { places } = this.cache;
    const known = places.locationNumber(place, this.placed);
    if (known >= 0) return known;
    const file = this.file(places.sourceOf(place));
    places.addLocation(place);
    return this.locations.push(places.locationIn(place, file)) - 1;
  }

  addAssembly(block: AssemblyBlock): number {
    const number = this.assembly.push(block) - 1;
    this.recording?.requests.push({ kind: "assembly", number, block });
    return number;
  }

  /** Its number is a constant in the code, so such code belongs to this image. */
  addSite(site: Site): number {
    this.keepForItself();
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
    if (before === 0) return fn;
    const name = `${fn.name}#${before + 1}`;
    return fn instanceof ReusedFunction ? fn.named(name) : { ...fn, name };
  });
}

// What the back end makes of each spec before it is placed, in the cache: a run compiles the specs that changed, takes the others from here
// and links them all, whatever list they are in. A spec's entry has what is its own; its functions, most of which are the guest library's,
// lie in packs, one for each compilation with what was new in it, and are named by pack and place, so that the cache has each function once.
// A pack never changes; where one is gone the specs that need it are compiled again.

import { resolve } from "node:path";
import type { DataSymbol, Module, Relocation } from "../../isa/bytecode/module.ts";
import { numberOf as referenceNumber, type Reference } from "../native/emission.ts";
import type { LoweredModule } from "../native/lower-module.ts";
import type { NativeTarget } from "../native/target.ts";
import { createByteWriter } from "./byte-writer.ts";
import type { Dependency, ImageCache } from "./cache.ts";
import { rememberHashes } from "./file-hashes.ts";
import { hashBytes } from "./content-hash.ts";
import type { Manifest } from "./manifest.ts";
import { alignedCopy, bytesOf, textOf } from "./stored-bytes.ts";
import { hashFunction, loadFunction, namePlace, storeFunction, wasStoredBefore, type LoadedFunction, type StoredFunction } from "./stored-function.ts";

/** A spec as it was before it was placed. */
export interface LoweredSpec {
  readonly path: string;
  readonly lowered: LoweredModule;
  readonly manifest: Manifest;
  /** Of it alone, the library's apart. */
  readonly dependencies: readonly string[];
}

export interface CachedSpec {
  readonly path: string;
  /** Null: the file has no suite. */
  readonly spec: LoweredSpec | null;
  /** All that it was made from. */
  readonly madeFrom: readonly Dependency[];
}

export interface LoweredStore {
  /** The spec, if nothing that it was made from has changed. */
  read(path: string): CachedSpec | null;
  /** What one compilation made. */
  write(specs: readonly CachedSpec[]): void;
}

/** A symbol without its bytes, of which it has so many: bytes of all symbols are behind each other. */
type StoredSymbol = Omit<DataSymbol, "bytes"> & { readonly length: number };

interface Head extends Pick<Module, "layout" | "files" | "exports"> {
  readonly names: readonly string[];
  readonly addressed: readonly (readonly [index: number, word: number])[];
  readonly symbols: readonly StoredSymbol[];
  /** Keys of the packs that its functions are in. */
  readonly packs: readonly string[];
}

interface FunctionPack {
  readonly key: string;
  readonly hashes: readonly string[];
  /** Decoded when a spec asks for it, once. */
  load(index: number): LoadedFunction;
}

/** Where a function is. */
interface FunctionPlace {
  readonly pack: string;
  readonly index: number;
}

type HashedFunction = StoredFunction & { readonly hash: string };

/** Hashes; by function, where its facts and its code end; facts; code. */
function encodePack(functions: readonly HashedFunction[]): readonly (Uint8Array | string)[] {
  const facts = createByteWriter();
  const code = createByteWriter();
  const ends: number[] = [];
  for (const fn of functions) {
    facts.bytes(Buffer.from(fn.facts));
    code.bytes(fn.code);
    ends.push(facts.length, code.length);
  }
  return [JSON.stringify(functions.map(({ hash }) => hash)), bytesOf(Int32Array.from(ends)), facts.finish(), code.finish()];
}

function decodePack(key: string, [hashes, ends, facts, code]: readonly Uint8Array[]): FunctionPack | null {
  if (hashes === undefined || ends === undefined || facts === undefined || code === undefined) return null;
  const words = new Int32Array(alignedCopy(ends));
  const loaded: LoadedFunction[] = [];
  const part = (all: Uint8Array, index: number, column: 0 | 1): Uint8Array =>
    all.subarray(index === 0 ? 0 : words[2 * index - 2 + column], words[2 * index + column]);
  return {
    key,
    hashes: JSON.parse(textOf(hashes)) as readonly string[],
    load: (index) => (loaded[index] ??= loadFunction({ facts: textOf(part(facts, index, 0)), code: part(code, index, 1) })),
  };
}

const NO_RELOCATIONS: readonly Relocation[] = [];

/** Of a spec's functions in turn: pack, place in it, and what their references are in the image. */
function loadModule(head: Head, numbers: Int32Array, data: Uint8Array, packs: readonly FunctionPack[], target: NativeTarget): LoweredModule {
  const { layout, files, exports, names, addressed } = head;
  const loaded: LoadedFunction[] = [];
  const starts: number[] = [];
  for (let at = 0; at < numbers.length;) {
    const fn = packs[numbers[at] ?? -1]?.load(numbers[at + 1] ?? -1);
    if (fn === undefined) throw new Error("a cached spec names a pack that it does not have");
    loaded.push(fn);
    starts.push(at + 2);
    at += 2 + fn.references;
  }
  let end = 0;
  const symbols = head.symbols.map(({ length, relocations, ...symbol }): DataSymbol => {
    const start = end;
    end += length;
    return { ...symbol, relocations: relocations.length === 0 ? NO_RELOCATIONS : relocations, bytes: data.subarray(start, end) };
  });
  const fileOf = new Map(files.map((path, index) => [path, index]));
  return {
    target,
    module: { layout, files, exports, symbols },
    functions: loaded.map(({ fn }) => fn),
    names,
    addressed: new Map(addressed),
    numberOf: (index, to) => numbers[(starts[index] ?? 0) + referenceNumber(to)] ?? 0,
    placeOf(index, location) {
      const place = loaded[index]?.places[location];
      return place === undefined ? undefined : { file: fileOf.get(place.path) ?? -1, line: place.line, column: place.column };
    },
  };
}

interface KeptFunction {
  readonly place: FunctionPlace;
  /** As the function itself counts. */
  readonly references: readonly Reference[];
}

type KeptFunctions = ReadonlyMap<LoweredModule["functions"][number], KeptFunction>;

/** `machineKey` changes with the machine's file. */
export function openLoweredStore(cache: ImageCache, machineKey: string, target: NativeTarget): LoweredStore {
  const hashes = rememberHashes(cache.hashes);
  const packs = new Map<string, FunctionPack | null>();
  const known = new Map<string, FunctionPlace>();
  const specKey = (path: string): readonly string[] => ["lowered", resolve("."), machineKey, path];

  function packOf(key: string): FunctionPack | null {
    let pack = packs.get(key);
    if (pack === undefined) {
      const stored = cache.readParts(["functions", key]);
      packs.set(key, (pack = stored === null ? null : decodePack(key, stored.parts)));
      pack?.hashes.forEach((hash, index) => known.set(hash, { pack: key, index }));
    }
    return pack;
  }

  /** False: that is impossible. */
  function writePack(functions: readonly HashedFunction[]): boolean {
    if (functions.length === 0) return true;
    const key = hashBytes(functions.map(({ hash }) => hash).join(""));
    const entry = ["functions", key];
    // One that was looked for and is damaged is written again.
    const isThere = packs.get(key) !== null && cache.hasParts(entry);
    if (!isThere && !cache.writeParts(entry, { parts: encodePack(functions), paths: [] }, [])) return false;
    functions.forEach(({ hash }, index) => known.set(hash, { pack: key, index }));
    return true;
  }

  /** Where the functions of these modules are; those that are nowhere yet go into a new pack. */
  function keepFunctions(modules: readonly LoweredModule[]): KeptFunctions | null {
    const own: HashedFunction[] = [];
    // Those of the library that an earlier compilation has made are apart: their pack is the same however often the spec is edited.
    const library: HashedFunction[] = [];
    const kept = new Map<LoweredModule["functions"][number], { readonly hash: string; readonly references: readonly Reference[] }>();
    const added = new Set<string>();
    for (const { functions, module, placeOf } of modules) {
      functions.forEach((fn, index) => {
        if (kept.has(fn)) return;
        const stored = storeFunction(fn, (location) => namePlace(module.files, placeOf(index, location)));
        const hash = hashFunction(stored);
        kept.set(fn, { hash, references: stored.references });
        if (known.has(hash) || added.has(hash)) return;
        added.add(hash);
        (wasStoredBefore(fn) ? library : own).push({ ...stored, hash });
      });
    }
    if (![library, own].every(writePack)) return null;
    const placed = new Map<LoweredModule["functions"][number], KeptFunction>();
    for (const [fn, { hash, references }] of kept) {
      const place = known.get(hash);
      if (place === undefined) throw new Error(`function ${hash} is in no pack`);
      placed.set(fn, { place, references });
    }
    return placed;
  }

  function writeSpec({ path, manifest, dependencies, lowered }: LoweredSpec, madeFrom: readonly Dependency[], kept: KeptFunctions): void {
    const { module, functions, names, addressed, numberOf } = lowered;
    const own: string[] = [];
    // An image has some hundred functions with thousands of references: no list is made for each.
    const numbers: number[] = [];
    functions.forEach((fn, index) => {
      const found = kept.get(fn);
      if (found === undefined) throw new Error(`function ${index} of a spec was not kept`);
      const { place, references } = found;
      const pack = own.indexOf(place.pack);
      numbers.push(pack < 0 ? own.push(place.pack) - 1 : pack, place.index);
      for (let each = 0; each < references.length; each++) {
        const to = references[each];
        numbers.push(to === undefined || to.kind === "label" ? 0 : numberOf(index, to));
      }
    });
    const data = createByteWriter();
    for (const { bytes } of module.symbols) data.bytes(bytes);
    const head: Head = {
      layout: module.layout,
      files: module.files,
      exports: module.exports,
      names,
      addressed: [...addressed],
      symbols: module.symbols.map(({ bytes, ...symbol }) => ({ ...symbol, length: bytes.length })),
      packs: own,
    };
    const parts = [JSON.stringify(manifest), JSON.stringify(head), bytesOf(Int32Array.from(numbers)), data.finish()];
    cache.writeParts(specKey(path), { parts, paths: dependencies }, madeFrom);
  }

  return {
    read(path) {
      const stored = cache.readParts(specKey(path), hashes);
      if (stored === null) return null;
      const { parts, paths: dependencies, dependencies: madeFrom } = stored;
      const [manifest, facts, numbers, data] = parts;
      if (manifest === undefined) return { path, spec: null, madeFrom };
      if (facts === undefined || numbers === undefined || data === undefined) throw new Error(`the cached spec ${path} is not whole`);
      const head = JSON.parse(textOf(facts)) as Head;
      const found = head.packs.map(packOf);
      const present = found.filter((pack) => pack !== null);
      if (present.length < found.length) return null;
      const lowered = loadModule(head, new Int32Array(alignedCopy(numbers)), data, present, target);
      return { path, spec: { path, lowered, manifest: JSON.parse(textOf(manifest)) as Manifest, dependencies }, madeFrom };
    },
    write(specs) {
      const kept = keepFunctions(specs.flatMap(({ spec }) => spec?.lowered ?? []));
      if (kept === null) return;
      for (const { path, spec, madeFrom } of specs) {
        if (spec === null) cache.writeParts(specKey(path), { parts: [], paths: [] }, madeFrom);
        else writeSpec(spec, madeFrom, kept);
      }
    },
  };
}

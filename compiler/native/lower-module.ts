// All functions of a module as machine code for one target: what does not depend on where an image is going to be. The linker places it
// as often as somebody wants (link.ts): alone, or in a pack beside others. Functions that several images of a compilation share
// (compiler/lower/units.ts) are lowered once.

import type { Module, SourceLocation } from "../../isa/bytecode/module.ts";
import { addressedFunctions, KIND_OF_REQUEST, locationIn, numberIn, type Numbers, type Origin, type Unit } from "../lower/units.ts";
import { namePlace } from "../images/stored-function.ts";
import type { CodeForm, LibraryStore } from "../library-store.ts";
import { CODE_PER_INSTRUCTION, COMPACT_SIZE, signatureWord } from "./abi.ts";
import { numberOf, renumberReference, type NumberedReference } from "./emission.ts";
import { keepCode, recallCode } from "./kept-code.ts";
import { lowerFunction, type NativeFunction } from "./lower-function.ts";
import type { NativeTarget } from "./target.ts";

/** All that the linker takes of one image. */
export interface LoweredModule {
  readonly target: NativeTarget;
  readonly module: Pick<Module, "layout" | "files" | "symbols" | "exports">;
  /** In the order of the module's. Those that images share are the same objects, with numbers of their own. */
  readonly functions: readonly NativeFunction[];
  /** By function. */
  readonly names: readonly string[];
  /** By number of each function whose address is taken, by code or by data: the word that stands before it. */
  readonly addressed: ReadonlyMap<number, number>;
  /** What a function's reference means in this image. */
  readonly numberOf: (index: number, to: NumberedReference) => number;
  /** Where a function's location is; undefined: nowhere in a source. */
  readonly placeOf: (index: number, location: number) => SourceLocation | undefined;
}

/** What the images of a compilation share. */
export interface NativeCache {
  /** Machine code with the numbers of the unit's first image: in compact images, and in others. */
  readonly compact: Map<Unit, NativeFunction>;
  readonly large: Map<Unit, NativeFunction>;
  /** What earlier compilations have kept of it. */
  readonly library: LibraryStore | null;
}

export function createNativeCache(library: LibraryStore | null = null): NativeCache {
  return { compact: new Map(), large: new Map(), library };
}

function recall(unit: Unit, form: CodeForm, { library }: NativeCache): NativeFunction | undefined {
  const kept = unit.isKept && unit.libraryName !== null ? library?.findCode(unit.libraryName, form) : undefined;
  return kept === undefined ? undefined : recallCode(kept);
}

function allAddressed(module: Module, origins: readonly (Origin | null)[]): ReadonlySet<number> {
  const found = new Set<number>();
  module.functions.forEach((fn, index) => {
    const origin = origins[index] ?? null;
    if (origin === null) for (const number of addressedFunctions(fn)) found.add(number);
    else for (const number of origin.unit.addressed) found.add(origin.numbers === null ? number : numberIn(origin.numbers, "function", number));
  });
  for (const { relocations } of module.symbols) for (const relocation of relocations) if (relocation.kind === "function") found.add(relocation.function);
  return found;
}

function signatureWords({ functions }: Module, addressed: ReadonlySet<number>): ReadonlyMap<number, number> {
  const words = new Map<number, number>();
  for (const index of addressed) {
    const fn = functions[index];
    if (fn !== undefined) words.set(index, signatureWord(fn.signature));
  }
  return words;
}

function isCompactModule({ symbols, functions }: Module, origins: readonly (Origin | null)[]): boolean {
  const constants = symbols.reduce((sum, { size, align, writable }) => sum + (writable ? 0 : size + align), 0);
  const instructions = functions.reduce((sum, fn, index) => sum + (origins[index]?.unit.instructionCount ?? fn.body.length), 0);
  return constants + CODE_PER_INSTRUCTION * instructions < COMPACT_SIZE;
}

/** A function with the numbers of this image as one with those of its unit, which are places in the unit's lists. */
function withOwnNumbers(fn: NativeFunction, { unit, numbers }: Origin): NativeFunction {
  if (numbers === null) return fn;
  const { all, start } = numbers;
  const locations = new Map(unit.places.map((_, index) => [all[start + index] ?? -1, index]));
  const own = {
    function: new Map<number, number>(),
    symbol: new Map<number, number>(),
    signature: new Map<number, number>(),
    assembly: new Map<number, number>(),
  };
  unit.requests.forEach(({ kind }, index) => own[KIND_OF_REQUEST[kind]].set(all[start + unit.places.length + index] ?? -1, index));
  const find = (map: ReadonlyMap<number, number>, number: number): number => {
    const found = map.get(number);
    if (found === undefined) throw new Error(`${unit.fn.name} names ${number}, which it has not asked for`);
    return found;
  };
  const ownNumber = (to: NumberedReference): number => find(own[to.kind], numberOf(to));
  return {
    ...fn,
    relocations: fn.relocations.map((relocation) => ({ ...relocation, to: renumberReference(relocation.to, ownNumber) })),
    marks: fn.marks.map(({ offset, location }) => ({ offset, location: location < 0 ? location : find(locations, location) })),
  };
}

/** `origins` is by function, as the compilation told it. */
export function lowerModule(
  module: Module,
  target: NativeTarget,
  origins: readonly (Origin | null)[] = [],
  cache: NativeCache = createNativeCache(),
): LoweredModule {
  const isCompact = isCompactModule(module, origins);
  const form = isCompact ? "compact" : "large";
  const known = cache[form];
  const functions: NativeFunction[] = [];
  /** By function: what these numbers are here; null: the same. */
  const numbers: (Numbers | null)[] = [];
  const fresh: { readonly index: number; readonly unit: Unit; readonly name: string; readonly fn: NativeFunction }[] = [];
  module.functions.forEach((fn, index) => {
    const origin = origins[index] ?? null;
    const shared = origin === null ? undefined : (known.get(origin.unit) ?? recall(origin.unit, form, cache));
    if (origin !== null && shared !== undefined) {
      known.set(origin.unit, shared);
      functions.push(shared);
      numbers.push(origin.numbers);
      return;
    }
    const made = lowerFunction(fn, { target, module, isCompact });
    // What the first image of a unit had made in the other way is made with this image's numbers, and not shared.
    const isShared = origin !== null && (origin.numbers === null || origin.unit.isKept);
    const own = isShared ? withOwnNumbers(made, origin) : made;
    if (isShared) {
      known.set(origin.unit, own);
      if (origin.unit.libraryName !== null) fresh.push({ index, unit: origin.unit, name: origin.unit.libraryName, fn: own });
    }
    functions.push(own);
    numbers.push(isShared ? origin.numbers : null);
  });
  const { layout, files, symbols, exports, locations } = module;
  const numbersOf = (index: number): Numbers | null => numbers[index] ?? null;
  const placeOf = (index: number, location: number): SourceLocation | undefined => {
    const shared = numbersOf(index);
    return locations[shared === null ? location : locationIn(shared, location)];
  };
  for (const { index, unit, name, fn } of fresh) {
    cache.library?.keepCode(
      name,
      form,
      keepCode(unit, fn, (location) => namePlace(files, placeOf(index, location))),
    );
  }
  return {
    target,
    module: { layout, files, symbols, exports },
    functions,
    names: module.functions.map(({ name }) => name),
    addressed: signatureWords(module, allAddressed(module, origins)),
    numberOf(index, to) {
      const shared = numbersOf(index);
      const number = numberOf(to);
      return shared === null ? number : numberIn(shared, to.kind, number);
    },
    placeOf,
  };
}

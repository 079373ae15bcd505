// All functions of a module as machine code for one target: what does not depend on where an image is going to be. The linker places it
// as often as somebody wants (link.ts): alone, or in a pack beside others. Functions that several images of a compilation share
// (compiler/lower/units.ts) are lowered once.

import type { Module, ScalarType } from "../../isa/bytecode/module.ts";
import { addressedFunctions, type Numbers, type Origin, type Unit } from "../lower/units.ts";
import type { CodeRelocation } from "./emission.ts";
import { lowerFunction, type NativeFunction } from "./lower-function.ts";
import type { NativeTarget } from "./target.ts";

export interface LoweredModule {
  readonly target: NativeTarget;
  readonly module: Module;
  /** In the order of the module's. */
  readonly functions: readonly NativeFunction[];
  /** Functions whose addresses are taken, by code or by data. */
  readonly addressed: ReadonlySet<number>;
  readonly signatureNumber: SignatureNumber;
}

export type SignatureNumber = (params: readonly ScalarType[], results: readonly ScalarType[]) => number;

/** What the images of a compilation share. */
export interface NativeCache {
  readonly signatureNumber: SignatureNumber;
  /** Machine code with the numbers of the unit's first image. */
  readonly functions: Map<Unit, NativeFunction>;
}

/** Numbers go by the signature itself, so that code with a number in it fits every image. */
export function createNativeCache(): NativeCache {
  const known = new Map<string, number>();
  const signatureNumber: SignatureNumber = (params, results) => {
    const key = `${params.join()}>${results.join()}`;
    let number = known.get(key);
    if (number === undefined) known.set(key, (number = known.size + 1));
    return number;
  };
  return { signatureNumber, functions: new Map() };
}

function allAddressed(module: Module, origins: readonly (Origin | null)[]): ReadonlySet<number> {
  const found = new Set<number>();
  module.functions.forEach((fn, index) => {
    const origin = origins[index] ?? null;
    if (origin === null) for (const number of addressedFunctions(fn)) found.add(number);
    else for (const number of origin.unit.addressed) found.add(origin.numbers?.function.get(number) ?? number);
  });
  for (const { relocations } of module.symbols) for (const relocation of relocations) if (relocation.kind === "function") found.add(relocation.function);
  return found;
}

function renumberReference(relocation: CodeRelocation, numbers: Numbers): CodeRelocation {
  const { to } = relocation;
  switch (to.kind) {
    case "function":
      return { ...relocation, to: { kind: "function", function: numbers.function.get(to.function) ?? to.function } };
    case "symbol":
      return { ...relocation, to: { kind: "symbol", symbol: numbers.symbol.get(to.symbol) ?? to.symbol } };
    case "label":
      return relocation;
  }
}

function renumber(fn: NativeFunction, numbers: Numbers): NativeFunction {
  return {
    ...fn,
    relocations: fn.relocations.map((relocation) => renumberReference(relocation, numbers)),
    marks: fn.marks.map(({ offset, location }) => ({ offset, location: numbers.location.get(location) ?? location })),
  };
}

/** `origins` is by function, as the compilation told it. */
export function lowerModule(module: Module, target: NativeTarget, origins: readonly (Origin | null)[] = [], cache: NativeCache = createNativeCache()): LoweredModule {
  const { signatureNumber } = cache;
  const functions = module.functions.map((fn, index) => {
    const origin = origins[index] ?? null;
    const known = origin === null ? undefined : cache.functions.get(origin.unit);
    if (origin !== null && known !== undefined) return origin.numbers === null ? known : renumber(known, origin.numbers);
    const made = lowerFunction(fn, { target, module, signatureNumber });
    if (origin?.numbers === null) cache.functions.set(origin.unit, made);
    return made;
  });
  return { target, module, functions, addressed: allAddressed(module, origins), signatureNumber };
}

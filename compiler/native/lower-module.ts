// All functions of a module as machine code for one target: what does not depend on where an image is going to be. The linker places it
// as often as somebody wants (link.ts): alone, or in a pack beside others.

import type { Module, ScalarType } from "../../isa/bytecode/module.ts";
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

function numberSignatures(): SignatureNumber {
  const known = new Map<string, number>();
  return (params, results) => {
    const key = `${params.join()}>${results.join()}`;
    let number = known.get(key);
    if (number === undefined) known.set(key, (number = known.size + 1));
    return number;
  };
}

function addressedFunctions(module: Module): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { body } of module.functions) for (const { op, imm } of body) if (op === "func_addr") found.add(Number(imm[0]));
  for (const { relocations } of module.symbols) for (const relocation of relocations) if (relocation.kind === "function") found.add(relocation.function);
  return found;
}

export function lowerModule(module: Module, target: NativeTarget): LoweredModule {
  const signatureNumber = numberSignatures();
  const functions = module.functions.map((fn) => lowerFunction(fn, { target, module, signatureNumber }));
  return { target, module, functions, addressed: addressedFunctions(module), signatureNumber };
}

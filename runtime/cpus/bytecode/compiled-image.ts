// An image translated and compiled for a machine: what is made once and then serves every machine and worker that places the image alike.
// A WebAssembly.Module and the placement are plain data that goes through postMessage; instances are made of it by wasm-executor.ts.

import type { LoadedImage, MachineCore } from "../../machine/cpu-contract.ts";
import { translate } from "./translate.ts";
import type { TranslationOptions } from "./translate.ts";

export interface CompiledImage {
  readonly wasm: WebAssembly.Module;
  readonly options: TranslationOptions;
}

/** What a translation of an image for a machine depends on. */
export function translationOptions(image: LoadedImage, machine: MachineCore): TranslationOptions {
  const { base, size, dirtyOffset, readOnlyStart, readOnlyEnd } = machine.memory;
  return {
    ramBase: base,
    ramSize: size,
    dirtyOffset,
    readOnlyStart,
    readOnlyEnd,
    cpuCount: machine.cpuCount,
    symbolAddress: image.symbolAddress,
  };
}

/** True if a translation made under one of them runs under the other. */
export function sameOptions(a: TranslationOptions, b: TranslationOptions): boolean {
  return (
    a.ramBase === b.ramBase &&
    a.ramSize === b.ramSize &&
    a.dirtyOffset === b.dirtyOffset &&
    a.readOnlyStart === b.readOnlyStart &&
    a.readOnlyEnd === b.readOnlyEnd &&
    a.cpuCount === b.cpuCount &&
    a.symbolAddress.length === b.symbolAddress.length &&
    a.symbolAddress.every((address, index) => address === b.symbolAddress[index])
  );
}

/** How bytes become a module. The host's business: it may know flags that make the result faster, never one that changes what it does. */
export type CompileWasm = (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;

export const compilePlainly: CompileWasm = (bytes) => new WebAssembly.Module(bytes);

export function compileImage(image: LoadedImage, machine: MachineCore, compile: CompileWasm = compilePlainly): CompiledImage {
  const options = translationOptions(image, machine);
  return { wasm: compile(translate(image.module, options)), options };
}

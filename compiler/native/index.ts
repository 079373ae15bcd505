// Specs to native images, as one function: the front end compiles for the machine's own layout and library, the back end turns each
// suite's bytecode into machine code, and the linker makes an image of it. Loaded only when a native target is asked for.

import { compile, type CompileOptions, type FileWithoutSuite, type Image } from "../index.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { loadEntry } from "./entry.ts";
import { describeLowerError, libraryPath, LowerError } from "./lower-error.ts";
import { createNativeCache, lowerModule, type LoweredModule } from "./lower-module.ts";
import { imageAt, type NativeImage } from "./native-image.ts";
import { placeAlone, type PlaceImages } from "./place-alone.ts";
import type { NativeTarget } from "./target.ts";

/** A spec as machine code that has no place yet. */
export interface LoweredNative extends Image {
  readonly lowered: LoweredModule;
}

export interface CompiledNative extends LoweredNative {
  readonly native: NativeImage;
}

export interface NativeCompilation<Made> {
  readonly diagnostics: readonly Diagnostic[];
  readonly images: readonly Made[];
  readonly withoutSuite: readonly FileWithoutSuite[];
}

/** Bytecode instructions that are functions of the guest library on every native target (docs/native.md, 2). */
export const LIBRARY_OPERATIONS: Readonly<Record<string, string>> = {
  cpu_count: "native.cpu_count",
  cpu_start: "native.cpu_start",
  cpu_state: "native.cpu_state",
  irq_enable: "platform.irq_enable",
  irq_disable: "platform.irq_disable",
  irq_pending: "platform.irq_pending",
  irq_mask: "platform.irq_mask",
  wait: "platform.wait",
  relax: "platform.relax",
  doze: "native.doze",
  time: "platform.time",
  mem_copy: "native.mem_copy",
  mem_fill: "native.mem_fill",
};

/** What the entry assembly of every target calls. */
const ENTRY_FUNCTIONS: readonly string[] = ["platform.start", "native.on_exception", "native.poll", "native.cpu_main", "irq.on_interrupt", "runtime.on_trap"];

const LAYOUT = { addressBytes: 8, endian: "little" } as const;

export function nativeOptions(target: NativeTarget, options: CompileOptions): CompileOptions {
  const libraryOperations = new Map(Object.entries({ ...LIBRARY_OPERATIONS, ...target.libraryOperations }));
  return { ...options, layout: LAYOUT, native: { libraryOperations, entryFunctions: [...ENTRY_FUNCTIONS, ...target.entryFunctions] } };
}

/** `target`: what `loadNativeTarget(machine.target)` gave. */
export function lowerNative(paths: readonly string[], target: NativeTarget, options: CompileOptions): NativeCompilation<LoweredNative> {
  const { diagnostics, images, withoutSuite } = compile(paths, nativeOptions(target, options));
  const cache = createNativeCache(options.library ?? null);
  const made: LoweredNative[] = [];
  for (const image of images) {
    try {
      made.push({ ...image, lowered: lowerModule(image.module, target, image.origins, cache) });
    } catch (error) {
      if (!(error instanceof LowerError)) throw error;
      const problem = describeLowerError(error, image.module, target, (path) => options.readFile(libraryPath(path, options.libDirectory)));
      return { diagnostics: [...diagnostics, problem], images: [], withoutSuite: [] };
    }
  }
  return { diagnostics, images: made, withoutSuite };
}

export function compileNative(
  paths: readonly string[],
  target: NativeTarget,
  options: CompileOptions,
  place: PlaceImages = placeAlone,
): NativeCompilation<CompiledNative> {
  const { images, ...told } = lowerNative(paths, target, options);
  if (images.length === 0) return { ...told, images: [] };
  const placed = place(
    images.map(({ lowered }) => lowered),
    options.machine,
    loadEntry(target, options.machine, options.libDirectory),
  );
  return { ...told, images: images.map((image, index) => ({ ...image, native: imageAt(placed, index) })) };
}

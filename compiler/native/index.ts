// Specs to native images, as one function: the front end compiles for the machine's own layout and library, the back end turns each
// suite's bytecode into machine code, and the linker makes an image of it. Loaded only when a native target is asked for.

import { readFileSync } from "node:fs";
import { compile, type CompileOptions, type Image } from "../index.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { findNativeTarget } from "../targets/index.ts";
import { assembleEntry, entryConstants, type AssembledEntry, type EntryAssembly } from "./entry.ts";
import { linkImage } from "./link.ts";
import { describeLowerError, libraryPath, LowerError } from "./lower-error.ts";
import { createNativeCache, lowerModule, type LoweredModule } from "./lower-module.ts";
import type { NativeImage } from "./native-image.ts";
import type { NativeTarget } from "./target.ts";

export interface CompiledNative extends Image {
  readonly native: NativeImage;
}

export interface NativeCompilation {
  readonly diagnostics: readonly Diagnostic[];
  readonly images: readonly CompiledNative[];
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

/** The entry assembly of a target, from the library's folder. */
export function readEntry(target: NativeTarget, libDirectory: string): EntryAssembly {
  return { file: `lib/${target.name}/entry.s`, text: readFileSync(`${libDirectory}${target.name}/entry.s`, "utf8") };
}

/** The entry assembly for a machine, ready to be linked. */
export function loadEntry(target: NativeTarget, machine: MachineDescription, libDirectory: string): AssembledEntry {
  return assembleEntry(target, readEntry(target, libDirectory), entryConstants(target, machine));
}

/** Places the images of a compilation: each alone at the machine's address, or all beside each other. */
export type PlaceImages = (modules: readonly LoweredModule[], machine: MachineDescription, entry: AssembledEntry) => readonly NativeImage[];

export const placeAlone: PlaceImages = (modules, machine, entry) => {
  if (machine.boot === null) throw new Error(`${machine.name} does not say where images go`);
  const { base } = machine.boot;
  return modules.map((lowered) => linkImage(lowered, { machine: machine.name, base, entry }));
};

export function compileNative(paths: readonly string[], options: CompileOptions, place: PlaceImages = placeAlone): NativeCompilation {
  const { machine } = options;
  const target = findNativeTarget(machine.target);
  if (target === undefined) throw new Error(`there is no back end for ${machine.target}`);
  const { diagnostics, images } = compile(paths, nativeOptions(target, options));
  if (images.length === 0) return { diagnostics, images: [] };
  const cache = createNativeCache();
  const modules: LoweredModule[] = [];
  for (const { module, origins } of images) {
    try {
      modules.push(lowerModule(module, target, origins, cache));
    } catch (error) {
      if (!(error instanceof LowerError)) throw error;
      const problem = describeLowerError(error, module, target, (path) => options.readFile(libraryPath(path, options.libDirectory)));
      return { diagnostics: [...diagnostics, problem], images: [] };
    }
  }
  const placed = place(modules, machine, loadEntry(target, machine, options.libDirectory));
  return {
    diagnostics,
    images: images.map((image, index) => {
      const native = placed[index];
      if (native === undefined) throw new Error(`the image of ${image.path} has no place`);
      return { ...image, native };
    }),
  };
}

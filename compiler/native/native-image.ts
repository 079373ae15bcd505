// A linked program for one machine: bytes for one address, and what debuggers, reports and file formats want to know of them.
// The linker makes it, compiler/images writes files from it, and hosts find source lines for addresses in it. Plain data.

import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { FrameEvent } from "./frame.ts";

export interface NativeImage {
  readonly target: string;
  readonly machine: string;
  /** Of the guest's memory. */
  readonly layout: DataLayout;
  /** Where what is read only is linked for and loaded. */
  readonly base: bigint;
  /** What a file holds: what is read only, then the initial contents of what is written. */
  readonly bytes: Uint8Array;
  /** Without what fills the last page. */
  readonly readonlySize: number;
  /** In `bytes`, a multiple of 4096. */
  readonly writableOffset: number;
  /** Where what is written is linked for. Alone that is right behind, so that `bytes` can be loaded as they are. */
  readonly writableBase: bigint;
  /** Memory from `writableBase` on, with zero-initialised data, stacks and save areas. */
  readonly writableSize: number;
  /** Null: the image is alone. */
  readonly pack: PackPlace | null;
  readonly entry: bigint;
  /** Labels of the entry assembly by name, absolute. */
  readonly labels: ReadonlyMap<string, bigint>;
  /** In ascending order of address. */
  readonly symbols: readonly NativeSymbol[];
  /** In ascending order of address; a line holds until the next. */
  readonly lines: readonly NativeLine[];
  readonly files: readonly string[];
  /** In ascending order of address; code that is not here is entered by calls and calls nothing. */
  readonly frames: readonly NativeFrame[];
  readonly codeStart: bigint;
  readonly codeEnd: bigint;
  /** Offset in `bytes` of the built-in command line: `COMMAND_LINE_SIZE` bytes, zero-terminated. */
  readonly commandLineOffset: number;
}

/** As the linker gives it. */
export interface LinkedImage extends NativeImage {
  /** `lines` as numbers, `LINE_COLUMNS` for each: distance from `codeStart`, file, line, column. An image has thousands. */
  readonly lineTable: Int32Array;
}

/** What a run needs; what debuggers unwind by may be left out. */
export type RunnableImage = Omit<NativeImage, "frames"> & Partial<Pick<NativeImage, "frames">>;

export const COMMAND_LINE_SIZE = 1024;
export const PAGE_SIZE = 4096;

/** Where the pack is that an image is linked for (docs/native.md, 9). */
export interface PackPlace {
  /** All that is read only: the loader and every image's code, constants and initial contents. */
  readonly start: bigint;
  readonly end: bigint;
  /** Where an image that is running calls the loader. */
  readonly load: bigint;
  /** Of the CPU blocks. */
  readonly cpus: bigint;
}

/** The first free address is `base` plus this, for an image whose bytes can be loaded as they are. */
export function flatMemorySize({ base, writableOffset, writableBase, writableSize }: NativeImage): number {
  if (writableBase !== base + BigInt(writableOffset)) throw new Error("an image of a pack is no flat image");
  return writableOffset + writableSize;
}

/** Of images that were placed together. */
export function imageAt(placed: readonly LinkedImage[], index: number): LinkedImage {
  const image = placed[index];
  if (image === undefined) throw new Error(`image ${index} has no place`);
  return image;
}

export interface NativeSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  readonly kind: "function" | "object";
  /** Of a compiled function, and of entry assembly that calls one and goes on. */
  readonly frame?: SymbolFrame;
}

/** What a function has taken of the stack wherever it calls another one; the call itself may have pushed the return address before. */
export interface SymbolFrame {
  readonly bytes: number;
  /** Where the return address is, so many bytes below the stack pointer as it was before the call; 0: still in its register. */
  readonly returnBelow: number;
}

export interface NativeFrame {
  readonly address: bigint;
  readonly size: number;
  readonly events: readonly FrameEvent[];
}

export interface NativeLine {
  readonly address: bigint;
  /** Index into `files`; -1: no source. */
  readonly file: number;
  readonly line: number;
  readonly column: number;
}

export const LINE_COLUMNS = 4;

export function linesOf(table: Int32Array, codeStart: bigint): readonly NativeLine[] {
  return Array.from({ length: table.length / LINE_COLUMNS }, (_, index): NativeLine => {
    const at = index * LINE_COLUMNS;
    return { address: codeStart + BigInt(table[at] ?? 0), file: table[at + 1] ?? -1, line: table[at + 2] ?? 0, column: table[at + 3] ?? 0 };
  });
}

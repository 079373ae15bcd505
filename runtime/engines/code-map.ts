// Where a code address is in the sources. Reports ask this and nothing else of an image's code, so that a failure reads the same
// whether guest bytecode ran or machine code: there an address is function and instruction, here it is what the linker's symbol
// and line tables say.

import type { NativeImage } from "../../compiler/native/native-image.ts";
import type { Module } from "../../isa/bytecode/module.ts";

export interface CodePlace {
  readonly function: string;
  /** Null: the code has no source. */
  readonly source: { readonly path: string; readonly line: number; readonly column: number } | null;
}

export interface CodeMap {
  /** Null: no code of the image is there. */
  locate(pc: bigint): CodePlace | null;
}

/** Bytecode: the upper bits are the function's number, from 1, the lower 16 the instruction's. */
export function mapBytecode({ functions, locations, files }: Pick<Module, "functions" | "locations" | "files">): CodeMap {
  return {
    locate(pc) {
      const named = pc > 0xffff_ffff_ffffn ? undefined : functions[Math.floor(Number(pc) / 0x1_0000) - 1];
      if (named === undefined) return null;
      // The entry of a function is a place too: that of its first instruction that has one.
      const start = Number(pc) % 0x1_0000;
      const at = named.body.slice(start).find((instruction) => instruction.at >= 0)?.at ?? -1;
      const location = locations[at];
      const path = location === undefined ? undefined : files[location.file];
      if (location === undefined || path === undefined) return { function: named.name, source: null };
      return { function: named.name, source: { path, line: location.line, column: location.column } };
    },
  };
}

/** The last entry at or below the address, of entries in ascending order. */
export function lastAtOrBelow<T extends { readonly address: bigint }>(entries: readonly T[], address: bigint): T | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.address ?? 0n) <= address) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}

/** Names and lines are asked of the image when somebody wants a place: an image from the cache has not decoded them. */
export function mapNative(image: Pick<NativeImage, "symbols" | "lines" | "files" | "codeStart" | "codeEnd">): CodeMap {
  let functions: NativeImage["symbols"] | null = null;
  return {
    locate(pc) {
      const { lines, files, codeStart, codeEnd } = image;
      functions ??= image.symbols.filter(({ kind }) => kind === "function");
      const named = lastAtOrBelow(functions, pc);
      // Entry assembly stands outside of the functions and has symbols without a size.
      if (named === undefined || (named.size > 0 && pc >= named.address + BigInt(named.size))) return null;
      const isCompiled = pc >= codeStart && pc < codeEnd;
      const place = isCompiled ? lastAtOrBelow(lines, pc) : undefined;
      const path = place === undefined ? undefined : files[place.file];
      if (place === undefined || path === undefined) return { function: named.name, source: null };
      return { function: named.name, source: { path, line: place.line, column: place.column } };
    },
  };
}

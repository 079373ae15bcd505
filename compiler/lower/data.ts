// Constants as bytes of guest memory, in the layout's order and width. Slices and strings become an address (a relocation) and a
// length; their contents are read-only symbols of their own.

import type { DataLayout, Relocation } from "../../isa/bytecode/module.ts";
import { asInteger } from "../check/constants.ts";
import type { ConstValue, Global, HFunction } from "../hir.ts";
import { sizeOf, U8, type Type } from "../types.ts";

/** What constants refer to, by its number in the image. */
export interface ConstantPool {
  readonly layout: DataLayout;
  functionOfDeclared(fn: HFunction): number;
  symbolOf(global: Global): number;
  bytesSymbol(bytes: Uint8Array): number;
  listSymbol(element: Type, value: ConstValue & { readonly kind: "list" }): number;
}

function writeInteger(bytes: Uint8Array, offset: number, size: number, value: bigint, endian: "little" | "big"): void {
  // Halves as numbers: tables have many integers, and a bigint operation for each byte is what would take the time.
  const exact = Number(value);
  const isExact = exact >= 0 && exact <= Number.MAX_SAFE_INTEGER;
  const bits = isExact ? 0n : BigInt.asUintN(64, value);
  let half = isExact ? exact >>> 0 : Number(bits & 0xffff_ffffn);
  for (let i = 0; i < size; i++) {
    if (i === 4) half = isExact ? Math.floor(exact / 2 ** 32) : Number(bits >> 32n);
    bytes[endian === "little" ? offset + i : offset + size - 1 - i] = half & 0xff;
    half >>>= 8;
  }
}

export function writeConst(pool: ConstantPool, bytes: Uint8Array, relocations: Relocation[], offset: number, type: Type, value: ConstValue): void {
  const { layout } = pool;
  if (value.kind === "zero") return;
  switch (type.kind) {
    case "array":
      writeElements(pool, bytes, relocations, offset, type.element, value);
      return;
    case "struct":
      if (value.kind === "struct") {
        for (let i = 0; i < type.fields.length; i++) {
          const field = type.fields[i];
          const part = value.fields[i];
          if (field !== undefined && part !== undefined) writeConst(pool, bytes, relocations, offset + field.offset, field.type, part);
        }
      }
      return;
    case "str":
    case "slice": {
      const { symbol, length } = sliceContents(pool, type, value);
      if (symbol !== null) relocations.push({ kind: "data", offset, symbol, addend: 0 });
      writeInteger(bytes, offset + layout.addressBytes, layout.addressBytes, BigInt(length), layout.endian);
      return;
    }
    case "fn":
      if (value.kind === "function") relocations.push({ kind: "function", offset, function: pool.functionOfDeclared(value.function) });
      return;
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "comptime-int":
      if (value.kind === "address") relocations.push({ kind: "data", offset, symbol: pool.symbolOf(value.global), addend: 0 });
      else writeInteger(bytes, offset, sizeOf(type, layout).size, asInteger(value) ?? 0n, layout.endian);
      return;
    case "interface":
      if (asInteger(value) !== 0n) throw new Error("the only constant of an interface is its null pointer");
      return;
    case "regs":
    case "void":
    case "error":
      throw new Error(`a ${type.kind} has no constant form`);
  }
}

function writeElements(pool: ConstantPool, bytes: Uint8Array, relocations: Relocation[], offset: number, element: Type, value: ConstValue): void {
  if (value.kind === "bytes") {
    bytes.set(value.bytes, offset);
    return;
  }
  if (value.kind !== "list") return;
  const { size } = sizeOf(element, pool.layout);
  let at = offset;
  for (const item of value.items) {
    writeConst(pool, bytes, relocations, at, element, item);
    at += size;
  }
}

/** Where the elements of a constant slice or string lie. */
export function sliceContents(
  pool: ConstantPool,
  type: Type & { kind: "str" | "slice" },
  value: ConstValue,
): { readonly symbol: number | null; readonly length: number } {
  if (value.kind === "bytes") return { symbol: value.bytes.length === 0 ? null : pool.bytesSymbol(value.bytes), length: value.bytes.length };
  if (value.kind !== "list" || value.items.length === 0) return { symbol: null, length: 0 };
  const { length } = value.items;
  return { symbol: pool.listSymbol(type.kind === "slice" ? type.element : U8, value), length };
}

// What the support functions of a translation (translate-support.ts) are made of: their description, and how they hand values to JavaScript, by cells of the
// state and calls of imports.

import { STATE_MEMORY } from "./translate-context.ts";
import type { TranslationContext } from "./translate-context.ts";
import { I32, I64, OP } from "../wasm/encoder.ts";
import type { ByteWriter, ValueType } from "../wasm/encoder.ts";
import { CELL, importIndex } from "./wasm-state.ts";
import type { ImportName } from "./wasm-state.ts";

export type SupportContext = Pick<TranslationContext, "module" | "options" | "wideAddress" | "state" | "writableStart" | "writableEnd">;

export interface SupportFunction {
  readonly name: string;
  /** "A" is the address type. */
  readonly params: readonly (ValueType | "A")[];
  readonly results: readonly ValueType[];
  readonly locals?: readonly ValueType[];
  readonly write: (w: ByteWriter, context: SupportContext) => void;
}

export function pushCell(w: ByteWriter, op: number, cell: number): void {
  w.i32Const(0);
  w.memory(op, STATE_MEMORY, cell);
}

/** Stores a local into a cell; addresses and narrow values are zero-extended to 64 bits. */
export function storeCell(w: ByteWriter, cell: number, local: number, type: ValueType): void {
  w.i32Const(0);
  w.localGet(local);
  if (type === I32) w.byte(OP.i64_extend_i32_u);
  w.memory(OP.i64_store, STATE_MEMORY, cell);
}

export function storeFuel(w: ByteWriter, local: number): void {
  w.i32Const(0);
  w.localGet(local);
  w.memory(OP.i32_store, STATE_MEMORY, CELL.fuel);
}

export function callImport(w: ByteWriter, name: ImportName, ...locals: number[]): void {
  for (const local of locals) w.localGet(local);
  w.call(importIndex(name));
}

export function addressType(context: SupportContext): ValueType {
  return context.wideAddress ? I64 : I32;
}

/** Pushes a local of the address type as i64. */
export function pushWide(w: ByteWriter, context: SupportContext, local: number): void {
  w.localGet(local);
  if (!context.wideAddress) w.byte(OP.i64_extend_i32_u);
}

// What the generators of the interpreter and of regions share about the machine's memory: instructions that load and store by width, and
// the cells of the hart's state (state.ts), which both address by constants.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { OP, type ByteWriter } from "../wasm/encoder.ts";
import { MSTATUS } from "./hart.ts";
import { CELL, TLB } from "./state.ts";

/** Where things are in the machine's memory, which generated code has baked in. */
export interface MemoryLayout {
  readonly stateOffset: number;
  readonly dirtyOffset: number;
  /** The machine's log of accesses (access-log.ts). */
  readonly logOffset: number;
  readonly width: RegisterWidth;
}

/** Index of the memory. */
export const RAM = 0;
export const PAGE_MASK = 0xfff;
/** mstatus.FS: floating-point registers may be written without telling anybody. */
export const FLOAT_STATE_DIRTY = Number(MSTATUS.FS);
/** Upper half of a boxed single. */
export const BOX = -0x1_0000_0000n;

export const LOAD_OPCODES = {
  1: { signed: OP.i64_load8_s, unsigned: OP.i64_load8_u },
  2: { signed: OP.i64_load16_s, unsigned: OP.i64_load16_u },
  4: { signed: OP.i64_load32_s, unsigned: OP.i64_load32_u },
  8: { signed: OP.i64_load, unsigned: OP.i64_load },
} as const;
export const STORE_OPCODES = { 1: OP.i64_store8, 2: OP.i64_store16, 4: OP.i64_store32, 8: OP.i64_store } as const;

export function writeCell(w: ByteWriter, layout: MemoryLayout, opcode: number, cell: number, value: () => void): void {
  w.i32Const(0);
  value();
  w.memory(opcode, RAM, layout.stateOffset + cell);
}

export function readCell(w: ByteWriter, layout: MemoryLayout, opcode: number, cell: number): void {
  w.i32Const(0);
  w.memory(opcode, RAM, layout.stateOffset + cell);
}

/** RV32: an address has 32 bits, and leaves zeros above them. */
export function wrapAddress(w: ByteWriter, { width }: MemoryLayout): void {
  if (width === 64) return;
  w.byte(OP.i32_wrap_i64);
  w.byte(OP.i64_extend_i32_u);
}

/** From here on the mode is that of the local, and so are the caches of translations: their place goes to `tlb`, a local too. */
export function emitModeSwitch(w: ByteWriter, layout: MemoryLayout, { mode, tlb }: { readonly [local in "mode" | "tlb"]: number }): void {
  writeCell(w, layout, OP.i32_store, CELL.mode, () => w.localGet(mode));
  writeCell(w, layout, OP.i32_store, CELL.tlb, () => {
    // The sets of caches are in the order of the modes; the odd one out, with MPRV, is the cold path's.
    w.localGet(mode);
    w.withConst(TLB.bytes, OP.i32_mul);
    readCell(w, layout, OP.i32_load, CELL.caches);
    w.byte(OP.i32_add);
    w.localTee(tlb);
  });
}

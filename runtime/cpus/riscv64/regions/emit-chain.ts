// How one region leads to another, which takes its place (docs/adr/0039): by a guess of where the other is, from its pc alone; the region that
// is found sees for itself whether it is meant, and otherwise goes by the cache of regions. With no region there, control returns to the
// caller, or the dispatcher. What regions, the interpreter and the translator have to agree about stands here too.

import { OP, VOID, type ByteWriter } from "../../wasm/encoder.ts";
import { RAM, readCell, type MemoryLayout } from "../emit-memory.ts";
import { CELL, REGION_CACHE } from "../state.ts";
import { BUDGET, DEPTH, type Places } from "./emit-instruction.ts";

/** Calls of the guest that may be nested on the host's stack; a region's frame takes a few hundred bytes of it. */
const NESTED_CALLS = 256;

/**
 * A region's second parameter: how many calls may still be nested, above two bits. `cut`: nobody below can go on when the region returns. So
 * it is at the bottom, and above it where the mode has changed since the call: those below hold on to addresses of the mode before.
 * `guessed`: the region was found by where its pc lies in the chain table, and has to see for itself whether it is meant.
 */
export const STATE = { cut: 1, guessed: 2, nested: 4 } as const;
export const BOTTOM = NESTED_CALLS * STATE.nested + STATE.cut;

/** Function indexes and the type of regions in the module (region-module.ts). */
export const COLD_DOOR = 0;
export const DEVICE_DOOR = 1;
export const SELF = 2;
export const REGION_TYPE = 0;
export const TABLE = { regions: 0, chain: 1 } as const;
export const GLOBAL = { sites: 0, index: 1 } as const;

/** Of a region: what these need to know of it. */
export interface ChainEmitter {
  readonly w: ByteWriter;
  readonly places: Places;
  readonly options: MemoryLayout & { readonly pc: bigint };
}

/** Whether there are callers, but none that can go on: leaves 0 or 1 on the stack. */
export function emitIsCut(w: ByteWriter, depth: number): void {
  w.localGet(depth);
  w.withConst(STATE.cut, OP.i32_and);
  w.localGet(depth);
  w.withConst(STATE.guessed, OP.i32_or);
  w.withConst(BOTTOM | STATE.guessed, OP.i32_ne);
  w.byte(OP.i32_and);
}

/** To the caller, or the dispatcher, which finds the way on from the pc in `places.pc`. With bit 0 set no caller goes on. */
export function emitReturn({ w, places }: ChainEmitter): void {
  w.localGet(places.pc);
  emitIsCut(w, DEPTH);
  w.byte(OP.i64_extend_i32_u);
  w.byte(OP.i64_or);
  w.localGet(BUDGET);
  w.byte(OP.return);
}

/**
 * On to the region at the pc in `places.pc`, or at one that is known, which takes this one's place: a guess by the pc alone, so that nothing
 * has to be loaded before the next region begins. Registers are in their cells.
 */
export function emitChain({ w, places }: ChainEmitter, known?: bigint): void {
  w.localGet(BUDGET);
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_or);
  if (known === undefined) w.localGet(places.pc);
  else w.i64Const(known);
  emitGuess(w, places, known);
  w.op(OP.return_call_indirect, REGION_TYPE);
  w.byte(TABLE.chain);
}

/** As `emitChain`; where the pc is the likely one the way on hangs on nothing that has to be loaded, which more than halves the time that it takes. */
export function emitLikelyChain(r: ChainEmitter, likely: bigint): void {
  const { w, places } = r;
  w.localGet(places.pc);
  w.i64Const(likely);
  w.byte(OP.i64_eq);
  w.byte(OP.if);
  w.byte(VOID);
  emitChain(r, likely);
  w.byte(OP.end);
  emitChain(r);
}

/** The place in the chain table of the pc in `places.pc`, or of one that is known. */
export function emitGuess(w: ByteWriter, places: Places, known: bigint | undefined): void {
  if (known !== undefined) return w.i32Const(regionSlot(known));
  w.localGet(places.pc);
  w.byte(OP.i32_wrap_i64);
  w.localTee(places.at);
  w.withConst(1, OP.i32_shr_u);
  w.localGet(places.at);
  w.withConst(10, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst(REGION_CACHE.entries - 1, OP.i32_and);
}

/** Where the translation caches are that are in force: not all regions ask them. */
export function emitTranslationCaches({ w, places, options }: ChainEmitter): void {
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(places.tlb);
}

/**
 * In front of everything: a region that was guessed sees whether it is of the pc that is wanted, and whether the cache has it at its place,
 * where an empty entry has no region's index; or goes where the cache says.
 */
export function emitCheckGuess(r: ChainEmitter): void {
  const { w, places, options } = r;
  const slot = REGION_CACHE.start + regionSlot(options.pc) * REGION_CACHE.entryBytes;
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_and);
  w.byte(OP.if);
  w.byte(VOID);
  emitTranslationCaches(r);
  w.localGet(DEPTH);
  w.withConst(STATE.guessed, OP.i32_xor);
  w.localSet(DEPTH);
  w.localGet(places.pc);
  w.i64Const(options.pc);
  w.byte(OP.i64_ne);
  w.localGet(places.tlb);
  w.memory(OP.i32_load, RAM, slot + REGION_CACHE.index);
  w.op(OP.global_get, GLOBAL.index);
  w.byte(OP.i32_ne);
  w.byte(OP.i32_or);
  w.byte(OP.if);
  w.byte(VOID);
  emitLookup(r);
  w.localGet(BUDGET);
  w.localGet(DEPTH);
  w.localGet(places.pc);
  w.localGet(places.at);
  w.op(OP.return_call_indirect, REGION_TYPE);
  w.byte(TABLE.regions);
  w.byte(OP.end);
  w.byte(OP.end);
}

/** The dispatcher's cache: leaves the function that belongs to the pc in `places.pc` in `places.at`, or returns. */
function emitLookup(r: ChainEmitter): void {
  const { w, places } = r;
  emitRegionMiss(w, places);
  w.byte(OP.if);
  w.byte(VOID);
  emitReturn(r);
  w.byte(OP.end);
  w.localGet(places.slot);
  w.memory(OP.i32_load, RAM, REGION_CACHE.start + REGION_CACHE.index);
  w.localSet(places.at);
}

/** Number of the pc's place in the chain table, and of the first of its two places in the cache of regions. */
export function regionSlot(pc: bigint): number {
  const low = Number(pc & 0xffff_ffffn);
  return ((low >>> 1) ^ (low >>> 10)) & (REGION_CACHE.entries - 1);
}

/**
 * Looks for the pc in `pc` in the cache of regions: `slot` becomes its place there, and what is left on the stack is 0 if the place is its own. There
 * are two that may be, since two hot places that have one in common would be looked for in TypeScript each time.
 */
export function emitRegionMiss(w: ByteWriter, { pc, tlb, slot }: { readonly pc: number; readonly tlb: number; readonly slot: number }): void {
  w.localGet(pc);
  w.byte(OP.i32_wrap_i64);
  w.withConst(3, OP.i32_shl);
  w.localGet(pc);
  w.byte(OP.i32_wrap_i64);
  w.withConst(6, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst((REGION_CACHE.entries - 1) * REGION_CACHE.entryBytes, OP.i32_and);
  w.withLocal(tlb, OP.i32_add);
  w.localTee(slot);
  w.localGet(slot);
  w.memory(OP.i64_load, RAM, REGION_CACHE.start + REGION_CACHE.tag);
  w.withLocal(pc, OP.i64_ne);
  w.withConst(Math.log2(REGION_CACHE.entryBytes), OP.i32_shl);
  w.byte(OP.i32_xor);
  w.localTee(slot);
  w.memory(OP.i64_load, RAM, REGION_CACHE.start + REGION_CACHE.tag);
  w.withLocal(pc, OP.i64_ne);
}

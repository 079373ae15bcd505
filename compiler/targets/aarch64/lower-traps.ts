// Traps that code finds by itself: a BRK whose immediate says what was found (docs/native.md, 5). The address of an access is in x16,
// the value of any other trap in x17; `platform.read_trap` reads no more than that.

import type { Emission } from "../../native/emission.ts";
import type { ComputeItem } from "../../native/items.ts";
import { TRAP_MARK, trapPayload, type ReadTrap, type SoftwareTrap } from "../../native/abi.ts";
import { enc } from "./encoding.ts";
import { addOffset, bring, loadValue, T0, T1, T2 } from "./values.ts";

export function writeTrap(e: Emission, trap: SoftwareTrap): void {
  e.word(enc.brk((TRAP_MARK.half << 8) | trapPayload(trap)));
}

/** `from`: what holds the address of an access; a trap without one says the value 0. */
export function trapHere(e: Emission, trap: SoftwareTrap, from: { readonly base: number; readonly offset: number } | null = null): void {
  if (from === null) loadValue(e, T1, 0n);
  else addOffset(e, T0, from.base, from.offset, T2);
  writeTrap(e, trap);
}

/** `trap CLASS value`. */
export function lowerTrap(e: Emission, item: ComputeItem): void {
  bring(e, T1, e.location(item.src[0] ?? 0));
  writeTrap(e, { class: Number(item.imm[0]), access: 0, width: 0 });
}

/** For listings: brk #imm16. */
export const readTrap: ReadTrap = (view, offset) => {
  if (offset + 4 > view.byteLength) return null;
  const word = view.getUint32(offset, true);
  if ((word & 0xffe0_001f) >>> 0 !== 0xd420_0000) return null;
  const half = (word >>> 5) & 0xffff;
  return half >>> 8 === TRAP_MARK.half ? { payload: half & 0xff, dataLength: 0 } : null;
};

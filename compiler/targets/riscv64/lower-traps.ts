// Traps that code finds by itself: an instruction that is always illegal, followed by a word that says what was found
// (docs/native.md, 5). The address of an access is in t0, the value of what is no access in t1, unless it is marked to have none.

import type { Emission } from "../../native/emission.ts";
import type { ComputeItem } from "../../native/items.ts";
import { TRAP_MARK, trapPayload, type ReadTrap, type SoftwareTrap } from "../../native/abi.ts";
import { put } from "./compress.ts";
import { enc } from "./encoding.ts";
import { bring, T0, T1 } from "./values.ts";

/** For the trap's payload: no access, and no value either. A width has no other meaning there. */
export const NO_VALUE = { access: 0, width: 8 } as const;

function writeTrap(e: Emission, trap: SoftwareTrap): void {
  e.word(enc.unimp);
  e.word((TRAP_MARK.word << 16) | trapPayload(trap));
}

/** `from`: what holds the address, for traps of an access; nothing else is looked at then, and nothing at all where there is none. */
export function trapHere(e: Emission, trap: SoftwareTrap, from: { readonly base: number; readonly offset: number } | null = null): void {
  if (from !== null && (from.base !== T0 || from.offset !== 0)) put(e, enc.addi(T0, from.base, from.offset));
  writeTrap(e, trap);
}

/** `trap CLASS value`. */
export function lowerTrap(e: Emission, item: ComputeItem): void {
  bring(e, T1, e.location(item.src[0] ?? 0));
  writeTrap(e, { class: Number(item.imm[0]), access: 0, width: 0 });
}

/** For listings: unimp (csrrw x0, cycle, x0), then a word. */
export const readTrap: ReadTrap = (view, offset) => {
  if (offset + 8 > view.byteLength || view.getUint32(offset, true) !== 0xc000_1073) return null;
  const word = view.getUint32(offset + 4, true);
  return word >>> 16 === TRAP_MARK.word ? { payload: word & 0xffff, dataLength: 4 } : null;
};

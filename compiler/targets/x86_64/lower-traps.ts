// Traps that code finds by itself: `ud1`, which is always illegal, with an address in it that is never used and says what was found
// (docs/native.md, 5). The trap's address is in rax where it is about an access, its value in rdx where it is not: bounds checks are
// the most frequent thing in an image, so that their ends are worth every byte.

import type { Emission } from "../../native/emission.ts";
import type { ComputeItem } from "../../native/items.ts";
import { trapPayload, type ReadTrap, type SoftwareTrap } from "../../native/abi.ts";
import { OPCODES, withMemory, type Memory } from "./encoding.ts";
import { addressOf, bring, clear, RAX, RBP, RDX, RSP } from "./values.ts";

/** `ud1 esp, [rbp + disp8]`, which nobody else has a use for: the displacement is what the trap vector reads. */
function writeTrap(e: Emission, trap: SoftwareTrap): void {
  withMemory(e, OPCODES.ud1, RSP, { kind: "base", base: RBP, offset: (trapPayload(trap) << 24) >> 24 });
}

/** A trap that is about nothing. */
export function trapHere(e: Emission, trapClass: number): void {
  clear(e, RDX);
  writeTrap(e, { class: trapClass, access: 0, width: 0 });
}

/** `from`: what holds the address; null: rax does. */
export function trapAtAccess(e: Emission, trap: SoftwareTrap, from: Memory | null = null): void {
  if (from !== null) addressOf(e, RAX, from);
  writeTrap(e, trap);
}

/** A trap with a value and no address. */
export function trapWithValue(e: Emission, trapClass: number, value: bigint): void {
  bring(e, RDX, { kind: "constant", value });
  writeTrap(e, { class: trapClass, access: 0, width: 0 });
}

/** `trap CLASS value`. */
export function lowerTrap(e: Emission, item: ComputeItem): void {
  bring(e, RDX, e.location(item.src[0] ?? 0));
  writeTrap(e, { class: Number(item.imm[0]), access: 0, width: 0 });
}

/** For listings: ud1 esp, [rbp + disp8]. */
export const readTrap: ReadTrap = (view, offset) => {
  if (offset + 4 > view.byteLength || (view.getUint32(offset, true) & 0xff_ffff) !== 0x65_b90f) return null;
  return { payload: view.getUint8(offset + 3), dataLength: 0 };
};

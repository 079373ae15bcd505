// Traps that code finds by itself: `ud1`, which is always illegal, with an address in it that is never used and says what was found
// (docs/native.md, 5). The trap's address is in rax, its value in rdx.

import type { Emission } from "../../native/emission.ts";
import type { ComputeItem } from "../../native/items.ts";
import { TRAP_MARK, trapPayload, type SoftwareTrap } from "../../native/abi.ts";
import { OPCODES, withMemory, type Memory } from "./encoding.ts";
import { bring, clear, RAX, RDX } from "./values.ts";

/** `ud1 eax, [rax + disp32]`: the displacement is what the trap vector reads. */
function writeTrap(e: Emission, trap: SoftwareTrap): void {
  withMemory(e, OPCODES.ud1, RAX, { kind: "base", base: RAX, offset: (TRAP_MARK.word << 16) | trapPayload(trap) });
}

/** `from`: what holds the address; a trap without one says 0. */
export function trapHere(e: Emission, trap: SoftwareTrap, from: Memory | null = null): void {
  if (from === null) clear(e, RAX);
  else withMemory(e, OPCODES.lea[64], RAX, from);
  clear(e, RDX);
  writeTrap(e, trap);
}

/** As `trapHere`, the address being in rax. */
export function trapWithAddress(e: Emission, trap: SoftwareTrap): void {
  clear(e, RDX);
  writeTrap(e, trap);
}

/** A trap with a value and no address. */
export function trapWithValue(e: Emission, trapClass: number, value: bigint): void {
  bring(e, RDX, { kind: "constant", value });
  clear(e, RAX);
  writeTrap(e, { class: trapClass, access: 0, width: 0 });
}

/** `trap CLASS value`. */
export function lowerTrap(e: Emission, item: ComputeItem): void {
  bring(e, RDX, e.location(item.src[0] ?? 0));
  clear(e, RAX);
  writeTrap(e, { class: Number(item.imm[0]), access: 0, width: 0 });
}

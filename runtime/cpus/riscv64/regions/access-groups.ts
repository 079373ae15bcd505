// Accesses of a block that go out from the same value of a base register are near each other: saved registers, fields, elements. Where
// addresses are physical one comparison answers for all of them, in front of the first. It may leave the region for a later one's sake:
// the interpreter then executes them one by one, and nothing shows. Both pages of a group of stores may be stored to, so that none need be aligned.

import { registerWritten } from "./flow.ts";
import type { RegionInstruction } from "./graph.ts";

export interface AccessGroup {
  readonly isWrite: boolean;
  readonly base: number;
  /** Offsets of the first byte and behind the last one. */
  low: number;
  high: number;
  readonly first: RegionInstruction;
}

/** A page must not lie between the first and the last byte. */
const MAX_SPAN = 2048;

function accessOf({ operation }: RegionInstruction): { readonly width: number; readonly isWrite: boolean } | undefined {
  if (operation.kind === "load") return { width: operation.meaning.width, isWrite: false };
  if (operation.kind === "store") return { width: operation.meaning.width, isWrite: true };
  return undefined;
}

/** Whether the access fits in; the group grows by it if so. */
function join(group: AccessGroup, imm: number, width: number): boolean {
  const low = Math.min(group.low, imm);
  const high = Math.max(group.high, imm + width);
  if (high - low > MAX_SPAN) return false;
  group.low = low;
  group.high = high;
  return true;
}

/** The group of each access that shares one. */
export function groupAccesses(instructions: readonly RegionInstruction[]): ReadonlyMap<RegionInstruction, AccessGroup> {
  const open = new Map<number, { readonly group: AccessGroup; readonly members: RegionInstruction[] }>();
  const groups = new Map<RegionInstruction, AccessGroup>();
  const keyOf = (base: number, isWrite: boolean): number => base * 2 + (isWrite ? 1 : 0);
  const close = (key: number): void => {
    const found = open.get(key);
    open.delete(key);
    if (found === undefined || found.members.length < 2) return;
    for (const member of found.members) groups.set(member, found.group);
  };
  for (const instruction of instructions) {
    const access = accessOf(instruction);
    const base = instruction.rs1;
    if (access !== undefined && base !== 0) {
      const key = keyOf(base, access.isWrite);
      const found = open.get(key);
      if (found !== undefined && join(found.group, instruction.imm, access.width)) found.members.push(instruction);
      else {
        close(key);
        const { imm } = instruction;
        const group = { isWrite: access.isWrite, base, low: imm, high: imm + access.width, first: instruction };
        open.set(key, { group, members: [instruction] });
      }
    }
    const written = registerWritten(instruction);
    if (written !== 0) {
      const register = 31 - Math.clz32(written);
      close(keyOf(register, false));
      close(keyOf(register, true));
    }
  }
  for (const key of open.keys()) close(key);
  return groups;
}

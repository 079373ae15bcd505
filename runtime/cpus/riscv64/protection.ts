// Physical memory protection: which modes may do what to a range of physical addresses. Manual: RISC-V Instruction Set Manual Volume II,
// 20211203, 3.7. 16 entries of 4-byte granularity, as QEMU's rv64 has. The answer also says whether it holds for the whole page, since
// only then a translation cache may remember it.

import { MODE, PMP_ENTRIES, type Hart, type Mode } from "./hart.ts";

export type Access = "read" | "write" | "execute";

const PERMISSION: Readonly<Record<Access, number>> = { read: 1, write: 2, execute: 4 };
const MATCHING_SHIFT = 3;
const LOCKED = 0x80;
/** Address matching (table 3.10). */
const TOR = 1;
const NA4 = 2;
const NAPOT = 3;
const PAGE = 0x1000n;

/** First and last byte + 1 of an entry, or null if it is off. */
function rangeOf(hart: Hart, entry: number): { readonly start: bigint; readonly end: bigint } | null {
  const address = hart.pmpaddr[entry] ?? 0n;
  switch (((hart.pmpcfg[entry] ?? 0) >> MATCHING_SHIFT) & 3) {
    case TOR: {
      const start = entry === 0 ? 0n : (hart.pmpaddr[entry - 1] ?? 0n) << 2n;
      return { start, end: address << 2n };
    }
    case NA4:
      return { start: address << 2n, end: (address << 2n) + 4n };
    case NAPOT: {
      // Trailing ones say the size: none 8 bytes, each one more doubles it.
      const size = ((address ^ (address + 1n)) + 1n) << 2n;
      const start = (address << 2n) & ~(size - 1n);
      return { start, end: start + size };
    }
    default:
      return null;
  }
}

export interface ProtectionAnswer {
  readonly isAllowed: boolean;
  /** The same answer holds for every byte of the page. */
  readonly isWholePage: boolean;
}

const ALLOWED: ProtectionAnswer = { isAllowed: true, isWholePage: true };

export function checkProtection(hart: Hart, address: bigint, width: number, access: Access, mode: Mode): ProtectionAnswer {
  if (mode === MODE.machine && !hart.hasLocks) return ALLOWED;
  const end = address + BigInt(width);
  const pageStart = address & ~(PAGE - 1n);
  const pageEnd = pageStart + PAGE;
  let isWholePage = true;
  for (let entry = 0; entry < PMP_ENTRIES; entry++) {
    const range = rangeOf(hart, entry);
    if (range === null || range.start >= pageEnd || range.end <= pageStart || range.start >= range.end) continue;
    if (range.start > pageStart || range.end < pageEnd) isWholePage = false;
    if (range.start >= end || range.end <= address) continue;
    // The entry has to hold all bytes of the access.
    if (range.start > address || range.end < end) return { isAllowed: false, isWholePage };
    const config = hart.pmpcfg[entry] ?? 0;
    const isAllowed = (mode === MODE.machine && (config & LOCKED) === 0) || (config & PERMISSION[access]) !== 0;
    return { isAllowed, isWholePage };
  }
  return { isAllowed: mode === MODE.machine, isWholePage };
}

export const hasLocks = (hart: Hart): boolean => hart.pmpcfg.some((config) => (config & LOCKED) !== 0);

export function isLocked(hart: Hart, entry: number): boolean {
  return ((hart.pmpcfg[entry] ?? 0) & LOCKED) !== 0;
}

/** A locked range of the kind that begins at the entry before it locks that address too. */
export function isAddressLocked(hart: Hart, entry: number): boolean {
  const next = hart.pmpcfg[entry + 1] ?? 0;
  return isLocked(hart, entry) || ((next & LOCKED) !== 0 && ((next >> MATCHING_SHIFT) & 3) === TOR);
}

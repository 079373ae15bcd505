// Virtual to physical addresses: the walk of the page tables, Sv39, Sv48 and Sv57. Manual: RISC-V Instruction Set Manual Volume II,
// 20211203, 4.3.2 (the algorithm), 4.4 to 4.6; Svadu (accessed and dirty bits written by hardware while menvcfg.ADUE is set, else a page
// fault as Svade says). Called when a translation cache has no answer; debuggers walk without leaving a trace.

import { MENVCFG, MODE, MSTATUS, type Hart, type Mode } from "./hart.ts";
import { checkProtection, type Access } from "./protection.ts";

/** Levels of the tables by satp.MODE (table 4.3). */
const LEVELS: Readonly<Record<number, number>> = { 8: 3, 9: 4, 10: 5 };
export const isKnownMode = (mode: number): boolean => mode === 0 || mode in LEVELS;

const PTE = { V: 1n, R: 2n, W: 4n, X: 8n, U: 16n, A: 64n, D: 128n } as const;
/** Bits that belong to extensions which are not here (N, PBMT, reserved): set, they are a page fault. */
const PTE_RESERVED = 0xffc0_0000_0000_0000n;
const PPN_SHIFT = 10n;
const PPN_MASK = (1n << 44n) - 1n;

export interface PhysicalMemory {
  /** 8 bytes of RAM, or null where there is none. */
  readonly read64: (address: bigint) => bigint | null;
  readonly write64: (address: bigint, value: bigint) => void;
}

export type Translation =
  | { readonly kind: "physical"; readonly address: bigint; readonly isWritable: boolean }
  | { readonly kind: "page-fault" }
  /** A table was not readable, or lies outside RAM. */
  | { readonly kind: "access-fault" };

const PAGE_FAULT: Translation = { kind: "page-fault" };
const ACCESS_FAULT: Translation = { kind: "access-fault" };

export function translate(hart: Hart, memory: PhysicalMemory, address: bigint, access: Access, mode: Mode, isQuiet = false): Translation {
  const { satp, mstatus } = hart.csr;
  const levels = LEVELS[Number(satp >> 60n)];
  if (mode === MODE.machine || levels === undefined) return { kind: "physical", address, isWritable: true };
  const bits = 12 + 9 * levels;
  if (BigInt.asUintN(64, BigInt.asIntN(bits, address)) !== address) return PAGE_FAULT;

  let table = (satp & PPN_MASK) << 12n;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = BigInt(12 + 9 * level);
    const at = table + ((address >> shift) & 0x1ffn) * 8n;
    const pte = memory.read64(at);
    if (pte === null || !checkProtection(hart, at, 8, "read", MODE.supervisor).isAllowed) return ACCESS_FAULT;
    if ((pte & PTE.V) === 0n || (pte & PTE_RESERVED) !== 0n || (pte & (PTE.R | PTE.W)) === PTE.W) return PAGE_FAULT;
    const base = ((pte >> PPN_SHIFT) & PPN_MASK) << 12n;
    if ((pte & (PTE.R | PTE.X)) === 0n) {
      if ((pte & (PTE.U | PTE.A | PTE.D)) !== 0n) return PAGE_FAULT;
      table = base;
      continue;
    }
    const offset = address & ((1n << shift) - 1n);
    if (!isPermitted(pte, access, mode, mstatus) || (base & ((1n << shift) - 1n)) !== 0n) return PAGE_FAULT;
    const wanted = pte | PTE.A | (access === "write" ? PTE.D : 0n);
    if (wanted !== pte && !isQuiet) {
      if ((hart.csr.menvcfg & MENVCFG.ADUE) === 0n) return PAGE_FAULT;
      if (!checkProtection(hart, at, 8, "write", MODE.supervisor).isAllowed) return ACCESS_FAULT;
      memory.write64(at, wanted);
    }
    return { kind: "physical", address: base | offset, isWritable: (wanted & PTE.D) !== 0n };
  }
  return PAGE_FAULT;
}

function isPermitted(pte: bigint, access: Access, mode: Mode, mstatus: bigint): boolean {
  if ((pte & PTE.U) !== 0n) {
    // Supervisors reach user pages while SUM is set, and never execute there (4.3.1).
    if (mode === MODE.supervisor && (access === "execute" || (mstatus & MSTATUS.SUM) === 0n)) return false;
  } else if (mode === MODE.user) return false;
  switch (access) {
    case "read":
      return (pte & PTE.R) !== 0n || ((mstatus & MSTATUS.MXR) !== 0n && (pte & PTE.X) !== 0n);
    case "write":
      return (pte & PTE.W) !== 0n;
    case "execute":
      return (pte & PTE.X) !== 0n;
  }
}

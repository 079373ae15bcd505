// Virtual to physical addresses: the walk of the page tables, Sv32, Sv39, Sv48 and Sv57. Manual: RISC-V Instruction Set Manual Volume II,
// 20211203, 4.3.2 (the algorithm), 4.3 to 4.6; Svadu (accessed and dirty bits written by hardware while menvcfg.ADUE is set, else a page
// fault as Svade says). Called when a translation cache has no answer; debuggers walk without leaving a trace.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { MENVCFG, MODE, MSTATUS, type Hart, type Mode } from "./hart.ts";
import { checkProtection, type Access } from "./protection.ts";

/** The shape of tables. */
interface Scheme {
  readonly levels: number;
  /** Bits of an address that choose an entry, at each level. */
  readonly indexBits: number;
  readonly entryBytes: 4 | 8;
}

interface Schemes {
  readonly modeShift: bigint;
  /** Of a table or page, in satp and in entries. */
  readonly pageNumberMask: bigint;
  /** By satp.MODE (table 4.3). */
  readonly byMode: Readonly<Record<number, Scheme>>;
}

const wide = (levels: number): Scheme => ({ levels, indexBits: 9, entryBytes: 8 });

const SCHEMES: Readonly<Record<RegisterWidth, Schemes>> = {
  32: { modeShift: 31n, pageNumberMask: (1n << 22n) - 1n, byMode: { 1: { levels: 2, indexBits: 10, entryBytes: 4 } } },
  64: { modeShift: 60n, pageNumberMask: (1n << 44n) - 1n, byMode: { 8: wide(3), 9: wide(4), 10: wide(5) } },
};

/** Whether satp can be written with the value. */
export function isKnownMode(width: RegisterWidth, satp: bigint): boolean {
  const { modeShift, byMode } = SCHEMES[width];
  const mode = Number(satp >> modeShift);
  return mode === 0 || mode in byMode;
}

const PTE = { V: 1n, R: 2n, W: 4n, X: 8n, U: 16n, A: 64n, D: 128n } as const;
/** Bits that belong to extensions which are not here (N, PBMT, reserved): set, they are a page fault. Entries of 32 bits have none. */
const PTE_RESERVED = 0xffc0_0000_0000_0000n;
const PPN_SHIFT = 10n;

export interface PhysicalMemory {
  /** RAM, or null where there is none. */
  readonly read: (address: bigint, width: 4 | 8) => bigint | null;
  readonly write: (address: bigint, width: 4 | 8, value: bigint) => void;
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
  const { modeShift, pageNumberMask, byMode } = SCHEMES[hart.width];
  const scheme = byMode[Number(satp >> modeShift)];
  if (mode === MODE.machine || scheme === undefined) return { kind: "physical", address, isWritable: true };
  const { levels, indexBits, entryBytes } = scheme;
  if (BigInt.asUintN(hart.width, BigInt.asIntN(12 + indexBits * levels, address)) !== address) return PAGE_FAULT;

  const indexMask = (1n << BigInt(indexBits)) - 1n;
  let table = (satp & pageNumberMask) << 12n;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = BigInt(12 + indexBits * level);
    const at = table + ((address >> shift) & indexMask) * BigInt(entryBytes);
    const pte = memory.read(at, entryBytes);
    if (pte === null || !checkProtection(hart, at, entryBytes, "read", MODE.supervisor).isAllowed) return ACCESS_FAULT;
    if ((pte & PTE.V) === 0n || (pte & PTE_RESERVED) !== 0n || (pte & (PTE.R | PTE.W)) === PTE.W) return PAGE_FAULT;
    const base = ((pte >> PPN_SHIFT) & pageNumberMask) << 12n;
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
      if (!checkProtection(hart, at, entryBytes, "write", MODE.supervisor).isAllowed) return ACCESS_FAULT;
      memory.write(at, entryBytes, wanted);
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

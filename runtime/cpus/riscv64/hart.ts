// What a hart is besides its general registers: mode and control registers, which lie in the state memory since generated code uses them
// too, and protection and counts, which only the cold path touches. Field names are the manual's (RISC-V Instruction Set Manual
// Volume II, 20211203, 2.2).

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import type { CpuState, ProcessorState, ProcessorStateValue } from "../../machine/processor.ts";
import { nameCells, type ControlCells, type CsrRecord } from "./registers.ts";
import { CELL, CSR_FIELDS } from "./state.ts";
import { createTriggers, resetTriggers, restoreTriggers, saveTriggers, type SavedTriggers, type Triggers } from "./triggers.ts";
import { areSame } from "./words.ts";

export const MODE = { user: 0, supervisor: 1, machine: 3 } as const;
export type Mode = (typeof MODE)[keyof typeof MODE];

export const PMP_ENTRIES = 16;

export interface Hart {
  readonly index: number;
  readonly width: RegisterWidth;
  mode: Mode;
  run: CpuState;
  readonly csr: CsrRecord;
  readonly pmpcfg: Uint8Array;
  readonly pmpaddr: BigUint64Array<ArrayBuffer>;
  /** Some entry binds M-mode too. Follows from pmpcfg. */
  hasLocks: boolean;
  readonly triggers: Triggers;
  /** Instructions since reset. */
  executed: number;
  /** As the cells of these names. */
  cycleBase: bigint;
  instretBase: bigint;
}

// Fields of mstatus (Volume II, 3.1.6).
export const MSTATUS = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
  /** UXL and SXL: 64 bits, fixed. RV32 has no such fields. */
  XL: (2n << 32n) | (2n << 34n),
} as const;
/** The highest bit of what mstatus and sstatus are read as. */
export const statusDirty = ({ width }: Pick<Hart, "width">): bigint => 1n << BigInt(width - 1);
export const fixedStatus = ({ width }: Pick<Hart, "width">): bigint => (width === 64 ? MSTATUS.XL : 0n);
export const MPP_SHIFT = 11n;
const FS_SHIFT = 13n;

export const MENVCFG = { FIOM: 1n, CBIE: 3n << 4n, CBCFE: 1n << 6n, CBZE: 1n << 7n, ADUE: 1n << 61n, STCE: 1n << 63n } as const;

class LiveHart implements Hart {
  readonly index: number;
  readonly width: RegisterWidth;
  readonly control: ControlCells;
  readonly csr: CsrRecord;
  run: Hart["run"] = "stopped";
  readonly pmpcfg = new Uint8Array(PMP_ENTRIES);
  readonly pmpaddr = new BigUint64Array(PMP_ENTRIES);
  hasLocks = false;
  readonly triggers: Triggers;
  executed = 0;

  constructor(index: number, width: RegisterWidth, control: ControlCells) {
    this.index = index;
    this.width = width;
    this.control = control;
    this.csr = nameCells(control);
    this.triggers = createTriggers(width);
  }

  get cycleBase(): bigint {
    return this.control.get(CELL.cycleBase);
  }

  set cycleBase(value: bigint) {
    this.control.set(CELL.cycleBase, value);
  }

  get instretBase(): bigint {
    return this.control.get(CELL.instretBase);
  }

  set instretBase(value: bigint) {
    this.control.set(CELL.instretBase, value);
  }

  get mode(): Mode {
    // Only numbers of modes are ever written there.
    return this.control.mode as Mode;
  }

  set mode(mode: Mode) {
    this.control.mode = mode;
  }
}

export function createHart(index: number, control: ControlCells, width: RegisterWidth = 64): Hart {
  const hart = new LiveHart(index, width, control);
  resetHart(hart);
  return hart;
}

/** Volume II, 3.4; what it leaves open is 0. Accessed and dirty bits are written by hardware until software says otherwise, as in QEMU. */
export function resetHart(hart: Hart): void {
  for (const field of CSR_FIELDS) hart.csr[field] = 0n;
  hart.csr.mstatus = fixedStatus(hart);
  hart.csr.menvcfg = MENVCFG.ADUE;
  // Never: a comparison with time that nobody asked for must not become an interrupt.
  hart.csr.stimecmp = (1n << 64n) - 1n;
  hart.mode = MODE.machine;
  hart.run = "stopped";
  hart.pmpcfg.fill(0);
  hart.pmpaddr.fill(0n);
  hart.hasLocks = false;
  resetTriggers(hart);
  hart.executed = 0;
  hart.cycleBase = 0n;
  hart.instretBase = 0n;
}

export function floatState(hart: Hart): number {
  return Number((hart.csr.mstatus & MSTATUS.FS) >> FS_SHIFT);
}

/** Whether an interrupt that is pending and enabled lets it go on. */
export function isAsleep(hart: Hart): boolean {
  return hart.run === "waiting" || hart.run === "suspended";
}

/** What is not in the hart's block of the state memory. */
export function saveHart(hart: Hart): ProcessorState {
  return {
    run: hart.run,
    pmpcfg: hart.pmpcfg.slice(),
    pmpaddr: [...hart.pmpaddr],
    hasLocks: hart.hasLocks,
    triggers: { ...saveTriggers(hart.triggers) },
    executed: hart.executed,
  };
}

export function loadHart(hart: Hart, state: ProcessorStateValue | undefined): { readonly isProtectionSame: boolean; readonly areTriggersSame: boolean } {
  const saved = state as ReturnType<typeof saveHart> &
    Pick<Hart, "run" | "pmpcfg" | "hasLocks" | "executed"> & {
      readonly pmpaddr: readonly bigint[];
      readonly triggers: SavedTriggers;
    };
  const isProtectionSame = hart.pmpcfg.every((config, entry) => config === saved.pmpcfg[entry]) && areSame(hart.pmpaddr, saved.pmpaddr);
  hart.run = saved.run;
  if (!isProtectionSame) {
    hart.pmpcfg.set(saved.pmpcfg);
    hart.pmpaddr.set(saved.pmpaddr);
  }
  hart.hasLocks = saved.hasLocks;
  hart.executed = saved.executed;
  return { isProtectionSame, areTriggersSame: !restoreTriggers(hart.triggers, hart.width, saved.triggers) };
}

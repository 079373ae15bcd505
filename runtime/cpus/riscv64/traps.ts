// Exceptions and interrupts: where they go, what they leave in the control registers, how one returns. Manual: RISC-V Instruction Set
// Manual Volume II, 20211203, 3.1.6 to 3.1.9, 3.3.2, 4.1.2, 4.1.3.

import { CAUSE } from "./access.ts";
import { INTERRUPT, readMip, type CsrEnvironment } from "./csrs.ts";
import { MODE, MPP_SHIFT, MSTATUS, type Hart, type Mode } from "./hart.ts";

const VECTORED = 1n;

/** In the order in which they are taken (3.1.9). */
const PRIORITY: readonly (readonly [bit: bigint, cause: number])[] = [
  [INTERRUPT.MEI, 11],
  [INTERRUPT.MSI, 3],
  [INTERRUPT.MTI, 7],
  [INTERRUPT.SEI, 9],
  [INTERRUPT.SSI, 1],
  [INTERRUPT.STI, 5],
];

/** Something is pending that the hart listens to, whether it takes it or not: a wait ends. */
export function hasWakeup(hart: Hart, env: CsrEnvironment): boolean {
  return (readMip(hart, env) & hart.csr.mie) !== 0n;
}

/** The cause of the interrupt that the hart has to take now, or null. */
export function dueInterrupt(hart: Hart, env: CsrEnvironment): number | null {
  const pending = readMip(hart, env) & hart.csr.mie;
  if (pending === 0n) return null;
  const { mideleg, mstatus } = hart.csr;
  const machine = hart.mode < MODE.machine || (mstatus & MSTATUS.MIE) !== 0n ? pending & ~mideleg : 0n;
  const supervisor = hart.mode < MODE.supervisor || (hart.mode === MODE.supervisor && (mstatus & MSTATUS.SIE) !== 0n) ? pending & mideleg : 0n;
  const due = machine !== 0n ? machine : supervisor;
  return PRIORITY.find(([bit]) => (due & bit) !== 0n)?.[1] ?? null;
}

/** Enters the handler of an exception or interrupt; the answer is where execution goes on. */
export function enterTrap(hart: Hart, cause: number, isInterrupt: boolean, value: bigint, pc: bigint): bigint {
  const { csr } = hart;
  const delegation = isInterrupt ? csr.mideleg : csr.medeleg;
  const toSupervisor = hart.mode <= MODE.supervisor && ((delegation >> BigInt(cause)) & 1n) !== 0n;
  const number = BigInt(cause) | (isInterrupt ? 1n << BigInt(hart.width - 1) : 0n);
  const status = csr.mstatus;
  let vector: bigint;
  if (toSupervisor) {
    csr.scause = number;
    csr.sepc = pc;
    csr.stval = value;
    csr.mstatus =
      (status & ~(MSTATUS.SPIE | MSTATUS.SIE | MSTATUS.SPP)) |
      ((status & MSTATUS.SIE) !== 0n ? MSTATUS.SPIE : 0n) |
      (hart.mode === MODE.supervisor ? MSTATUS.SPP : 0n);
    hart.mode = MODE.supervisor;
    vector = csr.stvec;
  } else {
    csr.mcause = number;
    csr.mepc = pc;
    csr.mtval = value;
    csr.mstatus =
      (status & ~(MSTATUS.MPIE | MSTATUS.MIE | MSTATUS.MPP)) | ((status & MSTATUS.MIE) !== 0n ? MSTATUS.MPIE : 0n) | (BigInt(hart.mode) << MPP_SHIFT);
    hart.mode = MODE.machine;
    vector = csr.mtvec;
  }
  const base = vector & ~3n;
  return isInterrupt && (vector & 3n) === VECTORED ? BigInt.asUintN(hart.width, base + 4n * BigInt(cause)) : base;
}

function modeOf(field: bigint): Mode {
  return field === 3n ? MODE.machine : field === 1n ? MODE.supervisor : MODE.user;
}

/** `mret`; the answer is where execution goes on. */
export function returnFromMachine(hart: Hart): bigint {
  const { csr } = hart;
  const status = csr.mstatus;
  const mode = modeOf((status & MSTATUS.MPP) >> MPP_SHIFT);
  let next = (status & ~(MSTATUS.MIE | MSTATUS.MPP)) | ((status & MSTATUS.MPIE) !== 0n ? MSTATUS.MIE : 0n) | MSTATUS.MPIE;
  if (mode !== MODE.machine) next &= ~MSTATUS.MPRV;
  csr.mstatus = next;
  hart.mode = mode;
  return csr.mepc;
}

/** `sret`. */
export function returnFromSupervisor(hart: Hart): bigint {
  const { csr } = hart;
  const status = csr.mstatus;
  hart.mode = (status & MSTATUS.SPP) !== 0n ? MODE.supervisor : MODE.user;
  csr.mstatus = (status & ~(MSTATUS.SIE | MSTATUS.SPP | MSTATUS.MPRV)) | ((status & MSTATUS.SPIE) !== 0n ? MSTATUS.SIE : 0n) | MSTATUS.SPIE;
  return csr.sepc;
}

/** Where a call to the environment or a return from a trap would lead, if it were executed now. */
export interface Transfer {
  readonly pc: bigint;
  readonly mode: Mode;
}

export function transferOf({ csr, mode }: Hart, mnemonic: "ecall" | "mret" | "sret"): Transfer {
  switch (mnemonic) {
    case "mret":
      return { pc: csr.mepc, mode: modeOf((csr.mstatus & MSTATUS.MPP) >> MPP_SHIFT) };
    case "sret":
      return { pc: csr.sepc, mode: (csr.mstatus & MSTATUS.SPP) !== 0n ? MODE.supervisor : MODE.user };
    case "ecall": {
      const isDelegated = mode !== MODE.machine && ((csr.medeleg >> BigInt(CAUSE.callFromUser + mode)) & 1n) !== 0n;
      return isDelegated ? { pc: csr.stvec & ~3n, mode: MODE.supervisor } : { pc: csr.mtvec & ~3n, mode: MODE.machine };
    }
  }
}

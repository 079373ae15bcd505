// Control and status registers: what reading and writing each means, by a table of its number. Manual: RISC-V Instruction Set Manual
// Volume II, 20211203, 3.1 and 4.1; Sstc 1.0. A number that is not here is illegal to access, as are the hypervisor's, debug triggers and
// what QEMU's rv64 has only by options. Who may access a register follows from its number (isa/riscv64/registers.ts) and from `guard`.
// Counters other than cycle, time and instret exist and stay 0.

import { csrIsReadOnly, findCsr, type CsrName } from "../../../isa/riscv64/registers.ts";
import { floatState, MENVCFG, MODE, MPP_SHIFT, MSTATUS, PMP_ENTRIES, type Hart } from "./hart.ts";
import { hasLocks, isAddressLocked, isLocked } from "./protection.ts";
import type { CsrField } from "./state.ts";
import { isKnownMode } from "./translation.ts";

/** What the registers need of the CPU around them. */
export interface CsrEnvironment {
  /** Levels of the hart's interrupts from devices and its own timer, as bits of mip. */
  readonly deviceInterrupts: (hart: Hart) => bigint;
  /** mtime. */
  readonly time: () => bigint;
  /** Translations of the hart may have changed. */
  readonly flush: (hart: Hart) => void;
  /** stimecmp, or whether it counts, may have changed. */
  readonly timerChanged: () => void;
  /** Instructions that the hart has executed before this one. */
  readonly executed: (hart: Hart) => number;
}

interface Csr {
  readonly read: (hart: Hart, env: CsrEnvironment) => bigint;
  readonly write?: (hart: Hart, value: bigint, env: CsrEnvironment) => void;
  /** False: the access is illegal in the mode that the hart is in, although the number would allow it. */
  readonly guard?: (hart: Hart) => boolean;
}

const BITS_64 = (1n << 64n) - 1n;

/** I, M, A, F, D, C, S, U with 64-bit registers. */
const MISA = (2n << 62n) | ["A", "C", "D", "F", "I", "M", "S", "U"].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 0n);

export const INTERRUPT = { SSI: 1n << 1n, MSI: 1n << 3n, STI: 1n << 5n, MTI: 1n << 7n, SEI: 1n << 9n, MEI: 1n << 11n } as const;
const SUPERVISOR_INTERRUPTS = INTERRUPT.SSI | INTERRUPT.STI | INTERRUPT.SEI;
const ALL_INTERRUPTS = SUPERVISOR_INTERRUPTS | INTERRUPT.MSI | INTERRUPT.MTI | INTERRUPT.MEI;
/** Exceptions 0 to 9, 12, 13 and 15: an environment call from M-mode is never delegated. */
const DELEGABLE = 0xb3ffn;

export const MSTATUS_WRITABLE =
  MSTATUS.SIE |
  MSTATUS.MIE |
  MSTATUS.SPIE |
  MSTATUS.MPIE |
  MSTATUS.SPP |
  MSTATUS.MPP |
  MSTATUS.FS |
  MSTATUS.MPRV |
  MSTATUS.SUM |
  MSTATUS.MXR |
  MSTATUS.TVM |
  MSTATUS.TW |
  MSTATUS.TSR;
export const SSTATUS = MSTATUS.SIE | MSTATUS.SPIE | MSTATUS.SPP | MSTATUS.FS | MSTATUS.SUM | MSTATUS.MXR;
export const UXL = 2n << 32n;
/** On these depends what a translation is, and while MPRV is set on MPP. */
export const MSTATUS_TRANSLATION = MSTATUS.MPRV | MSTATUS.SUM | MSTATUS.MXR;

const PMPADDR_BITS = (1n << 54n) - 1n;
const SATP_MODE_SHIFT = 60n;
const COUNTER = { cycle: 0, time: 1, instret: 2 } as const;

function plain(field: CsrField, mask: bigint): Csr {
  return {
    read: (hart) => hart.csr[field],
    write(hart, value) {
      hart.csr[field] = value & mask;
    },
  };
}

const fixed = (value: bigint): Csr => ({ read: () => value, write: () => undefined });

function readMstatus(hart: Hart): bigint {
  return hart.csr.mstatus | (floatState(hart) === 3 ? MSTATUS.SD : 0n);
}

export function writeMstatus(hart: Hart, value: bigint, env: CsrEnvironment): void {
  const before = hart.csr.mstatus;
  let written = (value & MSTATUS_WRITABLE) | MSTATUS.XL;
  // There is no mode 2: the field keeps what it had.
  if ((written & MSTATUS.MPP) >> MPP_SHIFT === 2n) written = (written & ~MSTATUS.MPP) | (before & MSTATUS.MPP);
  hart.csr.mstatus = written;
  const changed = before ^ written;
  if ((changed & MSTATUS_TRANSLATION) !== 0n || ((changed & MSTATUS.MPP) !== 0n && (written & MSTATUS.MPRV) !== 0n)) env.flush(hart);
}

/** Modes 0 and 1 (direct, vectored); others are not written. */
function vectorBase(field: "mtvec" | "stvec"): Csr {
  return {
    read: (hart) => hart.csr[field],
    write(hart, value) {
      if ((value & 3n) < 2n) hart.csr[field] = value;
    },
  };
}

export function readMip(hart: Hart, env: CsrEnvironment): bigint {
  const { csr } = hart;
  const software = (csr.menvcfg & MENVCFG.STCE) !== 0n ? csr.mip & ~INTERRUPT.STI : csr.mip;
  return software | env.deviceInterrupts(hart);
}

const mip: Csr = {
  read: readMip,
  write(hart, value) {
    hart.csr.mip = value & SUPERVISOR_INTERRUPTS;
  },
};

const sip: Csr = {
  read: (hart, env) => readMip(hart, env) & hart.csr.mideleg,
  write(hart, value) {
    const writable = INTERRUPT.SSI & hart.csr.mideleg;
    hart.csr.mip = (hart.csr.mip & ~writable) | (value & writable);
  },
};

const sie: Csr = {
  read: (hart) => hart.csr.mie & hart.csr.mideleg,
  write(hart, value) {
    const { mideleg } = hart.csr;
    hart.csr.mie = (hart.csr.mie & ~mideleg) | (value & mideleg & ALL_INTERRUPTS);
  },
};

const satp: Csr = {
  read: (hart) => hart.csr.satp,
  write(hart, value, env) {
    // A mode that is not there: nothing of the write happens (4.1.11).
    if (!isKnownMode(Number(value >> SATP_MODE_SHIFT)) || value === hart.csr.satp) return;
    hart.csr.satp = value;
    env.flush(hart);
  },
  guard: (hart) => hart.mode !== MODE.supervisor || (hart.csr.mstatus & MSTATUS.TVM) === 0n,
};

const stimecmp: Csr = {
  read: (hart) => hart.csr.stimecmp,
  write(hart, value, env) {
    hart.csr.stimecmp = value;
    env.timerChanged();
  },
  guard: (hart) => hart.mode === MODE.machine || ((hart.csr.menvcfg & MENVCFG.STCE) !== 0n && isCounterEnabled(hart, COUNTER.time)),
};

const menvcfg: Csr = {
  read: (hart) => hart.csr.menvcfg,
  write(hart, value, env) {
    hart.csr.menvcfg = value & (MENVCFG.FIOM | MENVCFG.CBIE | MENVCFG.CBCFE | MENVCFG.CBZE | MENVCFG.ADUE | MENVCFG.STCE);
    env.flush(hart);
    env.timerChanged();
  },
};

function floatPart(shift: bigint, mask: bigint): Csr {
  return {
    read: (hart) => (hart.csr.fcsr >> shift) & mask,
    write(hart, value) {
      hart.csr.fcsr = (hart.csr.fcsr & ~(mask << shift)) | ((value & mask) << shift);
      markFloatDirty(hart);
    },
    guard: (hart) => floatState(hart) !== 0,
  };
}

export function markFloatDirty(hart: Hart): void {
  hart.csr.mstatus |= MSTATUS.FS;
}

/** Each of the modes above has to have opened the counter to those below (3.1.11, 4.1.5). */
function isCounterEnabled(hart: Hart, counter: number): boolean {
  const bit = 1n << BigInt(counter);
  if (hart.mode !== MODE.machine && (hart.csr.mcounteren & bit) === 0n) return false;
  return hart.mode !== MODE.user || (hart.csr.scounteren & bit) !== 0n;
}

type Base = "cycleBase" | "instretBase";

function isInhibited(hart: Hart, base: Base): boolean {
  return ((hart.csr.mcountinhibit >> BigInt(base === "cycleBase" ? COUNTER.cycle : COUNTER.instret)) & 1n) !== 0n;
}

function readCount(hart: Hart, base: Base, env: CsrEnvironment): bigint {
  return BigInt.asUintN(64, hart[base] + (isInhibited(hart, base) ? 0n : BigInt(env.executed(hart))));
}

function writeCount(hart: Hart, base: Base, value: bigint, env: CsrEnvironment): void {
  // What is written is what the next instruction reads: this one is not counted.
  hart[base] = isInhibited(hart, base) ? value : value - BigInt(env.executed(hart) + 1);
}

function count(base: Base): Csr {
  return {
    read: (hart, env) => readCount(hart, base, env),
    write: (hart, value, env) => writeCount(hart, base, value, env),
  };
}

const mcountinhibit: Csr = {
  read: (hart) => hart.csr.mcountinhibit,
  write(hart, value, env) {
    const cycle = readCount(hart, "cycleBase", env);
    const instret = readCount(hart, "instretBase", env);
    hart.csr.mcountinhibit = value & ((1n << BigInt(COUNTER.cycle)) | (1n << BigInt(COUNTER.instret)));
    writeCount(hart, "cycleBase", cycle, env);
    writeCount(hart, "instretBase", instret, env);
  },
};

function pmpConfig(group: number): Csr {
  const first = group * 4;
  return {
    read: (hart) => hart.pmpcfg.subarray(first, first + 8).reduceRight((value, config) => (value << 8n) | BigInt(config), 0n),
    write(hart, value, env) {
      for (let n = 0; n < 8; n++) {
        const config = Number((value >> BigInt(8 * n)) & 0xffn);
        // Writable but not readable is reserved (3.7.1); bits 6:5 are 0.
        const legal = (config & 3) === 2 ? config & 0x9c : config & 0x9f;
        if (!isLocked(hart, first + n)) hart.pmpcfg[first + n] = legal;
      }
      hart.hasLocks = hasLocks(hart);
      env.flush(hart);
    },
  };
}

function pmpAddress(entry: number): Csr {
  return {
    read: (hart) => hart.pmpaddr[entry] ?? 0n,
    write(hart, value, env) {
      if (!isAddressLocked(hart, entry)) hart.pmpaddr[entry] = value & PMPADDR_BITS;
      env.flush(hart);
    },
  };
}

/** A counter as the lower modes see it. */
function counter(index: number, read: Csr["read"]): Csr {
  return { read, guard: (hart) => isCounterEnabled(hart, index) };
}

const HPM = Array.from({ length: 29 }, (_, n) => n + 3);

const ROWS: readonly (readonly [CsrName, Csr])[] = [
  ["fflags", floatPart(0n, 0x1fn)],
  ["frm", floatPart(5n, 7n)],
  ["fcsr", floatPart(0n, 0xffn)],
  ["cycle", counter(COUNTER.cycle, (hart, env) => readCount(hart, "cycleBase", env))],
  ["time", counter(COUNTER.time, (_hart, env) => env.time())],
  ["instret", counter(COUNTER.instret, (hart, env) => readCount(hart, "instretBase", env))],

  [
    "sstatus",
    {
      read: (hart) => readMstatus(hart) & (SSTATUS | MSTATUS.SD | UXL),
      write: (hart, value, env) => writeMstatus(hart, (hart.csr.mstatus & ~SSTATUS) | (value & SSTATUS), env),
    },
  ],
  ["sie", sie],
  ["stvec", vectorBase("stvec")],
  ["scounteren", plain("scounteren", 0xffff_ffffn)],
  ["senvcfg", plain("senvcfg", MENVCFG.FIOM | MENVCFG.CBIE | MENVCFG.CBCFE | MENVCFG.CBZE)],
  ["sscratch", plain("sscratch", BITS_64)],
  ["sepc", plain("sepc", BITS_64 - 1n)],
  ["scause", plain("scause", BITS_64)],
  ["stval", plain("stval", BITS_64)],
  ["sip", sip],
  ["stimecmp", stimecmp],
  ["satp", satp],

  ["mstatus", { read: readMstatus, write: writeMstatus }],
  ["misa", fixed(MISA)],
  ["medeleg", plain("medeleg", DELEGABLE)],
  ["mideleg", plain("mideleg", SUPERVISOR_INTERRUPTS)],
  ["mie", plain("mie", ALL_INTERRUPTS)],
  ["mtvec", vectorBase("mtvec")],
  ["mcounteren", plain("mcounteren", 0xffff_ffffn)],
  ["menvcfg", menvcfg],
  ["mcountinhibit", mcountinhibit],
  ["mscratch", plain("mscratch", BITS_64)],
  ["mepc", plain("mepc", BITS_64 - 1n)],
  ["mcause", plain("mcause", BITS_64)],
  ["mtval", plain("mtval", BITS_64)],
  ["mip", mip],
  ["mcycle", count("cycleBase")],
  ["minstret", count("instretBase")],
  ["mvendorid", fixed(0n)],
  ["marchid", fixed(0n)],
  ["mimpid", fixed(0n)],
  ["mhartid", { read: (hart) => BigInt(hart.index) }],
  ["mconfigptr", fixed(0n)],
  ...HPM.map((n): readonly [CsrName, Csr] => [`hpmcounter${n}` as CsrName, counter(n, () => 0n)]),
  ...HPM.map((n): readonly [CsrName, Csr] => [`mhpmcounter${n}` as CsrName, fixed(0n)]),
  ...HPM.map((n): readonly [CsrName, Csr] => [`mhpmevent${n}` as CsrName, fixed(0n)]),
  ["pmpcfg0", pmpConfig(0)],
  ["pmpcfg2", pmpConfig(2)],
  ...Array.from({ length: PMP_ENTRIES }, (_, n): readonly [CsrName, Csr] => [`pmpaddr${n}` as CsrName, pmpAddress(n)]),
];

const TABLE = new Map<number, Csr>(
  ROWS.map(([name, row]) => {
    const number = findCsr(name);
    if (number === undefined) throw new Error(`no control and status register ${name}`);
    return [number, row];
  }),
);

/** Least mode in bits 9:8 of the number (2.1); the hypervisor's, 2, is none of ours and its registers are not in the table. */
const leastMode = (number: number): number => (number >> 8) & 3;

export function hasCsr(number: number): boolean {
  return TABLE.has(number);
}

/** True if the instruction that the hart is at may make this access. */
export function mayAccess(hart: Hart, number: number, isWrite: boolean): boolean {
  const csr = TABLE.get(number);
  if (csr === undefined || hart.mode < leastMode(number) || (isWrite && csrIsReadOnly(number))) return false;
  return csr.guard === undefined || csr.guard(hart);
}

/** Without any check of mode: for instructions that were checked, and for debuggers. */
export function readCsr(hart: Hart, number: number, env: CsrEnvironment): bigint {
  const csr = TABLE.get(number);
  if (csr === undefined) throw new RangeError(`no control and status register 0x${number.toString(16)}`);
  return csr.read(hart, env);
}

export function writeCsr(hart: Hart, number: number, value: bigint, env: CsrEnvironment): void {
  const csr = TABLE.get(number);
  if (csr === undefined) throw new RangeError(`no control and status register 0x${number.toString(16)}`);
  csr.write?.(hart, BigInt.asUintN(64, value), env);
}

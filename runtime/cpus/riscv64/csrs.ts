// Control and status registers: what reading and writing each means, by a table of its number. RV32 has registers of 64 bits as two
// halves, of which each means a change of the whole. Manual: RISC-V Instruction Set Manual
// Volume II, 20211203, 3.1 and 4.1; Sstc 1.0. Debug Specification 1.0, 5.7. A number that is not here is illegal to access, as are the hypervisor's and
// what QEMU's CPUs have only by options. Who may access a register follows from its number (isa/riscv64/registers.ts) and from `guard`.
// Counters other than cycle, time and instret exist and stay 0.

import { byWidth, type RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { csrIsReadOnly, findCsr, type CsrName } from "../../../isa/riscv64/registers.ts";
import { fixedStatus, floatState, MENVCFG, MODE, MPP_SHIFT, MSTATUS, PMP_ENTRIES, statusDirty, type Hart } from "./hart.ts";
import { hasLocks, isAddressLocked, isLocked } from "./protection.ts";
import type { CsrField } from "./state.ts";
import { isKnownMode } from "./translation.ts";
import { TRIGGER_COUNT, TRIGGER_TYPES, writeAddress, writeControl } from "./triggers.ts";

/** What the registers need of the CPU around them. */
export interface CsrEnvironment {
  /** Levels of the hart's interrupts from devices and its own timer, as bits of mip. */
  readonly deviceInterrupts: (hart: Hart) => bigint;
  /** mtime. */
  readonly time: () => bigint;
  /** Translations of the hart may have changed. */
  readonly flush: (hart: Hart) => void;
  /** What stops the hart where it executes may have changed, and translations. */
  readonly triggersChanged: (hart: Hart) => void;
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

const BITS_32 = (1n << 32n) - 1n;
const BITS_64 = (1n << 64n) - 1n;

/** I, M, A, F, D, C, S, U; the two bits above say how wide registers are. */
const EXTENSIONS = ["A", "C", "D", "F", "I", "M", "S", "U"].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 0n);

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

/** Bits 55 to 2 of an address, or 33 to 2. */
const PMPADDR_BITS = { 32: BITS_32, 64: (1n << 54n) - 1n } as const;
/** Bits of mcounteren, scounteren and mcountinhibit. */
export const COUNTER = { cycle: 0, time: 1, instret: 2 } as const;

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
  return hart.csr.mstatus | (floatState(hart) === 3 ? statusDirty(hart) : 0n);
}

function writeMstatus(hart: Hart, value: bigint, env: CsrEnvironment): void {
  const before = hart.csr.mstatus;
  let written = (value & MSTATUS_WRITABLE) | fixedStatus(hart);
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
    if (!isKnownMode(hart.width, value) || value === hart.csr.satp) return;
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

/** Entries from `first` on, as many as the register has bytes. */
function pmpConfig(first: number, count: number): Csr {
  return {
    read: (hart) => hart.pmpcfg.subarray(first, first + count).reduceRight((value, config) => (value << 8n) | BigInt(config), 0n),
    write(hart, value, env) {
      for (let n = 0; n < count; n++) {
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
      if (!isAddressLocked(hart, entry)) hart.pmpaddr[entry] = value & PMPADDR_BITS[hart.width];
      env.flush(hart);
    },
  };
}

const tselect: Csr = {
  read: ({ triggers }) => BigInt(triggers.selected),
  write({ triggers }, value) {
    if (value < TRIGGER_COUNT) triggers.selected = Number(value);
  },
};

function triggerRegister(registers: "controls" | "addresses", write: (hart: Hart, value: bigint) => void): Csr {
  const read = ({ triggers }: Hart): bigint => triggers[registers][triggers.selected] ?? 0n;
  return {
    read,
    write(hart, value, env) {
      const before = read(hart);
      write(hart, value);
      if (read(hart) !== before) env.triggersChanged(hart);
    },
  };
}

/** A counter as the lower modes see it. */
function counter(index: number, read: Csr["read"]): Csr {
  return { read, guard: (hart) => isCounterEnabled(hart, index) };
}

const HPM = Array.from({ length: 29 }, (_, n) => n + 3);

type Row = readonly [CsrName, Csr];

/** Registers of 64 bits whatever the width, and the name of what RV32 has for the upper half. */
const WIDE_ROWS: readonly (readonly [name: CsrName, high: CsrName, row: Csr])[] = [
  ["cycle", "cycleh", counter(COUNTER.cycle, (hart, env) => readCount(hart, "cycleBase", env))],
  ["time", "timeh", counter(COUNTER.time, (_hart, env) => env.time())],
  ["instret", "instreth", counter(COUNTER.instret, (hart, env) => readCount(hart, "instretBase", env))],
  ["stimecmp", "stimecmph", stimecmp],
  ["menvcfg", "menvcfgh", menvcfg],
  ["mcycle", "mcycleh", count("cycleBase")],
  ["minstret", "minstreth", count("instretBase")],
  ...HPM.map((n) => [`hpmcounter${n}` as CsrName, `hpmcounter${n}h` as CsrName, counter(n, () => 0n)] as const),
  ...HPM.map((n) => [`mhpmcounter${n}` as CsrName, `mhpmcounter${n}h` as CsrName, fixed(0n)] as const),
];

function lowHalf({ read, write, guard }: Csr): Csr {
  return {
    read: (hart, env) => read(hart, env) & BITS_32,
    ...(write && { write: (hart, value, env) => write(hart, (read(hart, env) & ~BITS_32) | value, env) }),
    ...(guard && { guard }),
  };
}

function highHalf({ read, write, guard }: Csr): Csr {
  return {
    read: (hart, env) => read(hart, env) >> 32n,
    ...(write && { write: (hart, value, env) => write(hart, (value << 32n) | (read(hart, env) & BITS_32), env) }),
    ...(guard && { guard }),
  };
}

/** What one width has alone; made for the one that a process has guests of. */
const ROWS_OF_WIDTH: Readonly<Record<RegisterWidth, () => readonly Row[]>> = {
  32: () => [
    ...WIDE_ROWS.flatMap(([name, high, row]): readonly Row[] => [
      [name, lowHalf(row)],
      [high, highHalf(row)],
    ]),
    // Byte order is little-endian, fixed.
    ["mstatush", fixed(0n)],
    ["misa", fixed((1n << 30n) | EXTENSIONS)],
    ...[0, 1, 2, 3].map((n): Row => [`pmpcfg${n}` as CsrName, pmpConfig(4 * n, 4)]),
  ],
  64: () => [
    ...WIDE_ROWS.map(([name, , row]): Row => [name, row]),
    ["misa", fixed((2n << 62n) | EXTENSIONS)],
    ["pmpcfg0", pmpConfig(0, 8)],
    ["pmpcfg2", pmpConfig(8, 8)],
  ],
};

/** Of either width: what is written has been cut to it. */
const ROWS: readonly Row[] = [
  ["fflags", floatPart(0n, 0x1fn)],
  ["frm", floatPart(5n, 7n)],
  ["fcsr", floatPart(0n, 0xffn)],

  [
    "sstatus",
    {
      read: (hart) => readMstatus(hart) & (SSTATUS | statusDirty(hart) | UXL),
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
  ["satp", satp],

  ["mstatus", { read: readMstatus, write: writeMstatus }],
  ["medeleg", plain("medeleg", DELEGABLE)],
  ["mideleg", plain("mideleg", SUPERVISOR_INTERRUPTS)],
  ["mie", plain("mie", ALL_INTERRUPTS)],
  ["mtvec", vectorBase("mtvec")],
  ["mcounteren", plain("mcounteren", 0xffff_ffffn)],
  ["mcountinhibit", mcountinhibit],
  ["mscratch", plain("mscratch", BITS_64)],
  ["mepc", plain("mepc", BITS_64 - 1n)],
  ["mcause", plain("mcause", BITS_64)],
  ["mtval", plain("mtval", BITS_64)],
  ["mip", mip],
  ["tselect", tselect],
  ["tdata1", triggerRegister("controls", writeControl)],
  ["tdata2", triggerRegister("addresses", writeAddress)],
  ["tdata3", fixed(0n)],
  ["tinfo", fixed(TRIGGER_TYPES)],
  ["mvendorid", fixed(0n)],
  ["marchid", fixed(0n)],
  ["mimpid", fixed(0n)],
  ["mhartid", { read: (hart) => BigInt(hart.index) }],
  ["mconfigptr", fixed(0n)],
  ...HPM.map((n): Row => [`mhpmevent${n}` as CsrName, fixed(0n)]),
  ...Array.from({ length: PMP_ENTRIES }, (_, n): Row => [`pmpaddr${n}` as CsrName, pmpAddress(n)]),
];

type Table = ReadonlyMap<number, Csr>;

const createTable = (width: RegisterWidth): Table =>
  new Map(
    [...ROWS, ...ROWS_OF_WIDTH[width]()].map(([name, row]) => {
      const number = findCsr(name, width);
      if (number === undefined) throw new Error(`no control and status register ${name}`);
      return [number, row];
    }),
  );

const tableOf = byWidth(createTable);

/** Least mode in bits 9:8 of the number (2.1); the hypervisor's, 2, is none of ours and its registers are not in the table. */
const leastMode = (number: number): number => (number >> 8) & 3;

export function hasCsr(number: number, width: RegisterWidth = 64): boolean {
  return tableOf(width).has(number);
}

/** True if the instruction that the hart is at may make this access. */
export function mayAccess(hart: Hart, number: number, isWrite: boolean): boolean {
  const csr = tableOf(hart.width).get(number);
  if (csr === undefined || hart.mode < leastMode(number) || (isWrite && csrIsReadOnly(number))) return false;
  return csr.guard === undefined || csr.guard(hart);
}

/** Without any check of mode: for instructions that were checked, and for debuggers. */
export function readCsr(hart: Hart, number: number, env: CsrEnvironment): bigint {
  const csr = tableOf(hart.width).get(number);
  if (csr === undefined) throw new RangeError(`no control and status register 0x${number.toString(16)}`);
  return csr.read(hart, env);
}

export function writeCsr(hart: Hart, number: number, value: bigint, env: CsrEnvironment): void {
  const csr = tableOf(hart.width).get(number);
  if (csr === undefined) throw new RangeError(`no control and status register 0x${number.toString(16)}`);
  csr.write?.(hart, BigInt.asUintN(hart.width, value), env);
}

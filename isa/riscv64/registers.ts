// Registers of RV64 and RV32 by name and number: x0-x31 and f0-f31 with their ABI names, and the control and status registers.
// A CSR's number tells who may access it and whether it can be written, so the table holds no such columns.
// Sources: RISC-V Instruction Set Manual Volume I, 20191213, 25 (register names, who saves them) and 11.2 (fcsr); Volume II,
// 20211203, 2.1 (what the number tells) and 2.2 (listing); for the later ones Sstc, Smstateen, AIA 1.0 and Smrnmi.
// Left out: vector, control-transfer-record and CLIC CSRs, sireg2-6 and their like, mcyclecfg, and of RV32's high halves those of registers that no emulated CPU has.

import { byWidth, type RegisterWidth } from "./by-width.ts";

const X_NAMES = [
  "zero",
  "ra",
  "sp",
  "gp",
  "tp",
  "t0",
  "t1",
  "t2",
  "s0",
  "s1",
  "a0",
  "a1",
  "a2",
  "a3",
  "a4",
  "a5",
  "a6",
  "a7",
  "s2",
  "s3",
  "s4",
  "s5",
  "s6",
  "s7",
  "s8",
  "s9",
  "s10",
  "s11",
  "t3",
  "t4",
  "t5",
  "t6",
] as const;
const F_NAMES = [
  "ft0",
  "ft1",
  "ft2",
  "ft3",
  "ft4",
  "ft5",
  "ft6",
  "ft7",
  "fs0",
  "fs1",
  "fa0",
  "fa1",
  "fa2",
  "fa3",
  "fa4",
  "fa5",
  "fa6",
  "fa7",
  "fs2",
  "fs3",
  "fs4",
  "fs5",
  "fs6",
  "fs7",
  "fs8",
  "fs9",
  "fs10",
  "fs11",
  "ft8",
  "ft9",
  "ft10",
  "ft11",
] as const;

export type XRegisterName = (typeof X_NAMES)[number];
export type FRegisterName = (typeof F_NAMES)[number];

export interface Register {
  readonly number: number;
  /** x10, f3 */
  readonly name: string;
  readonly abiName: string;
  /** Who keeps it across a call: nobody for zero, gp and tp, which no function may change. */
  readonly saver: "caller" | "callee" | "none";
}

function saverOf(abiName: string): Register["saver"] {
  if (/^(zero|gp|tp)$/.test(abiName)) return "none";
  return /^(sp|f?s\d+)$/.test(abiName) ? "callee" : "caller";
}

const describeRegisters = (prefix: string, names: readonly string[]): readonly Register[] =>
  names.map((abiName, number) => ({ number, name: `${prefix}${number}`, abiName, saver: saverOf(abiName) }));

export const X_REGISTERS = describeRegisters("x", X_NAMES);
export const F_REGISTERS = describeRegisters("f", F_NAMES);

const numbersOf = (registers: readonly Register[]): Map<string, number> =>
  new Map(
    registers.flatMap(
      ({ number, name, abiName }) =>
        [
          [name, number],
          [abiName, number],
        ] as const,
    ),
  );

const xNumbers = numbersOf(X_REGISTERS).set("fp", 8);
const fNumbers = numbersOf(F_REGISTERS);

export function findXRegister(name: string): number | undefined {
  return xNumbers.get(name);
}

export function findFRegister(name: string): number | undefined {
  return fNumbers.get(name);
}

/** Numbered families of CSRs: name of the n-th, from..to, number of the first. */
const family = <N extends string>(name: N, from: number, to: number, base: number): readonly (readonly [`${N}${number}`, number])[] =>
  Array.from({ length: to - from + 1 }, (_, index) => [`${name}${from + index}`, base + index] as const);

const NAMED_CSRS = [
  // Unprivileged.
  ["fflags", 0x001],
  ["frm", 0x002],
  ["fcsr", 0x003],
  ["seed", 0x015],
  ["cycle", 0xc00],
  ["time", 0xc01],
  ["instret", 0xc02],

  // Supervisor.
  ["sstatus", 0x100],
  ["sie", 0x104],
  ["stvec", 0x105],
  ["scounteren", 0x106],
  ["senvcfg", 0x10a],
  ["sstateen0", 0x10c],
  ["sstateen1", 0x10d],
  ["sstateen2", 0x10e],
  ["sstateen3", 0x10f],
  ["scountinhibit", 0x120],
  ["sscratch", 0x140],
  ["sepc", 0x141],
  ["scause", 0x142],
  ["stval", 0x143],
  ["sip", 0x144],
  ["stimecmp", 0x14d],
  ["siselect", 0x150],
  ["sireg", 0x151],
  ["stopei", 0x15c],
  ["satp", 0x180],
  ["scontext", 0x5a8],
  ["scountovf", 0xda0],
  ["stopi", 0xdb0],

  // Hypervisor and virtual supervisor.
  ["vsstatus", 0x200],
  ["vsie", 0x204],
  ["vstvec", 0x205],
  ["vsscratch", 0x240],
  ["vsepc", 0x241],
  ["vscause", 0x242],
  ["vstval", 0x243],
  ["vsip", 0x244],
  ["vstimecmp", 0x24d],
  ["vsiselect", 0x250],
  ["vsireg", 0x251],
  ["vstopei", 0x25c],
  ["vsatp", 0x280],
  ["hstatus", 0x600],
  ["hedeleg", 0x602],
  ["hideleg", 0x603],
  ["hie", 0x604],
  ["htimedelta", 0x605],
  ["hcounteren", 0x606],
  ["hgeie", 0x607],
  ["hvien", 0x608],
  ["hvictl", 0x609],
  ["henvcfg", 0x60a],
  ["hstateen0", 0x60c],
  ["hstateen1", 0x60d],
  ["hstateen2", 0x60e],
  ["hstateen3", 0x60f],
  ["htval", 0x643],
  ["hip", 0x644],
  ["hvip", 0x645],
  ["hviprio1", 0x646],
  ["hviprio2", 0x647],
  ["htinst", 0x64a],
  ["hgatp", 0x680],
  ["hcontext", 0x6a8],
  ["hgeip", 0xe12],
  ["vstopi", 0xeb0],

  // Machine.
  ["mstatus", 0x300],
  ["misa", 0x301],
  ["medeleg", 0x302],
  ["mideleg", 0x303],
  ["mie", 0x304],
  ["mtvec", 0x305],
  ["mcounteren", 0x306],
  ["mvien", 0x308],
  ["mvip", 0x309],
  ["menvcfg", 0x30a],
  ["mstateen0", 0x30c],
  ["mstateen1", 0x30d],
  ["mstateen2", 0x30e],
  ["mstateen3", 0x30f],
  ["mcountinhibit", 0x320],
  ["mscratch", 0x340],
  ["mepc", 0x341],
  ["mcause", 0x342],
  ["mtval", 0x343],
  ["mip", 0x344],
  ["mtinst", 0x34a],
  ["mtval2", 0x34b],
  ["miselect", 0x350],
  ["mireg", 0x351],
  ["mtopei", 0x35c],
  ["mnscratch", 0x740],
  ["mnepc", 0x741],
  ["mncause", 0x742],
  ["mnstatus", 0x744],
  ["mseccfg", 0x747],
  ["mcycle", 0xb00],
  ["minstret", 0xb02],
  ["mvendorid", 0xf11],
  ["marchid", 0xf12],
  ["mimpid", 0xf13],
  ["mhartid", 0xf14],
  ["mconfigptr", 0xf15],
  ["mtopi", 0xfb0],

  // Debug and trace.
  ["tselect", 0x7a0],
  ["tdata1", 0x7a1],
  ["tdata2", 0x7a2],
  ["tdata3", 0x7a3],
  ["tinfo", 0x7a4],
  ["tcontrol", 0x7a5],
  ["mcontext", 0x7a8],
  ["dcsr", 0x7b0],
  ["dpc", 0x7b1],
  ["dscratch0", 0x7b2],
  ["dscratch1", 0x7b3],
] as const;

const CSR_FAMILIES = [
  ...family("hpmcounter", 3, 31, 0xc03),
  ...family("mhpmcounter", 3, 31, 0xb03),
  ...family("mhpmevent", 3, 31, 0x323),
  ...family("pmpaddr", 0, 63, 0x3b0),
  // RV64 has the even-numbered ones only; each covers eight entries (Volume II, 3.7.1).
  ...family("pmpcfg", 0, 15, 0x3a0).filter(([, number]) => number % 2 === 0),
];

/** Upper halves of 64-bit registers, and the other half of the pmpcfg: RV32 alone has them. */
const NAMED_CSRS_32 = [
  ["mstatush", 0x310],
  ["menvcfgh", 0x31a],
  ["stimecmph", 0x15d],
  ["mcycleh", 0xb80],
  ["minstreth", 0xb82],
  ["cycleh", 0xc80],
  ["timeh", 0xc81],
  ["instreth", 0xc82],
] as const;
/** `hpmcounter3h`. */
const highFamily = <N extends string>(name: N, from: number, to: number, base: number): readonly (readonly [`${N}${number}h`, number])[] =>
  family(name, from, to, base).map(([full, number]) => [`${full}h`, number] as const);

const CSR_FAMILIES_32 = [
  ...highFamily("hpmcounter", 3, 31, 0xc83),
  ...highFamily("mhpmcounter", 3, 31, 0xb83),
  ...family("pmpcfg", 0, 15, 0x3a0).filter(([, number]) => number % 2 === 1),
];

export type CsrName =
  | (typeof NAMED_CSRS)[number][0]
  | (typeof CSR_FAMILIES)[number][0]
  | (typeof NAMED_CSRS_32)[number][0]
  | (typeof CSR_FAMILIES_32)[number][0];

export interface Csr {
  readonly name: CsrName;
  readonly number: number;
}

const listCsrs = (rows: readonly (readonly [CsrName, number])[]): readonly Csr[] =>
  rows.map(([name, number]) => ({ name, number })).toSorted((a, b) => a.number - b.number);

export const csrsOf = byWidth((width) => listCsrs([...NAMED_CSRS, ...CSR_FAMILIES, ...(width === 32 ? [...NAMED_CSRS_32, ...CSR_FAMILIES_32] : [])]));

const csrNumbers = byWidth((width): ReadonlyMap<string, number> => new Map(csrsOf(width).map(({ name, number }) => [name, number])));
const csrNames = byWidth((width): ReadonlyMap<number, CsrName> => new Map(csrsOf(width).map(({ name, number }) => [number, name])));

export function findCsr(name: string, width: RegisterWidth = 64): number | undefined {
  return csrNumbers(width).get(name);
}

export function csrNameOf(number: number, width: RegisterWidth = 64): CsrName | undefined {
  return csrNames(width).get(number);
}

/** Bits 11:10 all set: a write raises an illegal-instruction exception. */
export function csrIsReadOnly(number: number): boolean {
  return number >> 10 === 3;
}

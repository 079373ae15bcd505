// Registers of x86 by name and number, and the bits of those that boot code and tests set: CR0, CR4, EFER, RFLAGS. The assembler,
// the disassembler and the guest's register library read it. Model-specific registers are in msrs.ts, CPUID in cpuid.ts.
// Sources: Intel SDM volume 1, 3.4 (general registers, EFLAGS); volume 2, table 3-1 (register codes); volume 3, 2.5 (control
// registers), 17.2 (debug registers); volume 4, 2.1 (EFER). Names in lower case as GNU as has them.

import type { Mode, RegisterOperand, SpecialRegisterOperand } from "./operands.ts";

export const R64_NAMES = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const;
const R32_NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"] as const;
const R16_NAMES = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"] as const;
const R8_NAMES = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"] as const;
/** Numbers 4 to 7 where there is no REX prefix. */
export const R8_HIGH_NAMES = ["ah", "ch", "dh", "bh"] as const;
export const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** Kept by a called function (System V AMD64 ABI, 3.2.1, figure 3.4). */
export const CALLEE_SAVED = ["rbx", "rsp", "rbp", "r12", "r13", "r14", "r15"] as const;

const GENERAL_NAMES = { 8: R8_NAMES, 16: R16_NAMES, 32: R32_NAMES, 64: R64_NAMES } as const;

const registers = new Map<string, RegisterOperand | SpecialRegisterOperand>([
  ...([8, 16, 32, 64] as const).flatMap((width) =>
    GENERAL_NAMES[width].map((name, number): [string, RegisterOperand] => [name, { kind: "reg", width, number }]),
  ),
  ...R8_HIGH_NAMES.map((name, index): [string, RegisterOperand] => [name, { kind: "reg", width: 8, number: 4 + index, high: true }]),
  ...SEGMENT_NAMES.map((name, number): [string, SpecialRegisterOperand] => [name, { kind: "sreg", number }]),
  ...Array.from({ length: 16 }, (_, number): [string, SpecialRegisterOperand] => [`cr${number}`, { kind: "cr", number }]),
  ...Array.from({ length: 8 }, (_, number): [string, SpecialRegisterOperand] => [`dr${number}`, { kind: "dr", number }]),
  ...Array.from({ length: 16 }, (_, number): [string, SpecialRegisterOperand] => [`xmm${number}`, { kind: "xmm", number }]),
  ["st", { kind: "st", number: 0 }],
]);

/** The operand that a name stands for; `st(1)` is more than a name. */
export function findRegister(name: string): RegisterOperand | SpecialRegisterOperand | undefined {
  return registers.get(name);
}

export function registerName(register: RegisterOperand | SpecialRegisterOperand): string {
  const { kind, number } = register;
  if (kind !== "reg") return kind === "sreg" ? (SEGMENT_NAMES[number] ?? "?") : kind === "st" ? `st(${number})` : `${kind}${number}`;
  if (register.high === true) return R8_HIGH_NAMES[number - 4] ?? "?";
  return GENERAL_NAMES[register.width][number] ?? "?";
}

/** The name of a general register in an address of this width. */
export function addressRegisterName(number: number, width: 16 | 32 | 64): string {
  return GENERAL_NAMES[width][number] ?? "?";
}

/** Whether a mode has the register; in 64-bit mode all are there. */
export function modeHasRegister(mode: Mode, register: RegisterOperand | SpecialRegisterOperand): boolean {
  if (mode === 64) return true;
  if (register.kind !== "reg") return register.number < 8;
  return register.width !== 64 && register.number < (register.width === 8 && register.high !== true ? 4 : 8);
}

export interface RegisterBit {
  readonly name: string;
  readonly bit: number;
}

const bits = (rows: readonly (readonly [name: string, bit: number])[]): readonly RegisterBit[] => rows.map(([name, bit]) => ({ name, bit }));

/** Volume 3, 2.5. */
export const CR0_BITS = bits([
  ["PE", 0],
  ["MP", 1],
  ["EM", 2],
  ["TS", 3],
  ["ET", 4],
  ["NE", 5],
  ["WP", 16],
  ["AM", 18],
  ["NW", 29],
  ["CD", 30],
  ["PG", 31],
]);

/** Volume 3, 2.5. */
export const CR4_BITS = bits([
  ["VME", 0],
  ["PVI", 1],
  ["TSD", 2],
  ["DE", 3],
  ["PSE", 4],
  ["PAE", 5],
  ["MCE", 6],
  ["PGE", 7],
  ["PCE", 8],
  ["OSFXSR", 9],
  ["OSXMMEXCPT", 10],
  ["UMIP", 11],
  ["LA57", 12],
  ["VMXE", 13],
  ["SMXE", 14],
  ["FSGSBASE", 16],
  ["PCIDE", 17],
  ["OSXSAVE", 18],
  ["KL", 19],
  ["SMEP", 20],
  ["SMAP", 21],
  ["PKE", 22],
  ["CET", 23],
  ["PKS", 24],
  ["UINTR", 25],
]);

/** Volume 4, table 2-2, MSR C000_0080H; FFXSR and SVME are AMD's (APM volume 2, 3.1.7). */
export const EFER_BITS = bits([
  ["SCE", 0],
  ["LME", 8],
  ["LMA", 10],
  ["NXE", 11],
  ["SVME", 12],
  ["LMSLE", 13],
  ["FFXSR", 14],
]);

/** Volume 1, 3.4.3; bit 1 is always set. IOPL is bits 13:12. */
export const RFLAGS_BITS = bits([
  ["CF", 0],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["TF", 8],
  ["IF", 9],
  ["DF", 10],
  ["OF", 11],
  ["IOPL0", 12],
  ["IOPL1", 13],
  ["NT", 14],
  ["RF", 16],
  ["VM", 17],
  ["AC", 18],
  ["VIF", 19],
  ["VIP", 20],
  ["ID", 21],
]);

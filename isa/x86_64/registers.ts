// Registers of x86 by name and number, for the assembler and the disassembler, with the names that GNU as has for them.
// Sources: Intel SDM volume 1, 3.4 (general registers); volume 2, table 3-1 (register codes); volume 3, 2.5 (control registers), 17.2
// (debug registers).

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

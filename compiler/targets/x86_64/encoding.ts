// Instruction bytes for the back end: opcodes and prefixes come from the table of isa/x86_64, looked up once when this file is loaded;
// ModRM, SIB and displacement are put behind them here without parsing or checks, for a compile encodes some hundred thousand
// instructions. Whoever calls keeps immediates in range; the encodings as such are checked where the table is.
// Sections are those of the Intel SDM.

import { findInstructions, type Condition } from "../../../isa/x86_64/instructions.ts";
import { CONDITIONS } from "../../../isa/x86_64/instructions.ts";
import type { Emission } from "../../native/emission.ts";
import type { Label } from "../../native/items.ts";

export type Width = 8 | 16 | 32 | 64;

/** What stands before ModRM. */
export interface Opcode {
  /** 66, F2 or F3, or 0. */
  readonly prefix: number;
  /** 8 for REX.W. */
  readonly rexW: number;
  /** 0F before the opcode. */
  readonly isTwoByte: boolean;
  readonly byte: number;
  /** Bits 5:3 of ModRM where no register is there. */
  readonly digit: number;
  /** Byte registers 4 to 7 want a REX prefix (volume 2, 2.2.1.2). */
  readonly regIsByte: boolean;
  readonly rmIsByte: boolean;
}

/** The form that is written like this in the table: `add`, `rm32, r32`. */
export function form(mnemonic: string, operands: string): Opcode {
  const found = findInstructions(mnemonic)?.find((row) => row.operands.map(({ name }) => name).join(", ") === operands);
  if (found === undefined) throw new Error(`isa/x86_64 has no ${mnemonic} ${operands}`);
  const isByte = (slot: "reg" | "rm" | "opcode"): boolean => found.operands.some((operand) => operand.slot === slot && operand.classes.includes("reg8"));
  return {
    prefix: found.prefix !== 0 ? found.prefix : found.operandSize === 16 ? 0x66 : 0,
    rexW: found.rexW ? 8 : 0,
    isTwoByte: found.map === 1,
    byte: found.opcode,
    digit: typeof found.modrm === "number" ? found.modrm : 0,
    regIsByte: isByte("reg"),
    rmIsByte: isByte("rm"),
  };
}

type ByWidth = Readonly<Record<Width, Opcode>>;

/** `N` stands for each width in turn. */
function forms(mnemonic: string, operands: string): ByWidth {
  const at = (width: Width): Opcode => form(mnemonic, operands.replaceAll("immN", width === 64 ? "imm32/64" : `imm${width}`).replaceAll("N", String(width)));
  return { 8: at(8), 16: at(16), 32: at(32), 64: at(64) };
}

/** As `forms`, where 8 bits are written in another way. */
function formsWithByte(mnemonic: string, operands: string, byteOperands: string): ByWidth {
  const at = (width: 16 | 32 | 64): Opcode => form(mnemonic, operands.replaceAll("N", String(width)));
  return { 8: form(mnemonic, byteOperands), 16: at(16), 32: at(32), 64: at(64) };
}

export interface AluForms {
  readonly toMemory: ByWidth;
  readonly toRegister: ByWidth;
  /** An immediate of 8 bits, sign-extended. */
  readonly short: ByWidth;
  readonly long: ByWidth;
}

function alu(mnemonic: string): AluForms {
  return {
    toMemory: forms(mnemonic, "rmN, rN"),
    toRegister: forms(mnemonic, "rN, rmN"),
    short: formsWithByte(mnemonic, "rmN, imm8/N", "rm8, imm8"),
    long: forms(mnemonic, "rmN, immN"),
  };
}

interface ShiftForms {
  readonly byCl: ByWidth;
  readonly byOne: ByWidth;
  readonly byImmediate: ByWidth;
}

function shift(mnemonic: string): ShiftForms {
  return { byCl: forms(mnemonic, "rmN, cl"), byOne: forms(mnemonic, "rmN, 1"), byImmediate: forms(mnemonic, "rmN, imm8") };
}

export const OPCODES = {
  add: alu("add"),
  sub: alu("sub"),
  and: alu("and"),
  or: alu("or"),
  xor: alu("xor"),
  cmp: alu("cmp"),
  test: forms("test", "rmN, rN"),
  testImmediate: forms("test", "rmN, immN"),
  mov: { store: forms("mov", "rmN, rN"), load: forms("mov", "rN, rmN"), immediate: forms("mov", "rmN, immN") },
  movzx8: form("movzx", "r32, rm8"),
  movzx16: form("movzx", "r32, rm16"),
  movsx8: { 32: form("movsx", "r32, rm8"), 64: form("movsx", "r64, rm8") },
  movsx16: { 32: form("movsx", "r32, rm16"), 64: form("movsx", "r64, rm16") },
  movsxd: form("movsxd", "r64, rm32"),
  lea: { 32: form("lea", "r32, m"), 64: form("lea", "r64, m") },
  imul: { 32: form("imul", "r32, rm32"), 64: form("imul", "r64, rm64") },
  imulShort: { 32: form("imul", "r32, rm32, imm8/32"), 64: form("imul", "r64, rm64, imm8/64") },
  imulLong: { 32: form("imul", "r32, rm32, imm32"), 64: form("imul", "r64, rm64, imm32/64") },
  mulWide: { 32: form("mul", "rm32"), 64: form("mul", "rm64") },
  imulWide: { 32: form("imul", "rm32"), 64: form("imul", "rm64") },
  div: { 32: form("div", "rm32"), 64: form("div", "rm64") },
  idiv: { 32: form("idiv", "rm32"), 64: form("idiv", "rm64") },
  neg: forms("neg", "rmN"),
  not: forms("not", "rmN"),
  inc: forms("inc", "rmN"),
  dec: forms("dec", "rmN"),
  shl: shift("shl"),
  shr: shift("shr"),
  sar: shift("sar"),
  rol: shift("rol"),
  ror: shift("ror"),
  bsf: { 32: form("bsf", "r32, rm32"), 64: form("bsf", "r64, rm64") },
  bsr: { 32: form("bsr", "r32, rm32"), 64: form("bsr", "r64, rm64") },
  xchg: forms("xchg", "rmN, rN"),
  xadd: forms("xadd", "rmN, rN"),
  cmpxchg: forms("cmpxchg", "rmN, rN"),
  ud1: form("ud1", "r32, rm32"),
  pushMemory: form("push", "rm64"),
} as const;

// Opcodes that have a register or nothing in them (volume 2, chapters 3 to 5).

const singleByte = (mnemonic: string, operands: string): number => form(mnemonic, operands).byte;

const PUSH = singleByte("push", "r64");
const POP = singleByte("pop", "r64");
const MOV_IMMEDIATE_32 = singleByte("mov", "r32, imm32");
const MOVABS = singleByte("movabs", "r64, imm64");
const RET = singleByte("ret", "");
const JMP_8 = singleByte("jmp", "rel8");
const JMP_32 = singleByte("jmp", "rel32");
const CALL_32 = singleByte("call", "rel32");
const CALL_REGISTER = form("call", "rm64");
const J_8 = singleByte("jo", "rel8");
const J_32 = singleByte("jo", "rel32");
const SET = form("seto", "rm8");
const CMOV = { 32: form("cmovo", "r32, rm32"), 64: form("cmovo", "r64, rm64") } as const;
const BSWAP = singleByte("bswap", "r32");
const LOCK = 0xf0;
const CDQ = singleByte("cdq", "");
const IN = { 8: form("in", "al, dx"), 16: form("in", "ax, dx"), 32: form("in", "eax, dx") } as const;
const IN_IMMEDIATE = { 8: form("in", "al, imm8"), 16: form("in", "ax, imm8"), 32: form("in", "eax, imm8") } as const;
const OUT = { 8: form("out", "dx, al"), 16: form("out", "dx, ax"), 32: form("out", "dx, eax") } as const;
const OUT_IMMEDIATE = { 8: form("out", "imm8, al"), 16: form("out", "imm8, ax"), 32: form("out", "imm8, eax") } as const;
const MFENCE = [0x0f, 0xae, 0xf0] as const;

/** Segment override of the CPU block. */
const GS = 0x65;

export type Memory =
  | { readonly kind: "base"; readonly base: number; readonly offset: number }
  /** Base and index without scale. */
  | { readonly kind: "sum"; readonly base: number; readonly index: number }
  /** 32 bits, sign-extended. */
  | { readonly kind: "absolute"; readonly address: number }
  | { readonly kind: "symbol"; readonly symbol: number; readonly offset: number }
  /** Offset in the CPU block. */
  | { readonly kind: "block"; readonly offset: number };

export const isByteSized = (value: number): boolean => value >= -128 && value <= 127;

function writePrefixes(
  e: Emission,
  { prefix, rexW, isTwoByte, byte, regIsByte, rmIsByte }: Opcode,
  reg: number,
  index: number,
  rm: number,
  isMemory: boolean,
): void {
  if (prefix !== 0) e.byte(prefix);
  const rex = rexW | ((reg >> 3) << 2) | ((index >> 3) << 1) | (rm >> 3);
  if (rex !== 0 || (regIsByte && reg > 3) || (rmIsByte && !isMemory && rm > 3)) e.byte(0x40 | rex);
  if (isTwoByte) e.byte(0x0f);
  e.byte(byte);
}

/** A register, or the opcode's digit, and a register. */
export function withRegister(e: Emission, op: Opcode, reg: number, rm: number): void {
  writePrefixes(e, op, reg, 0, rm, false);
  e.byte(0xc0 | ((reg & 7) << 3) | (rm & 7));
}

/** The opcode's digit and a register. */
export function withOne(e: Emission, op: Opcode, rm: number): void {
  writePrefixes(e, op, 0, 0, rm, false);
  e.byte(0xc0 | (op.digit << 3) | (rm & 7));
}

/** A register and memory. `behind`: bytes of an immediate that follows, for addresses relative to the end of the instruction. */
export function withMemory(e: Emission, op: Opcode, reg: number, at: Memory, behind = 0): void {
  const middle = (reg & 7) << 3;
  switch (at.kind) {
    case "base": {
      writePrefixes(e, op, reg, 0, at.base, true);
      const low = at.base & 7;
      // rbp and r13 without a displacement mean something else; rsp and r12 need a SIB byte (volume 2, tables 2-2 and 2-3).
      const size = at.offset === 0 && low !== 5 ? 0 : isByteSized(at.offset) ? 1 : 4;
      e.byte((size === 0 ? 0 : size === 1 ? 0x40 : 0x80) | middle | low);
      if (low === 4) e.byte(0x24);
      if (size === 1) e.byte(at.offset & 0xff);
      else if (size === 4) e.word(at.offset);
      return;
    }
    case "sum":
      writePrefixes(e, op, reg, at.index, at.base, true);
      e.byte(((at.base & 7) === 5 ? 0x40 : 0) | middle | 4);
      e.byte(((at.index & 7) << 3) | (at.base & 7));
      if ((at.base & 7) === 5) e.byte(0);
      return;
    case "absolute":
      writePrefixes(e, op, reg, 0, 0, true);
      e.byte(middle | 4);
      e.byte(0x25);
      e.word(at.address);
      return;
    case "symbol":
      writePrefixes(e, op, reg, 0, 0, true);
      e.byte(middle | 5);
      e.relocate("relative32", { kind: "symbol", symbol: at.symbol }, at.offset - 4 - behind);
      e.word(0);
      return;
    case "block":
      e.byte(GS);
      writePrefixes(e, op, reg, 0, 0, true);
      e.byte(middle | 4);
      e.byte(0x25);
      e.word(at.offset);
  }
}

/** The opcode's digit and memory. */
export function withMemoryOnly(e: Emission, op: Opcode, at: Memory, behind = 0): void {
  withMemory(e, op, op.digit, at, behind);
}

/** An immediate as wide as the operation has it: 32 bits are sign-extended to 64. */
export function immediate(e: Emission, width: Width, value: number): void {
  if (width === 8) e.byte(value & 0xff);
  else if (width === 16) e.half(value & 0xffff);
  else e.word(value);
}

export function lock(e: Emission): void {
  e.byte(LOCK);
}

export function push(e: Emission, register: number): void {
  if (register > 7) e.byte(0x41);
  e.byte(PUSH | (register & 7));
}

export function pop(e: Emission, register: number): void {
  if (register > 7) e.byte(0x41);
  e.byte(POP | (register & 7));
}

/** Clears the upper half; leaves the flags alone. The value's four bytes come next. */
export function beginMove32(e: Emission, register: number): void {
  if (register > 7) e.byte(0x41);
  e.byte(MOV_IMMEDIATE_32 | (register & 7));
}

export function moveAbsolute(e: Emission, register: number, value: bigint): void {
  e.byte(register > 7 ? 0x49 : 0x48);
  e.byte(MOVABS | (register & 7));
  e.word(Number(BigInt.asUintN(32, value)));
  e.word(Number(BigInt.asUintN(32, value >> 32n)));
}

export function ret(e: Emission): void {
  e.byte(RET);
}

export function bswap(e: Emission, width: 32 | 64, register: number): void {
  const rex = (width === 64 ? 8 : 0) | (register >> 3);
  if (rex !== 0) e.byte(0x40 | rex);
  e.byte(0x0f);
  e.byte(BSWAP | (register & 7));
}

/** edx or rdx: the sign of eax or rax. */
export function signToDx(e: Emission, width: 32 | 64): void {
  if (width === 64) e.byte(0x48);
  e.byte(CDQ);
}

export function memoryFence(e: Emission): void {
  for (const byte of MFENCE) e.byte(byte);
}

/** Of ports, between the accumulator and the port in dx, or one below 256. */
export function portAccess(e: Emission, direction: "in" | "out", width: 8 | 16 | 32, port: number | "dx"): void {
  const table = direction === "in" ? (port === "dx" ? IN : IN_IMMEDIATE) : port === "dx" ? OUT : OUT_IMMEDIATE;
  const { prefix, byte } = table[width];
  if (prefix !== 0) e.byte(prefix);
  e.byte(byte);
  if (port !== "dx") e.byte(port);
}

/** Number of a condition code (volume 1, appendix B). */
export function conditionNumber(name: Condition): number {
  const number = CONDITIONS.findIndex(([first]) => first === name);
  if (number < 0) throw new Error(`isa/x86_64 has no condition ${name}`);
  return number;
}

export function setCondition(e: Emission, condition: number, register: number): void {
  withRegister(e, { ...SET, byte: SET.byte | condition }, 0, register);
}

export function moveIf(e: Emission, condition: number, width: 32 | 64, to: number, from: number | Memory): void {
  const op = { ...CMOV[width], byte: CMOV[width].byte | condition };
  if (typeof from === "number") withRegister(e, op, to, from);
  else withMemory(e, op, to, from);
}

/** Distances of branches are counted from the end of their field. */
export const BRANCH_KINDS = { short: "branch8", long: "branch32" } as const;

export function jumpIf(e: Emission, condition: number, label: Label): void {
  const { number, isLong } = e.branch();
  if (isLong) {
    e.byte(0x0f);
    e.byte(J_32 | condition);
    e.refer(label, BRANCH_KINDS.long, number);
    e.word(0);
    return;
  }
  e.byte(J_8 | condition);
  e.refer(label, BRANCH_KINDS.short, number);
  e.byte(0);
}

export function jump(e: Emission, label: Label): void {
  const { number, isLong } = e.branch();
  e.byte(isLong ? JMP_32 : JMP_8);
  e.refer(label, isLong ? BRANCH_KINDS.long : BRANCH_KINDS.short, number);
  if (isLong) e.word(0);
  else e.byte(0);
}

export function call(e: Emission, callee: { readonly function: number } | { readonly label: string }): void {
  e.byte(CALL_32);
  e.relocate(BRANCH_KINDS.long, "function" in callee ? { kind: "function", function: callee.function } : { kind: "label", name: callee.label });
  e.word(0);
}

export function callRegister(e: Emission, register: number): void {
  withOne(e, CALL_REGISTER, register);
}

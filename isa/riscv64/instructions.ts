// The instruction table of RV64 and RV32: one row an instruction, and everything that knows an encoding reads it (encode.ts, decode.ts,
// assemble.ts, disassemble.ts, the emulated CPU). A row's `match` gives the fixed bits; the mask follows from the format, since
// every bit that no operand takes is fixed. Where two rows match a word, the one with more fixed bits means it (c.nop is a c.addi).
//
// Here: RV64I, M, A, F, D, C, Zicsr, Zifencei, Zihintpause, Zicond, Zawrs, Zba, Zbb, Zbc, Zbs, Zicbom, Zicbop, Zicboz, the
// machine, supervisor and hypervisor instructions, Svinval. Left out: Q, Zfh, Zfa, V, Zacas, Zabha, Zcb, Zcmp, Zcmt, scalar
// cryptography, Zihintntl's names, Smrnmi (mnret), Sdext (dret). Rows without `only` are of both widths; where RV32 has one bit less
// of a shift amount, the format says so.
// Encodings: RISC-V Instruction Set Manual Volume I, 20191213, 24 (listings of I, M, A, F, D, Zicsr, Zifencei) and 16.8 (C);
// Volume II, 20211203, 9 (privileged listings); Bit-Manipulation 1.0.0, 2 (Zba, Zbb, Zbc, Zbs); CMO extensions 1.0, 4 (Zicbo*);
// Volume I, 20240411, chapters "Zicond", "Zawrs", "Zihintpause".

import { byWidth, type RegisterWidth } from "./by-width.ts";
import { FORMATS, NARROW_FORMATS, parseSyntax } from "./formats.ts";
import type { Format, FormatName, MemoryOrder, Operand, RoundingMode, SyntaxPart } from "./formats.ts";
import type { CsrName, FRegisterName, XRegisterName } from "./registers.ts";

export type Extension =
  | "I"
  | "M"
  | "A"
  | "F"
  | "D"
  | "C"
  | "CD"
  | "CF"
  | "Zicsr"
  | "Zifencei"
  | "Zihintpause"
  | "Zicond"
  | "Zawrs"
  | "Zba"
  | "Zbb"
  | "Zbc"
  | "Zbs"
  | "Zicbom"
  | "Zicbop"
  | "Zicboz"
  | "machine"
  | "supervisor"
  | "hypervisor"
  | "Svinval";

interface Row {
  readonly mnemonic: string;
  readonly extension: Extension;
  readonly format: FormatName;
  readonly match: number;
  /** The width that has it, if the other one has not. */
  readonly only?: RegisterWidth;
}

// Major opcodes (Volume I, 24, base opcode map).
const LOAD = 0x03;
const LOAD_FP = 0x07;
const MISC_MEM = 0x0f;
const OP_IMM = 0x13;
const AUIPC = 0x17;
const OP_IMM_32 = 0x1b;
const STORE = 0x23;
const STORE_FP = 0x27;
const AMO = 0x2f;
const OP = 0x33;
const LUI = 0x37;
const OP_32 = 0x3b;
const MADD = 0x43;
const MSUB = 0x47;
const NMSUB = 0x4b;
const NMADD = 0x4f;
const OP_FP = 0x53;
const BRANCH = 0x63;
const JALR = 0x67;
const JAL = 0x6f;
const SYSTEM = 0x73;

const rd = (value: number): number => value << 7;
const f3 = (value: number): number => value << 12;
const rs2 = (value: number): number => value << 20;
const f7 = (value: number): number => value << 25;
const f5 = (value: number): number => value << 27;
const f12 = (value: number): number => value << 20;

// Format fields of OP-FP and the fused multiply-adds.
const S = 0 << 25;
const D = 1 << 25;

/** Compressed: quadrant and funct3. */
const c = (quadrant: number, funct3: number): number => (funct3 << 13) | quadrant;

const ROWS = [
  // RV64I.
  { mnemonic: "lui", extension: "I", format: "U", match: LUI },
  { mnemonic: "auipc", extension: "I", format: "U", match: AUIPC },
  { mnemonic: "jal", extension: "I", format: "J", match: JAL },
  { mnemonic: "jalr", extension: "I", format: "I-load", match: JALR | f3(0) },
  { mnemonic: "beq", extension: "I", format: "B", match: BRANCH | f3(0) },
  { mnemonic: "bne", extension: "I", format: "B", match: BRANCH | f3(1) },
  { mnemonic: "blt", extension: "I", format: "B", match: BRANCH | f3(4) },
  { mnemonic: "bge", extension: "I", format: "B", match: BRANCH | f3(5) },
  { mnemonic: "bltu", extension: "I", format: "B", match: BRANCH | f3(6) },
  { mnemonic: "bgeu", extension: "I", format: "B", match: BRANCH | f3(7) },
  { mnemonic: "lb", extension: "I", format: "I-load", match: LOAD | f3(0) },
  { mnemonic: "lh", extension: "I", format: "I-load", match: LOAD | f3(1) },
  { mnemonic: "lw", extension: "I", format: "I-load", match: LOAD | f3(2) },
  { mnemonic: "ld", extension: "I", format: "I-load", match: LOAD | f3(3), only: 64 },
  { mnemonic: "lbu", extension: "I", format: "I-load", match: LOAD | f3(4) },
  { mnemonic: "lhu", extension: "I", format: "I-load", match: LOAD | f3(5) },
  { mnemonic: "lwu", extension: "I", format: "I-load", match: LOAD | f3(6), only: 64 },
  { mnemonic: "sb", extension: "I", format: "S", match: STORE | f3(0) },
  { mnemonic: "sh", extension: "I", format: "S", match: STORE | f3(1) },
  { mnemonic: "sw", extension: "I", format: "S", match: STORE | f3(2) },
  { mnemonic: "sd", extension: "I", format: "S", match: STORE | f3(3), only: 64 },
  { mnemonic: "addi", extension: "I", format: "I", match: OP_IMM | f3(0) },
  { mnemonic: "slti", extension: "I", format: "I", match: OP_IMM | f3(2) },
  { mnemonic: "sltiu", extension: "I", format: "I", match: OP_IMM | f3(3) },
  { mnemonic: "xori", extension: "I", format: "I", match: OP_IMM | f3(4) },
  { mnemonic: "ori", extension: "I", format: "I", match: OP_IMM | f3(6) },
  { mnemonic: "andi", extension: "I", format: "I", match: OP_IMM | f3(7) },
  { mnemonic: "slli", extension: "I", format: "I-shift", match: OP_IMM | f3(1) },
  { mnemonic: "srli", extension: "I", format: "I-shift", match: OP_IMM | f3(5) },
  { mnemonic: "srai", extension: "I", format: "I-shift", match: OP_IMM | f3(5) | f7(0x20) },
  { mnemonic: "add", extension: "I", format: "R", match: OP | f3(0) },
  { mnemonic: "sub", extension: "I", format: "R", match: OP | f3(0) | f7(0x20) },
  { mnemonic: "sll", extension: "I", format: "R", match: OP | f3(1) },
  { mnemonic: "slt", extension: "I", format: "R", match: OP | f3(2) },
  { mnemonic: "sltu", extension: "I", format: "R", match: OP | f3(3) },
  { mnemonic: "xor", extension: "I", format: "R", match: OP | f3(4) },
  { mnemonic: "srl", extension: "I", format: "R", match: OP | f3(5) },
  { mnemonic: "sra", extension: "I", format: "R", match: OP | f3(5) | f7(0x20) },
  { mnemonic: "or", extension: "I", format: "R", match: OP | f3(6) },
  { mnemonic: "and", extension: "I", format: "R", match: OP | f3(7) },
  { mnemonic: "addiw", extension: "I", format: "I", match: OP_IMM_32 | f3(0), only: 64 },
  { mnemonic: "slliw", extension: "I", format: "I-shift-w", match: OP_IMM_32 | f3(1), only: 64 },
  { mnemonic: "srliw", extension: "I", format: "I-shift-w", match: OP_IMM_32 | f3(5), only: 64 },
  { mnemonic: "sraiw", extension: "I", format: "I-shift-w", match: OP_IMM_32 | f3(5) | f7(0x20), only: 64 },
  { mnemonic: "addw", extension: "I", format: "R", match: OP_32 | f3(0), only: 64 },
  { mnemonic: "subw", extension: "I", format: "R", match: OP_32 | f3(0) | f7(0x20), only: 64 },
  { mnemonic: "sllw", extension: "I", format: "R", match: OP_32 | f3(1), only: 64 },
  { mnemonic: "srlw", extension: "I", format: "R", match: OP_32 | f3(5), only: 64 },
  { mnemonic: "sraw", extension: "I", format: "R", match: OP_32 | f3(5) | f7(0x20), only: 64 },
  { mnemonic: "fence", extension: "I", format: "fence", match: MISC_MEM | f3(0) },
  { mnemonic: "fence.tso", extension: "I", format: "none", match: MISC_MEM | f12(0x833) },
  { mnemonic: "pause", extension: "Zihintpause", format: "none", match: MISC_MEM | f12(0x010) },
  { mnemonic: "fence.i", extension: "Zifencei", format: "fence.i", match: MISC_MEM | f3(1) },
  { mnemonic: "ecall", extension: "I", format: "none", match: SYSTEM | f12(0) },
  { mnemonic: "ebreak", extension: "I", format: "none", match: SYSTEM | f12(1) },

  // Zicsr.
  { mnemonic: "csrrw", extension: "Zicsr", format: "csr", match: SYSTEM | f3(1) },
  { mnemonic: "csrrs", extension: "Zicsr", format: "csr", match: SYSTEM | f3(2) },
  { mnemonic: "csrrc", extension: "Zicsr", format: "csr", match: SYSTEM | f3(3) },
  { mnemonic: "csrrwi", extension: "Zicsr", format: "csr-imm", match: SYSTEM | f3(5) },
  { mnemonic: "csrrsi", extension: "Zicsr", format: "csr-imm", match: SYSTEM | f3(6) },
  { mnemonic: "csrrci", extension: "Zicsr", format: "csr-imm", match: SYSTEM | f3(7) },

  // Privileged.
  { mnemonic: "mret", extension: "machine", format: "none", match: SYSTEM | f12(0x302) },
  { mnemonic: "sret", extension: "supervisor", format: "none", match: SYSTEM | f12(0x102) },
  { mnemonic: "wfi", extension: "machine", format: "none", match: SYSTEM | f12(0x105) },
  { mnemonic: "sfence.vma", extension: "supervisor", format: "R-fence", match: SYSTEM | f7(0x09) },
  { mnemonic: "sinval.vma", extension: "Svinval", format: "R-fence", match: SYSTEM | f7(0x0b) },
  { mnemonic: "sfence.w.inval", extension: "Svinval", format: "none", match: SYSTEM | f12(0x180) },
  { mnemonic: "sfence.inval.ir", extension: "Svinval", format: "none", match: SYSTEM | f12(0x181) },
  { mnemonic: "hinval.vvma", extension: "Svinval", format: "R-fence", match: SYSTEM | f7(0x13) },
  { mnemonic: "hinval.gvma", extension: "Svinval", format: "R-fence", match: SYSTEM | f7(0x33) },
  { mnemonic: "hfence.vvma", extension: "hypervisor", format: "R-fence", match: SYSTEM | f7(0x11) },
  { mnemonic: "hfence.gvma", extension: "hypervisor", format: "R-fence", match: SYSTEM | f7(0x31) },
  { mnemonic: "hlv.b", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x30) | rs2(0) },
  { mnemonic: "hlv.bu", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x30) | rs2(1) },
  { mnemonic: "hlv.h", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x32) | rs2(0) },
  { mnemonic: "hlv.hu", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x32) | rs2(1) },
  { mnemonic: "hlvx.hu", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x32) | rs2(3) },
  { mnemonic: "hlv.w", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x34) | rs2(0) },
  { mnemonic: "hlv.wu", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x34) | rs2(1), only: 64 },
  { mnemonic: "hlvx.wu", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x34) | rs2(3) },
  { mnemonic: "hlv.d", extension: "hypervisor", format: "R-load", match: SYSTEM | f3(4) | f7(0x36) | rs2(0), only: 64 },
  { mnemonic: "hsv.b", extension: "hypervisor", format: "R-store", match: SYSTEM | f3(4) | f7(0x31) },
  { mnemonic: "hsv.h", extension: "hypervisor", format: "R-store", match: SYSTEM | f3(4) | f7(0x33) },
  { mnemonic: "hsv.w", extension: "hypervisor", format: "R-store", match: SYSTEM | f3(4) | f7(0x35) },
  { mnemonic: "hsv.d", extension: "hypervisor", format: "R-store", match: SYSTEM | f3(4) | f7(0x37), only: 64 },
  { mnemonic: "wrs.nto", extension: "Zawrs", format: "none", match: SYSTEM | f12(0x00d) },
  { mnemonic: "wrs.sto", extension: "Zawrs", format: "none", match: SYSTEM | f12(0x01d) },

  // Cache blocks. A prefetch is an ori to x0, so hardware without Zicbop executes it as nothing.
  { mnemonic: "cbo.inval", extension: "Zicbom", format: "cache-block", match: MISC_MEM | f3(2) | f12(0) },
  { mnemonic: "cbo.clean", extension: "Zicbom", format: "cache-block", match: MISC_MEM | f3(2) | f12(1) },
  { mnemonic: "cbo.flush", extension: "Zicbom", format: "cache-block", match: MISC_MEM | f3(2) | f12(2) },
  { mnemonic: "cbo.zero", extension: "Zicboz", format: "cache-block", match: MISC_MEM | f3(2) | f12(4) },
  { mnemonic: "prefetch.i", extension: "Zicbop", format: "prefetch", match: OP_IMM | f3(6) | rs2(0) },
  { mnemonic: "prefetch.r", extension: "Zicbop", format: "prefetch", match: OP_IMM | f3(6) | rs2(1) },
  { mnemonic: "prefetch.w", extension: "Zicbop", format: "prefetch", match: OP_IMM | f3(6) | rs2(3) },

  // M.
  { mnemonic: "mul", extension: "M", format: "R", match: OP | f3(0) | f7(1) },
  { mnemonic: "mulh", extension: "M", format: "R", match: OP | f3(1) | f7(1) },
  { mnemonic: "mulhsu", extension: "M", format: "R", match: OP | f3(2) | f7(1) },
  { mnemonic: "mulhu", extension: "M", format: "R", match: OP | f3(3) | f7(1) },
  { mnemonic: "div", extension: "M", format: "R", match: OP | f3(4) | f7(1) },
  { mnemonic: "divu", extension: "M", format: "R", match: OP | f3(5) | f7(1) },
  { mnemonic: "rem", extension: "M", format: "R", match: OP | f3(6) | f7(1) },
  { mnemonic: "remu", extension: "M", format: "R", match: OP | f3(7) | f7(1) },
  { mnemonic: "mulw", extension: "M", format: "R", match: OP_32 | f3(0) | f7(1), only: 64 },
  { mnemonic: "divw", extension: "M", format: "R", match: OP_32 | f3(4) | f7(1), only: 64 },
  { mnemonic: "divuw", extension: "M", format: "R", match: OP_32 | f3(5) | f7(1), only: 64 },
  { mnemonic: "remw", extension: "M", format: "R", match: OP_32 | f3(6) | f7(1), only: 64 },
  { mnemonic: "remuw", extension: "M", format: "R", match: OP_32 | f3(7) | f7(1), only: 64 },

  // A.
  { mnemonic: "lr.w", extension: "A", format: "lr", match: AMO | f3(2) | f5(0x02) },
  { mnemonic: "sc.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x03) },
  { mnemonic: "amoswap.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x01) },
  { mnemonic: "amoadd.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x00) },
  { mnemonic: "amoxor.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x04) },
  { mnemonic: "amoand.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x0c) },
  { mnemonic: "amoor.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x08) },
  { mnemonic: "amomin.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x10) },
  { mnemonic: "amomax.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x14) },
  { mnemonic: "amominu.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x18) },
  { mnemonic: "amomaxu.w", extension: "A", format: "amo", match: AMO | f3(2) | f5(0x1c) },
  { mnemonic: "lr.d", extension: "A", format: "lr", match: AMO | f3(3) | f5(0x02), only: 64 },
  { mnemonic: "sc.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x03), only: 64 },
  { mnemonic: "amoswap.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x01), only: 64 },
  { mnemonic: "amoadd.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x00), only: 64 },
  { mnemonic: "amoxor.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x04), only: 64 },
  { mnemonic: "amoand.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x0c), only: 64 },
  { mnemonic: "amoor.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x08), only: 64 },
  { mnemonic: "amomin.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x10), only: 64 },
  { mnemonic: "amomax.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x14), only: 64 },
  { mnemonic: "amominu.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x18), only: 64 },
  { mnemonic: "amomaxu.d", extension: "A", format: "amo", match: AMO | f3(3) | f5(0x1c), only: 64 },

  // Zba, Zbb, Zbc, Zbs, Zicond.
  { mnemonic: "add.uw", extension: "Zba", format: "R", match: OP_32 | f3(0) | f7(0x04), only: 64 },
  { mnemonic: "sh1add", extension: "Zba", format: "R", match: OP | f3(2) | f7(0x10) },
  { mnemonic: "sh2add", extension: "Zba", format: "R", match: OP | f3(4) | f7(0x10) },
  { mnemonic: "sh3add", extension: "Zba", format: "R", match: OP | f3(6) | f7(0x10) },
  { mnemonic: "sh1add.uw", extension: "Zba", format: "R", match: OP_32 | f3(2) | f7(0x10), only: 64 },
  { mnemonic: "sh2add.uw", extension: "Zba", format: "R", match: OP_32 | f3(4) | f7(0x10), only: 64 },
  { mnemonic: "sh3add.uw", extension: "Zba", format: "R", match: OP_32 | f3(6) | f7(0x10), only: 64 },
  { mnemonic: "slli.uw", extension: "Zba", format: "I-shift", match: OP_IMM_32 | f3(1) | f7(0x04), only: 64 },
  { mnemonic: "andn", extension: "Zbb", format: "R", match: OP | f3(7) | f7(0x20) },
  { mnemonic: "orn", extension: "Zbb", format: "R", match: OP | f3(6) | f7(0x20) },
  { mnemonic: "xnor", extension: "Zbb", format: "R", match: OP | f3(4) | f7(0x20) },
  { mnemonic: "clz", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(1) | f12(0x600) },
  { mnemonic: "ctz", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(1) | f12(0x601) },
  { mnemonic: "cpop", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(1) | f12(0x602) },
  { mnemonic: "clzw", extension: "Zbb", format: "R-unary", match: OP_IMM_32 | f3(1) | f12(0x600), only: 64 },
  { mnemonic: "ctzw", extension: "Zbb", format: "R-unary", match: OP_IMM_32 | f3(1) | f12(0x601), only: 64 },
  { mnemonic: "cpopw", extension: "Zbb", format: "R-unary", match: OP_IMM_32 | f3(1) | f12(0x602), only: 64 },
  { mnemonic: "max", extension: "Zbb", format: "R", match: OP | f3(6) | f7(0x05) },
  { mnemonic: "maxu", extension: "Zbb", format: "R", match: OP | f3(7) | f7(0x05) },
  { mnemonic: "min", extension: "Zbb", format: "R", match: OP | f3(4) | f7(0x05) },
  { mnemonic: "minu", extension: "Zbb", format: "R", match: OP | f3(5) | f7(0x05) },
  { mnemonic: "sext.b", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(1) | f12(0x604) },
  { mnemonic: "sext.h", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(1) | f12(0x605) },
  { mnemonic: "zext.h", extension: "Zbb", format: "R-unary", match: OP_32 | f3(4) | f7(0x04), only: 64 },
  { mnemonic: "zext.h", extension: "Zbb", format: "R-unary", match: OP | f3(4) | f7(0x04), only: 32 },
  { mnemonic: "rol", extension: "Zbb", format: "R", match: OP | f3(1) | f7(0x30) },
  { mnemonic: "rolw", extension: "Zbb", format: "R", match: OP_32 | f3(1) | f7(0x30), only: 64 },
  { mnemonic: "ror", extension: "Zbb", format: "R", match: OP | f3(5) | f7(0x30) },
  { mnemonic: "rorw", extension: "Zbb", format: "R", match: OP_32 | f3(5) | f7(0x30), only: 64 },
  { mnemonic: "rori", extension: "Zbb", format: "I-shift", match: OP_IMM | f3(5) | f7(0x30) },
  { mnemonic: "roriw", extension: "Zbb", format: "I-shift-w", match: OP_IMM_32 | f3(5) | f7(0x30), only: 64 },
  { mnemonic: "orc.b", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(5) | f12(0x287) },
  { mnemonic: "rev8", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(5) | f12(0x6b8), only: 64 },
  { mnemonic: "rev8", extension: "Zbb", format: "R-unary", match: OP_IMM | f3(5) | f12(0x698), only: 32 },
  { mnemonic: "clmul", extension: "Zbc", format: "R", match: OP | f3(1) | f7(0x05) },
  { mnemonic: "clmulr", extension: "Zbc", format: "R", match: OP | f3(2) | f7(0x05) },
  { mnemonic: "clmulh", extension: "Zbc", format: "R", match: OP | f3(3) | f7(0x05) },
  { mnemonic: "bclr", extension: "Zbs", format: "R", match: OP | f3(1) | f7(0x24) },
  { mnemonic: "bclri", extension: "Zbs", format: "I-shift", match: OP_IMM | f3(1) | f7(0x24) },
  { mnemonic: "bext", extension: "Zbs", format: "R", match: OP | f3(5) | f7(0x24) },
  { mnemonic: "bexti", extension: "Zbs", format: "I-shift", match: OP_IMM | f3(5) | f7(0x24) },
  { mnemonic: "binv", extension: "Zbs", format: "R", match: OP | f3(1) | f7(0x34) },
  { mnemonic: "binvi", extension: "Zbs", format: "I-shift", match: OP_IMM | f3(1) | f7(0x34) },
  { mnemonic: "bset", extension: "Zbs", format: "R", match: OP | f3(1) | f7(0x14) },
  { mnemonic: "bseti", extension: "Zbs", format: "I-shift", match: OP_IMM | f3(1) | f7(0x14) },
  { mnemonic: "czero.eqz", extension: "Zicond", format: "R", match: OP | f3(5) | f7(0x07) },
  { mnemonic: "czero.nez", extension: "Zicond", format: "R", match: OP | f3(7) | f7(0x07) },

  // F.
  { mnemonic: "flw", extension: "F", format: "F-load", match: LOAD_FP | f3(2) },
  { mnemonic: "fsw", extension: "F", format: "F-store", match: STORE_FP | f3(2) },
  { mnemonic: "fmadd.s", extension: "F", format: "F-R4", match: MADD | S },
  { mnemonic: "fmsub.s", extension: "F", format: "F-R4", match: MSUB | S },
  { mnemonic: "fnmsub.s", extension: "F", format: "F-R4", match: NMSUB | S },
  { mnemonic: "fnmadd.s", extension: "F", format: "F-R4", match: NMADD | S },
  { mnemonic: "fadd.s", extension: "F", format: "F-R-rm", match: OP_FP | f5(0x00) | S },
  { mnemonic: "fsub.s", extension: "F", format: "F-R-rm", match: OP_FP | f5(0x01) | S },
  { mnemonic: "fmul.s", extension: "F", format: "F-R-rm", match: OP_FP | f5(0x02) | S },
  { mnemonic: "fdiv.s", extension: "F", format: "F-R-rm", match: OP_FP | f5(0x03) | S },
  { mnemonic: "fsqrt.s", extension: "F", format: "F-unary-rm", match: OP_FP | f5(0x0b) | S },
  { mnemonic: "fsgnj.s", extension: "F", format: "F-R", match: OP_FP | f5(0x04) | S | f3(0) },
  { mnemonic: "fsgnjn.s", extension: "F", format: "F-R", match: OP_FP | f5(0x04) | S | f3(1) },
  { mnemonic: "fsgnjx.s", extension: "F", format: "F-R", match: OP_FP | f5(0x04) | S | f3(2) },
  { mnemonic: "fmin.s", extension: "F", format: "F-R", match: OP_FP | f5(0x05) | S | f3(0) },
  { mnemonic: "fmax.s", extension: "F", format: "F-R", match: OP_FP | f5(0x05) | S | f3(1) },
  { mnemonic: "fle.s", extension: "F", format: "F-compare", match: OP_FP | f5(0x14) | S | f3(0) },
  { mnemonic: "flt.s", extension: "F", format: "F-compare", match: OP_FP | f5(0x14) | S | f3(1) },
  { mnemonic: "feq.s", extension: "F", format: "F-compare", match: OP_FP | f5(0x14) | S | f3(2) },
  { mnemonic: "fcvt.w.s", extension: "F", format: "F-to-x-rm", match: OP_FP | f5(0x18) | S | rs2(0) },
  { mnemonic: "fcvt.wu.s", extension: "F", format: "F-to-x-rm", match: OP_FP | f5(0x18) | S | rs2(1) },
  { mnemonic: "fcvt.l.s", extension: "F", format: "F-to-x-rm", match: OP_FP | f5(0x18) | S | rs2(2), only: 64 },
  { mnemonic: "fcvt.lu.s", extension: "F", format: "F-to-x-rm", match: OP_FP | f5(0x18) | S | rs2(3), only: 64 },
  { mnemonic: "fcvt.s.w", extension: "F", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | S | rs2(0) },
  { mnemonic: "fcvt.s.wu", extension: "F", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | S | rs2(1) },
  { mnemonic: "fcvt.s.l", extension: "F", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | S | rs2(2), only: 64 },
  { mnemonic: "fcvt.s.lu", extension: "F", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | S | rs2(3), only: 64 },
  { mnemonic: "fmv.x.w", extension: "F", format: "F-to-x", match: OP_FP | f5(0x1c) | S | f3(0) },
  { mnemonic: "fclass.s", extension: "F", format: "F-to-x", match: OP_FP | f5(0x1c) | S | f3(1) },
  { mnemonic: "fmv.w.x", extension: "F", format: "F-from-x", match: OP_FP | f5(0x1e) | S | f3(0) },

  // D.
  { mnemonic: "fld", extension: "D", format: "F-load", match: LOAD_FP | f3(3) },
  { mnemonic: "fsd", extension: "D", format: "F-store", match: STORE_FP | f3(3) },
  { mnemonic: "fmadd.d", extension: "D", format: "F-R4", match: MADD | D },
  { mnemonic: "fmsub.d", extension: "D", format: "F-R4", match: MSUB | D },
  { mnemonic: "fnmsub.d", extension: "D", format: "F-R4", match: NMSUB | D },
  { mnemonic: "fnmadd.d", extension: "D", format: "F-R4", match: NMADD | D },
  { mnemonic: "fadd.d", extension: "D", format: "F-R-rm", match: OP_FP | f5(0x00) | D },
  { mnemonic: "fsub.d", extension: "D", format: "F-R-rm", match: OP_FP | f5(0x01) | D },
  { mnemonic: "fmul.d", extension: "D", format: "F-R-rm", match: OP_FP | f5(0x02) | D },
  { mnemonic: "fdiv.d", extension: "D", format: "F-R-rm", match: OP_FP | f5(0x03) | D },
  { mnemonic: "fsqrt.d", extension: "D", format: "F-unary-rm", match: OP_FP | f5(0x0b) | D },
  { mnemonic: "fsgnj.d", extension: "D", format: "F-R", match: OP_FP | f5(0x04) | D | f3(0) },
  { mnemonic: "fsgnjn.d", extension: "D", format: "F-R", match: OP_FP | f5(0x04) | D | f3(1) },
  { mnemonic: "fsgnjx.d", extension: "D", format: "F-R", match: OP_FP | f5(0x04) | D | f3(2) },
  { mnemonic: "fmin.d", extension: "D", format: "F-R", match: OP_FP | f5(0x05) | D | f3(0) },
  { mnemonic: "fmax.d", extension: "D", format: "F-R", match: OP_FP | f5(0x05) | D | f3(1) },
  { mnemonic: "fcvt.s.d", extension: "D", format: "F-unary-rm", match: OP_FP | f5(0x08) | S | rs2(1) },
  { mnemonic: "fcvt.d.s", extension: "D", format: "F-unary-exact", match: OP_FP | f5(0x08) | D | rs2(0) },
  { mnemonic: "fle.d", extension: "D", format: "F-compare", match: OP_FP | f5(0x14) | D | f3(0) },
  { mnemonic: "flt.d", extension: "D", format: "F-compare", match: OP_FP | f5(0x14) | D | f3(1) },
  { mnemonic: "feq.d", extension: "D", format: "F-compare", match: OP_FP | f5(0x14) | D | f3(2) },
  { mnemonic: "fcvt.w.d", extension: "D", format: "F-to-x-rm", match: OP_FP | f5(0x18) | D | rs2(0) },
  { mnemonic: "fcvt.wu.d", extension: "D", format: "F-to-x-rm", match: OP_FP | f5(0x18) | D | rs2(1) },
  { mnemonic: "fcvt.l.d", extension: "D", format: "F-to-x-rm", match: OP_FP | f5(0x18) | D | rs2(2), only: 64 },
  { mnemonic: "fcvt.lu.d", extension: "D", format: "F-to-x-rm", match: OP_FP | f5(0x18) | D | rs2(3), only: 64 },
  { mnemonic: "fcvt.d.w", extension: "D", format: "F-from-x-exact", match: OP_FP | f5(0x1a) | D | rs2(0) },
  { mnemonic: "fcvt.d.wu", extension: "D", format: "F-from-x-exact", match: OP_FP | f5(0x1a) | D | rs2(1) },
  { mnemonic: "fcvt.d.l", extension: "D", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | D | rs2(2), only: 64 },
  { mnemonic: "fcvt.d.lu", extension: "D", format: "F-from-x-rm", match: OP_FP | f5(0x1a) | D | rs2(3), only: 64 },
  { mnemonic: "fmv.x.d", extension: "D", format: "F-to-x", match: OP_FP | f5(0x1c) | D | f3(0), only: 64 },
  { mnemonic: "fclass.d", extension: "D", format: "F-to-x", match: OP_FP | f5(0x1c) | D | f3(1) },
  { mnemonic: "fmv.d.x", extension: "D", format: "F-from-x", match: OP_FP | f5(0x1e) | D | f3(0), only: 64 },

  // C. The all-zero halfword is illegal for ever (Volume I, 16.8 and 1.5): c.unimp traps.
  { mnemonic: "c.unimp", extension: "C", format: "none", match: 0 },
  { mnemonic: "c.addi4spn", extension: "C", format: "C-addi4spn", match: c(0, 0) },
  { mnemonic: "c.fld", extension: "CD", format: "C-fld", match: c(0, 1) },
  { mnemonic: "c.lw", extension: "C", format: "C-lw", match: c(0, 2) },
  { mnemonic: "c.ld", extension: "C", format: "C-ld", match: c(0, 3), only: 64 },
  { mnemonic: "c.flw", extension: "CF", format: "C-flw", match: c(0, 3), only: 32 },
  { mnemonic: "c.fsd", extension: "CD", format: "C-fsd", match: c(0, 5) },
  { mnemonic: "c.sw", extension: "C", format: "C-sw", match: c(0, 6) },
  { mnemonic: "c.sd", extension: "C", format: "C-sd", match: c(0, 7), only: 64 },
  { mnemonic: "c.fsw", extension: "CF", format: "C-fsw", match: c(0, 7), only: 32 },
  { mnemonic: "c.nop", extension: "C", format: "none", match: c(1, 0) },
  { mnemonic: "c.addi", extension: "C", format: "C-imm", match: c(1, 0) },
  { mnemonic: "c.addiw", extension: "C", format: "C-addiw", match: c(1, 1), only: 64 },
  { mnemonic: "c.jal", extension: "C", format: "C-j", match: c(1, 1), only: 32 },
  { mnemonic: "c.li", extension: "C", format: "C-imm", match: c(1, 2) },
  { mnemonic: "c.addi16sp", extension: "C", format: "C-addi16sp", match: c(1, 3) | rd(2) },
  { mnemonic: "c.lui", extension: "C", format: "C-lui", match: c(1, 3) },
  { mnemonic: "c.srli", extension: "C", format: "C-shift", match: c(1, 4) },
  // A shift by 0 is RV128's shift by 64 and a HINT here.
  { mnemonic: "c.srli64", extension: "C", format: "C-shift64", match: c(1, 4) },
  { mnemonic: "c.srai", extension: "C", format: "C-shift", match: c(1, 4) | (1 << 10) },
  { mnemonic: "c.srai64", extension: "C", format: "C-shift64", match: c(1, 4) | (1 << 10) },
  { mnemonic: "c.andi", extension: "C", format: "C-andi", match: c(1, 4) | (2 << 10) },
  { mnemonic: "c.sub", extension: "C", format: "C-arith", match: c(1, 4) | (3 << 10) | (0 << 5) },
  { mnemonic: "c.xor", extension: "C", format: "C-arith", match: c(1, 4) | (3 << 10) | (1 << 5) },
  { mnemonic: "c.or", extension: "C", format: "C-arith", match: c(1, 4) | (3 << 10) | (2 << 5) },
  { mnemonic: "c.and", extension: "C", format: "C-arith", match: c(1, 4) | (3 << 10) | (3 << 5) },
  { mnemonic: "c.subw", extension: "C", format: "C-arith", match: c(1, 4) | (7 << 10) | (0 << 5), only: 64 },
  { mnemonic: "c.addw", extension: "C", format: "C-arith", match: c(1, 4) | (7 << 10) | (1 << 5), only: 64 },
  { mnemonic: "c.j", extension: "C", format: "C-j", match: c(1, 5) },
  { mnemonic: "c.beqz", extension: "C", format: "C-branch", match: c(1, 6) },
  { mnemonic: "c.bnez", extension: "C", format: "C-branch", match: c(1, 7) },
  { mnemonic: "c.slli", extension: "C", format: "C-slli", match: c(2, 0) },
  { mnemonic: "c.slli64", extension: "C", format: "C-slli64", match: c(2, 0) },
  { mnemonic: "c.fldsp", extension: "CD", format: "C-fldsp", match: c(2, 1) },
  { mnemonic: "c.lwsp", extension: "C", format: "C-lwsp", match: c(2, 2) },
  { mnemonic: "c.ldsp", extension: "C", format: "C-ldsp", match: c(2, 3), only: 64 },
  { mnemonic: "c.flwsp", extension: "CF", format: "C-flwsp", match: c(2, 3), only: 32 },
  { mnemonic: "c.jr", extension: "C", format: "C-jr", match: c(2, 4) },
  { mnemonic: "c.mv", extension: "C", format: "C-move", match: c(2, 4) },
  { mnemonic: "c.ebreak", extension: "C", format: "none", match: c(2, 4) | (1 << 12) },
  { mnemonic: "c.jalr", extension: "C", format: "C-jr", match: c(2, 4) | (1 << 12) },
  { mnemonic: "c.add", extension: "C", format: "C-move", match: c(2, 4) | (1 << 12) },
  { mnemonic: "c.fsdsp", extension: "CD", format: "C-fsdsp", match: c(2, 5) },
  { mnemonic: "c.swsp", extension: "C", format: "C-swsp", match: c(2, 6) },
  { mnemonic: "c.sdsp", extension: "C", format: "C-sdsp", match: c(2, 7), only: 64 },
  { mnemonic: "c.fswsp", extension: "CF", format: "C-fswsp", match: c(2, 7), only: 32 },
] as const satisfies readonly Row[];

export type Mnemonic = (typeof ROWS)[number]["mnemonic"];

/** A row with what follows from its format. */
export interface Instruction {
  readonly mnemonic: Mnemonic;
  readonly extension: Extension;
  readonly format: FormatName;
  /** Bytes. */
  readonly length: 2 | 4;
  readonly match: number;
  readonly mask: number;
  readonly operands: readonly (readonly [name: string, operand: Operand])[];
}

type ValueOf<O extends Operand> = O["kind"] extends "x"
  ? number | XRegisterName
  : O["kind"] extends "f"
    ? number | FRegisterName
    : O["kind"] extends "x8"
      ? number | XRegisterName
      : O["kind"] extends "f8"
        ? number | FRegisterName
        : O["kind"] extends "csr"
          ? number | CsrName
          : O["kind"] extends "rounding"
            ? RoundingMode
            : O["kind"] extends "order"
              ? MemoryOrder
              : O["kind"] extends "fence"
                ? number | string
                : number;

type FormatOf<M extends Mnemonic> = Extract<(typeof ROWS)[number], { readonly mnemonic: M }>["format"];
type OperandTable<M extends Mnemonic> = (typeof FORMATS)[FormatOf<M>]["operands"];
type Implied = { readonly implied: number };

/** The operands of an instruction by name; those with an implied value may be left out. */
export type OperandsOf<M extends Mnemonic> = {
  readonly [N in keyof OperandTable<M> as OperandTable<M>[N] extends Implied ? never : N]: OperandTable<M>[N] extends Operand
    ? ValueOf<OperandTable<M>[N]>
    : never;
} & {
  readonly [N in keyof OperandTable<M> as OperandTable<M>[N] extends Implied ? N : never]?: OperandTable<M>[N] extends Operand
    ? ValueOf<OperandTable<M>[N]>
    : never;
};

/** What all rows of a format share. */
interface Layout extends Pick<Instruction, "operands"> {
  /** Bits that belong to operands. */
  readonly taken: number;
}

const layouts = new Map<FormatName, Layout>();

function layoutOf(name: FormatName): Layout {
  let layout = layouts.get(name);
  if (layout === undefined) {
    const format: Format = FORMATS[name];
    const operands = Object.entries(format.operands);
    let taken = 0;
    for (const [, operand] of operands) {
      for (const [at, width] of operand.bits) taken |= ((1 << width) - 1) << at;
    }
    layout = { operands, taken };
    layouts.set(name, layout);
  }
  return layout;
}

const syntaxes = new Map<FormatName, readonly SyntaxPart[]>();

/** How the instruction is written: for assemblers and disassemblers, so that CPUs need not take texts apart. */
export function syntaxOf({ format }: Instruction): readonly SyntaxPart[] {
  let syntax = syntaxes.get(format);
  if (syntax === undefined) syntaxes.set(format, (syntax = parseSyntax(FORMATS[format])));
  return syntax;
}

function completeRow(row: Row & (typeof ROWS)[number], width: RegisterWidth): Instruction {
  const format = width === 32 ? (NARROW_FORMATS[row.format] ?? row.format) : row.format;
  const { operands, taken } = layoutOf(format);
  // The lowest two bits are 11 in every 32-bit instruction and in no shorter one (Volume I, 1.5).
  const length = (row.match & 3) === 3 ? 4 : 2;
  return {
    mnemonic: row.mnemonic,
    extension: row.extension,
    format,
    length,
    match: row.match >>> 0,
    mask: (~taken & (length === 4 ? -1 : 0xffff)) >>> 0,
    operands,
  };
}

const ROWS_OF_BOTH: readonly (Row & (typeof ROWS)[number])[] = ROWS;

export const instructionsOf = byWidth((width): readonly Instruction[] =>
  ROWS_OF_BOTH.filter(({ only = width }) => only === width).map((row) => completeRow(row, width)),
);

const byMnemonic = byWidth((width): ReadonlyMap<string, Instruction> => new Map(instructionsOf(width).map((row) => [row.mnemonic, row])));

export function findInstruction(mnemonic: string, width: RegisterWidth = 64): Instruction | undefined {
  return byMnemonic(width).get(mnemonic);
}

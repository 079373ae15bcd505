// Instruction words for the back end: fixed bits from the table of isa/riscv64, fields put in place without checks or lookups, for a
// compile encodes some hundred thousand of them. Whoever calls keeps immediates in range; the encodings as such are checked where the
// table is.

import { packOperand } from "../../../isa/riscv64/encode.ts";
import { FORMATS } from "../../../isa/riscv64/formats.ts";
import { findInstruction, type Mnemonic } from "../../../isa/riscv64/instructions.ts";

function fixedBits(mnemonic: Mnemonic): number {
  const row = findInstruction(mnemonic);
  if (row === undefined) throw new Error(`isa/riscv64 has no ${mnemonic}`);
  return row.match;
}

type ThreeRegisters = (rd: number, rs1: number, rs2: number) => number;
type Immediate = (rd: number, rs1: number, imm: number) => number;

/** rd, rs1, rs2 (Volume I, 2.2). */
const r = (mnemonic: Mnemonic): ThreeRegisters => {
  const match = fixedBits(mnemonic);
  return (rd, rs1, rs2) => match | (rd << 7) | (rs1 << 15) | (rs2 << 20);
};

/** rd, rs1 and a 12-bit signed immediate; a shift's amount is its low bits. */
const i = (mnemonic: Mnemonic): Immediate => {
  const match = fixedBits(mnemonic);
  return (rd, rs1, imm) => match | (rd << 7) | (rs1 << 15) | (imm << 20);
};

/** Stores: value, base, 12-bit signed offset. */
const s = (mnemonic: Mnemonic): ((rs2: number, rs1: number, imm: number) => number) => {
  const match = fixedBits(mnemonic);
  return (rs2, rs1, imm) => match | (rs2 << 20) | (rs1 << 15) | ((imm & 0x1f) << 7) | ((imm >> 5) << 25);
};

/** Branches, their distance left to a relocation. */
const b = (mnemonic: Mnemonic): ((rs1: number, rs2: number) => number) => {
  const match = fixedBits(mnemonic);
  return (rs1, rs2) => match | (rs1 << 15) | (rs2 << 20);
};

/** Atomics with acquire and release. */
const amo = (mnemonic: Mnemonic): ThreeRegisters => {
  const match = fixedBits(mnemonic) | (3 << 25);
  return (rd, address, value) => match | (rd << 7) | (address << 15) | (value << 20);
};

const target = FORMATS.B.operands.target;
const JAL = fixedBits("jal");
const LUI = fixedBits("lui");
const AUIPC = fixedBits("auipc");
const FENCE = fixedBits("fence");

export const enc = {
  add: r("add"),
  sub: r("sub"),
  and: r("and"),
  or: r("or"),
  xor: r("xor"),
  sll: r("sll"),
  srl: r("srl"),
  sra: r("sra"),
  slt: r("slt"),
  sltu: r("sltu"),
  addw: r("addw"),
  subw: r("subw"),
  sllw: r("sllw"),
  srlw: r("srlw"),
  sraw: r("sraw"),
  mul: r("mul"),
  mulw: r("mulw"),
  mulh: r("mulh"),
  mulhu: r("mulhu"),
  div: r("div"),
  divu: r("divu"),
  rem: r("rem"),
  remu: r("remu"),
  divw: r("divw"),
  divuw: r("divuw"),
  remw: r("remw"),
  remuw: r("remuw"),
  addi: i("addi"),
  addiw: i("addiw"),
  andi: i("andi"),
  ori: i("ori"),
  xori: i("xori"),
  slti: i("slti"),
  sltiu: i("sltiu"),
  slli: i("slli"),
  srli: i("srli"),
  srai: i("srai"),
  slliw: i("slliw"),
  srliw: i("srliw"),
  sraiw: i("sraiw"),
  lb: i("lb"),
  lbu: i("lbu"),
  lh: i("lh"),
  lhu: i("lhu"),
  lw: i("lw"),
  lwu: i("lwu"),
  ld: i("ld"),
  jalr: i("jalr"),
  csrrw: i("csrrw"),
  csrrs: i("csrrs"),
  csrrc: i("csrrc"),
  sb: s("sb"),
  sh: s("sh"),
  sw: s("sw"),
  sd: s("sd"),
  beq: b("beq"),
  bne: b("bne"),
  blt: b("blt"),
  bge: b("bge"),
  bltu: b("bltu"),
  bgeu: b("bgeu"),
  amoaddW: amo("amoadd.w"),
  amoaddD: amo("amoadd.d"),
  amoandW: amo("amoand.w"),
  amoandD: amo("amoand.d"),
  amoorW: amo("amoor.w"),
  amoorD: amo("amoor.d"),
  amoxorW: amo("amoxor.w"),
  amoxorD: amo("amoxor.d"),
  amoswapW: amo("amoswap.w"),
  amoswapD: amo("amoswap.d"),
  lrW: amo("lr.w"),
  lrD: amo("lr.d"),
  scW: amo("sc.w"),
  scD: amo("sc.d"),
  /** The link register; the distance is left to a relocation. */
  jal: (rd: number): number => JAL | (rd << 7),
  lui: (rd: number, upper: number): number => LUI | (rd << 7) | (upper << 12),
  auipc: (rd: number): number => AUIPC | (rd << 7),
  /** fence with predecessor and successor sets of i, o, r, w in bits 3:0. */
  fence: (predecessor: number, successor: number): number => FENCE | (predecessor << 24) | (successor << 20),
  pause: fixedBits("pause"),
  /** `csrrw x0, cycle, x0`: what assemblers write for `unimp`; always illegal, since the CSR is read-only. */
  unimp: fixedBits("csrrw") | (0xc00 << 20),
  /** A distance to put into a branch that is written by hand. */
  distance: (bytes: number): number => packOperand(target, bytes),
} as const;

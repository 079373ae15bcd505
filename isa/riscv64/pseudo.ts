// Pseudo-instructions: names for common uses of real ones. Most are a line of text with the operands put in; `li`, `la`,
// `call` and `tail` are worked out by the assembler, since their length or their fields depend on a value.
// Source: RISC-V Instruction Set Manual Volume I, 20191213, 25 (tables of pseudoinstructions); zext.w: Bit-Manipulation 1.0.0, 2.
// Left out: loads and stores of a symbol (`lw a0, symbol`), `csrw` with a number (write `csrwi`).

import { encode } from "./encode.ts";
import type { RegisterWidth } from "./by-width.ts";
import { findXRegister } from "./registers.ts";

export interface PseudoInstruction {
  readonly mnemonic: string;
  readonly operands: readonly string[];
  /** A real instruction in which the operands' names stand for what was written. */
  readonly expansion: string;
  /** The width that has it, if the other one has not. */
  readonly only?: RegisterWidth;
}

const pseudo = (form: string, expansion: string, only?: RegisterWidth): PseudoInstruction => {
  const [mnemonic = "", operands = ""] = form.split(/ (.*)/);
  return { mnemonic, operands: operands.split(", ").filter((name) => name !== ""), expansion, ...(only && { only }) };
};

const ROWS: readonly PseudoInstruction[] = [
  pseudo("nop", "addi zero, zero, 0"),
  pseudo("mv rd, rs", "addi rd, rs, 0"),
  pseudo("not rd, rs", "xori rd, rs, -1"),
  pseudo("neg rd, rs", "sub rd, zero, rs"),
  pseudo("negw rd, rs", "subw rd, zero, rs", 64),
  pseudo("sext.w rd, rs", "addiw rd, rs, 0", 64),
  pseudo("zext.b rd, rs", "andi rd, rs, 255"),
  pseudo("zext.w rd, rs", "add.uw rd, rs, zero", 64),
  pseudo("seqz rd, rs", "sltiu rd, rs, 1"),
  pseudo("snez rd, rs", "sltu rd, zero, rs"),
  pseudo("sltz rd, rs", "slt rd, rs, zero"),
  pseudo("sgtz rd, rs", "slt rd, zero, rs"),
  pseudo("sgt rd, rs, rt", "slt rd, rt, rs"),
  pseudo("sgtu rd, rs, rt", "sltu rd, rt, rs"),

  pseudo("beqz rs, to", "beq rs, zero, to"),
  pseudo("bnez rs, to", "bne rs, zero, to"),
  pseudo("blez rs, to", "bge zero, rs, to"),
  pseudo("bgez rs, to", "bge rs, zero, to"),
  pseudo("bltz rs, to", "blt rs, zero, to"),
  pseudo("bgtz rs, to", "blt zero, rs, to"),
  pseudo("bgt rs, rt, to", "blt rt, rs, to"),
  pseudo("ble rs, rt, to", "bge rt, rs, to"),
  pseudo("bgtu rs, rt, to", "bltu rt, rs, to"),
  pseudo("bleu rs, rt, to", "bgeu rt, rs, to"),

  pseudo("j to", "jal zero, to"),
  pseudo("jal to", "jal ra, to"),
  pseudo("jr rs", "jalr zero, 0(rs)"),
  pseudo("jalr rs", "jalr ra, 0(rs)"),
  pseudo("ret", "jalr zero, 0(ra)"),

  pseudo("csrr rd, number", "csrrs rd, number, zero"),
  pseudo("csrw number, rs", "csrrw zero, number, rs"),
  pseudo("csrs number, rs", "csrrs zero, number, rs"),
  pseudo("csrc number, rs", "csrrc zero, number, rs"),
  pseudo("csrwi number, value", "csrrwi zero, number, value"),
  pseudo("csrsi number, value", "csrrsi zero, number, value"),
  pseudo("csrci number, value", "csrrci zero, number, value"),
  pseudo("rdcycle rd", "csrrs rd, cycle, zero"),
  pseudo("rdtime rd", "csrrs rd, time, zero"),
  pseudo("rdinstret rd", "csrrs rd, instret, zero"),
  pseudo("rdcycleh rd", "csrrs rd, cycleh, zero", 32),
  pseudo("rdtimeh rd", "csrrs rd, timeh, zero", 32),
  pseudo("rdinstreth rd", "csrrs rd, instreth, zero", 32),
  pseudo("frcsr rd", "csrrs rd, fcsr, zero"),
  pseudo("fscsr rs", "csrrw zero, fcsr, rs"),
  pseudo("frrm rd", "csrrs rd, frm, zero"),
  pseudo("fsrm rs", "csrrw zero, frm, rs"),
  pseudo("frflags rd", "csrrs rd, fflags, zero"),
  pseudo("fsflags rs", "csrrw zero, fflags, rs"),

  pseudo("fence", "fence iorw, iorw"),
  pseudo("sfence.vma", "sfence.vma zero, zero"),
  pseudo("sfence.vma rs", "sfence.vma rs, zero"),
  pseudo("hfence.vvma", "hfence.vvma zero, zero"),
  pseudo("hfence.gvma", "hfence.gvma zero, zero"),
  pseudo("scall", "ecall"),
  pseudo("sbreak", "ebreak"),
  // A write of a read-only CSR: illegal in every mode.
  pseudo("unimp", "csrrw zero, cycle, zero"),

  pseudo("fmv.s rd, rs", "fsgnj.s rd, rs, rs"),
  pseudo("fabs.s rd, rs", "fsgnjx.s rd, rs, rs"),
  pseudo("fneg.s rd, rs", "fsgnjn.s rd, rs, rs"),
  pseudo("fgt.s rd, rs, rt", "flt.s rd, rt, rs"),
  pseudo("fge.s rd, rs, rt", "fle.s rd, rt, rs"),
  pseudo("fmv.d rd, rs", "fsgnj.d rd, rs, rs"),
  pseudo("fabs.d rd, rs", "fsgnjx.d rd, rs, rs"),
  pseudo("fneg.d rd, rs", "fsgnjn.d rd, rs, rs"),
  pseudo("fgt.d rd, rs, rt", "flt.d rd, rt, rs"),
  pseudo("fge.d rd, rs, rt", "fle.d rd, rt, rs"),
];

export const pseudoInstructionsOf = (width: RegisterWidth): readonly PseudoInstruction[] => ROWS.filter(({ only = width }) => only === width);

/** Worked out by the assembler: operands as written. */
export const COMPUTED_PSEUDO_INSTRUCTIONS = {
  li: ["rd", "value"],
  la: ["rd", "symbol"],
  lla: ["rd", "symbol"],
  call: ["symbol"],
  tail: ["symbol"],
} as const;

/** t1 may be lost by a tail call (Volume I, 25, `tail`). */
export const TAIL_REGISTER = findXRegister("t1") ?? 6;

/**
 * The instructions that put a 64-bit constant into a register, shortest first found: lui and addiw up to 32 bits, beyond
 * that the upper part, a shift over its trailing zeros and an addi, since addi and lui both sign-extend. RV32 takes the low 32 bits.
 */
export function loadConstant(rd: number, value: bigint, width: RegisterWidth = 64): readonly number[] {
  const wanted = BigInt.asIntN(width, value);
  const lower = Number(BigInt.asIntN(12, wanted));
  if (BigInt.asIntN(32, wanted) === wanted) {
    const upper = Number(BigInt.asUintN(20, (wanted - BigInt(lower)) >> 12n));
    if (upper === 0) return [encode("addi", { rd, rs1: 0, imm: lower })];
    const lui = encode("lui", { rd, imm: upper });
    if (lower === 0) return [lui];
    // Of RV64 addiw, not addi: 0x7fffffff is lui 0x80000, which is negative, minus 1, modulo 2^32.
    return [lui, encode(width === 64 ? "addiw" : "addi", { rd, rs1: rd, imm: lower })];
  }
  // Modulo 2^64, so that 0x7fff_ffff_ffff_ffff is the most negative number minus 1.
  let rest = BigInt.asIntN(64, wanted - BigInt(lower)) >> 12n;
  let shift = 12;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    shift++;
  }
  const words = [...loadConstant(rd, rest), encode("slli", { rd, rs1: rd, shamt: shift })];
  if (lower !== 0) words.push(encode("addi", { rd, rs1: rd, imm: lower }));
  return words;
}

// What a decoded instruction means to whoever executes it: compressed ones as the instruction that they stand for, and the one
// immediate or distance that an instruction may have as `imm`. The decoder stays the disassembler's as well, which shows what is
// written. Expansions: RISC-V Instruction Set Manual Volume I, 20191213, 16.3 to 16.5 and the listings of 16.8.

import { findRow } from "./decode.ts";
import type { FormatName } from "./formats.ts";
import type { RegisterWidth } from "./by-width.ts";
import type { Mnemonic } from "./instructions.ts";

/** Registers that an instruction does not have are 0. */
export interface ExpandedInstruction {
  readonly mnemonic: Mnemonic;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  /** Immediate, shift amount, or byte distance of the target; `lui` and `auipc`: the 20 bits, sign-extended. */
  readonly imm: number;
  readonly csr: number;
  /** Rounding mode; 0 where there is none. */
  readonly rm: number;
  /** Bytes. */
  readonly length: 2 | 4;
}

type Source = "rd" | "rs1" | "rs2" | number;

export interface Expansion {
  readonly as: Mnemonic;
  readonly rd: Source;
  readonly rs1: Source;
  readonly rs2: Source;
  /** In place of what is written. */
  readonly imm?: number;
}

const RA = 1;
const SP = 2;

const row = (as: Mnemonic, rd: Source, rs1: Source, rs2: Source = 0, imm?: number): Expansion =>
  imm === undefined ? { as, rd, rs1, rs2 } : { as, rd, rs1, rs2, imm };

const EXPANSIONS: Readonly<Partial<Record<Mnemonic, Expansion>>> = {
  "c.addi4spn": row("addi", "rd", SP),
  "c.fld": row("fld", "rd", "rs1"),
  "c.lw": row("lw", "rd", "rs1"),
  "c.ld": row("ld", "rd", "rs1"),
  "c.fsd": row("fsd", 0, "rs1", "rs2"),
  "c.flw": row("flw", "rd", "rs1"),
  "c.sw": row("sw", 0, "rs1", "rs2"),
  "c.sd": row("sd", 0, "rs1", "rs2"),
  "c.fsw": row("fsw", 0, "rs1", "rs2"),
  "c.nop": row("addi", 0, 0, 0, 0),
  "c.addi": row("addi", "rd", "rd"),
  "c.addiw": row("addiw", "rd", "rd"),
  "c.jal": row("jal", RA, 0),
  "c.li": row("addi", "rd", 0),
  "c.addi16sp": row("addi", SP, SP),
  "c.lui": row("lui", "rd", 0),
  "c.srli": row("srli", "rd", "rd"),
  "c.srli64": row("addi", 0, 0, 0, 0),
  "c.srai": row("srai", "rd", "rd"),
  "c.srai64": row("addi", 0, 0, 0, 0),
  "c.andi": row("andi", "rd", "rd"),
  "c.sub": row("sub", "rd", "rd", "rs2"),
  "c.xor": row("xor", "rd", "rd", "rs2"),
  "c.or": row("or", "rd", "rd", "rs2"),
  "c.and": row("and", "rd", "rd", "rs2"),
  "c.subw": row("subw", "rd", "rd", "rs2"),
  "c.addw": row("addw", "rd", "rd", "rs2"),
  "c.j": row("jal", 0, 0),
  "c.beqz": row("beq", 0, "rs1", 0),
  "c.bnez": row("bne", 0, "rs1", 0),
  "c.slli": row("slli", "rd", "rd"),
  "c.slli64": row("addi", 0, 0, 0, 0),
  "c.fldsp": row("fld", "rd", SP),
  "c.lwsp": row("lw", "rd", SP),
  "c.ldsp": row("ld", "rd", SP),
  "c.flwsp": row("flw", "rd", SP),
  "c.jr": row("jalr", 0, "rs1", 0, 0),
  "c.mv": row("add", "rd", 0, "rs2"),
  "c.ebreak": row("ebreak", 0, 0),
  "c.jalr": row("jalr", RA, "rs1", 0, 0),
  "c.add": row("add", "rd", "rd", "rs2"),
  "c.fsdsp": row("fsd", 0, SP, "rs2"),
  "c.swsp": row("sw", 0, SP, "rs2"),
  "c.sdsp": row("sd", 0, SP, "rs2"),
  "c.fswsp": row("fsw", 0, SP, "rs2"),
};

/** What a compressed instruction stands for. */
export const findExpansion = (mnemonic: Mnemonic): Expansion | undefined => EXPANSIONS[mnemonic];

const UPPER: ReadonlySet<FormatName> = new Set<FormatName>(["U", "C-lui"]);

const values: number[] = [];

/** Takes 32 bits as `decode` does. Undefined for what that does not know, and for `c.unimp`, the halfword that is illegal for ever. */
export function expand(bits: number, width: RegisterWidth = 64): ExpandedInstruction | undefined {
  const instruction = findRow(bits, width, values);
  if (instruction === undefined || instruction.mnemonic === "c.unimp") return undefined;
  const fields = { rd: 0, rs1: 0, rs2: 0, rs3: 0, csr: 0, rm: 0 };
  let written = 0;
  instruction.operands.forEach(([name], index) => {
    const value = values[index] ?? 0;
    if (name in fields) fields[name as keyof typeof fields] = value;
    else if (name === "imm" || name === "shamt" || name === "target") written = value;
  });
  const { rd, rs1, rs2, rs3, csr, rm } = fields;
  const imm = UPPER.has(instruction.format) ? (written << 12) >> 12 : written;
  const { length } = instruction;
  const expansion = EXPANSIONS[instruction.mnemonic];
  if (expansion === undefined) return { mnemonic: instruction.mnemonic, rd, rs1, rs2, rs3, imm, csr, rm, length };
  const register = (source: Source): number => (typeof source === "number" ? source : fields[source]);
  return {
    mnemonic: expansion.as,
    rd: register(expansion.rd),
    rs1: register(expansion.rs1),
    rs2: register(expansion.rs2),
    rs3,
    imm: expansion.imm ?? imm,
    csr,
    rm,
    length,
  };
}

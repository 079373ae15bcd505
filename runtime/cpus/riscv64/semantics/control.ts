// The instructions that choose where execution goes on. Manual: RISC-V Instruction Set Manual Volume I, 20191213, 2.5.
// Jumps are two, and each reader knows them: `jal` goes to pc + imm, `jalr` to rs1 + imm without bit 0; both leave pc + length in rd.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { I32, I64 } from "../../wasm/encoder.ts";
import { binary, leaf, type BinaryName, type Expression } from "./expressions.ts";

/** When a branch is taken. */
const TAKEN = [
  ["beq", "eq"],
  ["bne", "ne"],
  ["blt", "lt_s"],
  ["bge", "ge_s"],
  ["bltu", "lt_u"],
  ["bgeu", "ge_u"],
] as const satisfies readonly (readonly [Mnemonic, string])[];

export function describeBranches(width: RegisterWidth): ReadonlyMap<Mnemonic, Expression> {
  const type = width === 64 ? I64 : I32;
  const prefix = width === 64 ? "i64" : "i32";
  return new Map<Mnemonic, Expression>(
    TAKEN.map(([mnemonic, comparison]) => [mnemonic, binary(`${prefix}_${comparison}` satisfies BinaryName, leaf("rs1", type), leaf("rs2", type))]),
  );
}

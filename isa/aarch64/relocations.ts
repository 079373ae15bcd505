// Places in assembled bytes that depend on where a symbol is. The assembler patches those that it can resolve with the same
// function that the image linker uses for the rest, so there is one reading of every field. The field must hold zero.
// The kinds are those of the ELF ABI for the Arm 64-bit architecture (AAELF64), "Relocation", as far as they are needed: branch26 is
// R_AARCH64_JUMP26 and CALL26, branch19 CONDBR19 and LD_PREL_LO19, branch14 TSTBR14, adr21 ADR_PREL_LO21, page21
// ADR_PREL_PG_HI21, low12 ADD_ABS_LO12_NC and LDST8_ABS_LO12_NC, low12x2 .. low12x16 LDST16 .. LDST128_ABS_LO12_NC.

import { distanceBetween, putAddress64, viewOf, type Address } from "../assembly/address.ts";
import type { RelocationReach } from "../assembly/output.ts";
import { checkOperand, packOperand } from "./encode.ts";
import { findInstruction } from "./instructions.ts";
import type { InstructionName, Operand } from "./instructions.ts";

export type RelocationKind =
  | "branch26"
  | "branch19"
  | "branch14"
  | "adr21"
  | "page21"
  | "low12"
  | "low12x2"
  | "low12x4"
  | "low12x8"
  | "low12x16"
  | "absolute32"
  | "absolute64";

export const RELOCATION_REACHES: Readonly<Record<RelocationKind, RelocationReach>> = {
  branch26: "distance",
  branch19: "distance",
  branch14: "distance",
  adr21: "distance",
  page21: "both",
  low12: "address",
  low12x2: "address",
  low12x4: "address",
  low12x8: "address",
  low12x16: "address",
  absolute32: "address",
  absolute64: "address",
};

const operandOf = (name: InstructionName, operand: string): Operand => {
  const found = findInstruction(name)?.operands.find(([each]) => each === operand);
  if (found === undefined) throw new Error(`${name} has no operand ${operand}`);
  return found[1];
};

/** An instruction that has the field. */
const FIELDS: Readonly<Record<Exclude<RelocationKind, "absolute32" | "absolute64">, Operand>> = {
  branch26: operandOf("b", "target"),
  branch19: operandOf("b-cond", "target"),
  branch14: operandOf("tbz-w", "target"),
  adr21: operandOf("adr", "target"),
  page21: operandOf("adrp", "page"),
  low12: operandOf("add-imm-x", "imm"),
  low12x2: operandOf("ldrh-imm-w", "imm"),
  low12x4: operandOf("ldr-imm-w", "imm"),
  low12x8: operandOf("ldr-imm-x", "imm"),
  low12x16: operandOf("ldr-imm-q", "imm"),
};

/** The kind for the low 12 bits of an address in the offset of a datum of this size, by its logarithm; 0 also for additions. */
export const LOW12_KINDS = ["low12", "low12x2", "low12x4", "low12x8", "low12x16"] as const satisfies readonly RelocationKind[];

/**
 * Puts a symbol's address, addend included, into the field at `offset`, whose own address is `place`.
 * The answer tells what is wrong when it does not fit: "is 5000 bytes away, can be -4096..4094".
 */
export function applyRelocation(bytes: Uint8Array, kind: RelocationKind, offset: number, place: Address, target: Address): string | undefined {
  const view = viewOf(bytes);
  if (kind === "absolute32") {
    if (target < 0 || target > 0xffff_ffff) return `is at 0x${target.toString(16)}, which does not fit 32 bits`;
    view.setUint32(offset, Number(target), true);
    return undefined;
  }
  if (kind === "absolute64") {
    putAddress64(view, offset, target);
    return undefined;
  }
  const operand = FIELDS[kind];
  const value = fieldValue(kind, place, target);
  const problem = checkOperand(operand, value);
  if (problem !== undefined) return problem;
  view.setUint32(offset, (view.getUint32(offset, true) | packOperand(operand, Number(value))) >>> 0, true);
  return undefined;
}

function pageOf(address: Address): Address {
  return typeof address === "number" ? Math.floor(address / 4096) : address >> 12n;
}

function fieldValue(kind: RelocationKind, place: Address, target: Address): Address {
  switch (RELOCATION_REACHES[kind]) {
    case "distance":
      return distanceBetween(place, target);
    case "both":
      return distanceBetween(pageOf(place), pageOf(target));
    case "address":
      return typeof target === "number" ? target & 0xfff : target & 0xfffn;
  }
}

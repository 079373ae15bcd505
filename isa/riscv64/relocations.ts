// Places in assembled bytes that depend on where a symbol is. The assembler patches those that it can resolve with the same
// function that the image linker uses for the rest, so there is one reading of every field.
// The kinds are those of the RISC-V ELF psABI, "Relocations", as far as they are needed; `auipc_pair` is R_RISCV_CALL_PLT and
// also stands for the pair R_RISCV_PCREL_HI20 and R_RISCV_PCREL_LO12_I of `la`, whose second half always follows the first.

import { distanceBetween, putAddress64, viewOf, type Address } from "../assembly/address.ts";
import type { RelocationReach } from "../assembly/output.ts";
import { checkOperand, packOperand } from "./encode.ts";
import { FORMATS } from "./formats.ts";
import type { Operand } from "./formats.ts";

export type RelocationKind = "branch" | "jal" | "c.branch" | "c.j" | "auipc_pair" | "absolute32" | "absolute64";

export const RELOCATION_REACHES: Readonly<Record<RelocationKind, RelocationReach>> = {
  branch: "distance",
  jal: "distance",
  "c.branch": "distance",
  "c.j": "distance",
  auipc_pair: "distance",
  absolute32: "address",
  absolute64: "address",
};

const targetOperands: Readonly<Record<"branch" | "jal" | "c.branch" | "c.j", Operand>> = {
  branch: FORMATS.B.operands.target,
  jal: FORMATS.J.operands.target,
  "c.branch": FORMATS["C-branch"].operands.target,
  "c.j": FORMATS["C-j"].operands.target,
};

/** Splits a distance for auipc and a following 12-bit signed immediate, which borrows when negative. */
function splitDistance(distance: number): { readonly upper: number; readonly lower: number } {
  const lower = (distance << 20) >> 20;
  return { upper: ((distance - lower) / 4096) & 0xf_ffff, lower };
}

/**
 * Puts a symbol's address, addend included, into the field at `offset`, whose own address is `place`.
 * The answer tells what is wrong when it does not fit: "is 5000 bytes away, can be -4096..4094".
 */
export function applyRelocation(bytes: Uint8Array, kind: RelocationKind, offset: number, place: Address, target: Address): string | undefined {
  const view = viewOf(bytes);
  const distance = distanceBetween(place, target);
  switch (kind) {
    case "branch":
    case "jal":
    case "c.branch":
    case "c.j": {
      const operand = targetOperands[kind];
      const problem = checkOperand(operand, distance);
      if (problem !== undefined) return problem;
      const field = packOperand(operand, Number(distance));
      if (kind === "branch" || kind === "jal") view.setUint32(offset, (view.getUint32(offset, true) | field) >>> 0, true);
      else view.setUint16(offset, view.getUint16(offset, true) | field, true);
      return undefined;
    }
    case "auipc_pair": {
      if (distance < -0x8000_0800 || distance > 0x7fff_f7ff) {
        return `is ${distance} bytes away, can be ${-0x8000_0800}..${0x7fff_f7ff}`;
      }
      const { upper, lower } = splitDistance(Number(distance));
      const auipc = view.getUint32(offset, true) | packOperand(FORMATS.U.operands.imm, upper);
      const second = view.getUint32(offset + 4, true) | packOperand(FORMATS.I.operands.imm, lower);
      view.setUint32(offset, auipc >>> 0, true);
      view.setUint32(offset + 4, second >>> 0, true);
      return undefined;
    }
    case "absolute32":
      if (target < 0 || target > 0xffff_ffff) return `is at 0x${target.toString(16)}, which does not fit 32 bits`;
      view.setUint32(offset, Number(target), true);
      return undefined;
    case "absolute64":
      putAddress64(view, offset, target);
      return undefined;
  }
}

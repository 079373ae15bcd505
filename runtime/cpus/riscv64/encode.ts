// What an instruction is to generated code: the operation that carries it out, and its operands as that takes them. The interpreter's
// decoded entries and the regions are both made of this.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../isa/riscv64/instructions.ts";
import type { ExpandedInstruction } from "../../../isa/riscv64/expand.ts";
import { csrNameOf } from "../../../isa/riscv64/registers.ts";
import { branchesOf, computationsOf, findFloat, hasOperation, type OperationName } from "./operations.ts";
import { LOADS } from "./semantics/memory.ts";
import { accessName, type CsrChange } from "./semantics/privileged.ts";
import { ENTRY_SHIFT } from "./state.ts";

const PAGE_BYTES = 0x1000;

export interface EncodedInstruction {
  readonly name: OperationName;
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly imm?: number;
}

/** Ordering needs nothing where harts take turns, and changed code is seen by itself. */
const NOTHING: ReadonlySet<Mnemonic> = new Set<Mnemonic>(["fence", "fence.tso", "fence.i", "prefetch.i", "prefetch.r", "prefetch.w"]);

interface CsrForm {
  readonly change: CsrChange;
  /** The operand is in `imm`, not in rs1. */
  readonly isImmediate: boolean;
}

const CSR_FORMS: ReadonlyMap<Mnemonic, CsrForm> = new Map<Mnemonic, CsrForm>([
  ["csrrw", { change: "write", isImmediate: false }],
  ["csrrs", { change: "set", isImmediate: false }],
  ["csrrc", { change: "clear", isImmediate: false }],
  ["csrrwi", { change: "write", isImmediate: true }],
  ["csrrsi", { change: "set", isImmediate: true }],
  ["csrrci", { change: "clear", isImmediate: true }],
]);

function encodeAccess({ rd, rs1, imm, csr }: ExpandedInstruction, { change, isImmediate }: CsrForm, width: RegisterWidth): EncodedInstruction {
  const csrName = csrNameOf(csr, width);
  if (csrName === undefined) return { name: "cold" };
  // A set or clear of nothing is no write (Volume I, 9.1).
  const isRead = change !== "write" && (isImmediate ? imm : rs1) === 0;
  const name = accessName(csrName, isRead ? "read" : change);
  // A read into x0 may be illegal all the same.
  if (!hasOperation(name, width) || (isRead && rd === 0)) return { name: "cold" };
  return isImmediate ? { name, rd, imm } : { name, rd, rs1 };
}

const NEAREST = 0;
const TOWARDS_ZERO = 1;
const DYNAMIC = 7;

/** The immediate has rs3 above three bits that are set if the mode is frm's (semantics/float.ts). */
function encodeFloat({ mnemonic, rd, rs1, rs2, rs3, rm }: ExpandedInstruction, width: RegisterWidth): EncodedInstruction {
  const name = rm === TOWARDS_ZERO ? `${mnemonic}.rtz` : mnemonic;
  const meaning = findFloat(name, width);
  const isKnownMode = rm === TOWARDS_ZERO || rm === NEAREST || rm === DYNAMIC;
  // What goes to x0 may raise flags all the same.
  if (meaning === undefined || !isKnownMode || !hasOperation(name, width) || (meaning.result?.file === "x" && rd === 0)) return { name: "cold" };
  return { name, rd, rs1, rs2, imm: (rs3 << 3) | (rm === DYNAMIC ? DYNAMIC : 0) };
}

/** How an instruction at this offset of its page is carried out. */
export function encodeInstruction(instruction: ExpandedInstruction, pageOffset: number, width: RegisterWidth): EncodedInstruction {
  const { mnemonic, rd, rs1, rs2, imm } = instruction;
  if (NOTHING.has(mnemonic)) return { name: "nothing" };
  const target = pageOffset + imm;
  const isNear = target >= 0 && target < PAGE_BYTES;
  const distance = isNear ? imm << ENTRY_SHIFT : imm;
  if (mnemonic === "jal") {
    if (rd === 0) return { name: isNear ? "j" : "j.far", imm: distance };
    return { name: isNear ? "jal" : "jal.far", rd, imm: distance };
  }
  if (mnemonic === "jalr") return { name: rd === 0 ? "jr" : "jalr", rd, rs1, imm };
  if (branchesOf(width).has(mnemonic)) return { name: isNear ? mnemonic : `${mnemonic}.far`, rs1, rs2, imm: distance };
  const access = CSR_FORMS.get(mnemonic);
  if (access !== undefined) return encodeAccess(instruction, access, width);
  if (findFloat(mnemonic, width) !== undefined) return encodeFloat(instruction, width);
  if (!hasOperation(mnemonic, width)) return { name: "cold" };
  // What is written to x0 goes nowhere.
  if (computationsOf(width).has(mnemonic) && rd === 0) return { name: "nothing" };
  const load = LOADS.get(mnemonic);
  if (load !== undefined && load.isFloat !== true && rd === 0) return { name: "cold" };
  return { name: mnemonic, rd, rs1, rs2, imm };
}

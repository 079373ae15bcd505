// Which items call, and what they pass: asked for when a function's registers and frame are chosen, and again when its calls are written.
// Both have to come to the same answer, so it stands here once.

import type { Module, Signature } from "../../isa/bytecode/module.ts";
import type { ComputeItem } from "./items.ts";
import type { RegisterFile } from "./target.ts";

/** Bytecode instructions that are calls: they change every register that callees need not keep. */
export const CALLS: ReadonlySet<string> = new Set(["call", "call_indirect", "guard", "unwind", "asm"]);

/** What a call passes and gets; null: the item is no call of a function that the module knows. */
export function signatureOf(module: Module, item: ComputeItem): Signature | null {
  if (item.op === "call") return module.functions[Number(item.imm[0])]?.signature ?? null;
  if (item.op === "call_indirect") return module.signatures[Number(item.imm[0])] ?? null;
  return null;
}

/** How many arguments do not fit into registers. */
export function stackArguments(signature: Signature, registers: RegisterFile): number {
  return Math.max(0, signature.params.length - registers.arguments.length);
}

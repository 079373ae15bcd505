// A function between bytecode and machine code: labels and branches in place of structure, and a virtual register for every value.
// prepare-items.ts makes it of bytecode, lower-function.ts makes machine code of it; what stands between works on it (item-flow.ts).

import type { ScalarType } from "../../isa/bytecode/module.ts";

/** A virtual register is an index into `Items.types`. */
export type Virtual = number;
export type Label = number;

export interface Comparison {
  readonly op: CompareOp;
  readonly type: ScalarType;
  readonly left: Virtual;
  readonly right: Virtual;
}

export type CompareOp = "eq" | "ne" | "lt_s" | "lt_u" | "le_s" | "le_u" | "gt_s" | "gt_u" | "ge_s" | "ge_u";

/** An instruction that computes, or one of control. */
export type Item =
  | ComputeItem
  | { readonly kind: "label"; readonly label: Label; readonly isLoop: boolean; readonly at: number }
  | { readonly kind: "jump"; readonly label: Label; readonly at: number }
  /** Branches when the comparison holds, or when the register is not (`unless`: is) zero. */
  | { readonly kind: "branch"; readonly label: Label; readonly condition: Virtual; readonly unless: boolean; readonly at: number }
  | { readonly kind: "compare-branch"; readonly label: Label; readonly comparison: Comparison; readonly at: number }
  | { readonly kind: "table"; readonly index: Virtual; readonly labels: readonly Label[]; readonly at: number };

export interface ComputeItem {
  readonly kind: "op";
  readonly op: string;
  readonly type: ScalarType | undefined;
  readonly to: ScalarType | undefined;
  readonly dst: readonly Virtual[];
  readonly src: readonly Virtual[];
  readonly imm: readonly (number | bigint)[];
  /** Index into the module's locations, or -1. */
  readonly at: number;
}

export interface Items {
  readonly items: readonly Item[];
  /** Of each virtual register; those of the parameters come first. */
  readonly types: readonly ScalarType[];
  readonly params: number;
  readonly labels: number;
  /** Virtual registers that are defined once and used in the block of their definition only. */
  readonly isLocal: readonly boolean[];
}

export interface Region {
  readonly kind: "block" | "loop" | "if";
  readonly label: Label;
  otherwise: Label | null;
  /** The region's end can be reached by a branch. */
  isTarget: boolean;
}

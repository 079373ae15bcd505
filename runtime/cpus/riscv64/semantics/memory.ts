// The instructions that reach memory: how wide, how extended, and what an atomic makes of the value that it found. Manual: RISC-V
// Instruction Set Manual Volume I, 20191213, 2.6 (loads and stores) and 8 (A). Floating-point loads and stores move bits only.

import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { I32, I64, type ValueType } from "../../wasm/encoder.ts";
import { binary, choose, leaf, unary, type BinaryName, type Expression } from "./expressions.ts";

export interface LoadMeaning {
  readonly width: 1 | 2 | 4 | 8;
  readonly signed: boolean;
  /** The destination is a floating-point register; narrower values are boxed (Volume I, 12.2). */
  readonly isFloat?: boolean;
}

export interface StoreMeaning {
  readonly width: 1 | 2 | 4 | 8;
  readonly isFloat?: boolean;
}

export const LOADS: ReadonlyMap<Mnemonic, LoadMeaning> = new Map<Mnemonic, LoadMeaning>([
  ["lb", { width: 1, signed: true }],
  ["lh", { width: 2, signed: true }],
  ["lw", { width: 4, signed: true }],
  ["ld", { width: 8, signed: true }],
  ["lbu", { width: 1, signed: false }],
  ["lhu", { width: 2, signed: false }],
  ["lwu", { width: 4, signed: false }],
  ["flw", { width: 4, signed: false, isFloat: true }],
  ["fld", { width: 8, signed: false, isFloat: true }],
]);

export const STORES: ReadonlyMap<Mnemonic, StoreMeaning> = new Map<Mnemonic, StoreMeaning>([
  ["sb", { width: 1 }],
  ["sh", { width: 2 }],
  ["sw", { width: 4 }],
  ["sd", { width: 8 }],
  ["fsw", { width: 4, isFloat: true }],
  ["fsd", { width: 8, isFloat: true }],
]);

/** A reservation is an address and the value that was read there; the conditional store compares both. */
export const LOADS_RESERVED: ReadonlyMap<Mnemonic, 4 | 8> = new Map<Mnemonic, 4 | 8>([
  ["lr.w", 4],
  ["lr.d", 8],
]);
export const STORES_CONDITIONAL: ReadonlyMap<Mnemonic, 4 | 8> = new Map<Mnemonic, 4 | 8>([
  ["sc.w", 4],
  ["sc.d", 8],
]);

export interface AtomicMeaning {
  readonly width: 4 | 8;
  /** What is stored, of the access's width, from `old` and `rs2`. */
  readonly stored: Expression;
}

type Combine = (old: Expression, operand: Expression) => Expression;

/** `x` is the width's prefix. */
const COMBINE: Readonly<Record<string, (x: "i32" | "i64") => Combine>> = {
  amoswap: () => (_old, operand) => operand,
  amoadd: (x) => (old, operand) => binary(`${x}_add`, old, operand),
  amoxor: (x) => (old, operand) => binary(`${x}_xor`, old, operand),
  amoand: (x) => (old, operand) => binary(`${x}_and`, old, operand),
  amoor: (x) => (old, operand) => binary(`${x}_or`, old, operand),
  amomin: (x) => lesser(`${x}_lt_s`),
  amomax: (x) => lesser(`${x}_gt_s`),
  amominu: (x) => lesser(`${x}_lt_u`),
  amomaxu: (x) => lesser(`${x}_gt_u`),
};

function lesser(comparison: BinaryName): Combine {
  return (old, operand) => choose(binary(comparison, old, operand), old, operand);
}

function describeAtomics(): ReadonlyMap<Mnemonic, AtomicMeaning> {
  const rows = new Map<Mnemonic, AtomicMeaning>();
  for (const [name, combine] of Object.entries(COMBINE)) {
    const add = (suffix: "w" | "d", width: 4 | 8, type: ValueType): void => {
      const x = type === I32 ? "i32" : "i64";
      const operand = type === I32 ? unary("i32_wrap_i64", leaf("rs2", I64)) : leaf("rs2", I64);
      rows.set(`${name}.${suffix}` as Mnemonic, { width, stored: combine(x)(leaf("old", type), operand) });
    };
    add("w", 4, I32);
    add("d", 8, I64);
  }
  return rows;
}

export const ATOMICS = describeAtomics();

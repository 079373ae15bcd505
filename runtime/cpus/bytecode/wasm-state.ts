// What translated code and its executor agree on: the imports, and the cells of a second, small memory through which they pass
// what does not fit into 32-bit arguments. 64-bit values go through cells because an i64 at the JavaScript border is a BigInt
// that costs more than the call; the fuel counter and the stack pointer go there when translated code leaves for JavaScript.
// Both sides are rebuilt together; nothing here is stored on disk.

import type { DataLayout, Module, ScalarType, Signature } from "../../../isa/bytecode/module.ts";

/** Byte offsets of the cells in the state memory. */
export const CELL = {
  /** i32: instructions until the next poll has something to do, minus one; below zero: poll. */
  fuel: 0,
  /** i32: stack pointer for a function entered from JavaScript, as an offset into RAM. */
  sp: 4,
  /** i64: address of a slow access; target of a guard. */
  address: 8,
  /** i64: value of a slow access, of `trap`, `time`, `trap_info`; argument of a guard; source of mem_copy. */
  value: 16,
  /** i64: third operand: length of mem_*, new value of atomic_cas. */
  extra: 24,
  /** i64 each: arguments and results of a function entered from JavaScript. */
  args: 32,
} as const;

/** Per function, in the state memory: canonical signature and stack bytes of a call, both i32. */
export const FUNCTION_ENTRY_BYTES = 8;

/** The access word of slow loads, stores and atomics: width in bits 3:0, kind above. */
export const ACCESS_KIND = { plain: 0, volatile: 1, atomic: 2 } as const;
export type AccessKind = (typeof ACCESS_KIND)[keyof typeof ACCESS_KIND];

export function accessWord(width: number, kind: AccessKind): number {
  return width | (kind << 4);
}

/** `atomic` import's operation behind the RMW_OPERATIONS. */
export const ATOMIC_CAS = 6;

export interface StateLayout {
  readonly argSlots: number;
  /** Offset of the function entries. */
  readonly functions: number;
  /** Size in 64 KiB pages. */
  readonly pages: number;
}

const STATE_PAGE = 0x1_0000;

/** Functions that translated code imports from module `executor`; all parameters and results are i32. `sp` is an offset into RAM. */
export const IMPORTS = [
  { name: "poll", params: 2, result: false }, // sp, pc
  { name: "load", params: 3, result: false }, // sp, pc, access
  { name: "store", params: 3, result: false }, // sp, pc, access
  { name: "atomic", params: 4, result: false }, // sp, pc, access, operation
  { name: "port_in", params: 4, result: true }, // sp, pc, port, width
  { name: "port_out", params: 5, result: false }, // sp, pc, port, width, value
  { name: "mem_copy", params: 2, result: false }, // sp, pc
  { name: "mem_fill", params: 3, result: false }, // sp, pc, byte
  { name: "trap", params: 3, result: false }, // sp, pc, class
  { name: "bad_code_address", params: 2, result: false }, // sp, pc
  { name: "guard", params: 2, result: true }, // sp, pc
  { name: "unwind", params: 3, result: false }, // sp, pc, status
  { name: "renew_fuel", params: 0, result: false },
  { name: "irq_enable", params: 2, result: true }, // sp, pc
  { name: "irq_disable", params: 0, result: true },
  { name: "irq_pending", params: 0, result: true },
  { name: "irq_mask", params: 1, result: true }, // mask
  { name: "wait", params: 2, result: false }, // sp, pc
  { name: "relax", params: 2, result: false }, // sp, pc
  { name: "doze", params: 2, result: false }, // sp, pc
  { name: "time", params: 0, result: false },
  { name: "trap_info", params: 1, result: false }, // field
  { name: "cpu_start", params: 1, result: true }, // cpu
  { name: "cpu_state", params: 1, result: true }, // cpu
] as const;
export type ImportName = (typeof IMPORTS)[number]["name"];

const importIndices = new Map<string, number>(IMPORTS.map((entry, index) => [entry.name, index]));

export function importIndex(name: ImportName): number {
  const index = importIndices.get(name);
  if (index === undefined) throw new Error(`no import ${name}`);
  return index;
}

/** Name of the export that calls table entry n with a signature, arguments and results in cells. */
export function enterName(signature: number): string {
  return `enter${signature}`;
}

/** Signatures by structure: guests may compare them only so. */
export interface SignatureTable {
  readonly list: readonly Signature[];
  /** Canonical signature of each function. */
  readonly ofFunction: readonly number[];
  /** Canonical signature of each entry of `Module.signatures`. */
  readonly ofEntry: readonly number[];
  /** That of `(addr) -> ()`, which guards call. */
  readonly guarded: number;
}

export function buildSignatures(module: Module): SignatureTable {
  const list: Signature[] = [];
  const byKey = new Map<string, number>();
  const add = (signature: Signature): number => {
    let key = "";
    for (const type of signature.params) key += `${type},`;
    key += ">";
    for (const type of signature.results) key += `${type},`;
    let index = byKey.get(key);
    if (index === undefined) {
      index = list.length;
      list.push(signature);
      byKey.set(key, index);
    }
    return index;
  };
  const guarded = add({ params: ["addr"], results: [] });
  return { list, guarded, ofFunction: module.functions.map((fn) => add(fn.signature)), ofEntry: module.signatures.map(add) };
}

export function layOutState(module: Module, signatures: SignatureTable): StateLayout {
  let argSlots = 1;
  for (const signature of signatures.list) argSlots = Math.max(argSlots, signature.params.length, signature.results.length);
  const functions = CELL.args + argSlots * 8;
  const size = functions + module.functions.length * FUNCTION_ENTRY_BYTES;
  return { argSlots, functions, pages: Math.ceil(size / STATE_PAGE) };
}

/** Guest stack bytes that a call takes. */
export function callBytes(frameSize: number): number {
  return (64 + frameSize + 15) & ~15;
}

/** True for types that translated code holds in an i64. */
export function isWide(type: ScalarType, layout: DataLayout): boolean {
  return type === "i64" || (type === "addr" && layout.addressBytes === 8);
}

// What the language gives without a library: raw memory, ports, atomics, bit operations and the CPU's own instructions, as one
// table of namespace, name and signature. The checker types calls by it, lowering turns each row into its bytecode instruction.
// `T` is any integer type, taken from the argument; `fn` is a code address of a fn(usize).

import { TRAP_CLASSES, type TrapClass } from "../../isa/bytecode/instructions.ts";

export interface IntrinsicRow {
  /** `peek.u32` */
  readonly name: string;
  readonly params: readonly string[];
  readonly result: string;
  /** The bytecode instruction; its type comes from the row's `at`, or from T. */
  readonly op: string;
  readonly at?: string;
  readonly imm?: readonly number[];
  /** Control does not come back. */
  readonly ends?: true;
}

const INTEGERS = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "usize"];
const RMW = ["add", "sub", "and", "or", "xor", "swap"];
const TRAP_READS: readonly (readonly [string, string])[] = [
  ["trap_class", "u64"],
  ["trap_pc", "u64"],
  ["trap_address", "u64"],
  ["trap_access", "u64"],
  ["trap_width", "u64"],
  ["trap_value", "u64"],
  ["trap_sp", "u64"],
];

/** Traps that code raises on purpose, the library for native targets some of them in the name of an access; the argument becomes the trap's value. */
const RAISED: readonly TrapClass[] = ["illegal_instruction", "breakpoint", "syscall", "unreachable", "misaligned", "access_fault", "protection", "timeout"];

export const INTRINSICS: readonly IntrinsicRow[] = [
  ...INTEGERS.map((name) => ({ name: `peek.${name}`, params: ["usize"], result: name, op: "load_volatile", at: name })),
  ...INTEGERS.map((name) => ({ name: `poke.${name}`, params: ["usize", name], result: "void", op: "store_volatile", at: name })),
  ...[8, 16, 32].map((bits) => ({ name: `port.in${bits}`, params: ["u16"], result: `u${bits}`, op: "port_in", at: `u${bits}` })),
  ...[8, 16, 32].map((bits) => ({ name: `port.out${bits}`, params: ["u16", `u${bits}`], result: "void", op: "port_out", at: `u${bits}` })),
  { name: "atomic.load", params: ["*T"], result: "T", op: "atomic_load" },
  { name: "atomic.store", params: ["*T", "T"], result: "void", op: "atomic_store" },
  ...RMW.map((name, i) => ({ name: `atomic.${name}`, params: ["*T", "T"], result: "T", op: "atomic_rmw", imm: [i] })),
  { name: "atomic.cas", params: ["*T", "T", "T"], result: "T", op: "atomic_cas" },
  { name: "atomic.fence", params: [], result: "void", op: "fence" },
  ...["clz", "ctz", "popcnt", "bswap"].map((name) => ({ name: `bits.${name}`, params: ["T"], result: "T", op: name })),
  ...["rotl", "rotr"].map((name) => ({ name: `bits.${name}`, params: ["T", "T"], result: "T", op: name })),
  { name: "bits.mulh", params: ["T", "T"], result: "T", op: "mulh" },
  { name: "intrinsic.guard", params: ["fn", "usize"], result: "u32", op: "guard" },
  { name: "intrinsic.unwind", params: ["u32"], result: "void", op: "unwind", ends: true },
  { name: "intrinsic.cpu_id", params: [], result: "u32", op: "cpu_id" },
  { name: "intrinsic.cpu_count", params: [], result: "u32", op: "cpu_count" },
  { name: "intrinsic.cpu_start", params: ["u32", "fn", "usize"], result: "u32", op: "cpu_start" },
  { name: "intrinsic.cpu_state", params: ["u32"], result: "u32", op: "cpu_state" },
  { name: "intrinsic.irq_enable", params: [], result: "bool", op: "irq_enable" },
  { name: "intrinsic.irq_disable", params: [], result: "bool", op: "irq_disable" },
  { name: "intrinsic.irq_pending", params: [], result: "u32", op: "irq_pending" },
  { name: "intrinsic.irq_mask", params: ["u32"], result: "u32", op: "irq_mask" },
  { name: "intrinsic.wait", params: [], result: "void", op: "wait" },
  { name: "intrinsic.relax", params: [], result: "void", op: "relax" },
  { name: "intrinsic.doze", params: ["u64"], result: "void", op: "doze" },
  { name: "intrinsic.time", params: [], result: "u64", op: "time" },
  ...TRAP_READS.map(([name, result], i) => ({ name: `intrinsic.${name}`, params: [], result, op: "trap_info", imm: [i] })),
  ...RAISED.map((name): IntrinsicRow => ({
    name: `intrinsic.raise_${name}`,
    params: ["u64"],
    result: "void",
    op: "trap",
    imm: [TRAP_CLASSES.indexOf(name)],
    ends: true,
  })),
  { name: "intrinsic.mem_copy", params: ["usize", "usize", "usize"], result: "void", op: "mem_copy" },
  { name: "intrinsic.mem_fill", params: ["usize", "u8", "usize"], result: "void", op: "mem_fill" },
];

/** Namespaces that are always there; `intrinsic` is for the guest library. */
export const INTRINSIC_NAMESPACES: ReadonlySet<string> = new Set(INTRINSICS.map((row) => row.name.slice(0, row.name.indexOf("."))));

const byName = new Map(INTRINSICS.map((row) => [row.name, row]));

export function findIntrinsic(name: string): IntrinsicRow | undefined {
  return byName.get(name);
}

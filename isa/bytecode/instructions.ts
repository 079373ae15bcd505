// The instruction set of guest bytecode, as one table. The text and binary forms, the verifier, the interpreter's and the
// translator's coverage checks and the reference table of docs/bytecode.md all read it; a new instruction is a row here plus
// its meaning in each engine, and the conformance tests list the engines that lack it.
//
// Operand notation: T = the instruction's type, U = its `to` type, b = i8 holding 0 or 1, a type name = exactly that type,
// "..." = as the callee's signature says. `imm` names the kind of each immediate.

import type { ScalarType } from "./module.ts";

export type ImmediateKind =
  | "constant" // integer of type T
  | "u32" // plain number
  | "depth" // label depth, 0 = innermost
  | "depths" // br_table: any number of depths, the last is the default
  | "function"
  | "symbol"
  | "signature"
  | "trap-class" // index into TRAP_CLASSES
  | "rmw" // index into RMW_OPERATIONS
  | "trap-field" // index into TRAP_FIELDS
  | "isa" // index into SYS_ISAS
  | "assembly" // index into Module.assembly
  | "offset"; // signed 32-bit byte offset

export interface InstructionRow {
  readonly name: string;
  /** The opcode of the binary form. Never reused. */
  readonly code: number;
  /** Types that T may be; absent: the instruction has no type. */
  readonly types?: readonly ScalarType[];
  readonly dst: readonly string[];
  readonly src: readonly string[];
  readonly imm: readonly ImmediateKind[];
  /** May trap, so it must carry a location. */
  readonly traps?: true;
  /** Opens, closes or leaves a structured region. */
  readonly structure?: "open" | "else" | "end" | "leave";
  /** Instruction count it adds when executed; 1 unless said. */
  readonly cost?: 0 | "bytes/8";
  readonly doc: string;
}

/** Target-neutral trap classes. Targets map their vectors to these; the numbers are part of the binary form. */
export const TRAP_CLASSES = [
  "none",
  "illegal_instruction",
  "breakpoint",
  "divide_error",
  "misaligned",
  "access_fault",
  "page_fault",
  "protection",
  "syscall",
  "fp_exception",
  "machine_check",
  "bounds",
  "stack_overflow",
  "unreachable",
  "timeout",
] as const;
export type TrapClass = (typeof TRAP_CLASSES)[number];

export const RMW_OPERATIONS = ["add", "sub", "and", "or", "xor", "swap"] as const;
/** What `trap_info` reads of the trap being handled (all as i64). access: 0 none, 1 read, 2 write, 3 execute. width in bytes. */
export const TRAP_FIELDS = ["class", "pc", "address", "access", "width", "value", "sp"] as const;

const INT = ["i8", "i16", "i32", "i64", "addr"] as const;
const PORT = ["i8", "i16", "i32"] as const;

const binary = (name: string, code: number, doc: string): InstructionRow => ({
  name,
  code,
  types: INT,
  dst: ["T"],
  src: ["T", "T"],
  imm: [],
  doc,
});
const dividing = (name: string, code: number, doc: string): InstructionRow => ({
  name,
  code,
  types: INT,
  dst: ["T"],
  src: ["T", "T"],
  imm: [],
  traps: true,
  doc,
});
const unary = (name: string, code: number, doc: string): InstructionRow => ({
  name,
  code,
  types: INT,
  dst: ["T"],
  src: ["T"],
  imm: [],
  doc,
});
const comparing = (name: string, code: number, doc: string): InstructionRow => ({
  name,
  code,
  types: INT,
  dst: ["b"],
  src: ["T", "T"],
  imm: [],
  doc,
});

export const INSTRUCTIONS: readonly InstructionRow[] = [
  // Structure. A label's depth counts the enclosing block/loop/if, 0 = innermost; branching to a loop goes to its start.
  { name: "block", code: 0x01, dst: [], src: [], imm: [], structure: "open", cost: 0, doc: "opens a region; a branch to it goes behind its end" },
  { name: "loop", code: 0x02, dst: [], src: [], imm: [], structure: "open", cost: 0, doc: "opens a region; a branch to it goes to its start (a poll point)" },
  { name: "if", code: 0x03, dst: [], src: ["b"], imm: [], structure: "open", doc: "runs the region when the condition is not 0, else its else-part" },
  { name: "else", code: 0x04, dst: [], src: [], imm: [], structure: "else", cost: 0, doc: "starts the else-part" },
  { name: "end", code: 0x05, dst: [], src: [], imm: [], structure: "end", cost: 0, doc: "closes block, loop or if" },
  { name: "br", code: 0x06, dst: [], src: [], imm: ["depth"], structure: "leave", doc: "branches" },
  { name: "br_if", code: 0x07, dst: [], src: ["b"], imm: ["depth"], structure: "leave", doc: "branches when the condition is not 0" },
  {
    name: "br_table",
    code: 0x08,
    dst: [],
    src: ["i32"],
    imm: ["depths"],
    structure: "leave",
    doc: "branches to the n-th depth, the last one when n is beyond",
  },
  { name: "return", code: 0x09, dst: [], src: ["..."], imm: [], structure: "leave", doc: "returns the function's results" },
  { name: "call", code: 0x0a, dst: ["..."], src: ["..."], imm: ["function"], traps: true, doc: "calls a function; traps stack_overflow" },
  {
    name: "call_indirect",
    code: 0x0b,
    dst: ["..."],
    src: ["addr", "..."],
    imm: ["signature"],
    traps: true,
    doc: "calls the function at a code address; access_fault (execute) if it is none or has another signature",
  },
  {
    name: "guard",
    code: 0x0c,
    dst: ["i32"],
    src: ["addr", "addr"],
    imm: [],
    traps: true,
    doc: "calls function (addr) -> () at the first operand with the second; 0 when it returns, else the status of the unwind or of the trap vector that ended it",
  },
  {
    name: "unwind",
    code: 0x0d,
    dst: [],
    src: ["i32"],
    imm: [],
    structure: "leave",
    traps: true,
    doc: "ends the innermost guard of this CPU with this status (not 0, by convention); unreachable if there is none",
  },
  { name: "trap", code: 0x0e, dst: [], src: ["i64"], imm: ["trap-class"], structure: "leave", traps: true, doc: "raises a trap of this class with a value" },

  // Values.
  { name: "const", code: 0x10, types: INT, dst: ["T"], src: [], imm: ["constant"], doc: "a constant" },
  { name: "copy", code: 0x11, types: INT, dst: ["T"], src: ["T"], imm: [], doc: "copies a register" },
  { name: "select", code: 0x12, types: INT, dst: ["T"], src: ["b", "T", "T"], imm: [], doc: "second operand when the first is not 0, else the third" },
  { name: "zext", code: 0x13, types: INT, dst: ["U"], src: ["T"], imm: [], doc: "zero-extends to a type at least as wide" },
  { name: "sext", code: 0x14, types: INT, dst: ["U"], src: ["T"], imm: [], doc: "sign-extends to a type at least as wide" },
  { name: "trunc", code: 0x15, types: INT, dst: ["U"], src: ["T"], imm: [], doc: "keeps the low bits; to a type at most as wide" },
  { name: "symbol_addr", code: 0x16, dst: ["addr"], src: [], imm: ["symbol", "offset"], doc: "the address of a data symbol plus an offset" },
  { name: "frame_addr", code: 0x17, dst: ["addr"], src: [], imm: ["u32"], doc: "the address of a byte of this function's frame" },
  { name: "func_addr", code: 0x18, dst: ["addr"], src: [], imm: ["function"], doc: "the code address of a function" },

  // Arithmetic, modulo 2^width. Shift counts are taken modulo the width.
  binary("add", 0x20, "sum"),
  binary("sub", 0x21, "difference"),
  binary("mul", 0x22, "low half of the product"),
  dividing("div_s", 0x23, "signed quotient, rounds to zero; minimum / -1 wraps to minimum; by 0 traps divide_error"),
  dividing("div_u", 0x24, "unsigned quotient; by 0 traps divide_error"),
  dividing("rem_s", 0x25, "remainder with the dividend's sign; minimum % -1 is 0; by 0 traps divide_error"),
  dividing("rem_u", 0x26, "unsigned remainder; by 0 traps divide_error"),
  binary("and", 0x27, "bitwise and"),
  binary("or", 0x28, "bitwise or"),
  binary("xor", 0x29, "bitwise exclusive or"),
  binary("shl", 0x2a, "shift left"),
  binary("shr_s", 0x2b, "arithmetic shift right"),
  binary("shr_u", 0x2c, "logical shift right"),
  binary("rotl", 0x2d, "rotate left"),
  binary("rotr", 0x2e, "rotate right"),
  unary("not", 0x2f, "bitwise complement"),
  unary("neg", 0x30, "two's complement negation"),
  unary("clz", 0x31, "leading zero bits; the width for 0"),
  unary("ctz", 0x32, "trailing zero bits; the width for 0"),
  unary("popcnt", 0x33, "one bits"),
  unary("bswap", 0x34, "bytes reversed"),
  binary("mulh_u", 0x35, "high half of the unsigned product"),
  binary("mulh_s", 0x36, "high half of the signed product"),

  comparing("eq", 0x38, "equal"),
  comparing("ne", 0x39, "not equal"),
  comparing("lt_s", 0x3a, "signed less than"),
  comparing("lt_u", 0x3b, "unsigned less than"),
  comparing("le_s", 0x3c, "signed at most"),
  comparing("le_u", 0x3d, "unsigned at most"),

  // Memory. Plain accesses may be merged, moved or repeated by a compiler; volatile ones happen once, as wide as they say.
  { name: "load", code: 0x40, types: INT, dst: ["T"], src: ["addr"], imm: ["offset"], traps: true, doc: "plain load" },
  { name: "store", code: 0x41, types: INT, dst: [], src: ["addr", "T"], imm: ["offset"], traps: true, doc: "plain store: address, value" },
  {
    name: "load_volatile",
    code: 0x42,
    types: INT,
    dst: ["T"],
    src: ["addr"],
    imm: ["offset"],
    traps: true,
    doc: "one access of exactly this width; misaligned traps",
  },
  {
    name: "store_volatile",
    code: 0x43,
    types: INT,
    dst: [],
    src: ["addr", "T"],
    imm: ["offset"],
    traps: true,
    doc: "one access of exactly this width; misaligned traps",
  },
  { name: "port_in", code: 0x44, types: PORT, dst: ["T"], src: ["i16"], imm: [], traps: true, doc: "reads an I/O port" },
  { name: "port_out", code: 0x45, types: PORT, dst: [], src: ["i16", "T"], imm: [], traps: true, doc: "writes an I/O port" },
  {
    name: "atomic_load",
    code: 0x46,
    types: INT,
    dst: ["T"],
    src: ["addr"],
    imm: [],
    traps: true,
    doc: "sequentially consistent load; RAM only; misaligned traps",
  },
  { name: "atomic_store", code: 0x47, types: INT, dst: [], src: ["addr", "T"], imm: [], traps: true, doc: "sequentially consistent store" },
  {
    name: "atomic_rmw",
    code: 0x48,
    types: INT,
    dst: ["T"],
    src: ["addr", "T"],
    imm: ["rmw"],
    traps: true,
    doc: "read-modify-write; the result is the old value",
  },
  {
    name: "atomic_cas",
    code: 0x49,
    types: INT,
    dst: ["T"],
    src: ["addr", "T", "T"],
    imm: [],
    traps: true,
    doc: "compare (second) and swap in (third); the result is the old value",
  },
  { name: "fence", code: 0x4a, dst: [], src: [], imm: [], doc: "orders all memory and device accesses before it against all after it" },
  {
    name: "mem_copy",
    code: 0x4b,
    dst: [],
    src: ["addr", "addr", "addr"],
    imm: [],
    traps: true,
    cost: "bytes/8",
    doc: "copies RAM: to, from, length; overlap allowed",
  },
  { name: "mem_fill", code: 0x4c, dst: [], src: ["addr", "i8", "addr"], imm: [], traps: true, cost: "bytes/8", doc: "fills RAM: to, byte, length" },

  // The CPU.
  { name: "cpu_id", code: 0x50, dst: ["i32"], src: [], imm: [], doc: "the number of this CPU, from 0" },
  { name: "cpu_count", code: 0x51, dst: ["i32"], src: [], imm: [], doc: "CPUs in this machine" },
  {
    name: "cpu_start",
    code: 0x52,
    dst: ["i32"],
    src: ["i32", "addr", "addr"],
    imm: [],
    doc: "starts a stopped CPU at function (addr) -> () with an argument, on its own empty stack, interrupts off; 0, or 1 if there is no such CPU, 2 if it runs, 3 if that is no such function; it stops when the function returns",
  },
  { name: "cpu_state", code: 0x53, dst: ["i32"], src: ["i32"], imm: [], doc: "0 stopped, 1 running or waiting, 2 no such CPU" },
  { name: "irq_enable", code: 0x54, dst: ["b"], src: [], imm: [], doc: "lets this CPU take interrupts (a poll point); the result is the state before" },
  { name: "irq_disable", code: 0x55, dst: ["b"], src: [], imm: [], doc: "holds interrupts off; the result is the state before" },
  { name: "irq_pending", code: 0x56, dst: ["i32"], src: [], imm: [], doc: "interrupt lines of this CPU, bit n = cause n (0 software, 1 timer, 2 external)" },
  {
    name: "irq_mask",
    code: 0x57,
    dst: ["i32"],
    src: ["i32"],
    imm: [],
    doc: "sets the causes that may interrupt this CPU or end its wait; the result is the mask before; all set at reset",
  },
  { name: "wait", code: 0x58, dst: [], src: [], imm: [], doc: "sleeps until an unmasked interrupt line is high, enabled or not (a poll point)" },
  {
    name: "relax",
    code: 0x59,
    dst: [],
    src: [],
    imm: [],
    doc: "hint in a polling loop (a poll point): lets other CPUs run; guest time may jump to the next event, at most 1 us",
  },
  {
    name: "doze",
    code: 0x5e,
    dst: [],
    src: ["i64"],
    imm: [],
    doc: "sleeps towards this guest time (a poll point): as relax, but guest time may jump as far as that",
  },
  { name: "time", code: 0x5a, dst: ["i64"], src: [], imm: [], doc: "guest time in nanoseconds since power-on" },
  { name: "trap_info", code: 0x5b, dst: ["i64"], src: [], imm: ["trap-field"], doc: "a field of the trap that this CPU's vector handles, or handled last" },
  {
    name: "sys",
    code: 0x5c,
    dst: ["..."],
    src: ["..."],
    imm: ["isa", "u32"],
    traps: true,
    doc: "a target's own instruction; on any other target illegal_instruction",
  },
  {
    name: "asm",
    code: 0x5d,
    dst: ["..."],
    src: ["..."],
    imm: ["assembly"],
    traps: true,
    doc: "machine code of a target, operands and results in the registers that it names; on any other target illegal_instruction",
  },
];

const byName = new Map(INSTRUCTIONS.map((row) => [row.name, row]));
const byCode = new Map(INSTRUCTIONS.map((row) => [row.code, row]));

export function findInstruction(name: string): InstructionRow | undefined {
  return byName.get(name);
}

export function findOpcode(code: number): InstructionRow | undefined {
  return byCode.get(code);
}

// What ESR_ELx says, and which of the target-neutral trap classes each is. The target's vectors, the emulated CPU and failure texts
// read it. A test may expect the class (`page_fault`) or the target's own name (`aarch64.data_translation_fault`). The class of an
// exception is its EC; for aborts the fault status code decides, so those have their own table.
// Source: Arm Architecture Reference Manual DDI 0487 (I.a), D17.2.37 (ESR_EL1: EC, ISS for aborts), D1.3 (exception
// vectors).

import type { TrapClass } from "../bytecode/instructions.ts";

/** What the instruction was doing with memory; the numbers of these are those of the trap field `access`. */
export type Access = "none" | "read" | "write" | "execute";

export interface ExceptionClass {
  readonly code: number;
  readonly name: `aarch64.${string}`;
  readonly class: TrapClass;
}

export const EXCEPTION_CLASSES: readonly ExceptionClass[] = [
  // Unknown reason: an undefined instruction, or one that is not allowed at this level.
  { code: 0x00, name: "aarch64.undefined_instruction", class: "illegal_instruction" },
  { code: 0x01, name: "aarch64.trapped_wfi_wfe", class: "illegal_instruction" },
  { code: 0x03, name: "aarch64.trapped_cp15_access", class: "illegal_instruction" },
  { code: 0x04, name: "aarch64.trapped_cp15_access64", class: "illegal_instruction" },
  { code: 0x05, name: "aarch64.trapped_cp14_access", class: "illegal_instruction" },
  { code: 0x06, name: "aarch64.trapped_cp14_memory", class: "illegal_instruction" },
  { code: 0x07, name: "aarch64.trapped_fp", class: "illegal_instruction" },
  { code: 0x08, name: "aarch64.trapped_fp_id", class: "illegal_instruction" },
  { code: 0x09, name: "aarch64.trapped_pointer_authentication", class: "illegal_instruction" },
  { code: 0x0a, name: "aarch64.trapped_ls64", class: "illegal_instruction" },
  { code: 0x0c, name: "aarch64.trapped_cp14_access64", class: "illegal_instruction" },
  { code: 0x0d, name: "aarch64.branch_target", class: "protection" },
  { code: 0x0e, name: "aarch64.illegal_execution_state", class: "illegal_instruction" },
  { code: 0x11, name: "aarch64.svc32", class: "syscall" },
  { code: 0x12, name: "aarch64.hvc32", class: "syscall" },
  { code: 0x13, name: "aarch64.smc32", class: "syscall" },
  { code: 0x15, name: "aarch64.svc", class: "syscall" },
  { code: 0x16, name: "aarch64.hvc", class: "syscall" },
  { code: 0x17, name: "aarch64.smc", class: "syscall" },
  { code: 0x18, name: "aarch64.trapped_system_instruction", class: "illegal_instruction" },
  { code: 0x19, name: "aarch64.trapped_sve", class: "illegal_instruction" },
  { code: 0x1a, name: "aarch64.trapped_eret", class: "illegal_instruction" },
  { code: 0x1c, name: "aarch64.pointer_authentication", class: "protection" },
  { code: 0x1d, name: "aarch64.trapped_sme", class: "illegal_instruction" },
  { code: 0x1e, name: "aarch64.granule_protection_check", class: "access_fault" },
  { code: 0x20, name: "aarch64.instruction_abort_lower_el", class: "page_fault" },
  { code: 0x21, name: "aarch64.instruction_abort", class: "page_fault" },
  { code: 0x22, name: "aarch64.pc_alignment", class: "misaligned" },
  { code: 0x24, name: "aarch64.data_abort_lower_el", class: "page_fault" },
  { code: 0x25, name: "aarch64.data_abort", class: "page_fault" },
  { code: 0x26, name: "aarch64.sp_alignment", class: "misaligned" },
  { code: 0x27, name: "aarch64.memory_operation", class: "illegal_instruction" },
  { code: 0x28, name: "aarch64.fp32", class: "fp_exception" },
  { code: 0x2c, name: "aarch64.fp", class: "fp_exception" },
  { code: 0x2f, name: "aarch64.serror", class: "machine_check" },
  { code: 0x30, name: "aarch64.breakpoint_lower_el", class: "breakpoint" },
  { code: 0x31, name: "aarch64.breakpoint", class: "breakpoint" },
  { code: 0x32, name: "aarch64.software_step_lower_el", class: "breakpoint" },
  { code: 0x33, name: "aarch64.software_step", class: "breakpoint" },
  { code: 0x34, name: "aarch64.watchpoint_lower_el", class: "breakpoint" },
  { code: 0x35, name: "aarch64.watchpoint", class: "breakpoint" },
  { code: 0x38, name: "aarch64.bkpt32", class: "breakpoint" },
  { code: 0x3a, name: "aarch64.vector_catch32", class: "breakpoint" },
  { code: 0x3c, name: "aarch64.brk", class: "breakpoint" },
];

/** Instruction and data aborts, from a lower level and from the same. */
const ABORTS: ReadonlyMap<number, "instruction" | "data"> = new Map([
  [0x20, "instruction"],
  [0x21, "instruction"],
  [0x24, "data"],
  [0x25, "data"],
]);

export interface Fault {
  /** DFSC or IFSC. */
  readonly code: number;
  /** Behind `aarch64.data_` or `aarch64.instruction_`. */
  readonly name: string;
  readonly class: TrapClass;
  /** Of the translation table walk. */
  readonly level?: number;
}

/** Four levels, 0 first; the level is in bits 1:0. */
const levels = (code: number, name: string, kind: TrapClass): readonly Fault[] =>
  [0, 1, 2, 3].map((level) => ({ code: code + level, name, class: kind, level }));

export const FAULTS: readonly Fault[] = [
  // An address that is larger than the output size which the tables may have.
  ...levels(0b000000, "address_size_fault", "access_fault"),
  ...levels(0b000100, "translation_fault", "page_fault"),
  ...levels(0b001000, "access_flag_fault", "page_fault"),
  ...levels(0b001100, "permission_fault", "page_fault"),
  { code: 0b010000, name: "external_abort", class: "access_fault" },
  { code: 0b010001, name: "tag_check_fault", class: "protection" },
  { code: 0b010011, name: "external_abort_on_walk", class: "access_fault", level: -1 },
  ...levels(0b010100, "external_abort_on_walk", "access_fault"),
  { code: 0b011000, name: "parity_error", class: "machine_check" },
  { code: 0b011011, name: "parity_error_on_walk", class: "machine_check", level: -1 },
  ...levels(0b011100, "parity_error_on_walk", "machine_check"),
  { code: 0b100001, name: "alignment_fault", class: "misaligned" },
  { code: 0b101001, name: "address_size_fault", class: "access_fault", level: -1 },
  { code: 0b101011, name: "translation_fault", class: "page_fault", level: -1 },
  { code: 0b110000, name: "tlb_conflict", class: "machine_check" },
  { code: 0b110001, name: "unsupported_table_update", class: "machine_check" },
  { code: 0b110100, name: "lockdown", class: "access_fault" },
  // An exclusive or atomic access to memory whose type does not take them.
  { code: 0b110101, name: "unsupported_atomic", class: "access_fault" },
];

export interface Syndrome {
  readonly exceptionClass: number;
  readonly name: `aarch64.${string}`;
  readonly class: TrapClass;
  readonly access: Access;
  /** Of aborts whose code is in the table. */
  readonly fault?: Fault;
  /** The immediate of SVC, HVC, SMC and BRK. */
  readonly immediate?: number;
}

const classes = new Map(EXCEPTION_CLASSES.map((row) => [row.code, row]));
const faults = new Map(FAULTS.map((row) => [row.code, row]));

/** Exceptions of SVC, HVC, SMC and BRK in AArch64: ISS[15:0] is their immediate. */
const HAS_IMMEDIATE: ReadonlySet<number> = new Set([0x15, 0x16, 0x17, 0x3c]);
const WRITE_NOT_READ = 1 << 6;
const CACHE_MAINTENANCE = 1 << 8;

/** Reads an ESR_ELx. What no manual defines is the machine's own trouble. */
export function readSyndrome(esr: bigint): Syndrome {
  const exceptionClass = Number((esr >> 26n) & 0x3fn);
  const iss = Number(esr & 0x1ff_ffffn);
  const row = classes.get(exceptionClass) ?? { name: "aarch64.reserved", class: "machine_check" };
  const abort = ABORTS.get(exceptionClass);
  if (abort !== undefined) {
    const access = abort === "instruction" ? "execute" : dataAccess(iss);
    const fault = faults.get(iss & 0x3f);
    if (fault === undefined) return { exceptionClass, name: row.name, class: "machine_check", access };
    return { exceptionClass, name: `aarch64.${abort}_${fault.name}`, class: fault.class, access, fault };
  }
  const access = exceptionClass === 0x22 ? "execute" : exceptionClass === 0x34 || exceptionClass === 0x35 ? dataAccess(iss) : "none";
  return { exceptionClass, name: row.name, class: row.class, access, ...(HAS_IMMEDIATE.has(exceptionClass) && { immediate: iss & 0xffff }) };
}

/** Cache maintenance and address translation say write, whatever they do; they read (D17.2.37, WnR). */
function dataAccess(iss: number): Access {
  return (iss & WRITE_NOT_READ) !== 0 && (iss & CACHE_MAINTENANCE) === 0 ? "write" : "read";
}

export interface Vector {
  /** From VBAR_ELx; each has 32 instructions. */
  readonly offset: number;
  readonly from: "current-sp0" | "current-spx" | "lower-64" | "lower-32";
  readonly kind: "synchronous" | "irq" | "fiq" | "serror";
}

export const VECTORS: readonly Vector[] = (["current-sp0", "current-spx", "lower-64", "lower-32"] as const).flatMap((from, group) =>
  (["synchronous", "irq", "fiq", "serror"] as const).map((kind, index) => ({ offset: 0x200 * group + 0x80 * index, from, kind })),
);

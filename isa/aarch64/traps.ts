// The exceptions of AArch64 by the class in ESR_ELx, EC, and which of the target-neutral trap classes each is. A test may expect that
// (`page_fault`) or the target's own name (`aarch64.data_abort`), and failure texts have that name. For aborts the fault status decides,
// too: the guest's trap code in lib/aarch64 looks at it.
// Source: Arm Architecture Reference Manual DDI 0487 (I.a), D17.2.37 (ESR_EL1).

import type { TrapClass } from "../bytecode/instructions.ts";

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

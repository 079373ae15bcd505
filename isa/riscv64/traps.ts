// The exceptions and interrupts of RISC-V by the code in mcause and scause, and which of the target-neutral trap classes each exception is.
// A test may expect the class (`page_fault`) or the target's own name (`riscv.load_page_fault`); failure texts and traces have the name.
// The guest's own trap code is in lib/riscv64.
// Source: RISC-V Instruction Set Manual Volume II, 20211203, 3.1.15 (mcause), 4.1.8 (scause), 8.6.1 (hypervisor); 16, 18, 19 and
// interrupt 13 come from the tables of the same sections of 20240411 and later. A number means the same in mcause and scause.

import type { TrapClass } from "../bytecode/instructions.ts";

export interface Exception {
  readonly code: number;
  readonly name: `riscv.${string}`;
  readonly class: TrapClass;
  /** What the instruction was doing with memory; the numbers of these are those of the trap field `access`. */
  readonly access: "none" | "read" | "write" | "execute";
}

export const EXCEPTIONS: readonly Exception[] = [
  { code: 0, name: "riscv.instruction_address_misaligned", class: "misaligned", access: "execute" },
  { code: 1, name: "riscv.instruction_access_fault", class: "access_fault", access: "execute" },
  { code: 2, name: "riscv.illegal_instruction", class: "illegal_instruction", access: "none" },
  { code: 3, name: "riscv.breakpoint", class: "breakpoint", access: "none" },
  { code: 4, name: "riscv.load_address_misaligned", class: "misaligned", access: "read" },
  { code: 5, name: "riscv.load_access_fault", class: "access_fault", access: "read" },
  // AMOs report as stores, also when it is their read that fails.
  { code: 6, name: "riscv.store_address_misaligned", class: "misaligned", access: "write" },
  { code: 7, name: "riscv.store_access_fault", class: "access_fault", access: "write" },
  { code: 8, name: "riscv.ecall_from_u", class: "syscall", access: "none" },
  // From VS-mode it has its own code, 10, once the hypervisor extension is there.
  { code: 9, name: "riscv.ecall_from_s", class: "syscall", access: "none" },
  { code: 10, name: "riscv.ecall_from_vs", class: "syscall", access: "none" },
  { code: 11, name: "riscv.ecall_from_m", class: "syscall", access: "none" },
  { code: 12, name: "riscv.instruction_page_fault", class: "page_fault", access: "execute" },
  { code: 13, name: "riscv.load_page_fault", class: "page_fault", access: "read" },
  { code: 15, name: "riscv.store_page_fault", class: "page_fault", access: "write" },
  { code: 16, name: "riscv.double_trap", class: "machine_check", access: "none" },
  // Control-flow integrity: a landing pad or shadow stack that does not match.
  { code: 18, name: "riscv.software_check", class: "protection", access: "none" },
  { code: 19, name: "riscv.hardware_error", class: "machine_check", access: "none" },
  { code: 20, name: "riscv.instruction_guest_page_fault", class: "page_fault", access: "execute" },
  { code: 21, name: "riscv.load_guest_page_fault", class: "page_fault", access: "read" },
  { code: 22, name: "riscv.virtual_instruction", class: "illegal_instruction", access: "none" },
  { code: 23, name: "riscv.store_guest_page_fault", class: "page_fault", access: "write" },
];

const INTERRUPTS: readonly { readonly code: number; readonly name: string }[] = [
  { code: 1, name: "supervisor_software" },
  { code: 2, name: "virtual_supervisor_software" },
  { code: 3, name: "machine_software" },
  { code: 5, name: "supervisor_timer" },
  { code: 6, name: "virtual_supervisor_timer" },
  { code: 7, name: "machine_timer" },
  { code: 9, name: "supervisor_external" },
  { code: 10, name: "virtual_supervisor_external" },
  { code: 11, name: "machine_external" },
  { code: 12, name: "supervisor_guest_external" },
  { code: 13, name: "counter_overflow" },
];

/** As the manual calls it, for people: `store_page_fault`, `interrupt machine_timer`. */
export function nameOfTrap(code: number, isInterrupt: boolean): string {
  if (isInterrupt) return `interrupt ${INTERRUPTS.find((row) => row.code === code)?.name ?? code}`;
  return EXCEPTIONS.find((row) => row.code === code)?.name.slice("riscv.".length) ?? `exception ${code}`;
}

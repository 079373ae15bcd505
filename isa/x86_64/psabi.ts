// Numbers by which object files and debuggers know x86-64.
// Source: System V ABI, AMD64 Architecture Processor Supplement, "ELF Header" and figure 3.36 (DWARF register numbers).

export const PSABI = {
  machine: 62,
  flags: 0,
  // rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, return address.
  dwarf: { registers: [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15], stackPointer: 7, returnAddress: 16 },
  pushed: 8,
} as const;

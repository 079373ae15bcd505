// Numbers by which object files and debuggers know RV64.
// Source: RISC-V ELF psABI, "File Header" and "DWARF Register Numbers".

export const PSABI = {
  machine: 243,
  // EF_RISCV_RVC: assembly may hold compressed instructions; the float ABI is soft.
  flags: 1,
  dwarf: { registers: null, stackPointer: 2, returnAddress: 1 },
  pushed: 0,
} as const;

// Numbers by which object files and debuggers know AArch64.
// Source: ELF for the Arm 64-bit Architecture, "ELF Header"; DWARF for the Arm 64-bit Architecture, 4.1.

export const PSABI = {
  machine: 183,
  flags: 0,
  dwarf: { registers: null, stackPointer: 31, returnAddress: 30 },
  pushed: 0,
} as const;

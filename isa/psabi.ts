// By what numbers object files and debuggers know a target, and what its call instruction does to the stack: facts of each target's ABI, a
// file in its folder, as a list here for whoever has no more of a target than its name (an image that was kept, a file that is read).

import { PSABI as AARCH64 } from "./aarch64/psabi.ts";
import { PSABI as RISCV64 } from "./riscv64/psabi.ts";
import { PSABI as X86_64 } from "./x86_64/psabi.ts";

export interface Psabi {
  /** e_machine of ELF files. */
  readonly machine: number;
  /** And e_flags. */
  readonly flags: number;
  readonly dwarf: {
    /** By the number that instructions have for a register; null: the same numbers. */
    readonly registers: readonly number[] | null;
    readonly stackPointer: number;
    readonly returnAddress: number;
  };
  /** Bytes that a call leaves on the stack. */
  readonly pushed: number;
}

export const PSABIS: Readonly<Record<string, Psabi>> = {
  riscv64: RISCV64,
  aarch64: AARCH64,
  x86_64: X86_64,
};

// What the compiler's front end must know of the machine language that it compiles for: how `asm` text is assembled, which registers
// an operand may be in, the names of the target's own exceptions and of its system registers. One record for each instruction
// set, in isa/NAME/machine-language.ts. `loadMachineLanguage` imports it only when a program is compiled for such a target:
// a run on the bytecode machine loads no assembler.

import type { AssembleOptions, Assembly } from "./assembly/instruction-set.ts";
import type { TrapClass } from "./bytecode/instructions.ts";
import type { SysIsa } from "./bytecode/module.ts";

export interface NamedRegister {
  /** The one name of this register that the bytecode uses, whatever alias was written. */
  readonly name: string;
  /** What an `asm` may say of it: anything, `clobber` only, or nothing, because compiled code keeps something there. */
  readonly use: "operand" | "clobber" | "reserved";
  /** Of reserved registers: what is in it. */
  readonly holds?: string;
}

export interface MachineException {
  /** The target's own number: an x86 vector, a RISC-V cause, an exception class of AArch64. */
  readonly code: number;
  readonly name: string;
  readonly class: TrapClass;
}

/** Registers that only the target's own instructions reach, as places of the language: `riscv.csr.mstatus`. */
export interface SystemRegisters {
  readonly isa: SysIsa;
  readonly names: () => readonly string[];
  readonly find: (name: string) => number | undefined;
  /** Numbers of the bytecode's `sys` instruction. `set` and `clear` change the bits of a mask in one instruction. */
  readonly operations: {
    readonly read: (register: number) => number;
    readonly write: (register: number) => number;
    readonly set?: (register: number) => number;
    readonly clear?: (register: number) => number;
  };
  readonly isReadOnly: (register: number) => boolean;
}

export interface MachineLanguage {
  readonly isa: SysIsa;
  readonly assemble: (text: string, options: AssembleOptions) => Assembly;
  /** Names of registers that operands may be in, to suggest one. */
  readonly operandRegisters: readonly string[];
  readonly findRegister: (name: string) => NamedRegister | undefined;
  readonly exceptions: readonly MachineException[];
  /** Null where they have no numbers of their own in the bytecode: they are reached by `asm`. */
  readonly systemRegisters: SystemRegisters | null;
}

/** Where a target's system registers are in the language: `riscv.csr.NAME`. x86_64 has functions of the library in their place. */
export const SYSTEM_REGISTER_PATHS: ReadonlyMap<string, string> = new Map([
  ["riscv", "csr"],
  ["aarch64", "sysreg"],
]);

/** Names before the dot that belong to one target each. */
export const TARGET_PREFIXES: ReadonlyMap<string, SysIsa> = new Map([
  ["x86", "x86_64"],
  ["riscv", "riscv64"],
  ["aarch64", "aarch64"],
]);

const LOADERS: ReadonlyMap<string, () => Promise<MachineLanguage>> = new Map([
  ["x86_64", async () => (await import("./x86_64/machine-language.ts")).X86_64],
  ["riscv64", async () => (await import("./riscv64/machine-language.ts")).RISCV64],
  ["aarch64", async () => (await import("./aarch64/machine-language.ts")).AARCH64],
]);

/** Null: the target has no machine language, or none that is known here. */
export async function loadMachineLanguage(target: string): Promise<MachineLanguage | null> {
  return (await LOADERS.get(target)?.()) ?? null;
}

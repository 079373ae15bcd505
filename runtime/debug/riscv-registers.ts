// The registers of a RISC-V CPU as GDB is told of them, in the features that it looks for (Debugging with GDB, appendix G, "RISC-V Features").
// Numbers are places in this list: GDB finds registers by their names. Control registers are those that the CPU has.

import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { csrsOf, F_REGISTERS, X_REGISTERS } from "../../isa/riscv64/registers.ts";

export interface DebugRegister {
  /** For GDB. */
  readonly name: string;
  /** For `Processor.readRegister`. */
  readonly source: string;
  readonly bits: 32 | 64;
  readonly type: string;
}

export interface DebugFeature {
  readonly name: string;
  readonly registers: readonly DebugRegister[];
}

const FLOAT_CONTROL = ["fflags", "frm", "fcsr"];
const POINTERS: Readonly<Record<string, string>> = { ra: "code_ptr", sp: "data_ptr", gp: "data_ptr", tp: "data_ptr" };

/** `has`: whether the CPU has the control register of that number. */
export function riscvFeatures(width: RegisterWidth, has: (csr: number) => boolean): readonly DebugFeature[] {
  const control = (name: string): DebugRegister => ({ name, source: name, bits: width, type: "int" });
  return [
    {
      name: "org.gnu.gdb.riscv.cpu",
      registers: [
        ...X_REGISTERS.map(({ abiName }): DebugRegister => ({ name: abiName, source: abiName, bits: width, type: POINTERS[abiName] ?? "int" })),
        { name: "pc", source: "pc", bits: width, type: "code_ptr" },
      ],
    },
    {
      name: "org.gnu.gdb.riscv.fpu",
      registers: [
        ...F_REGISTERS.map(({ abiName }): DebugRegister => ({ name: abiName, source: abiName, bits: 64, type: "ieee_double" })),
        ...FLOAT_CONTROL.map((name): DebugRegister => ({ ...control(name), bits: 32 })),
      ],
    },
    { name: "org.gnu.gdb.riscv.virtual", registers: [{ name: "priv", source: "privilege", bits: width, type: "int" }] },
    {
      name: "org.gnu.gdb.riscv.csr",
      registers: csrsOf(width)
        .filter(({ name, number }) => !FLOAT_CONTROL.includes(name) && has(number))
        .map(({ name }) => control(name)),
    },
  ];
}

export const riscvArchitecture = (width: RegisterWidth): string => `riscv:rv${width}`;

// The registers of a RISC-V CPU as GDB is told of them, in the features that it looks for (Debugging with GDB, appendix G, "RISC-V Features").
// Numbers are places in this list: GDB finds registers by their names. Control registers are those that the CPU has.

import { CSRS, F_REGISTERS, X_REGISTERS } from "../../isa/riscv64/registers.ts";

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
export function riscv64Features(has: (csr: number) => boolean): readonly DebugFeature[] {
  const control = (name: string): DebugRegister => ({ name, source: name, bits: 64, type: "int" });
  return [
    {
      name: "org.gnu.gdb.riscv.cpu",
      registers: [
        ...X_REGISTERS.map(({ abiName }): DebugRegister => ({ name: abiName, source: abiName, bits: 64, type: POINTERS[abiName] ?? "int" })),
        { name: "pc", source: "pc", bits: 64, type: "code_ptr" },
      ],
    },
    {
      name: "org.gnu.gdb.riscv.fpu",
      registers: [
        ...F_REGISTERS.map(({ abiName }): DebugRegister => ({ name: abiName, source: abiName, bits: 64, type: "ieee_double" })),
        ...FLOAT_CONTROL.map((name): DebugRegister => ({ ...control(name), bits: 32 })),
      ],
    },
    { name: "org.gnu.gdb.riscv.virtual", registers: [{ name: "priv", source: "privilege", bits: 64, type: "int" }] },
    {
      name: "org.gnu.gdb.riscv.csr",
      registers: CSRS.filter(({ name, number }) => !FLOAT_CONTROL.includes(name) && has(number)).map(({ name }) => control(name)),
    },
  ];
}

export const RISCV64_ARCHITECTURE = "riscv:rv64";

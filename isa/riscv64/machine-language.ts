// RISC-V as the compiler's front end sees it: registers of `asm` operands, exceptions by name, control and status registers as
// places. isa/machine-language.ts loads it when a program is compiled for riscv64.
// Which registers compiled code keeps for itself is said by docs/native.md, 3.

import type { MachineLanguage, NamedRegister } from "../machine-language.ts";
import { assemble } from "./assemble.ts";
import { csrIsReadOnly, csrsOf, findCsr, findFRegister, findXRegister, F_REGISTERS, X_REGISTERS } from "./registers.ts";
import { EXCEPTIONS } from "./traps.ts";

const RESERVED: ReadonlyMap<string, string> = new Map([
  ["zero", "it is always 0"],
  ["sp", "the stack pointer"],
  ["gp", "the fuel that is left until the next poll"],
  ["tp", "the address of the CPU's block"],
]);

function findRegister(name: string): NamedRegister | undefined {
  const x = X_REGISTERS[findXRegister(name) ?? -1];
  if (x !== undefined) {
    const holds = RESERVED.get(x.abiName);
    return holds === undefined ? { name: x.abiName, use: "operand" } : { name: x.abiName, use: "reserved", holds };
  }
  const f = F_REGISTERS[findFRegister(name) ?? -1];
  return f === undefined ? undefined : { name: f.abiName, use: "clobber" };
}

/** Above the 12 bits of a CSR's number: what `sys riscv64` does with it (docs/native.md, 2). */
const csrOperation = (operation: number) => (csr: number) => csr | (operation << 12);

export const RISCV64: MachineLanguage = {
  isa: "riscv64",
  assemble,
  operandRegisters: X_REGISTERS.map(({ abiName }) => abiName).filter((name) => !RESERVED.has(name)),
  findRegister,
  exceptions: EXCEPTIONS,
  systemRegisters: {
    isa: "riscv64",
    names: () => csrsOf(64).map(({ name }) => name),
    find: findCsr,
    operations: { read: csrOperation(0), write: csrOperation(1), set: csrOperation(2), clear: csrOperation(3) },
    isReadOnly: csrIsReadOnly,
  },
};

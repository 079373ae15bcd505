// x86-64 as the compiler's front end sees it: registers of `asm` operands and exceptions by name. isa/machine-language.ts loads it
// when a program is compiled for x86_64. System registers have no numbers in the bytecode: library functions reach them by `asm`.
// Which registers compiled code keeps for itself is said by docs/native.md, 3.

import type { MachineLanguage, NamedRegister } from "../machine-language.ts";
import { assemble } from "./assemble.ts";
import { findRegister, R64_NAMES, registerName } from "./registers.ts";
import { EXCEPTIONS } from "./traps.ts";

const RESERVED: ReadonlyMap<string, string> = new Map([
  ["rsp", "the stack pointer"],
  ["r15", "the fuel that is left until the next poll"],
]);

/** Whatever width is written, the bytecode has the name of the whole register. */
function findOperandRegister(name: string): NamedRegister | undefined {
  const register = findRegister(name);
  if (register === undefined) return undefined;
  if (register.kind !== "reg") return register.kind === "xmm" || register.kind === "st" ? { name: registerName(register), use: "clobber" } : undefined;
  if (register.high === true) return undefined;
  const whole = registerName({ kind: "reg", width: 64, number: register.number });
  const holds = RESERVED.get(whole);
  return holds === undefined ? { name: whole, use: "operand" } : { name: whole, use: "reserved", holds };
}

export const X86_64: MachineLanguage = {
  isa: "x86_64",
  assemble,
  operandRegisters: R64_NAMES.filter((name) => !RESERVED.has(name)),
  findRegister: findOperandRegister,
  exceptions: EXCEPTIONS,
  systemRegisters: null,
};

// x86_64 as the compiler's front end sees it: registers of `asm` operands and exceptions by name. isa/machine-language.ts loads it when
// a program is compiled for x86_64. Control registers and MSRs are reached by functions of the library, which are written in `asm`.
// Which registers compiled code keeps for itself is said by docs/native.md, 3.

import type { MachineLanguage, NamedRegister } from "../machine-language.ts";
import { assemble } from "./assemble.ts";
import { findRegister as findOperand, R64_NAMES, registerName } from "./registers.ts";
import { EXCEPTIONS } from "./traps.ts";

const RESERVED: ReadonlyMap<string, string> = new Map([
  ["rsp", "the stack pointer"],
  ["r15", "the fuel that is left until the next poll"],
]);

/** A part of a general register is that register, as far as it is changed. */
function findRegister(name: string): NamedRegister | undefined {
  const register = findOperand(name);
  if (register === undefined) return undefined;
  if (register.kind !== "reg") return { name: registerName(register), use: "clobber" };
  const whole = R64_NAMES[register.high === true ? register.number - 4 : register.number];
  if (whole === undefined) return undefined;
  const holds = RESERVED.get(whole);
  if (holds !== undefined) return { name: whole, use: "reserved", holds };
  return { name: whole, use: register.width === 64 ? "operand" : "clobber" };
}

export const X86_64: MachineLanguage = {
  isa: "x86_64",
  assemble,
  operandRegisters: R64_NAMES.filter((name) => !RESERVED.has(name)),
  findRegister,
  exceptions: EXCEPTIONS,
  systemRegisters: null,
};

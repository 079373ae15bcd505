// AArch64 as the compiler's front end sees it: registers of `asm` operands, exception classes by name, system registers as places.
// isa/machine-language.ts loads it when a program is compiled for aarch64.
// Which registers compiled code keeps for itself is said by docs/native.md, 3.

import type { MachineLanguage, NamedRegister } from "../machine-language.ts";
import { assemble } from "./assemble.ts";
import { findRegister as findOperand, findSystemRegister, isRegister, registerName, REGISTER_31, SYSTEM_REGISTERS } from "./registers.ts";
import { EXCEPTION_CLASSES } from "./traps.ts";

const RESERVED: ReadonlyMap<string, string> = new Map([
  ["xzr", "it is always 0"],
  ["wzr", "it is always 0"],
  ["sp", "the stack pointer"],
  ["wsp", "the stack pointer"],
  ["x18", "the address of the CPU's block"],
  ["w18", "the address of the CPU's block"],
  ["x28", "the fuel that is left until the next poll"],
  ["w28", "the fuel that is left until the next poll"],
]);

/** Operands are moved into their places by way of these: they can be changed, and hold nothing before or after. */
const MOVED_THROUGH: ReadonlySet<number> = new Set([15, 16, 17]);

/** Whatever width is written, the bytecode has the name of the whole register. The SIMD ones hold no operand. */
function findRegister(name: string): NamedRegister | undefined {
  const lower = name.toLowerCase();
  if (!isRegister(lower)) return undefined;
  const holds = RESERVED.get(lower);
  if (holds !== undefined) return { name: lower, use: "reserved", holds };
  const number = findOperand("x", lower) ?? findOperand("w", lower);
  if (number === undefined) return { name: lower, use: "clobber" };
  return { name: registerName("x", number), use: MOVED_THROUGH.has(number) ? "clobber" : "operand" };
}

/** Above the 16 bits of a system register's number: what `sys aarch64` does with it. */
const WRITE = 1 << 16;

export const AARCH64: MachineLanguage = {
  isa: "aarch64",
  assemble,
  operandRegisters: Array.from({ length: REGISTER_31 }, (_, number) => number)
    .filter((number) => !MOVED_THROUGH.has(number))
    .map((number) => registerName("x", number))
    .filter((name) => !RESERVED.has(name)),
  findRegister,
  exceptions: EXCEPTION_CLASSES,
  systemRegisters: {
    isa: "aarch64",
    names: () => SYSTEM_REGISTERS.map(({ name }) => name),
    find: findSystemRegister,
    operations: { read: (register) => register, write: (register) => register | WRITE },
    // The number does not tell; a write to a register that has none is undefined and traps.
    isReadOnly: () => false,
  },
};

// What preparing one instruction for the interpreter needs, and access to registers as prepared instructions do it. Shared by the
// instructions that touch memory (interpreter-memory.ts) and all others (interpreter-operations.ts).

import { byteWidth, type Instruction, type ScalarType } from "../../../isa/bytecode/module.ts";
import { LOW, type Cpu } from "./interpreter-cpu.ts";
import type { Interpreter } from "./interpreter.ts";

/** Word offset in the frame of a narrow register, or of the low half of a wide one. */
export const word = (register: number): number => 2 * register + LOW;

export interface Label {
  readonly target: number;
  /** Code address of the `loop`: a branch to it is a poll point. */
  readonly loopPc: number | null;
}

/** Everything that preparing one instruction needs. */
export interface Site {
  readonly m: Interpreter;
  readonly instruction: Instruction;
  readonly pc: number;
  readonly next: number;
  /** `next` and this instruction, as a frame keeps them that calls here. */
  readonly resume: number;
  /** Where the region of an `if` goes on when the condition is 0. */
  readonly otherwise: number;
  readonly label: (depth: number) => Label;
}

export const bitsOf = ({ m }: Site, type: ScalarType | undefined): 8 | 16 | 32 | 64 =>
  (byteWidth(type ?? "addr", m.image.module.layout) * 8) as 8 | 16 | 32 | 64;
export const maskOf = (bits: number): number => (bits === 32 ? -1 : (1 << bits) - 1);

export function writeNarrow(cpu: Cpu, register: number, value: number): void {
  cpu.narrow[cpu.base32 + word(register)] = value;
}

export function readNarrow(cpu: Cpu, register: number): number {
  return cpu.narrow[cpu.base32 + word(register)]!;
}

/** The bits of a register, exactly. */
export function readBits(cpu: Cpu, register: number, bits: number): bigint {
  return bits === 64 ? cpu.wide[cpu.base + register]! : BigInt(readNarrow(cpu, register) >>> 0);
}

export function writeBits(cpu: Cpu, register: number, bits: number, value: number | bigint): void {
  if (bits === 64) cpu.wide[cpu.base + register] = BigInt(value);
  else writeNarrow(cpu, register, Number(value) & maskOf(bits));
}

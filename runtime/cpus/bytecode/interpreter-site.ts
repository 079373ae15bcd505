// What preparing one instruction for the interpreter needs, and access to registers as prepared instructions do it. Shared by the
// instructions that touch memory (interpreter-memory.ts) and all others (interpreter-operations.ts). What these may ask of the interpreter
// that runs them is `InterpreterCore`: it stands here so that instructions can be read without the scheduler.

import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import { byteWidth, type Instruction, type ScalarType } from "../../../isa/bytecode/module.ts";
import type { LoadedImage, MachineCore } from "../../machine/cpu-contract.ts";
import { LOW, type Cpu, type FrameKind, type Operation, type PreparedFunction } from "./interpreter-cpu.ts";

/** Word offset in the frame of a narrow register, or of the low half of a wide one. */
export const word = (register: number): number => 2 * register + LOW;

export interface Label {
  readonly target: number;
  /** Code address of the `loop`: a branch to it is a poll point. */
  readonly loopPc: number | null;
}

/** What is to run instead of a function's instructions, of which it is made; `next[i]` is what follows instruction i without a branch. */
export type CodeWatch = (image: LoadedImage, functionIndex: number, code: readonly Operation[], next: readonly number[]) => readonly Operation[];

export interface TrapDetails {
  readonly address?: bigint;
  readonly access?: 0 | 1 | 2 | 3;
  readonly width?: number;
  readonly value?: bigint;
}

/** The interpreter as its instructions see it. What gives a number gives the index of the instruction to go on with, if not said otherwise. */
export interface InterpreterCore {
  readonly image: LoadedImage;
  readonly machine: MachineCore;
  readonly functions: readonly PreparedFunction[];
  readonly cpus: readonly Cpu[];
  /** RAM's base. */
  readonly base: number;
  /** Sees each function before it runs for the first time; null: nobody looks. */
  readonly watch: CodeWatch | null;
  /** Instructions executed since the call; an instruction is added before it runs, and adds what it takes beyond one. */
  work: number;
  /** The function at a code address that can be called, or null. */
  functionAt(address: bigint): PreparedFunction | null;
  /** Pushes a frame for a callee that fits on the stack. The caller writes the parameters, then polls at its entry. */
  enterFunction(cpu: Cpu, callee: PreparedFunction, kind: FrameKind, results: readonly number[], resume: number): void;
  /** The poll point at the entry of the function that was just entered. */
  entryPoll(cpu: Cpu, callee: PreparedFunction): number;
  /** Ends the running frame of a CPU, which returns these registers. */
  returnFrom(cpu: Cpu, values: readonly number[]): number;
  /** Enters the guarded call; the caller has checked the target and the stack, and writes the argument. */
  enterGuard(cpu: Cpu, callee: PreparedFunction, result: number, resume: number): void;
  unwind(cpu: Cpu, status: number, pc: number): number;
  /** Raises a trap; gives the first instruction of the trap vector. */
  raise(cpu: Cpu, trapClass: TrapClass, pc: number, details: TrapDetails): number;
  /** Guest time at which the running instruction starts. */
  now(): number;
  /** Before a device access: the device sees the start of the instruction, with all due events fired. */
  beginAccess(): void;
  /** After a device access or events: takes over what they may have changed. */
  refresh(): void;
  setEnabled(cpu: Cpu, enabled: boolean): void;
  /** After a change of what can interrupt this CPU. */
  updateInterruptible(cpu: Cpu): void;
  /** A poll point at `pc`; gives `next`, or a vector's first instruction. */
  poll(cpu: Cpu, next: number, pc: number): number;
  wait(cpu: Cpu, next: number, pc: number): number;
  relax(cpu: Cpu, next: number, pc: number): number;
  /** As relax, up to a guest time. */
  doze(cpu: Cpu, next: number, pc: number, until: number): number;
  /** `cpu_start`: gives its status. */
  start(id: number, address: bigint, argument: bigint): number;
}

/** Everything that preparing one instruction needs. */
export interface Site {
  readonly m: InterpreterCore;
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

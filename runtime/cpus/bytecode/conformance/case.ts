// The shape of a conformance case, and how its texts are written: programs without their header line, expected memory as typed cells
// (so that one case serves every layout), and the pieces that most trap cases share.

import { byteWidth, type DataLayout, type ScalarType } from "../../../../isa/bytecode/module.ts";
import { TRAP_CLASSES, type TrapClass } from "../../../../isa/bytecode/instructions.ts";
import type { LoadedImage, RunLimits } from "../../../machine/cpu-contract.ts";
import type { TestMachine } from "../test-machine.ts";

export const LAYOUTS: readonly DataLayout[] = [
  { addressBytes: 4, endian: "little" },
  { addressBytes: 4, endian: "big" },
  { addressBytes: 8, endian: "little" },
  { addressBytes: 8, endian: "big" },
];

/** Values of one type one after the other, in memory order of the layout. */
export interface Cells {
  readonly type: ScalarType;
  readonly values: readonly (number | bigint)[];
}

export interface CaseContext {
  readonly layout: DataLayout;
  readonly image: LoadedImage;
  readonly machine: TestMachine;
  readonly symbol: (name: string) => bigint;
  /** Code address of an instruction. */
  readonly pc: (functionName: string, instruction?: number) => bigint;
  /** Top of CPU 0's stack. */
  readonly stackTop: bigint;
}

export interface Expectation {
  /** As `formatOutcome` writes it. */
  readonly outcome: string;
  readonly memory?: Readonly<Record<string, readonly Cells[]>>;
  readonly instructions?: number;
  /** Guest time at the end; it starts at 0. */
  readonly time?: number;
  /** The device's log. */
  readonly log?: readonly string[];
  readonly draws?: number;
}

export interface ConformanceCase {
  readonly name: string;
  /** Module text without its header line. */
  readonly program: string | ((layout: DataLayout) => string);
  readonly layouts?: readonly DataLayout[];
  readonly args?: readonly (number | bigint)[];
  readonly limits?: Partial<RunLimits>;
  readonly cpus?: number;
  /** One run for each seed; default one run. More than one only makes sense with several CPUs. */
  readonly seeds?: readonly bigint[];
  readonly expect: Expectation | ((context: CaseContext) => Expectation);
}

export function encodeCells(cells: readonly Cells[], layout: DataLayout): Uint8Array {
  const widths = cells.map(({ type, values }) => byteWidth(type, layout) * values.length);
  const view = new DataView(new ArrayBuffer(widths.reduce((sum, width) => sum + width, 0)));
  const isLittle = layout.endian === "little";
  let at = 0;
  for (const { type, values } of cells) {
    const width = byteWidth(type, layout);
    for (const value of values) {
      const bits = BigInt(value);
      const low = Number(BigInt.asUintN(32, bits));
      if (width === 8) view.setBigUint64(at, bits, isLittle);
      else if (width === 4) view.setUint32(at, low, isLittle);
      else if (width === 2) view.setUint16(at, low, isLittle);
      else view.setUint8(at, low);
      at += width;
    }
  }
  return new Uint8Array(view.buffer);
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** A trap vector that stores the whole record as seven i64 into @info and gives status 77. It executes 17 instructions. */
export const TRAP_VECTOR = `
trap_vector @on_trap
data @info size 56 align 8 writable
func @on_trap () -> (i32) {
  reg %0:addr, %1:i64, %2:i32
  %0 = symbol_addr @info
  %1 = trap_info class
  store.i64 %0, %1
  %1 = trap_info pc
  store.i64 %0, %1, +8
  %1 = trap_info address
  store.i64 %0, %1, +16
  %1 = trap_info access
  store.i64 %0, %1, +24
  %1 = trap_info width
  store.i64 %0, %1, +32
  %1 = trap_info value
  store.i64 %0, %1, +40
  %1 = trap_info sp
  store.i64 %0, %1, +48
  %2 = const.i32 77
  return %2
}`;

/** @main () -> (i32) that gives the status of a guard around @body, a function (addr) -> () with these registers from %1 on. */
export function guarded(registers: string, body: string, behindGuard = ""): string {
  return `${TRAP_VECTOR}
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32
  %0 = func_addr @body
  %2 = guard %0, %1
  ${behindGuard}
  return %2
}
func @body (addr) -> () {
  ${registers === "" ? "" : `reg ${registers}`}
  ${body}
  return
}`;
}

export interface ExpectedTrap {
  readonly class: TrapClass;
  /** Instruction of @body, or a code address. */
  readonly pc: number | bigint;
  readonly address?: bigint;
  readonly access?: number;
  readonly width?: number;
  readonly value?: bigint;
  /** Bytes below the top of the stack; 128 (the frames of @main and @body) unless said. */
  readonly depth?: number;
}

/** What TRAP_VECTOR leaves in @info. */
export function infoCells(context: CaseContext, trap: ExpectedTrap): Cells {
  return {
    type: "i64",
    values: [
      TRAP_CLASSES.indexOf(trap.class),
      typeof trap.pc === "bigint" ? trap.pc : context.pc("body", trap.pc),
      trap.address ?? 0,
      trap.access ?? 0,
      trap.width ?? 0,
      trap.value ?? 0,
      context.stackTop - BigInt(trap.depth ?? 128),
    ],
  };
}

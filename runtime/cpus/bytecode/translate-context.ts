// What all parts of the translator share: the facts about the image (`TranslationContext`) and the function being written
// (`FunctionWriter`) with its fuel bookkeeping. Fuel is one i32 local that travels with every call as second parameter and last
// result; `pending` is the number of instructions executed on every path to here that the local does not know yet, so that
// straight-line code counts nothing, conditional parts count what they add, and cold paths get the exact count as a constant.

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import { codeAddress } from "../../../isa/bytecode/module.ts";
import type { BytecodeFunction, Module, ScalarType } from "../../../isa/bytecode/module.ts";
import { I32, I64, OP } from "../wasm/encoder.ts";
import type { BranchHint, ByteWriter, ValueType, VOID } from "../wasm/encoder.ts";
import { isWide } from "./wasm-state.ts";
import type { SignatureTable, StateLayout } from "./wasm-state.ts";

/** Where the loader put things: a translation is valid for these only. */
export interface TranslationOptions {
  readonly ramBase: bigint;
  readonly ramSize: number;
  readonly dirtyOffset: number;
  readonly readOnlyStart: number;
  readonly readOnlyEnd: number;
  readonly cpuCount: number;
  /** Guest address of each data symbol. */
  readonly symbolAddress: readonly bigint[];
}

export type Bits = 8 | 16 | 32 | 64;

export const RAM_MEMORY = 0;
export const STATE_MEMORY = 1;
/** The stack limit, as an offset into RAM. */
export const LIMIT_GLOBAL = 0;

export interface TranslationContext {
  readonly module: Module;
  readonly options: TranslationOptions;
  readonly signatures: SignatureTable;
  readonly state: StateLayout;
  /** True when `addr` is held in an i64. */
  readonly wideAddress: boolean;
  readonly bits: { readonly [type in ScalarType]: Bits };
  /** RAM's base as a number: translations want it below 2^53. */
  readonly ramBase: number;
  /** The larger part of RAM that is free of read-only bytes; stores elsewhere take the slow path. Both ends 8-byte aligned. */
  readonly writableStart: number;
  readonly writableEnd: number;
  /** Index of a support function by name. */
  readonly support: (name: string) => number;
  /** Index of guest function 0. */
  readonly firstFunction: number;
  /** Wasm type of a canonical signature. */
  readonly typeOf: (signature: number) => number;
}

/**
 * What is known of a register from its definition to its next one, or to the end of the region around the definition. Other paths meet
 * there, as they do at the start of a loop.
 */
export type Fact =
  | { readonly kind: "constant"; readonly value: number | bigint }
  /** RAM offset. */
  | { readonly kind: "ram"; readonly offset: number }
  /** Byte of this function's frame. */
  | { readonly kind: "frame"; readonly offset: number };

export interface Label {
  readonly kind: "block" | "if" | "loop";
  /** Wasm nesting level that a branch goes to. */
  readonly level: number;
  /** Loops: levels of the blocks around that lead to the poll and to the code behind. */
  readonly pollLevel: number;
  readonly exitLevel: number;
  /** The value of `pending` that a branch has to arrive with. */
  readonly pending: number;
  /** Instruction index, for the poll's pc. */
  readonly at: number;
  /** Length of the fact log when the region was opened. */
  readonly facts: number;
}

export interface FunctionWriter {
  readonly context: TranslationContext;
  readonly w: ByteWriter;
  readonly fn: BytecodeFunction;
  readonly index: number;
  /** Where the body starts in `w`; branch hints count from here. */
  bodyStart: number;
  readonly hints: BranchHint[];
  /** Index of the current instruction. */
  at: number;
  pending: number;
  /** Open wasm regions. */
  depth: number;
  readonly labels: Label[];
  /** No path leads to the current instruction; `skipped` counts regions opened meanwhile. */
  dead: boolean;
  skipped: number;
  /** Loops that a branch goes to. */
  readonly branchedLoops: Uint8Array;
  readonly facts: (Fact | undefined)[];
  readonly factLog: number[];
  readonly temp32: number;
  readonly temp32b: number;
  readonly temp64: number;
}

export const SP_LOCAL = 0;
export const FUEL_LOCAL = 1;
/** Register n is local n + 2; the parameters are the first registers in both worlds. */
const FIRST_REGISTER = 2;

export function valueType(context: TranslationContext, type: ScalarType): ValueType {
  return isWide(type, context.module.layout) ? I64 : I32;
}

/** The local of an operand or result. */
export function localOf(f: FunctionWriter, register: number | undefined): number {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: register missing`);
  return register + FIRST_REGISTER;
}

export function getRegister(f: FunctionWriter, register: number | undefined): void {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: operand missing`);
  f.w.op(OP.local_get, register + FIRST_REGISTER);
}

export function setRegister(f: FunctionWriter, register: number | undefined): void {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: result missing`);
  f.facts[register] = undefined;
  f.w.op(OP.local_set, register + FIRST_REGISTER);
}

export function instructionPc(f: FunctionWriter): number {
  return codeAddress(f.index, f.at);
}

/** Pushes the fuel after `pending` instructions. */
export function pushFuel(f: FunctionWriter): void {
  f.w.localGet(FUEL_LOCAL);
  if (f.pending !== 0) f.w.withConst(f.pending, OP.i32_sub);
}

/** Takes the fuel that a support function left on the stack, which knows the `pending` instructions already. */
export function takeFuel(f: FunctionWriter): void {
  if (f.pending !== 0) f.w.withConst(f.pending, OP.i32_add);
  f.w.localSet(FUEL_LOCAL);
}

/** Counts what is pending beyond `keep` into the fuel local. Does not change `pending`: other paths may go on from here. */
export function spendFuel(f: FunctionWriter, keep: number): void {
  if (f.pending === keep) return;
  f.w.localGet(FUEL_LOCAL);
  f.w.withConst(f.pending - keep, OP.i32_sub);
  f.w.localSet(FUEL_LOCAL);
}

/** Opens a wasm `if`; `likely` tells the compiler which way to lay out. */
export function openIf(f: FunctionWriter, result: ValueType | typeof VOID, likely?: boolean): void {
  if (likely !== undefined) f.hints.push({ offset: f.w.length - f.bodyStart, likely });
  f.w.op(OP.if, result);
  f.depth += 1;
}

export function openElse(f: FunctionWriter): void {
  f.w.byte(OP.else);
}

export function close(f: FunctionWriter): void {
  f.w.byte(OP.end);
  f.depth -= 1;
}

export function trapNumber(name: TrapClass): number {
  return TRAP_CLASSES.indexOf(name);
}

/** Raises a trap at the current instruction. Its cost is counted by the executor. */
export function raiseTrap(f: FunctionWriter, name: TrapClass): void {
  f.w.localGet(SP_LOCAL);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(trapNumber(name));
  f.w.call(f.context.support("trap"));
  f.w.byte(OP.unreachable);
}

/** To be called behind `setRegister`. */
export function learnFact(f: FunctionWriter, register: number | undefined, fact: Fact | undefined): void {
  if (register === undefined || fact === undefined) return;
  f.facts[register] = fact;
  f.factLog.push(register);
}

/** Forgets what was learnt since the region was opened: on other ways to its end it does not hold. */
export function forgetFacts(f: FunctionWriter, length: number): void {
  while (f.factLog.length > length) {
    const register = f.factLog.pop();
    if (register !== undefined) f.facts[register] = undefined;
  }
}

export function factOf(f: FunctionWriter, register: number | undefined): Fact | undefined {
  return register === undefined ? undefined : f.facts[register];
}

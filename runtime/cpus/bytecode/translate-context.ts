// What all parts of the translator share: the facts about the image (`TranslationContext`) and the function being written
// (`FunctionWriter`) with its fuel bookkeeping. Fuel is one i32 local that travels with every call as second parameter and last
// result; `pending` is the number of instructions executed on every path to here that the local does not know yet, so that
// straight-line code counts nothing, conditional parts count what they add, and cold paths get the exact count as a constant.

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import { codeAddress } from "../../../isa/bytecode/module.ts";
import type { BytecodeFunction, Module, ScalarType } from "../../../isa/bytecode/module.ts";
import { forgetRegister } from "./translate-facts.ts";
import type { Comparison, Fact, Learnt, Range } from "./translate-facts.ts";
import type { Form } from "./translate-forms.ts";
import type { LoopNotes, Pair } from "./translate-loops.ts";
import type { InlinedCalls, Inlining } from "./translate-inlining.ts";
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
  readonly inlining: Inlining;
  /** Index of a support function by name. */
  readonly support: (name: string) => number;
  /** Index of guest function 0. */
  readonly firstFunction: number;
  /** Wasm type of a canonical signature. */
  readonly typeOf: (signature: number) => number;
}

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
  /** How much had been learnt when the region was opened. */
  readonly learnt: number;
  /** Of an `if`: what holds in its then-part, and the condition's value where it is known, so that there is no wasm `if` at all. */
  readonly condition: Comparison | undefined;
  readonly decided: boolean | undefined;
  /** Some branch goes to it; an `else` stands in it; no path leads to the end of the part before it. */
  branched: boolean;
  hasElse: boolean;
  isDeadBefore: boolean;
  /** Wasm loops of states that have to be closed before its end. */
  states: number;
}

/** A guest function that is being written: as a wasm function of its own, or in the place of a call. */
export interface FunctionWriter {
  readonly context: TranslationContext;
  readonly w: ByteWriter;
  readonly fn: BytecodeFunction;
  readonly index: number;
  /** The local of its first register; how far its stack pointer is below the wasm function's. */
  readonly firstRegister: number;
  readonly below: number;
  /** The local of what the stack has left below the wasm function's stack pointer, if calls are executed in place. */
  readonly room: number | null;
  /** The calls that are executed in place. */
  readonly inlined: InlinedCalls;
  /** In the place of a call: where `return` goes. */
  readonly returns: ReturnPoint | null;
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
  /** What is known of each register; what was learnt, in that order. */
  readonly facts: (Fact | undefined)[];
  readonly learnt: Learnt[];
  /** Of the wasm function: how often each local was written, and what is noted of its loops. */
  readonly versions: number[];
  readonly loops: LoopNotes;
  /** What the current instruction adds to its result, if that is all it does. */
  step: Form | undefined;
  /** Of what its loops count together: how far the address is from a multiple of the index. */
  readonly distances: Map<Pair, number | undefined>;
  readonly temp32: number;
  readonly temp32b: number;
  readonly temp64: number;
}

/** Where a function that is written in the place of a call returns to. */
export interface ReturnPoint {
  readonly caller: FunctionWriter;
  /** The caller's locals of the results. */
  readonly results: readonly number[];
  readonly level: number;
  /** The value of `pending` that a branch has to arrive with. */
  readonly pending: number;
  /** A branch to the level was written; a return was. */
  branched: boolean;
  returned: boolean;
  /** What all returns know of each result. */
  readonly ranges: (Range | undefined)[];
}

export const SP_LOCAL = 0;
export const FUEL_LOCAL = 1;
/** Register n of a wasm function's own guest function is local n + 2; the parameters are the first registers in both worlds. */
export const FIRST_REGISTER = 2;

export function valueType(context: TranslationContext, type: ScalarType): ValueType {
  return isWide(type, context.module.layout) ? I64 : I32;
}

/** The local of an operand or result. */
export function localOf(f: FunctionWriter, register: number | undefined): number {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: register missing`);
  return register + f.firstRegister;
}

export function getRegister(f: FunctionWriter, register: number | undefined): void {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: operand missing`);
  f.w.op(OP.local_get, register + f.firstRegister);
}

export function setRegister(f: FunctionWriter, register: number | undefined): void {
  if (register === undefined) throw new Error(`function ${f.fn.name}, instruction ${f.at}: result missing`);
  forgetRegister(f, register);
  f.w.op(OP.local_set, register + f.firstRegister);
}

export function instructionPc(f: FunctionWriter): number {
  return codeAddress(f.index, f.at);
}

export function pushSp(f: FunctionWriter): void {
  f.w.localGet(SP_LOCAL);
  if (f.below !== 0) f.w.withConst(f.below, OP.i32_sub);
}

/** Something is written that a round without tests must not have: a branch, or what looks at the fuel. */
function bendRound({ loops }: FunctionWriter): void {
  if (loops.round !== undefined) loops.round.isStraight = false;
}

/** Pushes the fuel after `pending` instructions. */
export function pushFuel(f: FunctionWriter): void {
  bendRound(f);
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
  bendRound(f);
  f.w.localGet(FUEL_LOCAL);
  f.w.withConst(f.pending - keep, OP.i32_sub);
  f.w.localSet(FUEL_LOCAL);
}

/** Opens a wasm `if`; `likely` tells the compiler which way to lay out. */
export function openIf(f: FunctionWriter, result: ValueType | typeof VOID, likely?: boolean): void {
  bendRound(f);
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
  pushSp(f);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(trapNumber(name));
  f.w.call(f.context.support("trap"));
  f.w.byte(OP.unreachable);
}

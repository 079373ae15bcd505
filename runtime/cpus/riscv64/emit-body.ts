// What the code of all the interpreter's operations stands on: the locals of its function, its doors, registers by the fields of decoded
// entries, and the counts of arrivals, by which the translator learns what is hot (regions/translator.ts).

import { I32, I64, OP, VOID, type ByteWriter, type ValueType } from "../wasm/encoder.ts";
import type { Emitter } from "./emit-expression.ts";
import { RAM, readCell, writeCell, type MemoryLayout } from "./emit-memory.ts";
import type { Leaf } from "./semantics/expressions.ts";
import { CELL, ENTRY, ENTRY_SHIFT, isStateName, stateCell } from "./state.ts";

export interface InterpreterOptions extends MemoryLayout {
  /** What a jump adds to its count of eight bits; when that comes to 0 again, `hot` is told where it leads. */
  readonly heat: number;
}

/**
 * All return 0 if the interpreter has to return; `breakpoint` returns the operation that is meant, or -1. `prepare` makes an operation apart
 * ready.
 */
export const DOORS = ["cold", "page", "decode", "breakpoint", "region", "hot", "prepare"] as const;
export type Door = (typeof DOORS)[number];

/** Functions of the interpreter's module by their indexes, the doors first. */
export const FUNCTION = {
  cold: 0,
  page: 1,
  decode: 2,
  breakpoint: 3,
  region: 4,
  hot: 5,
  prepare: 6,
  run: 7,
  absent: 8,
  decodeHere: 9,
} as const satisfies Readonly<Record<Door | "run" | "absent" | "decodeHere", number>>;

/** Types and tables of the module. */
export const TYPE = { door: 0, page: 1, run: 2, hot: 3, region: 4, enter: 5, apart: 6, decode: 7 } as const;
export const TABLE = { regions: 0, apart: 1 } as const;

// Locals of the function; those that operations apart take as their parameters come first.
export const CUR = 0;
export const NEXT = 1;
export const BUDGET = 2;
export const PAGE_BASE = 3;
export const TLB_BASE = 4;
export const AT = 5;
export const SLOT = 6;
export const OPERATION = 7;
export const PAGE = 8;
export const ADDRESS = 9;
export const PC = 10;
/** How many times the target of the jump at hand was reached since `hot` was told of it last; mostly 0. */
export const ARRIVALS = 11;
export const FIXED_LOCALS: readonly ValueType[] = [I32, I32, I32, I32, I32, I32, I32, I32, I64, I64, I64, I32];

export interface Body extends Emitter {
  readonly options: InterpreterOptions;
  /** Locals that the instruction at hand has borrowed are given back. */
  readonly giveBack: () => void;
  readonly locals: () => readonly ValueType[];
}

export function createBody(w: ByteWriter, options: InterpreterOptions): Body {
  const lent: ValueType[] = [];
  let used = new Set<number>();
  return {
    w,
    options,
    borrow(type) {
      let index = lent.findIndex((other, n) => other === type && !used.has(n));
      if (index < 0) {
        index = lent.length;
        lent.push(type);
      }
      used.add(index);
      return FIXED_LOCALS.length + index;
    },
    giveBack() {
      used = new Set();
    },
    locals: () => [...FIXED_LOCALS, ...lent],
    leaf: (name, type) => emitLeaf(w, options, name, type),
  };
}

/** The byte offset of a register that the entry names, as an address to which the block's place is added by the access. */
export function registerAddress(w: ByteWriter, field: number): void {
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, field);
}

export function readRegister(w: ByteWriter, options: InterpreterOptions, field: number, cell: number = CELL.x): void {
  registerAddress(w, field);
  w.memory(OP.i64_load, RAM, options.stateOffset + cell);
}

/** The low half. */
function readWord(w: ByteWriter, options: InterpreterOptions, field: number): void {
  registerAddress(w, field);
  w.memory(OP.i32_load, RAM, options.stateOffset + CELL.x);
}

function emitImmediate(w: ByteWriter): void {
  w.localGet(CUR);
  w.memory(OP.i64_load32_s, RAM, ENTRY.imm);
  w.i64Const(8);
  w.byte(OP.i64_shr_s);
}

/** The guest address of the entry in `local`. */
export function emitPc(w: ByteWriter, local: number): void {
  w.localGet(PAGE);
  w.withLocals(local, PAGE_BASE, OP.i32_sub);
  w.withConst(ENTRY_SHIFT, OP.i32_shr_u);
  w.byte(OP.i64_extend_i32_u);
  w.byte(OP.i64_add);
}

function emitLeaf(w: ByteWriter, options: InterpreterOptions, leaf: Leaf, type: ValueType): void {
  if (isStateName(leaf)) {
    const { cell, isWord } = stateCell(leaf);
    return readCell(w, options, isWord ? OP.i32_load : OP.i64_load, cell);
  }
  const isWord = type === I32;
  switch (leaf) {
    case "rs1":
      return (isWord ? readWord : readRegister)(w, options, ENTRY.rs1);
    case "rs2":
      return (isWord ? readWord : readRegister)(w, options, ENTRY.rs2);
    case "imm":
      emitImmediate(w);
      break;
    case "pc":
      emitPc(w, CUR);
      break;
    case "remaining":
      w.localGet(BUDGET);
      w.withConst(1, OP.i32_add);
      return w.byte(OP.i64_extend_i32_u);
    case "fs1":
      return readRegister(w, options, ENTRY.rs1, CELL.f);
    case "fs2":
      return readRegister(w, options, ENTRY.rs2, CELL.f);
    case "fs3":
      // Above the three bits of the rounding mode, that is, as a byte offset.
      w.localGet(CUR);
      w.memory(OP.i32_load8_u, RAM, ENTRY.imm + 1);
      w.withConst(0xf8, OP.i32_and);
      return w.memory(OP.i64_load, RAM, options.stateOffset + CELL.f);
    case "old":
      throw new Error("only atomics have an old value");
  }
  if (isWord) w.byte(OP.i32_wrap_i64);
}

export function open(w: ByteWriter, opcode: number): void {
  w.byte(opcode);
  w.byte(VOID);
}

/** Counts in the entry at hand, in a field that its instruction does not use; ARRIVALS becomes 256 now and then. */
export function countArrival({ w, options }: Body, field: number): void {
  w.localGet(CUR);
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, field);
  w.withConst(options.heat, OP.i32_add);
  w.localTee(SLOT);
  w.memory(OP.i32_store8, RAM, field);
  w.localGet(SLOT);
  w.withConst(COUNT_END, OP.i32_and);
  w.localSet(ARRIVALS);
}

/**
 * Regions have ended at a place where another could begin. The places take turns at being told, each for all exits since the last one was:
 * a call of TypeScript for each would cost more than what it counts, and make V8 optimise what is called.
 */
export function countExit({ w, options }: Body): void {
  w.op(OP.global_get, EXITS);
  w.withConst(options.heat, OP.i32_add);
  w.localTee(SLOT);
  w.withConst(EXITS_TOLD, OP.i32_ge_u);
  open(w, OP.if);
  w.localGet(SLOT);
  w.localSet(ARRIVALS);
  w.i32Const(0);
  w.localSet(SLOT);
  w.byte(OP.end);
  w.localGet(SLOT);
  w.op(OP.global_set, EXITS);
}

/** The module's one global: exits that nobody was told of. A prime, so that it is not always the same of several places in a loop that is told. */
export const EXITS = 0;
const EXITS_TOLD = 61;

/** The count has eight bits, so the ninth of what is stored tells that it went round. */
const COUNT_END = 0x100;

/** Tells of NEXT, to which control goes, if it is time. */
export function tellArrivals({ w, options }: Body): void {
  w.localGet(ARRIVALS);
  open(w, OP.if);
  writeCell(w, options, OP.i64_store, CELL.pc, () => emitPc(w, NEXT));
  w.localGet(NEXT);
  w.localGet(ARRIVALS);
  w.localGet(CUR);
  w.call(FUNCTION.hot);
  w.byte(OP.drop);
  w.i32Const(0);
  w.localSet(ARRIVALS);
  w.byte(OP.end);
}

export function emitHeat(body: Body, field: number): void {
  countArrival(body, field);
  tellArrivals(body);
}

/** Labels, as seen from a handler's first block level. */
export interface Labels {
  readonly next: number;
  readonly jump: number;
  readonly cold: number;
  readonly out: number;
  readonly dispatch: number;
}

/** What was begun is no instruction: its share of the budget is given back. */
export function refund(w: ByteWriter): void {
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_add);
  w.localSet(BUDGET);
}

// Tier 0: writes the interpreter, one WebAssembly function that walks decoded entries (state.ts) and carries each out by a switch. It is
// generated from the same description of the instructions as everything else, for one size of RAM. Every instruction takes one from
// the budget before it begins, so that a run ends exactly where it has to, and a budget of 1 is a single step.
// Whatever is seldom leaves by one of three doors to TypeScript (a call that V8 must keep off the hot path): `cold` executes the
// instruction at hand as a whole, faults, devices and misses of the translation caches included; `page` finds the page of code at
// pc; `decode` fills an entry. Each door leaves pc and budget in their cells and reads them again afterwards: they may have changed.

import type { RegisterWidth } from "../../../isa/riscv64/instructions.ts";
import { ByteWriter, EXTERNAL, FUNCREF, I32, I64, OP, SECTION, VOID, writeHeader, writeLocals, writeSection, type ValueType } from "../wasm/encoder.ts";
import { BOX, FLOAT_STATE_DIRTY, LOAD_OPCODES, PAGE_MASK, RAM, readCell, STORE_OPCODES, writeCell } from "./emit-memory.ts";
import { emitExpression, emitShared, type Emitter } from "./emit-expression.ts";
import { operationsOf, type Operation } from "./operations.ts";
import { emitRegionSlot, NESTED_CALLS } from "./regions/emit-region.ts";
import type { Expression, Leaf } from "./semantics/expressions.ts";
import type { Guarded } from "./semantics/guarded.ts";
import { CELL, csrCell, ENTRY, ENTRY_SHIFT, isStateName, NO_RESERVATION, REGION_CACHE, stateCell, TLB } from "./state.ts";

/** Where things are in the machine's memory, which generated code has baked in. */
export interface MemoryLayout {
  readonly stateOffset: number;
  readonly dirtyOffset: number;
  readonly width: RegisterWidth;
}

export interface InterpreterOptions extends MemoryLayout {
  /** What a jump adds to its count of eight bits; when that comes to 0 again, `hot` is told where it leads. */
  readonly heat: number;
}

export const INTERPRETER_IMPORTS = "riscv64";

/** All return 0 if the interpreter has to return; `breakpoint` returns the operation that is meant, or -1. */
export type Door = "cold" | "page" | "decode" | "breakpoint" | "region" | "hot";
const DOORS: readonly Door[] = ["cold", "page", "decode", "breakpoint", "region", "hot"];

// Locals of the function.
const CUR = 0;
const NEXT = 1;
const BUDGET = 2;
const PAGE_BASE = 3;
const TLB_BASE = 4;
const AT = 5;
const SLOT = 6;
const OPERATION = 7;
const PAGE = 8;
const ADDRESS = 9;
const PC = 10;
/** How many times the target of the jump at hand was reached since `hot` was told of it last; mostly 0. */
const ARRIVALS = 11;
const FIXED_LOCALS: readonly ValueType[] = [I32, I32, I32, I32, I32, I32, I32, I32, I64, I64, I64, I32];

// Types of the module.
const TYPE_DOOR = 0;
const TYPE_PAGE = 1;
const TYPE_RUN = 2;
const TYPE_HOT = 3;
const TYPE_REGION = 4;

interface Body extends Emitter {
  readonly options: InterpreterOptions;
  /** Locals that the instruction at hand has borrowed are given back. */
  readonly giveBack: () => void;
  readonly locals: () => readonly ValueType[];
}

function createBody(w: ByteWriter, options: InterpreterOptions): Body {
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
function registerAddress(w: ByteWriter, field: number): void {
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, field);
}

function readRegister(w: ByteWriter, options: InterpreterOptions, field: number, cell: number = CELL.x): void {
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
function emitPc(w: ByteWriter, local: number): void {
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

/** RV32: an address has 32 bits, and leaves zeros above them. */
function wrapAddress(w: ByteWriter, { width }: InterpreterOptions): void {
  if (width === 64) return;
  w.byte(OP.i32_wrap_i64);
  w.byte(OP.i64_extend_i32_u);
}

/** RV32: a register's cell holds its 32 bits sign-extended, as RV64 holds a word. */
function extendWord(w: ByteWriter, { width }: InterpreterOptions): void {
  if (width === 32) w.byte(OP.i64_extend32_s);
}

/** rs1 + imm through a translation cache: AT becomes the offset in RAM, or control goes to the cold door. */
function emitTranslation(body: Body, width: number, table: number, hasOffset: boolean, coldLabel: number): void {
  const { w } = body;
  body.leaf("rs1", I64);
  if (hasOffset) {
    body.leaf("imm", I64);
    w.byte(OP.i64_add);
  }
  wrapAddress(w, body.options);
  w.localTee(ADDRESS);
  w.byte(OP.i32_wrap_i64);
  w.localTee(AT);
  // The page number, its upper half folded in: streams a megabyte apart must not share an entry.
  w.withConst(8, OP.i32_shr_u);
  w.localGet(AT);
  w.withConst(16, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst((TLB.entries - 1) * TLB.entryBytes, OP.i32_and);
  w.withLocal(TLB_BASE, OP.i32_add);
  w.localTee(SLOT);
  w.memory(OP.i64_load, RAM, table + TLB.tag);
  w.localGet(ADDRESS);
  w.i64Const(-(PAGE_MASK + 1) | (width - 1));
  w.byte(OP.i64_and);
  w.byte(OP.i64_ne);
  w.op(OP.br_if, coldLabel);
  w.localGet(AT);
  w.localGet(SLOT);
  w.memory(OP.i32_load, RAM, table + TLB.addend);
  w.byte(OP.i32_add);
  w.localSet(AT);
}

function emitDirty({ w, options }: Body): void {
  w.localGet(AT);
  w.withConst(12, OP.i32_shr_u);
  w.i32Const(1);
  w.memory(OP.i32_store8, RAM, options.dirtyOffset);
}

/** Labels, as seen from a handler's first block level. */
interface Labels {
  readonly next: number;
  readonly jump: number;
  readonly cold: number;
  readonly out: number;
  readonly dispatch: number;
}

function requireFloatState({ w, options }: Body, coldLabel: number): void {
  readCell(w, options, OP.i32_load, csrCell("mstatus"));
  w.withConst(FLOAT_STATE_DIRTY, OP.i32_and);
  w.withConst(FLOAT_STATE_DIRTY, OP.i32_ne);
  w.op(OP.br_if, coldLabel);
}

/** Target in PC and control to it, by way of the page's lookup. */
function goTo(w: ByteWriter, labels: Labels): void {
  w.localSet(PC);
  w.op(OP.br, labels.jump);
}

function emitLink(body: Body): void {
  const { w, options } = body;
  registerAddress(w, ENTRY.rd);
  emitPc(w, NEXT);
  extendWord(w, options);
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
}

/** NEXT = CUR + distance in entries. */
function stepNear(w: ByteWriter): void {
  w.localGet(CUR);
  w.localGet(CUR);
  w.memory(OP.i32_load, RAM, ENTRY.imm);
  w.withConst(8, OP.i32_shr_s);
  w.byte(OP.i32_add);
  w.localSet(NEXT);
}

function emitTarget(body: Body): void {
  body.leaf("pc", I64);
  body.leaf("imm", I64);
  body.w.byte(OP.i64_add);
  wrapAddress(body.w, body.options);
}

/** Carries the operation out and branches away; `labels` hold at its level. */
function emitOperation(body: Body, operation: Operation, labels: Labels): void {
  const { w, options } = body;
  const registers = options.stateOffset + CELL.x;
  switch (operation.kind) {
    case "undecoded":
      // The step beyond this entry was a guess.
      w.localGet(CUR);
      w.call(DOORS.indexOf("decode"));
      w.byte(OP.drop);
      w.localGet(CUR);
      w.localSet(NEXT);
      refund(w);
      break;
    case "page-end":
      refund(w);
      emitPc(w, CUR);
      wrapAddress(w, options);
      goTo(w, labels);
      return;
    case "cold":
      w.op(OP.br, labels.cold);
      return;
    case "breakpoint":
      writeCell(w, options, OP.i64_store, CELL.pc, () => emitPc(w, CUR));
      writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
      w.localGet(CUR);
      w.call(DOORS.indexOf("breakpoint"));
      w.localTee(OPERATION);
      w.i32Const(0);
      w.byte(OP.i32_ge_s);
      w.op(OP.br_if, labels.dispatch);
      refund(w);
      w.op(OP.br, labels.out);
      return;
    case "region":
      return emitRegion(body, labels);
    case "nothing":
      break;
    case "compute":
      registerAddress(w, ENTRY.rd);
      emitExpression(body, operation.value);
      if (operation.value.type === I32) w.byte(OP.i64_extend_i32_s);
      w.memory(OP.i64_store, RAM, registers);
      break;
    case "load": {
      const { width, signed, isFloat = false } = operation.meaning;
      if (isFloat) requireFloatState(body, labels.cold);
      emitTranslation(body, width, TLB.read, true, labels.cold);
      registerAddress(w, ENTRY.rd);
      w.localGet(AT);
      w.memory(LOAD_OPCODES[width][signed ? "signed" : "unsigned"], RAM, 0);
      if (isFloat && width === 4) {
        w.i64Const(BOX);
        w.byte(OP.i64_or);
      }
      w.memory(OP.i64_store, RAM, options.stateOffset + (isFloat ? CELL.f : CELL.x));
      break;
    }
    case "store": {
      const { width, isFloat = false } = operation.meaning;
      if (isFloat) requireFloatState(body, labels.cold);
      emitTranslation(body, width, TLB.write, true, labels.cold);
      w.localGet(AT);
      readRegister(w, options, ENTRY.rs2, isFloat ? CELL.f : CELL.x);
      w.memory(STORE_OPCODES[width], RAM, 0);
      emitDirty(body);
      break;
    }
    case "atomic": {
      const { width, stored } = operation.meaning;
      emitTranslation(body, width, TLB.write, false, labels.cold);
      const old = body.borrow(width === 4 ? I32 : I64);
      w.localGet(AT);
      w.memory(width === 4 ? OP.i32_load : OP.i64_load, RAM, 0);
      w.localSet(old);
      w.localGet(AT);
      emitExpression({ ...body, leaf: (name, type) => (name === "old" ? w.localGet(old) : body.leaf(name, type)) }, stored);
      w.memory(width === 4 ? OP.i32_store : OP.i64_store, RAM, 0);
      registerAddress(w, ENTRY.rd);
      w.localGet(old);
      if (width === 4) w.byte(OP.i64_extend_i32_s);
      w.memory(OP.i64_store, RAM, registers);
      // rd is often x0.
      writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
      emitDirty(body);
      break;
    }
    case "load-reserved":
      emitTranslation(body, operation.width, TLB.read, false, labels.cold);
      registerAddress(w, ENTRY.rd);
      w.localGet(AT);
      w.memory(LOAD_OPCODES[operation.width].signed, RAM, 0);
      w.memory(OP.i64_store, RAM, registers);
      writeCell(w, options, OP.i64_store, CELL.reservation, () => w.localGet(ADDRESS));
      writeCell(w, options, OP.i64_store, CELL.reserved, () => {
        w.localGet(AT);
        w.memory(LOAD_OPCODES[operation.width].unsigned, RAM, 0);
      });
      writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
      break;
    case "store-conditional":
      emitStoreConditional(body, operation.width, labels);
      break;
    case "branch":
      emitExpression(body, operation.taken);
      if (operation.isNear) {
        w.byte(OP.if);
        w.byte(VOID);
        stepNear(w);
        w.withLocals(NEXT, CUR, OP.i32_le_u);
        open(w, OP.if);
        emitHeat(body, ENTRY.rd);
        w.byte(OP.end);
        w.byte(OP.end);
      } else {
        w.byte(OP.i32_eqz);
        w.op(OP.br_if, labels.next);
        countArrival(body, ENTRY.rd);
        emitTarget(body);
        goTo(w, labels);
        return;
      }
      break;
    case "jump":
      if (operation.hasLink) emitLink(body);
      if (!operation.isNear) {
        countArrival(body, ENTRY.rs1);
        emitTarget(body);
        goTo(w, labels);
        return;
      }
      stepNear(w);
      emitHeat(body, ENTRY.rs1);
      break;
    case "jump-register":
      body.leaf("rs1", I64);
      body.leaf("imm", I64);
      w.byte(OP.i64_add);
      w.i64Const(-2);
      w.byte(OP.i64_and);
      wrapAddress(w, options);
      w.localSet(PC);
      if (operation.hasLink) emitLink(body);
      countArrival(body, ENTRY.rs2);
      w.localGet(PC);
      w.i64Const(-(PAGE_MASK + 1));
      w.byte(OP.i64_and);
      w.withLocal(PAGE, OP.i64_ne);
      w.op(OP.br_if, labels.jump);
      emitEntryOf(w, NEXT);
      tellArrivals(body);
      break;
    case "guarded":
      emitGuarded(body, operation.meaning, labels);
      return;
  }
  w.op(OP.br, labels.next);
}

/** An expression's value in a local, for as long as this instruction is written. */
function hold(body: Body, value: Expression): number {
  emitExpression(body, value);
  const local = body.borrow(value.type);
  body.w.localSet(local);
  return local;
}

function emitGuarded(body: Body, { shared = [], guard, result, writes = [], transfer }: Guarded, labels: Labels): void {
  const { w, options } = body;
  const bound = emitShared(body, shared);
  if (guard !== undefined) {
    emitExpression(body, guard, bound);
    w.byte(OP.i32_eqz);
    w.op(OP.br_if, labels.cold);
  }
  const held = writes.map(([name, value]) => ({ ...stateCell(name), local: hold(body, value) }));
  if (transfer !== undefined) {
    emitExpression(body, transfer.target);
    w.localSet(PC);
    const mode = hold(body, transfer.mode);
    writeCell(w, options, OP.i32_store, CELL.mode, () => w.localGet(mode));
    writeCell(w, options, OP.i32_store, CELL.tlb, () => {
      // The sets of caches are in the order of the modes; the odd one out, with MPRV, is the cold path's.
      w.localGet(mode);
      w.withConst(TLB.bytes, OP.i32_mul);
      readCell(w, options, OP.i32_load, CELL.caches);
      w.byte(OP.i32_add);
      w.localTee(TLB_BASE);
    });
    writeCell(w, options, OP.i64_store, CELL.reservation, () => w.i64Const(NO_RESERVATION));
  }
  if (result !== undefined) {
    registerAddress(w, ENTRY.rd);
    emitExpression(body, result.value, bound);
    w.memory(OP.i64_store, RAM, options.stateOffset + (result.file === "f" ? CELL.f : CELL.x));
    // rd may be x0 where something else is written as well.
    if (held.length > 0) writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
  }
  for (const { cell, isWord, local } of held) writeCell(w, options, isWord ? OP.i32_store : OP.i64_store, cell, () => w.localGet(local));
  w.op(OP.br, transfer === undefined ? labels.next : labels.jump);
}

/** Counts in the entry at hand, in a field that its instruction does not use; ARRIVALS becomes 256 now and then. */
function countArrival({ w, options }: Body, field: number): void {
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

/** The count has eight bits, so the ninth of what is stored tells that it went round. */
const COUNT_END = 0x100;

/** Tells of NEXT, to which control goes, if it is time. */
function tellArrivals({ w, options }: Body): void {
  w.localGet(ARRIVALS);
  open(w, OP.if);
  writeCell(w, options, OP.i64_store, CELL.pc, () => emitPc(w, NEXT));
  w.localGet(NEXT);
  w.localGet(ARRIVALS);
  w.call(DOORS.indexOf("hot"));
  w.byte(OP.drop);
  w.i32Const(0);
  w.localSet(ARRIVALS);
  w.byte(OP.end);
}

function emitHeat(body: Body, field: number): void {
  countArrival(body, field);
  tellArrivals(body);
}

/** The region's cache answers for PC: SLOT is its place there, and what is left on the stack is 0 if it does. */
function emitRegionMiss(w: ByteWriter): void {
  emitRegionSlot(w, PC, TLB_BASE);
  w.localTee(SLOT);
  w.memory(OP.i64_load, RAM, REGION_CACHE.start + REGION_CACHE.tag);
  w.withLocal(PC, OP.i64_ne);
}

/**
 * Regions run, one after the other, as long as each leads to another. The instruction at hand is executed here if the first of them cannot
 * begin, or the last came back to it: something of it wants the interpreter, which must not go round in a circle.
 */
function emitRegion(body: Body, labels: Labels): void {
  const { w, options } = body;
  refund(w);
  emitPc(w, CUR);
  w.localSet(PC);
  open(w, OP.block); // under
  emitRegionMiss(w);
  w.op(OP.br_if, 0);
  open(w, OP.loop); // again
  w.localGet(BUDGET);
  w.i32Const(NESTED_CALLS);
  w.localGet(SLOT);
  w.memory(OP.i32_load, RAM, REGION_CACHE.start + REGION_CACHE.index);
  w.op(OP.call_indirect, TYPE_REGION);
  w.byte(0);
  w.localSet(BUDGET);
  w.localSet(PC);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);
  w.localGet(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(1, OP.i32_and);
  open(w, OP.if);
  w.localGet(PC);
  w.i64Const(-2);
  w.byte(OP.i64_and);
  w.localTee(PC);
  emitPc(w, CUR);
  w.byte(OP.i64_eq);
  // if, again, under.
  w.op(OP.br_if, 2);
  w.op(OP.br, labels.jump + 3);
  w.byte(OP.end);
  emitRegionMiss(w);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, 0);
  w.i32Const(1);
  w.localSet(ARRIVALS);
  w.op(OP.br, labels.jump + 2);
  w.byte(OP.end); // again
  w.byte(OP.unreachable);
  w.byte(OP.end); // under
  w.localGet(BUDGET);
  w.byte(OP.i32_eqz);
  open(w, OP.if);
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.localGet(PC));
  w.op(OP.br, labels.out + 1);
  w.byte(OP.end);
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.localGet(PC));
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_sub);
  w.localSet(BUDGET);
  emitRegionMiss(w);
  w.byte(OP.if);
  w.byte(I32);
  w.localGet(CUR);
  w.call(DOORS.indexOf("region"));
  w.byte(OP.else);
  w.localGet(SLOT);
  w.memory(OP.i32_load, RAM, REGION_CACHE.start + REGION_CACHE.under);
  w.byte(OP.end);
  w.localSet(OPERATION);
  w.op(OP.br, labels.dispatch);
}

/** rd is 0 if the reservation is of this address and memory still holds what was read; the reservation is gone in any case. */
function emitStoreConditional(body: Body, width: 4 | 8, labels: Labels): void {
  const { w, options } = body;
  emitTranslation(body, width, TLB.write, false, labels.cold);
  const failed = body.borrow(I64);
  w.i64Const(1);
  w.localSet(failed);
  readCell(w, options, OP.i64_load, CELL.reservation);
  w.withLocal(ADDRESS, OP.i64_eq);
  w.localGet(AT);
  w.memory(LOAD_OPCODES[width].unsigned, RAM, 0);
  readCell(w, options, width === 4 ? OP.i64_load32_u : OP.i64_load, CELL.reserved);
  w.byte(OP.i64_eq);
  w.byte(OP.i32_and);
  open(w, OP.if);
  w.localGet(AT);
  readRegister(w, options, ENTRY.rs2);
  w.memory(STORE_OPCODES[width], RAM, 0);
  emitDirty(body);
  w.i64Const(0);
  w.localSet(failed);
  w.byte(OP.end);
  writeCell(w, options, OP.i64_store, CELL.reservation, () => w.i64Const(NO_RESERVATION));
  registerAddress(w, ENTRY.rd);
  w.localGet(failed);
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
  writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
}

/** What was begun is no instruction. */
function refund(w: ByteWriter): void {
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_add);
  w.localSet(BUDGET);
}

/** The entry of PC in the page at hand. */
function emitEntryOf(w: ByteWriter, into: number): void {
  w.localGet(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(PAGE_MASK, OP.i32_and);
  w.withConst(ENTRY_SHIFT, OP.i32_shl);
  w.withLocal(PAGE_BASE, OP.i32_add);
  w.localSet(into);
}

/** Calls a door: budget out, call, budget in; leaves by `out` if it says so, or goes to `enter`. */
function emitDoor({ w, options }: Body, door: "cold" | "page", outLabel: number, enterLabel: number): void {
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  if (door === "cold") w.localGet(CUR);
  w.call(DOORS.indexOf(door));
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, outLabel);
  w.op(OP.br, enterLabel);
}

function open(w: ByteWriter, opcode: number): void {
  w.byte(opcode);
  w.byte(VOID);
}

function emitRun(body: Body): void {
  const { w, options } = body;
  const operations = operationsOf(options.width);
  const count = operations.length;
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);

  open(w, OP.block); // out
  open(w, OP.loop); // enter
  open(w, OP.block); // page
  readCell(w, options, OP.i64_load, CELL.pc);
  w.localTee(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(12, OP.i32_shr_u);
  w.withConst(TLB.codeEntries - 1, OP.i32_and);
  w.withConst(TLB.entryBytes, OP.i32_mul);
  w.withLocal(TLB_BASE, OP.i32_add);
  w.localTee(SLOT);
  w.memory(OP.i64_load, RAM, TLB.code + TLB.tag);
  w.localGet(PC);
  w.i64Const(-(PAGE_MASK + 1));
  w.byte(OP.i64_and);
  w.localTee(PAGE);
  w.byte(OP.i64_ne);
  w.op(OP.br_if, 0);
  w.localGet(SLOT);
  w.memory(OP.i32_load, RAM, TLB.code + TLB.addend);
  w.localSet(PAGE_BASE);
  emitEntryOf(w, NEXT);
  tellArrivals(body);

  open(w, OP.block); // jump
  open(w, OP.block); // cold
  open(w, OP.loop); // next
  w.localGet(BUDGET);
  w.byte(OP.i32_eqz);
  open(w, OP.if);
  writeCell(w, options, OP.i64_store, CELL.pc, () => {
    emitPc(w, NEXT);
    wrapAddress(w, options);
  });
  // if, next, cold, jump, page, enter, out.
  w.op(OP.br, 6);
  w.byte(OP.end);
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_sub);
  w.localSet(BUDGET);
  w.localGet(NEXT);
  w.localTee(CUR);
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.step);
  w.byte(OP.i32_add);
  w.localSet(NEXT);
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.operation);
  w.localSet(OPERATION);

  open(w, OP.loop); // dispatch
  for (let n = 0; n < count; n++) open(w, OP.block);
  w.localGet(OPERATION);
  w.byte(OP.br_table);
  w.u32(count - 1);
  for (let n = 0; n < count; n++) w.u32(n);
  operations.forEach((operation, index) => {
    w.byte(OP.end);
    const dispatch = count - 1 - index;
    emitOperation(body, operation, { dispatch, next: dispatch + 1, cold: dispatch + 2, jump: dispatch + 3, out: dispatch + 6 });
    body.giveBack();
  });
  w.byte(OP.end); // dispatch
  w.byte(OP.unreachable);
  w.byte(OP.end); // next
  w.byte(OP.unreachable);
  w.byte(OP.end); // cold
  writeCell(w, options, OP.i64_store, CELL.pc, () => emitPc(w, CUR));
  // jump, page, enter, out.
  emitDoor(body, "cold", 3, 2);
  w.byte(OP.end); // jump
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.localGet(PC));
  w.op(OP.br, 1);
  w.byte(OP.end); // page
  emitDoor(body, "page", 1, 0);
  w.byte(OP.end); // enter
  w.byte(OP.unreachable);
  w.byte(OP.end); // out
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  w.byte(OP.end);
}

/** The function of an address that has no region: what was called goes on in the dispatcher, where the caller has written it. */
function writeAbsent(options: InterpreterOptions): ByteWriter {
  const w = new ByteWriter(0x40);
  writeLocals(w, []);
  readCell(w, options, OP.i64_load, CELL.pc);
  w.localGet(0);
  w.byte(OP.end);
  return w;
}

function writeTypes(section: ByteWriter, types: readonly (readonly [params: readonly ValueType[], results: readonly ValueType[]])[]): void {
  section.u32(types.length);
  for (const [params, results] of types) {
    section.byte(0x60);
    for (const list of [params, results]) {
      section.u32(list.length);
      for (const type of list) section.byte(type);
    }
  }
}

const DOOR_TYPES: Readonly<Record<Door, number>> = {
  cold: TYPE_DOOR,
  page: TYPE_PAGE,
  decode: TYPE_DOOR,
  breakpoint: TYPE_DOOR,
  region: TYPE_DOOR,
  hot: TYPE_HOT,
};

/**
 * The interpreter as a module: exports `run`, which executes until the budget is spent or a door says stop, and `absent`, for all places
 * of the table of regions that have none.
 */
export function writeInterpreter(options: InterpreterOptions): Uint8Array<ArrayBuffer> {
  const code = new ByteWriter(0x8000);
  const body = createBody(code, options);
  emitRun(body);

  const w = new ByteWriter(code.length + 0x400);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => {
    writeTypes(section, [
      [[I32], [I32]],
      [[], [I32]],
      [[], []],
      [[I32, I32], [I32]],
      [
        [I32, I32],
        [I64, I32],
      ],
    ]);
  });
  writeSection(w, SECTION.import, (section) => {
    section.u32(DOORS.length + 2);
    for (const door of DOORS) {
      section.name(INTERPRETER_IMPORTS);
      section.name(door);
      section.byte(EXTERNAL.function);
      section.u32(DOOR_TYPES[door]);
    }
    section.name(INTERPRETER_IMPORTS);
    section.name("memory");
    section.byte(EXTERNAL.memory);
    section.byte(0);
    section.u32(1);
    section.name(INTERPRETER_IMPORTS);
    section.name("regions");
    section.byte(EXTERNAL.table);
    section.byte(FUNCREF);
    section.byte(0);
    section.u32(1);
  });
  writeSection(w, SECTION.function, (section) => {
    section.u32(2);
    section.u32(TYPE_RUN);
    section.u32(TYPE_REGION);
  });
  writeSection(w, SECTION.export, (section) => {
    section.u32(2);
    section.name("run");
    section.byte(EXTERNAL.function);
    section.u32(DOORS.length);
    section.name("absent");
    section.byte(EXTERNAL.function);
    section.u32(DOORS.length + 1);
  });
  writeSection(w, SECTION.code, (section) => {
    section.u32(2);
    const start = section.openSize();
    writeLocals(section, body.locals());
    section.append(code.view());
    section.closeSize(start);
    const absent = section.openSize();
    section.append(writeAbsent(options).view());
    section.closeSize(absent);
  });
  return w.view();
}

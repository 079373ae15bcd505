// What the interpreter does for one decoded entry (state.ts): the code of each operation, out of the description that everything else is
// generated from too. Most stand in the interpreter's one function (interpreter.ts); those that are long or seldom, without which that
// function is a third as long, become functions of their own, which are written when an entry first names them.

import {
  ADDRESS,
  ARRIVALS,
  AT,
  type Body,
  BUDGET,
  countArrival,
  countExit,
  createBody,
  CUR,
  emitHeat,
  emitPc,
  FIXED_LOCALS,
  FUNCTION,
  type InterpreterOptions,
  NEXT,
  open,
  OPERATION,
  PAGE,
  PAGE_BASE,
  PC,
  readRegister,
  registerAddress,
  SLOT,
  TABLE,
  tellArrivals,
  TLB_BASE,
  TYPE,
} from "./emit-body.ts";
import { ByteWriter, I32, I64, OP, VOID, writeLocals } from "../wasm/encoder.ts";
import { BOX, emitModeSwitch, FLOAT_STATE_DIRTY, LOAD_OPCODES, PAGE_MASK, RAM, readCell, STORE_OPCODES, wrapAddress, writeCell } from "./emit-memory.ts";
import { emitExpression, emitShared } from "./emit-expression.ts";
import { emitDevicePage, emitExtended, emitMirroredRead, emitMirrorEntry, emitMirrorTable } from "./emit-mirror.ts";
import { DEVICE_FORM, operationNumber, type Operation } from "./operations.ts";
import { BOTTOM, emitRegionSlot } from "./regions/emit-chain.ts";
import type { Expression } from "./semantics/expressions.ts";
import type { Guarded } from "./semantics/guarded.ts";
import { CELL, csrCell, ENTRY, ENTRY_SHIFT, NO_RESERVATION, REGION_CACHE, SLOT_INFO, stateCell, STORABLE_OFFSET, TLB } from "./state.ts";

/** RV32: a register's cell holds its 32 bits sign-extended, as RV64 holds a word. */
function extendWord(w: ByteWriter, { width }: InterpreterOptions): void {
  if (width === 32) w.byte(OP.i64_extend32_s);
}

/** rs1 + imm through a translation cache: AT becomes the offset in RAM, or control goes to the cold door. */
function emitTranslation(body: Body, width: number, table: number, hasOffset: boolean, coldLabel: number): void {
  const { w } = body;
  emitAddress(body, hasOffset);
  w.localGet(ADDRESS);
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

/** rs1 + imm in ADDRESS. */
function emitAddress(body: Body, hasOffset: boolean): void {
  const { w } = body;
  body.leaf("rs1", I64);
  if (hasOffset) {
    body.leaf("imm", I64);
    w.byte(OP.i64_add);
  }
  wrapAddress(w, body.options);
  w.localSet(ADDRESS);
}

/** What a store says about its page: it is dirty, and since it was in a write cache, regions may store there. */
function emitDirty({ w, options }: Body): void {
  for (const offset of [options.dirtyOffset, options.stateOffset + STORABLE_OFFSET]) {
    w.localGet(AT);
    w.withConst(12, OP.i32_shr_u);
    w.i32Const(1);
    w.memory(OP.i32_store8, RAM, offset);
  }
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
export function emitOperation(body: Body, operation: Operation, labels: Labels): void {
  const { w, options } = body;
  const registers = options.stateOffset + CELL.x;
  switch (operation.kind) {
    case "undecoded":
    case "asked":
      if (operation.kind === "undecoded") {
        w.localGet(PAGE_BASE);
        w.memory(OP.i32_load, RAM, SLOT_INFO.asks);
        w.byte(OP.i32_eqz);
        open(w, OP.if);
        w.localGet(CUR);
        w.localGet(PAGE_BASE);
        w.localGet(CUR);
        w.call(FUNCTION.decodeHere);
        w.byte(OP.drop);
        w.byte(OP.else);
      } else open(w, OP.block);
      w.localGet(CUR);
      w.call(FUNCTION.decode);
      w.byte(OP.drop);
      w.byte(OP.end);
      // The step beyond this entry was a guess.
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
      w.call(FUNCTION.breakpoint);
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
    case "device-load":
      emitDeviceLoad(body, labels);
      break;
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

/** From the device's mirror; what it does not have is the cold path's. */
function emitDeviceLoad(body: Body, labels: Labels): void {
  const { w, options } = body;
  const form = body.borrow(I32);
  const locals = { physical: body.borrow(I64), value: body.borrow(I64), entry: AT, record: body.borrow(I32) };
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.rs2);
  w.localTee(form);
  w.withConst(DEVICE_FORM.isThere, OP.i32_and);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, labels.cold);
  emitAddress(body, true);
  emitDevicePage(w, { address: ADDRESS, tlb: TLB_BASE, slot: SLOT, physical: locals.physical }, TLB.deviceRead, labels.cold);
  emitMirrorEntry(w, options, locals, () => emitMirrorTable(w, form), labels.cold);
  emitMirroredRead(w, options, locals, () => body.leaf("remaining", I64));
  registerAddress(w, ENTRY.rd);
  emitExtended(w, locals.value, form);
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
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
    countArrival(body, ENTRY.rd);
    emitExpression(body, transfer.target);
    w.localSet(PC);
    emitModeSwitch(w, options, { mode: hold(body, transfer.mode), tlb: TLB_BASE });
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

/** The region's cache answers for the pc: `slot` becomes its place there, and what is left on the stack is 0 if it does. */
function emitRegionMiss(w: ByteWriter, { pc, tlb, slot }: { readonly pc: number; readonly tlb: number; readonly slot: number }): void {
  emitRegionSlot(w, pc, tlb);
  w.localTee(slot);
  w.memory(OP.i64_load, RAM, REGION_CACHE.start + REGION_CACHE.tag);
  w.withLocal(pc, OP.i64_ne);
}

/**
 * Regions run, one after the other, as long as each leads to another. The instruction at hand is executed here if the first of them cannot
 * begin, or the last came back to it: something of it wants the interpreter, which must not go round in a circle.
 */
function emitRegion(body: Body, labels: Labels): void {
  const { w, options } = body;
  refund(w);
  emitPc(w, CUR);
  w.localGet(BUDGET);
  w.i32Const(operationNumber("region", options.width));
  w.op(OP.call_indirect, TYPE.enter);
  w.byte(TABLE.apart);
  w.localSet(BUDGET);
  w.localSet(PC);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);
  w.localGet(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(1, OP.i32_and);
  w.byte(OP.i32_eqz);
  open(w, OP.if);
  countExit(body);
  w.byte(OP.end);
  w.localGet(PC);
  w.i64Const(-2);
  w.byte(OP.i64_and);
  w.localTee(PC);
  emitPc(w, CUR);
  w.byte(OP.i64_ne);
  w.op(OP.br_if, labels.jump);
  w.i32Const(0);
  w.localSet(ARRIVALS);
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.localGet(PC));
  w.localGet(BUDGET);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, labels.out);
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_sub);
  w.localSet(BUDGET);
  emitRegionMiss(w, { pc: PC, tlb: TLB_BASE, slot: SLOT });
  w.byte(OP.if);
  w.byte(I32);
  w.localGet(CUR);
  w.call(FUNCTION.region);
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
export function emitEntryOf(w: ByteWriter, into: number): void {
  w.localGet(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(PAGE_MASK, OP.i32_and);
  w.withConst(ENTRY_SHIFT, OP.i32_shl);
  w.withLocal(PAGE_BASE, OP.i32_add);
  w.localSet(into);
}

/** Calls a door: budget out, call, budget in; leaves by `out` if it says so, or goes to `enter`. */
export function emitDoor({ w, options }: Body, door: "cold" | "page", outLabel: number, enterLabel: number): void {
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  if (door === "cold") w.localGet(CUR);
  w.call(FUNCTION[door]);
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, outLabel);
  w.op(OP.br, enterLabel);
}

/** What an operation apart takes, of the locals: CUR, NEXT, BUDGET. It returns 0 for the cold path. */
export const APART_PARAMETERS = FIXED_LOCALS.slice(0, BUDGET + 1);

const APART: ReadonlySet<Operation["kind"]> = new Set(["region", "device-load", "guarded", "atomic", "load-reserved", "store-conditional"]);

/**
 * Whether the operation has a function of its own. Those that change the mode have none, since they change the interpreter's locals. That of
 * "region" is the loop over regions, which V8 is to compile well even where it does not so the interpreter.
 */
export function isApart(operation: Operation): boolean {
  return APART.has(operation.kind) && !(operation.kind === "guarded" && operation.meaning.transfer !== undefined);
}

/** Regions, one after the other: (pc, budget) to (pc, budget). */
export function writeEnter(options: InterpreterOptions): ByteWriter {
  const [pc, budget, tlb, slot] = [0, 1, 2, 3];
  const w = new ByteWriter(0x100);
  writeLocals(w, [I32, I32]);
  open(w, OP.loop);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(tlb);
  emitRegionMiss(w, { pc, tlb, slot });
  open(w, OP.if);
  w.localGet(pc);
  w.localGet(budget);
  w.byte(OP.return);
  w.byte(OP.end);
  w.localGet(budget);
  w.i32Const(BOTTOM);
  w.localGet(pc);
  w.localGet(slot);
  w.memory(OP.i32_load, RAM, REGION_CACHE.start + REGION_CACHE.index);
  w.op(OP.call_indirect, TYPE.region);
  w.byte(TABLE.regions);
  w.localSet(budget);
  w.localTee(pc);
  w.byte(OP.i32_wrap_i64);
  w.withConst(1, OP.i32_and);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, 0);
  w.byte(OP.end);
  w.localGet(pc);
  w.localGet(budget);
  w.byte(OP.end);
  return w;
}

/** The function of another operation apart: locals and code. */
export function writeApart(options: InterpreterOptions, operation: Operation): ByteWriter {
  const code = new ByteWriter(0x400);
  const body = createBody(code, options);
  readCell(code, options, OP.i32_load, CELL.tlb);
  code.localSet(TLB_BASE);
  open(code, OP.block); // cold
  open(code, OP.block); // next
  const nowhere = Number.NaN;
  emitOperation(body, operation, { next: 0, cold: 1, jump: nowhere, out: nowhere, dispatch: nowhere });
  code.byte(OP.end);
  code.i32Const(1);
  code.byte(OP.return);
  code.byte(OP.end);
  code.i32Const(0);
  code.byte(OP.end);
  const w = new ByteWriter(code.length + 0x40);
  writeLocals(w, body.locals().slice(APART_PARAMETERS.length));
  w.append(code.view());
  return w;
}

// What the interpreter does for one decoded entry (state.ts): the code of each operation, out of the description that everything else is
// generated from too. Most stand in the interpreter's one function (interpreter.ts); those that are long or seldom, without which that
// function is a third as long, become functions of their own, which are written when an entry first names them. Accesses to memory are in
// emit-access.ts, the way into regions in emit-enter.ts.

import {
  type Body,
  BUDGET,
  countArrival,
  createBody,
  CUR,
  emitHeat,
  emitPc,
  FIXED_LOCALS,
  FUNCTION,
  type Labels,
  type InterpreterOptions,
  NEXT,
  open,
  OPERATION,
  PAGE,
  PAGE_BASE,
  PC,
  refund,
  registerAddress,
  tellArrivals,
  TLB_BASE,
} from "./emit-body.ts";
import { ByteWriter, I32, I64, OP, VOID, writeLocals } from "../wasm/encoder.ts";
import { emitModeSwitch, PAGE_MASK, RAM, readCell, wrapAddress, writeCell } from "./emit-memory.ts";
import { emitAtomic, emitDeviceLoad, emitLoad, emitLoadReserved, emitStore, emitStoreConditional } from "./emit-access.ts";
import { emitRegion } from "./emit-enter.ts";
import { emitExpression, emitShared } from "./emit-expression.ts";
import { type Operation } from "./operations.ts";
import type { Expression } from "./semantics/expressions.ts";
import type { Guarded } from "./semantics/guarded.ts";
import { CELL, ENTRY, ENTRY_SHIFT, NO_RESERVATION, SLOT_INFO, stateCell } from "./state.ts";

/** RV32: a register's cell holds its 32 bits sign-extended, as RV64 holds a word. */
function extendWord(w: ByteWriter, { width }: InterpreterOptions): void {
  if (width === 32) w.byte(OP.i64_extend32_s);
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
    case "load":
      emitLoad(body, operation.meaning, labels.cold);
      break;
    case "device-load":
      emitDeviceLoad(body, labels.cold);
      break;
    case "store":
      emitStore(body, operation.meaning, labels.cold);
      break;
    case "atomic":
      emitAtomic(body, operation.meaning, labels.cold);
      break;
    case "load-reserved":
      emitLoadReserved(body, operation.width, labels.cold);
      break;
    case "store-conditional":
      emitStoreConditional(body, operation.width, labels.cold);
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

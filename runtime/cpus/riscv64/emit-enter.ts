// How the interpreter goes over to regions and comes back: the operation of an entry whose code has become one, and the function that runs
// regions, one after the other, which V8 is to compile well even where it does not so the interpreter. What a region is: regions/.

import {
  ARRIVALS,
  type Body,
  BUDGET,
  countExit,
  CUR,
  emitPc,
  FUNCTION,
  type InterpreterOptions,
  type Labels,
  open,
  OPERATION,
  PC,
  refund,
  SLOT,
  TABLE,
  TLB_BASE,
  TYPE,
} from "./emit-body.ts";
import { ByteWriter, I32, OP, writeLocals } from "../wasm/encoder.ts";
import { RAM, readCell, writeCell } from "./emit-memory.ts";
import { operationNumber } from "./operations.ts";
import { BOTTOM, emitRegionMiss } from "./regions/emit-chain.ts";
import { CELL, REGION_CACHE } from "./state.ts";

/**
 * Regions run, one after the other, as long as each leads to another. The instruction at hand is executed here if the first of them cannot
 * begin, or the last came back to it: something of it wants the interpreter, which must not go round in a circle.
 */
export function emitRegion(body: Body, labels: Labels): void {
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

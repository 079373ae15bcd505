// The interpreter's own decoder: a function of its module that fills an entry by the table (decode-table.ts), so that code which runs for the
// first time costs no call. What an entry is beside what its bytes say (regions, stops, loads that meet devices) is the code cache's, which
// calls the same function. An operation apart is made ready before an entry names it.

import { ByteWriter, I32, OP, writeLocals, type ValueType } from "../wasm/encoder.ts";
import { FUNCTION, open, type InterpreterOptions } from "./emit-body.ts";
import { PAGE_MASK, RAM } from "./emit-memory.ts";
import { FIXED_NUMBER } from "./operations.ts";
import { DECODER, DECODER_OFFSET, ENTRY, ENTRY_SHIFT, ROW, ROW_KIND, SLOT_INFO } from "./state.ts";

// Parameters: the entry, the first one of its page, and the one that is written. Result: the operation.
const CUR = 0;
const BASE = 1;
const INTO = 2;
const OFFSET = 3;
const WORD = 4;
const ROW_AT = 5;
const RD = 6;
const RS1 = 7;
const RS2 = 8;
const IMM = 9;
const OPERATION = 10;
const SELECT = 11;
const AT = 12;
const COUNT = 13;
const LOCALS = [OFFSET, WORD, ROW_AT, RD, RS1, RS2, IMM, OPERATION, SELECT, AT, COUNT].map(() => I32 as ValueType);

const REGISTER_SHIFT = 3;
const WRITE = 1;
const DYNAMIC = 7;
const TOWARDS_ZERO = 1;

export function writeDecode({ stateOffset }: InterpreterOptions): ByteWriter {
  const table = stateOffset + DECODER_OFFSET;
  const w = new ByteWriter(0x400);
  writeLocals(w, LOCALS);

  /** If what is on the stack is not 0. */
  const when = (then: () => void, otherwise?: () => void): void => {
    open(w, OP.if);
    then();
    if (otherwise !== undefined) {
      w.byte(OP.else);
      otherwise();
    }
    w.byte(OP.end);
  };
  const is = (local: number, value: number): void => {
    w.localGet(local);
    w.withConst(value, OP.i32_eq);
  };
  const set = (local: number, value: number): void => {
    w.i32Const(value);
    w.localSet(local);
  };
  const ofRow = (field: number, opcode: number = OP.i32_load8_u): void => {
    w.localGet(ROW_AT);
    w.memory(opcode, RAM, table + field);
  };
  const pageOffset = (): void => {
    w.localGet(OFFSET);
    w.withConst(PAGE_MASK, OP.i32_and);
  };
  const isLong = (): void => {
    w.localGet(WORD);
    w.withConst(3, OP.i32_and);
    w.withConst(3, OP.i32_eq);
  };

  w.localGet(BASE);
  w.memory(OP.i32_load, RAM, SLOT_INFO.ramOffset);
  w.withLocals(CUR, BASE, OP.i32_sub);
  w.withConst(ENTRY_SHIFT, OP.i32_shr_u);
  w.byte(OP.i32_add);
  w.localTee(OFFSET);
  w.memory(OP.i32_load16_u, RAM, 0);
  w.localSet(WORD);

  // The row: in ROW_AT, from the table's begin.
  set(ROW_AT, DECODER.rows);
  open(w, OP.block); // cut
  isLong();
  when(
    () => {
      pageOffset();
      w.withConst(PAGE_MASK - 1, OP.i32_eq);
      // if, cut.
      w.op(OP.br_if, 1);
      w.localGet(OFFSET);
      w.memory(OP.i32_load, RAM, 0);
      w.localTee(WORD);
      w.withConst(0x7f, OP.i32_and);
      w.localSet(AT);
    },
    () => {
      w.localGet(WORD);
      w.withConst(11, OP.i32_shr_u);
      w.withConst(0x1c, OP.i32_and);
      w.localGet(WORD);
      w.withConst(3, OP.i32_and);
      w.byte(OP.i32_or);
      w.withConst(0x80, OP.i32_or);
      w.localSet(AT);
    },
  );
  w.localGet(AT);
  w.withConst(1, OP.i32_shl);
  w.memory(OP.i32_load16_u, RAM, table + DECODER.index);
  w.localSet(ROW_AT);
  open(w, OP.loop);
  w.localGet(WORD);
  ofRow(ROW.mask, OP.i32_load);
  w.byte(OP.i32_and);
  ofRow(ROW.match, OP.i32_load);
  w.byte(OP.i32_ne);
  open(w, OP.if);
  w.localGet(ROW_AT);
  w.withConst(ROW.bytes, OP.i32_add);
  w.localSet(ROW_AT);
  w.op(OP.br, 1);
  w.byte(OP.end);
  w.byte(OP.end);
  w.byte(OP.end); // cut

  [RD, RS1, RS2].forEach((local, index) => {
    const field = ROW.registers + index * 3;
    w.localGet(WORD);
    ofRow(field);
    w.byte(OP.i32_shr_u);
    ofRow(field + 1);
    w.byte(OP.i32_and);
    ofRow(field + 2);
    w.byte(OP.i32_add);
    w.localSet(local);
  });

  // The immediate, piece by piece. SELECT: the shift that extends its sign.
  set(IMM, 0);
  ofRow(ROW.immediate, OP.i32_load16_u);
  w.localTee(AT);
  w.memory(OP.i32_load8_u, RAM, table + 1);
  w.localSet(SELECT);
  w.localGet(AT);
  w.memory(OP.i32_load8_u, RAM, table);
  w.localSet(COUNT);
  open(w, OP.loop);
  w.localGet(COUNT);
  open(w, OP.if);
  w.localGet(WORD);
  w.localGet(AT);
  w.memory(OP.i32_load8_u, RAM, table + 2);
  w.byte(OP.i32_shr_u);
  w.i32Const(1);
  w.localGet(AT);
  w.memory(OP.i32_load8_u, RAM, table + 3);
  w.byte(OP.i32_shl);
  w.withConst(1, OP.i32_sub);
  w.byte(OP.i32_and);
  w.localGet(AT);
  w.memory(OP.i32_load8_u, RAM, table + 4);
  w.byte(OP.i32_shl);
  w.withLocal(IMM, OP.i32_or);
  w.localSet(IMM);
  w.localGet(AT);
  w.withConst(3, OP.i32_add);
  w.localSet(AT);
  w.localGet(COUNT);
  w.withConst(1, OP.i32_sub);
  w.localSet(COUNT);
  w.op(OP.br, 1);
  w.byte(OP.end);
  w.byte(OP.end);
  w.withLocals(IMM, SELECT, OP.i32_shl);
  w.withLocal(SELECT, OP.i32_shr_s);
  w.localSet(IMM);

  // Which of the row's operations.
  w.localGet(RD);
  w.byte(OP.i32_eqz);
  w.withConst(1, OP.i32_shl);
  w.localSet(SELECT);
  ofRow(ROW.kind);
  w.localSet(COUNT);
  is(COUNT, ROW_KIND.relative);
  when(() => {
    pageOffset();
    w.withLocal(IMM, OP.i32_add);
    w.withConst(PAGE_MASK, OP.i32_gt_u);
    when(
      () => {
        w.localGet(SELECT);
        w.withConst(1, OP.i32_or);
        w.localSet(SELECT);
      },
      () => {
        w.localGet(IMM);
        w.withConst(ENTRY_SHIFT, OP.i32_shl);
        w.localSet(IMM);
      },
    );
  });
  is(COUNT, ROW_KIND.rounding);
  when(() => {
    w.localGet(WORD);
    w.withConst(12, OP.i32_shr_u);
    w.withConst(7, OP.i32_and);
    w.localSet(AT);
    is(AT, TOWARDS_ZERO);
    when(() => {
      w.localGet(SELECT);
      w.withConst(1, OP.i32_or);
      w.localSet(SELECT);
      set(AT, 0);
    });
    is(AT, DYNAMIC);
    when(() => {
      w.localGet(IMM);
      w.withConst(DYNAMIC, OP.i32_or);
      w.localSet(IMM);
      set(AT, 0);
    });
    w.localGet(AT);
    when(() => set(ROW_AT, DECODER.rows));
  });
  w.withLocals(ROW_AT, SELECT, OP.i32_add);
  w.memory(OP.i32_load8_u, RAM, table + ROW.operations);
  w.localSet(OPERATION);

  // A control register: the row's operation is what is done to it. A set or clear of nothing is a read.
  is(COUNT, ROW_KIND.csr);
  when(() => {
    w.withLocals(RS1, IMM, OP.i32_or);
    w.byte(OP.i32_eqz);
    w.localGet(OPERATION);
    w.withConst(WRITE, OP.i32_ne);
    w.byte(OP.i32_and);
    when(() => set(OPERATION, 0));
    w.localGet(WORD);
    w.withConst(20, OP.i32_shr_u);
    w.localSet(COUNT);
    set(AT, DECODER.csrs);
    open(w, OP.block); // known
    // What is read into x0 is read for nothing, or illegal.
    w.withLocals(OPERATION, RD, OP.i32_or);
    open(w, OP.if);
    open(w, OP.loop);
    w.localGet(AT);
    w.memory(OP.i32_load16_u, RAM, table);
    w.localTee(SELECT);
    w.withLocal(COUNT, OP.i32_eq);
    open(w, OP.if);
    w.withLocals(AT, OPERATION, OP.i32_add);
    w.memory(OP.i32_load8_u, RAM, table + 2);
    w.localSet(OPERATION);
    // if, loop, if, known.
    w.op(OP.br, 3);
    w.byte(OP.end);
    w.localGet(AT);
    w.withConst(DECODER.csrBytes, OP.i32_add);
    w.localSet(AT);
    w.localGet(SELECT);
    w.withConst(DECODER.noCsr, OP.i32_ne);
    w.op(OP.br_if, 0);
    w.byte(OP.end);
    w.byte(OP.end);
    set(OPERATION, FIXED_NUMBER.cold);
    w.byte(OP.end); // known
  });

  is(OPERATION, FIXED_NUMBER.cold);
  is(OPERATION, FIXED_NUMBER.nothing);
  w.byte(OP.i32_or);
  when(() => {
    for (const local of [RD, RS1, RS2, IMM]) set(local, 0);
  });
  w.localGet(OPERATION);
  w.memory(OP.i32_load8_u, RAM, table + DECODER.ready);
  w.byte(OP.i32_eqz);
  when(() => {
    w.localGet(OPERATION);
    w.call(FUNCTION.prepare);
    w.byte(OP.drop);
  });

  w.localGet(INTO);
  w.localGet(OPERATION);
  for (const [local, field] of [
    [RD, ENTRY.rd],
    [RS1, ENTRY.rs1],
    [RS2, ENTRY.rs2],
  ] as const) {
    w.localGet(local);
    w.withConst(REGISTER_SHIFT + field * 8, OP.i32_shl);
    w.byte(OP.i32_or);
  }
  w.memory(OP.i32_store, RAM, ENTRY.operation);
  w.localGet(INTO);
  w.localGet(IMM);
  w.withConst(8, OP.i32_shl);
  isLong();
  w.withConst(1, OP.i32_shl);
  w.withConst(2, OP.i32_add);
  w.withConst(ENTRY_SHIFT, OP.i32_shl);
  w.byte(OP.i32_or);
  w.memory(OP.i32_store, RAM, ENTRY.step);
  w.localGet(OPERATION);
  w.byte(OP.end);
  return w;
}

// Loads, stores and atomics of the interpreter: an address goes through a translation cache to a place in RAM, or a device's mirror answers;
// whatever else an access may be is the cold path's (cold-path.ts). Each function's `coldLabel` is where that begins.

import { ADDRESS, AT, type Body, CUR, open, readRegister, registerAddress, SLOT, TLB_BASE } from "./emit-body.ts";
import { I32, I64, OP } from "../wasm/encoder.ts";
import { emitExpression } from "./emit-expression.ts";
import { BOX, FLOAT_STATE_DIRTY, LOAD_OPCODES, PAGE_MASK, RAM, readCell, STORE_OPCODES, wrapAddress, writeCell } from "./emit-memory.ts";
import { emitDevicePage, emitExtended, emitMirroredRead, emitMirrorEntry, emitMirrorTable } from "./emit-mirror.ts";
import { DEVICE_FORM, type Operation } from "./operations.ts";
import { CELL, csrCell, ENTRY, NO_RESERVATION, STORABLE_OFFSET, TLB } from "./state.ts";

/** rs1 + imm through a translation cache: AT becomes the offset in RAM, or control goes to the cold door. */
function emitTranslation(body: Body, width: number, table: number, hasOffset: boolean, coldLabel: number): void {
  const { w } = body;
  emitAddress(body, hasOffset);
  w.localGet(ADDRESS);
  w.byte(OP.i32_wrap_i64);
  w.localTee(AT);
  // The page number, what is above a megabyte folded in (`dataIndex` of access.ts).
  w.withConst(8, OP.i32_shr_u);
  w.localGet(AT);
  w.withConst(13, OP.i32_shr_u);
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

function requireFloatState({ w, options }: Body, coldLabel: number): void {
  readCell(w, options, OP.i32_load, csrCell("mstatus"));
  w.withConst(FLOAT_STATE_DIRTY, OP.i32_and);
  w.withConst(FLOAT_STATE_DIRTY, OP.i32_ne);
  w.op(OP.br_if, coldLabel);
}

type Meaning<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind; readonly meaning: unknown }>["meaning"];

export function emitLoad(body: Body, meaning: Meaning<"load">, coldLabel: number): void {
  const { w, options } = body;
  const { width, signed, isFloat = false } = meaning;
  if (isFloat) requireFloatState(body, coldLabel);
  emitTranslation(body, width, TLB.read, true, coldLabel);
  registerAddress(w, ENTRY.rd);
  w.localGet(AT);
  w.memory(LOAD_OPCODES[width][signed ? "signed" : "unsigned"], RAM, 0);
  if (isFloat && width === 4) {
    w.i64Const(BOX);
    w.byte(OP.i64_or);
  }
  w.memory(OP.i64_store, RAM, options.stateOffset + (isFloat ? CELL.f : CELL.x));
}

/** From the device's mirror; what it does not have is the cold path's. */
export function emitDeviceLoad(body: Body, coldLabel: number): void {
  const { w, options } = body;
  const form = body.borrow(I32);
  const locals = { physical: body.borrow(I64), value: body.borrow(I64), entry: AT, record: body.borrow(I32) };
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.rs2);
  w.localTee(form);
  w.withConst(DEVICE_FORM.isThere, OP.i32_and);
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, coldLabel);
  emitAddress(body, true);
  emitDevicePage(w, { address: ADDRESS, tlb: TLB_BASE, slot: SLOT, physical: locals.physical }, TLB.deviceRead, coldLabel);
  emitMirrorEntry(w, options, locals, () => emitMirrorTable(w, form), coldLabel);
  emitMirroredRead(w, options, locals, () => body.leaf("remaining", I64));
  registerAddress(w, ENTRY.rd);
  emitExtended(w, locals.value, form);
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
}

export function emitStore(body: Body, meaning: Meaning<"store">, coldLabel: number): void {
  const { w, options } = body;
  const { width, isFloat = false } = meaning;
  if (isFloat) requireFloatState(body, coldLabel);
  emitTranslation(body, width, TLB.write, true, coldLabel);
  w.localGet(AT);
  readRegister(w, options, ENTRY.rs2, isFloat ? CELL.f : CELL.x);
  w.memory(STORE_OPCODES[width], RAM, 0);
  emitDirty(body);
}

export function emitAtomic(body: Body, meaning: Meaning<"atomic">, coldLabel: number): void {
  const { w, options } = body;
  const { width, stored } = meaning;
  emitTranslation(body, width, TLB.write, false, coldLabel);
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
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
  // rd is often x0.
  writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
  emitDirty(body);
}

export function emitLoadReserved(body: Body, width: 4 | 8, coldLabel: number): void {
  const { w, options } = body;
  emitTranslation(body, width, TLB.read, false, coldLabel);
  registerAddress(w, ENTRY.rd);
  w.localGet(AT);
  w.memory(LOAD_OPCODES[width].signed, RAM, 0);
  w.memory(OP.i64_store, RAM, options.stateOffset + CELL.x);
  writeCell(w, options, OP.i64_store, CELL.reservation, () => w.localGet(ADDRESS));
  writeCell(w, options, OP.i64_store, CELL.reserved, () => {
    w.localGet(AT);
    w.memory(LOAD_OPCODES[width].unsigned, RAM, 0);
  });
  writeCell(w, options, OP.i64_store, CELL.x, () => w.i64Const(0));
}

/** rd is 0 if the reservation is of this address and memory still holds what was read; the reservation is gone in any case. */
export function emitStoreConditional(body: Body, width: 4 | 8, coldLabel: number): void {
  const { w, options } = body;
  emitTranslation(body, width, TLB.write, false, coldLabel);
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

// A read of a device by generated code: the value is looked up among those that device-mirror.ts keeps right, or, for the counter of time,
// worked out from the budget as `rdtime` is; and the access is noted in the machine's log, as the bus does it.

import { ACCESS_LOG } from "../../machine/access-log.ts";
import { I64, OP, type ByteWriter } from "../wasm/encoder.ts";
import { PAGE_MASK, RAM, readCell, type MemoryLayout } from "./emit-memory.ts";
import { DEVICE_FORM } from "./operations.ts";
import { CELL, MIRROR, mirrorTable, TLB } from "./state.ts";

export interface MirrorLocals {
  /** i64: the physical address. */
  readonly physical: number;
  /** i64: what was read, with zeros above its width. */
  readonly value: number;
  /** i32, for what is found on the way. */
  readonly entry: number;
  readonly record: number;
}

interface DevicePageLocals {
  readonly address: number;
  readonly tlb: number;
  /** i32, for what is found on the way. */
  readonly slot: number;
  readonly physical: number;
}

/** The physical address of the virtual one in `address`, by one of the caches of devices' pages; or control goes to the label. */
export function emitDevicePage(w: ByteWriter, { address, tlb, slot, physical }: DevicePageLocals, cache: number, missLabel: number): void {
  w.localGet(address);
  w.byte(OP.i32_wrap_i64);
  w.localTee(slot);
  w.withConst(12, OP.i32_shr_u);
  for (const shift of [20, 25]) {
    w.localGet(slot);
    w.withConst(shift, OP.i32_shr_u);
    w.byte(OP.i32_xor);
  }
  w.withConst(TLB.deviceEntries - 1, OP.i32_and);
  w.withConst(TLB.entryBytes, OP.i32_mul);
  w.withLocal(tlb, OP.i32_add);
  w.localTee(slot);
  w.memory(OP.i64_load, RAM, cache + TLB.tag);
  w.localGet(address);
  w.i64Const(-(PAGE_MASK + 1));
  w.byte(OP.i64_and);
  w.byte(OP.i64_ne);
  w.op(OP.br_if, missLabel);
  w.localGet(slot);
  w.memory(OP.i64_load32_u, RAM, cache + TLB.addend);
  w.i64Const(12);
  w.byte(OP.i64_shl);
  w.localGet(address);
  w.i64Const(PAGE_MASK);
  w.byte(OP.i64_and);
  w.byte(OP.i64_or);
  w.localSet(physical);
}

/** Where the entries begin for a load of the `DEVICE_FORM` in the local. */
export function emitMirrorTable(w: ByteWriter, form: number): void {
  w.localGet(form);
  w.withConst(DEVICE_FORM.power, OP.i32_and);
  w.withConst((MIRROR.perWidth * MIRROR.entryBytes) >>> DEVICE_FORM.powerShift, OP.i32_mul);
  w.withConst(mirrorTable(0), OP.i32_add);
}

/** The value as a load of the `DEVICE_FORM` in the local leaves it in a register. */
export function emitExtended(w: ByteWriter, value: number, form: number): void {
  // 64 less the bits of the width.
  const distance = (): void => {
    w.i64Const(64);
    w.i64Const(8);
    w.localGet(form);
    w.withConst(DEVICE_FORM.power, OP.i32_and);
    w.withConst(DEVICE_FORM.powerShift, OP.i32_shr_u);
    w.byte(OP.i64_extend_i32_u);
    w.byte(OP.i64_shl);
    w.byte(OP.i64_sub);
  };
  w.localGet(form);
  w.withConst(DEVICE_FORM.isSigned, OP.i32_and);
  w.byte(OP.if);
  w.byte(I64);
  w.localGet(value);
  distance();
  w.byte(OP.i64_shl);
  distance();
  w.byte(OP.i64_shr_s);
  w.byte(OP.else);
  w.localGet(value);
  w.byte(OP.end);
}

/** `table` leaves where the entries of the access's width begin. Control goes to the label if the register is not among them. */
export function emitMirrorEntry(w: ByteWriter, layout: MemoryLayout, { physical, entry }: MirrorLocals, table: () => void, missLabel: number): void {
  w.localGet(physical);
  w.byte(OP.i32_wrap_i64);
  w.localTee(entry);
  w.localGet(entry);
  w.withConst(2, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.localGet(entry);
  w.withConst(12, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst(MIRROR.perWidth - 1, OP.i32_and);
  w.withConst(MIRROR.entryBytes, OP.i32_mul);
  table();
  w.byte(OP.i32_add);
  w.localTee(entry);
  w.memory(OP.i64_load, RAM, layout.stateOffset + MIRROR.address);
  w.withLocal(physical, OP.i64_ne);
  w.op(OP.br_if, missLabel);
}

/** Guest time at which the instruction began whose share and what follows it are left of the budget: `remaining`, i64. */
function emitNow(w: ByteWriter, layout: MemoryLayout, remaining: () => void): void {
  readCell(w, layout, OP.i64_load, CELL.timeEnd);
  remaining();
  w.byte(OP.i64_sub);
}

/** The read as a whole: `value`, and a record. */
export function emitMirroredRead(w: ByteWriter, layout: MemoryLayout, { physical, value, entry, record }: MirrorLocals, remaining: () => void): void {
  const field = (at: number): number => layout.stateOffset + at;
  const log = (at: number): number => layout.logOffset + at;

  w.localGet(entry);
  w.i32Const(1);
  w.memory(OP.i32_store, RAM, field(MIRROR.isUsed));
  w.localGet(entry);
  w.memory(OP.i64_load, RAM, field(MIRROR.value));
  w.localGet(entry);
  w.memory(OP.i32_load, RAM, field(MIRROR.shift));
  w.i32Const(0);
  w.byte(OP.i32_ge_s);
  w.byte(OP.if);
  // What is on the stack is a mask then.
  w.byte(I64);
  emitNow(w, layout, remaining);
  readCell(w, layout, OP.i64_load, CELL.countLength);
  w.byte(OP.i64_div_u);
  readCell(w, layout, OP.i64_load, CELL.timeOffset);
  w.byte(OP.i64_add);
  w.localGet(entry);
  w.memory(OP.i64_load32_u, RAM, field(MIRROR.shift));
  w.byte(OP.i64_shr_u);
  w.byte(OP.else);
  w.i64Const(-1);
  w.byte(OP.end);
  w.byte(OP.i64_and);
  w.localSet(value);

  w.i32Const(0);
  w.memory(OP.i32_load, RAM, log(ACCESS_LOG.count));
  w.withConst(ACCESS_LOG.size - 1, OP.i32_and);
  w.withConst(ACCESS_LOG.recordBytes, OP.i32_mul);
  w.localSet(record);
  w.i32Const(0);
  w.i32Const(0);
  w.memory(OP.i64_load, RAM, log(ACCESS_LOG.count));
  w.i64Const(1);
  w.byte(OP.i64_add);
  w.memory(OP.i64_store, RAM, log(ACCESS_LOG.count));
  const store = (opcode: number, at: number, what: () => void): void => {
    w.localGet(record);
    what();
    w.memory(opcode, RAM, log(ACCESS_LOG.records + at));
  };
  store(OP.f64_store, ACCESS_LOG.time, () => {
    emitNow(w, layout, remaining);
    w.byte(OP.f64_convert_i64_s);
  });
  store(OP.i64_store, ACCESS_LOG.address, () => w.localGet(physical));
  store(OP.i64_store, ACCESS_LOG.value, () => w.localGet(value));
  store(OP.i64_store, ACCESS_LOG.offset, () => {
    w.localGet(entry);
    w.memory(OP.i64_load, RAM, field(MIRROR.offset));
  });
  store(OP.i32_store, ACCESS_LOG.what, () => {
    w.localGet(entry);
    w.memory(OP.i32_load, RAM, field(MIRROR.what));
  });
}

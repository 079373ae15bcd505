// Support functions that move and fill blocks of memory: the whole work in WebAssembly where both ranges are in RAM and may be written, dirty
// pages and fuel included. What is left, traps and devices among it, is the executor's.

import { RAM_MEMORY } from "./translate-context.ts";
import { addressType, callImport, pushCell, pushWide, storeCell, storeFuel, type SupportFunction } from "./translate-support-cells.ts";
import { BULK_MEMORY_COPY, BULK_MEMORY_FILL, I32, I64, OP, VOID } from "../wasm/encoder.ts";
import type { ByteWriter } from "../wasm/encoder.ts";
import { CELL } from "./wasm-state.ts";

/** Fuel below this is handed to the executor: many long copies without a poll point between them could make it wrap. */
const FUEL_LOW = -0x10_0000;

/** Pushes whether `length` bytes at RAM distance `distance` end at or before `size`; both locals i64. */
function pushFits(w: ByteWriter, distance: number, length: number, size: number): void {
  w.localGet(distance);
  w.i64Const(size);
  w.byte(OP.i64_le_u);
  w.localGet(length);
  w.i64Const(size);
  w.localGet(distance);
  w.byte(OP.i64_sub);
  w.byte(OP.i64_le_u);
  w.byte(OP.i32_and);
}

/**
 * sp, fuel, to, from or byte, length, pc -> fuel. The whole work when both ranges are where they may be; the executor decides about
 * all else, an empty range included.
 */
export function bulk(name: "mem_copy" | "mem_fill"): SupportFunction {
  const copies = name === "mem_copy";
  const LENGTH = 6;
  const TO = 7;
  const FROM = 8;
  return {
    name,
    params: [I32, I32, "A", copies ? "A" : I32, "A", I32],
    results: [I32],
    locals: [I64, I64, I64],
    write(w, context) {
      const { ramBase, ramSize, dirtyOffset } = context.options;
      const { writableStart, writableEnd } = context;
      pushWide(w, context, 4);
      w.localSet(LENGTH);
      pushWide(w, context, 2);
      w.i64Const(Number(ramBase) + writableStart);
      w.byte(OP.i64_sub);
      w.localSet(TO);
      if (copies) {
        pushWide(w, context, 3);
        w.i64Const(ramBase);
        w.byte(OP.i64_sub);
        w.localSet(FROM);
      }
      pushFits(w, TO, LENGTH, writableEnd - writableStart);
      if (copies) {
        pushFits(w, FROM, LENGTH, ramSize);
        w.byte(OP.i32_and);
      }
      w.localGet(LENGTH);
      w.i64Const(0);
      w.byte(OP.i64_ne);
      w.byte(OP.i32_and);
      w.byte(OP.if);
      w.byte(VOID);
      {
        w.localGet(TO);
        w.i64Const(writableStart);
        w.byte(OP.i64_add);
        w.localTee(TO);
        w.byte(OP.i32_wrap_i64);
        if (copies) {
          w.localGet(FROM);
          w.byte(OP.i32_wrap_i64);
        } else {
          w.localGet(3);
        }
        w.localGet(LENGTH);
        w.byte(OP.i32_wrap_i64);
        w.byte(OP.bulk);
        w.u32(copies ? BULK_MEMORY_COPY : BULK_MEMORY_FILL);
        w.byte(RAM_MEMORY);
        if (copies) w.byte(RAM_MEMORY);

        const pushPage = (last: boolean): void => {
          w.localGet(TO);
          if (last) {
            w.localGet(LENGTH);
            w.byte(OP.i64_add);
            w.i64Const(1);
            w.byte(OP.i64_sub);
          }
          w.i64Const(12);
          w.byte(OP.i64_shr_u);
          w.byte(OP.i32_wrap_i64);
        };
        pushPage(false);
        w.i32Const(dirtyOffset);
        w.byte(OP.i32_add);
        w.i32Const(1);
        pushPage(true);
        pushPage(false);
        w.byte(OP.i32_sub);
        w.i32Const(1);
        w.byte(OP.i32_add);
        w.byte(OP.bulk);
        w.u32(BULK_MEMORY_FILL);
        w.byte(RAM_MEMORY);

        w.localGet(1);
        w.localGet(LENGTH);
        w.i64Const(7);
        w.byte(OP.i64_add);
        w.i64Const(3);
        w.byte(OP.i64_shr_u);
        w.byte(OP.i32_wrap_i64);
        w.byte(OP.i32_sub);
        w.localTee(1);
        w.i32Const(FUEL_LOW);
        w.byte(OP.i32_ge_s);
        w.byte(OP.if);
        w.byte(VOID);
        w.localGet(1);
        w.byte(OP.return);
        w.byte(OP.end);
        storeFuel(w, 1);
        callImport(w, "renew_fuel");
      }
      w.byte(OP.else);
      {
        storeFuel(w, 1);
        storeCell(w, CELL.address, 2, addressType(context));
        if (copies) storeCell(w, CELL.value, 3, addressType(context));
        storeCell(w, CELL.extra, 4, addressType(context));
        callImport(w, name, ...(copies ? [0, 5] : [0, 5, 3]));
      }
      w.byte(OP.end);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  };
}

// High halves of 64-bit products, which WebAssembly has no instruction for.

import type { SupportFunction } from "./translate-support-cells.ts";
import { I64, OP } from "../wasm/encoder.ts";

/** High half of a 64-bit product by four 32-bit ones (Hacker's Delight 2nd ed., section 8-2). */
export const multiplyHighUnsigned: SupportFunction = {
  name: "mulh_u64",
  params: [I64, I64],
  results: [I64],
  locals: [I64, I64, I64],
  write(w) {
    const LOW = 0xffff_ffffn;
    const pushHalf = (local: number, high: boolean): void => {
      w.localGet(local);
      w.i64Const(high ? 32 : LOW);
      w.byte(high ? OP.i64_shr_u : OP.i64_and);
    };
    const pushShifted = (local: number): void => {
      w.localGet(local);
      w.i64Const(32);
      w.byte(OP.i64_shr_u);
    };
    // t = high(a) * low(b) + (low(a) * low(b) >> 32)
    pushHalf(0, false);
    pushHalf(1, false);
    w.byte(OP.i64_mul);
    w.localSet(2);
    pushHalf(0, true);
    pushHalf(1, false);
    w.byte(OP.i64_mul);
    pushShifted(2);
    w.byte(OP.i64_add);
    w.localSet(3);
    // u = low(a) * high(b) + low(t)
    pushHalf(0, false);
    pushHalf(1, true);
    w.byte(OP.i64_mul);
    w.localGet(3);
    w.i64Const(LOW);
    w.byte(OP.i64_and);
    w.byte(OP.i64_add);
    w.localSet(4);
    // high(a) * high(b) + (t >> 32) + (u >> 32)
    pushHalf(0, true);
    pushHalf(1, true);
    w.byte(OP.i64_mul);
    pushShifted(3);
    w.byte(OP.i64_add);
    pushShifted(4);
    w.byte(OP.i64_add);
  },
};

/** The signed high half is the unsigned one, whose function is given, less each operand where the other is negative. */
export const multiplyHighSigned = (unsigned: () => number): SupportFunction => ({
  name: "mulh_s64",
  params: [I64, I64],
  results: [I64],
  write(w) {
    w.localGet(0);
    w.localGet(1);
    w.call(unsigned());
    for (const [sign, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      w.localGet(sign);
      w.i64Const(63);
      w.byte(OP.i64_shr_s);
      w.localGet(other);
      w.byte(OP.i64_and);
      w.byte(OP.i64_sub);
    }
  },
});

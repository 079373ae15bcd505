// Operations on vectors by the width of their lanes: which one of WebAssembly's does in all lanes what an instruction does in a register, how so many
// bytes are loaded and stored, and what joins lanes. A width that has none is undefined; the plan (translate-vectors.ts) does not ask for it.

import type { Bytes, Operation, Reduction } from "./translate-vectors.ts";
import { OP, VECTOR } from "../wasm/encoder.ts";

/** An operation for each width of lanes, in bytes. */
export type Row = { readonly [lane in Bytes]: number | undefined };

function row(one: number | undefined, two: number, four: number, eight: number): Row {
  return { 1: one, 2: two, 4: four, 8: eight };
}

const every = (op: number): Row => row(op, op, op, op);

/** What one instruction does in all lanes. */
export const OPERATIONS = {
  add: row(VECTOR.i8x16_add, VECTOR.i16x8_add, VECTOR.i32x4_add, VECTOR.i64x2_add),
  sub: row(VECTOR.i8x16_sub, VECTOR.i16x8_sub, VECTOR.i32x4_sub, VECTOR.i64x2_sub),
  mul: row(undefined, VECTOR.i16x8_mul, VECTOR.i32x4_mul, VECTOR.i64x2_mul),
  and: every(VECTOR.v128_and),
  or: every(VECTOR.v128_or),
  xor: every(VECTOR.v128_xor),
  not: every(VECTOR.v128_not),
  neg: row(VECTOR.i8x16_neg, VECTOR.i16x8_neg, VECTOR.i32x4_neg, VECTOR.i64x2_neg),
  shl: row(VECTOR.i8x16_shl, VECTOR.i16x8_shl, VECTOR.i32x4_shl, VECTOR.i64x2_shl),
  shr_u: row(VECTOR.i8x16_shr_u, VECTOR.i16x8_shr_u, VECTOR.i32x4_shr_u, VECTOR.i64x2_shr_u),
  shr_s: row(VECTOR.i8x16_shr_s, VECTOR.i16x8_shr_s, VECTOR.i32x4_shr_s, VECTOR.i64x2_shr_s),
} as const satisfies { readonly [op in Operation]?: Row };
/** One number in all lanes, and the number in the first. */
export const SPLAT = row(VECTOR.i8x16_splat, VECTOR.i16x8_splat, VECTOR.i32x4_splat, VECTOR.i64x2_splat);
export const FIRST_LANE = row(VECTOR.i8x16_extract_lane_u, VECTOR.i16x8_extract_lane_u, VECTOR.i32x4_extract_lane, VECTOR.i64x2_extract_lane);
/** Loads of one number into all lanes, and into one. */
export const LOAD_SPLAT = row(VECTOR.v128_load8_splat, VECTOR.v128_load16_splat, VECTOR.v128_load32_splat, VECTOR.v128_load64_splat);
export const LOAD_LANE = row(VECTOR.v128_load8_lane, VECTOR.v128_load16_lane, VECTOR.v128_load32_lane, VECTOR.v128_load64_lane);
/** Loads for lanes of twice the width. */
export const LOAD_EXTENDED: Row = { 1: VECTOR.v128_load8x8_u, 2: VECTOR.v128_load16x4_u, 4: VECTOR.v128_load32x2_u, 8: undefined };
/** Loads and stores of so many bytes in all. */
export const LOAD_ALL: { readonly [bytes: number]: number } = {
  2: VECTOR.v128_load16_splat,
  4: VECTOR.v128_load32_zero,
  8: VECTOR.v128_load64_zero,
  16: VECTOR.v128_load,
};
export const STORE_ALL: { readonly [bytes: number]: number } = {
  2: VECTOR.v128_store16_lane,
  4: VECTOR.v128_store32_lane,
  8: VECTOR.v128_store64_lane,
  16: VECTOR.v128_store,
};
/** From lanes of this width to such of twice the width, the first half of them. */
export const EXTEND: { readonly [lane in 1 | 2 | 4]: number } = {
  1: VECTOR.i16x8_extend_low_i8x16_u,
  2: VECTOR.i32x4_extend_low_i16x8_u,
  4: VECTOR.i64x2_extend_low_i32x4_u,
};
/** What folds lanes into a register of 32 or 64 bits. */
export const SCALAR: { readonly [op in Reduction["op"]]: readonly [number, number] } = {
  add: [OP.i32_add, OP.i64_add],
  and: [OP.i32_and, OP.i64_and],
  or: [OP.i32_or, OP.i64_or],
  xor: [OP.i32_xor, OP.i64_xor],
};

// What stands in front of the two versions of a planned loop (loop-plans.ts): for how many turns no access needs a check. The count becomes
// a budget at which the version is left again, so that the loop's head compares the budget once, as it does without a plan.

import { I32, OP, type ByteWriter } from "../../wasm/encoder.ts";
import { PAGE_MASK, RAM, type MemoryLayout } from "../emit-memory.ts";
import { STORABLE, STORABLE_OFFSET } from "../state.ts";
import { BUDGET, emitRegister, emitSum, emitTranslatedAddress, type BareRam, type Places } from "./emit-instruction.ts";
import type { LoopPlan, Stream } from "./loop-plans.ts";

/** Fewer turns are not worth finding out; so many are made with all checks before it is tried again. */
const LEAST_TURNS = 4;
const CHECKED_TURNS = 16;
const MOST_TURNS = 4096;
/** Of a base that moves by a register, so that 32 bits hold all distances. */
const MOST_STEP = 1 << 20;
const PAGE_SHIFT = 12;
/** Of the eight pages about which one load from the map of storable pages tells. */
const WINDOW_SHIFT = PAGE_SHIFT + 3;
/** More than the most turns can move a base. */
const LEAST_RAM = 1 << 24;
const ALL_STORABLE = 0x0101_0101_0101_0101n;

export interface LoopCheck {
  readonly w: ByteWriter;
  readonly options: MemoryLayout;
  readonly places: Places;
  /** Undefined: addresses lead through pages, and one of each base is known in locals. */
  readonly ram: BareRam | undefined;
  readonly plan: LoopPlan;
  /** The budget at which the version that runs is left. */
  readonly stop: number;
  /** For how many turns it is not asked again, and one more. */
  readonly checked: number;
  /** What the budget has to cover at the head. */
  readonly checkpoint: number;
}

/** RAM that 31 bits address, in whole windows. */
export const mayPlan = (ram: BareRam | undefined): boolean =>
  ram === undefined || (ram.size >= LEAST_RAM && ram.size < 0x8000_0000 && ram.size % (1 << WINDOW_SHIFT) === 0);

/** Goes to the label around it (depth 0) if the version without checks may not run; otherwise `stop` says how long it may. */
export function emitLoopCheck(check: LoopCheck): void {
  const { w, places, ram, plan, stop, checked, checkpoint } = check;
  const reads = plan.streams.filter((stream) => ram !== undefined && isPlainRead(stream));
  const others = plan.streams.filter((stream) => !reads.includes(stream));
  w.i32Const(CHECKED_TURNS);
  w.localSet(checked);
  for (const stream of reads) if (ram !== undefined) emitReadCheck(check, ram, stream);
  w.localGet(BUDGET);
  if (others.length === 0) w.i32Const((MOST_TURNS - 1) * plan.leastTurn);
  else {
    const turns = places.take(I32);
    w.i32Const(MOST_TURNS);
    w.localSet(turns);
    for (const stream of others) emitStreamCheck(check, stream, turns);
    if (others.every(({ step }) => step.kind !== "register")) {
      // If it is too few, then because the page ends: on to the next, and no further.
      w.localGet(turns);
      w.localSet(checked);
    }
    refuseIf(w, () => {
      w.localGet(turns);
      w.withConst(LEAST_TURNS, OP.i32_lt_s);
    });
    w.localGet(turns);
    w.withConst(1, OP.i32_sub);
    w.withConst(plan.leastTurn, OP.i32_mul);
  }
  w.byte(OP.i32_sub);
  setStop(w, stop, checkpoint);
  if (ram !== undefined) for (const stream of others) if (stream.isWrite) emitDirtied(check, ram, stream);
}

/** The page to which the stream leads is one that may be stored to; the first turn will. */
function emitDirtied({ w, options, places }: LoopCheck, ram: BareRam, { base, low }: Stream): void {
  emitSum(w, options, places, base, BigInt(low) - ram.base);
  w.byte(OP.i32_wrap_i64);
  w.withConst(PAGE_SHIFT, OP.i32_shr_u);
  w.localSet(places.at);
  for (const map of [options.dirtyOffset, options.stateOffset + STORABLE_OFFSET]) {
    w.localGet(places.at);
    w.i32Const(STORABLE.yes);
    w.memory(OP.i32_store8, RAM, map);
  }
}

/** Of the version with all checks. */
export function emitCheckedTurns({ w, plan, stop, checked, checkpoint }: LoopCheck): void {
  w.localGet(BUDGET);
  w.localGet(checked);
  w.withConst(plan.leastTurn, OP.i32_mul);
  w.byte(OP.i32_sub);
  setStop(w, stop, checkpoint);
}

/** The greater of what is on the stack and what the head needs. */
function setStop(w: ByteWriter, stop: number, checkpoint: number): void {
  w.localTee(stop);
  w.i32Const(checkpoint);
  w.localGet(stop);
  w.withConst(checkpoint, OP.i32_gt_s);
  w.byte(OP.select);
  w.localSet(stop);
}

function refuseIf(w: ByteWriter, condition: () => void): void {
  condition();
  w.op(OP.br_if, 0);
}

/** RAM is large: nearly always it does not end within the most turns. */
const isPlainRead = ({ isWrite, step }: Stream): boolean => !isWrite && step.kind !== "register";

function emitReadCheck({ w, options, places }: LoopCheck, ram: BareRam, { base, low, high, step }: Stream): void {
  refuseIf(w, () => {
    emitSum(w, options, places, base, BigInt(low) - ram.base);
    w.i64Const(ram.size - (high - low) - (step.kind === "constant" ? step.by * MOST_TURNS : 0));
    w.byte(OP.i64_gt_u);
  });
}

/** `turns` becomes what this stream allows, if that is less. */
function emitStreamCheck(check: LoopCheck, stream: Stream, turns: number): void {
  const { w, places, ram } = check;
  if (ram === undefined) emitPageRoom(check, stream);
  else emitRoom(check, ram, stream);
  w.localTee(places.slot);
  w.withConst(0, OP.i32_lt_s);
  w.op(OP.br_if, 0);
  emitTurns(check, stream, turns);
}

/** Leaves on the stack how many bytes the base may move in the page to which it leads. */
function emitPageRoom({ w, options, places }: LoopCheck, { base, isWrite, low, high, width }: Stream): void {
  const exitIf = (condition: () => void, depth: number): void => {
    condition();
    w.op(OP.br_if, depth);
  };
  emitTranslatedAddress({ w, places, options, exitIf }, base, low, width, isWrite ? "write" : "read");
  w.byte(OP.drop);
  w.i32Const((1 << PAGE_SHIFT) - (high - low));
  w.localGet(places.address);
  w.byte(OP.i32_wrap_i64);
  w.withConst(PAGE_MASK, OP.i32_and);
  w.byte(OP.i32_sub);
}

/** Leaves on the stack how many bytes the base may move in RAM, or in pages that may be stored to. */
function emitRoom({ w, options, places }: LoopCheck, ram: BareRam, { base, isWrite, low, high, width }: Stream): void {
  const span = high - low;
  emitSum(w, options, places, base, BigInt(low) - ram.base);
  w.localSet(places.address);
  refuseIf(w, () => {
    w.localGet(places.address);
    w.i64Const(ram.size - span);
    w.byte(OP.i64_gt_u);
  });
  w.localGet(places.address);
  w.byte(OP.i32_wrap_i64);
  w.localSet(places.at);
  if (isWrite) {
    if (width > 1) refuseIf(w, () => emitMisaligned(w, places.at, width));
    emitStorableEnd(w, options, places);
  } else w.i32Const(ram.size);
  w.localGet(places.at);
  w.byte(OP.i32_sub);
  w.withConst(span, OP.i32_sub);
}

/** `turns` becomes what the room in `places.slot` allows, if that is less. */
function emitTurns({ w, options, places }: LoopCheck, { width, step }: Stream, turns: number): void {
  if (step.kind === "none") return;
  if (step.kind === "register") {
    // 1 to MOST_STEP, as a 64-bit number.
    emitRegister(w, options, places, step.register);
    w.localTee(places.address);
    w.i64Const(1);
    w.byte(OP.i64_sub);
    w.i64Const(MOST_STEP);
    w.byte(OP.i64_ge_u);
    w.op(OP.br_if, 0);
    w.localGet(places.address);
    w.byte(OP.i32_wrap_i64);
    w.localSet(places.at);
    if (width > 1) refuseIf(w, () => emitMisaligned(w, places.at, width));
    w.localGet(places.slot);
    w.withLocal(places.at, OP.i32_div_u);
  } else {
    w.localGet(places.slot);
    w.withConst(step.by, OP.i32_div_u);
  }
  w.localSet(places.slot);
  w.localGet(places.slot);
  w.localGet(turns);
  w.localGet(places.slot);
  w.withLocal(turns, OP.i32_lt_s);
  w.byte(OP.select);
  w.localSet(turns);
}

function emitMisaligned(w: ByteWriter, local: number, width: number): void {
  w.localGet(local);
  w.withConst(width - 1, OP.i32_and);
}

/** Leaves the offset behind the window or page around `places.at` on the stack, or refuses where it may not be stored to. */
function emitStorableEnd(w: ByteWriter, { stateOffset }: MemoryLayout, { at }: Places): void {
  w.localGet(at);
  w.withConst(WINDOW_SHIFT, OP.i32_shr_u);
  w.withConst(3, OP.i32_shl);
  w.memory(OP.i64_load, RAM, stateOffset + STORABLE_OFFSET);
  w.i64Const(ALL_STORABLE);
  w.byte(OP.i64_eq);
  w.byte(OP.if);
  w.byte(I32);
  emitEnd(w, at, WINDOW_SHIFT);
  w.byte(OP.else);
  w.localGet(at);
  w.withConst(PAGE_SHIFT, OP.i32_shr_u);
  w.memory(OP.i32_load8_u, RAM, stateOffset + STORABLE_OFFSET);
  // STORABLE.no
  w.byte(OP.i32_eqz);
  w.op(OP.br_if, 1);
  emitEnd(w, at, PAGE_SHIFT);
  w.byte(OP.end);
}

function emitEnd(w: ByteWriter, local: number, shift: number): void {
  w.localGet(local);
  w.withConst(shift, OP.i32_shr_u);
  w.withConst(1, OP.i32_add);
  w.withConst(shift, OP.i32_shl);
}

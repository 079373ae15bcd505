// Loads, stores, atomics, bulk memory and ports of guest bytecode as wasm. RAM is wasm memory 0 from offset 0, so an access is a
// subtraction, one unsigned comparison and the wasm access; whatever fails the comparison (devices, faults, read-only data,
// misaligned stores) leaves through a support function. Stores rotate the offset right by log2(width) before comparing: a
// misaligned one then compares as huge, and one dirty byte per store is enough because an aligned store never spans two pages.
// An address that is known (symbols, frames, constants) is decided here and costs no comparison.

import { RMW_OPERATIONS } from "../../../isa/bytecode/instructions.ts";
import type { Instruction } from "../../../isa/bytecode/module.ts";
import { numberImmediate, pushConstant, bitsOf, swapBytes } from "./translate-arithmetic.ts";
import type { Emit } from "./translate-arithmetic.ts";
import { RAM_MEMORY, close, getRegister, instructionPc, openElse, openIf, pushFuel, pushSp, setRegister, takeFuel } from "./translate-context.ts";
import type { FunctionWriter } from "./translate-context.ts";
import { formOf, placeOf, validOrigin, within } from "./translate-facts.ts";
import { pointerAt } from "./translate-loops.ts";
import { isMarkedBefore, noteAccess } from "./translate-rounds.ts";
import { I32, I64, OP, VOID } from "../wasm/encoder.ts";
import type { ValueType } from "../wasm/encoder.ts";
import { ACCESS_KIND, ATOMIC_CAS, accessWord } from "./wasm-state.ts";
import type { AccessKind } from "./wasm-state.ts";

type Bytes = 1 | 2 | 4 | 8;

const LOAD: { readonly [width in Bytes]: number } = { 1: OP.i32_load8_u, 2: OP.i32_load16_u, 4: OP.i32_load, 8: OP.i64_load };
const STORE: { readonly [width in Bytes]: number } = { 1: OP.i32_store8, 2: OP.i32_store16, 4: OP.i32_store, 8: OP.i64_store };
const LOG2: { readonly [width in Bytes]: number } = { 1: 0, 2: 1, 4: 2, 8: 3 };

/** Where an access goes, as far as it is known now. `first` and `last` are the RAM offsets between which it starts. */
type Place =
  | { readonly kind: "ram"; readonly offset: number }
  | { readonly kind: "ram-range"; readonly first: number; readonly last: number }
  | { readonly kind: "frame"; readonly offset: number }
  | { readonly kind: "frame-range"; readonly first: 0 }
  | { readonly kind: "outside" }
  | { readonly kind: "unknown" };

interface Access {
  readonly address: number | undefined;
  readonly displacement: number;
  readonly width: Bytes;
  readonly kind: AccessKind;
  readonly store: boolean;
}

function widthOf(f: FunctionWriter, i: Instruction): Bytes {
  const bits = bitsOf(f, i.type);
  return bits === 8 ? 1 : bits === 16 ? 2 : bits === 32 ? 4 : 8;
}

function locate(f: FunctionWriter, access: Access): Place {
  const { ramSize } = f.context.options;
  const { ramBase, writableStart, writableEnd } = f.context;
  const { width } = access;
  const bits = f.context.bits.addr;
  const known = placeOf(f, access.address);
  if (known === undefined) return { kind: "unknown" };
  const isAligned = access.displacement % width === 0 && known.align % width === 0;
  if (known.base === "frame") {
    const inside = within(known, -access.displacement, f.fn.frameSize - width - access.displacement, bits);
    // Frames start at multiples of 16.
    const aligned = inside?.low === inside?.high ? ((inside?.low ?? 1) + access.displacement) % width === 0 : isAligned;
    if (inside === undefined || !aligned) return { kind: "unknown" };
    return inside.low === inside.high ? { kind: "frame", offset: inside.low + access.displacement } : { kind: "frame-range", first: 0 };
  }
  // As numbers from RAM's start; an address that is no number from RAM's start stays one beyond it.
  const start = known.base === "ram" ? 0 : ramBase;
  const inRam = within(known, start - access.displacement, start + ramSize - width - access.displacement, bits);
  if (inRam === undefined) return known.low === known.high ? { kind: "outside" } : { kind: "unknown" };
  const first = inRam.low + access.displacement - start;
  const last = inRam.high + access.displacement - start;
  const isWritable = first >= writableStart && last + width <= writableEnd;
  const mustAlign = access.store || access.kind !== ACCESS_KIND.plain;
  if (first === last) return (mustAlign && first % width !== 0) || (access.store && !isWritable) ? { kind: "outside" } : { kind: "ram", offset: first };
  return (mustAlign && (!isAligned || start % width !== 0)) || (access.store && !isWritable) ? { kind: "unknown" } : { kind: "ram-range", first, last };
}

/** Where an access goes; a round that is being written takes note of it. */
function locateInRound(f: FunctionWriter, access: Access): Place {
  const place = locate(f, access);
  if (f.loops.round === undefined || access.kind !== ACCESS_KIND.plain || place.kind === "outside" || place.kind === "unknown") return place;
  const range = place.kind === "ram" ? { first: place.offset, last: place.offset } : place.kind === "ram-range" ? place : undefined;
  noteAccess(f, f.loops.round, access.address, access.displacement - f.context.ramBase, access.width, range);
  return place;
}

/**
 * Pushes an index of RAM for an access that is known to start there from `first` on, and gives what is to be added to it. Where the address
 * was made by adding a constant to a register, or is what a loop's pointer follows, that is what is pushed: the constant costs nothing in
 * the wasm access.
 */
function pushIndex(f: FunctionWriter, access: Access, first: number): number {
  const { w } = f;
  const form = f.loops.open === undefined ? undefined : formOf(f, access.address);
  const pointer = form === undefined ? undefined : pointerAt(f.loops, f.inlined, f.at, form);
  const origin = validOrigin(f, access.address);
  const plus = pointer !== undefined ? (form?.plus ?? 0) : (origin?.plus ?? 0);
  if (pointer !== undefined) w.localGet(pointer.local);
  else {
    getRegister(f, origin?.register ?? access.address);
    if (f.context.wideAddress) w.byte(OP.i32_wrap_i64);
  }
  const offset = (plus + access.displacement - f.context.ramBase) >>> 0;
  // The index must be what its low half says: not below zero.
  if (offset <= first) return offset;
  w.withConst(offset, OP.i32_add);
  return 0;
}

/** Pushes an address register plus a constant, in the address type. */
function pushAddress(f: FunctionWriter, register: number | undefined, by: number): void {
  getRegister(f, register);
  if (by === 0) return;
  if (f.context.wideAddress) {
    f.w.i64Const(by);
    f.w.byte(OP.i64_add);
  } else {
    f.w.withConst(by, OP.i32_add);
  }
}

/**
 * Pushes whether the access is one that may be made directly, and leaves its distance from `start` in the i32 temporary
 * (valid only in the direct arm). `start` and `end` are RAM offsets, 8-byte aligned.
 */
function pushDirect(f: FunctionWriter, access: Access, start: number, end: number, rotated: boolean): void {
  const w = f.w;
  pushAddress(f, access.address, access.displacement - f.context.ramBase - start);
  if (f.context.wideAddress) {
    w.localTee(f.temp64);
    // The upper half may be anything here: the comparison decides before the temporary is used.
    w.byte(OP.i32_wrap_i64);
    w.localSet(f.temp32);
    w.localGet(f.temp64);
    if (rotated && access.width > 1) {
      w.i64Const(LOG2[access.width]);
      w.byte(OP.i64_rotr);
      w.i64Const((end - start) / access.width);
      w.byte(OP.i64_lt_u);
    } else {
      w.i64Const(end - start - access.width);
      w.byte(OP.i64_le_u);
    }
    return;
  }
  w.localTee(f.temp32);
  if (rotated && access.width > 1) {
    w.withConst(LOG2[access.width], OP.i32_rotr);
    w.withConst((end - start) / access.width, OP.i32_lt_u);
  } else {
    w.withConst(end - start - access.width, OP.i32_le_u);
  }
}

function bigEndian(f: FunctionWriter): boolean {
  return f.context.module.layout.endian === "big";
}

/** The wasm load itself: the RAM offset less `offset` is on the stack. */
function loadRam(f: FunctionWriter, width: Bytes, offset: number): void {
  f.w.memory(LOAD[width], RAM_MEMORY, offset);
  if (bigEndian(f)) swapBytes(f, bitsFor(width));
}

function bitsFor(width: Bytes): 8 | 16 | 32 | 64 {
  return width === 1 ? 8 : width === 2 ? 16 : width === 4 ? 32 : 64;
}

/** The wasm store itself, with the value on the stack above the offset. */
function storeRam(f: FunctionWriter, width: Bytes, offset: number): void {
  if (bigEndian(f)) swapBytes(f, bitsFor(width));
  f.w.memory(STORE[width], RAM_MEMORY, offset);
}

/** Marks the page of the RAM offset that is `start` plus the i32 temporary. */
function markDirty(f: FunctionWriter, start: number): void {
  const w = f.w;
  const { dirtyOffset } = f.context.options;
  const wholePages = start % 4096 === 0;
  w.localGet(f.temp32);
  if (!wholePages) w.withConst(start, OP.i32_add);
  w.withConst(12, OP.i32_shr_u);
  w.i32Const(1);
  w.memory(OP.i32_store8, RAM_MEMORY, dirtyOffset + (wholePages ? start / 4096 : 0));
}

/** Marks a page that is known. */
function markPage(f: FunctionWriter, page: number): void {
  f.w.i32Const(0);
  f.w.i32Const(1);
  f.w.memory(OP.i32_store8, RAM_MEMORY, f.context.options.dirtyOffset + page);
}

/** Pushes what every slow access passes: sp, fuel, address, pc, access word. */
function pushSlow(f: FunctionWriter, access: Access): void {
  pushSp(f);
  pushFuel(f);
  pushAddress(f, access.address, access.displacement);
  f.w.i32Const(instructionPc(f));
  f.w.i32Const(accessWord(access.width, access.kind));
}

function resultValue(width: Bytes): ValueType {
  return width === 8 ? I64 : I32;
}

function slowLoad(f: FunctionWriter, access: Access): void {
  pushSlow(f, access);
  f.w.call(f.context.support(access.width === 8 ? "load64" : "load32"));
  takeFuel(f);
}

function load(kind: AccessKind): Emit {
  return (f, i) => {
    const w = f.w;
    const width = widthOf(f, i);
    const displacement = i.imm.length > 0 ? numberImmediate(f, i, 0) : 0;
    const access: Access = { address: i.src[0], displacement, width, kind, store: false };
    const place = locateInRound(f, access);
    switch (place.kind) {
      case "ram":
        w.i32Const(0);
        loadRam(f, width, place.offset);
        break;
      case "frame":
        pushSp(f);
        loadRam(f, width, place.offset);
        break;
      case "ram-range":
      case "frame-range":
        loadRam(f, width, pushIndex(f, access, place.first));
        break;
      case "outside":
        slowLoad(f, access);
        break;
      case "unknown":
        pushDirect(f, access, 0, f.context.options.ramSize, kind !== ACCESS_KIND.plain);
        openIf(f, resultValue(width), true);
        w.localGet(f.temp32);
        loadRam(f, width, 0);
        openElse(f);
        slowLoad(f, access);
        close(f);
        break;
    }
    setRegister(f, i.dst[0]);
  };
}

function slowStore(f: FunctionWriter, access: Access, value: number | undefined): void {
  pushSlow(f, access);
  getRegister(f, value);
  f.w.call(f.context.support(access.width === 8 ? "store64" : "store32"));
  takeFuel(f);
}

function store(kind: AccessKind): Emit {
  return (f, i) => {
    const w = f.w;
    const width = widthOf(f, i);
    const displacement = i.imm.length > 0 ? numberImmediate(f, i, 0) : 0;
    const access: Access = { address: i.src[0], displacement, width, kind, store: true };
    const value = i.src[1];
    const { writableStart, writableEnd, options } = f.context;
    const place = locateInRound(f, access);
    switch (place.kind) {
      case "ram":
        w.i32Const(0);
        getRegister(f, value);
        storeRam(f, width, place.offset);
        markPage(f, Math.floor(place.offset / 4096));
        break;
      case "ram-range":
      case "frame-range": {
        const isMarked = isMarkedBefore(f, access.address, displacement - f.context.ramBase);
        const offset = pushIndex(f, access, place.first);
        if (!isMarked) w.localTee(f.temp32);
        getRegister(f, value);
        storeRam(f, width, offset);
        if (isMarked) break;
        if (place.kind === "ram-range" && place.first >> 12 === place.last >> 12) markPage(f, place.first >> 12);
        else markDirty(f, offset);
        break;
      }
      case "frame":
        pushSp(f);
        getRegister(f, value);
        storeRam(f, width, place.offset);
        pushSp(f);
        w.i32Const(place.offset);
        w.byte(OP.i32_add);
        w.i32Const(12);
        w.byte(OP.i32_shr_u);
        w.i32Const(1);
        w.memory(OP.i32_store8, RAM_MEMORY, options.dirtyOffset);
        break;
      case "outside":
        slowStore(f, access, value);
        break;
      case "unknown":
        pushDirect(f, access, writableStart, writableEnd, true);
        openIf(f, VOID, true);
        w.localGet(f.temp32);
        getRegister(f, value);
        storeRam(f, width, writableStart);
        markDirty(f, writableStart);
        openElse(f);
        slowStore(f, access, value);
        close(f);
        break;
    }
  };
}

const RMW32 = [OP.i32_add, OP.i32_sub, OP.i32_and, OP.i32_or, OP.i32_xor, null] as const;
const RMW64 = [OP.i64_add, OP.i64_sub, OP.i64_and, OP.i64_or, OP.i64_xor, null] as const;

function slowAtomic(f: FunctionWriter, access: Access, operation: number, value: number | undefined, extra: number | undefined): void {
  pushSlow(f, access);
  f.w.i32Const(operation);
  getRegister(f, value);
  if (extra === undefined) pushConstant(f, access.width === 8 ? 64 : 32, 0);
  else getRegister(f, extra);
  f.w.call(f.context.support(access.width === 8 ? "atomic64" : "atomic32"));
  takeFuel(f);
}

/** One CPU runs translated code, so a read-modify-write is atomic by being one instruction. */
const readModifyWrite: Emit = (f, i) => {
  const w = f.w;
  const width = widthOf(f, i);
  const access: Access = { address: i.src[0], displacement: 0, width, kind: ACCESS_KIND.atomic, store: true };
  const operation = numberImmediate(f, i, 0);
  if (operation >= RMW_OPERATIONS.length) throw new Error(`function ${f.fn.name}, instruction ${f.at}: no such operation`);
  const op = (width === 8 ? RMW64 : RMW32)[operation] ?? null;
  const { writableStart, writableEnd } = f.context;
  pushDirect(f, access, writableStart, writableEnd, true);
  openIf(f, resultValue(width), true);
  // The old value stays on the wasm stack below the store, because the result may be one of the operands.
  w.localGet(f.temp32);
  loadRam(f, width, writableStart);
  w.localGet(f.temp32);
  if (op !== null) {
    w.localGet(f.temp32);
    loadRam(f, width, writableStart);
  }
  getRegister(f, i.src[1]);
  if (op !== null) {
    w.byte(op);
    if (width === 2) {
      // The byte swap of a big-endian store takes a clean half-word.
      w.i32Const(0xffff);
      w.byte(OP.i32_and);
    }
  }
  storeRam(f, width, writableStart);
  markDirty(f, writableStart);
  openElse(f);
  slowAtomic(f, access, operation, i.src[1], undefined);
  close(f);
  setRegister(f, i.dst[0]);
};

const compareAndSwap: Emit = (f, i) => {
  const w = f.w;
  const width = widthOf(f, i);
  const access: Access = { address: i.src[0], displacement: 0, width, kind: ACCESS_KIND.atomic, store: true };
  const { writableStart, writableEnd } = f.context;
  pushDirect(f, access, writableStart, writableEnd, true);
  openIf(f, resultValue(width), true);
  w.localGet(f.temp32);
  loadRam(f, width, writableStart);
  w.localGet(f.temp32);
  loadRam(f, width, writableStart);
  getRegister(f, i.src[1]);
  w.byte(width === 8 ? OP.i64_eq : OP.i32_eq);
  openIf(f, VOID);
  w.localGet(f.temp32);
  getRegister(f, i.src[2]);
  storeRam(f, width, writableStart);
  markDirty(f, writableStart);
  close(f);
  openElse(f);
  slowAtomic(f, access, ATOMIC_CAS, i.src[1], i.src[2]);
  close(f);
  setRegister(f, i.dst[0]);
};

const bulk =
  (support: "mem_copy" | "mem_fill"): Emit =>
  (f, i) => {
    pushSp(f);
    pushFuel(f);
    for (const register of i.src) getRegister(f, register);
    f.w.i32Const(instructionPc(f));
    f.w.call(f.context.support(support));
    takeFuel(f);
  };

const portIn: Emit = (f, i) => {
  pushSp(f);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  getRegister(f, i.src[0]);
  f.w.i32Const(widthOf(f, i));
  f.w.call(f.context.support("port_in"));
  takeFuel(f);
  setRegister(f, i.dst[0]);
};

const portOut: Emit = (f, i) => {
  pushSp(f);
  pushFuel(f);
  f.w.i32Const(instructionPc(f));
  getRegister(f, i.src[0]);
  f.w.i32Const(widthOf(f, i));
  getRegister(f, i.src[1]);
  f.w.call(f.context.support("port_out"));
  takeFuel(f);
};

export const MEMORY: { readonly [op: string]: Emit } = {
  load: load(ACCESS_KIND.plain),
  load_volatile: load(ACCESS_KIND.volatile),
  atomic_load: load(ACCESS_KIND.atomic),
  store: store(ACCESS_KIND.plain),
  store_volatile: store(ACCESS_KIND.volatile),
  atomic_store: store(ACCESS_KIND.atomic),
  atomic_rmw: readModifyWrite,
  atomic_cas: compareAndSwap,
  mem_copy: bulk("mem_copy"),
  mem_fill: bulk("mem_fill"),
  port_in: portIn,
  port_out: portOut,
};

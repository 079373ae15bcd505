// Third step of translation, one instruction: registers are locals, addresses are checked against the page that the same base register
// led to last, and what does not fit there, leaves the region before it has done anything. The meaning of instructions comes from the
// descriptions that the interpreter is made of.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import { I32, I64, OP, VOID, type ByteWriter, type ValueType } from "../../wasm/encoder.ts";
import { emitExpression, emitShared, type Emitter } from "../emit-expression.ts";
import { BOX, FLOAT_STATE_DIRTY, LOAD_OPCODES, PAGE_MASK, RAM, readCell, STORE_OPCODES, writeCell, type MemoryLayout } from "../emit-memory.ts";
import { emitDevicePage, emitMirroredRead, emitMirrorEntry } from "../emit-mirror.ts";
import type { Mode } from "../hart.ts";
import type { Expression, Leaf } from "../semantics/expressions.ts";
import type { Guarded } from "../semantics/guarded.ts";
import { CELL, csrCell, isStateName, mirrorTable, NO_RESERVATION, stateCell, STORABLE, STORABLE_OFFSET, TLB, type StateName } from "../state.ts";
import type { AccessGroup } from "./access-groups.ts";
import type { RegisterSet } from "./flow.ts";
import type { Stream } from "./loop-plans.ts";
import type { RegionInstruction } from "./graph.ts";

/** The parameters of a region's function come first: the budget, how many calls may still be nested, and its pc, later that of the place to go to. */
export const BUDGET = 0;
export const DEPTH = 1;
export const PC = 2;
const PARAMETERS = 3;

/** Where the function keeps things. Locals are taken as they are asked for. */
export interface Places {
  readonly types: () => readonly ValueType[];
  readonly take: (type: ValueType) => number;
  /** Of the registers' width. */
  readonly register: (register: number) => number;
  /** The page that accesses by this base register have reached last: its tag, and what leads from its addresses to RAM. */
  readonly page: (base: number, access: "read" | "write") => { readonly tag: number; readonly addend: number };
  readonly group: (group: AccessGroup) => number;
  readonly forEachTag: (visit: (local: number) => void) => void;
  readonly tlb: number;
  readonly at: number;
  readonly slot: number;
  readonly address: number;
  readonly wanted: number;
  readonly pc: number;
}

export function createPlaces(width: RegisterWidth): Places {
  const types: ValueType[] = [];
  const take = (type: ValueType): number => {
    types.push(type);
    return PARAMETERS + types.length - 1;
  };
  const registers = new Map<number, number>();
  const groups = new Map<AccessGroup, number>();
  const pages = new Map<string, { readonly tag: number; readonly addend: number }>();
  return {
    types: () => types,
    take,
    register(register) {
      const known = registers.get(register) ?? take(width === 64 ? I64 : I32);
      registers.set(register, known);
      return known;
    },
    page(base, access) {
      const key = `${base}${access}`;
      const known = pages.get(key) ?? { tag: take(I64), addend: take(I32) };
      pages.set(key, known);
      return known;
    },
    group(group) {
      const known = groups.get(group) ?? take(I32);
      groups.set(group, known);
      return known;
    },
    forEachTag(visit) {
      for (const { tag } of pages.values()) visit(tag);
    },
    tlb: take(I32),
    at: take(I32),
    slot: take(I32),
    address: take(I64),
    wanted: take(I64),
    pc: PC,
  };
}

/** RAM for code whose addresses are physical. */
export interface BareRam {
  readonly base: bigint;
  readonly size: number;
}

export interface InstructionEmitter extends Emitter {
  readonly groups: ReadonlyMap<RegionInstruction, AccessGroup>;
  /** Accesses that need no check where this is written. */
  readonly streamOf: ReadonlyMap<RegionInstruction, Stream>;
  /** The local with the place in RAM of the group's lowest byte. */
  readonly groupPlace: (group: AccessGroup) => number;
  readonly bareRam: BareRam | undefined;
  readonly options: MemoryLayout;
  readonly places: Places;
  /** Guest address of the region's entry. */
  readonly pc: bigint;
  /** Leaves the region in front of the instruction if the condition, which the function writes, holds. `depth`: levels opened since. */
  readonly exitIf: (condition: () => void, depth: number) => void;
}

export interface Lender {
  readonly borrow: (type: ValueType) => number;
  readonly giveBack: () => void;
}

export function createLender(places: Places): Lender {
  const lent: { readonly type: ValueType; readonly local: number; isUsed: boolean }[] = [];
  return {
    borrow(type) {
      let free = lent.find((entry) => entry.type === type && !entry.isUsed);
      if (free === undefined) {
        free = { type, local: places.take(type), isUsed: false };
        lent.push(free);
      }
      free.isUsed = true;
      return free.local;
    },
    giveBack() {
      for (const entry of lent) entry.isUsed = false;
    },
  };
}

export function emitLeaf(
  w: ByteWriter,
  options: MemoryLayout,
  places: Places,
  { rs1, rs2, imm, at }: RegionInstruction,
  { pc: entry, refund }: { readonly pc: bigint; readonly refund: number },
  leaf: Leaf,
  type: ValueType,
): void {
  if (isStateName(leaf)) {
    const { cell, isWord } = stateCell(leaf);
    return readCell(w, options, isWord ? OP.i32_load : OP.i64_load, cell);
  }
  switch (leaf) {
    case "rs1":
      return emitRegister(w, options, places, rs1, type);
    case "rs2":
      return emitRegister(w, options, places, rs2, type);
    case "imm":
      return type === I32 ? w.i32Const(imm) : w.i64Const(imm);
    case "pc": {
      const pc = addressAt(options, entry, at);
      return type === I32 ? w.i32Const(Number(BigInt.asIntN(32, pc))) : w.i64Const(pc);
    }
    case "remaining":
      // The block has taken from the budget what it will execute.
      w.localGet(BUDGET);
      w.withConst(refund, OP.i32_add);
      return w.byte(OP.i64_extend_i32_u);
    case "fs1":
      return emitFloatRegister(w, options, rs1);
    case "fs2":
      return emitFloatRegister(w, options, rs2);
    case "fs3":
      return emitFloatRegister(w, options, (imm >> 3) & 31);
    case "old":
      throw new Error("only atomics have an old value");
  }
}

/** They stay in their cells. */
function emitFloatRegister(w: ByteWriter, options: MemoryLayout, register: number): void {
  w.i32Const(0);
  w.memory(OP.i64_load, RAM, options.stateOffset + CELL.f + 8 * register);
}

/** The address of what lies so far from the entry; RV32's have zeros above them. */
export const addressAt = ({ width }: MemoryLayout, entry: bigint, at: number): bigint => BigInt.asUintN(width, entry + BigInt(at));

/** A register as 64 bits (RV32: sign-extended, as its cell holds it), or its low half. */
export function emitRegister(w: ByteWriter, { width }: MemoryLayout, places: Places, register: number, type: ValueType = I64): void {
  if (register === 0) return type === I32 ? w.i32Const(0) : w.i64Const(0);
  w.localGet(places.register(register));
  if (width === 64 && type === I32) w.byte(OP.i32_wrap_i64);
  if (width === 32 && type === I64) w.byte(OP.i64_extend_i32_s);
}

/** Keeps the value on the stack as the register: all of it, or sign-extended from 32 bits. */
function setRegister(w: ByteWriter, { width }: MemoryLayout, places: Places, register: number, type: ValueType = I64): void {
  if (width === 64 && type === I32) w.byte(OP.i64_extend_i32_s);
  if (width === 32 && type === I64) w.byte(OP.i32_wrap_i64);
  w.localSet(places.register(register));
}

/** The address register + distance. */
export function emitSum(w: ByteWriter, layout: MemoryLayout, places: Places, register: number, distance: bigint): void {
  if (layout.width === 64) {
    emitRegister(w, layout, places, register);
    if (distance === 0n) return;
    w.i64Const(distance);
    return w.byte(OP.i64_add);
  }
  emitRegister(w, layout, places, register, I32);
  if (distance !== 0n) w.withConst(Number(BigInt.asIntN(32, distance)), OP.i32_add);
  w.byte(OP.i64_extend_i32_u);
}

export const registerCell = (options: MemoryLayout, register: number): number => options.stateOffset + CELL.x + 8 * register;

export function emitSave(w: ByteWriter, options: MemoryLayout, places: Places, set: RegisterSet): void {
  forEachRegister(set, (register) => {
    w.i32Const(0);
    emitRegister(w, options, places, register);
    w.memory(OP.i64_store, RAM, registerCell(options, register));
  });
}

export function emitLoad(w: ByteWriter, options: MemoryLayout, places: Places, set: RegisterSet): void {
  forEachRegister(set, (register) => {
    w.i32Const(0);
    w.memory(options.width === 64 ? OP.i64_load : OP.i32_load, RAM, registerCell(options, register));
    w.localSet(places.register(register));
  });
}

function forEachRegister(set: RegisterSet, visit: (register: number) => void): void {
  for (let register = 1; register < 32; register++) if ((set & (1 << register)) !== 0) visit(register);
}

/** The place in the cache of translations for the address on the stack, as the interpreter computes it. */
function emitTlbSlot(w: ByteWriter, places: Places): void {
  w.byte(OP.i32_wrap_i64);
  w.localTee(places.slot);
  w.withConst(8, OP.i32_shr_u);
  w.localGet(places.slot);
  w.withConst(13, OP.i32_shr_u);
  w.byte(OP.i32_xor);
  w.withConst((TLB.entries - 1) * TLB.entryBytes, OP.i32_and);
  w.withLocal(places.tlb, OP.i32_add);
  w.localSet(places.slot);
}

/**
 * The physical address of a load or store that was seen to meet a device, in `places.address`, if it has 32 bits and is none of RAM; or control
 * goes to the label. Where addresses are physical no cache has to be asked.
 */
export function emitDeviceAddress(e: InstructionEmitter, { operation, rs1, imm }: RegionInstruction, otherLabel: number): void {
  const { w, places, options, bareRam } = e;
  const { address } = places;
  emitSum(w, options, places, rs1, BigInt(imm));
  w.localSet(address);
  if (bareRam === undefined) emitDevicePage(w, { ...places, physical: address }, operation.kind === "store" ? TLB.deviceWrite : TLB.deviceRead, otherLabel);
  else {
    w.localGet(address);
    w.i64Const(bareRam.base);
    w.byte(OP.i64_sub);
    w.i64Const(bareRam.size);
    w.byte(OP.i64_lt_u);
    w.op(OP.br_if, otherLabel);
  }
  w.localGet(address);
  w.i64Const(0xffff_ffff);
  w.byte(OP.i64_gt_u);
  w.op(OP.br_if, otherLabel);
}

/** What a store to a device stores, as JavaScript has it; of 8 bytes nothing. */
export function emitDeviceData(e: InstructionEmitter, { operation, rs2 }: RegionInstruction): void {
  const { w, places, options } = e;
  if (operation.kind !== "store" || operation.meaning.width === 8) return w.i32Const(0);
  emitRegister(w, options, places, rs2, I32);
  if (operation.meaning.width < 4) w.withConst((1 << (8 * operation.meaning.width)) - 1, OP.i32_and);
}

/** Takes rd of a load from its cell, where TypeScript has written it by halves. */
export function emitTakeLoaded({ w, places, options }: InstructionEmitter, { operation, rd }: RegionInstruction): void {
  if (operation.kind !== "load") return;
  const { width, signed } = operation.meaning;
  w.i32Const(0);
  if (options.width === 32) w.memory(OP.i32_load, RAM, registerCell(options, rd));
  else w.memory(width === 8 ? OP.i64_load : signed ? OP.i64_load32_s : OP.i64_load32_u, RAM, registerCell(options, rd));
  w.localSet(places.register(rd));
}

/** A load at the physical address in `places.address`, from the device's mirror: the value in rd, or control goes to the label. */
export function emitMirroredLoad(e: InstructionEmitter, { operation, rd }: RegionInstruction, missLabel: number): void {
  if (operation.kind !== "load") throw new Error("not a load");
  const { w, places, options } = e;
  const { width, signed } = operation.meaning;
  const locals = { physical: places.address, value: places.wanted, entry: places.at, record: places.slot };
  const table = mirrorTable(Math.log2(width));
  emitMirrorEntry(w, e.options, locals, () => w.i32Const(table), missLabel);
  emitMirroredRead(w, e.options, locals, () => e.leaf("remaining", I64));
  w.localGet(locals.value);
  if (signed && width !== 8) w.byte(SIGN_EXTENSIONS[width]);
  setRegister(w, options, places, rd);
}

const SIGN_EXTENSIONS = { 1: OP.i64_extend8_s, 2: OP.i64_extend16_s, 4: OP.i64_extend32_s } as const;

/** Leaves the offset in RAM of rs1 (+ imm) on the stack. */
function emitAddress(e: InstructionEmitter, base: number, imm: number, width: number, access: Access): void {
  if (e.bareRam !== undefined) emitBareAddress(e, e.bareRam, base, imm, width, access);
  else emitTranslatedAddress(e, base, imm, width, access === "write" ? "write" : "read");
}

/** `aligned`: a read that does not do with less. */
type Access = "read" | "aligned" | "write";

/**
 * Addresses are physical, and RAM is all that there is to know of: one comparison for reads. Writes must be aligned, so that they touch one
 * page, and that page must be one to which code may store; bits that the alignment forbids come to the top and fail the comparison too.
 */
function emitBareAddress(e: InstructionEmitter, ram: BareRam, base: number, imm: number, width: number, access: Access): void {
  const { w, places } = e;
  emitBareCheck(e, ram, { base, low: imm, span: width, width: access === "read" ? 1 : width });
  if (access === "write") emitStorable(e, 0);
  w.localGet(places.at);
}

interface BareRange {
  readonly base: number;
  /** Offset from the base register. */
  readonly low: number;
  /** Bytes from there. */
  readonly span: number;
  /** How it must be aligned. */
  readonly width: number;
}

/** The place in RAM of the range's first byte, in `places.at`; `places.address` has it as 64 bits. */
function emitBareCheck(e: InstructionEmitter, ram: BareRam, { base, low, span, width }: BareRange): void {
  const { w, places } = e;
  emitSum(w, e.options, places, base, BigInt(low) - ram.base);
  w.localSet(places.address);
  e.exitIf(() => {
    w.localGet(places.address);
    if (width > 1) {
      w.i64Const(Math.log2(width));
      w.byte(OP.i64_rotr);
    }
    w.i64Const(Math.floor((ram.size - span) / width));
    w.byte(OP.i64_gt_u);
  }, 0);
  w.localGet(places.address);
  w.byte(OP.i32_wrap_i64);
  w.localSet(places.at);
}

/**
 * The pages of the byte at `places.at` and of the one `further` behind it may be stored to. For the first store to a page the region is left:
 * the interpreter, which asks the translation caches, notes what it finds.
 */
function emitStorable(e: InstructionEmitter, further: number): void {
  const { w, places, options } = e;
  const load = (distance: number): void => {
    w.localGet(places.at);
    if (distance > 0) w.withConst(distance, OP.i32_add);
    w.withConst(12, OP.i32_shr_u);
    w.memory(OP.i32_load8_u, RAM, options.stateOffset + STORABLE_OFFSET);
  };
  e.exitIf(() => {
    load(0);
    if (further > 0) {
      load(further);
      w.byte(OP.i32_and);
    }
    w.withConst(STORABLE.yes, OP.i32_and);
    w.byte(OP.i32_eqz);
  }, 0);
}

/** Leaves the place of the group's lowest byte on the stack: the check of all accesses is in front of the first. */
function emitGroupAddress(e: InstructionEmitter, ram: BareRam, group: AccessGroup, instruction: RegionInstruction): void {
  const { w, places } = e;
  const local = e.groupPlace(group);
  if (group.first === instruction) {
    const span = group.high - group.low;
    emitBareCheck(e, ram, { base: group.base, low: group.low, span, width: 1 });
    if (group.isWrite) emitStorable(e, span - 1);
    w.localGet(places.at);
    w.localSet(local);
  }
  w.localGet(local);
}

/** The page that this base register has led to last is kept in locals; another one is looked up as the interpreter does. */
export function emitTranslatedAddress(
  e: Pick<InstructionEmitter, "w" | "places" | "options" | "exitIf">,
  base: number,
  imm: number,
  width: number,
  access: "read" | "write",
): void {
  const { w, places } = e;
  const page = places.page(base, access);
  const table = access === "read" ? TLB.read : TLB.write;
  emitSum(w, e.options, places, base, BigInt(imm));
  w.localTee(places.address);
  w.i64Const(-(PAGE_MASK + 1) | (width - 1));
  w.byte(OP.i64_and);
  w.localTee(places.wanted);
  w.withLocal(page.tag, OP.i64_ne);
  w.byte(OP.if);
  w.byte(VOID);
  w.localGet(places.address);
  emitTlbSlot(w, places);
  e.exitIf(() => {
    w.localGet(places.slot);
    w.memory(OP.i64_load, RAM, table + TLB.tag);
    w.withLocal(places.wanted, OP.i64_ne);
  }, 1);
  w.localGet(places.slot);
  w.memory(OP.i32_load, RAM, table + TLB.addend);
  w.localSet(page.addend);
  w.localGet(places.wanted);
  w.localSet(page.tag);
  if (access === "write") {
    // Once for all stores that this page will get from here: nobody cleans the map while a region runs.
    w.localGet(places.address);
    w.byte(OP.i32_wrap_i64);
    w.withLocal(page.addend, OP.i32_add);
    w.withConst(12, OP.i32_shr_u);
    w.i32Const(1);
    w.memory(OP.i32_store8, RAM, e.options.dirtyOffset);
  }
  w.byte(OP.end);
  w.localGet(places.address);
  w.byte(OP.i32_wrap_i64);
  w.withLocal(page.addend, OP.i32_add);
}

/** Leaves the place in RAM of the stream's lowest byte in this turn on the stack, which was found to be allowed in front of the loop. */
function emitStreamAddress({ w, options, places, bareRam }: InstructionEmitter, { base, isWrite, low }: Stream): void {
  emitRegister(w, options, places, base, I32);
  if (bareRam === undefined) w.withLocal(places.page(base, isWrite ? "write" : "read").addend, OP.i32_add);
  const distance = bareRam === undefined ? low : low - Number(bareRam.base);
  if (distance !== 0) w.withConst(distance, OP.i32_add);
}

/** The address of a load or store on the stack; what is to be added to it is returned. */
function emitMemberAddress(e: InstructionEmitter, one: RegionInstruction, width: number, access: "read" | "write"): number {
  const stream = e.streamOf.get(one);
  if (stream !== undefined) {
    emitStreamAddress(e, stream);
    return one.imm - stream.low;
  }
  const group = e.groups.get(one);
  if (group === undefined || e.bareRam === undefined) {
    emitAddress(e, one.rs1, one.imm, width, access);
    return 0;
  }
  emitGroupAddress(e, e.bareRam, group, one);
  return one.imm - group.low;
}

/** Floating-point registers may be written without telling anybody. */
function requireFloatState(e: InstructionEmitter): void {
  e.exitIf(() => {
    readCell(e.w, e.options, OP.i32_load, csrCell("mstatus"));
    e.w.withConst(FLOAT_STATE_DIRTY, OP.i32_and);
    e.w.withConst(FLOAT_STATE_DIRTY, OP.i32_ne);
  }, 0);
}

/** Keeps the value on the stack as rd. */
function emitResult({ w, places, options }: InstructionEmitter, rd: number, type: ValueType = I64): void {
  if (rd === 0) w.byte(OP.drop);
  else setRegister(w, options, places, rd, type);
}

/** Everything but what ends a block. */
export function emitInstruction(e: InstructionEmitter, one: RegionInstruction): void {
  const { w, places, options } = e;
  const { instruction, operation, rd, rs1, rs2 } = one;
  switch (operation.kind) {
    case "nothing":
      return;
    case "compute":
      if (rd === 0) return;
      emitExpression(e, operation.value);
      emitResult(e, rd, operation.value.type);
      return;
    case "load": {
      const { width, signed, isFloat = false } = operation.meaning;
      if (isFloat) requireFloatState(e);
      const distance = emitMemberAddress(e, one, width, "read");
      w.localSet(places.at);
      if (isFloat) w.i32Const(0);
      w.localGet(places.at);
      w.memory(LOAD_OPCODES[width][signed ? "signed" : "unsigned"], RAM, distance);
      if (!isFloat) return emitResult(e, rd);
      if (width === 4) {
        w.i64Const(BOX);
        w.byte(OP.i64_or);
      }
      w.memory(OP.i64_store, RAM, options.stateOffset + CELL.f + 8 * rd);
      return;
    }
    case "store": {
      const { width, isFloat = false } = operation.meaning;
      if (isFloat) requireFloatState(e);
      const distance = emitMemberAddress(e, one, width, "write");
      if (isFloat) readCell(e.w, e.options, OP.i64_load, CELL.f + 8 * rs2);
      else emitRegister(w, options, places, rs2);
      w.memory(STORE_OPCODES[width], RAM, distance);
      return;
    }
    case "atomic": {
      const { width, stored } = operation.meaning;
      const at = e.borrow(I32);
      const old = e.borrow(width === 4 ? I32 : I64);
      emitAddress(e, rs1, 0, width, "write");
      w.localTee(at);
      w.memory(width === 4 ? OP.i32_load : OP.i64_load, RAM, 0);
      w.localSet(old);
      w.localGet(at);
      emitExpression({ ...e, leaf: (name, leafType) => (name === "old" ? w.localGet(old) : e.leaf(name, leafType)) }, stored);
      w.memory(width === 4 ? OP.i32_store : OP.i64_store, RAM, 0);
      w.localGet(old);
      emitResult(e, rd, width === 4 ? I32 : I64);
      return;
    }
    case "load-reserved": {
      const at = e.borrow(I32);
      emitAddress(e, rs1, 0, operation.width, "aligned");
      w.localSet(at);
      writeCell(e.w, e.options, OP.i64_store, CELL.reservation, () => emitSum(w, options, places, rs1, 0n));
      writeCell(e.w, e.options, OP.i64_store, CELL.reserved, () => {
        w.localGet(at);
        w.memory(LOAD_OPCODES[operation.width].unsigned, RAM, 0);
      });
      w.localGet(at);
      w.memory(LOAD_OPCODES[operation.width].signed, RAM, 0);
      emitResult(e, rd);
      return;
    }
    case "store-conditional":
      return emitStoreConditional(e, operation.width, rd, rs1, rs2);
    case "guarded": {
      const { shared = [], guard, result, writes = [] } = operation.meaning;
      const bound = emitShared(e, shared);
      if (guard !== undefined) emitGuard(e, guard, bound);
      const held = holdWrites(e, writes);
      if (result?.file === "f") {
        writeCell(e.w, e.options, OP.i64_store, CELL.f + 8 * rd, () => emitExpression(e, result.value, bound));
      } else if (result !== undefined && rd !== 0) {
        emitExpression(e, result.value, bound);
        emitResult(e, rd);
      }
      emitHeld(e, held);
      return;
    }
    case "undecoded":
    case "asked":
    case "page-end":
    case "cold":
    case "breakpoint":
    case "region":
    case "device-load":
    case "branch":
    case "jump":
    case "jump-register":
      throw new Error(`${instruction.mnemonic} within a block`);
  }
}

/** A guard that does not hold leaves before anything is done. */
function emitGuard(e: InstructionEmitter, guard: Expression, bound?: ReadonlyMap<symbol, number>): void {
  e.exitIf(() => {
    emitExpression(e, guard, bound);
    e.w.byte(OP.i32_eqz);
  }, 0);
}

type Held = readonly { readonly name: StateName; readonly local: number }[];

function holdWrites(e: InstructionEmitter, writes: readonly (readonly [StateName, Expression])[]): Held {
  return writes.map(([name, value]) => ({ name, local: hold(e, value) }));
}

function hold(e: InstructionEmitter, value: Expression): number {
  emitExpression(e, value);
  const local = e.borrow(value.type);
  e.w.localSet(local);
  return local;
}

function emitHeld(e: InstructionEmitter, held: Held): void {
  for (const { name, local } of held) {
    const { cell, isWord } = stateCell(name);
    writeCell(e.w, e.options, isWord ? OP.i32_store : OP.i64_store, cell, () => e.w.localGet(local));
  }
}

/**
 * The end of a block that may go on in another mode: everything is written but that, and the target is in `places.pc`. Gives the local with the
 * mode; undefined: it stays.
 */
export function emitTransfer(e: InstructionEmitter, { guard, writes = [], transfer }: Guarded, from: Mode): number | undefined {
  const { w, places, options } = e;
  if (transfer === undefined) throw new Error("the instruction changes no mode");
  if (guard !== undefined) emitGuard(e, guard);
  const held = holdWrites(e, writes);
  emitExpression(e, transfer.target);
  w.localSet(places.pc);
  const stays = transfer.mode.kind === "constant" && transfer.mode.value === BigInt(from);
  const mode = stays ? undefined : hold(e, transfer.mode);
  writeCell(w, options, OP.i64_store, CELL.reservation, () => w.i64Const(NO_RESERVATION));
  emitHeld(e, held);
  return mode;
}

function emitStoreConditional(e: InstructionEmitter, width: 4 | 8, rd: number, rs1: number, rs2: number): void {
  const { w, places, options } = e;
  const at = e.borrow(I32);
  const failed = e.borrow(I64);
  emitAddress(e, rs1, 0, width, "write");
  w.localSet(at);
  w.i64Const(1);
  w.localSet(failed);
  readCell(e.w, e.options, OP.i64_load, CELL.reservation);
  emitSum(w, options, places, rs1, 0n);
  w.byte(OP.i64_eq);
  w.localGet(at);
  w.memory(LOAD_OPCODES[width].unsigned, RAM, 0);
  readCell(e.w, e.options, width === 4 ? OP.i64_load32_u : OP.i64_load, CELL.reserved);
  w.byte(OP.i64_eq);
  w.byte(OP.i32_and);
  w.byte(OP.if);
  w.byte(VOID);
  w.localGet(at);
  emitRegister(w, options, places, rs2);
  w.memory(STORE_OPCODES[width], RAM, 0);
  w.i64Const(0);
  w.localSet(failed);
  w.byte(OP.end);
  writeCell(e.w, e.options, OP.i64_store, CELL.reservation, () => w.i64Const(NO_RESERVATION));
  w.localGet(failed);
  emitResult(e, rd);
}

// Accesses that translated code leaves to JavaScript: devices, ports, what lies across the end of RAM or in read-only data, atomics there,
// and bulk copies. Operands and results pass through the cells of the state memory (wasm-state.ts); a refused access is a trap,
// taken by the executor. The same rules for the interpreter are in interpreter-memory.ts.

import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import type { DataLayout } from "../../../isa/bytecode/module.ts";
import type { Width } from "../../devices/device.ts";
import type { MachineCore } from "../../machine/cpu-contract.ts";
import { markDirty } from "../../machine/memory.ts";
import { ACCESS_KIND, ATOMIC_CAS, CELL, type ImportName } from "./wasm-state.ts";

/** What an access needs of the run that it is part of. */
export interface AccessControl {
  /** Counts an instruction. */
  readonly spend: (cost: number) => void;
  /** Works out anew how far translated code may run. */
  readonly grant: () => void;
  /** Before a device sees an access: time is brought up to date, due events fire. */
  readonly beginAccess: () => void;
  /** After it: the device may have ended the machine, or changed what is due when. */
  readonly endAccess: () => void;
  readonly raise: (trapClass: TrapClass, pc: number, sp: number, address: bigint, access: 1 | 2, width: number, value: bigint) => never;
}

/** The two views of the state memory. */
export interface StateCells {
  readonly cells: Int32Array;
  readonly wideCells: BigUint64Array;
}

type MemoryImports = Extract<ImportName, "load" | "store" | "atomic" | "port_in" | "port_out" | "mem_copy" | "mem_fill">;

type Place = "ram" | "bus" | "fault";

const ADDRESS = CELL.address / 8;
const VALUE = CELL.value / 8;
const EXTRA = CELL.extra / 8;

/** By RMW_OPERATIONS. */
const COMBINE: readonly ((old: bigint, operand: bigint) => bigint)[] = [
  (old, operand) => old + operand,
  (old, operand) => old - operand,
  (old, operand) => old & operand,
  (old, operand) => old | operand,
  (old, operand) => old ^ operand,
  (_old, operand) => operand,
];

export function createMemoryImports(
  machine: MachineCore,
  layout: DataLayout,
  { cells, wideCells }: StateCells,
  run: AccessControl,
): { readonly [name in MemoryImports]: (...args: number[]) => number | void } {
  const { memory, bus } = machine;
  const { base, size, view, bytes, readOnlyStart, readOnlyEnd } = memory;
  const little = layout.endian === "little";
  const addressBits = layout.addressBytes * 8;
  const baseNumber = Number(base);

  function cell(index: number): number {
    return cells[index] ?? 0;
  }

  function wideCell(index: number): bigint {
    return wideCells[index] ?? 0n;
  }

  /** The RAM offset of the access at the address cell; negative or beyond RAM for others, and then inexact from 2^53 on. */
  function accessOffset(): number {
    return (cell(ADDRESS * 2 + 1) >>> 0) * 0x1_0000_0000 + (cell(ADDRESS * 2) >>> 0) - baseNumber;
  }

  /** The address cell as the bus wants it: a number where that is exact, for a bigint is an object. */
  function busAddress(): bigint | number {
    const high = cell(ADDRESS * 2 + 1) >>> 0;
    return high < 0x20_0000 ? high * 0x1_0000_0000 + (cell(ADDRESS * 2) >>> 0) : wideCell(ADDRESS);
  }

  function place(offset: number, width: number): Place {
    if (offset >= 0 && offset + width <= size) return "ram";
    if (offset < size && offset + width > 0) return "fault";
    const low = cell(ADDRESS * 2) >>> 0;
    const isTop = low + width > 0x1_0000_0000 && (addressBits === 32 || cell(ADDRESS * 2 + 1) === -1);
    return isTop ? "fault" : "bus";
  }

  function isMisaligned(width: number): boolean {
    return (cell(ADDRESS * 2) & (width - 1)) !== 0;
  }

  function isProtected(offset: number, length: number): boolean {
    return readOnlyStart < readOnlyEnd && offset < readOnlyEnd && offset + length > readOnlyStart;
  }

  function refuse(trapClass: TrapClass, pc: number, sp: number, address: bigint, access: 1 | 2, width: number, value = 0n): never {
    run.spend(1);
    return run.raise(trapClass, pc, sp, address, access, width, value);
  }

  function readRam(offset: number, width: number): bigint {
    if (width === 1) return BigInt(view.getUint8(offset));
    if (width === 2) return BigInt(view.getUint16(offset, little));
    if (width === 4) return BigInt(view.getUint32(offset, little));
    return view.getBigUint64(offset, little);
  }

  function writeRam(offset: number, width: number, value: bigint): void {
    if (width === 1) view.setUint8(offset, Number(value & 0xffn));
    else if (width === 2) view.setUint16(offset, Number(value & 0xffffn), little);
    else if (width === 4) view.setUint32(offset, Number(value & 0xffff_ffffn), little);
    else view.setBigUint64(offset, value, little);
    markDirty(memory, offset, width);
  }

  /** `access` is an access word of one of the four widths. */
  function accessWidth(access: number): Width {
    const width = access & 0xf;
    if (width === 1 || width === 2 || width === 4 || width === 8) return width;
    throw new Error(`access of ${width} bytes`);
  }

  function load(sp: number, pc: number, access: number): void {
    const width = accessWidth(access);
    const kind = access >> 4;
    if (kind !== ACCESS_KIND.plain && isMisaligned(width)) refuse("misaligned", pc, sp, wideCell(ADDRESS), 1, width);
    const offset = accessOffset();
    const where = place(offset, width);
    if (where === "ram") {
      wideCells[VALUE] = readRam(offset, width);
      return;
    }
    if (where === "fault" || kind === ACCESS_KIND.atomic) refuse("access_fault", pc, sp, wideCell(ADDRESS), 1, width);
    run.beginAccess();
    const value = bus.read(busAddress(), width);
    run.endAccess();
    if (value === null) refuse("access_fault", pc, sp, wideCell(ADDRESS), 1, width);
    if (typeof value === "number") cells[VALUE * 2] = value;
    else wideCells[VALUE] = value;
  }

  function store(sp: number, pc: number, access: number): void {
    const width = accessWidth(access);
    const kind = access >> 4;
    if (kind !== ACCESS_KIND.plain && isMisaligned(width)) refuse("misaligned", pc, sp, wideCell(ADDRESS), 2, width);
    const offset = accessOffset();
    const where = place(offset, width);
    if (where === "ram") {
      if (isProtected(offset, width)) refuse("protection", pc, sp, wideCell(ADDRESS), 2, width);
      writeRam(offset, width, wideCell(VALUE));
      return;
    }
    if (where === "fault" || kind === ACCESS_KIND.atomic) refuse("access_fault", pc, sp, wideCell(ADDRESS), 2, width);
    run.beginAccess();
    const done = bus.write(busAddress(), width, width === 8 ? wideCell(VALUE) : cell(VALUE * 2) >>> 0);
    run.endAccess();
    if (!done) refuse("access_fault", pc, sp, wideCell(ADDRESS), 2, width);
  }

  /** Read-modify-writes outside the part of RAM that translated code writes itself. */
  function atomic(sp: number, pc: number, access: number, operation: number): void {
    const width = accessWidth(access);
    const address = wideCell(ADDRESS);
    if (isMisaligned(width)) refuse("misaligned", pc, sp, address, 2, width);
    const offset = accessOffset();
    if (place(offset, width) !== "ram") refuse("access_fault", pc, sp, address, 2, width);
    if (isProtected(offset, width)) refuse("protection", pc, sp, address, 2, width);
    const old = readRam(offset, width);
    const operand = wideCell(VALUE);
    if (operation === ATOMIC_CAS) {
      if (old === operand) writeRam(offset, width, wideCell(EXTRA));
    } else {
      const combine = COMBINE[operation];
      if (combine === undefined) throw new Error(`no atomic operation ${operation}`);
      writeRam(offset, width, BigInt.asUintN(width * 8, combine(old, operand)));
    }
    wideCells[VALUE] = old;
  }

  function portIn(sp: number, pc: number, port: number, width: number): number {
    const narrow = portWidth(width);
    run.beginAccess();
    const value = bus.portRead(port, narrow);
    run.endAccess();
    if (value === null) refuse("access_fault", pc, sp, BigInt(port), 1, width);
    return value;
  }

  function portOut(sp: number, pc: number, port: number, width: number, value: number): void {
    const narrow = portWidth(width);
    run.beginAccess();
    const done = bus.portWrite(port, narrow, value >>> 0);
    run.endAccess();
    if (!done) refuse("access_fault", pc, sp, BigInt(port), 2, width);
  }

  function portWidth(width: number): 1 | 2 | 4 {
    if (width === 1 || width === 2 || width === 4) return width;
    throw new Error(`port access of ${width} bytes`);
  }

  /** Tests the ranges of mem_copy and mem_fill; gives the length and offset if there is anything to do. */
  function bulkTarget(sp: number, pc: number, from: bigint | null): { readonly to: number; readonly length: number } | null {
    const length = wideCell(EXTRA);
    if (length === 0n) return null;
    const to = wideCell(ADDRESS);
    const inRam = (address: bigint): boolean => address >= base && address + length <= base + BigInt(size);
    if (from !== null && !inRam(from)) refuse("access_fault", pc, sp, from, 1, 1, length);
    if (!inRam(to)) refuse("access_fault", pc, sp, to, 2, 1, length);
    const offset = Number(to - base);
    if (isProtected(offset, Number(length))) refuse("protection", pc, sp, to, 2, 1, length);
    return { to: offset, length: Number(length) };
  }

  function finishBulk(to: number, length: number): void {
    markDirty(memory, to, length);
    run.spend(Math.ceil(length / 8));
    run.grant();
  }

  function memCopy(sp: number, pc: number): void {
    const from = wideCell(VALUE);
    const target = bulkTarget(sp, pc, from);
    if (target === null) return;
    bytes.copyWithin(target.to, Number(from - base), Number(from - base) + target.length);
    finishBulk(target.to, target.length);
  }

  function memFill(sp: number, pc: number, value: number): void {
    const target = bulkTarget(sp, pc, null);
    if (target === null) return;
    bytes.fill(value, target.to, target.to + target.length);
    finishBulk(target.to, target.length);
  }

  return { load, store, atomic, port_in: portIn, port_out: portOut, mem_copy: memCopy, mem_fill: memFill };
}

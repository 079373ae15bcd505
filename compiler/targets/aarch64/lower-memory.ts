// Memory, atomics and the CPU's own state on A64. Volatile accesses are one instruction of exactly their width, behind a check of the
// alignment that the bytecode wants and this hardware need not make. Atomics are load-acquire, store-release and loops of exclusive
// accesses, which every Armv8 CPU has, at all widths (B2.9; the mapping of sequential consistency is that of C and C++).

import { RMW_OPERATIONS, TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import { SYS_ISAS, type ScalarType } from "../../../isa/bytecode/module.ts";
import { CPU_BLOCK } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import type { ComputeItem, Virtual } from "../../native/items.ts";
import { bitsOf } from "../../native/operands.ts";
import { CONDITION, enc } from "./encoding.ts";
import { branchOn } from "./lower-arithmetic.ts";
import { trapHere, writeTrap } from "./lower-traps.ts";
import {
  access,
  addOffset,
  address,
  CPU,
  finish,
  loadValue,
  lowBits,
  read,
  resultRegister,
  T0,
  T1,
  T2,
  T3,
  T4,
  widthOf,
  ZERO,
  type Address,
} from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;

const READ = 1;
const WRITE = 2;
const MISALIGNED = TRAP_CLASSES.indexOf("misaligned");
const ILLEGAL_INSTRUCTION = TRAP_CLASSES.indexOf("illegal_instruction");

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

/** Traps unless the address is a multiple of the width. */
function checkAlignment(e: Emission, at: Address, type: ScalarType, direction: number): void {
  const width = bitsOf(type) / 8;
  if (at.alignment >= width) return;
  const misaligned = e.cold(() => trapHere(e, { class: MISALIGNED, access: direction, width }, at));
  let tested = at.base;
  if (at.offset % width !== 0) {
    addOffset(e, T2, at.base, at.offset, T2);
    tested = T2;
  }
  e.word(enc.andsImm.x(ZERO, tested, lowBits(Math.log2(width))));
  branchOn(e, CONDITION.ne, misaligned);
}

function load(isVolatile: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const at = address(e, src(item, 0), Number(item.imm[0] ?? 0), bitsOf(type) / 8, T0, true);
    if (isVolatile) checkAlignment(e, at, type, READ);
    const rd = resultRegister(e, dst(item));
    access(e, true, bitsOf(type), rd, at);
    finish(e, dst(item), rd);
  };
}

function store(isVolatile: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const at = address(e, src(item, 0), Number(item.imm[0] ?? 0), bitsOf(type) / 8, T0, true);
    if (isVolatile) checkAlignment(e, at, type, WRITE);
    access(e, false, bitsOf(type), read(e, src(item, 1), T1), at);
  };
}

/** The address of an atomic in a register, checked: its instructions have no offset. */
function atomicAddress(e: Emission, item: ComputeItem, direction: number): number {
  const at = address(e, src(item, 0), 0, 1, T0);
  checkAlignment(e, at, typeOf(item), direction);
  if (at.offset === 0) return at.base;
  addOffset(e, T0, at.base, at.offset, T0);
  return T0;
}

const atomicLoad: Lower = (e, item) => {
  const base = atomicAddress(e, item, READ);
  const rd = resultRegister(e, dst(item));
  e.word(enc.loadAcquire[bitsOf(typeOf(item))](rd, base));
  finish(e, dst(item), rd);
};

const atomicStore: Lower = (e, item) => {
  const base = atomicAddress(e, item, WRITE);
  e.word(enc.storeRelease[bitsOf(typeOf(item))](read(e, src(item, 1), T1), base));
};

const RMW = { add: enc.add, sub: enc.sub, and: enc.and, or: enc.orr, xor: enc.eor, swap: null } as const;

/** old in t2, new in t3, status in t4. */
const atomicRmw: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const operation = RMW[RMW_OPERATIONS[Number(item.imm[0])] ?? "add"];
  const base = atomicAddress(e, item, WRITE);
  const value = read(e, src(item, 1), T1);
  const start = e.offset;
  e.word(enc.loadExclusive[bits](T2, base));
  if (operation !== null) e.word(operation[widthOf(type)](T3, T2, value));
  e.word(enc.storeExclusive[bits](T4, operation === null ? value : T3, base));
  e.word(enc.cbnz.w(T4) | enc.shortDistance(start - e.offset));
  finish(e, dst(item), T2);
};

/**
 * The old value in t2. One that differs is stored back, for a failed comparison is a store too (docs/bytecode.md, 1). What is stored is
 * chosen in t4, unless t3, then needed for the status, holds the new value.
 */
const atomicCas: Lower = (e, item) => {
  const type = typeOf(item);
  const bits = bitsOf(type);
  const base = atomicAddress(e, item, WRITE);
  const expected = read(e, src(item, 1), T1);
  const value = read(e, src(item, 2), T3);
  const start = e.offset;
  const again = (status: number): void => e.word(enc.cbnz.w(status) | enc.shortDistance(start - e.offset));
  e.word(enc.loadExclusive[bits](T2, base));
  e.word(enc.subs[widthOf(type)](ZERO, T2, expected));
  if (value !== T3) {
    e.word(enc.csel.x(T4, value, T2, CONDITION.eq));
    e.word(enc.storeExclusive[bits](T3, T4, base));
    again(T3);
  } else {
    e.word(enc.bCond(CONDITION.ne) | enc.shortDistance(16));
    e.word(enc.storeExclusive[bits](T4, value, base));
    again(T4);
    e.word(enc.b | 3);
    e.word(enc.storeExclusive[bits](T4, T2, base));
    again(T4);
  }
  finish(e, dst(item), T2);
};

const fence: Lower = (e) => e.word(enc.dmb);

const cpuId: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  e.word(enc.loadScaled[32](rd, CPU, CPU_BLOCK.id / 4));
  finish(e, dst(item), rd);
};

const trapInfo: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  e.word(enc.loadScaled[64](rd, CPU, CPU_BLOCK.trap / 8 + Number(item.imm[0])));
  finish(e, dst(item), rd);
};

const AARCH64 = SYS_ISAS.indexOf("aarch64");
const SYSTEM_REGISTER = 0xffff;
/** Instruction synchronisation: what follows sees what was written (B2.3.12). */
const ISB = 0xd503_3fdf;

/** `sys aarch64, n`: a system register in bits 15:0, written when bit 16 is set. */
const sys: Lower = (e, item) => {
  const [isa = 0, n = 0] = item.imm.map(Number);
  if (isa !== AARCH64) {
    loadValue(e, T1, BigInt(n));
    writeTrap(e, { class: ILLEGAL_INSTRUCTION, access: 0, width: 0 });
    return;
  }
  if (n > SYSTEM_REGISTER) {
    e.word(enc.msr(n & SYSTEM_REGISTER, read(e, src(item, 0), T0)));
    e.word(ISB);
    return;
  }
  const rd = resultRegister(e, dst(item));
  e.word(enc.mrs(rd, n));
  finish(e, dst(item), rd);
};

export const MEMORY: Readonly<Record<string, Lower>> = {
  load: load(false),
  store: store(false),
  load_volatile: load(true),
  store_volatile: store(true),
  atomic_load: atomicLoad,
  atomic_store: atomicStore,
  atomic_rmw: atomicRmw,
  atomic_cas: atomicCas,
  fence,
  cpu_id: cpuId,
  trap_info: trapInfo,
  sys,
};

// Memory, atomics and the CPU's own state on RV64. Volatile accesses are one instruction of exactly their width, behind a check of the
// alignment that the bytecode wants and this hardware need not make. 8- and 16-bit atomics are functions of the guest library.

import { RMW_OPERATIONS, TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { CPU_BLOCK } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import type { ComputeItem, Virtual } from "../../native/items.ts";
import { bitsOf } from "../../native/operands.ts";
import { put } from "./compress.ts";
import { enc } from "./encoding.ts";
import { branchOnNotZero } from "./lower-arithmetic.ts";
import { trapHere } from "./lower-traps.ts";
import { address, finish, loadValue, read, resultRegister, T0, T1, T2, T3, TP, ZERO, type Address } from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;

const READ = 1;
const WRITE = 2;
const MISALIGNED = TRAP_CLASSES.indexOf("misaligned");

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

const LOADS = { 8: enc.lbu, 16: enc.lhu, 32: enc.lw, 64: enc.ld } as const;
const STORES = { 8: enc.sb, 16: enc.sh, 32: enc.sw, 64: enc.sd } as const;

/** Traps unless the address is a multiple of the width. `scratch` must not be the base. */
function checkAlignment(e: Emission, at: Address, type: ScalarType, access: number, scratch: number): void {
  const width = bitsOf(type) / 8;
  if (at.alignment >= width) return;
  const misaligned = e.cold(() => trapHere(e, { class: MISALIGNED, access, width }, at));
  if (at.offset % width === 0) put(e, enc.andi(scratch, at.base, width - 1));
  else {
    put(e, enc.addi(scratch, at.base, at.offset));
    put(e, enc.andi(scratch, scratch, width - 1));
  }
  branchOnNotZero(e, scratch, misaligned);
}

function load(isVolatile: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const at = address(e, src(item, 0), Number(item.imm[0] ?? 0), T0);
    if (isVolatile) checkAlignment(e, at, type, READ, T2);
    const rd = resultRegister(e, dst(item));
    put(e, LOADS[bitsOf(type)](rd, at.base, at.offset));
    finish(e, dst(item), rd);
  };
}

function store(isVolatile: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const at = address(e, src(item, 0), Number(item.imm[0] ?? 0), T0);
    if (isVolatile) checkAlignment(e, at, type, WRITE, T2);
    put(e, STORES[bitsOf(type)](read(e, src(item, 1), T1), at.base, at.offset));
  };
}

/** Sets of i, o, r, w for `fence` (Volume I, 2.7). */
const RW = 3;
const R = 2;
const W = 1;
const IORW = 15;

/** The address of an atomic in a register, checked. */
function atomicAddress(e: Emission, item: ComputeItem, access: number): number {
  const at = address(e, src(item, 0), 0, T0);
  checkAlignment(e, at, typeOf(item), access, T2);
  if (at.offset === 0) return at.base;
  put(e, enc.addi(T0, at.base, at.offset));
  return T0;
}

/** Sequentially consistent by fences (Volume I, table A.6). */
const atomicLoad: Lower = (e, item) => {
  const base = atomicAddress(e, item, READ);
  const rd = resultRegister(e, dst(item));
  put(e, enc.fence(RW, RW));
  put(e, LOADS[bitsOf(typeOf(item))](rd, base, 0));
  put(e, enc.fence(R, RW));
  finish(e, dst(item), rd);
};

const atomicStore: Lower = (e, item) => {
  const base = atomicAddress(e, item, WRITE);
  put(e, enc.fence(RW, W));
  put(e, STORES[bitsOf(typeOf(item))](read(e, src(item, 1), T1), base, 0));
  put(e, enc.fence(RW, RW));
};

const RMW = {
  add: [enc.amoaddW, enc.amoaddD],
  sub: [enc.amoaddW, enc.amoaddD],
  and: [enc.amoandW, enc.amoandD],
  or: [enc.amoorW, enc.amoorD],
  xor: [enc.amoxorW, enc.amoxorD],
  swap: [enc.amoswapW, enc.amoswapD],
} as const;

const atomicRmw: Lower = (e, item) => {
  const operation = RMW_OPERATIONS[Number(item.imm[0])] ?? "add";
  const base = atomicAddress(e, item, WRITE);
  let value = read(e, src(item, 1), T1);
  if (operation === "sub") {
    put(e, enc.sub(T1, ZERO, value));
    value = T1;
  }
  const rd = resultRegister(e, dst(item));
  const [word, wide] = RMW[operation];
  put(e, (bitsOf(typeOf(item)) === 32 ? word : wide)(rd, base, value));
  finish(e, dst(item), rd);
};

/**
 * The loop of Volume I, 8.2, with the old value in t2. What is there is stored back when the comparison fails: the instruction is a store
 * in any case (docs/bytecode.md, 1), and traps where stores do.
 */
const atomicCas: Lower = (e, item) => {
  const base = atomicAddress(e, item, WRITE);
  const expected = read(e, src(item, 1), T1);
  const value = read(e, src(item, 2), T3);
  const isWord = bitsOf(typeOf(item)) === 32;
  const storeConditional = isWord ? enc.scW : enc.scD;
  e.word((isWord ? enc.lrW : enc.lrD)(T2, base, ZERO));
  e.word(enc.bne(T2, expected) | enc.distance(20));
  e.word(storeConditional(T2, base, value));
  e.word(enc.bne(T2, ZERO) | enc.distance(-12));
  e.word(enc.addi(T2, expected, 0));
  e.word(enc.beq(ZERO, ZERO) | enc.distance(8));
  // Whether it succeeds does not matter.
  e.word(storeConditional(T3, base, T2));
  finish(e, dst(item), T2);
};

const fence: Lower = (e) => put(e, enc.fence(IORW, IORW));

const cpuId: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  put(e, enc.lw(rd, TP, CPU_BLOCK.id));
  finish(e, dst(item), rd);
};

const trapInfo: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  put(e, enc.ld(rd, TP, CPU_BLOCK.trap + 8 * Number(item.imm[0])));
  finish(e, dst(item), rd);
};

/** What `sys riscv64, n` does with the CSR of bits 11:0: bits 13:12. */
const CSR_OPERATIONS = [null, enc.csrrw, enc.csrrs, enc.csrrc] as const;

const sys: Lower = (e, item) => {
  const [isa = 0, n = 0] = item.imm.map(Number);
  if (isa !== RISCV64) {
    loadValue(e, T1, BigInt(n));
    trapHere(e, { class: TRAP_CLASSES.indexOf("illegal_instruction"), access: 0, width: 0 });
    return;
  }
  const csr = n & 0xfff;
  const operation = CSR_OPERATIONS[(n >> 12) & 3] ?? null;
  if (operation === null) {
    const rd = resultRegister(e, dst(item));
    put(e, enc.csrrs(rd, ZERO, csr));
    finish(e, dst(item), rd);
  } else put(e, operation(ZERO, read(e, src(item, 0), T0), csr));
};

/** Index in SYS_ISAS. */
const RISCV64 = 2;

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

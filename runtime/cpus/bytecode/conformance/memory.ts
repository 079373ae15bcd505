// Loads and stores of all widths and kinds, RAM, devices, ports, atomics and block moves: docs/bytecode.md, section 1. What traps
// is in traps.ts.

import { byteWidth, type DataLayout, type ScalarType } from "../../../../isa/bytecode/module.ts";
import { TEST_REGISTERS } from "../test-machine.ts";
import type { ConformanceCase } from "./case.ts";

const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];
const PATTERN = 0x8192_a3b4_c5d6_e7f8n;
const bytesOf = (type: ScalarType, layout: DataLayout): number => byteWidth(type, layout);
const patternOf = (type: ScalarType, layout: DataLayout): bigint => BigInt.asUintN(8 * bytesOf(type, layout), PATTERN);

/** Stores the pattern with one instruction at `offset`, loads it with another and stores that at `offset + 16`. */
function storeAndLoad(type: ScalarType, store: string, load: string, offset: number): ConformanceCase {
  return {
    name: `${store}.${type} and ${load}.${type} at offset ${offset}`,
    program: (layout) => `
data @area size 8192 align 4096 writable
func @main () -> () {
  reg %0:addr, %1:${type}, %2:${type}
  %0 = symbol_addr @area
  %1 = const.${type} ${patternOf(type, layout)}
  ${store}.${type} %0, %1, +${offset}
  %2 = ${load}.${type} %0, +${offset}
  ${store}.${type} %0, %2, +${offset + 16}
  return
}`,
    expect: ({ layout }) => {
      const width = bytesOf(type, layout);
      const value = patternOf(type, layout);
      return {
        outcome: "returned",
        instructions: 6,
        memory: {
          area: [
            { type: "i8", values: new Array<number>(offset).fill(0) },
            { type, values: [value] },
            { type: "i8", values: new Array<number>(16 - width).fill(0) },
            { type, values: [value] },
            { type: "i8", values: new Array<number>(8192 - offset - 16 - width).fill(0) },
          ],
        },
      };
    },
  };
}

const atomicAt = (type: ScalarType): string => `
data @cell size 16 align 16 writable { bytes "0102030405060708090a0b0c0d0e0f10" }
data @out size 64 align 8 writable
func @main () -> () {
  reg %0:addr, %1:addr, %2:${type}, %3:${type}, %4:${type}
  %0 = symbol_addr @cell
  %1 = symbol_addr @out`;

interface RmwCase {
  readonly op: string;
  readonly model: (old: bigint, operand: bigint) => bigint;
}

const RMW: readonly RmwCase[] = [
  { op: "add", model: (old, operand) => old + operand },
  { op: "sub", model: (old, operand) => old - operand },
  { op: "and", model: (old, operand) => old & operand },
  { op: "or", model: (old, operand) => old | operand },
  { op: "xor", model: (old, operand) => old ^ operand },
  { op: "swap", model: (_old, operand) => operand },
];

function rmwCase(type: ScalarType, { op, model }: RmwCase): ConformanceCase {
  const operand = 0xf0f1_f2f3_f4f5_f6f7n;
  return {
    name: `atomic_rmw.${type} ${op}`,
    program: (layout) => `${atomicAt(type)}
  %2 = const.${type} ${patternOf(type, layout)}
  atomic_store.${type} %0, %2
  %3 = const.${type} ${BigInt.asUintN(8 * bytesOf(type, layout), operand)}
  %4 = atomic_rmw.${type} ${op}, %0, %3
  store.${type} %1, %4
  %4 = atomic_load.${type} %0
  store.${type} %1, %4, +8
  return
}`,
    expect: ({ layout }) => {
      const width = bytesOf(type, layout);
      const after = model(patternOf(type, layout), operand);
      const rest = Array.from({ length: 16 - width }, (_, index) => width + index + 1);
      const gap = { type: "i8" as const, values: new Array<number>(8 - width).fill(0) };
      return {
        outcome: "returned",
        instructions: 10,
        memory: {
          cell: [
            { type, values: [after] },
            { type: "i8", values: rest },
          ],
          out: [{ type, values: [patternOf(type, layout)] }, gap, { type, values: [after] }, gap, { type: "i8", values: new Array<number>(48).fill(0) }],
        },
      };
    },
  };
}

function casCase(type: ScalarType): ConformanceCase {
  return {
    name: `atomic_cas.${type} swaps only when equal`,
    program: (layout) => `${atomicAt(type)}
  %2 = const.${type} ${patternOf(type, layout)}
  atomic_store.${type} %0, %2
  %3 = const.${type} 5
  %4 = atomic_cas.${type} %0, %3, %3
  store.${type} %1, %4
  %4 = atomic_cas.${type} %0, %2, %3
  store.${type} %1, %4, +8
  %4 = atomic_cas.${type} %0, %2, %2
  store.${type} %1, %4, +16
  return
}`,
    expect: ({ layout }) => {
      const width = bytesOf(type, layout);
      const gap = { type: "i8" as const, values: new Array<number>(8 - width).fill(0) };
      const old = { type, values: [patternOf(type, layout)] };
      return {
        outcome: "returned",
        instructions: 12,
        memory: {
          cell: [
            { type, values: [5] },
            { type: "i8", values: Array.from({ length: 16 - width }, (_, index) => width + index + 1) },
          ],
          out: [old, gap, old, gap, { type, values: [5] }, gap, { type: "i8", values: new Array<number>(40).fill(0) }],
        },
      };
    },
  };
}

const SEQUENCE = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

function copyCase(name: string, to: number, from: number, length: number): ConformanceCase {
  const before = Array.from({ length: 32 }, (_, index) => index);
  const after = [...before];
  before.slice(from, from + length).forEach((value, index) => void (after[to + index] = value));
  return {
    name: `mem_copy ${name}`,
    program: `
data @area size 32 align 8 writable { bytes "${SEQUENCE}" }
func @main () -> () {
  reg %0:addr, %1:addr, %2:addr
  %0 = symbol_addr @area, +${to}
  %1 = symbol_addr @area, +${from}
  %2 = const.addr ${length}
  mem_copy %0, %1, %2
  return
}`,
    expect: {
      outcome: "returned",
      instructions: 5 + Math.ceil(length / 8),
      time: 5 + Math.ceil(length / 8),
      memory: { area: [{ type: "i8", values: after }] },
    },
  };
}

const device = `
func @main () -> () {
  reg %0:addr, %1:i8, %2:i16, %3:i32, %4:i64
  %0 = const.addr 0x10000000`;

const DEVICE_WIDTHS = `${device}
  %1 = const.i8 0x81
  store_volatile.i8 %0, %1, +1
  %2 = const.i16 0x8182
  store_volatile.i16 %0, %2, +2
  %3 = const.i32 0x81828384
  store_volatile.i32 %0, %3, +4
  %4 = const.i64 0x8182838485868788
  store_volatile.i64 %0, %4, +8
  %1 = load_volatile.i8 %0, +8
  %2 = load_volatile.i16 %0, +8
  %3 = load_volatile.i32 %0, +8
  %4 = load_volatile.i64 %0
  store.i64 %0, %4, +16
  store.i32 %0, %3, +24
  store.i16 %0, %2, +28
  store.i8 %0, %1, +30
  return
}`;

const DEVICE_ADDRESS = `
data @out size 8 align 8 writable
func @main () -> () {
  reg %0:addr, %1:addr, %2:addr
  %0 = const.addr 0x10000000
  %1 = const.addr 0x12345678
  store_volatile.addr %0, %1
  %2 = load_volatile.addr %0
  %0 = symbol_addr @out
  store.addr %0, %2
  return
}`;

const PORTS = `
data @out size 8 align 8 writable
func @main () -> () {
  reg %0:i16, %1:i8, %2:i16, %3:i32, %4:addr
  %0 = const.i16 0x14
  %3 = const.i32 0xfffefdfc
  port_out.i32 %0, %3
  %1 = port_in.i8 %0
  %2 = port_in.i16 %0
  %3 = port_in.i32 %0
  %4 = symbol_addr @out
  store.i32 %4, %3
  store.i16 %4, %2, +4
  store.i8 %4, %1, +6
  %1 = const.i8 0x80
  port_out.i8 %0, %1
  port_out.i16 %0, %2
  return
}`;

const OFFSETS = `
data @area size 64 align 8 writable
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32, %3:i32
  %0 = symbol_addr @area, +32
  %2 = const.i32 41
  store.i32 %0, %2, -32
  %1 = const.addr 0x7fffffff
  %0 = sub.addr %0, %1
  %3 = load.i32 %0, +0x7fffffdf
  %2 = const.i32 1
  %3 = add.i32 %3, %2
  return %3
}`.replace("+0x7fffffdf", `+${0x7fff_ffdf}`);

export const memoryCases: readonly ConformanceCase[] = [
  ...TYPES.flatMap((type) => [
    storeAndLoad(type, "store", "load", 32),
    storeAndLoad(type, "store", "load", 33),
    storeAndLoad(type, "store", "load", 4095),
    storeAndLoad(type, "store_volatile", "load_volatile", 4088),
  ]),
  ...TYPES.flatMap((type) => RMW.map((rmw) => rmwCase(type, rmw))),
  ...TYPES.map(casCase),
  { name: "offsets are signed and wrap with the address", program: OFFSETS, expect: { outcome: "returned 42" } },
  copyCase("of nothing", 0, 8, 0),
  copyCase("of one byte", 0, 31, 1),
  copyCase("apart", 0, 16, 15),
  copyCase("to a higher overlapping place", 5, 2, 20),
  copyCase("to a lower overlapping place", 2, 5, 20),
  copyCase("of everything onto itself", 0, 0, 32),
  {
    name: "mem_copy of nothing checks nothing",
    program: "func @main () -> () {\nreg %0:addr, %1:addr, %2:addr, %3:i8\n%0 = const.addr 1\nmem_copy %0, %1, %2\nmem_fill %0, %3, %2\nreturn\n}",
    expect: { outcome: "returned", instructions: 4 },
  },
  {
    name: "mem_fill fills with the byte and costs a ns for 8 bytes",
    program: `
data @area size 9000 align 4096 writable
func @main () -> () {
  reg %0:addr, %1:i8, %2:addr
  %0 = symbol_addr @area, +4000
  %1 = const.i8 0xa5
  %2 = const.addr 4999
  mem_fill %0, %1, %2
  return
}`,
    expect: {
      outcome: "returned",
      instructions: 5 + 625,
      memory: { area: [{ type: "i8", values: [...new Array<number>(4000).fill(0), ...new Array<number>(4999).fill(0xa5), 0] }] },
    },
  },
  {
    name: "devices see one access of the width, its value as a number, and the time at which it starts",
    program: DEVICE_WIDTHS,
    expect: {
      outcome: "returned",
      instructions: 18,
      log: [
        "w1 +1=81 @2",
        "w2 +2=8182 @4",
        "w4 +4=81828384 @6",
        "w8 +8=8182838485868788 @8",
        "r1 +8 @9",
        "r2 +8 @10",
        "r4 +8 @11",
        "r8 +0 @12",
        "w8 +10=8182838481828100 @13",
        "w4 +18=85868788 @14",
        "w2 +1c=8788 @15",
        "w1 +1e=88 @16",
      ],
    },
  },
  {
    name: "addresses are accessed in the layout's width",
    program: DEVICE_ADDRESS,
    expect: ({ layout }) => ({
      outcome: "returned",
      log: [`w${layout.addressBytes} +0=12345678 @2`, `r${layout.addressBytes} +0 @3`],
      memory: { out: [{ type: "addr", values: layout.addressBytes === 8 ? [0x1234_5678] : [0x1234_5678, 0] }] },
    }),
  },
  {
    name: "ports",
    program: PORTS,
    expect: {
      outcome: "returned",
      instructions: 14,
      memory: {
        out: [
          { type: "i32", values: [0xfffe_fdfc] },
          { type: "i16", values: [0xfdfc] },
          { type: "i8", values: [0xfc, 0] },
        ],
      },
      log: ["out4 14=fffefdfc @2", "in1 14 @3", "in2 14 @4", "in4 14 @5", "out1 14=80 @11", "out2 14=fdfc @12"],
    },
  },
  {
    name: "a device ends the machine behind the current instruction",
    program: `
data @out size 4 align 4 writable
func @main () -> () {
  reg %0:addr, %1:i32, %2:addr
  %0 = const.addr 0x10000000
  %1 = const.i32 7
  %2 = symbol_addr @out
  store_volatile.i32 %0, %1, +${TEST_REGISTERS.EXIT}
  store.i32 %2, %1
  return
}`,
    expect: { outcome: "exit 7", instructions: 4, time: 4, memory: { out: [{ type: "i32", values: [0] }] } },
  },
  {
    name: "fence does nothing that can be seen",
    program: "func @main () -> () {\nfence\nreturn\n}",
    expect: { outcome: "returned", instructions: 2 },
  },
];

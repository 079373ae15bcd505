// Structure, calls, registers, frames and addresses: docs/bytecode.md, section 1 and the structural rows of the table.

import type { ConformanceCase } from "./case.ts";

/** `@main (i32 %0)` with `%1:i32 result`, `%2` .. constants 1 .. 4 and a flag %6; returns %1. */
function choosing(body: string): string {
  return `
func @main (i32) -> (i32) {
  reg %1:i32, %2:i32, %3:i32, %4:i32, %5:i32, %6:i8
  %2 = const.i32 1
  %3 = const.i32 2
  %4 = const.i32 4
  %5 = const.i32 8
  ${body}
  return %1
}`;
}

const IF_ELSE = choosing(`
  %6 = ne.i32 %0, %1
  if %6
    %1 = or.i32 %1, %2
  else
    %1 = or.i32 %1, %3
  end
  %1 = or.i32 %1, %4`);

const BR_TABLE = choosing(`
  block
    block
      block
        br_table %0, 0, 1, 2
      end
      %1 = or.i32 %1, %2
      br 1
    end
    %1 = or.i32 %1, %3
  end
  %1 = or.i32 %1, %4`);

/** The index 3 enters a loop again through br_table; each round counts in %1 until 5. */
const BR_TABLE_LOOP = choosing(`
  loop
    %1 = add.i32 %1, %2
    %6 = lt_s.i32 %1, %0
    %3 = zext.i8.i32 %6
    block
      br_table %3, 0, 1
    end
  end`);

const NESTED_LOOPS = choosing(`
  %3 = const.i32 0
  loop
    %4 = const.i32 0
    block
      loop
        %6 = eq.i32 %4, %3
        br_if %6, 1
        %4 = add.i32 %4, %2
        %1 = add.i32 %1, %2
        br 0
      end
    end
    %3 = add.i32 %3, %2
    %6 = lt_u.i32 %3, %0
    br_if %6, 0
  end`);

const FIBONACCI = `
func @main (i32) -> (i32) {
  reg %1:i32
  %1 = call @fib, %0
  return %1
}
func @fib (i32) -> (i32) {
  reg %1:i32, %2:i8, %3:i32, %4:i32
  %1 = const.i32 2
  %2 = lt_u.i32 %0, %1
  if %2
    return %0
  end
  %3 = const.i32 1
  %3 = sub.i32 %0, %3
  %4 = sub.i32 %0, %1
  %3 = call @fib, %3
  %4 = call @fib, %4
  %3 = add.i32 %3, %4
  return %3
}`;

const VECTORS_OF_RESULTS = `
func @main () -> (i8, i16, i32, i64, addr) {
  reg %0:i8, %1:i16, %2:i32, %3:i64, %4:addr
  %0, %1, %2, %3, %4 = call @five
  return %0, %1, %2, %3, %4
}
func @five () -> (i8, i16, i32, i64, addr) {
  reg %0:i8, %1:i16, %2:i32, %3:i64, %4:addr
  %0 = const.i8 -1
  %1 = const.i16 -2
  %2 = const.i32 -3
  %3 = const.i64 -4
  %4 = const.addr 0x80000005
  return %0, %1, %2, %3, %4
}`;

const SWAP = `
func @main (i32, i64) -> (i32, i32, i64, i64) {
  reg %2:i32, %3:i64
  %2 = const.i32 7
  %3 = const.i64 9
  %0, %2 = call @swap32, %0, %2
  %1, %3 = call @swap64, %1, %3
  return %0, %2, %1, %3
}
func @swap32 (i32, i32) -> (i32, i32) {
  return %1, %0
}
func @swap64 (i64, i64) -> (i64, i64) {
  return %1, %0
}`;

const FRESH_REGISTERS = `
func @main () -> (i32, i64) {
  reg %0:i32, %1:i64
  call @dirty
  %0, %1 = call @clean
  return %0, %1
}
func @dirty () -> () {
  reg %0:i32, %1:i64
  %0 = const.i32 -1
  %1 = const.i64 -1
  return
}
func @clean () -> (i32, i64) {
  reg %0:i32, %1:i64
  return %0, %1
}`;

const FRAMES = `
data @out size 64 align 16 writable
func @main () -> (i32, i32, i32, i32) frame 24 {
  reg %0:addr, %1:addr, %2:addr, %3:addr, %4:i32, %5:i32, %6:i32, %7:i32
  %0 = frame_addr 0
  %1 = frame_addr 20
  %4 = const.i32 0x11223344
  store.i32 %0, %4
  store.i32 %1, %4
  call @inner, %0
  %5 = load.i32 %0
  %1 = sub.addr %1, %0
  %6 = trunc.addr.i32 %1
  %2 = call @address
  %2 = sub.addr %0, %2
  %7 = trunc.addr.i32 %2
  %4 = trunc.addr.i32 %0
  %1 = const.addr 15
  %1 = and.addr %1, %0
  %4 = trunc.addr.i32 %1
  return %4, %5, %6, %7
}
func @inner (addr) -> () frame 8 {
  reg %1:addr, %2:i64, %3:i32
  %1 = frame_addr 0
  %2 = const.i64 -1
  store.i64 %1, %2
  %3 = load.i32 %0
  %3 = not.i32 %3
  store.i32 %0, %3
  return
}
func @address () -> (addr) frame 100 {
  reg %0:addr
  %0 = frame_addr 4
  return %0
}`;

const ADDRESSES = `
data @table size 32 align 8 readonly {
  addr 0 data @target +4
  addr 8 data @target -1
  addr 16 func @second
  addr 24 data @table
}
data @target size 8 align 8 writable
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:addr, %3:i8, %4:i32, %5:i32, %6:i32
  %0 = symbol_addr @table
  %1 = load.addr %0
  %2 = symbol_addr @target, +4
  %3 = eq.addr %1, %2
  %4 = zext.i8.i32 %3
  %1 = load.addr %0, +8
  %2 = symbol_addr @target, -1
  %3 = eq.addr %1, %2
  %5 = zext.i8.i32 %3
  %4 = add.i32 %4, %5
  %1 = load.addr %0, +16
  %2 = func_addr @second
  %3 = eq.addr %1, %2
  %5 = zext.i8.i32 %3
  %4 = add.i32 %4, %5
  %1 = load.addr %0, +24
  %3 = eq.addr %1, %0
  %5 = zext.i8.i32 %3
  %4 = add.i32 %4, %5
  %5 = trunc.addr.i32 %2
  %6 = const.i32 0x20000
  %3 = eq.i32 %5, %6
  %5 = zext.i8.i32 %3
  %4 = add.i32 %4, %5
  return %4
}
func @second () -> () {
  return
}`;

const INDIRECT = `
signature sig0 (i32, i32) -> (i32)
data @functions size 16 align 8 readonly {
  addr 0 func @difference
  addr 8 func @product
}
func @main (i32) -> (i32) {
  reg %1:addr, %2:addr, %3:addr, %4:i32, %5:i32, %6:i32
  %1 = symbol_addr @functions
  %2 = zext.i32.addr %0
  %3 = const.addr 3
  %2 = shl.addr %2, %3
  %1 = add.addr %1, %2
  %1 = load.addr %1
  %4 = const.i32 50
  %5 = const.i32 8
  %6 = call_indirect sig0, %1, %4, %5
  return %6
}
func @difference (i32, i32) -> (i32) {
  reg %2:i32
  %2 = sub.i32 %0, %1
  return %2
}
func @product (i32, i32) -> (i32) {
  reg %2:i32
  %2 = mul.i32 %0, %1
  return %2
}`;

const ARGUMENT_BITS = `
data @out size 24 align 8 writable
func @main (i8, i16, i32, i64, addr) -> () {
  reg %5:addr
  %5 = symbol_addr @out
  store.i64 %5, %3
  store.i32 %5, %2, +8
  store.i16 %5, %1, +12
  store.i8 %5, %0, +14
  store.addr %5, %4, +16
  return
}`;

const UNREACHABLE_CODE = `
func @main () -> (i32) {
  reg %0:i32
  %0 = const.i32 3
  block
    br 0
    loop
      %0 = const.i32 4
      br 0
    end
  end
  return %0
  %0 = const.i32 5
  return %0
}`;

/** Operands are read before results are written, also when they are the same register. */
const SAME_REGISTERS = `
func @main () -> (i32, i64, i8) {
  reg %0:i32, %1:i64, %2:i8
  %0 = const.i32 6
  %0 = mul.i32 %0, %0
  %0 = sub.i32 %0, %0
  %0 = not.i32 %0
  %1 = const.i64 0x100000001
  %1 = mul.i64 %1, %1
  %1 = rotl.i64 %1, %1
  %2 = const.i8 0x81
  %2 = rotl.i8 %2, %2
  return %0, %1, %2
}`;

export const controlCases: readonly ConformanceCase[] = [
  { name: "if takes its first part when the condition is not 0", program: IF_ELSE, args: [5], expect: { outcome: "returned 5", instructions: 9 } },
  { name: "if takes its else-part when the condition is 0", program: IF_ELSE, args: [0], expect: { outcome: "returned 6", instructions: 9 } },
  {
    name: "if without else passes on",
    program: choosing("%6 = const.i8 0\nif %6\n%1 = const.i32 9\nend\n%6 = const.i8 2\nif %6\n%1 = or.i32 %1, %2\nend"),
    args: [0],
    expect: { outcome: "returned 1", instructions: 10 },
  },
  {
    name: "a branch leaves an if and its else",
    program: choosing(
      "%6 = const.i8 1\nif %6\n%1 = const.i32 7\nbr 0\n%1 = const.i32 9\nelse\n%1 = const.i32 8\nend\n%6 = const.i8 0\nif %6\nelse\n%1 = add.i32 %1, %2\nbr 0\nend",
    ),
    args: [0],
    expect: { outcome: "returned 8", instructions: 13 },
  },
  ...(
    [
      [0, 5, 9, "the first"],
      [1, 6, 8, "the second"],
      [2, 4, 7, "the default by its number"],
      [3, 4, 7, "the default for a number beyond"],
      [0xffff_ffff, 4, 7, "the default for a number with the sign bit"],
    ] as const
  ).map(([index, result, instructions, what]): ConformanceCase => ({
    name: `br_table takes ${what}`,
    program: BR_TABLE,
    args: [index],
    expect: { outcome: `returned ${result}`, instructions },
  })),
  { name: "br_table goes back to a loop", program: BR_TABLE_LOOP, args: [5], expect: { outcome: "returned 5", instructions: 4 + 5 * 4 + 1 } },
  { name: "nested loops", program: NESTED_LOOPS, args: [10], expect: { outcome: "returned 45", instructions: 4 + 1 + 10 * 1 + 45 * 5 + 10 * 2 + 10 * 3 + 1 } },
  { name: "calls nest and keep their registers", program: FIBONACCI, args: [15], expect: { outcome: "returned 610", instructions: 2 + 987 * 4 + 986 * 10 } },
  {
    name: "a function returns five values",
    program: VECTORS_OF_RESULTS,
    expect: ({ layout }) => ({
      outcome: `returned 255, 65534, 4294967293, ${2n ** 64n - 4n}, ${layout.addressBytes === 8 ? 0x8000_0005n : 0x8000_0005}`,
      instructions: 8,
    }),
  },
  { name: "results may go where the operands were", program: SWAP, args: [1, 2n], expect: { outcome: "returned 7, 1, 9, 2", instructions: 7 } },
  { name: "registers start as zero in every call", program: FRESH_REGISTERS, expect: { outcome: "returned 0, 0", instructions: 7 } },
  {
    name: "frames are aligned, apart, and at SP",
    program: FRAMES,
    // @address has 64 + 100 bytes, rounded up to 176; its byte 4 is 172 below.
    expect: { outcome: `returned 0, ${0xeedd_ccbb}, 20, 172`, instructions: 16 + 2 + 8 },
  },
  { name: "symbols, functions and relocations have addresses", program: ADDRESSES, expect: { outcome: "returned 5" } },
  { name: "call_indirect calls what the address names (0)", program: INDIRECT, args: [0], expect: { outcome: "returned 42", instructions: 12 } },
  { name: "call_indirect calls what the address names (1)", program: INDIRECT, args: [1], expect: { outcome: "returned 400", instructions: 12 } },
  {
    name: "arguments are taken at their width",
    program: ARGUMENT_BITS,
    layouts: [
      { addressBytes: 8, endian: "big" },
      { addressBytes: 8, endian: "little" },
    ],
    args: [0xfe, 0xfffd, 0xffff_fffc, 0xffff_ffff_ffff_fffbn, 0x8000_0000_0000_0001n],
    expect: {
      outcome: "returned",
      instructions: 7,
      memory: {
        out: [
          { type: "i64", values: [-5] },
          { type: "i32", values: [-4] },
          { type: "i16", values: [-3] },
          { type: "i8", values: [-2, 0] },
          { type: "i64", values: [0x8000_0000_0000_0001n] },
        ],
      },
    },
  },
  { name: "unreachable code is never run", program: UNREACHABLE_CODE, expect: { outcome: "returned 3", instructions: 3 } },
  {
    name: "an instruction reads its operands before it writes its result",
    program: SAME_REGISTERS,
    expect: { outcome: `returned 4294967295, ${0x4_0000_0002n}, 3`, instructions: 10 },
  },
];

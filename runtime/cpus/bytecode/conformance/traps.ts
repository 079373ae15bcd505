// Every trap class with its record, guards, unwinding, double faults and the stack limit: docs/bytecode.md, section 2.

import { TRAP_CLASSES, type TrapClass } from "../../../../isa/bytecode/instructions.ts";
import { byteWidth, type DataLayout, type ScalarType } from "../../../../isa/bytecode/module.ts";
import { guarded, infoCells, TRAP_VECTOR, type CaseContext, type ConformanceCase, type ExpectedTrap } from "./case.ts";

const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];

/** What @main and the vector execute around @body: func_addr, guard, return; vector entry and its 17 instructions. */
const AROUND = 3 + 1 + 17;

/** `body` (of @body (addr) with `registers`) traps; `executed` is the number of its instructions, the trapping one included. */
function trapCase(
  name: string,
  registers: string,
  body: string,
  executed: number | undefined,
  trap: (context: CaseContext) => ExpectedTrap,
  data = "",
): ConformanceCase {
  return {
    name,
    program: `${data}\n${guarded(registers, body)}`,
    expect: (context) => ({
      outcome: "returned 77",
      ...(executed === undefined ? {} : { instructions: AROUND + executed, time: AROUND + executed }),
      memory: { info: [infoCells(context, trap(context))] },
    }),
  };
}

const ASM = 'assembly asm0 x86_64 in "rax" out "rdx" {\n  bytes "90"\n}';

const ramEnd = ({ machine }: CaseContext): bigint => machine.memory.base + BigInt(machine.memory.size);

const raised = TRAP_CLASSES.filter((name) => name !== "none").map((name: TrapClass) =>
  trapCase(`trap ${name}`, "%1:i64", `%1 = const.i64 0x8000000000000001\ntrap ${name}, %1`, 2, () => ({ class: name, pc: 1, value: 0x8000_0000_0000_0001n })),
);

const divisions = ["div_s", "div_u", "rem_s", "rem_u"].flatMap((op) =>
  TYPES.map((type) =>
    trapCase(`${op}.${type} by 0`, `%1:${type}, %2:${type}`, `%1 = const.${type} -1\n%2 = ${op}.${type} %1, %2`, 2, () => ({ class: "divide_error", pc: 1 })),
  ),
);

// ----------------------------------------------------------------------------------------------------------- memory faults

interface AccessForm {
  readonly name: string;
  readonly text: (type: ScalarType) => string;
  readonly access: 1 | 2;
  readonly aligned: boolean;
  readonly ramOnly: boolean;
}

/** With address %1 and value %2; results go to %3. */
const FORMS: readonly AccessForm[] = [
  { name: "load", text: (type) => `%3 = load.${type} %1`, access: 1, aligned: false, ramOnly: false },
  { name: "store", text: (type) => `store.${type} %1, %2`, access: 2, aligned: false, ramOnly: false },
  { name: "load_volatile", text: (type) => `%3 = load_volatile.${type} %1`, access: 1, aligned: true, ramOnly: false },
  { name: "store_volatile", text: (type) => `store_volatile.${type} %1, %2`, access: 2, aligned: true, ramOnly: false },
  { name: "atomic_load", text: (type) => `%3 = atomic_load.${type} %1`, access: 1, aligned: true, ramOnly: true },
  { name: "atomic_store", text: (type) => `atomic_store.${type} %1, %2`, access: 2, aligned: true, ramOnly: true },
  { name: "atomic_rmw add", text: (type) => `%3 = atomic_rmw.${type} add, %1, %2`, access: 2, aligned: true, ramOnly: true },
  { name: "atomic_cas", text: (type) => `%3 = atomic_cas.${type} %1, %2, %2`, access: 2, aligned: true, ramOnly: true },
];

function accessCase(
  name: string,
  form: AccessForm,
  type: ScalarType,
  address: string,
  trap: TrapClass,
  expected: (context: CaseContext) => bigint,
  data = "",
): ConformanceCase {
  return {
    ...trapCase(
      `${form.name}.${type} ${name}`,
      `%1:addr, %2:${type}, %3:${type}`,
      `%2 = const.${type} -1\n%1 = ${address}\n${form.text(type)}`,
      3,
      (context) => ({ class: trap, pc: 2, address: expected(context), access: form.access, width: byteWidth(type, context.layout) }),
      data,
    ),
  };
}

const isWide = (type: ScalarType): boolean => type !== "i8";
const CELL = "data @cell size 16 align 16 writable";
const CONSTANT = `data @constant size 16 align 16 readonly { bytes "00112233445566778899aabbccddeeff" }`;

const accessFaults = FORMS.flatMap((form) => [
  ...TYPES.map((type) => accessCase("where nobody answers", form, type, "const.addr 0x20", "access_fault", () => 0x20n)),
  ...TYPES.filter(isWide).flatMap((type) =>
    form.aligned ? [accessCase("at an odd address", form, type, "symbol_addr @cell, +1", "misaligned", (context) => context.symbol("cell") + 1n, CELL)] : [],
  ),
  ...(form.access === 2
    ? TYPES.map((type) =>
        accessCase("to read-only data", form, type, "symbol_addr @constant, +8", "protection", (context) => context.symbol("constant") + 8n, CONSTANT),
      )
    : []),
  ...(form.ramOnly ? [accessCase("of a device", form, "i32", "const.addr 0x10000000", "access_fault", () => 0x1000_0000n)] : []),
  ...(form.ramOnly ? [] : [accessCase("of a width that the device refuses", form, "i16", "const.addr 0x10000040", "access_fault", () => 0x1000_0040n)]),
]);

/** Alignment is judged before the address, of devices and of nothing too. */
const misalignedElsewhere = FORMS.filter((form) => form.aligned).map((form) =>
  accessCase("misaligned where nobody answers", form, "i32", "const.addr 0x22", "misaligned", () => 0x22n),
);

/** `symbol_addr @cell` plus so much is RAM's end minus 2, see the layout of the test machine: the data lies at its start. */
function endOfRam(form: AccessForm, type: ScalarType): ConformanceCase {
  return {
    name: `${form.name}.${type} across the end of RAM`,
    program: (layout) =>
      guarded(
        `%1:addr, %2:${type}, %3:${type}`,
        `%2 = const.${type} -1\n%1 = const.addr ${(layout.addressBytes === 8 ? 0x1_8000_0000n : 0x8000_0000n) + 0x10_0000n - 1n}\n${form.text(type)}`,
      ),
    expect: (context) => ({
      outcome: "returned 77",
      memory: {
        info: [
          infoCells(context, {
            class: form.aligned ? "misaligned" : "access_fault",
            pc: 2,
            address: ramEnd(context) - 1n,
            access: form.access,
            width: byteWidth(type, context.layout),
          }),
        ],
      },
    }),
  };
}

function highAddress(addressBytes: 4 | 8): bigint {
  return addressBytes === 8 ? 0xffff_ffff_8000_0000n : 0xffff_fff0n;
}

const elsewhere: readonly ConformanceCase[] = [
  ...FORMS.flatMap((form) => TYPES.filter(isWide).map((type) => endOfRam(form, type))),
  ...FORMS.map((form): ConformanceCase => ({
    name: `${form.name}.i32 at a high address`,
    program: (layout) => guarded("%1:addr, %2:i32, %3:i32", `%2 = const.i32 -1\n%1 = const.addr ${highAddress(layout.addressBytes)}\n${form.text("i32")}`),
    expect: (context) => ({
      outcome: "returned 77",
      memory: {
        info: [infoCells(context, { class: "access_fault", pc: 2, address: highAddress(context.layout.addressBytes), access: form.access, width: 4 })],
      },
    }),
  })),
  {
    name: "an access that wraps around the address space",
    program: guarded("%1:addr, %2:i32", "%1 = const.addr -2\n%2 = load.i32 %1"),
    expect: (context) => ({
      outcome: "returned 77",
      memory: {
        info: [infoCells(context, { class: "access_fault", pc: 1, address: BigInt.asUintN(8 * context.layout.addressBytes, -2n), access: 1, width: 4 })],
      },
    }),
  },
  {
    name: "an address that only its upper half keeps out of RAM",
    layouts: [
      { addressBytes: 8, endian: "little" },
      { addressBytes: 8, endian: "big" },
    ],
    program: guarded("%1:addr, %2:i32", "%1 = const.addr 0x80000000\n%2 = load.i32 %1"),
    expect: (context) => ({
      outcome: "returned 77",
      memory: { info: [infoCells(context, { class: "access_fault", pc: 1, address: 0x8000_0000n, access: 1, width: 4 })] },
    }),
  },
  trapCase(
    "a store that begins before writable data touches read-only data",
    "%1:addr, %2:i64",
    "%1 = symbol_addr @constant, +12\nstore.i64 %1, %2",
    2,
    (context) => ({ class: "protection", pc: 1, address: context.symbol("constant") + 12n, access: 2, width: 8 }),
    CONSTANT,
  ),
  {
    name: "the offset belongs to the address that a trap reports",
    program: guarded("%1:addr, %2:i32", "%1 = const.addr 0x30\n%2 = load.i32 %1, -64"),
    expect: (context) => ({
      outcome: "returned 77",
      memory: {
        info: [infoCells(context, { class: "access_fault", pc: 1, address: BigInt.asUintN(8 * context.layout.addressBytes, -16n), access: 1, width: 4 })],
      },
    }),
  },
];

// ------------------------------------------------------------------------------------------------------ block moves, ports

const RANGES = `${CONSTANT}\n${CELL}`;
const bulk = (to: string, from: string, length: number, operation: string): string => `%1 = ${to}\n%2 = ${from}\n%3 = const.addr ${length}\n${operation}`;
const bulkTrap = (name: string, text: string, trap: (context: CaseContext) => Omit<ExpectedTrap, "pc" | "width">): ConformanceCase =>
  trapCase(name, "%1:addr, %2:addr, %3:addr, %4:i8", text, 4, (context) => ({ ...trap(context), pc: 3, width: 1 }), RANGES);

const COPY = "mem_copy %1, %2, %3";
const FILL = "mem_fill %1, %4, %3";

const blockMoves: readonly ConformanceCase[] = [
  bulkTrap("mem_copy judges its source first", bulk("const.addr 0", "const.addr 0x40", 8, COPY), () => ({
    class: "access_fault",
    address: 0x40n,
    access: 1,
    value: 8n,
  })),
  bulkTrap("mem_copy to nowhere", bulk("const.addr 0x50", "symbol_addr @cell", 8, COPY), () => ({
    class: "access_fault",
    address: 0x50n,
    access: 2,
    value: 8n,
  })),
  bulkTrap("mem_copy to a device", bulk("const.addr 0x10000000", "symbol_addr @cell", 8, COPY), () => ({
    class: "access_fault",
    address: 0x1000_0000n,
    access: 2,
    value: 8n,
  })),
  bulkTrap("mem_copy to read-only data", bulk("symbol_addr @constant, +15", "symbol_addr @cell", 8, COPY), (context) => ({
    class: "protection",
    address: context.symbol("constant") + 15n,
    access: 2,
    value: 8n,
  })),
  bulkTrap("mem_copy beyond the end of RAM", bulk("symbol_addr @cell", "symbol_addr @cell", 0x20_0000, COPY), (context) => ({
    class: "access_fault",
    address: context.symbol("cell"),
    access: 1,
    value: 0x20_0000n,
  })),
  bulkTrap("mem_copy of more than there are addresses", bulk("symbol_addr @cell", "symbol_addr @cell", -1, COPY), (context) => ({
    class: "access_fault",
    address: context.symbol("cell"),
    access: 1,
    value: BigInt.asUintN(8 * context.layout.addressBytes, -1n),
  })),
  bulkTrap("mem_fill of nowhere", bulk("const.addr 0x50", "const.addr 0", 9, FILL), () => ({ class: "access_fault", address: 0x50n, access: 2, value: 9n })),
  bulkTrap("mem_fill of read-only data", bulk("symbol_addr @constant", "const.addr 0", 1, FILL), (context) => ({
    class: "protection",
    address: context.symbol("constant"),
    access: 2,
    value: 1n,
  })),
  ...(["i8", "i16", "i32"] as const).flatMap((type) => [
    trapCase(`port_in.${type} where nobody answers`, `%1:i16, %2:${type}`, `%1 = const.i16 0x8ff0\n%2 = port_in.${type} %1`, 2, ({ layout }) => ({
      class: "access_fault",
      pc: 1,
      address: 0x8ff0n,
      access: 1,
      width: byteWidth(type, layout),
    })),
    trapCase(`port_out.${type} where nobody answers`, `%1:i16, %2:${type}`, `%1 = const.i16 0x8ff0\nport_out.${type} %1, %2`, 2, ({ layout }) => ({
      class: "access_fault",
      pc: 1,
      address: 0x8ff0n,
      access: 2,
      width: byteWidth(type, layout),
    })),
  ]),
  trapCase("sys of a target", "%1:i32", "%1 = sys x86_64, 5, %1", 1, () => ({ class: "illegal_instruction", pc: 0, value: 5n })),
  trapCase("sys bytecode", "", "sys bytecode, 4294967295", 1, () => ({ class: "illegal_instruction", pc: 0, value: 0xffff_ffffn })),
  trapCase("asm", "%1:i32", "%1 = asm asm0, %1", 1, () => ({ class: "illegal_instruction", pc: 0 }), ASM),
];

// ------------------------------------------------------------------------------------------------------------- code addresses

const NOT_CODE: Readonly<Record<string, (layout: DataLayout) => string>> = {
  null: () => "const.addr 0",
  "the middle of a function": () => "const.addr 0x10001",
  "a number too high": () => "const.addr 0x7fff0000",
  "all ones": () => "const.addr -1",
  data: () => "symbol_addr @cell",
  "a function of another signature": () => "func_addr @on_trap",
};

const codeAddresses: readonly ConformanceCase[] = Object.entries(NOT_CODE).flatMap(([what, address]) =>
  (
    [
      ["call_indirect", "call_indirect sig0, %1, %2"],
      ["guard", "%3 = guard %1, %2"],
    ] as const
  ).map(([op, text]): ConformanceCase => ({
    name: `${op} of ${what}`,
    program: (layout) => `signature sig0 (addr) -> ()\n${CELL}\n${guarded("%1:addr, %2:addr, %3:i32", `%1 = ${address(layout)}\n${text}`)}`,
    expect: (context) => {
      const bits = 8 * context.layout.addressBytes;
      const target: Readonly<Record<string, bigint>> = {
        null: 0n,
        "the middle of a function": 0x1_0001n,
        "a number too high": 0x7fff_0000n,
        "all ones": BigInt.asUintN(bits, -1n),
        data: context.symbol("cell"),
      };
      return {
        outcome: "returned 77",
        instructions: AROUND + 2,
        memory: { info: [infoCells(context, { class: "access_fault", pc: 1, address: target[what] ?? context.pc("on_trap"), access: 3 })] },
      };
    },
  })),
);

// ------------------------------------------------------------------------------------------------------ guards and vectors

const SIMPLE_VECTOR = `
trap_vector @on_trap
func @on_trap () -> (i32) {
  reg %0:i32
  %0 = const.i32 9
  return %0
}`;

const mainGuard = (extra = ""): string => `
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32
  %0 = func_addr @body
  %1 = const.addr 5
  %2 = guard %0, %1
  ${extra}
  return %2
}`;

const RETURNS = `${mainGuard()}
data @out size 8 align 8 writable
func @body (addr) -> () {
  reg %1:addr
  %1 = symbol_addr @out
  store.addr %1, %0
  return
}`;

const UNWINDS_DEEP = `${mainGuard()}
func @body (addr) -> () {
  call @one, %0
  return
}
func @one (addr) -> () frame 32 {
  reg %1:addr, %2:i8
  %1 = const.addr 1
  %0 = sub.addr %0, %1
  %2 = ne.addr %0, %1
  if %2
    call @one, %0
  else
    call @two
  end
  return
}
func @two () -> () {
  reg %0:i32
  %0 = const.i32 -3
  unwind %0
}`;

/** The outer guard's status times 100 plus what the inner one gave. */
const NESTED = `${SIMPLE_VECTOR}
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32, %3:i32
  %0 = func_addr @outer
  %2 = guard %0, %1
  %3 = const.i32 100
  %2 = mul.i32 %2, %3
  %2 = add.i32 %2, %3
  return %2
}
func @outer (addr) -> () {
  reg %1:addr, %2:i32, %3:i32
  %1 = func_addr @inner
  %2 = guard %1, %0
  %3 = const.i32 20
  %3 = add.i32 %3, %2
  unwind %3
}
func @inner (addr) -> () {
  reg %1:i64
  trap breakpoint, %1
}`;

const KEEPS_REGISTERS = `${SIMPLE_VECTOR}
func @main () -> (i32, i64, i32) frame 16 {
  reg %0:addr, %1:addr, %2:i32, %3:i64, %4:i32, %5:addr
  %3 = const.i64 0x123456789
  %4 = const.i32 17
  %5 = frame_addr 0
  store.i32 %5, %4
  %0 = func_addr @body
  %2 = guard %0, %1
  %1 = frame_addr 0
  %0 = sub.addr %1, %5
  %4 = load.i32 %5
  %0 = zext.i32.addr %4
  %4 = trunc.addr.i32 %0
  return %2, %3, %4
}
func @body (addr) -> () frame 64 {
  reg %1:i32, %2:i32
  %2 = div_u.i32 %1, %1
  return
}`;

const VECTOR_UNWINDS = `
trap_vector @on_trap
${mainGuard()}
func @on_trap () -> (i32) {
  reg %0:i32
  %0 = const.i32 5
  call @leave, %0
  return %0
}
func @leave (i32) -> () {
  unwind %0
}
func @body (addr) -> () {
  reg %1:i64
  trap page_fault, %1
}`;

const STATUS_ZERO = `
trap_vector @on_trap
${mainGuard()}
func @on_trap () -> (i32) {
  reg %0:i32
  return %0
}
func @body (addr) -> () {
  reg %1:i64
  trap page_fault, %1
}`;

/** The vector enters a guard whose body traps too; that trap runs the vector again, one deeper, which only returns. */
const GUARD_IN_VECTOR = `
trap_vector @on_trap
data @depth size 4 align 4 writable
${mainGuard()}
func @on_trap () -> (i32) {
  reg %0:addr, %1:i32, %2:i32, %3:i8, %4:addr
  %0 = symbol_addr @depth
  %1 = load.i32 %0
  %2 = const.i32 1
  %2 = add.i32 %1, %2
  store.i32 %0, %2
  %2 = const.i32 3
  %3 = lt_u.i32 %1, %2
  if %3
    %4 = func_addr @body
    %1 = guard %4, %0
    %2 = const.i32 10
    %1 = add.i32 %1, %2
    return %1
  end
  return %2
}
func @body (addr) -> () {
  reg %1:i64
  trap bounds, %1
}`;

const TRAP_IN_VECTOR = `
trap_vector @on_trap
${mainGuard()}
func @on_trap () -> (i32) frame 16 {
  reg %0:i32, %1:i32
  %0 = div_u.i32 %0, %1
  return %0
}
func @body (addr) -> () {
  reg %1:i64
  %1 = const.i64 3
  trap bounds, %1
}`;

/** After the guard in the vector has ended, a trap in the vector is a double fault again. */
const TRAP_AFTER_GUARD_IN_VECTOR = `
trap_vector @on_trap
data @count size 4 align 4 writable
${mainGuard()}
func @on_trap () -> (i32) {
  reg %0:addr, %1:i32, %2:i32, %3:addr, %4:i64, %5:i8
  %0 = symbol_addr @count
  %2 = const.i32 1
  %1 = atomic_rmw.i32 add, %0, %2
  %5 = eq.i32 %1, %2
  if %5
    return %2
  end
  %3 = func_addr @body
  %2 = guard %3, %0
  trap fp_exception, %4
}
func @body (addr) -> () {
  reg %1:i64
  trap bounds, %1
}`;

const VECTOR_INFO = `
trap_vector @on_trap
${mainGuard("%3 = trap_info class\n%2 = trunc.i64.i32 %3").replace("%2:i32", "%2:i32, %3:i64")}
func @on_trap () -> (i32) {
  reg %0:addr, %1:addr, %2:i32
  %0 = func_addr @quiet
  %2 = guard %0, %1
  return %2
}
func @quiet (addr) -> () {
  reg %1:i64, %2:i8
  %1 = trap_info class
  return
}
func @body (addr) -> () {
  reg %1:i64
  trap machine_check, %1
}`;

const guards: readonly ConformanceCase[] = [
  {
    name: "a guard whose function returns gives 0",
    program: RETURNS,
    expect: { outcome: "returned 0", instructions: 7, memory: { out: [{ type: "addr", values: [5] }] } },
    layouts: [
      { addressBytes: 8, endian: "little" },
      { addressBytes: 8, endian: "big" },
    ],
  },
  { name: "unwind leaves all calls of the guard", program: UNWINDS_DEEP, expect: { outcome: "returned 4294967293", instructions: 4 + 1 + 4 * 5 + 2 } },
  { name: "the innermost guard gets the trap, the outer one the unwind", program: NESTED, expect: { outcome: "returned 3000", instructions: 6 + 5 + 1 + 3 } },
  {
    name: "registers, frame and SP of the guarding function are kept",
    program: KEEPS_REGISTERS,
    expect: { outcome: `returned 9, ${0x1_2345_6789}, 17`, instructions: 12 + 1 + 3 },
  },
  { name: "a trap vector may unwind", program: VECTOR_UNWINDS, expect: { outcome: "returned 5", instructions: 4 + 1 + 1 + 2 + 1 } },
  { name: "a trap vector may give status 0", program: STATUS_ZERO, expect: { outcome: "returned 0", instructions: 4 + 1 + 1 + 1 } },
  { name: "guards in trap vectors catch traps", program: GUARD_IN_VECTOR, expect: { outcome: "returned 33" } },
  {
    name: "a trap in a trap vector is a double fault",
    program: TRAP_IN_VECTOR,
    expect: { outcome: "double-fault divide_error on_trap:0, cpu0 sp top-208; first bounds body:1, value 3, cpu0 sp top-128", instructions: 3 + 2 + 1 + 1 },
  },
  {
    name: "a trap in a trap vector behind its guard is a double fault",
    program: TRAP_AFTER_GUARD_IN_VECTOR,
    // Frames: @main, @body, the vector; in its guard @body again.
    expect: {
      outcome: "double-fault fp_exception on_trap:9, cpu0 sp top-192; first bounds body:0, cpu0 sp top-256",
      instructions: 3 + 1 + 1 + 7 + 1 + 1 + 6 + 1,
    },
  },
  {
    name: "trap_info keeps the last trap",
    program: VECTOR_INFO,
    expect: { outcome: `returned ${TRAP_CLASSES.indexOf("machine_check")}`, instructions: 6 + 1 + 1 + 3 + 2 },
  },
  {
    name: "trap_info before any trap is none",
    program: `func @main () -> (i64, i64, i64, i64, i64, i64, i64) {\nreg %0:i64, %1:i64, %2:i64, %3:i64, %4:i64, %5:i64, %6:i64\n${["class", "pc", "address", "access", "width", "value", "sp"].map((field, index) => `%${index} = trap_info ${field}`).join("\n")}\nreturn %0, %1, %2, %3, %4, %5, %6\n}`,
    expect: { outcome: "returned 0, 0, 0, 0, 0, 0, 0", instructions: 8 },
  },
  {
    name: "a trap without a guard is unhandled, and its vector does not run",
    program: `${TRAP_VECTOR}\nfunc @main () -> () {\nreg %0:i32, %1:i32\n%0 = rem_s.i32 %0, %1\nreturn\n}`,
    expect: {
      outcome: "unhandled-trap divide_error main:0, cpu0 sp top-64",
      instructions: 1,
      memory: { info: [{ type: "i64", values: [0, 0, 0, 0, 0, 0, 0] }] },
    },
  },
  {
    name: "a trap without a vector is unhandled, guard or not",
    program: `${mainGuard()}\nfunc @body (addr) -> () {\nreg %1:i32\n%1 = load.i32 %0\nreturn\n}`,
    expect: { outcome: "unhandled-trap access_fault body:0, read4 0x5, cpu0 sp top-128", instructions: 4 },
  },
  {
    name: "unwind without a guard is unhandled",
    program: `${TRAP_VECTOR}\nfunc @main () -> () {\nreg %0:i32\n%0 = const.i32 -2\nunwind %0\n}`,
    expect: { outcome: "unhandled-trap unreachable main:1, value 4294967294, cpu0 sp top-64", instructions: 2 },
  },
  {
    name: "a guard that has ended catches nothing",
    program: `${SIMPLE_VECTOR}\n${mainGuard("%0 = const.addr 8\n%2 = load.i32 %0")}\nfunc @body (addr) -> () {\nreturn\n}`,
    expect: { outcome: "unhandled-trap access_fault main:4, read4 0x8, cpu0 sp top-64", instructions: 6 },
  },
];

// ---------------------------------------------------------------------------------------------------------- stack overflow

/** The stack has 16 KiB: @main and @body take 64 each, then @deep 64 + frame each until nothing fits. */
function overflow(frame: number): ConformanceCase {
  const each = Math.ceil((64 + frame) / 16) * 16;
  const calls = Math.floor((0x4000 - 128) / each);
  return {
    name: `stack_overflow with frames of ${frame} bytes`,
    program: `data @count size 4 align 4 writable
${guarded("", "call @deep")}
func @deep () -> () frame ${frame} {
  reg %0:addr, %1:i32, %2:i32
  %0 = symbol_addr @count
  %1 = load.i32 %0
  %2 = const.i32 1
  %1 = add.i32 %1, %2
  store.i32 %0, %1
  call @deep
  return
}`,
    expect: (context) => ({
      outcome: "returned 77",
      instructions: AROUND + 1 + calls * 6,
      memory: {
        count: [{ type: "i32", values: [calls] }],
        info: [infoCells(context, { class: "stack_overflow", pc: context.pc("deep", 5), depth: 128 + calls * each })],
      },
    }),
  };
}

const exactFit = (frame: number, outcome: string): ConformanceCase => ({
  name: `a frame of ${frame} bytes on a stack of 16 KiB`,
  program: `func @main () -> () {\ncall @big\nreturn\n}\nfunc @big () -> () frame ${frame} {\nreturn\n}`,
  expect: { outcome },
});

const DEEP_VECTOR = (frame: number): string => `
trap_vector @on_trap
${mainGuard()}
func @body (addr) -> () {
  call @body, %0
  return
}
func @on_trap () -> (i32) {
  reg %0:i32
  %0 = call @more
  return %0
}
func @more () -> (i32) frame ${frame} {
  reg %0:i32
  %0 = const.i32 6
  return %0
}`;

const OVERFLOW_IN_VECTOR_GUARD = `
trap_vector @on_trap
data @count size 4 align 4 writable
${mainGuard()}
func @body (addr) -> () {
  call @body, %0
  return
}
func @on_trap () -> (i32) {
  reg %0:addr, %1:i32, %2:i32, %3:addr
  %0 = symbol_addr @count
  %2 = const.i32 1
  %1 = atomic_rmw.i32 add, %0, %2
  block
    block
      br_table %1, 0, 1
    end
    %3 = func_addr @recover
    %2 = guard %3, %0
    br 0
  end
  %2 = add.i32 %2, %1
  return %2
}
func @recover (addr) -> () {
  call @large
  return
}
func @large () -> () frame 8192 {
  return
}`;

const overflows: readonly ConformanceCase[] = [
  overflow(0),
  overflow(1),
  overflow(1000),
  exactFit(0x4000 - 128, "returned"),
  exactFit(0x4000 - 127, "unhandled-trap stack_overflow main:0, cpu0 sp top-64"),
  {
    name: "the first function of a run may overflow the stack",
    program: "func @main () -> () frame 16384 {\nreturn\n}",
    expect: { outcome: "unhandled-trap stack_overflow main:0, cpu0 sp top-0", instructions: 0 },
  },
  {
    name: "guard of a function without stack traps into the outer guard",
    program: `${guarded("%1:addr, %2:i32", "%1 = func_addr @big\n%2 = guard %1, %0")}\nfunc @big (addr) -> () frame 65536 {\nreturn\n}`,
    expect: (context) => ({ outcome: "returned 77", instructions: AROUND + 2, memory: { info: [infoCells(context, { class: "stack_overflow", pc: 1 })] } }),
  },
  { name: "the trap vector has 8 KiB below the limit", program: DEEP_VECTOR(8192 - 128), expect: { outcome: "returned 6" } },
  {
    name: "overflowing the reserve is a double fault",
    program: DEEP_VECTOR(8192 - 112),
    expect: { outcome: "double-fault stack_overflow on_trap:0, cpu0 sp top-16448; first stack_overflow body:0, cpu0 sp top-16384" },
  },
  {
    name: "a vector whose frame does not fit into the reserve is a double fault",
    program: `trap_vector @on_trap\n${mainGuard()}\nfunc @body (addr) -> () {\ncall @body, %0\nreturn\n}\nfunc @on_trap () -> (i32) frame 8193 {\nreg %0:i32\nreturn %0\n}`,
    expect: { outcome: "double-fault stack_overflow body:0, cpu0 sp top-16384; first stack_overflow body:0, cpu0 sp top-16384" },
  },
  { name: "a guard in the vector catches its overflow of the reserve", program: OVERFLOW_IN_VECTOR_GUARD, expect: { outcome: "returned 2" } },
];

export const trapCases: readonly ConformanceCase[] = [
  ...raised,
  ...divisions,
  ...accessFaults,
  ...misalignedElsewhere,
  ...elsewhere,
  ...blockMoves,
  ...codeAddresses,
  ...guards,
  ...overflows,
];

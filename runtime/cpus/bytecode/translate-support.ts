// The fixed part of every translation: small wasm functions between guest code and the executor's imports. They write the exact
// fuel and 64-bit operands into cells, call JavaScript, and bring results and the new fuel back as wasm results, so that a cold
// path in guest code is one call. Also here: how JavaScript enters guest code.

import type { Signature } from "../../../isa/bytecode/module.ts";
import { bulk } from "./translate-support-blocks.ts";
import { addressType, callImport, pushCell, pushWide, storeCell, storeFuel, type SupportContext, type SupportFunction } from "./translate-support-cells.ts";
import { multiplyHighSigned, multiplyHighUnsigned } from "./translate-support-products.ts";
import { LIMIT_GLOBAL, STATE_MEMORY, trapNumber, valueType } from "./translate-context.ts";
import type { TranslationContext } from "./translate-context.ts";
import { I32, I64, OP, VOID, writeLocals } from "../wasm/encoder.ts";
import type { ByteWriter, ValueType } from "../wasm/encoder.ts";
import { CELL, FUNCTION_ENTRY_BYTES, IMPORTS, isWide } from "./wasm-state.ts";

/** sp, fuel, pc -> fuel. */
function polling(name: "poll" | "wait" | "relax"): SupportFunction {
  return {
    name,
    params: [I32, I32, I32],
    results: [I32],
    write(w) {
      storeFuel(w, 1);
      callImport(w, name, 0, 2);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  };
}

/** sp, fuel, time, pc -> fuel. */
const dozing: SupportFunction = {
  name: "doze",
  params: [I32, I32, I64, I32],
  results: [I32],
  write(w) {
    storeFuel(w, 1);
    storeCell(w, CELL.value, 2, I64);
    callImport(w, "doze", 0, 3);
    pushCell(w, OP.i32_load, CELL.fuel);
  },
};

/** sp, fuel, address, pc, access -> value, fuel. */
function loading(name: string, type: ValueType): SupportFunction {
  return {
    name,
    params: [I32, I32, "A", I32, I32],
    results: [type, I32],
    write(w, context) {
      storeFuel(w, 1);
      storeCell(w, CELL.address, 2, addressType(context));
      callImport(w, "load", 0, 3, 4);
      pushCell(w, type === I64 ? OP.i64_load : OP.i32_load, CELL.value);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  };
}

/** sp, fuel, address, pc, access, value -> fuel. */
function storing(name: string, type: ValueType): SupportFunction {
  return {
    name,
    params: [I32, I32, "A", I32, I32, type],
    results: [I32],
    write(w, context) {
      storeFuel(w, 1);
      storeCell(w, CELL.address, 2, addressType(context));
      storeCell(w, CELL.value, 5, type);
      callImport(w, "store", 0, 3, 4);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  };
}

/** sp, fuel, address, pc, access, operation, value, extra -> old value, fuel. */
function atomic(name: string, type: ValueType): SupportFunction {
  return {
    name,
    params: [I32, I32, "A", I32, I32, I32, type, type],
    results: [type, I32],
    write(w, context) {
      storeFuel(w, 1);
      storeCell(w, CELL.address, 2, addressType(context));
      storeCell(w, CELL.value, 6, type);
      storeCell(w, CELL.extra, 7, type);
      callImport(w, "atomic", 0, 3, 4, 5);
      pushCell(w, type === I64 ? OP.i64_load : OP.i32_load, CELL.value);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  };
}

/** sp, fuel, target, pc, signature -> index of the function. Traps unless it can be called. */
const target: SupportFunction = {
  name: "target",
  params: [I32, I32, "A", I32, I32],
  results: [I32],
  locals: [I32, I32],
  write(w, context) {
    const INDEX = 5;
    const ENTRY = 6;
    const count = context.module.functions.length;
    const refuse = (): void => {
      w.byte(OP.if);
      w.byte(VOID);
      storeFuel(w, 1);
      storeCell(w, CELL.address, 2, addressType(context));
      callImport(w, "bad_code_address", 0, 3);
      w.byte(OP.unreachable);
      w.byte(OP.end);
    };
    // Rotated right by 16, an instruction number or a high bit becomes a huge index.
    pushWide(w, context, 2);
    w.i64Const(16);
    w.byte(OP.i64_rotr);
    w.i64Const(1);
    w.byte(OP.i64_sub);
    w.i64Const(count);
    w.byte(OP.i64_ge_u);
    refuse();
    w.localGet(2);
    if (context.wideAddress) w.byte(OP.i32_wrap_i64);
    w.i32Const(16);
    w.byte(OP.i32_shr_u);
    w.i32Const(1);
    w.byte(OP.i32_sub);
    w.localTee(INDEX);
    w.i32Const(FUNCTION_ENTRY_BYTES);
    w.byte(OP.i32_mul);
    w.localTee(ENTRY);
    w.memory(OP.i32_load, STATE_MEMORY, context.state.functions);
    w.localGet(4);
    w.byte(OP.i32_ne);
    refuse();
    w.localGet(0);
    w.localGet(ENTRY);
    w.memory(OP.i32_load, STATE_MEMORY, context.state.functions + 4);
    w.byte(OP.global_get);
    w.u32(LIMIT_GLOBAL);
    w.byte(OP.i32_add);
    w.byte(OP.i32_lt_u);
    w.byte(OP.if);
    w.byte(VOID);
    w.localGet(0);
    w.localGet(1);
    w.localGet(3);
    w.i32Const(trapNumber("stack_overflow"));
    w.call(supportIndex("trap"));
    w.byte(OP.unreachable);
    w.byte(OP.end);
    w.localGet(INDEX);
  },
};

const SUPPORT: readonly SupportFunction[] = [
  polling("poll"),
  polling("wait"),
  polling("relax"),
  dozing,
  loading("load32", I32),
  loading("load64", I64),
  storing("store32", I32),
  storing("store64", I64),
  atomic("atomic32", I32),
  atomic("atomic64", I64),
  {
    // sp, fuel, pc, port, width -> value, fuel
    name: "port_in",
    params: [I32, I32, I32, I32, I32],
    results: [I32, I32],
    write(w) {
      storeFuel(w, 1);
      callImport(w, "port_in", 0, 2, 3, 4);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  },
  {
    // sp, fuel, pc, port, width, value -> fuel
    name: "port_out",
    params: [I32, I32, I32, I32, I32, I32],
    results: [I32],
    write(w) {
      storeFuel(w, 1);
      callImport(w, "port_out", 0, 2, 3, 4, 5);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  },
  bulk("mem_copy"),
  bulk("mem_fill"),
  {
    // sp, fuel, pc, class; does not return
    name: "trap",
    params: [I32, I32, I32, I32],
    results: [],
    write(w) {
      storeFuel(w, 1);
      w.i32Const(0);
      w.i64Const(0);
      w.memory(OP.i64_store, STATE_MEMORY, CELL.value);
      callImport(w, "trap", 0, 2, 3);
    },
  },
  {
    // sp, fuel, pc, class, value; does not return
    name: "trap_value",
    params: [I32, I32, I32, I32, I64],
    results: [],
    write(w) {
      storeFuel(w, 1);
      storeCell(w, CELL.value, 4, I64);
      callImport(w, "trap", 0, 2, 3);
    },
  },
  {
    // sp, fuel, function, argument, pc -> status, fuel
    name: "guard",
    params: [I32, I32, "A", "A", I32],
    results: [I32, I32],
    write(w, context) {
      storeFuel(w, 1);
      storeCell(w, CELL.address, 2, addressType(context));
      storeCell(w, CELL.value, 3, addressType(context));
      callImport(w, "guard", 0, 4);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  },
  {
    // sp, fuel, status, pc; does not return
    name: "unwind",
    params: [I32, I32, I32, I32],
    results: [],
    write(w) {
      storeFuel(w, 1);
      callImport(w, "unwind", 0, 3, 2);
    },
  },
  target,
  {
    // sp, fuel, pc -> state before, fuel
    name: "irq_enable",
    params: [I32, I32, I32],
    results: [I32, I32],
    write(w) {
      storeFuel(w, 1);
      callImport(w, "irq_enable", 0, 2);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  },
  {
    // fuel, mask -> mask before, fuel
    name: "irq_mask",
    params: [I32, I32],
    results: [I32, I32],
    write(w) {
      storeFuel(w, 0);
      callImport(w, "irq_mask", 1);
      pushCell(w, OP.i32_load, CELL.fuel);
    },
  },
  {
    // fuel -> time
    name: "time",
    params: [I32],
    results: [I64],
    write(w) {
      storeFuel(w, 0);
      callImport(w, "time");
      pushCell(w, OP.i64_load, CELL.value);
    },
  },
  {
    // field -> value
    name: "trap_info",
    params: [I32],
    results: [I64],
    write(w) {
      callImport(w, "trap_info", 0);
      pushCell(w, OP.i64_load, CELL.value);
    },
  },
  multiplyHighUnsigned,
  multiplyHighSigned(() => supportIndex("mulh_u64")),
];

const FIRST_SUPPORT = IMPORTS.length;
const indices = new Map(SUPPORT.map((entry, index) => [entry.name, index]));

export const SUPPORT_COUNT = SUPPORT.length;

/** Index of a support function: they come right behind the imports. */
export function supportIndex(name: string): number {
  const index = indices.get(name);
  if (index === undefined) throw new Error(`no support function ${name}`);
  return index + FIRST_SUPPORT;
}

export interface SupportType {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export function supportTypes(wideAddress: boolean): readonly SupportType[] {
  const concrete = (type: ValueType | "A"): ValueType => (type === "A" ? (wideAddress ? I64 : I32) : type);
  return SUPPORT.map((entry) => ({ name: entry.name, params: entry.params.map(concrete), results: entry.results }));
}

export function writeSupport(w: ByteWriter, context: SupportContext): void {
  for (const entry of SUPPORT) {
    const start = w.openSize();
    writeLocals(w, entry.locals ?? []);
    entry.write(w, context);
    w.byte(OP.end);
    w.closeSize(start);
  }
}

/** Writes the function that calls table entry `local 0` of a signature: stack pointer, fuel, arguments and results in cells. */
export function writeEntry(w: ByteWriter, context: TranslationContext, signature: Signature, type: number): void {
  const { layout } = context.module;
  const start = w.openSize();
  const results = signature.results.map((result) => valueType(context, result));
  const fuel = 1 + results.length;
  writeLocals(w, [...results, I32]);
  pushCell(w, OP.i32_load, CELL.sp);
  pushCell(w, OP.i32_load, CELL.fuel);
  signature.params.forEach((param, n) => pushCell(w, isWide(param, layout) ? OP.i64_load : OP.i32_load, CELL.args + 8 * n));
  w.localGet(0);
  w.byte(OP.call_indirect);
  w.u32(type);
  w.u32(0);
  w.localSet(fuel);
  for (let n = results.length - 1; n >= 0; n--) w.localSet(1 + n);
  results.forEach((result, n) => {
    w.i32Const(0);
    w.localGet(1 + n);
    w.memory(result === I64 ? OP.i64_store : OP.i32_store, STATE_MEMORY, CELL.args + 8 * n);
  });
  storeFuel(w, fuel);
  w.byte(OP.end);
  w.closeSize(start);
}

// Tier 0: writes the interpreter, one WebAssembly function that walks decoded entries (state.ts) and carries each out by a switch
// (emit-operation.ts). It is generated from the same description of the instructions as everything else, for one size of RAM. Every
// instruction takes one from the budget before it begins, so that a run ends exactly where it has to; a budget of 1 is a single step.
// Whatever is seldom leaves by one of three doors to TypeScript (a call that V8 must keep off the hot path): `cold` executes the
// instruction at hand as a whole, faults, devices and misses of the translation caches included; `page` finds the page of code at
// pc; `decode` fills an entry. Each door leaves pc and budget in their cells and reads them again afterwards: they may have changed.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { ByteWriter, EXTERNAL, FUNCREF, I32, I64, OP, SECTION, writeHeader, writeLocals, writeSection, type ValueType } from "../wasm/encoder.ts";
import { PAGE_MASK, RAM, readCell, wrapAddress, writeCell } from "./emit-memory.ts";
import {
  BUDGET,
  createBody,
  CUR,
  DOORS,
  emitPc,
  FUNCTION,
  NEXT,
  open,
  OPERATION,
  PAGE,
  PAGE_BASE,
  PC,
  SLOT,
  tellArrivals,
  TLB_BASE,
  TABLE,
  TYPE,
  type Body,
  type Door,
  type InterpreterOptions,
} from "./emit-body.ts";
import { writeEnter } from "./emit-enter.ts";
import { APART_PARAMETERS, emitDoor, emitEntryOf, emitOperation, isApart, writeApart } from "./emit-operation.ts";
import { hasOperation, operationNumber, operationsOf, type Operation } from "./operations.ts";
import { BUDGET as REGION_BUDGET, DEPTH, PC as REGION_PC } from "./regions/emit-instruction.ts";
import { emitIsCut } from "./regions/emit-chain.ts";
import { writeDecodeTable } from "./decode-table.ts";
import { writeDecode } from "./emit-decode.ts";
import { CELL, DECODER_OFFSET, ENTRY, TLB } from "./state.ts";

export const INTERPRETER_IMPORTS = "riscv64";
const FUNCTION_TYPE = 0x60;
const MUTABLE = 1;
/** Frequent computations. */
const FREQUENT = ["addi", "add", "addiw", "addw", "slli", "srli", "andi", "and", "or", "xor", "sub", "lui", "auipc", "sltu"] as const;
const ORDER: readonly Operation["kind"][] = ["load", "store", "jump-register", "compute"];

/**
 * Where an operation stands in the function, the frequent ones in front: V8's baseline code counts how far back a loop's turns jump, to
 * find out what is worth its other compiler, which needs long for this function.
 */
function placeOf(operation: Operation | undefined, isFrequent: boolean): number {
  if (operation === undefined) return ORDER.length + 1;
  const isNear = (operation.kind === "branch" || operation.kind === "jump") && operation.isNear;
  const place = isFrequent || isNear ? -1 : ORDER.indexOf(operation.kind);
  return isFrequent || isNear || place >= 0 ? place : ORDER.length;
}

function emitRun(body: Body): void {
  const { w, options } = body;
  const operations = operationsOf(options.width);
  readCell(w, options, OP.i32_load, CELL.budget);
  w.localSet(BUDGET);
  readCell(w, options, OP.i32_load, CELL.tlb);
  w.localSet(TLB_BASE);

  open(w, OP.block); // out
  open(w, OP.loop); // enter
  open(w, OP.block); // page
  readCell(w, options, OP.i64_load, CELL.pc);
  w.localTee(PC);
  w.byte(OP.i32_wrap_i64);
  w.withConst(12, OP.i32_shr_u);
  w.withConst(TLB.codeEntries - 1, OP.i32_and);
  w.withConst(TLB.entryBytes, OP.i32_mul);
  w.withLocal(TLB_BASE, OP.i32_add);
  w.localTee(SLOT);
  w.memory(OP.i64_load, RAM, TLB.code + TLB.tag);
  w.localGet(PC);
  w.i64Const(-(PAGE_MASK + 1));
  w.byte(OP.i64_and);
  w.localTee(PAGE);
  w.byte(OP.i64_ne);
  w.op(OP.br_if, 0);
  w.localGet(SLOT);
  w.memory(OP.i32_load, RAM, TLB.code + TLB.addend);
  w.localSet(PAGE_BASE);
  emitEntryOf(w, NEXT);
  tellArrivals(body);

  open(w, OP.block); // jump
  open(w, OP.block); // cold
  open(w, OP.loop); // next
  w.localGet(BUDGET);
  w.byte(OP.i32_eqz);
  open(w, OP.if);
  writeCell(w, options, OP.i64_store, CELL.pc, () => {
    emitPc(w, NEXT);
    wrapAddress(w, options);
  });
  // if, next, cold, jump, page, enter, out.
  w.op(OP.br, 6);
  w.byte(OP.end);
  w.localGet(BUDGET);
  w.withConst(1, OP.i32_sub);
  w.localSet(BUDGET);
  w.localGet(NEXT);
  w.localTee(CUR);
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.step);
  w.byte(OP.i32_add);
  w.localSet(NEXT);
  w.localGet(CUR);
  w.memory(OP.i32_load8_u, RAM, ENTRY.operation);
  w.localSet(OPERATION);

  open(w, OP.loop); // dispatch
  const inline = operations.flatMap((operation, number) => (operation.kind === "region" || !isApart(operation) ? [number] : []));
  const frequent = new Set(FREQUENT.flatMap((name) => (hasOperation(name, options.width) ? [operationNumber(name, options.width)] : [])));
  const place = (number: number): number => placeOf(operations[number], frequent.has(number));
  inline.sort((a, b) => place(a) - place(b));
  const labels = new Map(inline.map((number, label) => [number, label]));
  const count = inline.length + 1;
  for (let n = 0; n < count; n++) open(w, OP.block);
  w.localGet(OPERATION);
  w.byte(OP.br_table);
  w.u32(operations.length);
  for (let number = 0; number <= operations.length; number++) w.u32(labels.get(number) ?? count - 1);
  inline.forEach((number, index) => {
    w.byte(OP.end);
    const dispatch = count - 1 - index;
    const operation = operations[number];
    if (operation === undefined) throw new Error(`no operation ${number}`);
    emitOperation(body, operation, { dispatch, next: dispatch + 1, cold: dispatch + 2, jump: dispatch + 3, out: dispatch + 6 });
    body.giveBack();
  });
  w.byte(OP.end);
  for (const local of [CUR, NEXT, BUDGET, OPERATION]) w.localGet(local);
  w.op(OP.call_indirect, TYPE.apart);
  w.byte(TABLE.apart);
  // dispatch, next, cold.
  w.op(OP.br_if, 1);
  w.op(OP.br, 2);
  w.byte(OP.end); // dispatch
  w.byte(OP.unreachable);
  w.byte(OP.end); // next
  w.byte(OP.unreachable);
  w.byte(OP.end); // cold
  writeCell(w, options, OP.i64_store, CELL.pc, () => emitPc(w, CUR));
  // jump, page, enter, out.
  emitDoor(body, "cold", 3, 2);
  w.byte(OP.end); // jump
  writeCell(w, options, OP.i64_store, CELL.pc, () => w.localGet(PC));
  w.op(OP.br, 1);
  w.byte(OP.end); // page
  emitDoor(body, "page", 1, 0);
  w.byte(OP.end); // enter
  w.byte(OP.unreachable);
  w.byte(OP.end); // out
  writeCell(w, options, OP.i32_store, CELL.budget, () => w.localGet(BUDGET));
  w.byte(OP.end);
}

/** The function of an address that has no region: what was called goes on in the dispatcher. */
function writeAbsent(): ByteWriter {
  const w = new ByteWriter(0x40);
  writeLocals(w, []);
  w.localGet(REGION_PC);
  emitIsCut(w, DEPTH);
  w.byte(OP.i64_extend_i32_u);
  w.byte(OP.i64_or);
  w.localGet(REGION_BUDGET);
  w.byte(OP.end);
  return w;
}

/** In the order of `TYPE`. */
const TYPES: readonly (readonly [parameters: readonly ValueType[], results: readonly ValueType[]])[] = [
  [[I32], [I32]],
  [[], [I32]],
  [[], []],
  [[I32, I32, I32], [I32]],
  [
    [I32, I32, I64],
    [I64, I32],
  ],
  [
    [I64, I32],
    [I64, I32],
  ],
  [APART_PARAMETERS, [I32]],
  [[I32, I32, I32], [I32]],
];

function writeTypes(section: ByteWriter): void {
  section.u32(TYPES.length);
  for (const lists of TYPES) {
    section.byte(FUNCTION_TYPE);
    for (const list of lists) {
      section.u32(list.length);
      for (const type of list) section.byte(type);
    }
  }
}

const DOOR_TYPES: Readonly<Record<Door, number>> = {
  cold: TYPE.door,
  page: TYPE.page,
  decode: TYPE.door,
  breakpoint: TYPE.door,
  region: TYPE.door,
  hot: TYPE.hot,
  prepare: TYPE.door,
};

/**
 * The interpreter as a module: exports `run`, which executes until the budget is spent or a door says stop, and `absent`, for all places
 * of the table of regions that have none.
 */
export function writeInterpreter(options: InterpreterOptions): Uint8Array<ArrayBuffer> {
  const code = new ByteWriter(0x8000);
  const body = createBody(code, options);
  emitRun(body);

  const w = new ByteWriter(code.length + 0x400);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => {
    writeTypes(section);
  });
  writeSection(w, SECTION.import, (section) => {
    section.u32(DOORS.length + 3);
    for (const door of DOORS) {
      section.name(INTERPRETER_IMPORTS);
      section.name(door);
      section.byte(EXTERNAL.function);
      section.u32(DOOR_TYPES[door]);
    }
    importMemory(section);
    importTable(section, "regions");
    importTable(section, "apart");
  });
  writeSection(w, SECTION.function, (section) => {
    section.u32(3);
    section.u32(TYPE.run);
    section.u32(TYPE.region);
    section.u32(TYPE.decode);
  });
  writeSection(w, SECTION.global, (section) => {
    section.u32(1);
    section.byte(I32);
    section.byte(MUTABLE);
    section.i32Const(0);
    section.byte(OP.end);
  });
  writeSection(w, SECTION.export, (section) => {
    section.u32(3);
    for (const name of ["run", "absent", "decodeHere"] as const) {
      section.name(name);
      section.byte(EXTERNAL.function);
      section.u32(FUNCTION[name]);
    }
  });
  const run = new ByteWriter(code.length + 0x40);
  writeLocals(run, body.locals());
  run.append(code.view());
  writeCode(w, [run, writeAbsent(), writeDecode(options)]);
  writeSection(w, SECTION.data, (section) => {
    const table = writeDecodeTable(options.width);
    section.u32(1);
    // Into the memory, when the module is instantiated.
    section.byte(0);
    section.i32Const(options.stateOffset + DECODER_OFFSET);
    section.byte(OP.end);
    section.u32(table.length);
    section.append(table);
  });
  return w.view();
}

function writeCode(w: ByteWriter, functions: readonly ByteWriter[]): void {
  writeSection(w, SECTION.code, (section) => {
    section.u32(functions.length);
    for (const code of functions) {
      const start = section.openSize();
      section.append(code.view());
      section.closeSize(start);
    }
  });
}

/** Operations apart as a module, which exports each by its number. */
export function writeOperations(options: InterpreterOptions, numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const all = operationsOf(options.width);
  const operations = numbers.map((number) => {
    const operation = all[number];
    if (operation === undefined) throw new Error(`no operation ${number}`);
    return operation;
  });
  const w = new ByteWriter(0x400);
  writeHeader(w);
  writeSection(w, SECTION.type, writeTypes);
  writeSection(w, SECTION.import, (section) => {
    section.u32(2);
    importMemory(section);
    importTable(section, "regions");
  });
  writeSection(w, SECTION.function, (section) => {
    section.u32(operations.length);
    for (const { kind } of operations) section.u32(kind === "region" ? TYPE.enter : TYPE.apart);
  });
  writeSection(w, SECTION.export, (section) => {
    section.u32(operations.length);
    numbers.forEach((number, index) => {
      section.name(`${number}`);
      section.byte(EXTERNAL.function);
      section.u32(index);
    });
  });
  writeCode(
    w,
    operations.map((operation) => (operation.kind === "region" ? writeEnter(options) : writeApart(options, operation))),
  );
  return w.view();
}

/** Those that are apart. */
export const operationsApart = (width: RegisterWidth): readonly number[] =>
  [...operationsOf(width).entries()].filter(([, operation]) => isApart(operation)).map(([number]) => number);

function importMemory(section: ByteWriter): void {
  section.name(INTERPRETER_IMPORTS);
  section.name("memory");
  section.byte(EXTERNAL.memory);
  section.byte(0);
  section.u32(1);
}

function importTable(section: ByteWriter, name: "regions" | "apart"): void {
  section.name(INTERPRETER_IMPORTS);
  section.name(name);
  section.byte(EXTERNAL.table);
  section.byte(FUNCREF);
  section.byte(0);
  section.u32(1);
}

// What every native target must have, checked over the list of targets and the bytecode's instruction table: a lowering for each
// instruction in each of its types, wherever its operands are, and a register file that keeps the promises of docs/native.md. What the
// code then does is compared with the interpreter by tests/native.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findInstruction, INSTRUCTIONS, type InstructionRow } from "../../isa/bytecode/instructions.ts";
import { BYTECODE_VERSION, type BytecodeFunction, type Instruction, type Module, type ScalarType } from "../../isa/bytecode/module.ts";
import { verifyModule } from "../../isa/bytecode/verify.ts";
import { LIBRARY_OPERATIONS } from "../native/index.ts";
import { missingOperations } from "../native/lower-error.ts";
import { bitsOf } from "../native/operands.ts";
import { lowerModule } from "../native/lower-module.ts";
import type { NativeTarget } from "../native/target.ts";
import { hasNativeTarget, loadNativeTarget } from "./index.ts";
import { NATIVE_TARGET_NAMES } from "./names.ts";

const TARGETS: readonly NativeTarget[] = (await Promise.all(NATIVE_TARGET_NAMES.map(loadNativeTarget))).filter((target) => target !== null);

const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];

/** Their operands are as a signature or a block says: `special` below has them. */
const SPECIAL: ReadonlySet<string> = new Set(["call", "call_indirect", "guard", "unwind", "return", "trap", "sys", "asm"]);

/** Instructions that the shared back end places by itself. */
const DRIVEN: ReadonlySet<string> = new Set(["const", "copy", "symbol_addr", "frame_addr", "func_addr"]);

function isLibrary(target: NativeTarget, op: string, type: ScalarType | undefined): boolean {
  return [op, `${op}.${type ?? ""}`].some((name) => name in LIBRARY_OPERATIONS || name in target.libraryOperations);
}

interface Variant {
  readonly row: InstructionRow;
  readonly type: ScalarType | undefined;
  readonly to: ScalarType | undefined;
}

/** Conversions go to types that are at least (zext, sext) or at most (trunc) as wide. */
function conversions(row: InstructionRow, type: ScalarType): readonly ScalarType[] {
  return TYPES.filter((to) => (row.name === "trunc" ? bitsOf(to) <= bitsOf(type) : bitsOf(to) >= bitsOf(type)));
}

function variantsOf(row: InstructionRow): readonly Variant[] {
  const types: readonly (ScalarType | undefined)[] = row.types ?? [undefined];
  return types.flatMap((type): readonly Variant[] => {
    if (type === undefined || !row.dst.includes("U")) return [{ row, type, to: undefined }];
    return conversions(row, type).map((to) => ({ row, type, to }));
  });
}

const COMPUTING: readonly Variant[] = INSTRUCTIONS.filter(({ name, structure }) => structure === undefined && !SPECIAL.has(name)).flatMap(variantsOf);

function nameOf({ row, type, to }: Variant): string {
  return [row.name, type, to].filter((part) => part !== undefined).join(".");
}

function operandType(notation: string, { type, to }: Variant): ScalarType {
  if (notation === "T") return type ?? "i64";
  if (notation === "U") return to ?? "i64";
  return notation === "b" ? "i8" : (TYPES.find((each) => each === notation) ?? "i64");
}

const IMMEDIATES: Readonly<Record<string, bigint | number>> = { constant: -7n, u32: 8, function: 0, symbol: 0, offset: 4, rmw: 1, "trap-field": 2 };

/** Where an instruction finds its operands. */
type Place = "parameters" | "constants" | "memory";

/** More values than any target has registers. */
const CROWD = 40;

const instruction = (op: string, fields: Partial<Instruction>): Instruction => ({ op, dst: [], src: [], imm: [], at: 0, ...fields });

/** A function of this one instruction, whose operands and result are all used. */
function functionFor(variant: Variant, place: Place): BytecodeFunction {
  const { row, type, to } = variant;
  const operands = row.src.map((notation) => operandType(notation, variant));
  const results = row.dst.map((notation) => operandType(notation, variant));
  const params = place === "constants" ? [] : operands;
  const registers: ScalarType[] = [...params];
  const add = (of: ScalarType): number => registers.push(of) - 1;
  const body: Instruction[] = [];
  const src = operands.map((of, index) => {
    if (place !== "constants") return index;
    const register = add(of);
    body.push(instruction("const", { type: of, dst: [register], imm: [8n] }));
    return register;
  });
  // Values that live across the instruction and are summed up behind it leave no register for its operands.
  const crowd = place === "memory" ? Array.from({ length: CROWD }, () => add("i64")) : [];
  for (const register of crowd) body.push(instruction("call", { dst: [register], imm: [1] }));
  const dst = results.map(add);
  const imm = row.imm.map((kind) => IMMEDIATES[kind] ?? 0);
  body.push(instruction(row.name, { ...(type === undefined ? {} : { type }), ...(to === undefined ? {} : { to }), dst, src, imm }));
  const sum = crowd.length === 0 ? null : add("i64");
  for (const register of crowd) if (sum !== null) body.push(instruction("add", { type: "i64", dst: [sum], src: [sum, register] }));
  const returned = sum === null ? dst : [...dst, sum];
  body.push(instruction("return", { src: returned }));
  return { name: "tested", signature: { params, results: returned.map((register) => registers[register] ?? "i64") }, registers, frameSize: 16, body };
}

const CALLED: BytecodeFunction = {
  name: "called",
  signature: { params: [], results: ["i64"] },
  registers: ["i64"],
  frameSize: 0,
  body: [instruction("return", { src: [0] })],
};

function moduleOf(tested: BytecodeFunction): Module {
  return {
    version: BYTECODE_VERSION,
    layout: { addressBytes: 8, endian: "little" },
    functions: [tested, CALLED],
    symbols: [{ name: "data", size: 64, align: 8, writable: true, bytes: new Uint8Array(), relocations: [] }],
    signatures: [],
    files: ["a.gspec"],
    locations: [{ file: 0, line: 1, column: 1 }],
    assembly: [],
    exports: [],
    trapVector: -1,
    interruptVector: -1,
  };
}

test("every name of a target has its record, and no other has", async () => {
  assert.equal(await loadNativeTarget("vax"), null);
  assert.deepEqual(
    TARGETS.map(({ name }) => name),
    NATIVE_TARGET_NAMES,
  );
  assert.ok(!hasNativeTarget("vax"));
});

for (const target of TARGETS) {
  const { registers } = target;

  test(`${target.name}: nothing is left to write`, () => assert.deepEqual(missingOperations(target), []));

  test(`${target.name}: every instruction lowers, in every type, or is a function of the library`, () => {
    const lacking = COMPUTING.filter(({ row, type }) => !(row.name in target.lower) && !isLibrary(target, row.name, type) && !DRIVEN.has(row.name)).map(nameOf);
    assert.deepEqual(lacking, []);
  });

  for (const place of ["parameters", "constants", "memory"] as const) {
    test(`${target.name}: code for every instruction with operands in ${place}`, () => {
      for (const variant of COMPUTING) {
        if (isLibrary(target, variant.row.name, variant.type)) continue;
        const module = moduleOf(functionFor(variant, place));
        assert.deepEqual(verifyModule(module), [], nameOf(variant));
        const [code] = lowerModule(module, target).functions;
        assert.ok(code !== undefined && code.code.length > 0, nameOf(variant));
        assert.equal(code.code.length % target.alignment, 0, `${nameOf(variant)} is whole instructions`);
      }
    });
  }

  test(`${target.name}: registers have one task each`, () => {
    const { names, changed, kept, scratch } = registers;
    const values = [...changed, ...kept];
    assert.equal(new Set(values).size, values.length, "no register is in both lists, or twice");
    assert.ok(!values.includes(scratch), "the scratch register holds no value");
    for (const list of [registers.arguments, registers.results]) {
      assert.equal(new Set(list).size, list.length);
      assert.ok(
        list.every((register) => !kept.includes(register)),
        "a callee may change what it is given and what it gives",
      );
    }
    assert.ok(
      !kept.includes(target.codeRegister) && !registers.arguments.includes(target.codeRegister),
      "arguments are moved while the callee's address is held",
    );
    assert.ok([...values, scratch].every((register) => register in names));
  });

  test(`${target.name}: registers are found by their names`, () => {
    for (const register of [...registers.changed, ...registers.kept]) {
      const name = registers.names[register];
      assert.ok(name !== undefined);
      assert.equal(target.registerNumber(name), register, name);
    }
    assert.equal(target.registerNumber("no_register"), undefined);
  });

  test(`${target.name}: constants have one form in a register`, () => {
    for (const type of TYPES) {
      const bits = bitsOf(type);
      for (const value of [0n, 1n, -1n, 0x7fn, 0x80n, 0x7fff_ffffn, 0x8000_0000n, -0x8000_0000n, (1n << BigInt(bits)) - 1n, -(1n << BigInt(bits - 1))]) {
        const held = target.canonical(value, type);
        assert.equal(target.canonical(held, type), held);
        assert.equal(BigInt.asUintN(bits, held), BigInt.asUintN(bits, value), `${value} as ${type}`);
        assert.equal(target.canonical(BigInt.asUintN(bits, value), type), target.canonical(BigInt.asIntN(bits, value), type), `${value} as ${type}`);
      }
    }
  });

  test(`${target.name}: library operations name instructions, and functions of the library`, () => {
    for (const [name, library] of Object.entries({ ...LIBRARY_OPERATIONS, ...target.libraryOperations })) {
      const [op = "", type] = name.split(".");
      const row = findInstruction(op);
      assert.ok(row !== undefined, name);
      if (type !== undefined)
        assert.ok(
          row.types?.some((each) => each === type),
          name,
        );
      assert.match(library, /^(?:native|platform)\.[a-z0-9_]+$/);
    }
  });
}

// Registers of devices: accessed once, as wide as declared, in the space their block names; a field of one is read whole and cut out.

import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { ScalarType } from "../../isa/bytecode/module.ts";
import type { HExpr } from "../hir.ts";
import { one } from "../short-lists.ts";
import { bitsOf } from "../types.ts";
import type { FunctionBuilder } from "./function-builder.ts";

export interface RegisterAddress {
  readonly address: number;
  readonly space: { readonly known: number } | { readonly register: number };
  readonly type: ScalarType;
}

function inSpace(b: FunctionBuilder, at: RegisterAddress, memory: () => void, ports: () => void): void {
  if ("known" in at.space) {
    if (at.space.known === 0) memory();
    else ports();
    return;
  }
  const isPort = b.binary("ne", "i32", at.space.register, b.constant("i32", 0n));
  b.open("if", isPort);
  ports();
  b.otherwise();
  memory();
  b.close();
}

export function readRegister(b: FunctionBuilder, at: RegisterAddress): number {
  const dst = b.temp(at.type);
  inSpace(
    b,
    at,
    () => b.emit("load_volatile", { type: at.type, dst: one(dst), src: one(at.address), imm: one(0) }),
    () => portAccess(b, at, (port) => b.emit("port_in", { type: at.type, dst: one(dst), src: [port] })),
  );
  return dst;
}

export function writeRegister(b: FunctionBuilder, at: RegisterAddress, value: number): void {
  inSpace(
    b,
    at,
    () => b.emit("store_volatile", { type: at.type, src: [at.address, value], imm: [0] }),
    () => portAccess(b, at, (port) => b.emit("port_out", { type: at.type, src: [port, value] })),
  );
}

const ILLEGAL_INSTRUCTION = TRAP_CLASSES.indexOf("illegal_instruction");

/** No machine has an instruction for a 64-bit port: a block with such registers, put into port space at run time, traps. */
function portAccess(b: FunctionBuilder, at: RegisterAddress, access: (port: number) => void): void {
  if (at.type === "i64" || at.type === "addr") b.emit("trap", { src: [b.convert(at.address, "addr", "i64", false)], imm: [ILLEGAL_INSTRUCTION] });
  else access(b.convert(at.address, "addr", "i16", false));
}

/** Bits `high..low` of a register's value, moved down. */
export function extractField(b: FunctionBuilder, type: ScalarType, value: number, field: { readonly high: number; readonly low: number }): number {
  const shifted = field.low === 0 ? value : b.binary("shr_u", type, value, b.constant(type, BigInt(field.low)));
  return b.binary("and", type, shifted, b.constant(type, (1n << BigInt(field.high - field.low + 1)) - 1n));
}

const actsOnOnes = (field: { readonly access: string }): boolean => field.access === "w1c" || field.access === "w1s";

/** Writes one field: the others keep their value, or get zeros where writing ones has an effect. `read`: the register, if it has been read. */
export function writeField(b: FunctionBuilder, expr: HExpr & { kind: "register-field" }, at: RegisterAddress, value: number, read: number | null = null): void {
  const { field, register } = expr;
  const bits = bitsOf(register.type, b.module.layout);
  const bitsIn = ({ high, low }: { readonly high: number; readonly low: number }): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
  const ones = bitsIn(field);
  const shifted = b.binary("shl", at.type, value, b.constant(at.type, BigInt(field.low)));
  const placed = b.binary("and", at.type, shifted, b.constant(at.type, ones));
  const acts = actsOnOnes(field) || register.access === "wo" || field.access === "wo";
  if (acts) {
    writeRegister(b, at, placed);
    return;
  }
  const kept = register.fields.reduce((mask, other) => (actsOnOnes(other) ? mask & ~bitsIn(other) : mask), ~ones);
  const mask = BigInt.asUintN(bits, kept);
  const others = b.binary("and", at.type, read ?? readRegister(b, at), b.constant(at.type, mask));
  writeRegister(b, at, b.binary("or", at.type, others, placed));
}

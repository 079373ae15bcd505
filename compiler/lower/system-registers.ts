// System registers to `sys` instructions: reads, writes, and where the target can change single bits in one instruction, `|=` and
// `&=` become that, so that an interrupt in between loses nothing.

import { SYS_ISAS } from "../../isa/bytecode/instructions.ts";
import { asInteger } from "../check/constants.ts";
import type { HExpr, HPlace, HStmt } from "../hir.ts";
import { arithmetic, lowerScalar } from "./expressions.ts";
import type { FunctionBuilder } from "./function-builder.ts";

type SystemRegister = HPlace & { kind: "system-register" };

function system(b: FunctionBuilder, { registers: { isa } }: SystemRegister, number: number, registers: { readonly dst?: number; readonly src?: number }): void {
  const { dst, src } = registers;
  b.emit("sys", { dst: dst === undefined ? [] : [dst], src: src === undefined ? [] : [src], imm: [SYS_ISAS.indexOf(isa), number] });
}

export function readSystemRegister(b: FunctionBuilder, place: SystemRegister): number {
  const dst = b.temp("i64");
  system(b, place, place.registers.operations.read(place.number), { dst });
  return dst;
}

export function writeSystemRegister(b: FunctionBuilder, place: SystemRegister, value: number): void {
  system(b, place, place.registers.operations.write(place.number), { src: value });
}

export function updateSystemRegister(b: FunctionBuilder, statement: HStmt & { kind: "update" }, place: SystemRegister): void {
  const { op, value } = statement;
  const { set, clear } = place.registers.operations;
  b.span = statement.span;
  if (op === "|" && set !== undefined) {
    const mask = lowerScalar(b, value);
    b.span = statement.span;
    system(b, place, set(place.number), { src: mask });
  } else if (op === "&" && clear !== undefined) {
    const mask = lowerComplement(b, value);
    b.span = statement.span;
    system(b, place, clear(place.number), { src: mask });
  } else {
    const before = readSystemRegister(b, place);
    const after = arithmetic(b, op, place.type, before, lowerScalar(b, value));
    b.span = statement.span;
    writeSystemRegister(b, place, after);
  }
}

/** The bits that `&= value` clears. */
function lowerComplement(b: FunctionBuilder, value: HExpr): number {
  if (value.kind === "unary" && value.op === "~") return lowerScalar(b, value.operand);
  const known = value.kind === "const" ? asInteger(value.value) : null;
  return known === null ? b.unary("not", "i64", lowerScalar(b, value)) : b.constant("i64", BigInt.asUintN(64, ~known));
}

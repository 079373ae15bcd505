// An `asm` block to one instruction: operands become 64-bit registers as their types extend, results are cut to their places' types
// and assigned after the block, in the order in which they are written. Places are worked out before it, as in any assignment
// that reads its target.

import type { HPlace, HStmt } from "../hir.ts";
import { scalarOf, type Type } from "../types.ts";
import { isSigned } from "./arithmetic.ts";
import { extractField, readRegister, writeField, writeRegister } from "./device-registers.ts";
import { lowerPlace, lowerRegisterAddress, lowerScalar } from "./expressions.ts";
import type { FunctionBuilder } from "./function-builder.ts";
import { isRegister, readPlace, writePlace } from "./places.ts";
import { readSystemRegister, writeSystemRegister } from "./system-registers.ts";

export function lowerAsm(b: FunctionBuilder, statement: HStmt & { kind: "asm" }): void {
  const inputs: { readonly name: string; readonly register: number }[] = [];
  const outputs: { readonly name: string; readonly register: number; readonly assign: (value: number) => void; readonly type: Type }[] = [];
  for (const operand of statement.operands) {
    if (operand.kind === "in") {
      inputs.push({ name: operand.register, register: toWide(b, operand.value.type, lowerScalar(b, operand.value)) });
      continue;
    }
    const { read, assign } = lowerTarget(b, operand.place);
    const { type } = operand.place;
    if (operand.kind === "inout") inputs.push({ name: operand.register, register: toWide(b, type, read()) });
    outputs.push({ name: operand.register, register: b.temp("i64"), assign, type });
  }
  const { isa, bytes, clobbers, memory } = statement;
  const lines = statement.lines.map(({ offset, span }) => ({ offset, location: b.module.location(span) }));
  const names = (operands: readonly { readonly name: string }[]): readonly string[] => operands.map(({ name }) => name);
  const block = b.module.addAssembly({ isa, bytes, inputs: names(inputs), outputs: names(outputs), clobbers, memory, lines });
  b.span = statement.span;
  b.emit("asm", { dst: outputs.map(({ register }) => register), src: inputs.map(({ register }) => register), imm: [block] });
  for (const { register, assign, type } of outputs) {
    b.span = statement.span;
    assign(fromWide(b, type, register));
  }
}

interface Target {
  readonly read: () => number;
  readonly assign: (value: number) => void;
}

function lowerTarget(b: FunctionBuilder, target: HPlace): Target {
  if (isRegister(target)) {
    const at = lowerRegisterAddress(b, target);
    return {
      read: () => (target.kind === "register" ? readRegister(b, at) : extractField(b, at.type, readRegister(b, at), target.field)),
      assign: (value) => (target.kind === "register-field" ? writeField(b, target, at, value) : writeRegister(b, at, value)),
    };
  }
  if (target.kind === "system-register") return { read: () => readSystemRegister(b, target), assign: (value) => writeSystemRegister(b, target, value) };
  const place = lowerPlace(b, target);
  return {
    read: () => readPlace(b, target.type, place)[0] ?? 0,
    assign: (value) => writePlace(b, target.type, place, [value]),
  };
}

function toWide(b: FunctionBuilder, type: Type, value: number): number {
  return b.convert(value, scalarOf(type), "i64", isSigned(type));
}

/** A `bool` is true when anything is in the register. */
function fromWide(b: FunctionBuilder, type: Type, register: number): number {
  if (type.kind === "bool") return b.binary("ne", "i64", register, b.constant("i64", 0n));
  return b.convert(register, "i64", scalarOf(type), false);
}

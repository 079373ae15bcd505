// Constants in registers: a number as it is, and of whatever has contents the address of read-only data (data.ts).

import { asInteger } from "../check/constants.ts";
import type { ConstValue } from "../hir.ts";
import { isAggregate, registersOf, scalarOf, type Type } from "../types.ts";
import { sliceContents } from "./data.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";

export function lowerConstant(b: FunctionBuilder, type: Type, value: ConstValue): Value {
  if (type.kind === "str" || type.kind === "slice") {
    const { symbol, length } = sliceContents(b.module, type, value);
    return [symbol === null ? b.constant("addr", 0n) : b.symbolAddress(symbol), b.constant("addr", BigInt(length))];
  }
  if (isAggregate(type)) return [b.symbolAddress(b.module.dataSymbol("const.value", type, value))];
  if (type.kind === "interface" || type.kind === "regs") return registersOf(type).map((scalar) => b.constant(scalar, 0n));
  if (type.kind === "fn" && value.kind === "function") return [b.functionAddress(b.module.functionOfDeclared(value.function))];
  return [b.constant(scalarOf(type), asInteger(value) ?? 0n)];
}

// `==` on whatever has contents: scalars by register, text and memory without padding byte by byte through the library, structs
// field by field, and lists of such structs element by element.

import type { DataLayout } from "../../isa/bytecode/module.ts";
import { registersOf, scalarOf, sizeOf, U8, type Type } from "../types.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { loadFrom, scaled } from "./guest-memory.ts";

/** Equal values have equal bytes, and the other way round. */
function comparesByBytes(type: Type, layout: DataLayout): boolean {
  switch (type.kind) {
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "fn":
      return true;
    case "array":
      return comparesByBytes(type.element, layout);
    case "struct":
      return (
        type.fields.every((field) => comparesByBytes(field.type, layout)) &&
        type.fields.reduce((sum, field) => sum + sizeOf(field.type, layout).size, 0) === type.size
      );
    case "slice":
    case "str":
    case "interface":
    case "regs":
    case "void":
    case "comptime-int":
    case "error":
      return false;
  }
}

function equalBytes(b: FunctionBuilder, left: number, right: number, size: number): number {
  return b.callRuntime("text.equal_bytes", [left, size, right, size], ["i8"])[0] ?? 0;
}

/** The i8 register that holds whether two values of a type are equal. */
export function lowerEquality(b: FunctionBuilder, type: Type, left: Value, right: Value): number {
  const { layout } = b.module;
  switch (type.kind) {
    case "str":
      return equalLists(b, U8, left, right);
    case "slice":
      return equalLists(b, type.element, left, right);
    case "array": {
      const length = b.constant("addr", BigInt(type.length));
      return equalLists(b, type.element, [left[0] ?? 0, length], [right[0] ?? 0, length]);
    }
    case "struct": {
      if (comparesByBytes(type, layout)) return equalBytes(b, left[0] ?? 0, right[0] ?? 0, b.constant("addr", BigInt(type.size)));
      const equal = b.temp("i8");
      b.emit("const", { type: "i8", dst: [equal], imm: [1n] });
      for (const field of type.fields) {
        b.open("if", equal);
        const x = loadFrom(b, field.type, left[0] ?? 0, field.offset);
        const y = loadFrom(b, field.type, right[0] ?? 0, field.offset);
        b.copy("i8", equal, lowerEquality(b, field.type, x, y));
        b.close();
      }
      return equal;
    }
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "interface":
    case "fn":
    case "regs":
    case "void":
    case "comptime-int":
    case "error":
      return registersOf(type).length === 0 ? b.constant("i8", 1n) : b.binary("eq", scalarOf(type), left[0] ?? 0, right[0] ?? 0);
  }
}

function equalLists(b: FunctionBuilder, element: Type, left: Value, right: Value): number {
  const { size } = sizeOf(element, b.module.layout);
  const equal = b.temp("i8");
  b.copy("i8", equal, b.binary("eq", "addr", left[1] ?? 0, right[1] ?? 0));
  b.open("if", equal);
  if (comparesByBytes(element, b.module.layout)) {
    b.copy("i8", equal, equalBytes(b, left[0] ?? 0, right[0] ?? 0, scaled(b, left[1] ?? 0, size)));
  } else {
    b.countedLoop(left[1] ?? 0, (index, done) => {
      const at = scaled(b, index, size);
      const x = loadFrom(b, element, b.binary("add", "addr", left[0] ?? 0, at), 0);
      const y = loadFrom(b, element, b.binary("add", "addr", right[0] ?? 0, at), 0);
      b.copy("i8", equal, lowerEquality(b, element, x, y));
      b.branchIf(b.isZero(equal), done);
    });
  }
  b.close();
  return equal;
}

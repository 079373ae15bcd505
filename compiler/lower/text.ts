// Text with holes: pieces printed one after the other by the library's formatter, into whatever it prints to now (the console, or
// a report frame). Values print as their type reads: members by name, structs by field, bytes as hex.

import type { Text } from "../hir.ts";
import { bitsOf, isAggregate, scalarOf, sizeOf, type Type } from "../types.ts";
import { isSigned } from "./arithmetic.ts";
import { lowerExpr } from "./expressions.ts";
import type { FunctionBuilder, Value } from "./function-builder.ts";
import { loadFrom, scaled } from "./guest-memory.ts";

export function lowerText(b: FunctionBuilder, text: Text): void {
  for (const part of text.parts) {
    if (part.kind === "text") putText(b, part.text);
    else putValue(b, part.expr.type, lowerExpr(b, part.expr), part.format);
  }
}

export function putText(b: FunctionBuilder, text: string): void {
  if (text === "") return;
  const bytes = new TextEncoder().encode(text);
  b.callRuntime("format.put", [b.symbolAddress(b.module.bytesSymbol(bytes)), b.constant("addr", BigInt(bytes.length))]);
}

/** A value as its type reads. */
export function putValue(b: FunctionBuilder, type: Type, value: Value, format: string | null): void {
  const { layout } = b.module;
  const wide = (): number => b.convert(value[0] ?? 0, scalarOf(type), "i64", isSigned(type));
  const unsigned = (): number => b.convert(value[0] ?? 0, scalarOf(type), "i64", false);
  switch (type.kind) {
    case "str":
      b.callRuntime("format.put", [value[0] ?? 0, value[1] ?? 0]);
      return;
    case "bool":
      b.callRuntime("format.put_bool", [value[0] ?? 0]);
      return;
    case "int":
    case "comptime-int": {
      const bits = type.kind === "int" ? bitsOf(type, layout) : 64;
      if (format === "x") b.callRuntime("format.put_hex", [unsigned(), b.constant("i32", BigInt(bits / 4))]);
      else if (format === "b") b.callRuntime("format.put_binary", [unsigned(), b.constant("i32", BigInt(bits))]);
      else b.callRuntime(isSigned(type) ? "format.put_signed" : "format.put_unsigned", [wide()]);
      return;
    }
    case "enum":
      putEnum(b, type, value, format);
      return;
    case "pointer":
    case "interface":
    case "fn":
    case "regs":
      b.callRuntime("format.put_hex", [b.convert(value[0] ?? 0, "addr", "i64", false), b.constant("i32", BigInt(layout.addressBytes * 2))]);
      return;
    case "array":
      putList(b, type.element, value[0] ?? 0, b.constant("addr", BigInt(type.length)), format);
      return;
    case "slice":
      putList(b, type.element, value[0] ?? 0, value[1] ?? 0, format);
      return;
    case "struct":
      putText(b, "{ ");
      type.fields.forEach((field, i) => {
        putText(b, `${i === 0 ? "" : ", "}${field.name}: `);
        putValue(b, field.type, loadFrom(b, field.type, value[0] ?? 0, field.offset), format);
      });
      putText(b, " }");
      return;
    case "void":
    case "error":
      return;
  }
}

function putEnum(b: FunctionBuilder, type: Type & { kind: "enum" }, value: Value, format: string | null): void {
  if (format !== null) {
    putValue(b, type.base, value, format);
    return;
  }
  const scalar = scalarOf(type);
  const done = b.open("block");
  for (const [name, member] of type.members) {
    b.open("if", b.binary("eq", scalar, value[0] ?? 0, b.constant(scalar, member)));
    putText(b, name);
    b.branch(done);
    b.close();
  }
  putValue(b, type.base, value, null);
  b.close();
}

function putList(b: FunctionBuilder, element: Type, pointer: number, length: number, format: string | null): void {
  if (element.kind === "int" && element.name === "u8" && format !== "d") {
    b.callRuntime(format === "s" ? "format.put" : "format.put_bytes", [pointer, length]);
    return;
  }
  const { size } = sizeOf(element, b.module.layout);
  putText(b, "[");
  b.countedLoop(length, (index) => {
    b.open("if", b.binary("ne", "addr", index, b.constant("addr", 0n)));
    putText(b, ", ");
    b.close();
    const at = b.binary("add", "addr", pointer, scaled(b, index, size));
    putValue(b, element, isAggregate(element) ? [at] : loadFrom(b, element, at, 0), format);
  });
  putText(b, "]");
}

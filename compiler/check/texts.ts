// Text with holes, where it is printed: messages, `info`, `skip`, `fail`, `print(..)`. Each hole is a value with a format. The text stays in
// parts up to lowering, which has each printed by the guest (compiler/lower/text.ts).

import type { StringLiteral } from "../../grammar/ast.ts";
import type { Text } from "../hir.ts";
import { fail, type Context } from "./context.ts";
import { quote } from "./convert.ts";
import { checkValue } from "./values.ts";

export function textOrNull(context: Context, text: StringLiteral | null): Text | null {
  return text === null ? null : checkText(context, text);
}

export function checkText(context: Context, text: StringLiteral): Text {
  const parts = text.parts.flatMap((part): Text["parts"] => {
    if (part.kind === "text") return [part];
    const value = checkValue(context, part.expr);
    if (value.type.kind === "regs")
      fail(context, part.span, "E0523", `a register block cannot be printed, found ${quote(value.type)}`, { help: "print its registers one by one" });
    else if (part.format === "b" && value.type.kind !== "int" && value.type.kind !== "error") {
      fail(context, part.span, "E0523", `\`:b\` prints integers, found ${quote(value.type)}`, { label: `this is ${quote(value.type)}` });
    }
    return [{ kind: "value", expr: value, format: part.format }];
  });
  return { parts, span: text.span };
}

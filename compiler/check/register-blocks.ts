// Register blocks: `regs` declares registers by offset, width and access, with their fields by bits. All of it is known when compiling,
// and so is every mistake in it.

import type { RegisterDecl, RegsItem } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { bitsOf, showType, type Register, type RegisterField } from "../types.ts";
import { fail, failTwice, type Context } from "./context.ts";
import { quote, showBig } from "./convert.ts";
import { resolveType } from "./resolve-types.ts";
import { checkInteger, checkLength } from "./values.ts";

/** A register block is addressed by one base; the offset is part of each access instruction. */
const MAX_OFFSET = 0x0fff_ffffn;

export function resolveRegs(context: Context, item: RegsItem): void {
  const symbol = context.scope.module.names.get(item.name.text);
  if (symbol?.kind !== "type" || symbol.type.kind !== "regs" || symbol.type.declared !== item.name.span) return;
  const registers = new Map<string, Register>();
  for (const declared of item.registers) {
    const register = resolveRegister(context, declared);
    if (register === null) continue;
    const before = registers.get(register.name);
    if (before !== undefined) failTwice(context, declared.name.span, `register \`${register.name}\``, before.declared, `in \`${item.name.text}\``);
    registers.set(register.name, register);
  }
  symbol.type.registers = registers;
}

function resolveRegister(context: Context, declared: RegisterDecl): Register | null {
  const written = declared.type.kind === "array-type" ? declared.type.element : declared.type;
  const type = resolveType(context, written);
  const count = declared.type.kind === "array-type" ? checkLength(context, declared.type.length) : null;
  const offset = checkInteger(context, declared.offset, "a register's offset");
  if (type.kind !== "error" && (type.kind !== "int" || type.signed)) {
    fail(context, written.span, "E0501", `a register is an unsigned integer, found ${quote(type)}`, {
      label: "not an unsigned integer",
      help: type.kind === "int" ? `read it as \`u${bitsOf(type, context.target.layout)}\` and convert the value` : undefined,
    });
    return null;
  }
  if (type.kind !== "int" || offset === null) return null;
  if (offset < 0n || offset > MAX_OFFSET) {
    fail(context, declared.offset.span, "E0502", `${showBig(offset)} is no offset of a register`, { label: `0 to ${showBig(MAX_OFFSET)}` });
    return null;
  }
  const bits = bitsOf(type, context.target.layout);
  const reset = declared.reset === null ? null : checkInteger(context, declared.reset, "a reset value");
  if (reset !== null && (reset < 0n || reset >> BigInt(bits) !== 0n) && declared.reset !== null) {
    fail(context, declared.reset.span, "E0502", `${showBig(reset)} does not fit \`${showType(type)}\``, {
      label: "the reset value",
      related: [{ span: written.span, text: "the register's type" }],
    });
  }
  const access = declared.access ?? "rw";
  const fields = declared.fields.flatMap((field): (RegisterField & { readonly isWrong?: boolean })[] => {
    const high = checkInteger(context, field.high, "a bit number");
    const low = field.low === null ? high : checkInteger(context, field.low, "a bit number");
    if (high === null || low === null) return [];
    if (low < 0n || high < low || high >= BigInt(bits)) {
      const reversed = high < low && high >= 0n && low < BigInt(bits);
      const what = high === low ? `bit ${showBig(low)} is` : `bits ${showBig(high)}..${showBig(low)} are`;
      fail(
        context,
        field.span,
        "E0528",
        reversed ? `field \`${field.name.text}\` begins with its lower bit` : `${what} outside the ${bits} bits of \`${declared.name.text}\``,
        {
          related: reversed ? [] : [{ span: written.span, text: `bits ${bits - 1}..0` }],
          help: reversed ? `the higher bit comes first: \`${low}..${high}\`` : undefined,
        },
      );
      // It keeps its name, so that its uses are no mistakes of their own.
      return [{ name: field.name.text, high: 0, low: 0, access: field.access ?? access, declared: field.name.span, isWrong: true }];
    }
    return [{ name: field.name.text, high: Number(high), low: Number(low), access: field.access ?? access, declared: field.name.span }];
  });
  const seen = new Map<string, Span>();
  for (const field of fields) {
    const before = seen.get(field.name);
    if (before !== undefined) failTwice(context, field.declared, `field \`${field.name}\``, before, `in \`${declared.name.text}\``);
    seen.set(field.name, field.declared);
  }
  const byLow = fields.filter((field) => field.isWrong !== true).sort((a, b) => a.low - b.low);
  byLow.forEach((field, i) => {
    const next = byLow[i + 1];
    if (next !== undefined && next.low <= field.high) {
      fail(context, next.declared, "E0528", `fields \`${field.name}\` and \`${next.name}\` share bit ${next.low}`, {
        label: showBits(next),
        related: [{ span: field.declared, text: showBits(field) }],
      });
    }
  });
  return { name: declared.name.text, type, count, offset: Number(offset), access, reset, fields, declared: declared.name.span };
}

function showBits({ high, low }: RegisterField): string {
  return high === low ? `bit ${low}` : `bits ${high}..${low}`;
}

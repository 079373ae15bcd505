// `riscv.csr.mstatus`, `aarch64.sysreg.esr_el1`: registers of the CPU as places of type `u64`. The first two names choose the target,
// which must be the one compiled for; the third is looked up in its table of registers.

import type { Expr } from "../../grammar/ast.ts";
import { SYSTEM_REGISTER_PATHS, TARGET_PREFIXES } from "../../isa/machine-language.ts";
import type { HExpr, HPlace } from "../hir.ts";
import { U64 } from "../types.ts";
import { errorExpr, fail, suggest, type Context } from "./context.ts";
import { failAbsent } from "./reach.ts";
import { lookUp } from "./scope.ts";

/** The register that a member expression names; null when it is about something else. */
export function systemRegister(context: Context, expr: Expr & { kind: "member" }): HExpr | null {
  const { object, name, span } = expr;
  if (object.kind !== "member" || object.object.kind !== "name") return null;
  const prefix = object.object.name;
  const isa = TARGET_PREFIXES.get(prefix);
  if (isa === undefined || SYSTEM_REGISTER_PATHS.get(prefix) !== object.name.text || lookUp(context.scope, prefix) !== undefined) return null;
  const full = `${prefix}.${object.name.text}.${name.text}`;
  if (isa !== context.target.name) {
    failAbsent(context, span, "E0607", `\`${full}\` is a register of target \`${isa}\``, {
      label: `compiled for \`${context.target.name}\``,
      help: `put it into \`when target ${isa} { .. }\``,
    });
    return errorExpr(span, U64);
  }
  const registers = context.target.language?.systemRegisters ?? null;
  const number = registers?.find(name.text);
  if (registers !== null && number !== undefined) return { kind: "system-register", name: name.text, number, registers, type: U64, span };
  fail(context, name.span, "E0411", `${isa} has no system register \`${name.text}\``, {
    label: "unknown register",
    help: suggest(name.text, registers?.names() ?? []),
  });
  return errorExpr(span, U64);
}

/** Reports a register that no instruction writes. */
export function isWritable(context: Context, place: HPlace & { kind: "system-register" }): boolean {
  if (!place.registers.isReadOnly(place.number)) return true;
  fail(context, place.span, "E0518", `\`${place.name}\` is read-only`, {
    label: "its number says so",
    help: `to test that a write traps, write it in \`asm ${place.registers.isa} { .. }\``,
  });
  return false;
}

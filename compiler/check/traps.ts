// The names that `expect trap` takes: the classes that all targets share, and the exceptions of the target compiled for, `x86.gp` and
// the like. The latter have numbers that mean nothing elsewhere, so they stand where only their target compiles them.

import type { ExpectTrapStmt } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import { TARGET_PREFIXES } from "../../isa/machine-language.ts";
import type { HStmt } from "../hir.ts";
import { fail, listNames, suggest, type Context } from "./context.ts";
import { failAbsent } from "./reach.ts";

type ExpectedTrap = (HStmt & { kind: "expect-trap" })["trap"];

/** Null: there is none of this name, which is reported. */
export function checkTrapName(context: Context, { module, name }: NonNullable<ExpectTrapStmt["trap"]>): ExpectedTrap {
  const full = module === null ? name.text : `${module.text}.${name.text}`;
  const at: Span = module === null ? name.span : { source: name.span.source, start: module.span.start, end: name.span.end };
  const owner = module === null ? undefined : TARGET_PREFIXES.get(module.text);
  if (owner !== undefined && owner !== context.target.name) {
    failAbsent(context, at, "E0607", `\`${full}\` is a trap of target \`${owner}\``, {
      label: `compiled for \`${context.target.name}\``,
      help: `put it into \`when target ${owner} { .. }\`, or expect a class that all targets have`,
    });
    return null;
  }
  const index = TRAP_CLASSES.findIndex((known) => known === full);
  if (index > 0) return { kind: "class", number: index };
  const exceptions = context.target.language?.exceptions ?? [];
  const exception = exceptions.find((known) => known.name === full);
  if (exception !== undefined) return { kind: "exception", number: exception.code };
  const classes = TRAP_CLASSES.slice(1);
  fail(context, at, "E0404", `there is no trap ${owner === undefined ? "class " : ""}\`${full}\` on target \`${context.target.name}\``, {
    label: "unknown trap class",
    help: suggest(full, [...classes, ...exceptions.map((known) => known.name)]) ?? `the classes are ${listNames(classes)}`,
  });
  return null;
}

// What reports call a trap: its class, and behind it the target's own name of the exception where the guest told its number,
// `protection (x86.gp)`. The classes are the same for all targets; the numbers are not, so the manifest's target chooses the table.

import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import { EXCEPTION_CLASSES as AARCH64 } from "../../isa/aarch64/traps.ts";
import { EXCEPTIONS as RISCV64 } from "../../isa/riscv64/traps.ts";
import { EXCEPTIONS as X86_64 } from "../../isa/x86_64/traps.ts";
import type { FrameTrap } from "./frames.ts";

const EXCEPTION_NAMES: ReadonlyMap<string, ReadonlyMap<number, string>> = new Map<string, ReadonlyMap<number, string>>([
  ["riscv64", new Map(RISCV64.map(({ code, name }) => [code, name]))],
  ["aarch64", new Map(AARCH64.map(({ code, name }) => [code, name]))],
  ["x86_64", new Map(X86_64.map(({ code, name }) => [code, name]))],
]);

export function trapClassName(klass: number): string {
  return TRAP_CLASSES[klass] ?? `trap class ${klass}`;
}

export function trapName(target: string, { class: klass, exception }: Pick<FrameTrap, "class" | "exception">): string {
  const name = trapClassName(klass);
  if (exception === undefined) return name;
  return `${name} (${EXCEPTION_NAMES.get(target)?.get(exception) ?? `${target} exception ${exception}`})`;
}

// The entry assembly of a target as bytes that can be put anywhere: assembled once, linked into as many images as there are. What it may
// name besides its own labels is said by `ENTRY_CONSTANTS`, the machine's constants, and the linker.

import { readFileSync } from "node:fs";
import type { Relocation } from "../../isa/assembly/instruction-set.ts";
import { formatProblem } from "../../isa/assembly/assemble.ts";
import { guestConstants, type MachineDescription } from "../../machines/description.ts";
import { CPU_BLOCK_SIZE, FUEL, GUARD_SPARE } from "./abi.ts";
import type { NativeTarget } from "./target.ts";

export interface EntryAssembly {
  /** For messages: `lib/riscv64/entry.s`. */
  readonly file: string;
  readonly text: string;
}

export interface AssembledEntry {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Offsets. */
  readonly labels: ReadonlyMap<string, number>;
  readonly relocations: readonly Relocation[];
}

/** The image cannot be made: it is too large for a jump, or the entry assembly is wrong. Not a user's mistake in a spec. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

export const MAX_CPUS = 8;
export const STACK_SIZE = 64 * 1024;
export const STACK_RESERVE = 16 * 1024;

const ENTRY_CONSTANTS: ReadonlyMap<string, bigint> = new Map(
  Object.entries({ CPU_BLOCK_SIZE, FUEL, MAX_CPUS, STACK_SIZE, STACK_RESERVE, STACK_STEP: STACK_SIZE + STACK_RESERVE, GUARD_SPARE }).map(([name, value]) => [
    name,
    BigInt(value),
  ]),
);

/** `constants`: names that it may use beside those of `ENTRY_CONSTANTS`. */
export function assembleEntry(target: Pick<NativeTarget, "assemble">, { file, text }: EntryAssembly, constants: ReadonlyMap<string, bigint>): AssembledEntry {
  const assembly = target.assemble(text, { constants: new Map([...ENTRY_CONSTANTS, ...constants]), isOutsideSymbol: () => true, isRelocatable: true });
  if (!assembly.ok) throw new LinkError(assembly.problems.map((problem) => `${file}:${formatProblem(problem)}`).join("\n"));
  const { bytes, labels, relocations } = assembly;
  return { file, bytes, labels, relocations };
}

/** Names that the entry assembly may use: the machine's constants with `_` for dots, and what the target derives from them. */
export function entryConstants(target: NativeTarget, machine: MachineDescription): ReadonlyMap<string, bigint> {
  const constants = new Map(guestConstants(machine).map(({ name, value }) => [name, value]));
  const named = [...constants].map(([name, value]) => [`machine_${name.replaceAll(".", "_")}`, value] as const);
  return new Map([...named, ...target.entryConstants(machine, constants)]);
}

/** The entry assembly of a target for a machine, from the library's folder, ready to be linked. */
export function loadEntry(target: NativeTarget, machine: MachineDescription, libDirectory: string): AssembledEntry {
  const text = readFileSync(`${libDirectory}${target.name}/entry.s`, "utf8");
  return assembleEntry(target, { file: `lib/${target.name}/entry.s`, text }, entryConstants(target, machine));
}

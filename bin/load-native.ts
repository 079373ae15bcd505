// From spec files to native images: which machine a target's images are for, and the compilation with its diagnostics told. Machine
// code is not cached: it is asked for by `build` and `show`, which are not in anybody's way.

import { fillBootHeader } from "../compiler/images/boot-headers.ts";
import type { CompiledNative } from "../compiler/native/index.ts";
import type { ParsedFiles } from "../compiler/program.ts";
import type { BootDescription, MachineDescription } from "../machines/description.ts";
import { CommandError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { DEFAULT_MACHINE, LIB_FOLDER, loadMachineDescription, printDiagnostics, readProjectWords, readText } from "./load-specs.ts";

/** The machine of a target that `--target` means. */
export const TARGET_MACHINES: Readonly<Record<string, string>> = {
  bytecode: DEFAULT_MACHINE,
  riscv64: "riscv-virt",
  x86_64: "x86-q35",
  aarch64: "arm64-virt",
};

/** A machine that native images start on. */
export interface NativeMachine extends MachineDescription {
  readonly boot: BootDescription;
}

export function isNative(machine: MachineDescription): machine is NativeMachine {
  return machine.boot !== null;
}

/** What `--target` and `--machine` name together: a target's own machine, or the named one if it is of the target. */
export async function findMachine(target: string | null, name: string | null): Promise<MachineDescription> {
  const usual = target === null ? DEFAULT_MACHINE : TARGET_MACHINES[target];
  if (usual === undefined) throw usageError(`images for \`${target}\` cannot be made`, `targets: ${Object.keys(TARGET_MACHINES).join(", ")}`);
  const { machine } = await loadMachineDescription(name ?? usual, null);
  if (target !== null && machine.target !== target) throw usageError(`${machine.name} is a machine for ${machine.target}, not for ${target}`);
  return machine;
}

/** Of all files that a command compiles, for one target after the other. */
const parsed: ParsedFiles = new Map();

/**
 * Each image to boot alone, or all placed for packs. Throws a CommandError with exit code 3, diagnostics printed, when something does not
 * compile.
 */
export async function loadNativeImages(
  files: readonly string[],
  machine: NativeMachine,
  io: Io,
  placing: "alone" | "packed" = "alone",
): Promise<readonly CompiledNative[]> {
  const { findNativeTarget } = await import("../compiler/targets/index.ts");
  if (findNativeTarget(machine.target) === undefined) throw new CommandError(EXIT.environment, `this guestspec has no compiler for ${machine.target}`);
  const { compileNative, placeAlone } = await import("../compiler/native/index.ts");
  const { loadMachineLanguage } = await import("../isa/machine-language.ts");
  const options = {
    machine,
    readFile: readText,
    libDirectory: LIB_FOLDER,
    ...(await readProjectWords()),
    language: await loadMachineLanguage(machine.target),
    parsed,
  };
  const place = placing === "packed" ? (await import("../compiler/images/pack.ts")).placeInPack : placeAlone;
  const { diagnostics, images } = compileNative(files, options, place);
  await printDiagnostics(diagnostics, io);
  if (diagnostics.some(({ severity }) => severity === "error")) throw new CommandError(EXIT.compile, "");
  return placing === "packed" ? images : images.map((image) => ({ ...image, native: fillBootHeader(image.native, machine.ram.base) }));
}

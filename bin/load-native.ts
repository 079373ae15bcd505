// From spec files to native images: which machine a target's images are for, and the compilation with its diagnostics told. What a run
// executes comes from the cache if it can: the images of a list of specs are placed beside each other, so they are kept together.
// Those that stand alone are asked for by `build` and `show`, which are not in anybody's way, and are made anew.

import { fillBootHeader } from "../compiler/images/boot-headers.ts";
import { hashFile, type Dependency, type ImageCache } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import type { Manifest } from "../compiler/images/manifest.ts";
import type { CompiledNative, PlaceImages } from "../compiler/native/index.ts";
import type { RunnableImage } from "../compiler/native/native-image.ts";
import type { ParsedFiles } from "../compiler/program.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import type { BootDescription, MachineDescription } from "../machines/description.ts";
import { CommandError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import {
  createReader,
  DEFAULT_MACHINE,
  LIB_FOLDER,
  loadMachineDescription,
  PROJECT_FILE,
  printDiagnostics,
  readProjectWords,
  tellCompiling,
} from "./load-specs.ts";

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
export async function findMachine(target: string | null, name: string | null, cache: ImageCache | null = null): Promise<MachineDescription> {
  const usual = target === null ? DEFAULT_MACHINE : TARGET_MACHINES[target];
  if (usual === undefined) {
    const targets = Object.keys(TARGET_MACHINES);
    throw usageError(`images for \`${target}\` cannot be made`, didYouMean(target ?? "", targets, `targets: ${targets.join(", ")}`));
  }
  const { machine } = await loadMachineDescription(name ?? usual, cache);
  if (target !== null && machine.target !== target) throw usageError(`${machine.name} is a machine for ${machine.target}, not for ${target}`);
  return machine;
}

/** Of all files that a command compiles, for one target after the other. */
const parsed: ParsedFiles = new Map();
const reader = createReader();

interface Compiled {
  readonly images: readonly CompiledNative[];
  readonly isWarned: boolean;
}

/** Throws a CommandError with exit code 3, diagnostics printed, when something does not compile. */
async function compileFor(files: readonly string[], machine: NativeMachine, place: PlaceImages, io: Io): Promise<Compiled> {
  const { findNativeTarget } = await import("../compiler/targets/index.ts");
  if (findNativeTarget(machine.target) === undefined) throw new CommandError(EXIT.environment, `this guestspec has no compiler for ${machine.target}`);
  tellCompiling(files.length, machine, io);
  const { compileNative } = await import("../compiler/native/index.ts");
  const { loadMachineLanguage } = await import("../isa/machine-language.ts");
  const language = await loadMachineLanguage(machine.target);
  const options = { machine, readFile: reader.read, libDirectory: LIB_FOLDER, ...(await readProjectWords()), language, parsed };
  const { diagnostics, images } = compileNative(files, options, place);
  io.status(null);
  await printDiagnostics(diagnostics, io);
  if (diagnostics.some(({ severity }) => severity === "error")) throw new CommandError(EXIT.compile, "");
  return { images, isWarned: diagnostics.length > 0 };
}

/** Each image to boot alone. */
export async function loadNativeImages(files: readonly string[], machine: NativeMachine, io: Io): Promise<readonly CompiledNative[]> {
  const { placeAlone } = await import("../compiler/native/index.ts");
  const { images } = await compileFor(files, machine, placeAlone, io);
  return images.map((image) => ({ ...image, native: fillBootHeader(image.native, machine.ram.base) }));
}

export interface RunnableNative {
  readonly path: string;
  readonly native: RunnableImage;
  readonly manifest: Manifest;
  readonly dependencies: readonly string[];
  readonly isCached: boolean;
}

/** The images of a run, all placed for packs or each alone. `machineKey` changes with the machine's file. */
export async function loadRunImages(
  files: readonly string[],
  machine: NativeMachine,
  placing: "packed" | "alone",
  machineKey: string,
  cache: ImageCache | null,
  io: Io,
): Promise<readonly RunnableNative[]> {
  const { readNative, writeNative } = await import("../compiler/images/stored-native.ts");
  const known = cache === null ? null : readNative(cache, files, `${placing} ${machineKey}`);
  if (known !== null) return known.map((image) => ({ ...image, manifest: JSON.parse(image.manifest) as Manifest, isCached: true }));
  const place =
    placing === "packed" ? (await import("../compiler/images/place-in-pack.ts")).placeInPack : (await import("../compiler/native/index.ts")).placeAlone;
  const { images, isWarned } = await compileFor(files, machine, place, io);
  // Specs with warnings are compiled each time: a warning that shows up once only would look fixed.
  if (cache !== null && !isWarned) {
    const entries = images.map(({ path, native, manifest, dependencies }) => ({ path, native, manifest: JSON.stringify(manifest), dependencies }));
    writeNative(cache, files, `${placing} ${machineKey}`, entries, dependenciesOf(machine));
  }
  return images.map((image) => ({ ...image, isCached: false }));
}

/** All that was read or looked for: the images of a run share most of it. */
function dependenciesOf(machine: NativeMachine): readonly Dependency[] {
  const read = [...reader.asked].map(([path, text]): Dependency => ({ path, hash: text === null ? null : hashBytes(text) }));
  const others = [PROJECT_FILE, `${LIB_FOLDER}${machine.target}/entry.s`].filter((path) => !reader.asked.has(path));
  return [...read, ...others.map((path): Dependency => ({ path, hash: hashFile(path) }))];
}

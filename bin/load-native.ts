// From spec files to native images: which machine a target's images are for, and the compilation with its diagnostics told. What a run
// executes comes from the cache if it can. The images of a list of specs are placed beside each other, so they are kept together; for a list
// that is new or has changed, what is placed is kept by spec, and only what is missing is compiled. Images that stand alone are asked
// for by `build` and `show`, which are not in anybody's way, and are made anew.

import { fillBootHeader } from "../compiler/native/boot-header.ts";
import type { ImageCache } from "../compiler/images/cache.ts";
import { hashFile } from "../compiler/images/file-hashes.ts";
import type { KeptLibrary } from "../compiler/images/kept-library.ts";
import type { Manifest } from "../compiler/images/manifest.ts";
import type { CachedSpec, LoweredSpec } from "../compiler/images/stored-lowered.ts";
import type { CompiledNative, LoweredNative, NativeCompilation } from "../compiler/native/index.ts";
import type { AssembledEntry } from "../compiler/native/entry.ts";
import { imageAt, type RunnableImage } from "../compiler/native/native-image.ts";
import type { NativeTarget } from "../compiler/native/target.ts";
import type { ParsedFiles } from "../compiler/program.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import type { BootDescription, MachineDescription } from "../machines/description.ts";
import { createReader, findSources } from "./compiled-from.ts";
import { CommandError, CompileError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { DEFAULT_MACHINE, loadMachineDescription, printDiagnostics, readProjectWords, tellCompiling } from "./load-specs.ts";
import { LIB_FOLDER } from "./places.ts";

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
    const { suggestTarget } = await import("../compiler/check/foreign-names.ts");
    const help = suggestTarget(target ?? "") ?? didYouMean(target ?? "", targets, `targets: ${targets.join(", ")}`);
    throw usageError(`images for \`${target}\` cannot be made`, help);
  }
  const { machine } = await loadMachineDescription(name ?? usual, cache);
  if (target !== null && machine.target !== target) throw usageError(`${machine.name} is a machine for ${machine.target}, not for ${target}`);
  return machine;
}

/** Of all files that a command compiles, for one target after the other. */
const parsed: ParsedFiles = new Map();

interface Lowered extends NativeCompilation<LoweredNative> {
  /** What was read or looked for. */
  readonly asked: ReadonlyMap<string, string | null>;
}

export async function loadTarget({ target }: NativeMachine): Promise<NativeTarget> {
  const { loadNativeTarget } = await import("../compiler/targets/index.ts");
  const found = await loadNativeTarget(target);
  if (found === null) throw new CommandError(EXIT.environment, `this guestspec has no compiler for ${target}`);
  return found;
}

/** Throws a CommandError with exit code 3, diagnostics printed, when something does not compile. */
async function lower(files: readonly string[], machine: NativeMachine, target: NativeTarget, library: KeptLibrary | null, io: Io): Promise<Lowered> {
  tellCompiling(files.length, machine, io);
  const { lowerNative } = await import("../compiler/native/index.ts");
  const { loadMachineLanguage } = await import("../isa/machine-language.ts");
  const language = await loadMachineLanguage(machine.target);
  const { read, asked } = createReader();
  const options = {
    machine,
    readFile: read,
    libDirectory: LIB_FOLDER,
    ...(await readProjectWords()),
    language,
    parsed,
    library,
  };
  const compilation = lowerNative(files, target, options);
  io.status(null);
  await printDiagnostics(compilation.diagnostics, io);
  if (compilation.diagnostics.some(({ severity }) => severity === "error")) throw new CompileError(compilation.diagnostics, machine.target);
  library?.save();
  return { ...compilation, asked };
}

function entryPath({ target }: NativeMachine): string {
  return `${LIB_FOLDER}${target}/entry.s`;
}

/** The entry assembly, from the cache if it is there. `machineKey` changes with the machine's file. */
async function loadEntryOf(machine: NativeMachine, target: NativeTarget, machineKey: string, cache: ImageCache | null): Promise<AssembledEntry> {
  const { readEntry, writeEntry } = await import("../compiler/images/stored-entry.ts");
  const path = entryPath(machine);
  const known = cache === null ? null : readEntry(cache, { path }, machineKey);
  if (known !== null) return known;
  const { loadEntry } = await import("../compiler/native/entry.ts");
  const hash = hashFile(path);
  const entry = loadEntry(target, machine, LIB_FOLDER);
  if (cache !== null) writeEntry(cache, { path, hash }, machineKey, entry);
  return entry;
}

/** Each image to boot alone. */
export async function loadNativeImages(files: readonly string[], machine: NativeMachine, io: Io): Promise<readonly CompiledNative[]> {
  const target = await loadTarget(machine);
  const { images } = await lower(files, machine, target, null, io);
  const lowered = images.map((image) => image.lowered);
  const { placeAlone } = await import("../compiler/native/place-alone.ts");
  const placed = placeAlone(lowered, machine, await loadEntryOf(machine, target, "", null));
  return images.map((image, index) => ({ ...image, native: fillBootHeader(imageAt(placed, index), target.bootHeader, machine.ram.base) }));
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
  const target = await loadTarget(machine);
  const { specs, isWarned, compiled } = await loadLowered(files, machine, machineKey, target, cache, io);
  const made = specs.flatMap(({ spec }) => spec ?? []);
  const place =
    placing === "packed" ? (await import("../compiler/images/place-in-pack.ts")).placeInPack : (await import("../compiler/native/place-alone.ts")).placeAlone;
  const placed = place(
    made.map(({ lowered }) => lowered),
    machine,
    await loadEntryOf(machine, target, machineKey, cache),
  );
  const images = made.map(({ path, manifest, dependencies }, index) => ({ path, manifest, dependencies, native: imageAt(placed, index) }));
  // A list with warnings is made each time, for the specs that have them are.
  if (cache !== null && !isWarned) {
    const entry = entryPath(machine);
    const madeFrom = new Map(specs.flatMap((spec) => spec.madeFrom).map((dependency) => [dependency.path, dependency]));
    const entries = images.map((image) => ({ ...image, manifest: JSON.stringify(image.manifest) }));
    writeNative(cache, files, `${placing} ${machineKey}`, entries, [...madeFrom.values(), { path: entry, hash: cache.hashes(entry) }]);
  }
  return images.map((image) => ({ ...image, isCached: !compiled.has(image.path) }));
}

interface LoadedLowered {
  /** In the order of the files. */
  readonly specs: readonly CachedSpec[];
  readonly isWarned: boolean;
  /** Those that were not in the cache. */
  readonly compiled: ReadonlySet<string>;
}

/** Specs before they are placed: from the cache, or compiled, all that are missing at once so that they share what they have in common. */
async function loadLowered(
  files: readonly string[],
  machine: NativeMachine,
  machineKey: string,
  target: NativeTarget,
  cache: ImageCache | null,
  io: Io,
): Promise<LoadedLowered> {
  const { openLoweredStore } = await import("../compiler/images/stored-lowered.ts");
  const store = cache === null ? null : openLoweredStore(cache, machineKey, target);
  const known = new Map<string, CachedSpec>();
  for (const path of files) {
    const spec = store?.read(path) ?? null;
    if (spec !== null) known.set(path, spec);
  }
  const missing = files.filter((path) => !known.has(path));
  if (missing.length === 0) return { specs: files.flatMap((path) => known.get(path) ?? []), isWarned: false, compiled: new Set() };
  const library = cache === null ? null : (await import("./open-library.ts")).openLibrary(cache, machine, machineKey);
  const { images, withoutSuite, diagnostics, asked } = await lower(missing, machine, target, library, io);
  const madeFrom = store === null ? null : findSources(asked, diagnostics);
  const fresh: CachedSpec[] = [];
  const take = (path: string, spec: LoweredSpec | null, dependencies: readonly string[]): void => {
    const sources = madeFrom?.([path, ...dependencies]) ?? null;
    const made = { path, spec, madeFrom: sources ?? [] };
    known.set(path, made);
    if (sources !== null) fresh.push(made);
  };
  for (const { path, lowered, manifest, dependencies } of images) take(path, { path, lowered, manifest, dependencies }, dependencies);
  for (const { path, dependencies } of withoutSuite) take(path, null, dependencies);
  store?.write(fresh);
  return { specs: files.flatMap((path) => known.get(path) ?? []), isWarned: diagnostics.length > 0, compiled: new Set(missing) };
}

// From spec files to images, by way of the cache. What is cached loads neither parser nor compiler: both are imported only when a
// file has to be compiled, the machine's YAML only when its description is not cached either.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openCache, type CachedImage, type ImageCache } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { hashFile, rememberHashes, type FileHashes } from "../compiler/images/file-hashes.ts";
import type { Manifest } from "../compiler/images/manifest.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import type { MachineDescription } from "../machines/description.ts";
import { isMachinePath, machineFiles } from "../machines/machine-files.ts";
import type { EngineImage } from "../runtime/engines/session.ts";
import { countNoun } from "../runtime/reporters/quantities.ts";
import { createReader, findSources } from "./compiled-from.ts";
import { CommandError, CompileError, readError, usageError } from "./errors.ts";
import { isOnCommandLine, type ParsedOptions } from "./options.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { homeFolder, LIB_FOLDER, MACHINES_FOLDER, PROJECT_FILE } from "./places.ts";
import { readText } from "./read-text.ts";
import { toolVersion } from "./version.ts";

export const DEFAULT_MACHINE = "bytecode-virt";
const BUNDLE = fileURLToPath(new URL("../dist/guestspec.mjs", import.meta.url));
/** What the build has kept of the package's own files (tools/build.mjs). */
const PACKAGED = fileURLToPath(new URL("../dist/kept/", import.meta.url));

export interface LoadOptions {
  /** Name of a machine of the package, or path of a machine file. */
  readonly machine: string | null;
  readonly useCache: boolean;
}

export interface LoadedImage extends EngineImage {
  /** The spec file. */
  readonly path: string;
  readonly isCached: boolean;
  /** Files that it depends on, the spec itself among them; a folder ends with `/`. */
  readonly madeOf: readonly string[];
}

export interface LoadedSpecs {
  readonly machine: MachineDescription;
  readonly images: readonly (LoadedImage & Required<Pick<LoadedImage, "module">>)[];
  /** Files that hold no suite: modules and tables for others. */
  readonly withoutSuite: readonly string[];
}

/** The build that this process runs, which may be replaced while it watches files. */
let runningBuild: string | undefined;

/**
 * A build of the tool, or null when it runs from its sources, which may change under the cache. By what it consists of: what the build keeps
 * of the library is as good where the package has been copied to, and a build that changes nothing leaves the cache as it is.
 */
export function buildStamp(): string | null {
  if (import.meta.url.endsWith(".ts")) return null;
  runningBuild ??= /^\/\/ Build ([0-9a-f]+)$/m.exec(readText(BUNDLE) ?? "")?.[1];
  return runningBuild === undefined ? null : `${toolVersion()} ${runningBuild}`;
}

export function openImageCache(io: Io): ImageCache | null {
  const stamp = buildStamp();
  return stamp === null ? null : openCache({ env: io.env, home: homeFolder(io.env), stamp, packaged: PACKAGED });
}

/** Whether the project's file has a key at the top: most projects have no file, and most files few keys, and YAML costs more than this look. */
export function projectHas(key: string): boolean {
  return new RegExp(`^${key}\\s*:`, "m").test(readText(PROJECT_FILE) ?? "");
}

/**
 * What the project adds to the language: its tags and attributes. All that is compiled is made from the project's file, so that this is
 * where a change of it is seen: a mistake in its engines is told now, not when somebody first names one.
 */
export async function readProjectWords(): Promise<{ readonly tags: readonly string[]; readonly attributes: readonly string[] }> {
  const text = readText(PROJECT_FILE);
  if (text === null) return { tags: [], attributes: [] };
  const words = (await import("./project-file.ts")).parseProject(text);
  if (projectHas("engines")) (await import("./project-engines.ts")).parseEngines(text);
  return words;
}

/** Everything in it, because what a spec calls is one program with it; and the machine's file and the project's. */
export function filesOfImage(dependencies: readonly string[], machine: string | null): readonly string[] {
  return [...dependencies, ...machineFiles(machinePath(machine ?? DEFAULT_MACHINE)), LIB_FOLDER, PROJECT_FILE];
}

export function machinePath(name: string): string {
  return isMachinePath(name) ? name : `${MACHINES_FOLDER}${name}.yaml`;
}

/** A machine that is not there; `given`: by what it was named, where that is not on the command line. */
async function noMachine(wanted: string, given: string | null): Promise<CommandError> {
  const { listMachines } = await import("../machines/load-machine.ts");
  const machines = listMachines();
  const help = didYouMean(wanted, machines, `machines: ${machines.join(", ")}; or the path of a machine file`);
  return usageError(`there is no machine \`${wanted}\`${given === null ? "" : `, which ${given} names`}`, help);
}

/** `--machine`, wherever it was given. */
export async function machineOption(options: ParsedOptions): Promise<string | null> {
  const name = options.value("machine");
  if (name === null || existsSync(machinePath(name))) return name;
  throw await noMachine(name, isOnCommandLine(options, "machine") ? null : options.spelled("machine"));
}

/** Changes with the machine's file, and with those that it extends. */
export function machineKeyOf(name: string, hashes: FileHashes = hashFile): string | null {
  const keys = machineFiles(machinePath(name)).map((path) => hashes(path));
  if (keys.includes(null)) return null;
  return keys.length === 1 ? (keys[0] ?? null) : hashBytes(keys.join());
}

/** The machine's description and a key that changes with its file. */
export async function loadMachineDescription(name: string | null, cache: ImageCache | null): Promise<{ machine: MachineDescription; key: string }> {
  const wanted = name ?? DEFAULT_MACHINE;
  const path = machinePath(wanted);
  const key = machineKeyOf(wanted, cache?.hashes);
  const known = key === null ? null : (cache?.readMachine(key) ?? null);
  if (known !== null && key !== null) return { machine: known, key };
  const { loadMachineFile } = await import("../machines/load-machine.ts");
  const { formatMachineError } = await import("../machines/yaml-fields.ts");
  if (!existsSync(path)) throw await noMachine(wanted, null);
  const { deviceModels } = await import("../runtime/devices/index.ts");
  const load = (): ReturnType<typeof loadMachineFile> => {
    try {
      return loadMachineFile(path, { models: deviceModels.map((model) => model.name) });
    } catch (error) {
      if (error instanceof Error && "code" in error) throw readError(path, error);
      throw error;
    }
  };
  const result = load();
  if (!result.ok) throw new CommandError(EXIT.compile, result.errors.map(formatMachineError).join("\n"));
  if (key !== null) cache?.writeMachine(key, result.machine);
  return { machine: result.machine, key: key ?? "" };
}

export async function printDiagnostics(diagnostics: readonly Diagnostic[], io: Io): Promise<void> {
  if (diagnostics.length === 0) return;
  const { renderDiagnostics } = await import("../compiler/diagnostics/render.ts");
  const text = renderDiagnostics(diagnostics, { color: io.errColor, width: Math.max(60, io.columns()) });
  io.err(`${text.trimEnd()}\n`);
}

/** All of a project takes seconds. */
export function tellCompiling(files: number, machine: MachineDescription, io: Io): void {
  io.status(`compiling ${countNoun(files, "spec")} for ${machine.target}`);
}

/** Throws a CommandError with exit code 3, diagnostics printed, when something does not compile. */
export async function loadSpecs(files: readonly string[], options: LoadOptions, io: Io): Promise<LoadedSpecs> {
  const cache = options.useCache ? openImageCache(io) : null;
  const { machine, key } = await loadMachineDescription(options.machine, cache);
  const loaded = new Map<string, LoadedSpecs["images"][number] | "no suite">();
  const madeOf = (path: string, { dependencies }: { readonly dependencies: readonly string[] }): readonly string[] =>
    filesOfImage([path, ...dependencies], options.machine);
  const missing: string[] = [];
  const hashes = rememberHashes(cache?.hashes);
  for (const path of files) {
    const entry = cache?.readSpec(path, key, hashes) ?? null;
    if (entry === null) missing.push(path);
    else if (entry === "no suite") loaded.set(path, entry);
    else
      loaded.set(path, { path, module: entry.module, manifest: JSON.parse(entry.manifest) as Manifest, machine, isCached: true, madeOf: madeOf(path, entry) });
  }
  if (missing.length > 0) {
    tellCompiling(missing.length, machine, io);
    const { compile } = await import("../compiler/index.ts");
    const { read, asked } = createReader();
    const library = cache === null ? null : (await import("./open-library.ts")).openLibrary(cache, machine, key);
    const { diagnostics, images, withoutSuite } = compile(missing, {
      machine,
      readFile: read,
      libDirectory: LIB_FOLDER,
      ...(await readProjectWords()),
      library,
    });
    io.status(null);
    await printDiagnostics(diagnostics, io);
    if (diagnostics.some(({ severity }) => severity === "error")) throw new CompileError(diagnostics, machine.target);
    library?.save();
    const madeFrom = cache === null ? null : findSources(asked, diagnostics);
    const keep = (path: string, entry: CachedImage | "no suite", dependencies: readonly string[]): void => {
      const sources = madeFrom?.([path, ...dependencies]) ?? null;
      if (sources !== null) cache?.writeSpec(path, key, entry, sources);
    };
    for (const image of images) {
      const { path, module, manifest, dependencies } = image;
      loaded.set(path, { path, module, manifest, machine, isCached: false, madeOf: madeOf(path, image) });
      keep(path, { path, module, manifest: JSON.stringify(manifest), dependencies }, dependencies);
    }
    for (const { path, dependencies } of withoutSuite) {
      loaded.set(path, "no suite");
      keep(path, "no suite", dependencies);
    }
  }
  const images = files.flatMap((path) => {
    const entry = loaded.get(path);
    return entry === undefined || entry === "no suite" ? [] : [entry];
  });
  return { machine, images, withoutSuite: files.filter((path) => loaded.get(path) === "no suite") };
}

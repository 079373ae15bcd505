// The compiler as one readable function: read and check a program, then lower each suite to an image. Diagnostics are values; an
// image exists only when nothing in the program is wrong.

import type { CoverageNotes } from "./lower/coverage-notes.ts";
import { readdirSync } from "node:fs";
import { parseYamlFile } from "../grammar/yaml/read-yaml-spec.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { DataLayout, Module } from "../isa/bytecode/module.ts";
import { verifyModule } from "../isa/bytecode/verify.ts";
import type { MachineLanguage } from "../isa/machine-language.ts";
import { guestConstants, type MachineDescription } from "../machines/description.ts";
import { listMachines } from "../machines/load-machine.ts";
import { formatNeed, unmetReason } from "../machines/needs.ts";
import { packagedConstants, type MachineConstants } from "../machines/packaged-constants.ts";
import type { Manifest } from "./images/manifest.ts";
import { lowerImage, type NativeFacts } from "./lower/image.ts";
import { createUnitKeeper } from "./lower/kept-units.ts";
import { PlaceTable } from "./lower/place-table.ts";
import { createLoweringCache, type Origin } from "./lower/units.ts";
import type { LibraryStore } from "./library-store.ts";
import { loadProgram, type ParsedFiles, type Program } from "./program.ts";

export interface CompileOptions {
  readonly machine: MachineDescription;
  readonly readFile: (path: string) => string | null;
  /** Directory of the guest library, with a trailing slash. */
  readonly libDirectory: string;
  readonly layout?: DataLayout;
  /** What `loadMachineLanguage(machine.target)` gave; without it there are no `asm` blocks and no names of the target's own. */
  readonly language?: MachineLanguage | null;
  /** Tags that the project declares beside the built-in ones. */
  readonly tags?: readonly string[];
  /** Attributes that the project declares. */
  readonly attributes?: readonly string[];
  /** Those whose constants a spec may name in tests that are skipped here; absent: the package's. */
  readonly allMachines?: () => readonly MachineDescription[];
  /** For images that become machine code; absent: bytecode stays what it is. */
  readonly native?: NativeFacts;
  /** For those who compile the same files for several machines: an empty map, given to each compilation. */
  readonly parsed?: ParsedFiles;
  /** What earlier compilations for the machine have kept of the library, and where to keep more; of no use where notes are taken. */
  readonly library?: LibraryStore | null;
  /** The library's mistakes are told wherever they are, not only in what the specs reach. */
  readonly checksLibrary?: true;
  /** Filled for coverage; absent: nothing is noted. */
  readonly notes?: CoverageNotes;
}

export interface Image {
  /** The spec file as the caller named it. */
  readonly path: string;
  readonly module: Module;
  readonly manifest: Manifest;
  /** By function: what it has in common with other images of the compilation. */
  readonly origins: readonly (Origin | null)[];
  /** The files it was made from, the guest library's apart. */
  readonly dependencies: readonly string[];
}

/** A file that makes no image: a module, or a table, for others. */
export type FileWithoutSuite = Pick<Image, "path" | "dependencies">;

export interface Compilation {
  readonly diagnostics: readonly Diagnostic[];
  readonly images: readonly Image[];
  readonly withoutSuite: readonly FileWithoutSuite[];
}

/** Targets that specs may name. Those without a back end yet are known, so that `on x86_64` is a reason and no error. */
export const TARGETS: readonly string[] = ["bytecode", "x86_64", "i386", "riscv64", "riscv32", "aarch64", "arm", "ppc64", "ppc64le", "s390x"];

/** Guest words of 8 bytes, little-endian: the layout of the bytecode target's own machine. */
const DEFAULT_LAYOUT: DataLayout = { addressBytes: 8, endian: "little" };

function listModules(directory: string): readonly string[] {
  const ending = ".gspec";
  return readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
}

/** Folders of the library with modules of one target each. */
function listFolders(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function constantsOf(machine: MachineDescription): readonly (readonly [string, bigint])[] {
  return guestConstants(machine).map(({ name, value }) => [name, value] as const);
}

let packagedNames: readonly string[] | null = null;

/** One machine after the other, so that what the first has costs no second. Mostly a constant is missing because it is a PC's, the last ones. */
function* constantsElsewhere(machines: readonly MachineDescription[] | null): Generator<MachineConstants> {
  if (machines !== null) for (const machine of machines.toReversed()) yield new Map(constantsOf(machine));
  else for (const name of (packagedNames ??= listMachines().toReversed())) yield packagedConstants(name);
}

function checkProgram(paths: readonly string[], options: CompileOptions): Program {
  // Many tests need the same.
  const reasons = new Map<string, string | null>();
  return loadProgram(paths, {
    target: {
      name: options.machine.target,
      layout: options.layout ?? DEFAULT_LAYOUT,
      constants: new Map(constantsOf(options.machine)),
      language: options.language ?? null,
      constantsElsewhere: () => constantsElsewhere(options.allMachines?.() ?? null),
      unmetNeed: (need) => {
        const text = formatNeed(need);
        let reason = reasons.get(text);
        if (reason === undefined) reasons.set(text, (reason = unmetReason(need, options.machine)));
        return reason;
      },
    },
    targets: TARGETS,
    readFile: options.readFile,
    libDirectory: options.libDirectory,
    libraryModules: () => listModules(options.libDirectory),
    libraryPath: [...options.machine.library, options.machine.target],
    libraryFolders: () => listFolders(options.libDirectory),
    projectTags: () => options.tags ?? [],
    projectAttributes: () => options.attributes ?? [],
    isNative: options.native !== undefined,
    parseYaml: parseYamlFile,
    library: options.library ?? null,
    checksLibrary: options.checksLibrary === true,
    parsed: options.parsed ?? new Map(),
  });
}

export function compile(paths: readonly string[], options: CompileOptions): Compilation {
  const program = checkProgram(paths, options);
  const isWrong = (): boolean => program.diagnostics().some(({ severity }) => severity === "error");
  if (isWrong()) return { diagnostics: program.diagnostics(), images: [], withoutSuite: [] };
  let images: readonly Image[] = [];
  try {
    images = lowerProgram(program, options);
  } catch (error) {
    // A mistake in a library function that only lowering asks for: it has been reported.
    if (!isWrong()) throw error;
  }
  return { diagnostics: program.diagnostics(), images: isWrong() ? [] : images, withoutSuite: filesWithoutSuite(paths, program) };
}

function filesWithoutSuite(paths: readonly string[], { modules, suites, dependenciesOf }: Program): readonly FileWithoutSuite[] {
  const withSuite = new Set(suites.map(({ module }) => module));
  return paths.flatMap((path): FileWithoutSuite[] => {
    const module = modules.get(path);
    return module === undefined || withSuite.has(module) ? [] : [{ path, dependencies: dependenciesOf(module) }];
  });
}

function lowerProgram(program: Program, options: CompileOptions): readonly Image[] {
  const places = new PlaceTable();
  const store = options.notes === undefined ? (options.library ?? null) : null;
  const library = store && createUnitKeeper(program, store, places);
  const cache = createLoweringCache(options.notes ?? null, places, library?.recall);
  const images = program.suites.map(({ module, suite }): Image => {
    const image = lowerImage(program, suite, { target: options.machine.target, machine: options.machine.name, native: options.native ?? null }, cache);
    // A function that another image has was looked at there.
    const problems = verifyModule(image.module, (index) => ((image.origins[index] ?? null)?.numbers ?? null) === null);
    if (problems.length > 0) throw new Error(`${module.source.path} was lowered to invalid bytecode: ${JSON.stringify(problems.slice(0, 3))}`);
    return { path: module.source.path, ...image, dependencies: program.dependenciesOf(module) };
  });
  library?.keepAll(cache.units);
  return images;
}

// What a run is to run on: `--target`, `--engine` and `--machine` as a list of machines, each with the engine that makes it, or with the
// reason why that is not there; and the specs' images for them. A target of a list that the wanted engine cannot make is left out; if
// none is left, that is an error. Loaded when one of these options is given.

import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ImageCache } from "../compiler/images/cache.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import { enginesOf, type MachineDescription } from "../machines/description.ts";
import { qemuBinary } from "../machines/qemu-command.ts";
import { quoteForShell } from "../runtime/engines/case-id.ts";
import { machineOf, type CommandConfig } from "../runtime/engines/command/command-config.ts";
import { CommandError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { findQemu, QEMU_PACKAGES } from "./find-qemu.ts";
import type { Io } from "./io.ts";
import { findMachine, isNative, loadNativeImages, loadRunImages, TARGET_MACHINES, type NativeMachine, type RunnableNative } from "./load-native.ts";
import { filesOfImage, loadSpecs, machineKeyOf, machineOption, openImageCache, type LoadedImage } from "./load-specs.ts";
import type { ParsedOptions } from "./options.ts";

export interface RunTarget {
  readonly machine: MachineDescription;
  /** By what name or path the machine is loaded. */
  readonly source: string;
  readonly engine: string;
  /** Of an engine of the project. */
  readonly command?: CommandConfig;
  /** The engine is not there: why, and what would bring it. */
  readonly unavailable: string | null;
  /** What starts it; null for an engine in this process. */
  readonly binary: string | null;
}

/** What `--engine` takes beside the names of the project's engines. */
export const ENGINE_CHOICES = ["auto", "embedded", "qemu", "all"] as const;
type EngineChoice = (typeof ENGINE_CHOICES)[number];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** As a shell finds it: asking the program itself would cost each run a process. */
function isOnPath(name: string, env: Io["env"]): boolean {
  if (name.includes("/") || name.includes("\\")) return isProgram(name);
  return (env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && (isProgram(join(folder, name)) || isProgram(join(folder, `${name}.exe`))));
}

function missingQemu(machine: MachineDescription, binary: string): string {
  if (binary.includes("/") && existsSync(binary)) return `${binary} is no program that can be executed`;
  const name = machine.qemu === null ? undefined : QEMU_PACKAGES[machine.qemu.binary];
  return `${binary} is not there${name === undefined ? "" : ` (Debian: apt install ${name})`}`;
}

type NamedMachine = Pick<RunTarget, "machine" | "source">;

function withEngine({ machine, source }: NamedMachine, engine: string, options: ParsedOptions, io: Io): RunTarget {
  const binary = engine === "qemu" ? (options.value("qemu") ?? qemuBinary(machine, io.env)) : null;
  if (binary === null || isOnPath(binary, io.env)) return { machine, source, engine, unavailable: null, binary };
  return { machine, source, engine, unavailable: missingQemu(machine, binary), binary };
}

function enginesFor(machine: MachineDescription, choice: EngineChoice, isForQemu: boolean): readonly string[] {
  const possible = enginesOf(machine);
  if (isForQemu && possible.includes("qemu")) return ["qemu"];
  if (choice === "all") return possible;
  return choice === "auto" ? possible.slice(0, 1) : possible.filter((engine) => engine === choice);
}

export function targetNames(options: ParsedOptions): readonly (string | null)[] {
  const names = options.values("target").flatMap((value) => value.split(","));
  if (names.length === 0) return [null];
  return [...new Set(names.flatMap((name) => (name === "all" ? Object.keys(TARGET_MACHINES) : [name])))];
}

async function loadMachineOf(target: string | null, name: string | null, cache: ImageCache | null): Promise<NamedMachine> {
  const machine = await findMachine(target, name, cache);
  return { machine, source: name ?? machine.name };
}

/** Of several targets `--machine` names the machine of the one that it is for. */
async function machinesOf(options: ParsedOptions, io: Io): Promise<readonly NamedMachine[]> {
  const targets = targetNames(options);
  const name = await machineOption(options);
  const cache = options.has("no-cache") ? null : openImageCache(io);
  if (name === null || targets.length === 1) return Promise.all(targets.map((target) => loadMachineOf(target, name, cache)));
  const named = await loadMachineOf(null, name, cache);
  const { target } = named.machine;
  if (!targets.includes(target)) throw usageError(`${named.machine.name} is a machine for ${target}, which is not among the targets`);
  return Promise.all(targets.map(async (each) => (each === target ? named : loadMachineOf(each, null, cache))));
}

/** Why the program of a project's engine cannot be started, or null. */
function missingCommand({ command: [binary], packages }: CommandConfig, env: Io["env"]): string | null {
  if (isOnPath(binary, env)) return null;
  return `${binary} is not there${packages.length === 0 ? "" : ` (Debian: apt install ${packages.join(" ")})`}`;
}

/** An engine of the project as a target, with the machine as its VMM has it. */
export async function commandTarget(config: CommandConfig, io: Io): Promise<RunTarget> {
  const machine = await findMachine(config.target, config.machine);
  if (!isNative(machine)) throw usageError(`${machine.name} does not say where images start, so engine \`${config.name}\` cannot run them`);
  const unknown = config.without.find((name) => machine.devices.every((device) => device.name !== name));
  if (unknown !== undefined) {
    const known = machine.devices.map(({ name }) => name);
    throw usageError(`engine \`${config.name}\` is without \`${unknown}\`, which ${machine.name} does not have`, didYouMean(unknown, known, null));
  }
  return {
    machine: machineOf(config, machine),
    source: config.machine,
    engine: config.name,
    command: config,
    unavailable: missingCommand(config, io.env),
    binary: config.command[0],
  };
}

/** `--engine` with the name of an engine of the project. */
async function readCommandTarget(name: string, configs: readonly CommandConfig[], options: ParsedOptions, io: Io): Promise<readonly RunTarget[]> {
  const config = configs.find((one) => one.name === name);
  if (config === undefined) {
    const known = [...ENGINE_CHOICES, ...configs.map((one) => one.name)];
    throw usageError(`${options.spelled("engine")} takes ${known.join(", ")}, not \`${name}\``, didYouMean(name, known, null));
  }
  const wanted = targetNames(options).filter((target) => target !== null);
  if (wanted.length > 0 && !wanted.includes(config.target)) throw usageError(`engine \`${name}\` is for ${config.target}, not for ${wanted.join(", ")}`);
  if (options.value("machine") !== null) throw usageError(`engine \`${name}\` has a machine of its own, ${config.machine}`, "leave out `--machine`");
  const target = await commandTarget(config, io);
  if (target.unavailable !== null) throw new CommandError(EXIT.environment, target.unavailable);
  return [target];
}

export async function readRunTargets(options: ParsedOptions, io: Io): Promise<readonly RunTarget[]> {
  const written = options.value("engine") ?? "auto";
  // Options that only QEMU has ask for it where another engine comes first.
  const isForQemu = written === "auto" && ["qemu", "qemu-arg", "accel"].some((name) => options.has(name));
  const choice = ENGINE_CHOICES.find((name) => name === written);
  // Nobody who wants neither should have to wait for the project's engines.
  const configs = choice === undefined || choice === "all" ? (await import("./project-engines.ts")).readEngines() : [];
  if (choice === undefined) return readCommandTarget(written, configs, options, io);
  const machines = await machinesOf(options, io);
  const own = configs.filter(({ target }) => machines.some(({ machine }) => machine.target === target));
  const targets = [
    ...machines.flatMap((named) => enginesFor(named.machine, choice, isForQemu).map((engine) => withEngine(named, engine, options, io))),
    ...(await Promise.all(own.map((config) => commandTarget(config, io)))),
  ];
  if (targets.length === 0) {
    const engines = [...new Set(machines.flatMap(({ machine }) => enginesOf(machine)))];
    const names = machines.map(({ machine }) => machine.name).join(", ");
    throw usageError(`engine \`${choice}\` cannot make ${names}`, `${machines.length === 1 ? "it runs" : "they run"} on ${engines.join(", ")}`);
  }
  // Whoever names an engine wants no skips.
  const missing = choice === "qemu" ? targets.find(({ unavailable }) => unavailable !== null) : undefined;
  if (missing !== undefined) throw new CommandError(EXIT.environment, missing.unavailable ?? "");
  return targets;
}

/** Of QEMU alone: other engines refuse them, or they would ask for QEMU instead of these. */
const QEMU_OPTIONS = ["qemu", "accel", "append", "qemu-arg", "isolate", "hang-after"] as const;

/** What the repro line needs to run a test of this target again, and none of another one. */
function reproFlags({ machine, source, engine, command }: RunTarget, options: ParsedOptions): string {
  const isUsual = enginesOf(machine)[0] === engine;
  // What was given may have been given against a profile.
  const flags = machine.target === "bytecode" && isUsual && !options.has("target") ? [] : [` --target ${machine.target}`];
  if (!isUsual || options.has("engine")) flags.push(` --engine ${engine}`);
  // A project's engine has a machine of its own.
  if (command === undefined && options.has("machine")) flags.push(` --machine ${quoteForShell(source)}`);
  // Values may begin with a dash, and would be taken for options where they stood alone.
  if (engine === "qemu") for (const name of QEMU_OPTIONS) flags.push(...options.values(name).map((value) => ` --${name}=${quoteForShell(value)}`));
  return flags.join("");
}

export async function loadForTarget(files: readonly string[], target: RunTarget, options: ParsedOptions, io: Io): Promise<readonly LoadedImage[]> {
  const { machine, source, engine, unavailable } = target;
  const useCache = !options.has("no-cache");
  const own = { machine, engine, reproFlags: reproFlags(target, options), ...(unavailable === null ? {} : { unavailable }) };
  if (!isNative(machine)) return (await loadSpecs(files, { machine: source, useCache }, io)).images.map((image) => ({ ...image, ...own }));
  const images = await loadNative(files, target, machine, useCache, io);
  const isVersioned = images.some(({ manifest }) => manifest.suites.some(({ tests }) => tests.some(({ attributes }) => attributes.deviates !== undefined)));
  const engineVersion = isVersioned && unavailable === null ? await askVersion(target, io) : null;
  return images.map(({ path, native, manifest, dependencies, isCached }) => ({
    path,
    manifest,
    native,
    isCached,
    ...own,
    ...(engineVersion === null ? {} : { engineVersion }),
    madeOf: filesOfImage([path, ...dependencies], source),
  }));
}

/** A VMM of the project gets an image at a time, made for it alone. */
async function loadNative(
  files: readonly string[],
  { source, command, engine }: RunTarget,
  machine: NativeMachine,
  useCache: boolean,
  io: Io,
): Promise<readonly RunnableNative[]> {
  if (command !== undefined) return (await loadNativeImages(files, machine, io)).map((image) => ({ ...image, isCached: false }));
  const cache = useCache ? openImageCache(io) : null;
  const key = machineKeyOf(source, cache?.hashes);
  return loadRunImages(files, machine, engine === "qemu" ? "packed" : "alone", key ?? "", key === null ? null : cache, io);
}

/** For tests that deviate by version; costs a process, so only they ask. */
async function askVersion({ machine, binary }: RunTarget, io: Io): Promise<string | null> {
  if (machine.qemu === null || binary === null) return null;
  const state = await findQemu(machine, { ...io.env, [`QEMU_${machine.qemu.binary}`]: binary });
  return state?.found === true ? state.version : null;
}

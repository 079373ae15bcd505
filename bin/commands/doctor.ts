// `guestspec doctor`: what this installation has and lacks. What a run needs and misses is an error here too; the rest is told.

import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { enginesOf, type MachineDescription } from "../../machines/description.ts";
import { listMachines } from "../../machines/load-machine.ts";
import { deviceModels } from "../../runtime/devices/index.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isCommandError } from "../errors.ts";
import { askQemu, findQemu } from "../find-qemu.ts";
import type { Io } from "../io.ts";
import { buildStamp, DEFAULT_MACHINE, loadMachineDescription, openImageCache } from "../load-specs.ts";
import { LIB_FOLDER } from "../places.ts";
import { commandTarget } from "../load-targets.ts";
import type { ParsedOptions } from "../options.ts";
import { toolVersion } from "../version.ts";

type Level = "ok" | "note" | "bad";

interface Finding {
  readonly level: Level;
  readonly about: string;
  readonly text: string;
}

/** The smallest module there is; engines that cannot compile it run guests by the interpreter only. */
const EMPTY_WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

function findCache(io: Io): Finding {
  if (buildStamp() === null) return { level: "note", about: "cache", text: "off: the tool runs from its sources, which may change at any time" };
  const cache = openImageCache(io);
  const problem = cache?.problem() ?? null;
  if (cache === null || problem !== null)
    return { level: "note", about: "cache", text: `cannot be written, so that every run compiles anew: ${problem ?? "no folder"}` };
  const { entries, bytes } = cache.size();
  return { level: "ok", about: "cache", text: `${cache.folder}, ${entries} entries, ${Math.ceil(bytes / 1024)} KiB` };
}

function findLibrary(): Finding {
  const modules = existsSync(LIB_FOLDER) ? readdirSync(LIB_FOLDER).filter((name) => name.endsWith(".gspec")) : [];
  if (modules.length === 0) return { level: "bad", about: "library", text: `no modules in ${LIB_FOLDER}: the installation is incomplete` };
  return { level: "ok", about: "library", text: `${modules.length} modules in ${LIB_FOLDER}` };
}

async function findMachines(): Promise<{ readonly machines: readonly MachineDescription[]; readonly findings: readonly Finding[] }> {
  const machines: MachineDescription[] = [];
  const findings: Finding[] = [];
  for (const name of listMachines()) {
    try {
      const { machine } = await loadMachineDescription(name, null);
      const note = name === DEFAULT_MACHINE ? " (default)" : "";
      machines.push(machine);
      findings.push({
        level: "ok",
        about: "machine",
        text: `${name}${note}: ${machine.devices.length} devices, ${machine.cpus.min} to ${machine.cpus.max} CPUs, ${enginesOf(machine).join(" and ")}`,
      });
    } catch (error) {
      if (!isCommandError(error)) throw error;
      findings.push({ level: "bad", about: "machine", text: error.message });
    }
  }
  return { machines, findings };
}

/** The QEMU of one target. Without one the embedded machine is there, so nothing of this is bad. */
async function findQemuOf(machines: readonly MachineDescription[], io: Io): Promise<readonly Finding[]> {
  const [first] = machines;
  const state = first === undefined ? null : await findQemu(first, io.env);
  if (state === null) return [];
  if (!state.found) return [{ level: "note", about: "qemu", text: `${state.problem}; machines: ${machines.map(({ name }) => name).join(", ")}` }];
  const facts = await askQemu(state.binary, machines, io.env);
  if (!facts.ok) return [{ level: "note", about: "qemu", text: `${state.binary} ${state.version} does not tell what it has: ${facts.problem}` }];
  return [
    { level: "ok", about: "qemu", text: `${state.binary} ${state.version}: ${facts.accelerators.join(", ")}` },
    ...facts.missingFirmware.map((name): Finding => ({ level: "note", about: "firmware", text: `${state.binary} lacks ${name} (Debian: qemu-system-data)` })),
  ];
}

async function findQemus(machines: readonly MachineDescription[], io: Io): Promise<readonly Finding[]> {
  const groups = Map.groupBy(
    machines.filter(({ qemu }) => qemu !== null),
    (machine) => machine.qemu?.binary,
  );
  return (await Promise.all([...groups.values()].map((group) => findQemuOf(group, io)))).flat();
}

/** The project's own engines. Whoever names one wants it; nobody has to. */
async function findCommands(io: Io): Promise<readonly Finding[]> {
  const { readEngines } = await import("../project-engines.ts");
  try {
    const targets = await Promise.all(readEngines().map((config) => commandTarget(config, io)));
    return targets.map(({ engine, machine, unavailable }): Finding => ({
      level: unavailable === null ? "ok" : "note",
      about: "engine",
      text: `${engine}: ${unavailable ?? `${machine.summary}, ${machine.target}`}`,
    }));
  } catch (error) {
    if (!isCommandError(error)) throw error;
    return [{ level: "bad", about: "engine", text: error.message }];
  }
}

function findWebAssembly(): Finding {
  try {
    new WebAssembly.Module(EMPTY_WASM);
    return { level: "ok", about: "executor", text: "interpreter, and translation to WebAssembly" };
  } catch (error) {
    return { level: "note", about: "executor", text: `interpreter only: ${error instanceof Error ? error.message : String(error)}` };
  }
}

export async function run(_options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { machines, findings: machineFindings } = await findMachines();
  const findings: readonly Finding[] = [
    { level: "ok", about: "guestspec", text: toolVersion() },
    { level: "ok", about: "node", text: `${process.version} on ${process.platform} ${process.arch}, ${availableParallelism()} CPUs` },
    findWebAssembly(),
    findLibrary(),
    ...machineFindings,
    { level: "ok", about: "devices", text: `${deviceModels.length} models` },
    ...(await findQemus(machines, io)),
    ...(await findCommands(io)),
    findCache(io),
  ];
  for (const { level, about, text } of findings) io.out(`${level.padEnd(4)}  ${about.padEnd(9)}  ${text}\n`);
  return findings.some(({ level }) => level === "bad") ? EXIT.environment : EXIT.ok;
}

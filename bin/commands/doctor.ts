// `guestspec doctor`: what this installation has and lacks. What a run needs and misses is an error here too; the rest is told.

import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { listMachines } from "../../machines/load-machine.ts";
import { deviceModels } from "../../runtime/devices/index.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isCommandError } from "../errors.ts";
import type { Io } from "../io.ts";
import { buildStamp, DEFAULT_MACHINE, LIB_FOLDER, loadMachineDescription, openImageCache } from "../load-specs.ts";
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

async function findMachines(): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const name of listMachines()) {
    try {
      const { machine } = await loadMachineDescription(name, null);
      const note = name === DEFAULT_MACHINE ? " (default)" : "";
      findings.push({
        level: "ok",
        about: "machine",
        text: `${name}${note}: ${machine.devices.length} devices, ${machine.cpus.min} to ${machine.cpus.max} CPUs`,
      });
    } catch (error) {
      if (!isCommandError(error)) throw error;
      findings.push({ level: "bad", about: "machine", text: error.message });
    }
  }
  return findings;
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
  const findings: readonly Finding[] = [
    { level: "ok", about: "guestspec", text: toolVersion() },
    { level: "ok", about: "node", text: `${process.version} on ${process.platform} ${process.arch}, ${availableParallelism()} CPUs` },
    findWebAssembly(),
    findLibrary(),
    ...(await findMachines()),
    { level: "ok", about: "devices", text: `${deviceModels.length} models` },
    findCache(io),
  ];
  for (const { level, about, text } of findings) io.out(`${level.padEnd(4)}  ${about.padEnd(9)}  ${text}\n`);
  return findings.some(({ level }) => level === "bad") ? EXIT.environment : EXIT.ok;
}

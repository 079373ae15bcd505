// Finds and reads machine files. The only part of `machines/` that touches the host: what a file says is `parse-machine.ts`. Names are
// those of the YAML files in this folder.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseMachine, type MachineResult, type ParseOptions } from "./parse-machine.ts";

const FOLDER = new URL("./", import.meta.url);
const EXTENSION = ".yaml";

/** The machines of this package, by name, sorted. */
export function listMachines(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort();
}

/** Where the file of a machine of this package is. */
export function machineUrl(name: string): URL {
  return new URL(name + EXTENSION, FOLDER);
}

/** A machine of this package, or undefined if it has none of that name. */
export function loadMachine(name: string, options: ParseOptions = {}): MachineResult | undefined {
  if (!listMachines().includes(name)) return undefined;
  return loadMachineFile(fileURLToPath(machineUrl(name)), options);
}

/** A machine file anywhere. Throws the host's error if it cannot be read. */
export function loadMachineFile(path: string, options: ParseOptions = {}): MachineResult {
  return parseMachine(readFileSync(path, "utf8"), path, options);
}

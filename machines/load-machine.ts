// Finds and reads machine files. The only part of `machines/` that touches the host: what a file says is `parse-machine.ts`. Names are
// those of the YAML files in this folder.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { extendedPath, MACHINE_EXTENSION, machineUrl } from "./machine-files.ts";
import { parseMachine, type MachineResult, type ParseOptions } from "./parse-machine.ts";

const FOLDER = new URL("./", import.meta.url);

/** The machines of this package, by name, sorted. */
export function listMachines(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(MACHINE_EXTENSION))
    .map((file) => file.slice(0, -MACHINE_EXTENSION.length))
    .sort();
}

/** A machine of this package, or undefined if it has none of that name. */
export function loadMachine(name: string, options: ParseOptions = {}): MachineResult | undefined {
  if (!listMachines().includes(name)) return undefined;
  return loadMachineFile(fileURLToPath(machineUrl(name)), options);
}

/** A machine file anywhere. Throws the host's error if it cannot be read. */
export function loadMachineFile(path: string, options: ParseOptions = {}): MachineResult {
  return parseMachine(readFileSync(path, "utf8"), path, {
    ...options,
    machines: listMachines(),
    open(name, from) {
      const extended = extendedPath(name, from);
      const isFile = statSync(extended, { throwIfNoEntry: false })?.isFile() === true;
      return isFile ? { text: readFileSync(extended, "utf8"), file: extended } : null;
    },
  });
}

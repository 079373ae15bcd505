// The constants of the package's machines, by name: what a spec may name of machines that it is not compiled for. The build notes them beside the bundle
// (tools/build.mjs), because reading ten machine files takes as long as compiling ten specs. A machine one of whose files is newer than the notes is
// read, and so are all of them from the sources, which may change at any time.

import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { guestConstants } from "./description.ts";
import { loadMachine } from "./load-machine.ts";
import { machineFiles, machineUrl } from "./machine-files.ts";

export type MachineConstants = ReadonlyMap<string, bigint>;

/** Beside the bundle. */
export const CONSTANTS_FILE = "machine-constants.json";
const NOTES = new URL(CONSTANTS_FILE, new URL("../dist/", import.meta.url));

/** JSON has no integers beyond 2^53, so that values are digits. */
type Notes = Readonly<Record<string, readonly (readonly [name: string, digits: string])[]>>;

function readConstants(machine: string): MachineConstants {
  const result = loadMachine(machine);
  if (result?.ok !== true) throw new Error(`the package's machine ${machine} does not load`);
  return new Map(guestConstants(result.machine).map(({ name, value }) => [name, value]));
}

/** What the build writes. */
export function noteConstants(machines: readonly string[]): string {
  return JSON.stringify(
    Object.fromEntries(machines.map((machine) => [machine, [...readConstants(machine)].map(([name, value]) => [name, String(value)])])) satisfies Notes,
  );
}

let notes: { readonly constants: Notes; readonly time: number } | null = null;

function readNotes(): NonNullable<typeof notes> {
  if (import.meta.url.endsWith(".ts")) return { constants: {}, time: 0 };
  try {
    // First the time: notes that a build replaces in between count as older than they are.
    const time = statSync(NOTES).mtimeMs;
    return { constants: JSON.parse(readFileSync(NOTES, "utf8")) as Notes, time };
  } catch {
    // A build that is being replaced: the machines' files have it all.
    return { constants: {}, time: 0 };
  }
}

/** For all compilations of the process. */
const known = new Map<string, MachineConstants>();

export function packagedConstants(machine: string): MachineConstants {
  let constants = known.get(machine);
  if (constants === undefined) {
    notes ??= readNotes();
    const noted = notes.constants[machine];
    const { time } = notes;
    const isFresh = noted !== undefined && machineFiles(fileURLToPath(machineUrl(machine))).every((path) => statSync(path).mtimeMs <= time);
    constants = isFresh ? new Map(noted.map(([name, digits]) => [name, BigInt(digits)])) : readConstants(machine);
    known.set(machine, constants);
  }
  return constants;
}

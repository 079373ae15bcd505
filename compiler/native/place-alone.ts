// Where images go: the waist between what is compiled and what is linked, and its simplest filling, an image by itself. Whoever links what
// was compiled before loads this and no compiler.

import type { MachineDescription } from "../../machines/description.ts";
import type { AssembledEntry } from "./entry.ts";
import { linkImage } from "./link.ts";
import type { LoweredModule } from "./lower-module.ts";
import type { LinkedImage } from "./native-image.ts";

/** Places the images of a run: each alone at the machine's address, or all beside each other. */
export type PlaceImages = (modules: readonly LoweredModule[], machine: MachineDescription, entry: AssembledEntry) => readonly LinkedImage[];

export const placeAlone: PlaceImages = (modules, machine, entry) => {
  if (machine.boot === null) throw new Error(`${machine.name} does not say where images go`);
  const { base } = machine.boot;
  return modules.map((lowered) => linkImage(lowered, { machine: machine.name, base, entry }));
};

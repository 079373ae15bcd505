// The entry assembly of a target as the cache keeps it, assembled for one machine. A run that links what was compiled before needs nothing
// else of the assembler, whose tables of instructions take longer to make than such a run takes to link.

import type { AssembledEntry } from "../native/entry.ts";
import { pack, unpack, type Dependency, type ImageCache } from "./cache.ts";
import { textOf } from "./stored-bytes.ts";

interface Facts extends Pick<AssembledEntry, "file" | "relocations"> {
  readonly labels: readonly (readonly [name: string, offset: number])[];
}

function keyOf({ path }: Pick<Dependency, "path">, machineKey: string): readonly string[] {
  return ["entry", path, machineKey];
}

/** `source`: the assembly's file. */
export function readEntry(cache: ImageCache, source: Pick<Dependency, "path">, machineKey: string): AssembledEntry | null {
  const [bytes, facts] = cache.ofPackage.readParts(keyOf(source, machineKey))?.parts ?? [];
  if (bytes === undefined || facts === undefined) return null;
  const { file, relocations, labels } = unpack(textOf(facts)) as Facts;
  return { file, bytes, relocations, labels: new Map(labels) };
}

export function writeEntry(cache: ImageCache, source: Dependency, machineKey: string, { file, bytes, relocations, labels }: AssembledEntry): boolean {
  const facts: Facts = { file, relocations, labels: [...labels] };
  return cache.ofPackage.writeParts(keyOf(source, machineKey), { parts: [bytes, pack(facts)], paths: [] }, [source]);
}

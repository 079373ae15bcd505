// The part of the guest library that earlier compilations for a machine have kept (compiler/images/kept-library.ts), found by the texts that it
// was made of; the first of them was the tool's own build. Loaded by what compiles.

import { existsSync, readdirSync } from "node:fs";
import type { ImageCache } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { openKeptLibrary, type KeptLibrary } from "../compiler/images/kept-library.ts";
import type { MachineDescription } from "../machines/description.ts";
import { LIB_FOLDER } from "./places.ts";

/** Of all modules that a spec for the machine can reach: which there are, and what they say. */
function hashTexts(cache: ImageCache, { library, target }: MachineDescription): string {
  const folders = ["", ...library.map((name) => `${name}/`), `${target}/`].filter((folder) => existsSync(`${LIB_FOLDER}${folder}`));
  const files = folders.flatMap((folder) => readdirSync(`${LIB_FOLDER}${folder}`).flatMap((name) => (name.endsWith(".gspec") ? [`${folder}${name}`] : [])));
  return hashBytes(files.map((file) => `${file} ${cache.hashes(`${LIB_FOLDER}${file}`)}`).join("\n"));
}

/** By what they were opened for: a process that watches files compiles again and again. One that a compilation has left with errors is opened anew. */
const opened = new Map<string, KeptLibrary>();

/** `machineKey` changes with the machine's file. */
export function openLibrary(cache: ImageCache, machine: MachineDescription, machineKey: string): KeptLibrary {
  const key = [machineKey, hashTexts(cache, machine)];
  const name = [cache.folder, ...key].join("\0");
  let library = opened.get(name);
  if (library?.isSaved !== true) opened.set(name, (library = openKeptLibrary(cache.ofPackage, key)));
  return library;
}

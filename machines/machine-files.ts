// Which files a machine is made of: its own, and those that it extends. By a look at their text, since whoever asks whether something has
// changed asks often, and YAML costs more than all the rest; what the files say is `parse-machine.ts`.

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("./", import.meta.url);
export const MACHINE_EXTENSION = ".yaml";
const EXTENDS = /^extends:[ \t]+(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"'#][^\s#]*))/m;

/** A path is one that looks like one; anything else is a machine of this package. */
export const isMachinePath = (name: string): boolean => /[/\\]|\.ya?ml$/.test(name);

/** Where the file of a machine of this package is. */
export function machineUrl(name: string): URL {
  return new URL(name + MACHINE_EXTENSION, FOLDER);
}

/** Where the machine is that the file at `from` extends. */
export function extendedPath(name: string, from: string): string {
  if (!isMachinePath(name)) return fileURLToPath(machineUrl(name));
  return isAbsolute(name) ? name : join(dirname(from), name);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Whoever reads it for what it says tells why it cannot be read.
    return "";
  }
}

/** The file first, then what it extends, and so on. */
export function machineFiles(path: string): readonly string[] {
  const files = [path];
  for (let next = path; ;) {
    const [, ...forms] = EXTENDS.exec(readIfThere(next)) ?? [];
    const name = forms.find((form) => form !== undefined);
    if (name === undefined) return files;
    next = extendedPath(name, next);
    // A circle is told where the files are read.
    if (files.includes(next)) return files;
    files.push(next);
  }
}

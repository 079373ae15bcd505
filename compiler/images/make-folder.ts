// A folder with all that lead to it, made one by one. Node's `mkdirSync(.., { recursive: true })` tries for ever where a folder cannot be
// made in one that is there and says that it is not, as /proc does: a variable with a wrong path in it would hang the tool.

import { lstatSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Throws what the host says about the first that cannot be made, or about what is no folder. */
export function makeFolder(path: string): void {
  if (isThere(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    // Somebody else has made it meanwhile. What is no folder is noticed by whoever writes into it.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

// Files of the user: text that may be missing, and bytes of a file that somebody named.

import { readFileSync } from "node:fs";
import { decodeText } from "../grammar/text-check.ts";
import { CommandError, describeHostError, readError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";

/** Null: there is none. */
export function readText(path: string): string | null {
  try {
    return decodeText(readFileSync(path));
  } catch (error) {
    // A folder where a file is named is as absent as a missing one; anything else is the environment's fault.
    if (error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR", "EISDIR"].includes(String(error.code))) return null;
    throw new CommandError(EXIT.environment, `cannot read ${path}: ${describeHostError(error)}`);
  }
}

export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw readError(path, error);
  }
}

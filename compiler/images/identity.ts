// What tells one image from another: the hash of its manifest's text. An image says the first digits when it is ready for a host,
// files carry all of them, and whoever finds two that differ has an image and a manifest that do not belong together. One function,
// because the compiler, the file formats and the hosts must get the same.

import { hashBytes } from "./content-hash.ts";
import type { Manifest } from "./manifest.ts";

/** The text that is hashed, and that files carry. */
export function manifestText(manifest: Manifest): string {
  return JSON.stringify(manifest);
}

/** 32 hexadecimal digits. */
export function manifestIdentity(text: string): string {
  return hashBytes(text);
}

// The tool's version, from the package's own manifest so that it stands in one place.

import { readFileSync } from "node:fs";

let known: string | null = null;

export function toolVersion(): string {
  known ??= (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string }).version;
  return known;
}

// What a compilation has read, and so what its entries in the cache are made from. One for bytecode (load-specs.ts) and machine code (load-native.ts), which
// keep other things of a spec, but for the same reasons.

import type { Dependency } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { hashFile } from "../compiler/images/file-hashes.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { LIB_FOLDER, PROJECT_FILE } from "./places.ts";
import { readText } from "./read-text.ts";

/** Reads files for the compiler and remembers which, found or not. */
export function createReader(): { readonly read: (path: string) => string | null; readonly asked: ReadonlyMap<string, string | null> } {
  const asked = new Map<string, string | null>();
  return {
    asked,
    read(path) {
      const known = asked.get(path);
      if (known !== undefined) return known;
      const text = readText(path);
      asked.set(path, text);
      return text;
    },
  };
}

/** For the spec's own files: what an entry for it is made from; null where it may not be kept. */
export type SourcesOf = (own: readonly string[]) => readonly Dependency[] | null;

/**
 * Sources are the spec's own files and what any spec may use: the library, the project's words, and what was looked for in vain. Specs with
 * warnings are compiled each time: a warning that shows up once only would look fixed.
 */
export function findSources(asked: ReadonlyMap<string, string | null>, diagnostics: readonly Diagnostic[]): SourcesOf {
  const warned = new Set(diagnostics.flatMap(({ labels }) => labels.map(({ span }) => span.source.path)));
  const hashes = new Map<string, string | null>();
  const depend = (path: string): Dependency => {
    let hash = hashes.get(path);
    if (hash === undefined) {
      const text = asked.get(path) ?? null;
      hashes.set(path, (hash = text === null ? hashFile(path) : hashBytes(text)));
    }
    return { path, hash };
  };
  const shared = [...asked].filter(([path, text]) => text === null || path.startsWith(LIB_FOLDER)).map(([path]) => path);
  return (own) => (own.some((path) => warned.has(path)) ? null : [...new Set([...own, ...shared, PROJECT_FILE])].map(depend));
}

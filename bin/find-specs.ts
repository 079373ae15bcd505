// From what the user typed to spec files. A word is a path if something is there; `FILE:LINE` and ids name their file too, so that a
// pasted repro line compiles one file and not all. Folders are searched for *.gspec and *.gspec.yaml; the order is that of names.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { nearestName } from "../grammar/nearest-name.ts";
import { usageError } from "./errors.ts";

const SPEC = /\.gspec(\.yaml)?$/;
const SKIPPED_FOLDERS = new Set(["node_modules"]);

function stat(path: string): "file" | "folder" | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  return found.isDirectory() ? "folder" : "file";
}

function normalise(path: string): string {
  const slashed = path.replaceAll("\\", "/").replace(/^(\.\/+)+/, "");
  return slashed === "" ? "." : slashed.replace(/(?<=.)\/+$/, "");
}

function searchFolder(folder: string, found: Set<string>): void {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const entry of entries) {
    if (entry.name.startsWith(".") || SKIPPED_FOLDERS.has(entry.name)) continue;
    const path = folder === "." ? entry.name : join(folder, entry.name).replaceAll("\\", "/");
    if (entry.isDirectory() || (entry.isSymbolicLink() && stat(path) === "folder")) searchFolder(path, found);
    else if (SPEC.test(entry.name)) found.add(path);
  }
}

/** The path part of `FILE:LINE[:COLUMN]` or of an id `FILE::suite::...`, if that file exists. */
function fileOf(word: string): string | null {
  const candidates = [/^(.+?)::/.exec(word)?.[1], /^(.+?):\d+(?::\d+)?$/.exec(word)?.[1]];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? null;
}

function looksLikePath(word: string): boolean {
  return !word.includes("::") && (SPEC.test(word) || /\.ya?ml$/.test(word) || word.endsWith("/"));
}

function missingPath(word: string): Error {
  const at = word.lastIndexOf("/");
  const folder = at < 0 ? "." : word.slice(0, at);
  const siblings = stat(folder) === "folder" ? readdirSync(folder) : [];
  const nearest = nearestName(word.slice(at + 1), siblings);
  return usageError(`there is no file or folder \`${word}\``, nearest === undefined ? null : `did you mean \`${at < 0 ? "" : `${folder}/`}${nearest}\`?`);
}

export interface FoundSpecs {
  /** In order, each once. */
  readonly files: readonly string[];
  /** Places in them: whole files and folders, `FILE:LINE`, ids. */
  readonly places: readonly string[];
  /** Parts of ids; what they select is taken from the places, if there are any. */
  readonly words: readonly string[];
}

/** No place given: everything below the working directory. */
export function findSpecs(given: readonly string[]): FoundSpecs {
  const files = new Set<string>();
  const places: string[] = [];
  const words: string[] = [];
  for (const raw of given) {
    const word = normalise(raw);
    const kind = stat(word);
    if (kind === "folder") searchFolder(word, files);
    else if (kind === "file") {
      if (!SPEC.test(word)) throw usageError(`\`${word}\` is no spec: specs are named *.gspec or *.gspec.yaml`);
      files.add(word);
    } else {
      const file = fileOf(word);
      if (file === null) {
        if (looksLikePath(word)) throw missingPath(word);
        words.push(raw);
        continue;
      }
      files.add(normalise(file));
    }
    places.push(word);
  }
  if (places.length === 0) searchFolder(".", files);
  return { files: [...files], places, words };
}

/** Paths only: for commands that compile but do not select tests. */
export function findSpecFiles(paths: readonly string[]): readonly string[] {
  for (const path of paths) if (stat(normalise(path)) === null) throw missingPath(path);
  return findSpecs(paths).files;
}

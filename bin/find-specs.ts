// From what the user typed to spec files. A word is a path if something is there; `FILE:LINE` and ids name their file too, so that a
// pasted repro line compiles one file and not all. Folders are searched for *.gspec and *.gspec.yaml; the order is that of names.

import { type Dirent, existsSync, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { nearestName } from "../grammar/nearest-name.ts";
import { CommandError, describeHostError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";

const SPEC = /\.gspec(\.yaml)?$/;
const SKIPPED_FOLDERS = new Set(["node_modules"]);

/** File systems have no longer names. An id is a word that may be longer, and no path. */
const LONGEST_NAME = 255;
const isTooLong = (path: string): boolean => path.split("/").some((name) => Buffer.byteLength(name) > LONGEST_NAME);

/** Nothing can be at a path with a file, a link to itself, or too much of it in front. */
const NOTHING_THERE: readonly unknown[] = ["ENOTDIR", "ELOOP", "ENAMETOOLONG"];

/** What is at the path; null: nothing. */
function look<Found>(path: string, at: (path: string) => Found | undefined): Found | null {
  try {
    return (isTooLong(path) ? undefined : at(path)) ?? null;
  } catch (error) {
    if (error instanceof Error && "code" in error && NOTHING_THERE.includes(error.code)) return null;
    throw new CommandError(EXIT.environment, `cannot read ${path}: ${describeHostError(error)}`);
  }
}

/** Null also for a link that leads to itself. */
function stat(path: string): "file" | "folder" | "other" | null {
  const found = look(path, (at) => statSync(at, { throwIfNoEntry: false }));
  if (found === null) return null;
  return found.isDirectory() ? "folder" : found.isFile() ? "file" : "other";
}

/** Null unless it is a link. */
function linkTarget(path: string): string | null {
  return look(path, (at) => (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(at) : undefined));
}

/** What is done about a spec that is a link where nothing is, or a folder that cannot be read. */
type OnUnreadable = (path: string, why: string) => void;

/** Of an id only the file in front is a path: what follows may have backslashes of its own. */
function normalise(word: string): string {
  const end = word.indexOf("::");
  const path = end < 0 ? word : word.slice(0, end);
  return end < 0 ? normalisePath(path) : normalisePath(path) + word.slice(end);
}

function normalisePath(path: string): string {
  const slashed = path.replaceAll("\\", "/").replace(/^(\.\/+)+/, "");
  return slashed === "" ? "." : slashed.replace(/(?<=.)\/+$/, "");
}

function listFolder(folder: string, onUnreadable: OnUnreadable): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } catch (error) {
    onUnreadable(folder, describeHostError(error));
    return [];
  }
}

function describeLink(target: string): string {
  return `it is a link to ${target}, and nothing is there`;
}

/** `above`: where the folders really are that led here, so that a link to one of them, or above it, is not followed for ever. */
function searchFolder(folder: string, found: Set<string>, onUnreadable: OnUnreadable, above: readonly string[] = []): void {
  let places: readonly string[] | undefined;
  for (const entry of listFolder(folder, onUnreadable)) {
    if (entry.name.startsWith(".") || SKIPPED_FOLDERS.has(entry.name)) continue;
    const path = folder === "." ? entry.name : join(folder, entry.name).replaceAll("\\", "/");
    const isSpec = SPEC.test(entry.name);
    if (entry.isDirectory()) searchFolder(path, found, onUnreadable, above);
    else if (entry.isFile()) {
      if (isSpec) found.add(path);
    } else if (entry.isSymbolicLink()) {
      const kind = stat(path);
      if (kind === "folder") {
        places ??= [...above, realpathSync(folder)];
        const target = realpathSync(path);
        if (!places.some((place) => `${place}/`.startsWith(target === "/" ? target : `${target}/`))) searchFolder(path, found, onUnreadable, places);
      } else if (isSpec && kind === "file") found.add(path);
      else if (isSpec && kind === null) onUnreadable(path, describeLink(readlinkSync(path)));
    }
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

/** What cannot be read, each by its reason; all of it, so that one bad file hides no other. */
function describeUnreadable(unreadable: readonly (readonly [path: string, why: string])[]): CommandError | null {
  if (unreadable.length === 0) return null;
  return new CommandError(EXIT.environment, unreadable.map(([path, why]) => `cannot read ${path}: ${why}`).join("\nerror: "));
}

/** Searches on behind what cannot be read. A spec that silently is not run is worse than a run that does not begin, so somebody must be told. */
export function findReadableSpecs(paths: readonly string[]): { readonly files: readonly string[]; readonly problem: CommandError | null } {
  const unreadable: (readonly [string, string])[] = [];
  const files = findSpecFiles(paths, (path, why) => unreadable.push([path, why]));
  return { files, problem: describeUnreadable(unreadable) };
}

/** No place given: everything below the working directory. Without `onUnreadable` what cannot be read is an error. */
export function findSpecs(given: readonly string[], onUnreadable?: OnUnreadable): FoundSpecs {
  if (onUnreadable !== undefined) return findWith(given, onUnreadable);
  const unreadable: (readonly [string, string])[] = [];
  const found = findWith(given, (path, why) => unreadable.push([path, why]));
  const problem = describeUnreadable(unreadable);
  if (problem !== null) throw problem;
  return found;
}

function findWith(given: readonly string[], onUnreadable: OnUnreadable): FoundSpecs {
  const files = new Set<string>();
  const places: string[] = [];
  const words: string[] = [];
  for (const raw of given) {
    const word = normalise(raw);
    const kind = stat(word);
    if (kind === "folder") searchFolder(word, files, onUnreadable);
    else if (kind === "other") throw usageError(`\`${word}\` is no file and no folder`);
    else if (kind === "file") {
      if (!SPEC.test(word)) throw usageError(`\`${word}\` is no spec: specs are named *.gspec or *.gspec.yaml`);
      files.add(word);
    } else {
      const file = fileOf(word);
      if (file === null) {
        const target = looksLikePath(word) ? linkTarget(word) : null;
        if (target === null) {
          if (looksLikePath(word)) throw missingPath(word);
          words.push(raw);
          continue;
        }
        onUnreadable(word, describeLink(target));
      } else files.add(normalise(file));
    }
    places.push(word);
  }
  if (places.length === 0) searchFolder(".", files, onUnreadable);
  return { files: [...files], places, words };
}

/** Paths only: for commands that compile but do not select tests. */
export function findSpecFiles(paths: readonly string[], onUnreadable?: OnUnreadable): readonly string[] {
  for (const path of paths) if (stat(normalise(path)) === null && linkTarget(path) === null) throw missingPath(path);
  return findSpecs(paths, onUnreadable).files;
}

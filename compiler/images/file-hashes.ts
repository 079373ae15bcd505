// Hashes of files for the image cache, which asks for those of the whole guest library each time: reading and hashing it is a sixth of what
// a run of one compiled test computes. So what was hashed is remembered beside the entries, with the file's size, inode and times: as
// long as these are the same, so are the contents. A table that is torn, old or gone only means that files are read again.

import { readFileSync, renameSync, statSync, writeFileSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import { hashBytes } from "./content-hash.ts";

/** The hash of a file, or null if it cannot be read. */
export type FileHashes = (path: string) => string | null;

export function hashFile(path: string): string | null {
  try {
    return hashBytes(readFileSync(path));
  } catch {
    return null;
  }
}

/** Each file is looked at once: for those who look at many entries at one time, all of which depend on the guest library. */
export function rememberHashes(hashOf: FileHashes = hashFile): FileHashes {
  const known = new Map<string, string | null>();
  return (path) => {
    let hash = known.get(path);
    if (hash === undefined) known.set(path, (hash = hashOf(path)));
    return hash;
  };
}

/** Changes when the table's layout does. */
const VERSION = 1;
/** Files; more of them, and those that this process did not ask for are forgotten. */
const LIMIT = 4000;
/**
 * A file that changed less than this before it was hashed may change again within the same tick of the file system's clock, and look the
 * same: it is hashed anew next time. Two seconds is what the coarsest file systems count in.
 */
const SETTLED_MS = 2000;

/** What a file looked like when it was hashed, and its hash. */
type Known = readonly [size: number, modified: number, changed: number, inode: number, hash: string];

type Table = Map<string, Known>;

function readTable(path: string): Table {
  try {
    const { version, files } = JSON.parse(readFileSync(path, "utf8")) as { readonly version: number; readonly files: Readonly<Record<string, Known>> };
    return version === VERSION ? new Map(Object.entries(files)) : new Map();
  } catch {
    return new Map();
  }
}

function writeTable(path: string, table: Table): void {
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, JSON.stringify({ version: VERSION, files: Object.fromEntries(table) }));
    renameSync(temporary, path);
  } catch {
    // As for the cache's entries: the next run is just slower.
  }
}

/** What is there, if it can be looked at: a folder may be closed, and links may lead in a circle. */
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isSame({ size, mtimeMs, ctimeMs, ino }: Stats, known: Known): boolean {
  return known[0] === size && known[1] === mtimeMs && known[2] === ctimeMs && known[3] === ino;
}

/** By folder: a process opens its cache more than once. */
const opened = new Map<string, FileHashes>();

/** With the memory of earlier processes, which is in `folder` beside the cache's entries; written as the process ends. */
export function openFileHashes(folder: string): FileHashes {
  const before = opened.get(folder);
  if (before !== undefined) return before;
  const path = join(folder, "files.json");
  let table: Table | null = null;
  const asked = new Set<string>();
  let isChanged = false;

  function save(): void {
    if (table === null) return;
    // What other processes have written since is kept, unless it is of the same file.
    const all = new Map([...readTable(path), ...table]);
    writeTable(path, all.size <= LIMIT ? all : new Map([...table].filter(([file]) => asked.has(file))));
  }

  const hashes: FileHashes = (file) => {
    const absolute = file.startsWith("/") ? file : resolve(file);
    const stats = lookAt(absolute);
    if (stats?.isFile() !== true) return hashFile(absolute);
    table ??= readTable(path);
    asked.add(absolute);
    const known = table.get(absolute);
    if (known !== undefined && isSame(stats, known)) return known[4];
    const hash = hashFile(absolute);
    if (hash === null || Date.now() - stats.ctimeMs < SETTLED_MS) return hash;
    table.set(absolute, [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino, hash]);
    if (!isChanged) process.once("exit", save);
    isChanged = true;
    return hash;
  };
  opened.set(folder, hashes);
  return hashes;
}

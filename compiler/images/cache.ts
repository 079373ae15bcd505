// The cache of compiled specs: content hashes in, encoded image and manifest out. A hit loads neither the parser nor YAML nor the
// compiler, which is most of what a run of one test would cost. An entry names every file that was read for it with its hash, and
// every file that was looked for in vain, so that it is stale the moment any of them changes. A cache that cannot be written is
// no error: the run is just slower, and `guestspec doctor` says why.

import { existsSync, closeSync, openSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { checksumBytes, hashBytes } from "./content-hash.ts";
import { openFileHashes, type FileHashes } from "./file-hashes.ts";
import { makeFolder } from "./make-folder.ts";
import { loadModule, storeModule } from "./stored-module.ts";

/** Changes when the entry's layout does. */
const FORMAT = 6;
/** More of them, and those not used for longest go until a third is free. A spec has an entry for each target. */
const LIMITS = { entries: 4000, bytes: 512 * 2 ** 20 } as const;
/** How names of entries begin that are made of files of the package only. */
export const PACKAGED = "package-";
/** Uses closer to each other than this are one. */
const USE_MS = 3_600_000;

export interface CacheEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home, for systems without XDG_CACHE_HOME. */
  readonly home: string;
  /** Version and build of the tool: another build, another cache. */
  readonly stamp: string;
  /** Where entries of the package's own files came with the tool (tools/build.mjs); absent: none did. */
  readonly packaged?: string;
  /** Absent: `LIMITS`. */
  readonly limits?: { readonly entries: number; readonly bytes: number };
}

/** One file that an image depends on; null: it did not exist. */
export interface Dependency {
  readonly path: string;
  readonly hash: string | null;
}

export interface CachedImage {
  readonly path: string;
  readonly module: Module;
  /** JSON text. */
  readonly manifest: string;
  readonly dependencies: readonly string[];
}

/** Parts of a kind of their own, for those who load more than the core of the tool does. */
export interface StoredParts {
  readonly parts: readonly Uint8Array[];
  readonly paths: readonly string[];
  readonly dependencies: readonly Dependency[];
}

export interface PartStore {
  /** What was kept under a key, as long as nothing it depends on has changed. */
  readParts(key: readonly string[], hashes?: FileHashes): StoredParts | null;
  writeParts(
    key: readonly string[],
    stored: { readonly parts: readonly (Uint8Array | string)[]; readonly paths: readonly string[] },
    dependencies: readonly Dependency[],
  ): boolean;
}

export interface ImageCache extends PartStore {
  readonly folder: string;
  /** Of any file, remembered from one process to the next. */
  readonly hashes: FileHashes;
  /** The entry of a spec, or null. `no suite`: the file was compiled and makes no image. */
  readSpec(path: string, machineKey: string, hashes?: FileHashes): CachedImage | "no suite" | null;
  writeSpec(path: string, machineKey: string, entry: CachedImage | "no suite", dependencies: readonly Dependency[]): boolean;
  /** For what is made of files of the package only, as the library and the machines are: it may have come with the tool. */
  readonly ofPackage: PartStore;
  /** There is such an entry, whole or not, of today or not. */
  hasParts(key: readonly string[]): boolean;
  /** A machine description by the hash of its file. */
  readMachine(key: string): MachineDescription | null;
  writeMachine(key: string, machine: MachineDescription): boolean;
  /** Null if the folder can be written, else why not. */
  problem(): string | null;
  /** Entries and bytes. */
  size(): { readonly entries: number; readonly bytes: number };
}

export function cacheFolder(environment: Pick<CacheEnvironment, "env" | "home">): string {
  const base = environment.env.XDG_CACHE_HOME;
  return join(base === undefined || base === "" ? join(environment.home, ".cache") : base, "guestspec");
}

/** The first line of an entry; its parts follow it one after the other. */
interface Header {
  /** Of everything behind the line. */
  readonly checksum: string;
  readonly sizes: readonly number[];
  readonly dependencies: readonly Dependency[];
  readonly paths: readonly string[];
}

interface Entry {
  readonly header: Header;
  readonly parts: readonly Buffer[];
}

const LF = 0x0a;

/** The checksum of what follows is taken where it lies, so it begins at a word's boundary: spaces fill the line. */
function firstLine(header: Header): Buffer {
  const line = Buffer.from(JSON.stringify(header));
  return Buffer.concat([line, Buffer.from(`${" ".repeat(7 - (line.length % 8))}\n`)]);
}

function isHeader(value: unknown): value is Header {
  return typeof value === "object" && value !== null && "checksum" in value && "sizes" in value && "dependencies" in value;
}

/** Null for what is no entry, a torn or foreign file is as good as none, and for what is stale: one look at the dependencies tells. */
function parseEntry(bytes: Buffer, hashes: FileHashes): Entry | null {
  const end = bytes.indexOf(LF);
  if (end < 0) return null;
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString("utf8", 0, end));
  } catch {
    return null;
  }
  if (!isHeader(header) || !isFresh(header, hashes)) return null;
  const body = bytes.subarray(end + 1);
  if (header.checksum !== checksumBytes(body)) return null;
  let at = 0;
  const parts = header.sizes.map((size) => body.subarray(at, (at += size)));
  return { header, parts };
}

/** JSON with its bigints beside it: a reviver that looks at every value would take longer than all the rest of reading it. */
interface Packed {
  readonly value: unknown;
  readonly bigints: readonly (readonly [path: readonly (string | number)[], digits: string])[];
}

export function pack(value: unknown): string {
  const bigints: [(string | number)[], string][] = [];
  const walk = (part: unknown, path: readonly (string | number)[]): unknown => {
    if (typeof part === "bigint") {
      bigints.push([[...path], String(part)]);
      return 0;
    }
    if (Array.isArray(part)) return part.map((item, index) => walk(item, [...path, index]));
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, item]) => [name, walk(item, [...path, name])]));
  };
  return JSON.stringify({ value: walk(value, []), bigints } satisfies Packed);
}

export function unpack(text: string): unknown {
  const { value, bigints } = JSON.parse(text) as Packed;
  for (const [path, digits] of bigints) {
    let holder = value as Record<string | number, unknown>;
    for (const step of path.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
    holder[path.at(-1) ?? ""] = BigInt(digits);
  }
  return value;
}

function partsOf(entry: Entry | null): StoredParts | null {
  return entry === null ? null : { parts: entry.parts, paths: entry.header.paths, dependencies: entry.header.dependencies };
}

function isFresh({ dependencies }: Header, hashes: FileHashes): boolean {
  return dependencies.every(({ path, hash }) => hashes(path) === hash);
}

/** Its time tells when it was last of use. */
function markUsed(path: string): void {
  const now = Date.now();
  try {
    if (now - statSync(path).mtimeMs > USE_MS) utimesSync(path, now / 1000, now / 1000);
  } catch {
    // Somebody else's folder, or pruned meanwhile: what was read is as good.
  }
}

export function openCache(environment: CacheEnvironment): ImageCache {
  const folder = cacheFolder(environment);
  const limits = environment.limits ?? LIMITS;
  const fileHashes = openFileHashes(folder);
  /** What is in the folder as far as this process knows; null: it has not looked yet. */
  let held: { count: number; bytes: number } | null = null;

  function nameOf(key: readonly string[]): string {
    return `${hashBytes([String(FORMAT), environment.stamp, ...key].join("\0"))}.bin`;
  }

  /** Images find the library by its path: where the package has been copied to, what is in the copy may have been changed. */
  function pathOf(...key: readonly string[]): string {
    return join(folder, nameOf([environment.packaged ?? "", ...key]));
  }

  function readFrom(path: string, hashes: FileHashes): Entry | null {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      return null;
    }
    return parseEntry(bytes, hashes);
  }

  function read(path: string, hashes: FileHashes): Entry | null {
    const entry = readFrom(path, hashes);
    if (entry !== null) markUsed(path);
    return entry;
  }

  /** What this user's compilations have kept is what came with the tool, and more. */
  function readPackaged(key: readonly string[], hashes: FileHashes): Entry | null {
    const name = packagedName(key);
    return read(join(folder, name), hashes) ?? (environment.packaged === undefined ? null : readFrom(join(environment.packaged, name), hashes));
  }

  const packagedName = (key: readonly string[]): string => `${PACKAGED}${nameOf(key)}`;

  function write(path: string, parts: readonly (Uint8Array | string)[], dependencies: readonly Dependency[], paths: readonly string[]): boolean {
    const buffers = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    const body = Buffer.concat(buffers);
    const header: Header = { checksum: checksumBytes(body), sizes: buffers.map(({ length }) => length), dependencies, paths };
    const temporary = `${path}.${process.pid}`;
    try {
      makeFolder(folder);
      const line = firstLine(header);
      const file = openSync(temporary, "w");
      try {
        writeFileSync(file, line);
        writeFileSync(file, body);
      } finally {
        closeSync(file);
      }
      // In one step, so that a reader next door never sees half an entry.
      renameSync(temporary, path);
      prune(line.length + body.length);
      return true;
    } catch {
      return false;
    }
  }

  function entries(): { path: string; bytes: number; time: number }[] {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".bin"))
      .map((name) => {
        const path = join(folder, name);
        const { size, mtimeMs } = statSync(path);
        return { path, bytes: size, time: mtimeMs };
      });
  }

  /** After an entry of so many bytes was written. Looks at the folder once, and when what was written since may be too much. */
  function prune(written: number): void {
    held = held === null ? null : { count: held.count + 1, bytes: held.bytes + written };
    if (held !== null && held.count <= limits.entries && held.bytes <= limits.bytes) return;
    const oldest = entries().sort((a, b) => a.time - b.time);
    held = { count: oldest.length, bytes: oldest.reduce((sum, { bytes }) => sum + bytes, 0) };
    if (held.count <= limits.entries && held.bytes <= limits.bytes) return;
    for (const { path, bytes } of oldest) {
      if (held.count <= (limits.entries * 2) / 3 && held.bytes <= (limits.bytes * 2) / 3) return;
      unlinkSync(path);
      held.count--;
      held.bytes -= bytes;
    }
  }

  return {
    folder,
    hashes: fileHashes,
    readSpec(path, machineKey, hashes = fileHashes) {
      const entry = read(pathOf("spec", resolve(path), path, machineKey), hashes);
      if (entry === null) return null;
      const [manifest, shell, locations, ...bodies] = entry.parts;
      if (manifest === undefined || shell === undefined || locations === undefined) return "no suite";
      const module = loadModule({ shell, locations, bodies });
      return module === null ? null : { path, module, manifest: manifest.toString("utf8"), dependencies: entry.header.paths };
    },
    writeSpec(path, machineKey, entry, dependencies) {
      const target = pathOf("spec", resolve(path), path, machineKey);
      if (entry === "no suite") return write(target, [], dependencies, []);
      const { shell, locations, bodies } = storeModule(entry.module);
      return write(target, [entry.manifest, shell, locations, ...bodies], dependencies, entry.dependencies);
    },
    readParts: (key, hashes = fileHashes) => partsOf(read(pathOf("parts", ...key), hashes)),
    hasParts: (key) => existsSync(pathOf("parts", ...key)),
    writeParts: (key, { parts, paths }, dependencies) => write(pathOf("parts", ...key), parts, dependencies, paths),
    ofPackage: {
      readParts: (key, hashes = fileHashes) => partsOf(readPackaged(["parts", ...key], hashes)),
      writeParts: (key, { parts, paths }, dependencies) => write(join(folder, packagedName(["parts", ...key])), parts, dependencies, paths),
    },
    readMachine(key) {
      const [text] = readPackaged(["machine", key], fileHashes)?.parts ?? [];
      return text === undefined ? null : (unpack(text.toString("utf8")) as MachineDescription);
    },
    writeMachine: (key, machine) => write(join(folder, packagedName(["machine", key])), [pack(machine)], [], []),
    problem() {
      try {
        makeFolder(folder);
        const probe = join(folder, `probe.${process.pid}`);
        writeFileSync(probe, "");
        unlinkSync(probe);
        return null;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
    size() {
      try {
        const all = entries();
        return { entries: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
      } catch {
        return { entries: 0, bytes: 0 };
      }
    },
  };
}

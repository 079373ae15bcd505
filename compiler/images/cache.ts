// The cache of compiled specs: content hashes in, encoded image and manifest out. A hit loads neither the parser nor YAML nor the
// compiler, which is most of what a run of one test would cost. An entry names every file that was read for it with its hash, and
// every file that was looked for in vain, so that it is stale the moment any of them changes. A cache that cannot be written is
// no error: the run is just slower, and `guestspec doctor` says why.

import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { hashBytes } from "./content-hash.ts";
import { loadModule, storeModule } from "./stored-module.ts";

/** Changes when the entry's layout does. */
const FORMAT = 4;
/** Entries and bytes; more of them, and the oldest go until a third is free. */
const ENTRY_LIMIT = 600;
const BYTE_LIMIT = 512 * 2 ** 20;

export interface CacheEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home, for systems without XDG_CACHE_HOME. */
  readonly home: string;
  /** Version and build of the tool: another build, another cache. */
  readonly stamp: string;
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
}

export interface ImageCache {
  readonly folder: string;
  /** The entry of a spec, or null. `no suite`: the file was compiled and makes no image. */
  readSpec(path: string, machineKey: string): CachedImage | "no suite" | null;
  writeSpec(path: string, machineKey: string, entry: CachedImage | "no suite", dependencies: readonly Dependency[]): boolean;
  /** What was kept under a key, as long as nothing it depends on has changed. */
  readParts(key: readonly string[]): StoredParts | null;
  writeParts(
    key: readonly string[],
    stored: { readonly parts: readonly (Uint8Array | string)[]; readonly paths: readonly string[] },
    dependencies: readonly Dependency[],
  ): boolean;
  /** A machine description by the hash of its file. */
  readMachine(key: string): MachineDescription | null;
  writeMachine(key: string, machine: MachineDescription): boolean;
  /** Null if the folder can be written, else why not. */
  problem(): string | null;
  /** Entries and bytes. */
  size(): { readonly entries: number; readonly bytes: number };
}

/** Hash of a file's contents, null if it cannot be read. */
export function hashFile(path: string): string | null {
  try {
    return hashBytes(readFileSync(path));
  } catch {
    return null;
  }
}

export function cacheFolder(environment: Pick<CacheEnvironment, "env" | "home">): string {
  const base = environment.env.XDG_CACHE_HOME;
  return join(base === undefined || base === "" ? join(environment.home, ".cache") : base, "guestspec");
}

/** The first line of an entry; its parts follow it one after the other. */
interface Header {
  /** Of everything behind the line. */
  readonly hash: string;
  readonly sizes: readonly number[];
  readonly dependencies: readonly Dependency[];
  readonly paths: readonly string[];
}

interface Entry {
  readonly header: Header;
  readonly parts: readonly Buffer[];
}

const LF = 0x0a;

function isHeader(value: unknown): value is Header {
  return typeof value === "object" && value !== null && "hash" in value && "sizes" in value && "dependencies" in value;
}

/** Null for what is no entry: a torn or foreign file is as good as none. */
function parseEntry(bytes: Buffer): Entry | null {
  const end = bytes.indexOf(LF);
  if (end < 0) return null;
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString("utf8", 0, end));
  } catch {
    return null;
  }
  const body = bytes.subarray(end + 1);
  if (!isHeader(header) || header.hash !== hashBytes(body)) return null;
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

function isFresh({ header }: Entry): boolean {
  return header.dependencies.every(({ path, hash }) => hashFile(path) === hash);
}

export function openCache(environment: CacheEnvironment): ImageCache {
  const folder = cacheFolder(environment);

  function pathOf(...key: readonly string[]): string {
    return join(folder, `${hashBytes([String(FORMAT), environment.stamp, ...key].join("\0"))}.bin`);
  }

  function read(path: string): Entry | null {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      return null;
    }
    return parseEntry(bytes);
  }

  function write(path: string, parts: readonly (Uint8Array | string)[], dependencies: readonly Dependency[], paths: readonly string[]): boolean {
    const buffers = parts.map((part) => Buffer.from(part));
    const body = Buffer.concat(buffers);
    const header: Header = { hash: hashBytes(body), sizes: buffers.map(({ length }) => length), dependencies, paths };
    const temporary = `${path}.${process.pid}`;
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(temporary, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]));
      // In one step, so that a reader next door never sees half an entry.
      renameSync(temporary, path);
      prune();
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

  function prune(): void {
    const oldest = entries().sort((a, b) => a.time - b.time);
    let count = oldest.length;
    let total = oldest.reduce((sum, { bytes }) => sum + bytes, 0);
    if (count <= ENTRY_LIMIT && total <= BYTE_LIMIT) return;
    for (const { path, bytes } of oldest) {
      if (count <= (ENTRY_LIMIT * 2) / 3 && total <= (BYTE_LIMIT * 2) / 3) return;
      unlinkSync(path);
      count--;
      total -= bytes;
    }
  }

  return {
    folder,
    readSpec(path, machineKey) {
      const entry = read(pathOf("spec", resolve(path), path, machineKey));
      if (entry === null || !isFresh(entry)) return null;
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
    readParts(key) {
      const entry = read(pathOf("parts", ...key));
      return entry === null || !isFresh(entry) ? null : { parts: entry.parts, paths: entry.header.paths };
    },
    writeParts: (key, { parts, paths }, dependencies) => write(pathOf("parts", ...key), parts, dependencies, paths),
    readMachine(key) {
      const [text] = read(pathOf("machine", key))?.parts ?? [];
      return text === undefined ? null : (unpack(text.toString("utf8")) as MachineDescription);
    },
    writeMachine: (key, machine) => write(pathOf("machine", key), [pack(machine)], [], []),
    problem() {
      try {
        mkdirSync(folder, { recursive: true });
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

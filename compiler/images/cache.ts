// The cache of compiled specs: content hashes in, encoded image and manifest out. A hit loads neither the parser nor YAML nor the
// compiler, which is most of what a run of one test would cost. An entry names every file that was read for it with its hash, and
// every file that was looked for in vain, so that it is stale the moment any of them changes. A cache that cannot be written is
// no error: the run is just slower, and `guestspec doctor` says why.

import { hash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { MachineDescription } from "../../machines/description.ts";

/** Changes when the entry's layout does. */
const FORMAT = 1;
const ENTRY_LIMIT = 600;
const PRUNE_TO = 400;

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
  /** Encoded module. */
  readonly image: Uint8Array;
  /** JSON text. */
  readonly manifest: string;
  readonly dependencies: readonly string[];
}

export interface ImageCache {
  readonly folder: string;
  /** The entry of a spec, or null. `hasNoSuite`: the file was compiled and makes no image. */
  readSpec(path: string, machineKey: string): CachedImage | "no suite" | null;
  writeSpec(path: string, machineKey: string, entry: CachedImage | "no suite", dependencies: readonly Dependency[]): boolean;
  /** A machine description by the hash of its file. */
  readMachine(key: string): MachineDescription | null;
  writeMachine(key: string, machine: MachineDescription): boolean;
  /** Null if the folder can be written, else why not. */
  problem(): string | null;
  /** Entries and bytes. */
  size(): { readonly entries: number; readonly bytes: number };
}

export function hashBytes(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "hex");
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

interface SpecEntry {
  readonly dependencies: readonly Dependency[];
  readonly image: Uint8Array | null;
  readonly manifest: string;
  readonly paths: readonly string[];
}

const DIGEST_BYTES = 32;

export function openCache(environment: CacheEnvironment): ImageCache {
  const folder = cacheFolder(environment);

  function pathOf(...key: readonly string[]): string {
    return join(folder, `${hashBytes([String(FORMAT), environment.stamp, ...key].join("\0"))}.bin`);
  }

  /** Null for a missing entry and for one whose digest is wrong: a torn or foreign file is as good as none. */
  function read(path: string): unknown {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      return null;
    }
    if (bytes.length <= DIGEST_BYTES) return null;
    const payload = bytes.subarray(DIGEST_BYTES);
    if (!hash("sha256", payload, "buffer").equals(bytes.subarray(0, DIGEST_BYTES))) return null;
    return deserialize(payload);
  }

  function write(path: string, value: unknown): boolean {
    const payload = serialize(value);
    const temporary = `${path}.${process.pid}`;
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(temporary, Buffer.concat([hash("sha256", payload, "buffer"), payload]));
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
    if (readdirSync(folder).length <= ENTRY_LIMIT) return;
    const oldest = entries().sort((a, b) => a.time - b.time);
    for (const { path } of oldest.slice(0, Math.max(0, oldest.length - PRUNE_TO))) unlinkSync(path);
  }

  return {
    folder,
    readSpec(path, machineKey) {
      const entry = read(pathOf("spec", resolve(path), path, machineKey)) as SpecEntry | null;
      if (entry === null || !entry.dependencies.every((dependency) => hashFile(dependency.path) === dependency.hash)) return null;
      return entry.image === null ? "no suite" : { path, image: entry.image, manifest: entry.manifest, dependencies: entry.paths };
    },
    writeSpec(path, machineKey, entry, dependencies) {
      const isImage = entry !== "no suite";
      const contents: SpecEntry = {
        dependencies,
        image: isImage ? entry.image : null,
        manifest: isImage ? entry.manifest : "",
        paths: isImage ? entry.dependencies : [],
      };
      return write(pathOf("spec", resolve(path), path, machineKey), contents);
    },
    readMachine: (key) => read(pathOf("machine", key)) as MachineDescription | null,
    writeMachine: (key, machine) => write(pathOf("machine", key), machine),
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

// Native images as the cache keeps them: what a run needs of them and no more. Those of a list of specs were placed beside each other, so
// they are kept together, all or none. Names and source lines are asked for by failures only, so they are decoded when somebody does;
// lines, of which a run of all specs has hundreds of thousands, are kept as columns. What else is no bytes is JSON: Node's module for V8's own
// format takes longer to load than the rest of a cached image.

import { resolve } from "node:path";
import type { NativeImage, NativeLine, NativeSymbol, RunnableImage } from "../native/native-image.ts";
import { pack, unpack, type Dependency, type ImageCache } from "./cache.ts";

export interface CachedNative<Native = RunnableImage> {
  readonly path: string;
  readonly native: Native;
  /** JSON text. */
  readonly manifest: string;
  /** Of this image alone. */
  readonly dependencies: readonly string[];
}

type Head = Omit<NativeImage, "frames" | "symbols" | "lines" | "bytes" | "labels"> & { readonly labels: readonly (readonly [string, bigint])[] };

/** Of a line: its distance from the start of the code, file, line, column. */
const COLUMNS = 4;

function storeLines(lines: readonly NativeLine[], start: bigint): Uint8Array {
  const words = new Int32Array(lines.length * COLUMNS);
  lines.forEach(({ address, file, line, column }, index) => words.set([Number(address - start), file, line, column], index * COLUMNS));
  return new Uint8Array(words.buffer);
}

function loadLines(stored: Uint8Array, start: bigint): readonly NativeLine[] {
  // A copy of its own: what was read lies anywhere within its file.
  const words = new Int32Array(Uint8Array.from(stored).buffer);
  return Array.from({ length: words.length / COLUMNS }, (_, index): NativeLine => {
    const [offset = 0, file = -1, line = 0, column = 0] = words.subarray(index * COLUMNS);
    return { address: start + BigInt(offset), file, line, column };
  });
}

/** By name: whoever spreads an image has its frames made, which nobody wants here. */
function headOf(image: NativeImage): Head {
  const { target, machine, layout, base, readonlySize, writableOffset, writableBase, writableSize, pack: place, entry } = image;
  const { labels, files, codeStart, codeEnd, commandLineOffset } = image;
  const places = { base, readonlySize, writableOffset, writableBase, writableSize, codeStart, codeEnd, commandLineOffset };
  return { target, machine, layout, pack: place, entry, labels: [...labels], files, ...places };
}

interface StoredNative {
  readonly head: string;
  readonly symbols: () => string;
  readonly lines: Uint8Array;
  readonly bytes: Uint8Array;
}

function loadNative({ head, symbols, lines, bytes }: StoredNative): RunnableImage {
  const known = unpack(head) as Head;
  let names: readonly NativeSymbol[] | null = null;
  let places: readonly NativeLine[] | null = null;
  return {
    ...known,
    labels: new Map(known.labels),
    bytes,
    get symbols() {
      return (names ??= unpack(symbols()) as readonly NativeSymbol[]);
    },
    get lines() {
      return (places ??= loadLines(lines, known.codeStart));
    },
  };
}

function keyOf(paths: readonly string[], machineKey: string): readonly string[] {
  return ["native", resolve("."), machineKey, ...paths];
}

/** Parts of one image in an entry. */
const PARTS = 6;

/** The images that a list of specs makes for a machine. */
export function readNative(cache: ImageCache, paths: readonly string[], machineKey: string): readonly CachedNative[] | null {
  const stored = cache.readParts(keyOf(paths, machineKey));
  if (stored === null) return null;
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("utf8");
  return stored.paths.map((path, index): CachedNative => {
    const [manifest, dependencies, head, symbols, lines, bytes] = stored.parts.slice(index * PARTS);
    if (head === undefined || symbols === undefined || lines === undefined || bytes === undefined) throw new Error(`the cached image of ${path} is not whole`);
    return {
      path,
      manifest: text(manifest),
      dependencies: JSON.parse(text(dependencies)) as readonly string[],
      native: loadNative({ head: text(head), symbols: () => text(symbols), lines, bytes }),
    };
  });
}

export function writeNative(
  cache: ImageCache,
  paths: readonly string[],
  machineKey: string,
  images: readonly CachedNative<NativeImage>[],
  dependencies: readonly Dependency[],
): boolean {
  const parts = images.flatMap(({ manifest, dependencies: own, native }) => {
    const { symbols, lines, bytes, codeStart } = native;
    return [manifest, JSON.stringify(own), pack(headOf(native)), pack(symbols), storeLines(lines, codeStart), bytes];
  });
  return cache.writeParts(keyOf(paths, machineKey), { parts, paths: images.map(({ path }) => path) }, dependencies);
}

// Native images as the cache keeps them: what a run needs of them and no more. Those of a list of specs were placed beside each other, so
// they are kept together, all or none. Names and source lines are asked for by failures only, so they are decoded when somebody does;
// lines, of which a run of all specs has hundreds of thousands, and symbols are kept as columns of numbers. What else is no bytes is JSON: Node's module for V8's own
// format takes longer to load than the rest of a cached image.

import { resolve } from "node:path";
import { linesOf, type LinkedImage, type NativeImage, type NativeLine, type NativeSymbol, type RunnableImage } from "../native/native-image.ts";
import { pack, unpack, type Dependency, type ImageCache } from "./cache.ts";
import { alignedCopy, bytesOf, textOf } from "./stored-bytes.ts";

export interface CachedNative<Native = RunnableImage> {
  readonly path: string;
  readonly native: Native;
  /** JSON text. */
  readonly manifest: string;
  /** Of this image alone. */
  readonly dependencies: readonly string[];
}

type Head = Omit<NativeImage, "frames" | "symbols" | "lines" | "bytes" | "labels"> & { readonly labels: readonly (readonly [string, bigint])[] };

/** Of a symbol: address, size, whether it is a function, and of a compiled one its frame: bytes and one more, return address. */
const SYMBOL_COLUMNS = 5;

interface StoredSymbols {
  /** JSON. */
  readonly names: string;
  readonly numbers: Uint8Array;
}

function storeSymbols(symbols: readonly NativeSymbol[]): StoredSymbols {
  const numbers = new Float64Array(symbols.length * SYMBOL_COLUMNS);
  symbols.forEach(({ address, size, kind, frame }, index) => {
    // Addresses of images are far below 2^53.
    numbers[index * SYMBOL_COLUMNS] = Number(address);
    numbers[index * SYMBOL_COLUMNS + 1] = size;
    numbers[index * SYMBOL_COLUMNS + 2] = kind === "function" ? 1 : 0;
    if (frame === undefined) return;
    numbers[index * SYMBOL_COLUMNS + 3] = frame.bytes + 1;
    numbers[index * SYMBOL_COLUMNS + 4] = frame.returnBelow;
  });
  return { names: JSON.stringify(symbols.map(({ name }) => name)), numbers: bytesOf(numbers) };
}

function loadSymbols(stored: StoredSymbols): readonly NativeSymbol[] {
  const numbers = new Float64Array(alignedCopy(stored.numbers));
  return (JSON.parse(stored.names) as readonly string[]).map((name, index): NativeSymbol => {
    const [address = 0, size = 0, isFunction = 0, taken = 0, returnBelow = 0] = numbers.subarray(index * SYMBOL_COLUMNS, (index + 1) * SYMBOL_COLUMNS);
    const symbol = { name, address: BigInt(address), size, kind: isFunction === 1 ? ("function" as const) : ("object" as const) };
    return taken === 0 ? symbol : { ...symbol, frame: { bytes: taken - 1, returnBelow } };
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
  readonly symbols: () => StoredSymbols;
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
      return (names ??= loadSymbols(symbols()));
    },
    get lines() {
      return (places ??= linesOf(new Int32Array(alignedCopy(lines)), known.codeStart));
    },
  };
}

function keyOf(paths: readonly string[], machineKey: string): readonly string[] {
  return ["native", resolve("."), machineKey, ...paths];
}

/** Parts of one image in an entry. */
const PARTS = 7;

/** The images that a list of specs makes for a machine. */
export function readNative(cache: ImageCache, paths: readonly string[], machineKey: string): readonly CachedNative[] | null {
  const stored = cache.readParts(keyOf(paths, machineKey));
  if (stored === null) return null;
  const text = (bytes: Uint8Array | undefined): string => (bytes === undefined ? "" : textOf(bytes));
  return stored.paths.map((path, index): CachedNative => {
    const [manifest, dependencies, head, names, numbers, lines, bytes] = stored.parts.slice(index * PARTS, (index + 1) * PARTS);
    if (head === undefined || numbers === undefined || lines === undefined || bytes === undefined) throw new Error(`the cached image of ${path} is not whole`);
    return {
      path,
      manifest: text(manifest),
      dependencies: JSON.parse(text(dependencies)) as readonly string[],
      native: loadNative({ head: text(head), symbols: () => ({ names: text(names), numbers }), lines, bytes }),
    };
  });
}

export function writeNative(
  cache: ImageCache,
  paths: readonly string[],
  machineKey: string,
  images: readonly CachedNative<LinkedImage>[],
  dependencies: readonly Dependency[],
): boolean {
  const parts = images.flatMap(({ manifest, dependencies: own, native }) => {
    const { names, numbers } = storeSymbols(native.symbols);
    return [manifest, JSON.stringify(own), pack(headOf(native)), names, numbers, bytesOf(native.lineTable), native.bytes];
  });
  return cache.writeParts(keyOf(paths, machineKey), { parts, paths: images.map(({ path }) => path) }, dependencies);
}

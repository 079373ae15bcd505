// The library's functions in the cache (library-store.ts): one entry for each state of the library's texts and each machine, which grows as specs
// need more of it. An entry is a table, of which a compilation looks up what it needs, and the bytes that the table refers to. Two processes may
// write at a time: one of them has its functions made again another day.

import type { AssemblyBlock, DataSymbol } from "../../isa/bytecode/module.ts";
import type { CodeForm, KeptCode, KeptFunction, KeptRequest, KeptUnit, LibraryStore } from "../library-store.ts";
import type { PartStore } from "./cache.ts";
import { textOf } from "./stored-bytes.ts";

/** Bytes as their place among those of the entry. */
type BytesAt = readonly [start: number, end: number];

type With<Bytes, Record extends { readonly bytes: unknown }> = Omit<Record, "bytes"> & { readonly bytes: Bytes };

/** A `KeptRequest` with bytes of that kind. */
type RequestWith<Bytes> =
  | Exclude<KeptRequest, { readonly kind: "bytes" | "constant" | "assembly" }>
  | With<Bytes, KeptRequest & { readonly kind: "bytes" }>
  | { readonly kind: "constant"; readonly symbol: With<Bytes, DataSymbol> }
  | { readonly kind: "assembly"; readonly block: With<Bytes, AssemblyBlock> };

interface StoredUnit extends Omit<KeptUnit, "code" | "requests"> {
  readonly code: BytesAt;
  readonly requests: readonly RequestWith<BytesAt>[];
}

type StoredCode = Omit<KeptCode, "code" | "facts"> & { readonly code: BytesAt; readonly facts: BytesAt };

interface StoredFunction extends Omit<KeptFunction, "unit">, Partial<Record<CodeForm, StoredCode>> {
  readonly unit?: StoredUnit | null;
}

export interface KeptLibrary extends LibraryStore {
  /** Writes what was added, if anything was; false if that is impossible. */
  save(): boolean;
  /** Nothing was added since. */
  readonly isSaved: boolean;
}

function convertRequest<From, To>(request: RequestWith<From>, convert: (bytes: From) => To): RequestWith<To> {
  switch (request.kind) {
    case "bytes":
      return { ...request, bytes: convert(request.bytes) };
    case "constant":
      return { ...request, symbol: { ...request.symbol, bytes: convert(request.symbol.bytes) } };
    case "assembly":
      return { ...request, block: { ...request.block, bytes: convert(request.block.bytes) } };
    case "function":
    case "symbol":
    case "list":
    case "signature":
      return request;
  }
}

/** `key` changes with the texts of the library and the machine. */
export function openKeptLibrary(cache: PartStore, key: readonly string[]): KeptLibrary {
  const entry = ["library", ...key];
  const [table, bytes = new Uint8Array()] = cache.readParts(entry)?.parts ?? [];
  const stored = new Map<string, StoredFunction>(table === undefined ? [] : (JSON.parse(textOf(table)) as readonly (readonly [string, StoredFunction])[]));
  const known = new Map<string, KeptFunction>();
  /** What the table refers to: in one piece, and what was added to it since. */
  let joined = bytes;
  let added: Uint8Array[] = [];
  let size = joined.length;
  let hasNews = false;

  function joinAll(): Uint8Array {
    if (added.length > 0) joined = Buffer.concat([joined, ...added]);
    added = [];
    return joined;
  }

  const bytesAt = ([start, end]: BytesAt): Uint8Array => (end <= joined.length ? joined : joinAll()).subarray(start, end);
  const place = (bytes: Uint8Array): BytesAt => {
    added.push(bytes);
    return [size, (size += bytes.length)];
  };

  return {
    find(name) {
      const found = known.get(name);
      if (found !== undefined) return found;
      const from = stored.get(name);
      if (from === undefined) return undefined;
      const { unit } = from;
      const loaded: KeptFunction = {
        modules: from.modules,
        reach: from.reach,
        unit:
          unit === undefined || unit === null
            ? unit
            : { ...unit, code: bytesAt(unit.code), requests: unit.requests.map((request) => convertRequest(request, bytesAt)) },
      };
      known.set(name, loaded);
      return loaded;
    },
    keep(name, fn) {
      const { modules, reach, unit } = fn;
      hasNews = true;
      known.set(name, fn);
      stored.set(name, {
        modules,
        reach,
        ...(unit === undefined
          ? {}
          : { unit: unit === null ? null : { ...unit, code: place(unit.code), requests: unit.requests.map((request) => convertRequest(request, place)) } }),
      });
    },
    findCode(name, form) {
      const code = stored.get(name)?.[form];
      return code === undefined ? undefined : { ...code, code: bytesAt(code.code), facts: textOf(bytesAt(code.facts)) };
    },
    keepCode(name, form, { code, facts, references, locations }) {
      const fn = stored.get(name);
      if (fn === undefined) throw new Error(`${name} is not kept`);
      hasNews = true;
      stored.set(name, { ...fn, [form]: { code: place(code), facts: place(Buffer.from(facts)), references, locations } });
    },
    save() {
      if (!hasNews) return true;
      hasNews = false;
      return cache.writeParts(entry, { parts: [JSON.stringify([...stored]), joinAll()], paths: [] }, []);
    },
    get isSaved() {
      return !hasNews;
    },
  };
}

// Machine code of one function as the cache keeps it: without the numbers of the image that it was made for, so that a function which
// many images share is the same bytes in each of them. What it names are references, counted in the order in which the code first uses
// them; their numbers belong to whoever keeps an image (stored-lowered.ts). Places carry the paths of their files, for they are the same
// wherever the function is linked.

import type { SourceLocation } from "../../isa/bytecode/module.ts";
import type { CodeRelocation, LineMark, NumberedReference, Reference } from "../native/emission.ts";
import type { FrameEvent } from "../native/frame.ts";
import type { NativeFunction } from "../native/lower-function.ts";
import { hashBytes } from "./content-hash.ts";

export interface StoredFunction {
  readonly code: Uint8Array;
  /** JSON of all that is no code. */
  readonly facts: string;
}

/** A place in a file that is named by its path. */
export interface NamedPlace {
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

export function namePlace(files: readonly string[], place: SourceLocation | undefined): NamedPlace | undefined {
  return place === undefined ? undefined : { path: files[place.file] ?? "", line: place.line, column: place.column };
}

export interface LoadedFunction {
  /** In it, functions, symbols and locations are counted as the stored form counts them. */
  readonly fn: NativeFunction;
  /** How many references it has. */
  readonly references: number;
  /** By location. */
  readonly places: readonly NamedPlace[];
}

/** Lists of records as one list of numbers: JSON without names, which is most of what V8 would have to read. */
interface Facts {
  readonly frameSize: number;
  /** Of a reference that has a number, its kind; else the name of a label. */
  readonly references: readonly (NumberedReference["kind"] | { readonly label: string })[];
  /** Names of relocations' kinds. */
  readonly kinds: readonly string[];
  /** Of each: offset, kind, reference, addend. */
  readonly relocations: readonly number[];
  readonly paths: readonly string[];
  /** Of each: path, line, column. */
  readonly places: readonly number[];
  /** Of each: offset, place or -1. */
  readonly marks: readonly number[];
  /** Of each: offset, kind, then what the kind has: two numbers. */
  readonly events: readonly number[];
}

const EVENT_KINDS = ["depth", "kept", "leave", "stay", "outermost"] as const satisfies readonly FrameEvent["kind"][];

function storeEvent(event: FrameEvent): readonly [number, number] {
  switch (event.kind) {
    case "depth":
      return [event.bytes, 0];
    case "kept":
      return [event.register, event.below];
    case "leave":
    case "stay":
    case "outermost":
      return [0, 0];
  }
}

function loadEvent(offset: number, kind: FrameEvent["kind"], first: number, second: number): FrameEvent {
  switch (kind) {
    case "depth":
      return { offset, kind, bytes: first };
    case "kept":
      return { offset, kind, register: first, below: second };
    case "leave":
    case "stay":
    case "outermost":
      return { offset, kind };
  }
}

/** Counts what it is asked for, in the order of the first time. */
function createOrder<Value>(): { readonly all: Value[]; find(key: string | number, value: () => Value): number } {
  const order = new Map<string | number, number>();
  const all: Value[] = [];
  return {
    all,
    find(key, value) {
      let number = order.get(key);
      if (number === undefined) {
        order.set(key, (number = all.length));
        all.push(value());
      }
      return number;
    },
  };
}

function keyOf(to: Reference): string {
  switch (to.kind) {
    case "function":
      return `f${to.function}`;
    case "symbol":
      return `s${to.symbol}`;
    case "label":
      return `l${to.name}`;
  }
}

/** With its references in the order in which they are counted; labels, which have no numbers, are among them. */
export type ReferringFunction = StoredFunction & { readonly references: readonly Reference[] };

/** Functions that were stored before they came to this process: storing them gives the same again. */
const storedBefore = new WeakMap<NativeFunction, ReferringFunction>();

export function rememberStored(fn: NativeFunction, stored: ReferringFunction): void {
  storedBefore.set(fn, stored);
}

export function wasStoredBefore(fn: NativeFunction): boolean {
  return storedBefore.has(fn);
}

/** `placeOf` is for the locations of its marks. */
export function storeFunction(fn: NativeFunction, placeOf: (location: number) => NamedPlace | undefined): ReferringFunction {
  return storedBefore.get(fn) ?? storeAnew(fn, placeOf);
}

function storeAnew(
  { code, relocations, marks, frameEvents, frameSize }: NativeFunction,
  placeOf: (location: number) => NamedPlace | undefined,
): ReferringFunction {
  const references = createOrder<Reference>();
  const kinds = createOrder<string>();
  const paths = createOrder<string>();
  const places = createOrder<NamedPlace>();
  const facts: Facts = {
    frameSize,
    relocations: relocations.flatMap(({ offset, kind, to, addend }) => [offset, kinds.find(kind, () => kind), references.find(keyOf(to), () => to), addend]),
    marks: marks.flatMap(({ offset, location }) => {
      const place = placeOf(location);
      return [offset, place === undefined ? -1 : places.find(location, () => place)];
    }),
    events: frameEvents.flatMap((event) => [event.offset, EVENT_KINDS.indexOf(event.kind), ...storeEvent(event)]),
    places: places.all.flatMap(({ path, line, column }) => [paths.find(path, () => path), line, column]),
    references: references.all.map((to) => (to.kind === "label" ? { label: to.name } : to.kind)),
    kinds: kinds.all,
    paths: paths.all,
  };
  return { code, facts: JSON.stringify(facts), references: references.all };
}

/** Functions with the same hash are the same function. */
export function hashFunction({ code, facts }: StoredFunction): string {
  return hashBytes(hashBytes(code) + hashBytes(facts));
}

/** Records of a list that has `size` numbers for each. */
function mapRecords<Made>(
  list: readonly number[],
  size: number,
  make: (first: number, second: number, third: number, fourth: number) => Made,
): readonly Made[] {
  return Array.from({ length: list.length / size }, (_, index) => {
    const at = index * size;
    return make(list[at] ?? 0, list[at + 1] ?? 0, list[at + 2] ?? 0, list[at + 3] ?? 0);
  });
}

function loadReference(stored: Facts["references"][number], number: number): Reference {
  if (stored === "function") return { kind: stored, function: number };
  return stored === "symbol" ? { kind: stored, symbol: number } : { kind: "label", name: stored.label };
}

export function loadFunction({ code, facts }: StoredFunction): LoadedFunction {
  const { frameSize, references, kinds, relocations, paths, places, marks, events } = JSON.parse(facts) as Facts;
  const known = references.map(loadReference);
  const referenceAt = (number: number): Reference => {
    const found = known[number];
    if (found === undefined) throw new Error(`a stored function has no reference ${number}`);
    return found;
  };
  return {
    fn: {
      code,
      frameSize,
      relocations: mapRecords(relocations, 4, (offset, kind, to, addend): CodeRelocation => ({
        offset,
        kind: kinds[kind] ?? "",
        to: referenceAt(to),
        addend,
      })),
      marks: mapRecords(marks, 2, (offset, location): LineMark => ({ offset, location })),
      frameEvents: mapRecords(events, 4, (offset, kind, first, second) => loadEvent(offset, EVENT_KINDS[kind] ?? "outermost", first, second)),
    },
    references: known.length,
    places: mapRecords(places, 3, (path, line, column): NamedPlace => ({ path: paths[path] ?? "", line, column })),
  };
}

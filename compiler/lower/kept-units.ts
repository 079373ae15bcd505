// Units of the guest library (units.ts) by name: so that they can be kept when this process is gone, and taken up in the next one. A kept
// unit counts what it names by its place in the unit's own lists, and is one of the images' units from then on.

import { decodeModule, encodeModule } from "../../isa/bytecode/binary.ts";
import { BYTECODE_VERSION, type BytecodeFunction, type DataLayout, type Instruction, type Module, type Signature } from "../../isa/bytecode/module.ts";
import type { Context } from "../check/context.ts";
import {
  consult,
  consultedBy,
  keepReach,
  libraryFunction,
  libraryList,
  libraryLists,
  libraryVariable,
  nameOfBody,
  nameOfVariable,
  type LibraryLists,
} from "../check/library-names.ts";
import { functionsOf, type FnEntry, type Module as SourceModule } from "../check/scope.ts";
import type { FunctionBody } from "../hir.ts";
import type { KeptRequest, KeptUnit, LibraryStore } from "../library-store.ts";
import type { Program } from "../program.ts";
import type { PlaceTable } from "./place-table.ts";
import { locationIn, renumber, type NumberOrder, type Numbers, type Request, type Unit } from "./units.ts";

function moduleOf(fn: BytecodeFunction, layout: DataLayout): Module {
  const lists = { symbols: [], signatures: [], files: [], locations: [], assembly: [], exports: [] };
  return { version: BYTECODE_VERSION, layout, functions: [fn], ...lists, trapVector: -1, interruptVector: -1 };
}

/** What a unit's numbers are in its own lists. */
function ownNumbers(unit: Unit): Numbers {
  const all = Int32Array.from([...unit.places.keys(), ...unit.requests.keys()]);
  return { unit, all, start: 0 };
}

function keepRequest(context: Context, request: Request, numbers: Numbers, lists: LibraryLists): KeptRequest | null {
  switch (request.kind) {
    case "function": {
      const name = nameOfBody(context, request.body);
      return name === null ? null : { kind: "function", name };
    }
    case "symbol": {
      const name = nameOfVariable(context, request.global);
      return name === null ? null : { kind: "symbol", name };
    }
    case "bytes":
      return { kind: "bytes", bytes: request.bytes, align: request.align };
    case "constant":
      return { kind: "constant", symbol: request.symbol };
    case "signature":
      return { kind: "signature", signature: request.signature };
    case "assembly": {
      const { block } = request;
      const lines = block.lines.map(({ offset, location }) => ({ offset, location: locationIn(numbers, location) }));
      return { kind: "assembly", block: { ...block, lines } };
    }
    case "list": {
      const name = lists.get(request.value.items);
      if (name !== undefined) return name === null ? null : { kind: "list", name };
      return request.symbol?.relocations.length === 0 ? { kind: "constant", symbol: request.symbol } : null;
    }
    // It refers to others of its image.
    case "data":
      return null;
  }
}

/** Null: it names what has no name, or places of other files. */
function keepUnit(context: Context, entry: FnEntry, unit: Unit, places: PlaceTable, lists: LibraryLists): KeptUnit | null {
  const { source } = entry.module;
  if (unit.places.some((place) => places.sourceOf(place) !== source)) return null;
  const numbers = ownNumbers(unit);
  const requests: KeptRequest[] = [];
  for (const request of unit.requests) {
    const kept = keepRequest(context, request, numbers, lists);
    if (kept === null) return null;
    requests.push(kept);
  }
  const { name, signature, registers, frameSize, body } = unit.fn;
  const renumbered = { name, signature, registers, frameSize, body: body.map((instruction) => renumber(instruction, numbers)) };
  return {
    signature,
    instructionCount: unit.instructionCount,
    code: encodeModule(moduleOf(renumbered, context.target.layout)),
    places: unit.places.map((place) => places.offsetOf(place)),
    requests,
    addressed: unit.addressed.map((number) => unit.requestOrder.function.get(number) ?? number),
  };
}

/** Decoded when somebody looks at more than its type: machine code may have been kept too. */
class KeptBody implements BytecodeFunction {
  readonly name: string;
  readonly signature: Signature;
  readonly #code: Uint8Array;
  #fn: BytecodeFunction | null = null;

  constructor(name: string, signature: Signature, code: Uint8Array) {
    this.name = name;
    this.signature = signature;
    this.#code = code;
  }

  #decode(): BytecodeFunction {
    if (this.#fn === null) {
      const { module, error } = decodeModule(this.#code);
      if (module === undefined) throw error;
      const [fn] = module.functions;
      if (fn === undefined) throw new Error(`what is kept of ${this.name} is no function`);
      this.#fn = fn;
    }
    return this.#fn;
  }

  get registers(): BytecodeFunction["registers"] {
    return this.#decode().registers;
  }

  get frameSize(): number {
    return this.#decode().frameSize;
  }

  get body(): readonly Instruction[] {
    return this.#decode().body;
  }
}

const THE_SAME: NumberOrder = { get: (number) => number };

function recallRequest(context: Context, kept: KeptRequest, number: number): Request {
  switch (kept.kind) {
    case "function": {
      const body = libraryFunction(context, kept.name)?.function.body ?? null;
      if (body === null) throw new Error(`what is kept of the library calls ${kept.name}, which it does not have`);
      return { kind: "function", number, body };
    }
    case "symbol": {
      const global = libraryVariable(context, kept.name);
      if (global === null) throw new Error(`what is kept of the library uses ${kept.name}, which it does not have`);
      return { kind: "symbol", number, global };
    }
    case "list": {
      const list = libraryList(context, kept.name);
      if (list === null) throw new Error(`what is kept of the library uses ${kept.name}, which it does not have`);
      return { kind: "list", number, ...list, symbol: null };
    }
    case "bytes":
    case "constant":
    case "signature":
    case "assembly":
      return { ...kept, number };
  }
}

function recallUnit(context: Context, entry: FnEntry, kept: KeptUnit, places: PlaceTable): Unit {
  const { source } = entry.module;
  return {
    fn: new KeptBody(entry.function.name, kept.signature, kept.code),
    instructionCount: kept.instructionCount,
    isKept: true,
    libraryName: entry.function.name,
    places: kept.places.map((offset) => places.numberOf(source, offset)),
    locationOrder: THE_SAME,
    requests: kept.requests.map((request, number) => recallRequest(context, request, number)),
    requestOrder: { function: THE_SAME, symbol: THE_SAME, signature: THE_SAME, assembly: THE_SAME },
    addressed: kept.addressed,
    // Functions with closures are not kept.
    frameOffsets: [],
    environmentSlots: [],
    knownSpaces: [],
  };
}

export interface UnitKeeper {
  readonly recall: (body: FunctionBody) => Unit | undefined;
  /** Keeps what this compilation has made of the library for the first time. */
  readonly keepAll: (units: ReadonlyMap<FunctionBody, Unit | null>) => void;
}

export function createUnitKeeper({ context, modules }: Program, library: LibraryStore, places: PlaceTable): UnitKeeper {
  return {
    recall(body) {
      const kept = body.parent === null ? library.find(body.name) : undefined;
      if (kept === undefined || kept.unit === undefined || kept.unit === null) return undefined;
      const entry = libraryFunction(context, body.name);
      if (entry?.function.body !== body) return undefined;
      consult(context, kept.modules);
      return recallUnit(context, entry, kept.unit, places);
    },
    keepAll(units) {
      const entries = [...modules.values()].flatMap((module) => (module.libName === null ? [] : [...functionsOf(module)]));
      const lists = libraryLists(modules.values());
      const consulted = new Map<SourceModule, readonly string[]>();
      const modulesOf = (module: SourceModule): readonly string[] => {
        let names = consulted.get(module);
        if (names === undefined) consulted.set(module, (names = consultedBy(context, module)));
        return names;
      };
      for (const entry of entries) {
        const { name, body } = entry.function;
        if (body === null || body.check !== undefined) continue;
        const known = library.find(name);
        const unit = units.get(body);
        if (known !== undefined && (known.unit !== undefined || unit === undefined)) continue;
        const kept = unit === undefined || unit === null ? unit : keepUnit(context, entry, unit, places, lists);
        if (unit !== undefined && unit !== null && kept !== null) unit.libraryName = name;
        library.keep(name, { modules: modulesOf(entry.module), reach: keepReach(entry), unit: kept });
      }
    },
  };
}

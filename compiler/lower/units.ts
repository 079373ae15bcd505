// Functions that several images of a compilation share, the guest library's above all: lowered once, then told of again. A unit is a
// function with the numbers that its first image gave to what it names, and the list of what it asked that image for; another
// image is asked for the same in the same order, so that it comes out as if it had been lowered alone.

import { findInstruction, type ImmediateKind } from "../../isa/bytecode/instructions.ts";
import type { AssemblyBlock, BytecodeFunction, DataSymbol, Instruction, Signature } from "../../isa/bytecode/module.ts";
import type { ConstValue, FunctionBody, Global, HFunction, Local } from "../hir.ts";
import type { Type } from "../types.ts";
import type { CoverageNotes } from "./coverage-notes.ts";
import { PlaceTable } from "./place-table.ts";

export type NumberedKind = "function" | "symbol" | "signature" | "assembly";

/** What the numbers of a unit are in an image. */
export interface Numbers {
  readonly unit: Unit;
  /** Those of many units, of this image and others. */
  readonly all: Int32Array;
  /** Where this unit's begin: its locations, then its requests, in their order there. */
  readonly start: number;
}

/** What a unit asks of each image, with the number that it has in the first one. */
export type Request = { readonly number: number } & (
  | { readonly kind: "function"; readonly body: FunctionBody }
  | { readonly kind: "symbol"; readonly global: Global }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly align: number }
  | { readonly kind: "constant"; readonly symbol: DataSymbol }
  /** A constant that refers to other symbols or to functions. */
  | { readonly kind: "data"; readonly name: string; readonly type: Type; readonly value: ConstValue }
  /** The same one in all functions of an image that name it; `symbol` is known to the image that made the unit. */
  | { readonly kind: "list"; readonly element: Type; readonly value: ConstValue & { readonly kind: "list" }; readonly symbol: DataSymbol | null }
  | { readonly kind: "signature"; readonly signature: Signature }
  | { readonly kind: "assembly"; readonly block: AssemblyBlock }
);

/** By number in a unit's own code, its place in one of the unit's lists. */
export interface NumberOrder {
  readonly get: (number: number) => number | undefined;
}

export interface Unit {
  readonly fn: BytecodeFunction;
  readonly instructionCount: number;
  /** It was kept by an earlier compilation (kept-units.ts): its numbers are places in its lists, not those of an image. */
  readonly isKept: boolean;
  /** The name of the library's function that it is, once it is kept. */
  libraryName: string | null;
  /** The places that it names, as the compilation numbers them. */
  readonly places: readonly number[];
  /** By the location that a place is in the first image, where it stands among them. */
  readonly locationOrder: NumberOrder;
  readonly requests: readonly Request[];
  /** By number, the place among them. */
  readonly requestOrder: Readonly<Record<NumberedKind, NumberOrder>>;
  /** Functions whose addresses it takes. */
  readonly addressed: readonly number[];
  /** What closures inside it look up: places of locals, of the environment, and spaces of register blocks. */
  readonly frameOffsets: readonly (readonly [Local, number])[];
  readonly environmentSlots: readonly (readonly [FunctionBody, number])[];
  readonly knownSpaces: readonly (readonly [Local, number])[];
}

/** Where a function of an image comes from. */
export interface Origin {
  readonly unit: Unit;
  /** Null: this image was the first, numbers are the unit's. */
  readonly numbers: Numbers | null;
}

const NUMBERS_AT_ONCE = 1 << 14;

/** Where numbers of units lie, a row behind the other: neither an array for each unit, nor one that grows with each. */
export class NumberPool {
  private all = new Int32Array(0);
  private used = 0;

  take(unit: Unit): Numbers {
    const count = unit.places.length + unit.requests.length;
    if (this.used + count > this.all.length) {
      this.all = new Int32Array(Math.max(count, NUMBERS_AT_ONCE));
      this.used = 0;
    }
    const start = this.used;
    this.used += count;
    return { unit, all: this.all, start };
  }
}

/** What the images of a compilation share. Units are null for functions that cannot be shared. */
export interface LoweringCache {
  readonly units: Map<FunctionBody, Unit | null>;
  /** A unit that an earlier compilation has kept. */
  readonly recall: (body: FunctionBody) => Unit | undefined;
  readonly langItems: Map<string, HFunction>;
  readonly places: PlaceTable;
  readonly numbers: NumberPool;
  /** Of variables that name nothing else of their image. */
  readonly symbols: Map<Global, DataSymbol>;
  /** Written while functions are lowered, each once; null: nobody wants them. */
  readonly notes: CoverageNotes | null;
}

export function createLoweringCache(
  notes: CoverageNotes | null = null,
  places = new PlaceTable(),
  recall: LoweringCache["recall"] = () => undefined,
): LoweringCache {
  return { units: new Map(), recall, langItems: new Map(), places, numbers: new NumberPool(), symbols: new Map(), notes };
}

export const KIND_OF_REQUEST: Readonly<Record<Request["kind"], NumberedKind>> = {
  function: "function",
  symbol: "symbol",
  bytes: "symbol",
  constant: "symbol",
  data: "symbol",
  list: "symbol",
  signature: "signature",
  assembly: "assembly",
};

export function orderRequests(requests: readonly Request[]): Unit["requestOrder"] {
  const order = {
    function: new Map<number, number>(),
    symbol: new Map<number, number>(),
    signature: new Map<number, number>(),
    assembly: new Map<number, number>(),
  };
  requests.forEach(({ kind, number }, index) => order[KIND_OF_REQUEST[kind]].set(number, index));
  return order;
}

export function addressedFunctions({ body }: BytecodeFunction): readonly number[] {
  return body.flatMap(({ op, imm }) => (op === "func_addr" ? [Number(imm[0])] : []));
}

const NUMBERED: Readonly<Partial<Record<ImmediateKind, NumberedKind>>> = {
  function: "function",
  symbol: "symbol",
  signature: "signature",
  assembly: "assembly",
};

/** An immediate that is a number of the image is the first. */
function numberedKind(op: string): NumberedKind | undefined {
  const [first] = findInstruction(op)?.imm ?? [];
  return first === undefined ? undefined : NUMBERED[first];
}

/** A number of the unit in an image. */
export function numberIn({ unit, all, start }: Numbers, kind: NumberedKind, number: number): number {
  const order = unit.requestOrder[kind].get(number);
  return order === undefined ? number : (all[start + unit.places.length + order] ?? number);
}

/** A location of the unit in an image; -1 stays what it is. */
export function locationIn({ unit, all, start }: Numbers, number: number): number {
  const order = unit.locationOrder.get(number);
  return order === undefined ? number : (all[start + order] ?? number);
}

export function renumber(instruction: Instruction, numbers: Numbers): Instruction {
  const { op, type, to, dst, src, imm } = instruction;
  const at = locationIn(numbers, instruction.at);
  const kind = numberedKind(op);
  const [first, ...rest] = imm;
  const renumbered = kind === undefined ? imm : [numberIn(numbers, kind, Number(first)), ...rest];
  return { op, ...(type === undefined ? {} : { type }), ...(to === undefined ? {} : { to }), dst, src, imm: renumbered, at };
}

/** What a unit asks of an image: numbers for what it names, and notes for the closures inside it. */
export interface UnitHost {
  readonly unitNumbers: NumberPool;
  readonly frameOffsets: Map<Local, number>;
  readonly environmentSlots: Map<FunctionBody, number>;
  readonly knownSpaces: Map<Local, number>;
  functionOf(body: FunctionBody): number;
  symbolOf(global: Global): number;
  bytesSymbol(bytes: Uint8Array, align: number): number;
  addSymbol(symbol: DataSymbol): number;
  dataSymbol(name: string, type: Type, value: ConstValue): number;
  listSymbol(element: Type, value: ConstValue & { readonly kind: "list" }): number;
  signature(signature: Signature): number;
  addAssembly(block: AssemblyBlock): number;
  locationOfPlace(place: number): number;
}

function askAgain(request: Request, numbers: Numbers, image: UnitHost): number {
  switch (request.kind) {
    case "function":
      return image.functionOf(request.body);
    case "symbol":
      return image.symbolOf(request.global);
    case "bytes":
      return image.bytesSymbol(request.bytes, request.align);
    case "constant":
      return image.addSymbol(request.symbol);
    case "data":
      return image.dataSymbol(request.name, request.type, request.value);
    case "list":
      return image.listSymbol(request.element, request.value);
    case "signature":
      return image.signature(request.signature);
    case "assembly": {
      const { block } = request;
      const lines = block.lines.map(({ offset, location }) => ({ offset, location: locationIn(numbers, location) }));
      return image.addAssembly({ ...block, lines });
    }
  }
}

/**
 * The unit's function in another image. Its instructions are made when somebody looks: machine code has been made of the unit's. A class,
 * because there are thousands of them, and a getter in an object literal gives each object a shape of its own.
 */
export class ReusedFunction implements BytecodeFunction {
  readonly name: string;
  readonly signature: Signature;
  readonly #numbers: Numbers;
  #body: readonly Instruction[] | null = null;

  constructor(numbers: Numbers, name: string) {
    this.name = name;
    this.signature = numbers.unit.fn.signature;
    this.#numbers = numbers;
  }

  get registers(): BytecodeFunction["registers"] {
    return this.#numbers.unit.fn.registers;
  }

  get frameSize(): number {
    return this.#numbers.unit.fn.frameSize;
  }

  get body(): readonly Instruction[] {
    return (this.#body ??= this.#numbers.unit.fn.body.map((instruction) => renumber(instruction, this.#numbers)));
  }

  named(name: string): ReusedFunction {
    return new ReusedFunction(this.#numbers, name);
  }
}

/** Of most units there are none. */
function setAll<Key>(map: Map<Key, number>, entries: readonly (readonly [Key, number])[]): void {
  if (entries.length > 0) for (const [key, value] of entries) map.set(key, value);
}

export function reuseUnit(unit: Unit, image: UnitHost): { readonly fn: ReusedFunction; readonly origin: Origin } {
  const numbers = image.unitNumbers.take(unit);
  const { places, requests } = unit;
  const { all } = numbers;
  let at = numbers.start;
  for (let index = 0; index < places.length; index++) all[at++] = image.locationOfPlace(places[index] ?? 0);
  for (let index = 0; index < requests.length; index++) {
    const request = requests[index];
    if (request !== undefined) all[at++] = askAgain(request, numbers, image);
  }
  setAll(image.frameOffsets, unit.frameOffsets);
  setAll(image.environmentSlots, unit.environmentSlots);
  setAll(image.knownSpaces, unit.knownSpaces);
  return { fn: new ReusedFunction(numbers, unit.fn.name), origin: { unit, numbers } };
}

// Functions that several images of a compilation share, the guest library's above all: lowered once, then told of again. A unit is a
// function with the numbers that its first image gave to what it names, and the list of what it asked that image for; another
// image is asked for the same in the same order, so that it comes out as if it had been lowered alone.

import type { CoverageNotes } from "./coverage-notes.ts";
import type { Position, Source } from "../../grammar/source.ts";
import { findInstruction, type ImmediateKind } from "../../isa/bytecode/instructions.ts";
import type { AssemblyBlock, BytecodeFunction, Instruction, Signature } from "../../isa/bytecode/module.ts";
import type { ConstValue } from "../check/constants.ts";
import type { FunctionBody, Global, HFunction, Local } from "../hir.ts";
import type { Type } from "../types.ts";
import type { ModuleBuilder } from "./module-builder.ts";

export type NumberedKind = "function" | "symbol" | "signature" | "assembly";

/** What a number of the unit is in an image. */
export interface Numbers extends Readonly<Record<NumberedKind, ReadonlyMap<number, number>>> {
  /** By the unit's own order of its locations, which is by their numbers here. */
  readonly locations: Int32Array;
  readonly locationOrder: ReadonlyMap<number, number>;
}

/** What a unit asks of each image, with the number that it has in the first one. */
export type Request = { readonly number: number } & (
  | { readonly kind: "function"; readonly body: FunctionBody }
  | { readonly kind: "symbol"; readonly global: Global }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly align: number; readonly key: string }
  | { readonly kind: "data"; readonly name: string; readonly type: Type; readonly value: ConstValue }
  | { readonly kind: "signature"; readonly signature: Signature }
  | { readonly kind: "assembly"; readonly block: AssemblyBlock }
);

/** A place of the sources that the unit names, with its number there. */
export interface UnitLocation {
  readonly number: number;
  readonly source: Source;
  readonly start: number;
  readonly position: Position;
}

export interface Unit {
  readonly fn: BytecodeFunction;
  readonly locations: readonly UnitLocation[];
  /** By number, the place among them. */
  readonly locationOrder: ReadonlyMap<number, number>;
  readonly requests: readonly Request[];
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

/** What the images of a compilation share. Units are null for functions that cannot be shared. */
export interface LoweringCache {
  readonly units: Map<FunctionBody, Unit | null>;
  readonly langItems: Map<string, HFunction>;
  /** Written while functions are lowered, each once; null: nobody wants them. */
  readonly notes: CoverageNotes | null;
}

export function createLoweringCache(notes: CoverageNotes | null = null): LoweringCache {
  return { units: new Map(), langItems: new Map(), notes };
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

/** A location of the unit in an image; -1 stays what it is. */
export function locationIn({ locations, locationOrder }: Numbers, number: number): number {
  const order = locationOrder.get(number);
  return order === undefined ? number : (locations[order] ?? number);
}

function renumber(instruction: Instruction, numbers: Numbers): Instruction {
  const { op, type, to, dst, src, imm } = instruction;
  const at = locationIn(numbers, instruction.at);
  const kind = numberedKind(op);
  const [first, ...rest] = imm;
  const renumbered = kind === undefined ? imm : [numbers[kind].get(Number(first)) ?? Number(first), ...rest];
  return { op, ...(type === undefined ? {} : { type }), ...(to === undefined ? {} : { to }), dst, src, imm: renumbered, at };
}

/** The unit's function in another image. Its instructions are made when somebody looks: machine code has been made of the unit's. */
export function reuseUnit(unit: Unit, builder: ModuleBuilder): { readonly fn: BytecodeFunction; readonly origin: Origin } {
  const locations = new Int32Array(unit.locations.length);
  unit.locations.forEach((location, order) => {
    locations[order] = builder.locationAt(location.source, location.start, location.position);
  });
  const numbers = {
    function: new Map<number, number>(),
    symbol: new Map<number, number>(),
    signature: new Map<number, number>(),
    assembly: new Map<number, number>(),
    locations,
    locationOrder: unit.locationOrder,
  };
  for (const request of unit.requests) {
    switch (request.kind) {
      case "function":
        numbers.function.set(request.number, builder.functionOf(request.body));
        break;
      case "symbol":
        numbers.symbol.set(request.number, builder.symbolOf(request.global));
        break;
      case "bytes":
        numbers.symbol.set(request.number, builder.bytesSymbol(request.bytes, request.align, request.key));
        break;
      case "data":
        numbers.symbol.set(request.number, builder.dataSymbol(request.name, request.type, request.value));
        break;
      case "signature":
        numbers.signature.set(request.number, builder.signature(request.signature));
        break;
      case "assembly": {
        const { block, number } = request;
        const lines = block.lines.map(({ offset, location }) => ({ offset, location: locationIn(numbers, location) }));
        numbers.assembly.set(number, builder.addAssembly({ ...block, lines }));
      }
    }
  }
  for (const [local, offset] of unit.frameOffsets) builder.frameOffsets.set(local, offset);
  for (const [body, slot] of unit.environmentSlots) builder.environmentSlots.set(body, slot);
  for (const [local, space] of unit.knownSpaces) builder.knownSpaces.set(local, space);
  const { name, signature, registers, frameSize, body } = unit.fn;
  let instructions: readonly Instruction[] | null = null;
  const fn = {
    name,
    signature,
    registers,
    frameSize,
    get body() {
      return (instructions ??= body.map((instruction) => renumber(instruction, numbers)));
    },
  };
  return { fn, origin: { unit, numbers } };
}

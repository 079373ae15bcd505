// Functions that several images of a compilation share, the guest library's above all: lowered once, then told of again. A unit is a
// function with the numbers that its first image gave to what it names, and the list of what it asked that image for; another
// image is asked for the same in the same order, so that it comes out as if it had been lowered alone.

import type { Position, Source } from "../../grammar/source.ts";
import { findInstruction, type ImmediateKind } from "../../isa/bytecode/instructions.ts";
import type { BytecodeFunction, Instruction } from "../../isa/bytecode/module.ts";
import type { FunctionBody, HFunction, Local } from "../hir.ts";
import type { ModuleBuilder } from "./module-builder.ts";

export type NumberedKind = "function" | "symbol" | "signature" | "assembly";

/** What a number of the unit is in an image. */
export type Numbers = Readonly<Record<NumberedKind | "location", ReadonlyMap<number, number>>>;

export interface Request {
  readonly kind: NumberedKind;
  /** In the unit's first image. */
  readonly number: number;
  /** Asks another image; `numbers` has what was asked for before. */
  readonly ask: (builder: ModuleBuilder, numbers: Numbers) => number;
}

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
}

export function createLoweringCache(): LoweringCache {
  return { units: new Map(), langItems: new Map() };
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

function renumber(instruction: Instruction, numbers: Numbers): Instruction {
  const { op, type, to, dst, src, imm } = instruction;
  const at = numbers.location.get(instruction.at) ?? instruction.at;
  const kind = numberedKind(op);
  const [first, ...rest] = imm;
  const renumbered = kind === undefined ? imm : [numbers[kind].get(Number(first)) ?? Number(first), ...rest];
  return { op, ...(type === undefined ? {} : { type }), ...(to === undefined ? {} : { to }), dst, src, imm: renumbered, at };
}

/** The unit's function in another image. Its instructions are made when somebody looks: machine code has been made of the unit's. */
export function reuseUnit(unit: Unit, builder: ModuleBuilder): { readonly fn: BytecodeFunction; readonly origin: Origin } {
  const numbers = {
    function: new Map<number, number>(),
    symbol: new Map<number, number>(),
    signature: new Map<number, number>(),
    assembly: new Map<number, number>(),
    location: new Map<number, number>(),
  };
  for (const location of unit.locations) numbers.location.set(location.number, builder.locationAt(location));
  for (const { kind, number, ask } of unit.requests) numbers[kind].set(number, ask(builder, numbers));
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

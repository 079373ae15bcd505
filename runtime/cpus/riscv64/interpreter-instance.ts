// The generated interpreter as one machine runs it: its module, its instance in the machine's memory, and the operations that are functions
// of their own (emit-operation.ts, `isApart`). Those come to be when an entry first names one; a host that has all of them at hand gives
// them together. Modules outlive machines: all that have the same layout share them, for writing one costs more than many a run.

import type { GuestMemory } from "../../machine/cpu-contract.ts";
import type { Door, InterpreterOptions } from "./emit-body.ts";
import { INTERPRETER_IMPORTS, writeInterpreter, writeOperations } from "./interpreter.ts";
import { DECODER, DECODER_OFFSET } from "./state.ts";

/** What the interpreter consists of: a host knows better ways than to write all of it anew. */
export interface InterpreterMaker {
  readonly interpreter: (options: InterpreterOptions) => WebAssembly.Module;
  /** All operations apart. Null: they are written one by one when they are needed. */
  readonly operations: (options: InterpreterOptions) => WebAssembly.Module | null;
}

export const WRITER: InterpreterMaker = {
  interpreter: (options) => new WebAssembly.Module(writeInterpreter(options)),
  operations: () => null,
};

/** What the interpreter calls for all that it does not do itself. */
export type Doors = { readonly [door in Door]: (entry: number, arrivals?: number, from?: number) => number };

/** Fills `into` in with what the instruction at the entry is, by its bytes; the operation. */
export type Decode = (entry: number, slot: number, into: number) => number;

export interface InterpreterInstance {
  /** Executes until the budget is used up, or a door wants it to end. */
  readonly run: () => void;
  /** What an instruction's bytes say (emit-decode.ts). */
  readonly decode: Decode;
  /** Stands in the cache of regions where there is none. */
  readonly absent: unknown;
}

/** Modules of machines with the same layout are the same. Null: there is none, and will not be. */
const modules = new Map<string, WebAssembly.Module | null>();

function moduleOf<M extends WebAssembly.Module | null>({ stateOffset, dirtyOffset, width, heat }: InterpreterOptions, part: string, make: () => M): M {
  const key = `${stateOffset},${dirtyOffset},${width},${heat},${part}`;
  const known = modules.get(key);
  // What a part is made by gives one type.
  if (known !== undefined) return known as M;
  const made = make();
  modules.set(key, made);
  return made;
}

function asFunction<F extends (...parameters: never[]) => unknown>(value: unknown): F {
  if (typeof value !== "function") throw new Error("the interpreter has no such entry");
  return value as F;
}

/** Operations that a number of eight bits may name. */
const OPERATIONS = 256;

export interface InterpreterFactory {
  /** No entry may name an operation before its function is there. */
  readonly prepareOperation: (number: number) => void;
  readonly instantiate: (doors: Doors) => InterpreterInstance;
}

/** `regions` is the table of the functions that hot code becomes. */
export function createInterpreterFactory(
  memory: GuestMemory,
  regions: WebAssembly.Table,
  options: InterpreterOptions,
  maker: InterpreterMaker,
): InterpreterFactory {
  const apart = new WebAssembly.Table({ element: "anyfunc", initial: OPERATIONS });
  const ready = options.stateOffset + DECODER_OFFSET + DECODER.ready;
  /** All operations apart, if the host has them. */
  let known: WebAssembly.Exports | null = null;

  function functionsOf(module: WebAssembly.Module | null): WebAssembly.Exports | null {
    return module && new WebAssembly.Instance(module, { [INTERPRETER_IMPORTS]: { memory: memory.memory, regions } }).exports;
  }

  return {
    prepareOperation(number) {
      if (memory.bytes[ready + number] !== 0) return;
      known ??= functionsOf(moduleOf(options, "operations", () => maker.operations(options)));
      const write = (): WebAssembly.Module => new WebAssembly.Module(writeOperations(options, [number]));
      const found = known ?? functionsOf(moduleOf(options, `${number}`, write));
      apart.set(number, found?.[`${number}`]);
      memory.bytes[ready + number] = 1;
    },
    instantiate(doors) {
      const module = moduleOf(options, "run", () => maker.interpreter(options));
      const { exports } = new WebAssembly.Instance(module, { [INTERPRETER_IMPORTS]: { ...doors, memory: memory.memory, regions, apart } });
      return { run: asFunction(exports["run"]), decode: asFunction(exports["decodeHere"]), absent: exports["absent"] };
    },
  };
}

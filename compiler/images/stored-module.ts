// A module as the cache keeps it: guest bytecode cut into a shell (everything but function bodies and locations) and one piece for each
// of these, so that a run decodes only what it executes. Of an image's hundreds of library functions a short test calls a few,
// and decoding is most of what a cached run has to do before the guest starts. Each piece is a complete .gbc of its own.

import { decodeModule, encodeModule } from "../../isa/bytecode/binary.ts";
import type { BytecodeFunction, Instruction, Module } from "../../isa/bytecode/module.ts";

export interface StoredModule {
  /** The module with empty bodies and no locations. */
  readonly shell: Uint8Array;
  readonly locations: Uint8Array;
  /** One for each function. */
  readonly bodies: readonly Uint8Array[];
}

function emptyModule({ version, layout }: Module): Module {
  const lists = { functions: [], symbols: [], signatures: [], files: [], locations: [], assembly: [], exports: [] };
  return { version, layout, ...lists, trapVector: -1, interruptVector: -1 };
}

/** By name: those that images share are objects of a class. */
function withoutBody({ name, signature, registers, frameSize }: BytecodeFunction): BytecodeFunction {
  return { name, signature, registers, frameSize, body: [] };
}

export function storeModule(module: Module): StoredModule {
  const empty = emptyModule(module);
  const bare = { name: "", signature: { params: [], results: [] }, registers: [], frameSize: 0 };
  return {
    shell: encodeModule({ ...module, locations: [], functions: module.functions.map(withoutBody) }),
    locations: encodeModule({ ...empty, locations: module.locations }),
    bodies: module.functions.map(({ body }) => encodeModule({ ...empty, functions: [{ ...bare, body }] })),
  };
}

function decode(bytes: Uint8Array): Module {
  const { module, error } = decodeModule(bytes);
  if (module === undefined) throw error;
  return module;
}

/**
 * What is decoded when somebody looks at it, and again when somebody does so after all others have let go of it: a run of thousands of
 * specs keeps their images to its end, and what is decoded takes a multiple of the bytes.
 */
function decodedAtNeed<T extends object>(read: () => T): () => T {
  let decoded: WeakRef<T> | null = null;
  return () => {
    const known = decoded?.deref();
    if (known !== undefined) return known;
    const value = read();
    decoded = new WeakRef(value);
    return value;
  };
}

function lazyFunction({ name, signature, registers, frameSize }: BytecodeFunction, bytes: Uint8Array): BytecodeFunction {
  const body = decodedAtNeed((): readonly Instruction[] => decode(bytes).functions[0]?.body ?? []);
  return {
    name,
    signature,
    registers,
    frameSize,
    get body() {
      return body();
    },
  };
}

/** Null if the pieces are no module. Bodies are checked when they are decoded: the cache has compared their hash. */
export function loadModule({ shell, locations, bodies }: StoredModule): Module | null {
  const { module } = decodeModule(shell);
  if (module === undefined || module.functions.length !== bodies.length) return null;
  const places = decodedAtNeed(() => decode(locations).locations);
  return {
    ...module,
    functions: module.functions.map((fn, index) => lazyFunction(fn, bodies[index] ?? new Uint8Array())),
    get locations() {
      return places();
    },
  };
}

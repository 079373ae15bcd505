// Chooses how guest bytecode is run. Translated code is two orders of magnitude faster, but cannot be preempted between any two
// instructions, so a machine with several CPUs gets the interpreter, and so does whoever asks for the oracle.

import type { Executor, LoadedImage, MachineCore } from "../../machine/cpu-contract.ts";
import { interpreterFactory } from "./interpreter.ts";
import { createWasmExecutor } from "./wasm-executor.ts";
import type { CompiledImage } from "./wasm-executor.ts";

export type ExecutorKind = "auto" | "interpreter" | "wasm";

/** What `auto` means on this machine. */
export function resolveExecutor(kind: ExecutorKind, machine: MachineCore): "interpreter" | "wasm" {
  if (kind !== "auto") return kind;
  return machine.cpuCount > 1 ? "interpreter" : "wasm";
}

/** `compiled` is used by the wasm executor only; without it the image is translated here. */
export function createExecutor(kind: ExecutorKind, image: LoadedImage, machine: MachineCore, compiled?: CompiledImage): Executor {
  switch (resolveExecutor(kind, machine)) {
    case "interpreter":
      return interpreterFactory.create(image, machine);
    case "wasm":
      return createWasmExecutor(image, machine, compiled);
  }
}

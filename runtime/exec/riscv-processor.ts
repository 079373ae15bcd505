// RISC-V CPUs with an interpreter that this process has not written, if it can be helped: those for the boards of the package lie beside the
// bundle (tools/write-interpreters.ts), because writing one takes longer than many a run. From the sources, which may change at any
// time, it is written anew, as it is for memories of other sizes.
// V8's optimising compiler would begin with it after some two thousand instructions, since each is a turn of a loop that jumps back over many
// handlers. It takes 15 ms and more for so large a function, holds up the end of the process, and is wasted where the guest ends soon or
// what is hot is translated on its own (runtime/cpus/riscv64/regions). What stays in the interpreter runs three times as fast by it, so that
// it is not kept away, but begins when some hundred thousand instructions were interpreted.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import type { InterpreterOptions } from "../cpus/riscv64/emit-body.ts";
import { writeInterpreter } from "../cpus/riscv64/interpreter.ts";
import { createRiscv } from "../cpus/riscv64/processor.ts";
import type { CreateProcessor } from "../machine/processor.ts";

const FOLDER = new URL("../../dist/", import.meta.url);

/** Within `dist/`: the interpreter itself, and all its operations apart. */
export function interpreterFiles({ width, dirtyOffset, stateOffset, heat }: InterpreterOptions): { readonly interpreter: string; readonly operations: string } {
  const name = `riscv${width}-${dirtyOffset.toString(16)}-${stateOffset.toString(16)}-${heat}`;
  return { interpreter: `${name}.wasm`, operations: `${name}-apart.wasm` };
}

function readShipped(file: string): Uint8Array<ArrayBuffer> | null {
  if (import.meta.url.endsWith(".ts")) return null;
  try {
    return readFileSync(new URL(file, FOLDER));
  } catch {
    // A memory of another size than any board of the package has.
    return null;
  }
}

/** V8 gives it to each function of a module that it makes, and takes from it how far loops jump back in bytes of code. */
const BUDGET_FLAG = "--wasm-tiering-budget";
const USUAL_BUDGET = 13_000_000;
const LARGEST_BUDGET = 0x7fff_ffff;

function compileInterpreter(options: InterpreterOptions): WebAssembly.Module {
  const bytes = readShipped(interpreterFiles(options).interpreter) ?? writeInterpreter(options);
  setFlagsFromString(`${BUDGET_FLAG}=${LARGEST_BUDGET}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString(`${BUDGET_FLAG}=${USUAL_BUDGET}`);
  }
}

function findOperations(options: InterpreterOptions): WebAssembly.Module | null {
  const bytes = readShipped(interpreterFiles(options).operations);
  return bytes && new WebAssembly.Module(bytes);
}

export const riscvProcessor =
  (width: RegisterWidth): CreateProcessor =>
  (machine, hooks = {}) =>
    createRiscv(machine, hooks, { width, maker: { interpreter: compileInterpreter, operations: findOperations } });

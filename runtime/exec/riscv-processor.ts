// RISC-V CPUs with an interpreter that this process has not written, if it can be helped: those for the boards of the package lie beside the
// bundle (tools/write-interpreters.ts), because writing one takes longer than many a run. From the sources, which may change at any
// time, it is written anew, as it is for memories of other sizes.
// V8 compiles it once, by its baseline compiler. The optimising one begins after a thousand instructions, takes 0.1 s and more for so large
// a function, holds up the end of the process, and makes of a switch over 200 cases nothing that runs faster: code that is worth more
// is translated on its own (runtime/cpus/riscv64/regions).

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import type { RegisterWidth } from "../../isa/riscv64/instructions.ts";
import { writeInterpreter, type InterpreterOptions } from "../cpus/riscv64/interpreter.ts";
import { createRiscv } from "../cpus/riscv64/processor.ts";
import type { CreateProcessor } from "../machine/processor.ts";

const FOLDER = new URL("../../dist/", import.meta.url);

/** Within `dist/`. */
export const interpreterFile = ({ width, dirtyOffset, stateOffset, heat }: InterpreterOptions): string =>
  `riscv${width}-${dirtyOffset.toString(16)}-${stateOffset.toString(16)}-${heat}.wasm`;

function readShipped(options: InterpreterOptions): Uint8Array<ArrayBuffer> | null {
  if (import.meta.url.endsWith(".ts")) return null;
  try {
    return readFileSync(new URL(interpreterFile(options), FOLDER));
  } catch {
    // A memory of another size than any board of the package has.
    return null;
  }
}

/** V8 reads them when it makes a module, and when it compiles a function, which here is the same moment. */
const TIERING = ["wasm-lazy-compilation", "wasm-tier-up", "wasm-dynamic-tiering"] as const;

function compileInterpreter(options: InterpreterOptions): WebAssembly.Module {
  const bytes = readShipped(options) ?? writeInterpreter(options);
  for (const flag of TIERING) setFlagsFromString(`--no-${flag}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    for (const flag of TIERING) setFlagsFromString(`--${flag}`);
  }
}

export const riscvProcessor =
  (width: RegisterWidth): CreateProcessor =>
  (machine, hooks = {}) =>
    createRiscv(machine, hooks, { width, compileInterpreter });

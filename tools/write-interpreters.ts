// The interpreters of machine code that the bundle comes with, by the names of their files (runtime/exec/riscv-processor.ts reads them): one for
// each width of registers and size of memory that a board of the package has, written by what writes them when they are not there.

import type { RegisterWidth } from "../isa/riscv64/by-width.ts";
import { listMachines, loadMachine } from "../machines/load-machine.ts";
import { operationsApart, writeInterpreter, writeOperations } from "../runtime/cpus/riscv64/interpreter.ts";
import { EAGERNESS } from "../runtime/cpus/riscv64/regions/translator.ts";
import { interpreterFiles } from "../runtime/exec/riscv-processor.ts";
import { memoryLayout } from "../runtime/machine/memory.ts";

const WIDTHS: Readonly<Record<string, RegisterWidth>> = { riscv32: 32, riscv64: 64 };

export function writeInterpreters(): ReadonlyMap<string, Uint8Array> {
  const written = new Map<string, Uint8Array>();
  for (const name of listMachines()) {
    const result = loadMachine(name);
    if (result?.ok !== true) throw new Error(`${name} is no machine`);
    const width = WIDTHS[result.machine.target];
    if (width === undefined) continue;
    const options = { ...memoryLayout(result.machine.ram.size), width, heat: EAGERNESS.normal.heat };
    const { interpreter, operations } = interpreterFiles(options);
    written.set(interpreter, writeInterpreter(options));
    written.set(operations, writeOperations(options, operationsApart(width)));
  }
  return written;
}

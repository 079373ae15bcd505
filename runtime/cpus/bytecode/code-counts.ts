// How often each instruction of an image was executed, and each decision gone the way that branches off. Wrapped around the interpreter's code when
// coverage is asked for and not otherwise: an ordinary run has no trace of it. Counts of one machine and of the next, restored from the same
// snapshot, add up until they are taken.

import type { Module } from "../../../isa/bytecode/module.ts";
import type { ExecutorFactory } from "../../machine/cpu-contract.ts";
import { watchedInterpreterFactory } from "./interpreter.ts";

export interface FunctionCounts {
  readonly function: number;
  /** By instruction of its body. */
  readonly executed: Uint32Array;
  /** Executions that did not go on with the instruction behind. */
  readonly branched: Uint32Array;
}

export interface CodeCounts {
  readonly factory: ExecutorFactory;
  /** What came since it was asked last; functions that did not run are left out. */
  take(module: Module): readonly FunctionCounts[];
}

export function createCodeCounts(): CodeCounts {
  const modules = new Map<Module, Map<number, FunctionCounts>>();

  const factory = watchedInterpreterFactory(({ module }, index, code, next) => {
    let functions = modules.get(module);
    if (functions === undefined) modules.set(module, (functions = new Map()));
    let counts = functions.get(index);
    if (counts === undefined) {
      counts = { function: index, executed: new Uint32Array(code.length), branched: new Uint32Array(code.length) };
      functions.set(index, counts);
    }
    const { executed, branched } = counts;
    return code.map((operation, at) => {
      const behind = next[at];
      return (cpu) => {
        executed[at]!++;
        const to = operation(cpu);
        if (to !== behind) branched[at]!++;
        return to;
      };
    });
  });

  return {
    factory,
    take(module) {
      const taken: FunctionCounts[] = [];
      for (const counts of modules.get(module)?.values() ?? []) {
        if (!counts.executed.some((count) => count > 0)) continue;
        taken.push({ function: counts.function, executed: counts.executed.slice(), branched: counts.branched.slice() });
        counts.executed.fill(0);
        counts.branched.fill(0);
      }
      return taken;
    },
  };
}

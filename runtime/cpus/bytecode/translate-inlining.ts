// Which calls a translated function executes in its own body instead of making them. All that a call is stays as it is: the stack is checked
// and taken, the entry is a poll point with its own pc, fuel is counted to the instruction; what goes is the wasm call, which costs a frame of
// the host's, a check of its stack and every value that is kept in a register over it. Small functions without loops are taken, larger ones
// where a loop calls them, and a function that has but one caller up to the size of a large body; recursion a few levels deep.

import type { BytecodeFunction, Module } from "../../../isa/bytecode/module.ts";
import type { ValueType } from "../wasm/encoder.ts";

/** Instructions of a function that is inlined: anywhere in a warm function, where a loop calls it, and there if nobody else does. */
const LARGEST = { anywhere: 16, inLoop: 40, onlyCall: 400 } as const;
/** Instructions that inlining may add to a function, outside of loops and in all; levels of calls, and of one function in itself. */
const MAX_GROWTH = { anywhere: 100, inLoop: 500 } as const;
const MAX_DEPTH = 4;
const MAX_RECURSION = 2;

interface Call {
  readonly at: number;
  readonly callee: number;
  readonly inLoop: boolean;
}

interface Shape {
  readonly calls: readonly Call[];
  readonly hasLoops: boolean;
  /** Registers that may be read before they are written, parameters left out: they have to start as zero. */
  readonly zeroed: readonly number[];
}

/** A call that is executed in place. */
export interface InlinedCall {
  readonly callee: number;
  /** The callee's registers are wasm locals from here on. */
  readonly firstLocal: number;
  readonly zeroed: readonly number[];
  /** The calls in it, by instruction. */
  readonly calls: InlinedCalls;
}
export type InlinedCalls = ReadonlyMap<number, InlinedCall>;

export interface Inlining {
  /** The calls to inline into a function, and the locals that they need behind `firstLocal`. */
  readonly plan: (index: number, firstLocal: number) => { readonly calls: InlinedCalls; readonly locals: readonly ValueType[] };
}

function shapeOf({ body, signature }: BytecodeFunction): Shape {
  const calls: Call[] = [];
  const zeroed = new Set<number>();
  // What is written for certain: by instructions before this one in the regions that are open, for their ends may be reached without them.
  const written = new Set(signature.params.keys());
  const regions: { readonly isLoop: boolean; readonly since: number[] }[] = [];
  let loops = 0;
  let hasLoops = false;
  const forget = (): void => {
    const since = regions.at(-1)?.since ?? [];
    for (const register of since.splice(0)) written.delete(register);
  };
  body.forEach((instruction, at) => {
    for (const register of instruction.src) if (!written.has(register)) zeroed.add(register);
    switch (instruction.op) {
      case "block":
      case "if":
      case "loop": {
        const isLoop = instruction.op === "loop";
        regions.push({ isLoop, since: [] });
        if (isLoop) {
          loops += 1;
          hasLoops = true;
        }
        break;
      }
      case "else":
        forget();
        break;
      case "end":
        forget();
        if (regions.pop()?.isLoop === true) loops -= 1;
        break;
      case "call":
        calls.push({ at, callee: Number(instruction.imm[0]), inLoop: loops > 0 });
        break;
    }
    for (const register of instruction.dst) {
      if (written.has(register)) continue;
      written.add(register);
      regions.at(-1)?.since.push(register);
    }
  });
  return { calls, hasLoops, zeroed: [...zeroed] };
}

/** Functions that are worth it outside of loops too: loops call them, or they themselves, or warm ones. What runs once, as tests do, is not. */
function warmFunctions(shapes: readonly Shape[]): ReadonlySet<number> {
  const warm = new Set<number>();
  const found: number[] = [];
  const add = (index: number): void => {
    if (warm.has(index)) return;
    warm.add(index);
    found.push(index);
  };
  shapes.forEach(({ calls }, index) => {
    for (const { callee, inLoop } of calls) if (inLoop || callee === index) add(callee);
  });
  for (let index = found.pop(); index !== undefined; index = found.pop()) for (const { callee } of shapes[index]?.calls ?? []) add(callee);
  return warm;
}

/** Plans for the functions of a module; `valueType` gives what a register is in wasm. */
export function createInlining(module: Module, valueType: (type: BytecodeFunction["registers"][number]) => ValueType): Inlining {
  const shapes = module.functions.map(shapeOf);
  const warm = warmFunctions(shapes);
  const callers = new Uint32Array(module.functions.length);
  for (const { calls } of shapes) for (const { callee } of calls) callers[callee] = (callers[callee] ?? 0) + 1;

  return {
    plan(root, firstLocal) {
      const locals: ValueType[] = [];
      // One set of locals serves all calls of a function at a level: no two of them are executed at once.
      const sets = new Map<string, number>();
      let growth = 0;

      const localsOf = (fn: BytecodeFunction, key: string): number => {
        const known = sets.get(key);
        if (known !== undefined) return known;
        const first = firstLocal + locals.length;
        locals.push(...fn.registers.map(valueType));
        sets.set(key, first);
        return first;
      };

      const inlineCalls = (index: number, inLoop: boolean, path: readonly number[]): InlinedCalls => {
        const inlined = new Map<number, InlinedCall>();
        for (const call of shapes[index]?.calls ?? []) {
          const fn = module.functions[call.callee];
          const shape = shapes[call.callee];
          if (fn === undefined || shape === undefined || shape.hasLoops || path.length > MAX_DEPTH) continue;
          const isHot = inLoop || call.inLoop;
          if (!isHot && !warm.has(root)) continue;
          const largest = !isHot ? LARGEST.anywhere : callers[call.callee] === 1 ? LARGEST.onlyCall : LARGEST.inLoop;
          const size = fn.body.length;
          if (size > largest || growth + size > (isHot ? MAX_GROWTH.inLoop : MAX_GROWTH.anywhere)) continue;
          if (path.filter((each) => each === call.callee).length > MAX_RECURSION - (call.callee === root ? 0 : 1)) continue;
          growth += size;
          const inner = [...path, call.callee];
          inlined.set(call.at, {
            callee: call.callee,
            firstLocal: localsOf(fn, `${path.length} ${call.callee}`),
            zeroed: shape.zeroed,
            calls: inlineCalls(call.callee, isHot, inner),
          });
        }
        return inlined;
      };
      return { calls: inlineCalls(root, false, [root]), locals };
    },
  };
}

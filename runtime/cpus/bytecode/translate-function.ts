// One guest function as one wasm function, with the small functions that it calls in it: locals, entry and body (translate-body.ts). A function in
// whose loops pointers are worth it is written a second time, which then knows them.

import { translateBody, isStraight } from "./translate-body.ts";
import { FIRST_REGISTER, LIMIT_GLOBAL, SP_LOCAL, pushFuel, valueType } from "./translate-context.ts";
import type { FunctionWriter, TranslationContext } from "./translate-context.ts";
import { createLoopNotes, findPairs, isMachine, planPointers } from "./translate-loops.ts";
import type { LoopNotes } from "./translate-loops.ts";
import type { InlinedCalls } from "./translate-inlining.ts";
import { createWriter, pollAtEntry } from "./translate-writer.ts";
import { mayHaveRounds } from "./translate-rounds.ts";
import { VECTOR_SCALARS } from "./translate-vector-code.ts";
import { removeDeadCode } from "../wasm/dead-code.ts";
import { I32, I64, OP, V128, writeLocals } from "../wasm/encoder.ts";
import type { BranchHint, ByteWriter, ValueType } from "../wasm/encoder.ts";
import { callBytes } from "./wasm-state.ts";

interface WrittenFunction {
  readonly hints: readonly BranchHint[];
  readonly hasLoops: boolean;
}

/** Locals behind the registers: three for the parts of an instruction, and what the stack has left. */
const TEMPORARIES = [I32, I32, I64, I32] as const;

/**
 * Writes the body of guest function `index`, size included; tells what V8 should know of it. With pointers it is written twice, for they are
 * found out by writing it.
 */
export function translateFunction(context: TranslationContext, w: ByteWriter, index: number): WrittenFunction {
  const fn = context.module.functions[index];
  if (fn === undefined) throw new Error(`no function ${index}`);
  const firstLocal = FIRST_REGISTER + fn.registers.length + TEMPORARIES.length;
  const { calls, locals } = context.inlining.plan(index, firstLocal);
  const loops = createLoopNotes();
  const start = w.length;
  let f = writeFunction(context, w, index, calls, locals, loops);
  const pointers = planPointers(loops, firstLocal + locals.length);
  loops.rounds = firstLocal + locals.length + pointers;
  loops.vectors.first = loops.rounds + 1;
  const hasPairs = findPairs(loops, (from, to) => fn.body.slice(from, to).every(isStraight));
  const hasRounds = [...loops.loops.values()].some(({ at }) => mayHaveRounds(f, at));
  if (pointers > 0 || hasPairs || hasRounds || [...loops.loops.values()].some(isMachine)) {
    w.length = start;
    f = writeFunction(context, w, index, calls, [...locals, ...Array.from({ length: pointers + 1 }, (): ValueType => I32)], loops);
    removeDeadCode(w, f.codeStart, loops.vectors.first + VECTOR_SCALARS + loops.vectors.used, f.hints, f.bodyStart);
  }
  w.closeSize(f.bodyStart);
  return { hints: f.hints, hasLoops: f.branchedLoops.includes(1) };
}

function writeFunction(
  context: TranslationContext,
  w: ByteWriter,
  index: number,
  inlined: InlinedCalls,
  locals: readonly ValueType[],
  loops: LoopNotes,
): FunctionWriter & { readonly codeStart: number } {
  const fn = context.module.functions[index];
  if (fn === undefined) throw new Error(`no function ${index}`);
  const { registers, signature } = fn;
  const firstTemporary = registers.length + FIRST_REGISTER;
  const room = inlined.size > 0 ? firstTemporary + 3 : null;
  const bodyStart = w.openSize();
  const declared = [...registers.slice(signature.params.length).map((type) => valueType(context, type)), ...TEMPORARIES, ...locals];
  const vectorLocals = writeLocals(w, declared, [I32, V128]);
  const codeStart = w.length;
  const f = createWriter({
    context,
    w,
    fn,
    index,
    firstRegister: FIRST_REGISTER,
    below: 0,
    room,
    inlined,
    returns: null,
    bodyStart,
    hints: [],
    depth: 0,
    pending: 0,
    temp32: firstTemporary,
    temp32b: firstTemporary + 1,
    temp64: firstTemporary + 2,
    versions: [],
    loops,
  });
  w.localGet(SP_LOCAL);
  w.withConst(callBytes(fn.frameSize), OP.i32_sub);
  w.localSet(SP_LOCAL);
  if (room !== null) {
    w.localGet(SP_LOCAL);
    w.op(OP.global_get, LIMIT_GLOBAL);
    w.byte(OP.i32_sub);
    w.localSet(room);
  }
  pollAtEntry(f);
  translateBody(f);
  if (loops.vectors.used > 0) {
    w.bytes[vectorLocals[0] ?? 0] = VECTOR_SCALARS;
    w.bytes[vectorLocals[1] ?? 0] = loops.vectors.used;
  }
  if (!f.dead && signature.results.length === 0) pushFuel(f);
  else w.byte(OP.unreachable);
  w.byte(OP.end);
  return { ...f, codeStart };
}

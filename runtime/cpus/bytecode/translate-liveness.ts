// Which registers the start of a loop reads: in the loop, or behind it, before they are written. What a round leaves in any other register is seen
// by nobody, so that who makes rounds in another way need not leave it. One walk of a function from its end to its start; a loop is walked again
// until what its start reads is what the branches back to it have assumed.

import type { BytecodeFunction } from "../../../isa/bytecode/module.ts";

interface Region {
  readonly opener: number;
  readonly end: number;
  /** What is read behind its end; what its else-part reads. */
  readonly behind: ReadonlySet<number>;
  otherwise: ReadonlySet<number> | undefined;
}

/** The instruction that opened the region that each `end` closes. */
function openersOf({ body }: BytecodeFunction): ReadonlyMap<number, number> {
  const openers = new Map<number, number>();
  const open: number[] = [];
  body.forEach(({ op }, at) => {
    if (op === "block" || op === "loop" || op === "if") open.push(at);
    else if (op === "end") openers.set(at, open.pop() ?? 0);
  });
  return openers;
}

/** For each loop, by the instruction that opens it, the registers that its start reads. */
export function readAtLoops(fn: BytecodeFunction): ReadonlyMap<number, ReadonlySet<number>> {
  const { body } = fn;
  const openers = openersOf(fn);
  const starts = new Map<number, Set<number>>();
  const regions: Region[] = [];
  let live = new Set<number>();
  /** What is read where a branch goes. */
  const readAt = (depth: number): ReadonlySet<number> => {
    const region = regions[regions.length - 1 - depth];
    if (region === undefined) throw new Error(`function ${fn.name}: no region at depth ${depth}`);
    return body[region.opener]?.op === "loop" ? (starts.get(region.opener) ?? new Set()) : region.behind;
  };

  for (let at = body.length - 1; at >= 0; at--) {
    const instruction = body[at];
    if (instruction === undefined) continue;
    const { op, dst, src, imm } = instruction;
    switch (op) {
      case "end":
        regions.push({ opener: openers.get(at) ?? 0, end: at, behind: new Set(live), otherwise: undefined });
        break;
      case "else": {
        const region = regions.at(-1);
        if (region === undefined) break;
        region.otherwise = live;
        live = new Set(region.behind);
        break;
      }
      case "if": {
        const region = regions.pop();
        for (const register of region?.otherwise ?? region?.behind ?? []) live.add(register);
        break;
      }
      case "block":
        regions.pop();
        break;
      case "loop": {
        const region = regions.pop();
        const known = starts.get(at) ?? new Set();
        const before = known.size;
        for (const register of live) known.add(register);
        starts.set(at, known);
        if (region === undefined || known.size === before) break;
        // Once more, from the end.
        live = new Set(region.behind);
        at = region.end + 1;
        continue;
      }
      case "br":
      case "br_table":
        live = new Set(imm.flatMap((depth) => [...readAt(Number(depth))]));
        break;
      case "br_if":
        for (const register of readAt(Number(imm[0]))) live.add(register);
        break;
      case "return":
        live = new Set();
        break;
    }
    for (const register of dst) live.delete(register);
    for (const register of src) live.add(register);
  }
  return starts;
}

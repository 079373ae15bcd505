// Takes out of a function's body what computes values that nobody reads. Translators write the arithmetic of every guest instruction, and
// what they know of it makes much of that superfluous: bounds that are decided, addresses that a pointer replaces. V8 would find out too, but
// only after it has judged by the number of operations whether a loop is worth unrolling. One walk from the end to the start finds which locals
// are read behind each instruction; a loop is walked again until what its start reads is what the branches back to it have assumed.

import { OP, vectorImmediates } from "./encoder.ts";
import type { BranchHint, ByteWriter } from "./encoder.ts";

/** Opcodes that bodies may have, by ranges; anything else is a translator's mistake. Operands are given where there is no other effect. */
const RANGES: readonly { readonly first: number; readonly last: number; readonly immediates: number; readonly operands?: number }[] = [
  { first: OP.unreachable, last: OP.unreachable, immediates: 0 },
  // A block's type is one byte here.
  { first: OP.block, last: OP.if, immediates: 1 },
  { first: OP.else, last: OP.else, immediates: 0 },
  { first: OP.end, last: OP.end, immediates: 0 },
  { first: OP.br, last: OP.br_if, immediates: 1 },
  { first: OP.br_table, last: OP.br_table, immediates: 1 },
  { first: OP.return, last: OP.return, immediates: 0 },
  { first: OP.call, last: OP.call, immediates: 1 },
  { first: OP.call_indirect, last: OP.call_indirect, immediates: 2 },
  { first: OP.drop, last: OP.drop, immediates: 0 },
  { first: OP.select, last: OP.select, immediates: 0, operands: 3 },
  { first: OP.local_get, last: OP.local_get, immediates: 1, operands: 0 },
  { first: OP.local_set, last: OP.global_set, immediates: 1 },
  { first: OP.i32_load, last: OP.i64_store32, immediates: 2 },
  { first: OP.i32_const, last: OP.i64_const, immediates: 1, operands: 0 },
  { first: OP.i32_eqz, last: OP.i32_eqz, immediates: 0, operands: 1 },
  { first: OP.i32_eq, last: OP.i32_ge_u, immediates: 0, operands: 2 },
  { first: OP.i64_eqz, last: OP.i64_eqz, immediates: 0, operands: 1 },
  { first: OP.i64_eq, last: OP.i64_ge_u, immediates: 0, operands: 2 },
  { first: OP.i32_clz, last: OP.i32_popcnt, immediates: 0, operands: 1 },
  { first: OP.i32_add, last: OP.i32_mul, immediates: 0, operands: 2 },
  { first: OP.i32_div_s, last: OP.i32_rem_u, immediates: 0 },
  { first: OP.i32_and, last: OP.i32_rotr, immediates: 0, operands: 2 },
  { first: OP.i64_clz, last: OP.i64_popcnt, immediates: 0, operands: 1 },
  { first: OP.i64_add, last: OP.i64_mul, immediates: 0, operands: 2 },
  { first: OP.i64_div_s, last: OP.i64_rem_u, immediates: 0 },
  { first: OP.i64_and, last: OP.i64_rotr, immediates: 0, operands: 2 },
  { first: OP.i32_wrap_i64, last: OP.i32_wrap_i64, immediates: 0, operands: 1 },
  { first: OP.vector, last: OP.vector, immediates: 1 },
  { first: OP.i64_extend_i32_s, last: OP.i64_extend_i32_u, immediates: 0, operands: 1 },
  { first: OP.i32_extend8_s, last: OP.i64_extend32_s, immediates: 0, operands: 1 },
];

/** How many numbers follow at least; -1 for no opcode. Operands are -1 for instructions with effects. */
const immediatesOf = new Int8Array(256).fill(-1);
const operandsOf = new Int8Array(256).fill(-1);
for (const { first, last, immediates, operands } of RANGES) {
  for (let op = first; op <= last; op++) {
    immediatesOf[op] = immediates;
    operandsOf[op] = operands ?? -1;
  }
}

/** A body as instructions: where each starts, its opcode, and its first immediate or, for `br_table`, where its depths are. */
interface Instructions {
  readonly count: number;
  readonly starts: Int32Array;
  readonly immediates: Int32Array;
  /** Of `local.set`: the first instruction of what computes the value, if it does nothing else; -1 otherwise. */
  readonly values: Int32Array;
  /** Of `end` and `else`: the instruction that opened the region. */
  readonly openers: Int32Array;
  readonly tables: ReadonlyMap<number, readonly number[]>;
}

/** A region that the walk back is in. */
interface Region {
  readonly opener: number;
  readonly end: number;
  /** What is read behind its end; what its else-part reads. */
  readonly behind: Uint32Array;
  otherwise: Uint32Array | undefined;
}

function decode(bytes: Uint8Array, from: number, to: number): Instructions {
  const starts = new Int32Array(to - from + 1);
  const immediates = new Int32Array(to - from);
  const values = new Int32Array(to - from).fill(-1);
  const openers = new Int32Array(to - from);
  const tables = new Map<number, readonly number[]>();
  const open: number[] = [];
  /** For each value on the stack that was computed without effects since the last one: the first instruction of what did. */
  let pure: number[] = [];
  let at = from;
  let count = 0;

  while (at < to) {
    starts[count] = at;
    const op = bytes[at++] ?? 0;
    let numbers = immediatesOf[op] ?? -1;
    if (numbers < 0) throw new Error(`no such opcode in a body: ${op.toString(16)}`);
    // Flat, because it runs before V8 has optimized it.
    const depths: number[] | undefined = op === OP.br_table ? [] : undefined;
    let vectorBytes = 0;
    for (let first = true; numbers > 0; first = false) {
      let value = 0;
      let byte = 0;
      for (let shift = 0; shift === 0 || byte >= 0x80; shift += 7) {
        byte = bytes[at++] ?? 0;
        if (shift < 32) value |= (byte & 0x7f) << shift;
      }
      numbers -= 1;
      if (!first) depths?.push(value);
      else {
        immediates[count] = value;
        // The depths, and the one for all else.
        if (depths !== undefined) numbers = value + 1;
        // Bit 6 of the alignment: the memory's index follows.
        else if (op >= OP.i32_load && op <= OP.i64_store32 && (value & 0x40) !== 0) numbers += 1;
        else if (op === OP.vector) {
          const { isAccess, bytes: more } = vectorImmediates(value);
          if (isAccess) numbers += 2;
          vectorBytes = more;
        }
      }
    }
    at += vectorBytes;
    if (depths !== undefined) tables.set(count, depths);
    const operands = operandsOf[op] ?? -1;
    if (operands >= 0) {
      const first = operands === 0 ? count : (pure[pure.length - operands] ?? -1);
      pure.length = Math.max(0, pure.length - operands);
      if (first >= 0) pure.push(first);
      else pure = [];
    } else {
      if (op === OP.local_set) values[count] = pure.at(-1) ?? -1;
      pure = [];
    }
    if (op === OP.block || op === OP.loop || op === OP.if) open.push(count);
    else if (op === OP.else) openers[count] = open.at(-1) ?? -1;
    else if (op === OP.end) openers[count] = open.pop() ?? -1;
    count += 1;
  }
  starts[count] = to;
  return { count, starts, immediates, values, openers, tables };
}

/** Marks the instructions that may go. */
function findDead(bytes: Uint8Array, { count, starts, immediates, values, openers, tables }: Instructions, localCount: number): Uint8Array {
  const dead = new Uint8Array(count);
  const words = (localCount + 31) >> 5;
  const nothing = new Uint32Array(words);
  const live = new Uint32Array(words);
  /** What the start of each loop reads, as far as it is known. */
  const loopStarts = new Map<number, Uint32Array>();
  const regions: Region[] = [];

  const isLive = (local: number): boolean => (((live[local >> 5] ?? 0) >>> (local & 31)) & 1) !== 0;
  const read = (local: number): void => {
    live[local >> 5] = (live[local >> 5] ?? 0) | (1 << (local & 31));
  };
  const write = (local: number): void => {
    live[local >> 5] = (live[local >> 5] ?? 0) & ~(1 << (local & 31));
  };
  const join = (into: Uint32Array, from: Uint32Array): boolean => {
    let grew = false;
    for (let word = 0; word < words; word++) {
      const before = into[word] ?? 0;
      const after = (before | (from[word] ?? 0)) >>> 0;
      if (after !== before) grew = true;
      into[word] = after;
    }
    return grew;
  };
  /** What is read where a branch goes; beyond all regions, that is the function's end. */
  const readAt = (depth: number): Uint32Array => {
    const region = regions[regions.length - 1 - depth];
    if (region === undefined) return nothing;
    return bytes[starts[region.opener] ?? 0] === OP.loop ? (loopStarts.get(region.opener) ?? nothing) : region.behind;
  };

  for (let at = count - 1; at >= 0; at--) {
    dead[at] = 0;
    const op = bytes[starts[at] ?? 0] ?? 0;
    const immediate = immediates[at] ?? 0;
    switch (op) {
      case OP.local_get:
        read(immediate);
        break;
      case OP.local_tee:
        // Without it the value stays where it is wanted.
        if (isLive(immediate)) write(immediate);
        else dead[at] = 1;
        break;
      case OP.local_set: {
        const value = values[at] ?? -1;
        if (isLive(immediate) || value < 0) write(immediate);
        else {
          dead.fill(1, value, at + 1);
          at = value;
        }
        break;
      }
      case OP.end: {
        const opener = openers[at] ?? -1;
        if (opener >= 0) regions.push({ opener, end: at, behind: live.slice(), otherwise: undefined });
        break;
      }
      case OP.else: {
        const region = regions.at(-1);
        if (region === undefined) break;
        region.otherwise = live.slice();
        live.set(region.behind);
        break;
      }
      case OP.if: {
        const region = regions.pop();
        if (region !== undefined) join(live, region.otherwise ?? region.behind);
        break;
      }
      case OP.block:
        regions.pop();
        break;
      case OP.loop: {
        const region = regions.pop();
        const assumed = loopStarts.get(at) ?? new Uint32Array(words);
        loopStarts.set(at, assumed);
        if (!join(assumed, live) || region === undefined) break;
        // Once more, from the end.
        live.set(region.behind);
        at = region.end + 1;
        break;
      }
      case OP.br:
        live.set(readAt(immediate));
        break;
      case OP.br_if:
        join(live, readAt(immediate));
        break;
      case OP.br_table:
        live.fill(0);
        for (const depth of tables.get(at) ?? []) join(live, readAt(depth));
        break;
      case OP.return:
      case OP.unreachable:
        live.fill(0);
        break;
    }
  }
  return dead;
}

/** Shortens the code from `start` to the writer's end, which uses so many locals; hints count from `hintStart` and move with it. */
export function removeDeadCode(w: ByteWriter, start: number, localCount: number, hints: BranchHint[], hintStart: number): void {
  const instructions = decode(w.bytes, start, w.length);
  const { count, starts } = instructions;
  const dead = findDead(w.bytes, instructions, localCount);
  let to = start;
  let hint = 0;
  for (let at = 0; at < count; at++) {
    const from = starts[at] ?? 0;
    const next = starts[at + 1] ?? from;
    const known = hints[hint];
    if (known !== undefined && known.offset + hintStart === from) {
      hints[hint] = { ...known, offset: to - hintStart };
      hint += 1;
    }
    if (dead[at] === 1) continue;
    if (to !== from) w.bytes.copyWithin(to, from, next);
    to += next - from;
  }
  w.length = to;
}

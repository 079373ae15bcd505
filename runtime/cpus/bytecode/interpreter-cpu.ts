// State of one interpreted CPU: registers, call frames, guards, interrupt and trap state. Plain data plus pushing and popping; what
// moves it lives in interpreter.ts. Registers of all calls lie in one array of 8-byte slots, seen as 64-bit and as 32-bit words, so that
// narrow values are JavaScript numbers, wide ones BigInt, and neither is ever allocated per register.

import { codeAddress, type BytecodeFunction } from "../../../isa/bytecode/module.ts";
import type { GuestStack, TrapRecord } from "../../machine/cpu-contract.ts";

/** One instruction, ready to run: gives the index of the next one to run on this CPU. */
export type Operation = (cpu: Cpu) => number;

/** A function as the interpreter runs it. `code` is indexed like the body; entries of cost-0 instructions are never reached. */
export interface PreparedFunction {
  readonly index: number;
  readonly source: BytecodeFunction;
  /** What a call takes from the stack. */
  readonly stackBytes: number;
  /** Filled at the first call. */
  code: readonly Operation[] | null;
  /** First instruction to run. */
  start: number;
}

/** Which of the two 32-bit words of a 64-bit slot is the low one on this host. */
export const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
export const HIGH = 1 - LOW;

/** Why a function runs, so what its return means. */
export type FrameKind = "entry" | "call" | "guard" | "interrupt" | "trap";

export interface Frame {
  prepared: PreparedFunction;
  kind: FrameKind;
  /** First register slot. */
  base: number;
  /** SP as an offset into RAM. */
  sp: number;
  /** Registers of the calling frame that take the results. */
  results: readonly number[];
  /** Where this frame goes on when the frame above it ends, and where it was left: see `resumeAt`. */
  resume: number;
}

/** The next instruction in the low half, the one that called or was interrupted in the high half: a body has at most 65536. */
export function resumeAt(next: number, left: number): number {
  return (left << 16) | next;
}

export function nextOf(resume: number): number {
  return resume & 0xffff;
}

function leftOf(resume: number): number {
  return resume >>> 16;
}

/** An entered guard, with what its end restores. */
export interface Guard {
  /** Index of the frame that executed the guard instruction. */
  readonly depth: number;
  readonly result: number;
  readonly resume: number;
  readonly enabled: boolean;
  readonly vectorActive: boolean;
  readonly limit: number;
}

const FIRST_SLOTS = 4096;

export class Cpu {
  readonly id: number;
  /** Initial SP and stack limit, as offsets into RAM. */
  readonly top: number;
  readonly baseLimit: number;

  wide: BigUint64Array = new BigUint64Array(FIRST_SLOTS);
  narrow: Int32Array = new Int32Array(this.wide.buffer);
  /** First slot of the running frame, and the same in 32-bit words. */
  base = 0;
  base32 = 0;
  code: readonly Operation[] = [];
  pc = 0;
  sp = 0;
  /** The limit in force: lower while a trap vector runs. */
  limit = 0;
  readonly frames: Frame[] = [];
  /** Index of the running frame, -1: none. */
  depth = -1;
  readonly guards: Guard[] = [];

  running = false;
  sleeping = false;
  relaxed = false;
  /** How far guest time may go meanwhile; negative: by what `relax` passes. */
  dozesUntil = -1;
  /** A poll point comes before the next instruction: at `pollPc`, then go on at `pollNext`. */
  pollPending = false;
  pollNext = 0;
  pollPc = 0;

  enabled = false;
  mask = 7;
  lines = 0;
  /** An interrupt would be taken at a poll point now. */
  interruptible = false;
  /** A trap vector runs, outside any guard that it entered. */
  vectorActive = false;
  trap: TrapRecord | null = null;

  constructor(id: number, top: number, limit: number) {
    this.id = id;
    this.top = top;
    this.baseLimit = limit;
  }

  reset(): void {
    this.depth = -1;
    this.guards.length = 0;
    this.sp = this.top;
    this.limit = this.baseLimit;
    this.base = 0;
    this.base32 = 0;
    this.running = false;
    this.sleeping = false;
    this.relaxed = false;
    this.pollPending = false;
    this.enabled = false;
    this.mask = 7;
    this.interruptible = false;
    this.vectorActive = false;
    this.trap = null;
  }

  hasStackFor(callee: PreparedFunction): boolean {
    return this.sp - callee.stackBytes >= this.limit;
  }

  /** Enters a prepared function with all registers zero. The caller has checked the stack, and writes the parameters. */
  push(callee: PreparedFunction, kind: FrameKind, results: readonly number[], resume: number): void {
    let base = 0;
    if (this.depth >= 0) {
      const caller = this.frames[this.depth]!;
      caller.resume = resume;
      base = caller.base + caller.prepared.source.registers.length;
    }
    const end = base + callee.source.registers.length;
    if (end > this.wide.length) this.grow(end);
    this.narrow.fill(0, base * 2, end * 2);
    this.sp -= callee.stackBytes;
    this.depth += 1;
    const frame = this.frames[this.depth];
    if (frame === undefined) {
      this.frames.push({ prepared: callee, kind, base, sp: this.sp, results, resume: 0 });
    } else {
      frame.prepared = callee;
      frame.kind = kind;
      frame.base = base;
      frame.sp = this.sp;
      frame.results = results;
    }
    this.base = base;
    this.base32 = base * 2;
    this.code = callee.code!;
  }

  /** Makes frame `depth` the running one. */
  popTo(depth: number): void {
    this.depth = depth;
    if (depth < 0) {
      this.sp = this.top;
      return;
    }
    const frame = this.frames[depth]!;
    this.base = frame.base;
    this.base32 = frame.base * 2;
    this.sp = frame.sp;
    this.code = frame.prepared.code!;
  }

  /** What has called what, innermost first, the running frame at instruction `at`. */
  stack(at: number): GuestStack {
    const pcs: number[] = [];
    const breaks = new Map<number, "interrupt" | "trap">();
    for (let depth = this.depth; depth >= 0; depth--) {
      const { prepared, resume, kind } = this.frames[depth]!;
      pcs.push(codeAddress(prepared.index, depth === this.depth ? at : leftOf(resume)));
      if (kind === "interrupt" || kind === "trap") breaks.set(pcs.length, kind);
    }
    return { cpu: this.id, pcs, breaks, lost: null };
  }

  private grow(slots: number): void {
    const wide = new BigUint64Array(Math.max(slots, this.wide.length * 2));
    wide.set(this.wide);
    this.wide = wide;
    this.narrow = new Int32Array(wide.buffer);
  }
}

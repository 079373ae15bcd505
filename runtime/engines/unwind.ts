// From what a guest of machine code has sent of its stack to the calls under way. The guest sends words that may be return addresses and
// where they were; how large each function's frame is and where it keeps its return address the image knows. No register but the
// stack pointer is needed, for frames are measured from it. What does not lead to the outermost code is not believed, so that a stack
// which the test has damaged ends the chain, and old words above and below the stack pointer do not get into it.

import { ENTRY_STACK as AARCH64 } from "../../isa/aarch64/entry-stack.ts";
import { PSABIS } from "../../isa/psabi.ts";
import { ENTRY_STACK as RISCV64 } from "../../isa/riscv64/entry-stack.ts";
import { ENTRY_STACK as X86_64 } from "../../isa/x86_64/entry-stack.ts";
import type { NativeImage, NativeSymbol, SymbolFrame } from "../../compiler/native/native-image.ts";
import type { GuestStack } from "../machine/cpu-contract.ts";
import { lastAtOrBelow } from "./code-map.ts";
import type { StackWords } from "./frames.ts";

export interface Unwinder {
  /** The words begin below the return address of `native.tell_calls`, which `report.failed` has called. */
  ofReport(told: StackWords, cpu: number): GuestStack | null;
  /** The words begin `TRAP_FRAME` below where the stack pointer was when it came. */
  ofTrap(told: StackWords, pc: number, cpu: number): GuestStack | null;
}

/** How to get on from a part of the entry assembly, by its label, where the image does not say it. */
type EntryRule =
  /** It has called what is further in. */
  | ({ readonly kind: "call" } & SymbolFrame)
  /** It has stored what it interrupted: `pc`, and in `link` the register for return addresses, are offsets from the stack pointer. */
  | { readonly kind: "interrupt" | "trap"; readonly bytes: number; readonly pc: number; readonly link: number | null };

/** As lib/NAME/entry.s has it: `isa/NAME/entry-stack.ts`. */
interface EntryStack {
  /** What the vector stores of a trap: its size, and where the register for return addresses is. */
  readonly trap: { readonly bytes: number; readonly link: number | null };
  /** Where `guest_poll` stores the register for return addresses of what it polls: below its stack pointer, and how far beside that the place it blames. */
  readonly pollLink: { readonly below: number; readonly blamed: number } | null;
  /** By label. Everything else in the entry assembly that calls is the outermost code. */
  readonly entry: Readonly<Record<string, EntryRule>>;
}

/** Null: nobody has said it yet, and failures do not tell their callers. */
const ENTRY_STACKS: Readonly<Record<string, EntryStack | null>> = {
  riscv64: RISCV64,
  aarch64: AARCH64,
  x86_64: X86_64,
};

/** As in lib/native.gspec. */
const TRAP_FRAME = 288;
const WORD = 8;
const REPORTING = "report.failed";
const TELLING = "native.tell_calls";
const GUARD = "guest_guard";
const LOST = "the stack does not say more";

/** So many bytes at a function's start its frame may not be there. */
const PROLOGUE = 28;

/** Frames looked at for one stack, in all ways: words that a guest made up may fork the way at each interrupt. A stack of frames of a word each has 10,000. */
const MOST_FRAMES = 100_000;

interface CallingCode {
  readonly name: string;
  readonly address: bigint;
  readonly frame: SymbolFrame;
}

/** By address. */
type Words = ReadonlyMap<number, number>;

/** Where a CPU is, or was when it left a function. */
interface Position {
  readonly pc: number;
  readonly sp: number;
  /** Null: `pc` is where a call returns to. Else the code was stopped anywhere, and the register for return addresses may hold one. */
  readonly stopped: { readonly link: number | undefined } | null;
}

interface Walk {
  readonly pcs: readonly number[];
  readonly breaks: ReadonlyMap<number, "interrupt" | "trap">;
  /** It leads to what all code is called from: the outermost, or the guard that a trap has ended. */
  readonly isWhole: boolean;
}

function returnTo(pc: number | undefined, sp: number): readonly Position[] {
  return pc === undefined ? [] : [{ pc, sp, stopped: null }];
}

/** Behind `before`, the places that `rest` has. */
function joinWalks(before: readonly number[], breaks: Walk["breaks"], rest: Walk): Walk {
  const moved = [...rest.breaks].map(([index, kind]) => [before.length + index, kind] as const);
  return { pcs: [...before, ...rest.pcs], breaks: new Map([...breaks, ...moved]), isWhole: rest.isWhole };
}

export function createUnwinder(image: Pick<NativeImage, "target" | "base" | "symbols" | "codeStart">): Unwinder | undefined {
  const stack = ENTRY_STACKS[image.target] ?? null;
  const psabi = PSABIS[image.target];
  if (stack === null || psabi === undefined) return undefined;
  const { pushed } = psabi;
  const { trap: trapFrame, pollLink } = stack;
  const entry = new Map(Object.entries(stack.entry));
  const base = Number(image.base);
  let functions: readonly NativeSymbol[] | null = null;
  /** Of `MOST_FRAMES`, for the stack at hand. */
  let framesLeft = 0;

  /** The function that an address is in, or the label of the entry assembly before it. */
  function functionAt(address: number): NativeSymbol | null {
    functions ??= image.symbols.filter(({ kind }) => kind === "function");
    const found = lastAtOrBelow(functions, BigInt(address));
    return found === undefined || (found.size > 0 && address >= Number(found.address) + found.size) ? null : found;
  }

  /** Ways in which the caller may be found, the likeliest first: after a call there is one, elsewhere the frame may not be there yet. */
  function callersOf({ pc, sp, stopped }: Position, { address, frame, name }: CallingCode, words: Words): readonly Position[] {
    const { bytes, returnBelow } = frame;
    const outer = sp + bytes + pushed;
    const kept = returnBelow > 0 ? returnTo(words.get(outer - returnBelow), outer) : [];
    if (stopped === null) return kept;
    const isEarly = pc - Number(address) < PROLOGUE;
    if (pushed > 0) {
      // The CPU has aligned the stack of what it interrupted.
      const pushedAt = [sp, sp + WORD, outer].map((slot) => returnTo(words.get(slot), slot + WORD));
      return (isEarly ? [...pushedAt, kept] : [kept, ...pushedAt]).flat();
    }
    // Within the function the register says where it has called from itself.
    const { link } = stopped;
    const isOwn = link !== undefined && functionAt(link - 1)?.name === name;
    const linked = isOwn ? [] : (isEarly ? [sp, sp + bytes] : [sp + bytes, sp]).map((each) => returnTo(link, each));
    return [...linked.flat(), ...kept];
  }

  /** From a position outwards, of a trap to the guard that it has ended: beyond that the reporter was. Of several ways the first that is whole. */
  function walk(start: Position, words: Words, isTrap: boolean): Walk {
    const pcs: number[] = [];
    const breaks = new Map<number, "interrupt" | "trap">();
    const end = (isWhole: boolean): Walk => ({ pcs, breaks, isWhole });
    for (let position = start; ;) {
      if (framesLeft-- <= 0) return end(false);
      const at = position.stopped === null ? position.pc - 1 : position.pc;
      const place = functionAt(at);
      if (place === null) return end(false);
      const rule = place.frame === undefined ? entry.get(place.name) : { kind: "call" as const, ...place.frame };
      if (rule === undefined || (isTrap && place.name === GUARD)) return end(rule !== undefined || !isTrap);
      if (rule.kind === "call") {
        if (place.size > 0) pcs.push(at);
        const [first, ...others] = callersOf(position, { address: place.address, name: place.name, frame: rule }, words);
        if (first === undefined) return end(false);
        if (others.length > 0) {
          const likeliest = walk(first, words, isTrap);
          let found = likeliest;
          for (const other of others) if (!found.isWhole) found = walk(other, words, isTrap);
          return joinWalks(pcs, breaks, found.isWhole ? found : likeliest);
        }
        position = first;
      } else {
        const pc = words.get(position.sp + rule.pc);
        if (pc === undefined) return end(false);
        breaks.set(pcs.length, rule.kind);
        position = { pc, sp: position.sp + rule.bytes, stopped: { link: rule.link === null ? undefined : words.get(position.sp + rule.link) } };
      }
    }
  }

  /** A time limit is told of the code that was running, and no room of the call: the library has trapped, further in. */
  function walkAround(pc: number, sp: number, words: Words): Walk | null {
    const frame = functionAt(pc)?.frame;
    if (frame === undefined) return null;
    const isKept = frame.returnBelow > 0;
    for (const slot of ascending(words)) {
      if (slot < sp) continue;
      const value = words.get(slot) ?? 0;
      // Where calls push, the poll has pushed the place that it blames.
      const polled = pushed > 0 && value === pc ? walk({ pc, sp: slot + WORD, stopped: null }, words, true) : null;
      if (polled?.isWhole === true) return polled;
      if (!isKept && (pollLink === null || words.get(slot + pollLink.blamed) !== pc)) continue;
      const outer = isKept ? slot + frame.returnBelow : slot + (pollLink?.below ?? 0) + frame.bytes;
      const rest = walk({ pc: value, sp: outer, stopped: null }, words, true);
      if (rest.isWhole) return joinWalks([pc], new Map(), rest);
    }
    return null;
  }

  function stackOf({ pcs, breaks, isWhole }: Walk, cpu: number): GuestStack {
    return { cpu, pcs, breaks, lost: isWhole ? null : LOST };
  }

  return {
    ofReport(told, cpu) {
      framesLeft = MOST_FRAMES;
      const words = absolute(told, base);
      const telling = image.symbols.find(({ name }) => name === TELLING)?.frame;
      const slot = ascending(words).find((address) => functionAt((words.get(address) ?? 0) - 1)?.name === REPORTING);
      if (telling === undefined || slot === undefined) return null;
      return stackOf(walk({ pc: words.get(slot) ?? 0, sp: slot + telling.returnBelow, stopped: null }, words, false), cpu);
    },
    ofTrap(told, pc, cpu) {
      framesLeft = MOST_FRAMES;
      const words = absolute(told, base);
      const sp = told.start + TRAP_FRAME;
      const link = trapFrame.link === null ? undefined : words.get(sp - trapFrame.bytes + trapFrame.link);
      const exact = walk({ pc, sp, stopped: { link } }, words, true);
      return stackOf(exact.isWhole ? exact : (walkAround(pc, sp, words) ?? exact), cpu);
    },
  };
}

function absolute({ words }: StackWords, base: number): Words {
  return new Map([...words].map(([address, offset]) => [address, base + offset]));
}

function ascending(words: Words): readonly number[] {
  return [...words.keys()].sort((a, b) => a - b);
}

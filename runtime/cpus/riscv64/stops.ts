// Why a run ends before its time: what was wished from outside, watchpoints, and breakpoints. The first reason stays. Breakpoints of the
// debugger and execute triggers of the harts themselves are one set of places for the cache of decoded code, which knows only offsets
// within pages; whether one of them is meant is looked at when execution is there.

import type { StopReason } from "../../machine/processor.ts";
import type { CodeCache } from "./code-cache.ts";
import type { Hart } from "./hart.ts";

const PAGE_MASK = 0xfffn;

export interface Stops {
  /** A run begins; `ignoresBreakpoints`: it is a single step. */
  readonly begin: (ignoresBreakpoints: boolean) => void;
  readonly reason: () => StopReason | null;
  /** The first one counts. */
  readonly stop: (reason: StopReason) => void;
  /** The debugger wants to stop in front of the hart's next instruction; `executed` are those of the hart so far: not at the very first of a run. */
  readonly isBreakpoint: (hart: Hart, pc: bigint, executed: number) => boolean;
  readonly setBreakpoints: (addresses: ReadonlySet<bigint>) => void;
  /** Triggers have changed, or may have. */
  readonly update: () => void;
}

export function createStops(harts: readonly Hart[], code: Pick<CodeCache, "setStops">): Stops {
  let reason: StopReason | null = null;
  let ignoresBreakpoints = false;
  let breakpoints: ReadonlySet<bigint> = new Set();
  /** Offsets in pages at which the code cache asks. */
  let offsets: ReadonlySet<number> = new Set();
  /** Instructions of each hart when the run began. */
  const before = new Float64Array(harts.length);

  function update(): void {
    const addresses = [...breakpoints, ...harts.flatMap(({ triggers }) => triggers.executes.map(({ address }) => address))];
    const wanted = new Set(addresses.map((address) => Number(address & PAGE_MASK)));
    if (wanted.size === offsets.size && [...wanted].every((offset) => offsets.has(offset))) return;
    offsets = wanted;
    code.setStops(offsets);
  }

  return {
    begin(ignores) {
      reason = null;
      ignoresBreakpoints = ignores;
      for (const hart of harts) before[hart.index] = hart.executed;
    },
    reason: () => reason,
    stop(why) {
      reason ??= why;
    },
    isBreakpoint: (hart, pc, executed) => !ignoresBreakpoints && executed !== before[hart.index] && breakpoints.has(pc),
    setBreakpoints(addresses) {
      breakpoints = addresses;
      update();
    },
    update,
  };
}

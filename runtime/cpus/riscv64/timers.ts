// When each hart's own timer (Sstc) fires, in guest time, and what harts read as time. Both follow the machine's counter: a device may write
// it, and then all of this is worked out anew. The processor runs nobody past the next of these times, and asks at each whether it is due.

import type { MachineCore } from "../../machine/cpu-contract.ts";
import { MENVCFG, type Hart } from "./hart.ts";

/** One count of mtime on `virt`, if the machine has no timer that says otherwise. */
const DEFAULT_COUNT_NS = 100;

export interface Timers {
  readonly time: () => bigint;
  readonly countNs: () => number;
  /** Of the machine's counter, when these times were worked out. */
  readonly counterOffset: () => bigint;
  readonly hasCounterMoved: () => boolean;
  /** Works all of them out. */
  readonly update: () => void;
  /** Looks for the next one: the last has come. */
  readonly findNext: () => void;
  readonly next: () => number;
  readonly isDue: (hart: Hart) => boolean;
}

export function createTimers(machine: MachineCore, harts: readonly Hart[]): Timers {
  const due = new Float64Array(harts.length).fill(Infinity);
  let next = Infinity;
  let counterOffset = 0n;

  const countNs = (): number => machine.counter?.nsPerCount ?? DEFAULT_COUNT_NS;
  const time = (): bigint => machine.counter?.read() ?? BigInt(Math.floor(machine.now() / DEFAULT_COUNT_NS));

  function findNext(): void {
    next = Infinity;
    for (const at of due) if (at > machine.now()) next = Math.min(next, at);
  }

  return {
    time,
    countNs,
    counterOffset: () => counterOffset,
    hasCounterMoved: () => machine.counter !== undefined && machine.counter.offset() !== counterOffset,
    update() {
      counterOffset = machine.counter?.offset() ?? 0n;
      for (const { index, csr } of harts) {
        due[index] = Infinity;
        if ((csr.menvcfg & MENVCFG.STCE) === 0n) continue;
        const left = csr.stimecmp - time();
        const unit = countNs();
        due[index] = left <= 0n ? 0 : (Math.floor(machine.now() / unit) + Number(left)) * unit;
      }
      findNext();
    },
    findNext,
    next: () => next,
    isDue: (hart) => (due[hart.index] ?? Infinity) <= machine.now(),
  };
}

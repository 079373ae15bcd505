// Who runs what next. A plan is a row of images; whoever takes work keeps to one image until it is done, because opening an image
// (boot, set-up, translation) costs as much as hundreds of its tests. When every image is taken, the fullest one is shared.

import type { PlannedWork } from "./plan.ts";

export interface TakenWork {
  readonly image: number;
  /** Indices into the plan, in order. */
  readonly indices: readonly number[];
}

export interface WorkQueue {
  /** Units that nobody has taken. */
  readonly left: number;
  /** The index that `take` would give first, -1: none. */
  peek(taker: number): number;
  /** At most `size` units of one image; null: nothing is left. */
  take(taker: number, size: number): TakenWork | null;
}

interface Range {
  readonly image: number;
  next: number;
  readonly end: number;
  takers: number;
}

/** `isTaken`: what somebody else runs. `weigh`: what a unit is expected to take; the heaviest images then come first. */
export function createWorkQueue(
  work: readonly PlannedWork[],
  isTaken: (unit: PlannedWork) => boolean = () => false,
  weigh?: (unit: PlannedWork) => number,
): WorkQueue {
  const ranges: Range[] = [];
  work.forEach((unit, index) => {
    if (isTaken(unit)) return;
    const { image } = unit;
    const last = ranges.at(-1);
    if (last !== undefined && last.image === image && last.end === index) ranges[ranges.length - 1] = { ...last, end: index + 1 };
    else ranges.push({ image, next: index, end: index + 1, takers: 0 });
  });
  if (weigh !== undefined) {
    const weightOf = ({ next, end }: Range): number => work.slice(next, end).reduce((sum, unit) => sum + weigh(unit), 0);
    const weights = new Map(ranges.map((range) => [range, weightOf(range)]));
    ranges.sort((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0));
  }
  const current = new Map<number, Range>();
  let left = ranges.reduce((sum, { next, end }) => sum + end - next, 0);
  /** Ranges before this one are done. */
  let first = 0;

  function choose(): Range | null {
    while ((ranges[first]?.next ?? 0) >= (ranges[first]?.end ?? Infinity)) first++;
    let fullest: Range | null = null;
    for (let at = first; at < ranges.length; at++) {
      const range = ranges[at];
      if (range === undefined || range.next >= range.end) continue;
      if (range.takers === 0) return range;
      if (fullest === null || range.end - range.next > fullest.end - fullest.next) fullest = range;
    }
    return fullest;
  }

  function rangeOf(taker: number): Range | null {
    const own = current.get(taker);
    return own !== undefined && own.next < own.end ? own : choose();
  }

  return {
    get left() {
      return left;
    },
    peek: (taker) => rangeOf(taker)?.next ?? -1,
    take(taker, size) {
      const range = rangeOf(taker);
      if (range === null) return null;
      if (current.get(taker) !== range) {
        range.takers++;
        current.set(taker, range);
      }
      const count = Math.min(Math.max(1, size), range.end - range.next);
      const start = range.next;
      range.next += count;
      left -= count;
      const indices: number[] = [];
      for (let at = start; at < range.next; at++) indices.push(at);
      return { image: range.image, indices };
    },
  };
}

// Where jumps through registers have led: jump tables, computed gotos. The interpreter tells of one in some hundreds, which is enough to
// make the frequent targets blocks of the region that jumps there (graph.ts). A region asks whether the address is one of them before it
// goes there, so that nothing depends on what is known here but time; places are offsets in RAM, which is where both ends were seen.

/** Of one jump: what is seldom goes the slow way, instead of making regions and the search in them longer. */
const MAX_TARGETS = 16;
/** Of jumps that are remembered. */
const MAX_JUMPS = 4096;

export interface JumpTargets {
  readonly note: (from: number, to: number) => void;
  /** Distances from the jump, the most frequent first. */
  readonly distancesFrom: (from: number) => readonly number[];
  readonly clear: () => void;
}

export function createJumpTargets(): JumpTargets {
  const jumps = new Map<number, Map<number, number>>();
  return {
    note(from, to) {
      let targets = jumps.get(from);
      if (targets === undefined) {
        if (jumps.size >= MAX_JUMPS) jumps.clear();
        targets = new Map();
        jumps.set(from, targets);
      }
      targets.set(to, (targets.get(to) ?? 0) + 1);
    },
    distancesFrom: (from) =>
      [...(jumps.get(from) ?? [])]
        .sort(([, a], [, b]) => b - a)
        .slice(0, MAX_TARGETS)
        .map(([to]) => to - from),
    clear: () => jumps.clear(),
  };
}

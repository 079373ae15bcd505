// Dominators of a graph whose nodes are numbered in reverse postorder from the entry 0, by the iteration of Cooper, Harvey and Kennedy
// ("A Simple, Fast Dominance Algorithm", 2001, figure 3): regions are small, and it converges in two rounds on most of them.

export interface Dominators {
  readonly parent: readonly number[];
  readonly children: readonly (readonly number[])[];
  readonly predecessors: readonly (readonly number[])[];
  /** Several edges lead forward to it, or it has to have a label for another reason. */
  readonly merges: readonly boolean[];
  readonly dominates: (a: number, b: number) => boolean;
}

export function dominatorsOf(successors: readonly (readonly number[])[]): Dominators {
  const count = successors.length;
  const predecessors: number[][] = successors.map(() => []);
  successors.forEach((list, from) => {
    for (const to of list) predecessors[to]?.push(from);
  });
  const parent = new Array<number>(count).fill(-1);
  parent[0] = 0;
  const meet = (first: number, second: number): number => {
    let a = first;
    let b = second;
    while (a !== b) {
      while (a > b) a = parent[a] ?? 0;
      while (b > a) b = parent[b] ?? 0;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let node = 1; node < count; node++) {
      let found = -1;
      for (const before of predecessors[node] ?? []) {
        if ((parent[before] ?? -1) < 0) continue;
        found = found < 0 ? before : meet(before, found);
      }
      if (found !== parent[node]) {
        parent[node] = found;
        changed = true;
      }
    }
  }
  const children: number[][] = successors.map(() => []);
  for (let node = 1; node < count; node++) children[parent[node] ?? 0]?.push(node);
  return {
    parent,
    children,
    predecessors,
    merges: predecessors.map((list, node) => list.reduce((count, from) => count + (from < node ? 1 : 0), 0) > 1),
    dominates(a, b) {
      let node = b;
      while (node > a) node = parent[node] ?? 0;
      return node === a;
    },
  };
}

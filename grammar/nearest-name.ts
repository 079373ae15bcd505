// Which known name was meant by one that does not exist: "did you mean" of the compiler, of machine files, of filters and of options.
// A leaf: it imports nothing, so every layer may import it (see the table in tests/layers.test.ts). Distance is optimal string
// alignment (insertion, deletion, replacement and the swap of two neighbours count one each), regardless of upper and lower case.

function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** The candidate nearest to `name` if it is near enough to be a slip; the first of equals. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // Any single letter is one step from any other.
  if (name.length < 2) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The nearest name, or else the shortest that contains `name` or is contained in it: for names people type only in part. */
export function nearestNameOrPart(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  const wanted = name.toLowerCase();
  const isPart = (candidate: string): boolean => {
    const [short, long] = candidate.length < wanted.length ? [candidate, wanted] : [wanted, candidate];
    return short.length >= 3 && long.includes(short);
  };
  return (
    nearestName(name, all) ??
    all.filter((candidate) => isPart(candidate.toLowerCase())).toSorted((a, b) => a.length - b.length)[0]
  );
}

// The nearest known name to one that does not exist, for the help of filter errors: the Damerau-Levenshtein distance (optimal string
// alignment) with a bound that grows with the name, names that contain what was typed before all others.

function distance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const cost = left[row - 1] === right[column - 1] ? 0 : 1;
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + cost,
      );
      const isSwap =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) best = Math.min(best, (beforePrevious[column - 2] ?? 0) + 1);
      current.push(best);
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[right.length] ?? 0;
}

/** Null when nothing is near. Ties go to the first. */
export function nearestOf(typed: string, names: readonly string[]): string | null {
  const wanted = typed.toLowerCase();
  if (wanted === "") return null;
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | null = null;
  let bestScore = Infinity;
  for (const name of names) {
    const candidate = name.toLowerCase();
    const isPart =
      wanted.length >= 3 && (candidate.includes(wanted) || (candidate.length >= 3 && wanted.includes(candidate)));
    const far = distance(wanted, candidate, limit);
    const score = far <= limit ? far : isPart ? limit + Math.abs(candidate.length - wanted.length) / 1000 : Infinity;
    if (score < bestScore) [best, bestScore] = [name, score];
  }
  return best;
}

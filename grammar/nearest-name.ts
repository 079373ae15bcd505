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

/** The longest way from a slip to the name that was meant: a third of the name, and never more than three letters. */
function mostSlips(name: string): number {
  return Math.max(1, Math.min(3, Math.floor(name.length / 3)));
}

/**
 * The candidate that was probably meant: the nearest if it is near enough for a slip, else the shortest that contains `name` or is
 * contained in it (`riscv` for `riscv64`, `boolean` for `bool`); the first of equals.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // Any single letter is one step from any other.
  if (name.length < 2) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = mostSlips(name) + 1;
  let part: string | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    if (Math.abs(known.length - wanted.length) < bestDistance) {
      const distance = editDistance(wanted, known);
      if (distance < bestDistance) {
        best = candidate;
        bestDistance = distance;
      }
    }
    if (isPart(wanted, known) && (part === undefined || candidate.length < part.length)) part = candidate;
  }
  return best ?? part;
}

/** `did you mean \`riscv64\`?`, or else what there is. */
export function didYouMean<T>(name: string, candidates: Iterable<string>, otherwise: T): string | T {
  const near = nearestName(name, candidates);
  return near === undefined ? otherwise : `did you mean \`${near}\`?`;
}

function isPart(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 3 && long.includes(short);
}

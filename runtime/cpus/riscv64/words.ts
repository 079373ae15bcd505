// Lists of 64-bit values as words of 32, by which two of them are compared without a BigInt for each value. A state of a machine is loaded in
// front of every test, and what it says of protection and triggers is nearly always what a hart has already.

type Longs = readonly bigint[] | BigUint64Array<ArrayBuffer>;

/** By the list: those of a saved state do not change, and of a hart's own this is another view. */
const known = new WeakMap<Longs, Int32Array>();

function wordsOf(longs: Longs): Int32Array {
  let words = known.get(longs);
  if (words === undefined) {
    words = new Int32Array((longs instanceof BigUint64Array ? longs : BigUint64Array.from(longs)).buffer);
    known.set(longs, words);
  }
  return words;
}

/** `saved` has to stay as it is. */
export function areSame(live: BigUint64Array<ArrayBuffer>, saved: readonly bigint[]): boolean {
  const [now, before] = [wordsOf(live), wordsOf(saved)];
  if (now.length !== before.length) return false;
  for (let n = 0; n < now.length; n++) if (now[n] !== before[n]) return false;
  return true;
}

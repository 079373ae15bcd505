// Seeded randomness for one machine: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
// four words of state that a snapshot copies. Every use has a stream of its own (the scheduler, the devices), so that one more
// draw in a device never changes an interleaving. Word 0 and 1 of a state are bijective in the seed: different seeds never coincide.

export const STREAM_SCHEDULER = 0;
export const STREAM_DEVICES = 1;
/** What a device tree gives a guest to begin with. */
export const STREAM_DEVICE_TREE = 3;
/** Of the run and no machine: the order of tests. */
export const STREAM_ORDER = 2;

export interface RandomStream {
  /** The next 32-bit unsigned number. */
  readonly next: () => number;
  readonly seed: (seed: bigint) => void;
  readonly save: () => Uint32Array;
  readonly load: (state: Uint32Array) => void;
}

/** The 32-bit finalizer of MurmurHash3 (Appleby): a bijection that spreads every input bit over the word. */
function mix(word: number): number {
  let x = word >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function rotateLeft(word: number, count: number): number {
  return ((word << count) | (word >>> (32 - count))) >>> 0;
}

const GOLDEN = 0x9e37_79b9;

/** A generator for stream `stream` of the machine with this seed (64 bits count). */
export function createRandomStream(seed: bigint, stream: number): RandomStream {
  const s = new Uint32Array(4);

  function next(): number {
    // By index: a pattern would go through an iterator.
    const s0 = s[0] ?? 0;
    const s1 = s[1] ?? 0;
    const s2 = s[2] ?? 0;
    const s3 = s[3] ?? 0;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5) >>> 0, 7), 9) >>> 0;
    const x2 = s2 ^ s0;
    const x3 = s3 ^ s1;
    s[1] = s1 ^ x2;
    s[0] = s0 ^ x3;
    s[2] = x2 ^ (s1 << 9);
    s[3] = rotateLeft(x3 >>> 0, 11);
    return result;
  }

  function reseed(value: bigint): void {
    const salt = Math.imul(stream + 1, GOLDEN);
    s[0] = mix(Number(value & 0xffff_ffffn) + salt);
    s[1] = mix(Number((value >> 32n) & 0xffff_ffffn) + salt);
    s[2] = mix((s[0] ?? 0) + GOLDEN);
    // The all-zero state is the one fixed point; an odd last word excludes it.
    s[3] = mix((s[1] ?? 0) ^ rotateLeft(s[2] ?? 0, 16)) | 1;
    for (let i = 0; i < 8; i++) next();
  }

  reseed(seed);
  return {
    next,
    seed: reseed,
    save: () => s.slice(),
    load: (state) => s.set(state),
  };
}

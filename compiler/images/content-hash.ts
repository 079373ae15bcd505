// The hash that the image cache tells contents apart by: 128 bits in the manner of MurmurHash3 (Appleby, public domain), four lanes of
// 32 bits. Not a cryptographic one: whoever can write the cache can also write the specs, and loading node:crypto would cost as
// much as everything else that a cached run of one test does before the guest starts.

const C1 = 0x239b_961b;
const C2 = 0xab0e_9789 | 0;
const C3 = 0x38b3_4ae5;
const C4 = 0xa1e3_8b93 | 0;

function finish(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** Bytes of a block. */
const BLOCK = 16;

/** Whole blocks as words in the host's order (the hash never leaves it), where they are if they lie at a word's boundary. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const whole = bytes.length - (bytes.length % BLOCK);
  if (bytes.byteOffset % 4 === 0) return new Int32Array(bytes.buffer, bytes.byteOffset, whole / 4);
  // A buffer's `slice` is no copy.
  return new Int32Array(Uint8Array.from(bytes.subarray(0, whole)).buffer);
}

/** The rest, padded with zeros to a block; nothing if there is none. */
function lastWords(bytes: Uint8Array): Int32Array {
  const rest = bytes.length % BLOCK;
  const padded = new Uint8Array(rest === 0 ? 0 : BLOCK);
  padded.set(bytes.subarray(bytes.length - rest));
  return new Int32Array(padded.buffer);
}

/** 32 hexadecimal digits. Text is hashed as UTF-8. */
export function hashBytes(content: Uint8Array | string): string {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const whole = wordsOf(bytes);
  const last = lastWords(bytes);
  // The length tells apart what only differs in the padding.
  let h1 = bytes.length;
  let h2 = h1;
  let h3 = h1;
  let h4 = h1;
  // Written out, without helpers: it runs cold, where a call costs more than the arithmetic.
  for (let next = 0; next < whole.length + last.length; next += 4) {
    const words = next < whole.length ? whole : last;
    const at = next < whole.length ? next : 0;
    let k = Math.imul(words[at] ?? 0, C1);
    h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
    h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561c_cd1b) | 0;
    k = Math.imul(words[at + 1] ?? 0, C2);
    h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
    h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bca_a747) | 0;
    k = Math.imul(words[at + 2] ?? 0, C3);
    h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
    h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd_1c35) | 0;
    k = Math.imul(words[at + 3] ?? 0, C4);
    h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
    h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac_3b17) | 0;
  }
  h1 = finish((h1 + h2 + h3 + h4) | 0);
  h2 = finish((h2 + h1) | 0);
  h3 = finish((h3 + h1) | 0);
  h4 = finish((h4 + h1) | 0);
  return hex((h1 + h2 + h3 + h4) | 0) + hex((h2 + h1) | 0) + hex((h3 + h1) | 0) + hex((h4 + h1) | 0);
}

/**
 * Tells a torn or damaged file from a whole one, and no more: 64 bits, a multiplication and an addition for each word. It runs cold over all
 * that a cached run reads, where the hash above takes as long as the guest.
 */
export function checksumBytes(bytes: Uint8Array): string {
  const whole = wordsOf(bytes);
  let even = bytes.length;
  let odd = C1;
  for (let at = 0; at < whole.length; at += 2) {
    even = (Math.imul(even, C3) + (whole[at] ?? 0)) | 0;
    odd = (Math.imul(odd, C4) + (whole[at + 1] ?? 0)) | 0;
  }
  for (const word of lastWords(bytes)) {
    even = (Math.imul(even, C3) + word) | 0;
    odd = (Math.imul(odd, C4) ^ word) | 0;
  }
  return hex(finish(even)) + hex(finish(odd));
}

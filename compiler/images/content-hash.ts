// The hash that the image cache tells contents apart by: 128 bits in the manner of MurmurHash3 (Appleby, public domain), four lanes of
// 32 bits. Not a cryptographic one: whoever can write the cache can also write the specs, and loading node:crypto would cost as
// much as everything else that a cached run of one test does before the guest starts.

const C1 = 0x239b_961b;
const C2 = 0xab0e_9789 | 0;
const C3 = 0x38b3_4ae5;
const C4 = 0xa1e3_8b93 | 0;

function rotate(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}

function finish(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** 32 hexadecimal digits. Text is hashed as UTF-8. */
export function hashBytes(content: Uint8Array | string): string {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let h1 = length;
  let h2 = length;
  let h3 = length;
  let h4 = length;
  const mix = (k1: number, k2: number, k3: number, k4: number): void => {
    h1 = (Math.imul(rotate(h1 ^ Math.imul(rotate(Math.imul(k1, C1), 15), C2), 19) + h2, 5) + 0x561c_cd1b) | 0;
    h2 = (Math.imul(rotate(h2 ^ Math.imul(rotate(Math.imul(k2, C2), 16), C3), 17) + h3, 5) + 0x0bca_a747) | 0;
    h3 = (Math.imul(rotate(h3 ^ Math.imul(rotate(Math.imul(k3, C3), 17), C4), 15) + h4, 5) + 0x96cd_1c35) | 0;
    h4 = (Math.imul(rotate(h4 ^ Math.imul(rotate(Math.imul(k4, C4), 18), C1), 13) + h1, 5) + 0x32ac_3b17) | 0;
  };
  const whole = length - (length % 16);
  for (let at = 0; at < whole; at += 16) mix(view.getInt32(at, true), view.getInt32(at + 4, true), view.getInt32(at + 8, true), view.getInt32(at + 12, true));
  if (whole < length) {
    // The rest padded with zeros; the length went in at the start.
    const rest = new DataView(new ArrayBuffer(16));
    for (let at = whole; at < length; at++) rest.setUint8(at - whole, bytes[at] ?? 0);
    mix(rest.getInt32(0, true), rest.getInt32(4, true), rest.getInt32(8, true), rest.getInt32(12, true));
  }
  h1 = finish((h1 + h2 + h3 + h4) | 0);
  h2 = finish((h2 + h1) | 0);
  h3 = finish((h3 + h1) | 0);
  h4 = finish((h4 + h1) | 0);
  return hex((h1 + h2 + h3 + h4) | 0) + hex((h2 + h1) | 0) + hex((h3 + h1) | 0) + hex((h4 + h1) | 0);
}

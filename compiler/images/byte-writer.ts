// A growing little-endian buffer with the number formats that image files are made of: fixed words, LEB128 (DWARF 4, section 7.6)
// and zero-terminated text. The ELF writer, the DWARF sections and the packs are written through it; all three targets are
// little-endian, so it knows no other order.

export interface ByteWriter {
  readonly length: number;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  u64(value: bigint | number): void;
  uleb(value: bigint | number): void;
  sleb(value: bigint | number): void;
  bytes(bytes: Uint8Array): void;
  /** UTF-8 with a zero behind it. */
  text(text: string): void;
  zeros(count: number): void;
  /** Zeros up to a multiple of `alignment`. */
  align(alignment: number): void;
  /** A word whose value was not known when its place was reached. */
  patchU32(offset: number, value: number): void;
  /** What `write` writes, behind a word that gives its length. */
  withLength(write: (out: ByteWriter) => void): void;
  finish(): Uint8Array;
}

const encoder = new TextEncoder();

/** Up to here the operators for 32 bits do. */
const MAX_SMALL = 0x7fff_ffff;

export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(4096);
  let view = new DataView(buffer.buffer);
  let length = 0;

  /** Makes room and gives its offset. */
  function take(count: number): number {
    if (length + count > buffer.length) {
      const larger = new Uint8Array(Math.max(length + count, buffer.length * 2));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
      view = new DataView(buffer.buffer);
    }
    const offset = length;
    length += count;
    return offset;
  }

  const writer: ByteWriter = {
    get length() {
      return length;
    },
    u8(value) {
      const at = take(1);
      view.setUint8(at, value);
    },
    u16(value) {
      const at = take(2);
      view.setUint16(at, value, true);
    },
    u32(value) {
      const at = take(4);
      view.setUint32(at, value, true);
    },
    u64(value) {
      const at = take(8);
      view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    },
    uleb(value) {
      // Nearly all are small, and a bigint is an object for each byte.
      if (typeof value === "number" && value >= 0 && value <= MAX_SMALL) {
        let rest = value;
        for (; rest >= 0x80; rest >>>= 7) writer.u8((rest & 0x7f) | 0x80);
        writer.u8(rest);
        return;
      }
      let rest = BigInt(value);
      if (rest < 0n) throw new RangeError(`${value} cannot be written as unsigned`);
      for (; rest >= 0x80n; rest >>= 7n) writer.u8(Number(rest & 0x7fn) | 0x80);
      writer.u8(Number(rest));
    },
    sleb(value) {
      for (let rest = BigInt(value); ;) {
        const low = Number(rest & 0x7fn);
        rest >>= 7n;
        if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
          writer.u8(low);
          return;
        }
        writer.u8(low | 0x80);
      }
    },
    bytes(bytes) {
      const at = take(bytes.length);
      buffer.set(bytes, at);
    },
    text(text) {
      const at = take(3 * text.length + 1);
      // Room that was not used is still zero.
      length = at + encoder.encodeInto(text, buffer.subarray(at)).written + 1;
    },
    zeros(count) {
      take(count);
    },
    align(alignment) {
      writer.zeros((alignment - (length % alignment)) % alignment);
    },
    patchU32(offset, value) {
      view.setUint32(offset, value, true);
    },
    withLength(write) {
      const start = take(4);
      write(writer);
      writer.patchU32(start, length - start - 4);
    },
    finish: () => buffer.slice(0, length),
  };
  return writer;
}

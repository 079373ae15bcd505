// Bytes of a disk that is nowhere but in its device: zero until written, kept in pieces, so that a disk costs what was written to it and a
// snapshot copies no more. A disk with a place outside comes in through `DeviceEnv.store` instead.

import type { ByteStore, DeviceState } from "./device.ts";

const PIECE = 4096;

type State = readonly { readonly piece: number; readonly bytes: Uint8Array }[];

export interface SparseStore extends ByteStore {
  readonly clear: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

/** `base` is what shows where nothing was written. */
export function createSparseStore(size: number, base: Pick<ByteStore, "read"> | null = null): SparseStore {
  const pieces = new Map<number, Uint8Array>();

  /** The parts of a range that lie in one piece each. */
  function forEachPart(offset: number, length: number, visit: (piece: number, start: number, end: number, done: number) => void): void {
    for (let done = 0; done < length;) {
      const at = offset + done;
      const piece = Math.floor(at / PIECE);
      const start = at - piece * PIECE;
      const end = Math.min(PIECE, start + length - done);
      visit(piece, start, end, done);
      done += end - start;
    }
  }

  function pieceForWriting(piece: number): Uint8Array {
    let bytes = pieces.get(piece);
    if (bytes === undefined) {
      bytes = new Uint8Array(PIECE);
      base?.read(piece * PIECE, bytes.subarray(0, Math.min(PIECE, size - piece * PIECE)));
      pieces.set(piece, bytes);
    }
    return bytes;
  }

  return {
    size,
    read(offset, into) {
      forEachPart(offset, into.length, (piece, start, end, done) => {
        const part = into.subarray(done, done + end - start);
        const bytes = pieces.get(piece);
        if (bytes !== undefined) part.set(bytes.subarray(start, end));
        else if (base === null) part.fill(0);
        else base.read(piece * PIECE + start, part);
      });
    },
    write(offset, from) {
      forEachPart(offset, from.length, (piece, start, end, done) => pieceForWriting(piece).set(from.subarray(done, done + end - start), start));
    },
    fill(offset, length) {
      forEachPart(offset, length, (piece, start, end) => {
        // Nothing is kept of what reads as zeros anyway.
        if (base === null && end - start === PIECE) pieces.delete(piece);
        else pieceForWriting(piece).fill(0, start, end);
      });
    },
    flush() {},
    clear: () => pieces.clear(),
    save: (): State => [...pieces].map(([piece, bytes]) => ({ piece, bytes: bytes.slice() })),
    load(state) {
      pieces.clear();
      for (const { piece, bytes } of state as State) pieces.set(piece, bytes.slice());
    },
  };
}

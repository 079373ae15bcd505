// Packs: one bootable file with several images of one machine, so that a VMM which takes tens of milliseconds to start does it once
// for all of them (docs/native.md, 9). Everything that is read only stays where it is loaded, each image's at an address of its own;
// what is written has one place for all, and the loader, the target's own assembly, fills it. A run of images that were compiled before
// comes here without the compiler, which takes longer to load than QEMU to start.

import type { PackPlace, RunnableImage } from "../native/native-image.ts";
import { createByteWriter } from "./byte-writer.ts";
import { PAGE, PF, STB, STT } from "./elf-format.ts";
import { writeElf, type LoadSegment } from "./elf.ts";
import { writeNotes } from "./notes.ts";

export interface PackPayload {
  /** Linked by `placeInPack`. */
  readonly image: RunnableImage;
  /** JSON text, for whoever looks into the file. */
  readonly manifest?: string;
}

/** What `assembleLoader` makes for a machine and the start of a pack. */
export interface PackLoader {
  readonly bytes: Uint8Array;
  /** Offsets. */
  readonly labels: ReadonlyMap<string, number>;
}

export interface PackOptions {
  readonly loader: PackLoader;
  readonly ram: { readonly base: bigint; readonly size: number };
}

export type PackResult = { readonly ok: true; readonly file: Uint8Array; readonly base: bigint } | { readonly ok: false; readonly reason: string };

/** The images' heap, at least. */
const HEAP_SIZE = 16 * 1024 * 1024;
/** At the end of RAM, where firmware and VMMs put device trees and ACPI tables. */
const RAM_RESERVE = 2 * 1024 * 1024;
/** The entry, at the loader's first byte. */
export const PACK_START = 0;

const up = (value: number, align: number): number => Math.ceil(value / align) * align;

function isSamePack({ pack, writableBase, machine }: RunnableImage, other: RunnableImage): boolean {
  return pack !== null && pack.start === other.pack?.start && pack.end === other.pack.end && writableBase === other.writableBase && machine === other.machine;
}

/** A pack of images that were placed together, in any order and not necessarily all; the first is started by the boot loader. */
export function writePack(payloads: readonly PackPayload[], { loader, ram }: PackOptions): PackResult {
  const [first] = payloads;
  if (first === undefined) return { ok: false, reason: "a pack needs at least one image" };
  const images = payloads.map(({ image }) => image);
  const { target, pack, machine, writableBase } = first.image;
  if (pack === null || !images.every((image) => isSamePack(image, first.image)))
    throw new Error("images that were not placed together do not go into one pack");

  const base = pack.start;
  const memoryEnd = Number(writableBase) + Math.max(...images.map(({ writableSize }) => writableSize)) + HEAP_SIZE;
  const limit = Number(ram.base) + ram.size - RAM_RESERVE;
  if (memoryEnd > limit) {
    const missing = up(memoryEnd - limit, 1024 * 1024) / (1024 * 1024);
    return {
      ok: false,
      reason: `${payloads.length} images of ${pack.end - pack.start} bytes do not fit into the RAM of ${machine}: ${missing} MiB more are needed`,
    };
  }
  const room = writeLoader(loader.bytes, images, pack);
  const entry = base + BigInt(PACK_START);
  const file = writeElf({
    target,
    entry,
    segments: joinSegments([
      { address: base, bytes: room, name: ".loader" },
      ...images.map(({ base: address, bytes }, index) => ({ address, bytes, name: `.payload${index}` })),
    ]),
    notes: writeNotes({ target, entry, manifests: payloads.flatMap(({ manifest }) => manifest ?? []) }),
    symbols: [...loader.labels].map(([name, offset]) => ({ name, binding: STB.global, type: STT.notype, address: base + BigInt(offset), size: 0 })),
    debugSections: [],
  });
  return { ok: true, file, base };
}

/** The loader, and its table: words of 8 bytes. */
function writeLoader(loader: Uint8Array, images: readonly RunnableImage[], pack: PackPlace): Uint8Array {
  const out = createByteWriter();
  out.bytes(loader);
  out.u64(images.length);
  out.u64(images[0]?.writableBase ?? 0n);
  out.u64(pack.end);
  out.u64(pack.cpus);
  for (const { base, bytes, writableOffset, writableSize, entry } of images) {
    out.u64(base + BigInt(writableOffset));
    out.u64(bytes.length - writableOffset);
    out.u64(writableSize);
    out.u64(entry);
  }
  out.align(PAGE);
  return out.finish();
}

interface Piece {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** Pieces in one segment where nothing is between them, each filled up to whole pages. */
function joinSegments(pieces: readonly Piece[]): readonly LoadSegment[] {
  const segments: { address: bigint; end: bigint; pieces: Piece[] }[] = [];
  for (const piece of [...pieces].sort((a, b) => Number(a.address - b.address))) {
    const end = piece.address + BigInt(up(piece.bytes.length, PAGE));
    const last = segments.at(-1);
    if (last?.end === piece.address) {
      last.pieces.push(piece);
      last.end = end;
    } else segments.push({ address: piece.address, end, pieces: [piece] });
  }
  return segments.map(({ address, end, pieces: joined }): LoadSegment => {
    const bytes = new Uint8Array(Number(end - address));
    for (const piece of joined) bytes.set(piece.bytes, Number(piece.address - address));
    const parts = joined.map((piece) => ({ name: piece.name, size: up(piece.bytes.length, PAGE), isCode: true }));
    return { address, bytes, memorySize: bytes.length, flags: PF.read | PF.execute, parts };
  });
}
